//! The keys of a command that writes.

use super::guard::Slot;
use super::read::{ReadSpace, text, typed};
use super::string::StringSlot;
use super::{Lookup, OnExpired, Space, Value, discard};
use crate::effects::{Effects, EventClass};
use crate::error::CommandError;
use store::{Entry, Item, Object, object_of};

/// The keys of a command that writes.
#[derive(Debug)]
pub struct WriteSpace<'a>(pub(super) Space<'a>);

/// What happens to a key's time to live when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It loses any.
    None,
    /// It keeps the one it has.
    Keep,
    /// It expires at this Unix time in milliseconds.
    At(i64),
}

impl<'a> WriteSpace<'a> {
    /// A writing view of `space`.
    #[must_use]
    pub fn new(space: Space<'a>) -> Self {
        Self(space)
    }

    /// The database of the call.
    #[must_use]
    pub fn db(&self) -> u16 {
        self.0.db
    }

    /// Works in another database from here on (MOVE, COPY DB); the shards held cover all databases.
    pub fn switch_db(&mut self, db: u16) {
        self.0.db = db;
    }

    /// The time, in Unix milliseconds, by which fields of hashes have expired or not.
    #[must_use]
    pub fn field_now(&self) -> i64 {
        self.0.field_now()
    }

    /// The time, in Unix milliseconds, up to which a deadline that a call gives is one in the past, so that what it is given
    /// to goes at once: none is where the primary says when something goes (checkAlreadyExpired, Redis 7.2).
    #[must_use]
    pub fn past(&self) -> i64 {
        self.0.field_now()
    }

    /// Whether the call is the primary's or a file's, which is carried out as it stands (mustObeyClient, Redis 7.2).
    #[must_use]
    pub fn is_obeyed(&self) -> bool {
        self.0.on_expired == OnExpired::Ignore
    }

    /// The effects of the call.
    pub fn effects(&mut self) -> &mut Effects {
        self.0.effects
    }

