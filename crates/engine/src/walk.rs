//! Walks over the keyspace (KEYS, SCAN): short steps under one lock at a time, at positions that growth does not move.
//!
//! A cursor is a shard's number and a position in its table: `position << bits | shard`. It stays below 2^53, so that
//! clients which keep cursors as floating point numbers can hold it.

use commands::{Now, Reply};
use resp::{Output, Proto, Writer};
use store::glob::matches;
use store::table::Position;
use store::{Db, Entry, HashSeed, Kind, Object, Shard, is_expired};

/// A walk over the keys of one database.
#[derive(Debug)]
pub struct Walk {
    db: u16,
    filter: Filter,
    /// Shard that the walk is at.
    shard: u16,
    position: Position,
    /// How many more elements SCAN looks at; `None` for KEYS, which looks at all of them.
    left: Option<usize>,
    count: usize,
    /// The keys found, encoded; bulk strings are alike in both versions of RESP.
    found: Output,
    /// Where SCAN goes on; 0 at the end.
    cursor: u64,
    shard_bits: u32,
    traces: Traces,
}

/// What a walk leaves behind beside its reply. The shards are still held when the engine carries it out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Keys met whose time is over. SCAN deletes them; KEYS does not.
    pub(crate) expired: Vec<Box<[u8]>>,
    /// Living keys whose type was looked up for SCAN's TYPE option, which counts (scanGenericCommand, Redis 7.2).
    pub(crate) hits: u64,
    /// Expired keys whose type was looked up.
    pub(crate) misses: u64,
}

/// Which keys a walk reports.
#[derive(Debug, Default)]
pub struct Filter {
    /// MATCH; `None` for every key.
    pub pattern: Option<Box<[u8]>>,
    /// TYPE.
    pub kind: Option<Kind>,
    /// A TYPE that no key has: nothing is reported.
    pub nothing: bool,
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The walk is over, or has looked at what it was asked to.
    Finished,
    /// This shard is done; the next one is to be locked.
    NextShard,
    /// The step's time is up.
    Pause,
}

/// Elements after which a step looks at the clock.
const CHUNK: usize = 64;
/// Nanoseconds that a step may hold a shard.
const STEP_NS: u64 = 100_000;
/// Elements that a step may look at.
const STEP_ELEMENTS: usize = 4096;

impl Walk {
    /// KEYS: every key of `db` that passes `filter`.
    #[must_use]
    pub fn keys(db: u16, filter: Filter) -> Self {
        Self::new(db, filter, None)
    }

    /// SCAN: about `count` keys from `cursor` on.
    #[must_use]
    pub fn scan(db: u16, filter: Filter, cursor: u64, count: usize, shards: usize) -> Self {
        let shard_bits = shards.trailing_zeros();
        let mut walk = Self::new(db, filter, Some(count));
        walk.shard = (cursor & (shards as u64 - 1)) as u16;
        walk.position = Position::from_bits(cursor >> shard_bits);
        walk.shard_bits = shard_bits;
        walk
    }

    fn new(db: u16, filter: Filter, left: Option<usize>) -> Self {
        Self {
            db,
            filter,
            shard: 0,
            position: Position::START,
            left,
            count: 0,
            found: Output::default(),
            cursor: 0,
            shard_bits: 0,
            traces: Traces::default(),
        }
    }

    /// The database that the walk is in.
    pub(crate) fn db(&self) -> u16 {
        self.db
    }

    /// What the walk left behind since the last time.
    pub(crate) fn take_traces(&mut self) -> Traces {
        std::mem::take(&mut self.traces)
    }

    /// The shard that the next step needs.
    pub(crate) fn shard(&self) -> u16 {
        self.shard
    }

    /// Looks at keys of the shard the walk is at until the shard, the walk or the step ends.
    pub(crate) fn step(
        &mut self,
        shard: &Shard,
        seed: HashSeed,
        start: Now,
        shards: usize,
        clock: &dyn Fn() -> Now,
    ) -> Progress {
        let mut seen = 0;
        loop {
            let budget = self.left.map_or(CHUNK, |left| left.min(CHUNK));
            let (looked_at, next) = self.visit(shard.db(self.db), seed, start, budget);
            seen += looked_at.max(1);
            match next {
                Some(next) => self.position = next,
                None => {
                    self.shard += 1;
                    self.position = Position::START;
                }
            }
            let over = usize::from(self.shard) == shards;
            // Only keys are counted, so that many empty shards do not make many replies without a key.
            let enough = self.left.as_mut().is_some_and(|left| {
                *left = left.saturating_sub(looked_at);
                *left == 0
            });
            if over || enough {
                self.cursor = if over {
                    0
                } else {
                    self.position.bits() << self.shard_bits | u64::from(self.shard)
                };
                return Progress::Finished;
            }
            if next.is_none() {
                return Progress::NextShard;
            }
            if seen >= STEP_ELEMENTS
                || clock().monotonic_ns.saturating_sub(start.monotonic_ns) > STEP_NS
            {
                return Progress::Pause;
            }
        }
    }

    /// Looks at about `budget` keys of the table from the walk's position on: how many it were, and where to go on;
    /// `None` at the table's end.
    fn visit(
        &mut self,
        db: &Db,
        seed: HashSeed,
        now: Now,
        budget: usize,
    ) -> (usize, Option<Position>) {
        let mut looked_at = 0;
        let position = self.position;
        let next = db.table().scan(seed, position, budget, |entry| {
            looked_at += 1;
            if self.filter.names(entry.key()) {
                self.meet(entry, now.ms());
            }
        });
        (looked_at, next)
    }

    /// Reports a key that MATCH lets pass, if it is alive and of the right type.
    fn meet(&mut self, entry: &Entry<Object>, now_ms: i64) {
        let (filter, is_scan) = (&self.filter, self.left.is_some());
        let expired = is_expired(entry, now_ms);
        if filter.looks_at_type() {
            self.traces.hits += u64::from(!expired);
            self.traces.misses += u64::from(expired);
        }
        if !expired && filter.admits_type(entry) {
            self.count += 1;
            Writer::new(&mut self.found, Proto::Resp2).bulk(entry.key());
        } else if expired && is_scan {
            self.traces.expired.push(entry.key().into());
        }
    }

    /// Runs to the end with every shard held (inside EXEC).
    pub(crate) fn run(&mut self, shards: &[(u16, &mut Shard)], seed: HashSeed, now: Now) {
        while let Some((_, shard)) = shards.get(usize::from(self.shard)) {
            if self.step(shard, seed, now, shards.len(), &|| now) == Progress::Finished {
                return;
            }
        }
    }

    /// Writes the reply: KEYS' array, or SCAN's cursor and array.
    pub(crate) fn finish(&mut self, out: &mut Writer<'_>) -> Reply {
        if self.left.is_some() {
            out.array(2);
            out.bulk_integer(i64::try_from(self.cursor).unwrap_or(i64::MAX));
        }
        out.array(self.count);
        out.out.append(&mut self.found);
        Reply::Written
    }
}

impl Filter {
    fn names(&self, key: &[u8]) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| matches(pattern, key))
    }

    fn looks_at_type(&self) -> bool {
        self.nothing || self.kind.is_some()
    }

    fn admits_type(&self, entry: &Entry<Object>) -> bool {
        !self.nothing && self.kind.is_none_or(|kind| store::kind_of(entry) == kind)
    }
}
