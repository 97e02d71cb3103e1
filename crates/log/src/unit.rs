//! A unit of execution in the making: the commands that go into the log in one piece.

use resp::encode_call;

/// The commands of one unit of execution, encoded as RESP, each with the database that it is to run in.
#[derive(Debug, Default)]
pub struct Unit {
    pub(crate) bytes: Vec<u8>,
    /// Where each command starts, and its database; none for one that means the same in all of them.
    pub(crate) commands: Vec<(usize, Option<u16>)>,
}

/// How a unit of more than one command is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Between MULTI and EXEC, so that nobody who follows sees a part of it (propagatePendingCommands, Redis 7.2).
    Transaction,
    /// As it is: the deletions of expired keys that a walk met concern each other in no way.
    Loose,
}

impl Unit {
    /// Adds a command.
    pub fn command<'w>(&mut self, db: u16, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        self.commands.push((self.bytes.len(), Some(db)));
        encode_call(&mut self.bytes, words);
    }

    /// Adds a command that means the same in every database: PING, REPLCONF GETACK.
    pub fn command_anywhere(&mut self, words: &[&[u8]]) {
        self.commands.push((self.bytes.len(), None));
        encode_call(&mut self.bytes, words.iter().copied());
    }

    /// Whether there is no command in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Makes it empty; a buffer of ordinary size is kept.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_MAX);
    }
}

/// Bytes of buffer that an empty unit keeps.
const KEPT_MAX: usize = 64 * 1024;

/// SELECT of a database.
pub(crate) fn select(out: &mut Vec<u8>, db: u16) {
    let db = db.to_string();
    encode_call(out, [b"SELECT".as_slice(), db.as_bytes()]);
}

pub(crate) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
pub(crate) const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
