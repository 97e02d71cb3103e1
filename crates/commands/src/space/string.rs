//! A key's slot for a string: looked up once, then read, replaced, changed in place or removed.

use super::read::text;
use super::{Expiry, Lookup, Space, discard};
use crate::effects::EventClass;
use crate::error::CommandError;
use store::{Entry, Item, NewString, Object, Spot, StringValue};

/// Where a string is or may be put, whatever is there now.
///
/// Reading it finds values of other types; putting a string replaces them. A slot is for one change, which
/// [`StringSlot::commit`] or [`StringSlot::delete`] ends.
#[derive(Debug)]
pub struct StringSlot<'s, 'a> {
    space: &'s mut Space<'a>,
    key: &'s [u8],
    hash: u64,
    spot: Option<Spot>,
}

impl<'s, 'a> StringSlot<'s, 'a> {
    #[inline]
    pub(super) fn find(space: &'s mut Space<'a>, key: &'s [u8], lookup: Lookup) -> Self {
        let hash = space.seed.hash(key);
        let spot = space.live_spot_of(space.db, hash, key, lookup);
        Self {
            space,
            key,
            hash,
            spot,
        }
    }

    /// Whether the key exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.spot.is_some()
    }

    /// The entry of the key.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry<Object>> {
        let keys = self.space.shards.of_key(self.key).db(self.space.db);
        self.spot.map(|spot| keys.at(spot))
    }

    /// The string; WRONGTYPE when the key holds something else.
    pub fn string(&self) -> Result<Option<Item<'_>>, CommandError> {
        text(self.entry())
    }

    /// Puts a string in place of whatever is there (setKey).
    #[inline]
    pub fn put(&mut self, value: StringValue<'_>, expiry: Expiry) {
        let (db, now_ms) = (self.space.db, self.space.now_ms);
        let fresh = self.space.fresh_access();
        let keys = self.space.shards.of_key_mut(self.key).db_mut(db);
        let Some(spot) = self.spot else {
            let string = NewString {
                value,
                expiry: expiry.after(|| None),
                access: fresh,
            };
            return self.add(&string);
        };
        let entry = keys.at(spot);
        let string = NewString {
            value,
            expiry: expiry.after(|| entry.expiry()),
            access: entry.access(),
        };
        if let Some(replaced) = keys.overwrite(spot, self.hash, &string, now_ms) {
            discard(self.space.effects, replaced);
        }
    }

    /// Appends to the string that is there and returns its new length; `None` when there is none.
    pub fn append(&mut self, tail: &[u8]) -> Option<usize> {
        store::append_to_string(self.entry_mut()?, tail)
    }

    /// Lets `change` alter the bytes of the string, which is first lengthened with zeros to `len` bytes; a string of zeros
    /// is made where the key is absent. WRONGTYPE when the key holds something else.
    pub fn edit<R>(
        &mut self,
        len: usize,
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, CommandError> {
        if let Some(entry) = self.entry_mut() {
            return store::edit_string(entry, len, change).ok_or(CommandError::WrongType);
        }
        let mut entry = store::empty_string(self.key);
        let result = store::edit_string(&mut entry, len, change).ok_or(CommandError::WrongType)?;
        entry.set_access(self.space.fresh_access());
        let (db, now_ms) = (self.space.db, self.space.now_ms);
        let _nothing_was_there = self.space.shards.of_key_mut(self.key).db_mut(db).put(
            self.space.seed,
            self.hash,
            entry,
            now_ms,
        );
        self.announce();
        Ok(result)
    }

    /// Changes when the key expires, if it exists.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        let (db, now_ms) = (self.space.db, self.space.now_ms);
        if let Some(spot) = self.spot {
            let keys = self.space.shards.of_key_mut(self.key).db_mut(db);
            keys.set_expiry_at(spot, self.hash, expiry, now_ms);
        }
    }

    /// Deletes the key with the event `del`; whether it was there.
    pub fn delete(mut self) -> bool {
        let db = self.space.db;
        let keys = self.space.shards.of_key_mut(self.key).db_mut(db);
        let Some(gone) = self
            .spot
            .take()
            .and_then(|_| keys.delete(self.hash, self.key))
        else {
            return false;
        };
        discard(self.space.effects, gone);
        self.space.touch(db, self.key, false);
        self.space
            .effects
            .event(EventClass::GENERIC, "del", db, self.key);
        self.space.effects.dirty += 1;
        true
    }

    /// Ends a change after which the key exists: watchers and trackers are told, the event is published, `changes` are
    /// counted.
    #[inline]
    pub fn commit(self, class: EventClass, event: &'static str, changes: u64) {
        let db = self.space.db;
        self.space.touch(db, self.key, true);
        self.space.effects.event(class, event, db, self.key);
        self.space.effects.dirty += changes;
    }

    fn add(&mut self, string: &NewString<'_>) {
        let (db, now_ms) = (self.space.db, self.space.now_ms);
        self.space
            .shards
            .of_key_mut(self.key)
            .db_mut(db)
            .add_string(self.space.seed, self.hash, self.key, string, now_ms);
        self.announce();
    }

    fn announce(&mut self) {
        let db = self.space.db;
        self.space
            .effects
            .event(EventClass::NEW, "new", db, self.key);
    }

    fn entry_mut(&mut self) -> Option<&mut Entry<Object>> {
        let db = self.space.db;
        let keys = self.space.shards.of_key_mut(self.key).db_mut(db);
        self.spot.map(|spot| keys.at_mut(spot))
    }
}
