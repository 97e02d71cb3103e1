//! The conversations of a replica whose snapshot comes over a connection of its own (dual-channel replication, Valkey 8).
//!
//! ```text
//! the new connection     AUTH, REPLCONF capa eof rdb-only 1 rdb-channel 1 ..    one line each
//!                        SYNC                                                   $ENDOFF:<offset> <id> <db> <client>
//!                                                                               then the snapshot
//! the first connection   REPLCONF set-rdb-client-id <client>                    +OK
//!                        PSYNC <id> <offset + 1>                                +CONTINUE, then the stream
//! ```

use std::fmt;

use crate::handshake::{HandshakeError, Introduction, Place, VERSION, say, text};
use crate::history::ReplicationId;

/// What is told of a snapshot before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotEnd {
    /// The place that it is of, from which the stream goes on.
    pub place: Place,
    /// The database that the stream has selected there.
    pub db: u16,
    /// The client number of the connection over which it comes.
    pub client: u64,
}

/// The conversation on the connection of the snapshot.
#[derive(Debug)]
pub struct SnapshotHandshake {
    expected: Expected,
    output: Vec<u8>,
}

/// The conversation on the connection of the stream, once it is known from where on that is wanted.
#[derive(Debug)]
pub struct StreamHandshake {
    end: SnapshotEnd,
    is_known: bool,
    output: Vec<u8>,
}

/// What the next line answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Auth,
    Conf,
    End,
}

impl SnapshotHandshake {
    /// Begins.
    #[must_use]
    pub fn new(introduction: &Introduction) -> Self {
        let mut output = Vec::new();
        if let Some(credentials) = &introduction.credentials {
            credentials.say(&mut output);
        }
        let port = introduction.port.to_string();
        let mut words: Vec<&[u8]> = vec![b"REPLCONF", b"capa", b"eof", b"rdb-only", b"1"];
        words.extend([b"rdb-channel".as_slice(), b"1"]);
        words.extend([b"listening-port".as_slice(), port.as_bytes()]);
        words.extend([b"version".as_slice(), VERSION]);
        if let Some(ip) = &introduction.ip {
            words.extend([b"ip-address".as_slice(), ip]);
        }
        say(&words, &mut output);
        let expected = if introduction.credentials.is_some() {
            Expected::Auth
        } else {
            Expected::Conf
        };
        Self { expected, output }
    }

    /// What is to be sent now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes a line that the primary sent, without its end. `None` while the conversation goes on; the snapshot follows what
    /// it returns.
    ///
    /// # Errors
    /// [`HandshakeError`]: the connection is of no use any more.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<SnapshotEnd>, HandshakeError> {
        match (self.expected, line) {
            // The snapshot is about to be begun.
            (_, []) => {}
            (Expected::Auth, [b'-', ..]) => return Err(HandshakeError::Auth(text(line))),
            (Expected::Auth, _) => self.expected = Expected::Conf,
            (Expected::Conf | Expected::End, [b'-', ..]) => {
                return Err(HandshakeError::DualChannel(text(line)));
            }
            (Expected::Conf, _) => {
                say(&[b"SYNC"], &mut self.output);
                self.expected = Expected::End;
            }
            (Expected::End, _) => {
                let end = SnapshotEnd::parse(line);
                return match end {
                    Some(end) => Ok(Some(end)),
                    None => Err(HandshakeError::DualChannel(text(line))),
                };
            }
        }
        Ok(None)
    }
}

impl StreamHandshake {
    /// Begins.
    #[must_use]
    pub fn new(end: SnapshotEnd) -> Self {
        let mut output = Vec::new();
        let client = end.client.to_string();
        let words: [&[u8]; 3] = [b"REPLCONF", b"set-rdb-client-id", client.as_bytes()];
        say(&words, &mut output);
        Self {
            end,
            is_known: false,
            output,
        }
    }

    /// What is to be sent now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes a line that the primary sent, without its end: whether the stream follows.
    ///
    /// # Errors
    /// [`HandshakeError`]: there is no stream to be had from where the snapshot ends.
    pub fn line(&mut self, line: &[u8]) -> Result<bool, HandshakeError> {
        match line {
            [] => Ok(false),
            [b'-', ..] => Err(HandshakeError::DualChannel(text(line))),
            _ if !self.is_known => {
                self.is_known = true;
                let Place { id, offset } = self.end.place;
                let wanted = (offset + 1).to_string();
                let words: [&[u8]; 3] = [b"PSYNC", id.as_bytes(), wanted.as_bytes()];
                say(&words, &mut self.output);
                Ok(false)
            }
            _ if line.starts_with(b"+CONTINUE") => Ok(true),
            _ => Err(HandshakeError::Unexpected(text(line))),
        }
    }
}

impl SnapshotEnd {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"$ENDOFF:")?;
        let mut words = line.split(|byte| *byte == b' ');
        let offset = number(words.next()?)?;
        let id = ReplicationId::parse(words.next()?)?;
        // A primary without a stream has selected none (-1).
        let db = number(words.next()?).and_then(|db| u16::try_from(db).ok());
        let client = number(words.next()?)?;
        let is_whole = words.next().is_none();
        is_whole.then_some(Self {
            place: Place { id, offset },
            db: db.unwrap_or(0),
            client,
        })
    }
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

impl fmt::Display for SnapshotEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { id, offset } = self.place;
        write!(f, "$ENDOFF:{offset} {id} {} {}", self.db, self.client)
    }
}
