//! The keys that a call may touch: lookups that notice expired keys, and guards that commit changes.

mod guard;
mod read;
mod string;
mod write;

pub use guard::{Guard, Slot};
pub use read::ReadSpace;
pub use string::StringSlot;
pub use write::{Expiry, WriteSpace};

use crate::effects::{Cause, Changed, Effects, EventClass, Logged};
use bytes::Bytes;
use store::{
    ALL_LIVE, AccessPolicy, Entry, Gone, Hash, HashSeed, List, Object, Set, Shard, Spot, Stream,
    ZSet, is_expired, object_of,
};

/// The shards that a call holds.
pub enum Shards<'a> {
    /// One shard, to which all the call's keys belong.
    One(&'a mut Shard),
    /// Several; the holder finds the one of a key.
    Many(&'a mut (dyn ManyShards + 'a)),
}

/// Several held shards.
pub trait ManyShards {
    /// The shard of `key`, which the call holds.
    fn of_key(&self, key: &[u8]) -> &Shard;
    /// The shard of `key`, to be changed.
    fn of_key_mut(&mut self, key: &[u8]) -> &mut Shard;
}

/// What a lookup does with a key whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExpired {
    /// Delete it, publish `expired`, and log the deletion.
    Delete,
    /// Take it as it is: the primary, whose clock counts, says when it goes.
    Ignore,
    /// Treat it as absent but keep it: in commands that read, on a replica and while writes are paused. A command that
    /// writes deletes it, for it may be about to put something in its place.
    Hide,
}

/// What [`ReadSpace`] and [`WriteSpace`] share.
pub struct Space<'a> {
    /// The shards held.
    pub shards: Shards<'a>,
    /// The database that the call works in.
    pub db: u16,
    /// Seed of the key hash.
    pub seed: HashSeed,
    /// The instant of the call in Unix milliseconds.
    pub now_ms: i64,
    /// How access times are kept.
    pub access: AccessPolicy,
    /// Lookups leave access times as they are (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// What happens to expired keys.
    pub on_expired: OnExpired,
    /// `lazyfree-lazy-expire`: the log gets UNLINK instead of DEL.
    pub lazy_expire: bool,
    /// What the call does beside its reply.
    pub effects: &'a mut Effects,
    /// Random bits for the access counters.
    pub chance: u64,
}

/// A type of value that a key can hold, other than a string.
pub trait Value: Sized {
    /// The class of its keyspace events.
    const CLASS: EventClass;
    /// The value inside `object`, when it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The value inside `object`, to be changed.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// A new, empty value as an object.
    fn empty() -> Object;
    /// Whether it has no element left and its key must go for that. A stream's key stays.
    fn vanishes(&self) -> bool;
    /// Whether some of its elements have deadlines of their own, which the shard has to know of.
    fn has_volatile(&self) -> bool {
        false
    }
}

macro_rules! values {
    ($($type:ident, $class:ident $(, $has_volatile:item)?;)*) => {$(
        impl Value for $type {
            const CLASS: EventClass = EventClass::$class;

            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$type(value) => Some(value),
                    _ => None,
                }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                match object {
                    Object::$type(value) => Some(value),
                    _ => None,
                }
            }

            fn empty() -> Object {
                Object::$type(Self::new())
            }

            fn vanishes(&self) -> bool {
                self.len() == 0
            }

            $($has_volatile)?
        }
    )*};
}

values! {
    List, LIST;
    Set, SET;
    Hash, HASH, fn has_volatile(&self) -> bool { self.volatile() > 0 };
    ZSet, ZSET;
}

impl Value for Stream {
    const CLASS: EventClass = EventClass::STREAM;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Stream(stream) => Some(&**stream),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Stream(stream) => Some(&mut **stream),
            _ => None,
        }
    }

    fn empty() -> Object {
        Object::Stream(Box::default())
    }

    fn vanishes(&self) -> bool {
        false
    }
}

/// What a lookup leaves behind: hits and misses counted, an event for a miss, the time of access (lookupKey, Redis 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// A reading command's: counted, a miss is an event, and the access is noted (lookupKeyRead).
    Read,
    /// As [`Lookup::Read`], but the access is not noted: EXISTS, TYPE, TTL (LOOKUP_NOTOUCH).
    Glance,
    /// Counted only: OBJECT (LOOKUP_NOTOUCH and LOOKUP_NONOTIFY).
    Inspect,
    /// As [`Lookup::Read`], and the access is noted whatever CLIENT NO-TOUCH says: TOUCH.
    Touch,
    /// A writing command's: the access is noted, nothing is counted (lookupKeyWrite).
    Write,
}

impl Lookup {
    fn is_counted(self) -> bool {
        self != Self::Write
    }

    fn announces_miss(self) -> bool {
        !matches!(self, Self::Write | Self::Inspect)
    }

