//! The replica's side of the conversation until the primary has said how to synchronise.
//!
//! ```text
//! PING                                  +PONG, or an error that asks for AUTH
//! AUTH, REPLCONF x4 (in one go)         one line each
//! PSYNC <id> <offset>                   lines without content, then the answer
//! ```

use std::collections::VecDeque;
use std::fmt;

use crate::history::ReplicationId;

/// What a replica says of itself, and what it asks for.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// `masteruser` and `masterauth`.
    pub credentials: Option<Credentials>,
    /// Where it listens.
    pub port: u16,
    /// `replica-announce-ip`.
    pub ip: Option<Vec<u8>>,
    /// Where it wants to go on; none to start afresh.
    pub place: Option<Place>,
    /// During a coordinated failover: ask that the primary steps down (PSYNC ... FAILOVER).
    pub takes_over: bool,
    /// Offer to take a snapshot over a connection of its own (`dual-channel-replication-enabled`, Valkey 8).
    pub dual_channel: bool,
}

/// `masteruser` and `masterauth`.
#[derive(Clone)]
pub struct Credentials {
    /// The user; none for the default one.
    pub user: Option<Vec<u8>>,
    /// The password.
    pub password: Vec<u8>,
}

/// A place in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The history.
    pub id: ReplicationId,
    /// The offset up to which everything is known.
    pub offset: u64,
}

/// How the primary answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A snapshot follows, then the stream from this place.
    Full(Place),
    /// The stream goes on where it was asked for, in a history of this name.
    Continue(Option<ReplicationId>),
    /// A snapshot follows, and the stream without a place in any history (SYNC, Redis before 2.8).
    Old,
    /// A snapshot is to be had over a connection of its own, and the stream over this one ([`crate::SnapshotHandshake`]).
    DualChannel,
}

/// The version of Valkey whose snapshots are read: one that knows of versions chooses the format by it.
pub(crate) const VERSION: &[u8] = b"9.0.0";

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// PING was sent.
    Ping,
    /// What the replica says of itself was sent.
    Introducing,
    /// PSYNC was sent.
    Psync,
}

/// Why it came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The answer to PING is an error.
    Ping(String),
    /// AUTH was refused.
    Auth(String),
    /// The primary cannot serve replicas just now; to be tried again.
    NotNow(String),
    /// No snapshot is given over a connection of its own.
    DualChannel(String),
    /// Nothing was understood.
    Unexpected(String),
}

/// The conversation.
#[derive(Debug)]
pub struct Handshake {
    introduction: Introduction,
    stage: Stage,
    expected: VecDeque<Expected>,
    output: Vec<u8>,
    warnings: Vec<String>,
}

/// What the next line of the primary answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Auth,
    Port,
    Ip,
    Capabilities,
    Version,
}

impl Handshake {
    /// Begins.
    #[must_use]
    pub fn new(introduction: Introduction) -> Self {
        let mut handshake = Self {
            introduction,
            stage: Stage::Ping,
            expected: VecDeque::new(),
            output: Vec::new(),
            warnings: Vec::new(),
        };
        handshake.say(&[b"PING"]);
        handshake
    }

