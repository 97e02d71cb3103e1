//! What a call did beside its reply, as plain data that the engine carries out.

use crate::handler::Reply;
use bitflags::bitflags;
use bytes::Bytes;
use smallvec::SmallVec;
use store::{Kind, Object};

bitflags! {
    /// Classes of keyspace events (notify-keyspace-events, Redis 7.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct EventClass: u32 {
        /// `K`: publish on `__keyspace@<db>__:<key>`.
        const KEYSPACE = 1;
        /// `E`: publish on `__keyevent@<db>__:<event>`.
        const KEYEVENT = 1 << 1;
        /// `g`: DEL, EXPIRE, RENAME and other generic commands.
        const GENERIC = 1 << 2;
        /// `$`: strings.
        const STRING = 1 << 3;
        /// `l`: lists.
        const LIST = 1 << 4;
        /// `s`: sets.
        const SET = 1 << 5;
        /// `h`: hashes.
        const HASH = 1 << 6;
        /// `z`: sorted sets.
        const ZSET = 1 << 7;
        /// `x`: keys that expired.
        const EXPIRED = 1 << 8;
        /// `e`: keys that were evicted.
        const EVICTED = 1 << 9;
        /// `t`: streams.
        const STREAM = 1 << 10;
        /// `m`: misses of reads.
        const KEY_MISS = 1 << 11;
        /// `d`: events of modules.
        const MODULE = 1 << 12;
        /// `n`: new keys.
        const NEW = 1 << 13;
    }
}

/// One keyspace event, in the order in which Redis would publish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// The class that notify-keyspace-events must name.
    pub class: EventClass,
    /// The event's name.
    pub name: &'static str,
    /// The key.
    pub key: Bytes,
    /// The key's database.
    pub db: u16,
}

/// A command for the log in place of, or beside, the client's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The database it is to run in.
    pub db: u16,
    /// The words.
    pub words: Vec<Bytes>,
}

/// What somebody listens to just now. Nothing else is recorded, so that effects without an audience cost nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audience {
    /// Classes of keyspace events that are published.
    pub events: EventClass,
    /// Whether the replication log is being written.
    pub log: bool,
    /// Whether changed keys are reported (client-side caching).
    pub changes: bool,
    /// Whether replies wait until what they reveal is in the append-only file.
    pub gated: bool,
}

impl Audience {
    /// Whether anybody is to be told of what a call has done.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !self.events.is_empty() | self.log | self.changes
    }
}

/// A key that changed, as those who track it are told: of whichever database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The key.
    pub key: Bytes,
    /// Why it changed.
    pub cause: Cause,
}

/// Why a key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The call changed it.
    Call,
    /// Its time was over, or memory was short: nobody's change.
    Server,
}

/// What a call waits for that found nothing (BLPOP and its siblings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOn {
    /// The keys, in the order in which they are looked at.
    pub keys: Vec<Bytes>,
    /// The type of value that makes one of them ready.
    pub kind: Kind,
    /// When to give up, in milliseconds from now; `None` for never.
    pub timeout_ms: Option<i64>,
    /// What is answered then, and where blocking is not allowed.
    pub otherwise: Reply,
    /// Whether the deletion of a key ends the wait too (XREADGROUP: its group is gone).
    pub on_deletion: bool,
    /// Words to be replaced before the call is run again, by position (XREAD: `$` means the end as it was at first).
    pub rewritten: Vec<(usize, Bytes)>,
}

impl BlockOn {
    /// Waits until one of `keys` holds a value of `kind`; null array at the end of the timeout.
    pub(crate) fn keys(kind: Kind, keys: &[&[u8]], timeout_ms: Option<i64>) -> Self {
        Self {
            keys: keys.iter().map(|key| Bytes::copy_from_slice(key)).collect(),
            kind,
            timeout_ms,
            otherwise: Reply::NilArray,
            on_deletion: false,
            rewritten: Vec::new(),
        }
    }
}

/// What a call did beside its reply.
#[derive(Debug, Default)]
pub struct Effects {
    /// Who listens.
    pub audience: Audience,
    /// The database of the call.
    pub db: u16,
    /// How many changes were made, as `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
    /// Keyspace events in order.
    pub events: Vec<KeyEvent>,
    /// Keys that changed, in order (recorded for `Audience::changes`).
    pub changed: Vec<Changed>,
    /// Whole databases were emptied.
    pub flushed: bool,
    /// Deletions of expired keys, which precede the call's own words in the log.
    pub log_before: Vec<Logged>,
    /// The call's own words go into the log although it may have changed nothing (forceCommandPropagation).
    pub log_anyway: bool,
    /// What the log gets in place of the call's own words.
    pub log_instead: Option<SmallVec<[Logged; 1]>>,
    /// Values whose freeing may take long; they are dropped off the worker.
    pub garbage: Vec<Object>,
    /// Keys that somebody waits for and that may be ready now, in the order of the changes.
    pub ready: Vec<(u16, Bytes)>,
    /// What the call waits for, when it answered [`Reply::Block`].
    pub block: Option<BlockOn>,
    /// Keys that were deleted because they had expired.
    pub expired: u64,
    /// Keys that were deleted to make room.
    pub evicted: u64,
    /// Fields of hashes that were deleted because they had expired.
    pub expired_fields: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
}

impl Effects {
    /// Makes it ready for the next call; buffers are kept, and so is garbage, which goes when the shards are free.
    pub fn reset(&mut self, audience: Audience, db: u16) {
        self.audience = audience;
        self.db = db;
        self.dirty = 0;
        self.expired = 0;
        self.evicted = 0;
        self.expired_fields = 0;
        self.hits = 0;
        self.misses = 0;
        self.log_anyway = false;
        self.flushed = false;
        self.log_instead = None;
        if !self.events.is_empty() {
            self.events.clear();
        }
        if !self.changed.is_empty() {
            self.changed.clear();
        }
        if !self.log_before.is_empty() {
            self.log_before.clear();
        }
        if !self.ready.is_empty() {
            self.ready.clear();
        }
        self.block = None;
    }

    /// Records a keyspace event of `key`.
    pub fn event(&mut self, class: EventClass, name: &'static str, db: u16, key: &[u8]) {
        if self.audience.events.intersects(class) {
            self.events.push(KeyEvent {
                class,
                name,
                key: Bytes::copy_from_slice(key),
                db,
            });
        }
    }

    /// Puts `words` into the log in place of the call's own words. Called more than once, all of them are logged in order.
    ///
    /// The words are only built when the log has readers: `words` is called then.
    pub fn log<const N: usize>(&mut self, words: impl FnOnce() -> [Bytes; N]) {
        self.log_words(|| words().into());
    }

    /// As [`Effects::log`], with words of any number.
    pub fn log_words(&mut self, words: impl FnOnce() -> Vec<Bytes>) {
        if self.audience.log {
            let (db, words) = (self.db, words());
            let logged = Logged { db, words };
            self.log_instead.get_or_insert_default().push(logged);
        }
    }

    /// Hands a value that may take long to free to the background; small ones are freed at once.
    pub fn discard(&mut self, object: Object) {
        if object.free_effort() > FREE_EFFORT_MAX {
            self.garbage.push(object);
        }
    }

    /// Keeps the call out of the log although it may have changed something.
    pub fn log_nothing(&mut self) {
        if self.audience.log {
            self.log_instead.get_or_insert_default();
        }
    }
}

/// Allocations whose freeing is not worth a hand-over (LAZYFREE_THRESHOLD, Redis 7.2).
const FREE_EFFORT_MAX: usize = 64;