    /// The same keys as a command that only reads sees them: for the part of a command that reads its sources before it
    /// stores what it made of them.
    pub fn reading(&mut self) -> ReadSpace<'_> {
        ReadSpace::new(self.0.again())
    }

    /// The entry of `key` (lookupKeyWrite): an expired one is gone after this.
    pub fn find(&mut self, key: &[u8]) -> Option<&Entry<Object>> {
        let db = self.0.db;
        self.0.live(db, key, Lookup::Write)
    }

    /// The entry of `key`, counted as a hit or miss as a reading command's is (lookupKeyRead), for commands such as
    /// SINTERSTORE that read some of their keys.
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry<Object>> {
        let db = self.0.db;
        self.0.live(db, key, Lookup::Read)
    }

    /// The entry of `key`, without a trace of the lookup.
    #[must_use]
    pub fn peek(&self, key: &[u8]) -> Option<&Entry<Object>> {
        self.0.peek(self.0.db, key)
    }

    /// The value of `key` when it is of type `T`, without a trace of the lookup; see `ReadSpace::peek_value`.
    pub fn peek_value<T: Value>(&self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        typed(self.peek(key))
    }

    /// The value of `key` when it is of type `T`, looked up as a reading command does.
    pub fn read_value<T: Value>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        typed(self.read(key))
    }

    /// The string at `key`, looked up as a writing command does; WRONGTYPE when it is something else.
    pub fn string(&mut self, key: &[u8]) -> Result<Option<Item<'_>>, CommandError> {
        text(self.find(key))
    }

    /// The slot of `key` for a value of type `T`, empty or filled; WRONGTYPE when it holds another type.
    pub fn entry<'s, T: Value>(
        &'s mut self,
        key: &'s [u8],
    ) -> Result<Slot<'s, 'a, T>, CommandError> {
        let db = self.0.db;
        let spot = self.0.live_spot(db, key, Lookup::Write);
        let mut volatile = false;
        if let Some(spot) = spot {
            let value = object_of(self.0.shards.of_key(key).db(db).at(spot)).and_then(T::of);
            volatile = value.ok_or(CommandError::WrongType)?.has_volatile();
        }
        Ok(Slot::new(&mut self.0, key, spot, volatile))
    }

    /// The slot of a string at `key`, looked up as a writing command does: whatever the key holds.
    #[inline]
    pub fn string_slot<'s>(&'s mut self, key: &'s [u8]) -> StringSlot<'s, 'a> {
        StringSlot::find(&mut self.0, key, Lookup::Write)
    }

    /// As [`WriteSpace::string_slot`], counted as a hit or miss as a reading command's lookup is (SET with GET, GETSET).
    #[inline]
    pub fn read_string_slot<'s>(&'s mut self, key: &'s [u8]) -> StringSlot<'s, 'a> {
        StringSlot::find(&mut self.0, key, Lookup::Read)
    }

    /// Puts `object` at `key` in place of whatever is there.
    pub fn put_object(&mut self, key: &[u8], object: Object, expiry: Expiry) {
        let (db, now_ms) = (self.0.db, self.0.now_ms);
        let hash = self.0.seed.hash(key);
        let keys = self.0.shards.of_key_mut(key).db_mut(db);
        let expiry = expiry.after(|| keys.expiry_of(hash, key, now_ms));
        let mut entry = store::entry_of_object(key, object, expiry);
        entry.set_access(self.0.fresh_access());
        self.put_entry(entry);
    }

    /// Puts an entry made elsewhere (RENAME, COPY) at its key in place of whatever is there.
    pub fn put_entry(&mut self, entry: Entry<Object>) {
        let key = Box::<[u8]>::from(entry.key());
        let (db, now_ms, seed) = (self.0.db, self.0.now_ms, self.0.seed);
        let hash = seed.hash(&key);
        match self
            .0
            .shards
            .of_key_mut(&key)
            .db_mut(db)
            .put(seed, hash, entry, now_ms)
        {
            Some(replaced) => discard(self.0.effects, replaced),
            None => self.event(&key, EventClass::NEW, "new"),
        }
    }

    /// Changes when `key` expires; the key must exist.
    pub fn set_expiry(&mut self, key: &[u8], expiry: Option<i64>) {
        let (db, now_ms) = (self.0.db, self.0.now_ms);
        let hash = self.0.seed.hash(key);
        self.0
            .shards
            .of_key_mut(key)
            .db_mut(db)
            .set_expiry(hash, key, expiry, now_ms);
    }

    /// Takes the entry of `key` out, to be put elsewhere by [`WriteSpace::put_entry`]. Neither event nor dirty count: see
    /// [`WriteSpace::commit`].
    pub fn take(&mut self, key: &[u8]) -> Option<Entry<Object>> {
        let (db, hash) = (self.0.db, self.0.seed.hash(key));
        self.0.live_spot_of(db, hash, key, Lookup::Write)?;
        self.0.shards.of_key_mut(key).db_mut(db).take(hash, key)
    }

    /// Deletes `key`; whether it was there. Big values are freed in the background. Neither event nor dirty count: see
    /// [`WriteSpace::commit`].
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let (db, hash) = (self.0.db, self.0.seed.hash(key));
        if self.0.live_spot_of(db, hash, key, Lookup::Write).is_none() {
            return false;
        }
        let gone = self.0.shards.of_key_mut(key).db_mut(db).delete(hash, key);
        let Some(gone) = gone else {
            return false;
        };
        discard(self.0.effects, gone);
        true
    }

    /// Ends a change of `key`: watchers and trackers are told, the event is published, `changes` are counted.
    pub fn commit(&mut self, key: &[u8], class: EventClass, event: &'static str, changes: u64) {
        self.touch(key);
        self.event(key, class, event);
        self.0.effects.dirty += changes;
    }

    /// Tells those who watch or track `key` that it has changed (signalModifiedKey).
    pub fn touch(&mut self, key: &[u8]) {
        let db = self.0.db;
        let is_watched = !self.0.shards.of_key(key).watchers.is_empty();
        let exists = is_watched && self.0.peek(db, key).is_some();
        self.0.touch(db, key, exists);
    }

    /// Lets those who wait for `key` look at it again, although it has not changed for those who watch it.
    pub fn wake(&mut self, key: &[u8]) {
        let db = self.0.db;
        self.0.wake(db, key);
    }

    /// Publishes a keyspace event of `key`.
    pub fn event(&mut self, key: &[u8], class: EventClass, event: &'static str) {
        let db = self.0.db;
        self.0.effects.event(class, event, db, key);
    }
}

impl Expiry {
    /// The deadline of a key whose deadline is `current` now.
    pub(super) fn after(self, current: impl FnOnce() -> Option<i64>) -> Option<i64> {
        match self {
            Self::None => None,
            Self::Keep => current(),
            Self::At(deadline) => Some(deadline),
        }
    }
}
