//! The keys of a command that reads.

use super::{Lookup, Space, Value};
use crate::effects::Effects;
use crate::error::CommandError;
use store::{Entry, Item, Object, object_of};

/// The keys of a command that reads. No entry can be changed through it, but access times are kept and expired keys go.
#[derive(Debug)]
pub struct ReadSpace<'a>(Space<'a>);

impl<'a> ReadSpace<'a> {
    /// A reading view of `space`.
    #[must_use]
    pub fn new(space: Space<'a>) -> Self {
        Self(space)
    }

    /// The database of the call.
    #[must_use]
    pub fn db(&self) -> u16 {
        self.0.db
    }

    /// The time, in Unix milliseconds, by which fields of hashes have expired or not.
    #[must_use]
    pub fn field_now(&self) -> i64 {
        self.0.field_now()
    }

    /// The effects of the call.
    pub fn effects(&mut self) -> &mut Effects {
        self.0.effects
    }

    /// The entry of `key`, counted as a hit or a miss (lookupKeyRead).
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry<Object>> {
        let db = self.0.db;
        self.0.live(db, key, Lookup::Read)
    }

    /// The entry of `key`; `lookup` says what is noted of the access.
    pub(crate) fn read_as(&mut self, key: &[u8], lookup: Lookup) -> Option<&Entry<Object>> {
        let db = self.0.db;
        self.0.live(db, key, lookup)
    }

    /// The value of `key` when it is of type `T`; WRONGTYPE when it is of another.
    pub fn value<T: Value>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        typed(self.read(key))
    }

    /// The string at `key`; WRONGTYPE when it is something else.
    pub fn string(&mut self, key: &[u8]) -> Result<Option<Item<'_>>, CommandError> {
        text(self.read(key))
    }

    /// The entry of `key`, without a trace of the lookup: for keys that were looked up before.
    #[must_use]
    pub fn peek(&self, key: &[u8]) -> Option<&Entry<Object>> {
        self.0.peek(self.0.db, key)
    }

    /// The value of `key` when it is of type `T`, without a trace of the lookup.
    ///
    /// A command over several keys first visits each with [`ReadSpace::value`], which finds the wrong types, and then
    /// holds all of them at once through this.
    pub fn peek_value<T: Value>(&self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        typed(self.peek(key))
    }

    /// The string at `key`, without a trace of the lookup.
    pub fn peek_string(&self, key: &[u8]) -> Result<Option<Item<'_>>, CommandError> {
        text(self.peek(key))
    }
}

/// The value of an entry when it is of type `T`.
pub(super) fn typed<T: Value>(entry: Option<&Entry<Object>>) -> Result<Option<&T>, CommandError> {
    match entry {
        None => Ok(None),
        Some(entry) => object_of(entry)
            .and_then(T::of)
            .map(Some)
            .ok_or(CommandError::WrongType),
    }
}

/// The string of an entry.
pub(super) fn text(entry: Option<&Entry<Object>>) -> Result<Option<Item<'_>>, CommandError> {
    match entry {
        None => Ok(None),
        Some(entry) => store::string_of(entry)
            .map(Some)
            .ok_or(CommandError::WrongType),
    }
}
