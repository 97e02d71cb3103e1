//! REPLCONF: what a replica tells its primary of itself, and how far it is.

/// What a replica has told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// Where it listens.
    pub port: u16,
    /// The address by which it wants to be known; empty for the one it comes from.
    pub ip: Vec<u8>,
    /// What it understands.
    pub capabilities: Capabilities,
    /// The version that it says it is of (Valkey 8): major and minor number.
    pub version: Option<(u32, u32)>,
    /// It wants a snapshot and no stream.
    pub rdb_only: bool,
    /// It wants only functions in the snapshot.
    pub functions_only: bool,
    /// The connection is for the snapshot alone, whose stream goes over another one (Valkey 8).
    pub rdb_channel: bool,
    /// The client number of the connection over which this one's snapshot goes (Valkey 8).
    pub rdb_client: Option<u64>,
}

/// What a replica understands (REPLCONF capa).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// A snapshot of unknown length, ended by a mark.
    pub eof: bool,
    /// A new name of the history in the answer to PSYNC.
    pub psync2: bool,
    /// A snapshot over a connection of its own (Valkey 8).
    pub dual_channel: bool,
}

/// What else REPLCONF says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The replica has everything up to this offset; not to be answered.
    Ack {
        /// The offset executed.
        offset: u64,
        /// The offset that is on the replica's disk (FACK, Redis 7.2).
        durable: Option<u64>,
    },
    /// The primary wants to know how far its replica is.
    GetAck,
}

/// Why REPLCONF is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfError {
    /// Options come in pairs.
    Syntax,
    /// The port, or the value of `rdb-only`, is no number.
    NotInteger,
    /// The address is too long.
    IpTooLong,
    /// There is no such option.
    Unknown(Vec<u8>),
    /// There is no such part of a snapshot.
    UnknownFilter(Vec<u8>),
}

/// The longest address that is taken (NET_HOST_STR_LEN, Redis 7.2).
const IP_MAX: usize = 255;

impl Conf {
    /// Takes the options of a REPLCONF: `Ok(None)` is answered with OK, a [`Notice`] as it says.
    ///
    /// # Errors
    /// [`ConfError`]; options before the bad one are in force.
    pub fn take(&mut self, words: &[&[u8]]) -> Result<Option<Notice>, ConfError> {
        if !words.len().is_multiple_of(2) {
            return Err(ConfError::Syntax);
        }
        let mut pairs = words.chunks_exact(2);
        while let Some([option, value]) = pairs.next() {
            match option.to_ascii_lowercase().as_slice() {
                b"listening-port" => {
                    self.port = number(value)?.try_into().unwrap_or(0);
                }
                b"ip-address" if value.len() >= IP_MAX => return Err(ConfError::IpTooLong),
                b"ip-address" => self.ip = value.to_vec(),
                b"capa" if value.eq_ignore_ascii_case(b"eof") => self.capabilities.eof = true,
                b"capa" if value.eq_ignore_ascii_case(b"psync2") => {
                    self.capabilities.psync2 = true;
                }
                b"capa" if value.eq_ignore_ascii_case(b"dual-channel") => {
                    self.capabilities.dual_channel = true;
                }
                // What is not known is not needed.
                b"capa" => {}
                b"ack" => return Ok(ack(value, pairs.next())),
                b"getack" => return Ok(Some(Notice::GetAck)),
                b"version" => self.version = version(value),
                b"rdb-only" => self.rdb_only = number(value)? == 1,
                b"rdb-channel" => self.rdb_channel = number(value)? == 1,
                b"set-rdb-client-id" => self.rdb_client = Some(number(value)?),
                b"rdb-filter-only" => self.functions_only = functions_only(value)?,
                _ => return Err(ConfError::Unknown(option.to_vec())),
            }
        }
        Ok(None)
    }
}

/// The offset of an ACK; nothing for one that is no number, which is not answered either.
fn ack(value: &[u8], next: Option<&[&[u8]]>) -> Option<Notice> {
    let durable = match next {
        Some([option, value]) if option.eq_ignore_ascii_case(b"fack") => number(value).ok(),
        _ => None,
    };
    let offset = number(value).unwrap_or(0);
    Some(Notice::Ack { offset, durable })
}

fn functions_only(value: &[u8]) -> Result<bool, ConfError> {
    let mut only = false;
    for word in value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
    {
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(ConfError::UnknownFilter(word.to_vec()));
        }
        only = true;
    }
    Ok(only)
}

fn version(text: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = text.split(|byte| *byte == b'.').map(|number| {
        let number = std::str::from_utf8(number).ok()?;
        number.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

fn number(text: &[u8]) -> Result<u64, ConfError> {
    let text = std::str::from_utf8(text).map_err(|_| ConfError::NotInteger)?;
    text.parse().map_err(|_| ConfError::NotInteger)
}