    fn notes_access(self, no_touch: bool) -> bool {
        match self {
            Self::Touch => true,
            Self::Read | Self::Write => !no_touch,
            Self::Glance | Self::Inspect => false,
        }
    }
}

impl<'a> Shards<'a> {
    fn of_key(&self, key: &[u8]) -> &Shard {
        match self {
            Self::One(shard) => shard,
            Self::Many(many) => many.of_key(key),
        }
    }

    fn of_key_mut(&mut self, key: &[u8]) -> &mut Shard {
        match self {
            Self::One(shard) => shard,
            Self::Many(many) => many.of_key_mut(key),
        }
    }
}

impl Space<'_> {
    /// The same space, for as long as this one is lent.
    fn again(&mut self) -> Space<'_> {
        Space {
            shards: match &mut self.shards {
                Shards::One(shard) => Shards::One(shard),
                Shards::Many(many) => Shards::Many(&mut **many),
            },
            db: self.db,
            seed: self.seed,
            now_ms: self.now_ms,
            access: self.access,
            no_touch: self.no_touch,
            on_expired: self.on_expired,
            lazy_expire: self.lazy_expire,
            effects: self.effects,
            chance: self.chance,
        }
    }

    /// The living entry of `key`: an expired one is deleted or hidden, as [`OnExpired`] says.
    #[inline]
    pub(crate) fn live(&mut self, db: u16, key: &[u8], lookup: Lookup) -> Option<&Entry<Object>> {
        let spot = self.live_spot(db, key, lookup)?;
        Some(self.shards.of_key(key).db(db).at(spot))
    }

    /// As [`Space::live`], the place of the entry.
    #[inline]
    pub(crate) fn live_spot(&mut self, db: u16, key: &[u8], lookup: Lookup) -> Option<Spot> {
        self.live_spot_of(db, self.seed.hash(key), key, lookup)
    }

    /// As [`Space::live_spot`], by a hash computed before.
    #[inline]
    pub(crate) fn live_spot_of(
        &mut self,
        db: u16,
        hash: u64,
        key: &[u8],
        lookup: Lookup,
    ) -> Option<Spot> {
        let keys = self.shards.of_key_mut(key).db_mut(db);
        let spot = keys.locate(hash, key);
        let expired = spot.is_some_and(|spot| is_expired(keys.at(spot), self.now_ms))
            && self.on_expired != OnExpired::Ignore;
        if expired && self.on_expired == OnExpired::Delete {
            self.expire(db, hash, key);
        }
        let Some(spot) = spot.filter(|_| !expired) else {
            if lookup.announces_miss() {
                self.effects.event(EventClass::KEY_MISS, "keymiss", db, key);
            }
            self.effects.misses += u64::from(lookup.is_counted());
            return None;
        };
        self.effects.hits += u64::from(lookup.is_counted());
        if lookup.notes_access(self.no_touch) {
            let (policy, now_ms, chance) = (self.access, self.now_ms, self.chance);
            let keys = self.shards.of_key_mut(key).db_mut(db);
            keys.note_access(spot, |access| policy.touched(access, now_ms, chance));
        }
        Some(spot)
    }

    /// Deletes `key` if its time is over and expired keys are deleted now; whether it was deleted.
    pub fn remove_expired(&mut self, key: &[u8]) -> bool {
        let (db, hash) = (self.db, self.seed.hash(key));
        let entry = self.shards.of_key(key).db(db).get(hash, key);
        let expired = entry.is_some_and(|entry| is_expired(entry, self.now_ms));
        let deleted = expired && self.on_expired == OnExpired::Delete;
        if deleted {
            self.expire(db, hash, key);
        }
        deleted
    }

    /// Looks at up to `budget` due fields of the hash at `key` and removes those whose deadline has passed, if what has expired is deleted now, and the
    /// key with the last field; how many there were (dbReclaimExpiredFields, Valkey 9).
    pub fn expire_fields(&mut self, key: &[u8], budget: usize) -> usize {
        let (db, hash, now_ms) = (self.db, self.seed.hash(key), self.now_ms);
        if self.on_expired != OnExpired::Delete {
            return 0;
        }
        let (logs, mut fields) = (self.effects.audience.log, Vec::new());
        let keys = self.shards.of_key_mut(key).db_mut(db);
        let Some(spot) = keys.locate(hash, key) else {
            return 0;
        };
        let count = keys.expire_fields(spot, hash, now_ms, budget, |field| {
            if logs {
                fields.push(Bytes::copy_from_slice(field));
            }
        });
        if count == 0 {
            return 0;
        }
        let emptied = store::cardinality(keys.at(spot)) == 0;
        if emptied && let Some(gone) = keys.delete(hash, key) {
            discard(self.effects, gone);
        }
        self.effects.expired_fields += count as u64;
        if logs {
            let mut words = vec![Bytes::from_static(b"HDEL"), Bytes::copy_from_slice(key)];
            words.append(&mut fields);
            self.effects.log_before.push(Logged { db, words });
        }
        self.effects.event(EventClass::HASH, "hexpired", db, key);
        if emptied {
            self.effects.event(EventClass::GENERIC, "del", db, key);
        }
        self.touch_because(Cause::Server, db, key, !emptied);
        count
    }

    /// The time, in Unix milliseconds, by which fields of hashes have expired or not: none has where the primary says when they go.
    fn field_now(&self) -> i64 {
        match self.on_expired {
            OnExpired::Ignore => ALL_LIVE,
            OnExpired::Delete | OnExpired::Hide => self.now_ms,
        }
    }

    /// The access field of an entry made now.
    pub(crate) fn fresh_access(&self) -> u32 {
        self.access.fresh(self.now_ms)
    }

    /// The living entry of `key`, without a trace of the lookup.
    pub(crate) fn peek(&self, db: u16, key: &[u8]) -> Option<&Entry<Object>> {
        let keys = self.shards.of_key(key).db(db);
        let entry = keys.at(keys.locate(self.seed.hash(key), key)?);
        (!is_expired(entry, self.now_ms) || self.on_expired == OnExpired::Ignore).then_some(entry)
    }

    /// Deletes an expired key: deleteExpiredKeyAndPropagate, Redis 7.2.
    fn expire(&mut self, db: u16, hash: u64, key: &[u8]) {
        if let Some(gone) = self.shards.of_key_mut(key).db_mut(db).delete(hash, key) {
            discard(self.effects, gone);
        }
        self.effects.expired += 1;
        self.touch_because(Cause::Server, db, key, false);
        self.effects.event(EventClass::EXPIRED, "expired", db, key);
        self.log_deletion(db, key, self.lazy_expire);
    }

    /// Deletes `key`, expired or not, to make room; about how many bytes it took, `None` when it was not there. `lazy` as
    /// `lazyfree-lazy-eviction` says (performEvictions, Redis 7.2).
    pub fn evict(&mut self, key: &[u8], lazy: bool) -> Option<usize> {
        let (db, hash) = (self.db, self.seed.hash(key));
        let keys = self.shards.of_key_mut(key).db_mut(db);
        let entry = keys.get(hash, key)?;
        let value = object_of(entry).map_or(0, |object| object.memory(SIZE_SAMPLES));
        let bytes = entry.memory() + value;
        let gone = keys.delete(hash, key)?;
        discard(self.effects, gone);
        self.effects.evicted += 1;
        self.touch_because(Cause::Server, db, key, false);
        self.effects.event(EventClass::EVICTED, "evicted", db, key);
        self.log_deletion(db, key, lazy);
        Some(bytes)
    }

    /// Has the log delete a key that went without a command to delete it.
    fn log_deletion(&mut self, db: u16, key: &[u8], lazy: bool) {
        if self.effects.audience.log {
            let word: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
            let words = vec![Bytes::copy_from_slice(word), Bytes::copy_from_slice(key)];
            self.effects.log_before.push(Logged { db, words });
        }
    }

    /// Tells the shard what became of the volatile elements of the value at `key`, which is at `spot`.
    fn note_fields(&mut self, key: &[u8], spot: Spot, had_volatile: bool) {
        let (db, hash) = (self.db, self.seed.hash(key));
        let keys = self.shards.of_key_mut(key).db_mut(db);
        keys.note_fields(spot, hash, had_volatile);
    }

    /// Tells those who watch or track `key` that it has changed (signalModifiedKey).
    fn touch(&mut self, db: u16, key: &[u8], exists: bool) {
        self.touch_because(Cause::Call, db, key, exists);
    }

    fn touch_because(&mut self, cause: Cause, db: u16, key: &[u8], exists: bool) {
        let shard = self.shards.of_key_mut(key);
        if !shard.watchers.is_empty() {
            shard.watchers.touch(db, key, exists);
        }
        if self.effects.audience.changes {
            let key = Bytes::copy_from_slice(key);
            self.effects.changed.push(Changed { key, cause });
        }
        self.wake(db, key);
    }

    /// Lets those who wait for `key` look at it again (signalKeyAsReady).
    fn wake(&mut self, db: u16, key: &[u8]) {
        let shard = self.shards.of_key(key);
        if !shard.waiters.is_empty() && shard.waiters.wait_for(db, key) {
            self.effects.ready.push((db, Bytes::copy_from_slice(key)));
        }
    }
}

/// Elements from which the size of a value is estimated.
const SIZE_SAMPLES: usize = 5;

/// Hands a value that may take long to free to the background; small ones are freed at once.
fn discard(effects: &mut Effects, gone: Gone) {
    if let Some(object) = gone.into_object() {
        effects.discard(object);
    }
}

impl std::fmt::Debug for Space<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space")
            .field("db", &self.db)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}