    /// Where it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What is to be sent now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What did not work and does no harm, for the log.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Takes a line that the primary sent, without its end. `None` while the conversation goes on.
    ///
    /// # Errors
    /// [`HandshakeError`]: the connection is of no use any more.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Answer>, HandshakeError> {
        // A primary that is busy sends empty lines, so that its replica does not give up.
        if line.is_empty() {
            return Ok(None);
        }
        match self.stage {
            Stage::Ping => self.pong(line).map(|()| None),
            Stage::Introducing => self.introduced(line).map(|()| None),
            Stage::Psync => self.synchronised(line),
        }
    }

    fn pong(&mut self, line: &[u8]) -> Result<(), HandshakeError> {
        // With a password a primary may answer PING with an error: AUTH comes next.
        let tolerated = [
            b"-NOAUTH".as_slice(),
            b"-NOPERM",
            b"-ERR operation not permitted",
        ];
        let asks_for_auth = tolerated.iter().any(|start| line.starts_with(start));
        if line.first() != Some(&b'+') && !asks_for_auth {
            return Err(HandshakeError::Ping(text(line)));
        }
        self.stage = Stage::Introducing;
        let Introduction {
            credentials,
            port,
            ip,
            dual_channel,
            ..
        } = self.introduction.clone();
        if let Some(credentials) = &credentials {
            credentials.say(&mut self.output);
            self.expected.push_back(Expected::Auth);
        }
        self.say(&[b"REPLCONF", b"listening-port", port.to_string().as_bytes()]);
        self.expected.push_back(Expected::Port);
        if let Some(ip) = &ip {
            self.say(&[b"REPLCONF", b"ip-address", ip]);
            self.expected.push_back(Expected::Ip);
        }
        let mut words: Vec<&[u8]> = vec![b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"];
        if dual_channel {
            words.extend([b"capa".as_slice(), b"dual-channel"]);
        }
        self.say(&words);
        self.expected.push_back(Expected::Capabilities);
        self.say(&[b"REPLCONF", b"version", VERSION]);
        self.expected.push_back(Expected::Version);
        Ok(())
    }

    fn introduced(&mut self, line: &[u8]) -> Result<(), HandshakeError> {
        let refused = line.first() == Some(&b'-');
        let option = match self.expected.pop_front() {
            Some(Expected::Auth) if refused => return Err(HandshakeError::Auth(text(line))),
            // Redis does not know versions, and need not.
            Some(Expected::Auth | Expected::Version) | None => "",
            Some(Expected::Port) => "listening-port",
            Some(Expected::Ip) => "ip-address",
            Some(Expected::Capabilities) => "capa",
        };
        if refused && !option.is_empty() {
            let line = text(line);
            self.warnings.push(format!(
                "(Non critical) Master does not understand REPLCONF {option}: {line}"
            ));
        }
        if self.expected.is_empty() {
            self.ask();
        }
        Ok(())
    }

    fn ask(&mut self) {
        self.stage = Stage::Psync;
        let place = self.introduction.place.map(|Place { id, offset }| {
            let wanted = (offset + 1).to_string();
            (id, wanted)
        });
        let takes_over = self.introduction.takes_over;
        match &place {
            Some((id, wanted)) if takes_over => {
                self.say(&[b"PSYNC", id.as_bytes(), wanted.as_bytes(), b"FAILOVER"]);
            }
            Some((id, wanted)) => self.say(&[b"PSYNC", id.as_bytes(), wanted.as_bytes()]),
            None => self.say(&[b"PSYNC", b"?", b"-1"]),
        }
    }

    fn synchronised(&mut self, line: &[u8]) -> Result<Option<Answer>, HandshakeError> {
        let mut words = line
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        match words.next().unwrap_or_default() {
            b"+FULLRESYNC" => {
                let id = words.next().and_then(ReplicationId::parse);
                let offset = words
                    .next()
                    .and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                match (id, offset) {
                    (Some(id), Some(offset)) => Ok(Some(Answer::Full(Place { id, offset }))),
                    _ => Err(HandshakeError::Unexpected(text(line))),
                }
            }
            b"+CONTINUE" => Ok(Some(Answer::Continue(
                words.next().and_then(ReplicationId::parse),
            ))),
            b"+DUALCHANNELSYNC" if self.introduction.dual_channel => Ok(Some(Answer::DualChannel)),
            b"-NOMASTERLINK" | b"-LOADING" => Err(HandshakeError::NotNow(text(line))),
            word if word.first() == Some(&b'-') && !self.introduction.takes_over => {
                let text = text(line);
                if !line.starts_with(b"-ERR") {
                    self.warnings
                        .push(format!("Unexpected reply to PSYNC from master: {text}"));
                } else {
                    self.warnings.push(format!(
                        "Master does not support PSYNC or is in error state (reply: {text})"
                    ));
                }
                self.say(&[b"SYNC"]);
                Ok(Some(Answer::Old))
            }
            _ => Err(HandshakeError::Unexpected(text(line))),
        }
    }

    fn say(&mut self, words: &[&[u8]]) {
        say(words, &mut self.output);
    }
}

impl Credentials {
    /// Spells AUTH.
    pub(crate) fn say(&self, out: &mut Vec<u8>) {
        match &self.user {
            Some(user) => say(&[b"AUTH", user, &self.password], out),
            None => say(&[b"AUTH", &self.password], out),
        }
    }
}

/// Spells a request.
pub(crate) fn say(words: &[&[u8]], out: &mut Vec<u8>) {
    resp::encode_call(out, words.iter().copied());
}

pub(crate) fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(line) => write!(f, "Error reply to PING from master: '{line}'"),
            Self::Auth(line) => write!(f, "Unable to AUTH to MASTER: {line}"),
            Self::NotNow(line) => write!(
                f,
                "Master is currently unable to PSYNC but should be in the future: {line}"
            ),
            Self::DualChannel(line) => write!(
                f,
                "Master gives no snapshot over a connection of its own (dual-channel-replication-enabled): {line}"
            ),
            Self::Unexpected(line) => write!(f, "Unexpected reply from master: '{line}'"),
        }
    }
}

impl std::error::Error for HandshakeError {}
