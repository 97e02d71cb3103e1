//! Walks over the keyspace (KEYS, SCAN): short steps under one lock at a time, at positions that growth does not move.
//!
//! A cursor is a shard's number and a position in its table: `position << bits | shard`. It stays below 2^53, so that
//! clients which keep cursors as floating point numbers can hold it.

use commands::{Now, Reply};
use resp::Writer;
use store::glob::matches;
use store::table::Position;
use store::{Db, Entry, HashSeed, Kind, Object, Shard};

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
    found: Vec<u8>,
    /// Where SCAN goes on; 0 at the end.
    cursor: u64,
    shard_bits: u32,
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

    /// SCAN: about `count` keys from `cursor` on. `None` when the cursor names no shard.
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
            found: Vec::new(),
            cursor: 0,
            shard_bits: 0,
        }
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
            let looked_at = self.visit(shard.db(self.db), seed, start, budget);
            seen += budget;
            let shard_done = looked_at.is_none();
            match looked_at {
                Some(next) => self.position = next,
                None => {
                    self.shard += 1;
                    self.position = Position::START;
                }
            }
            let over = usize::from(self.shard) == shards;
            let enough = self.left.as_mut().is_some_and(|left| {
                *left = left.saturating_sub(budget);
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
            if shard_done {
                return Progress::NextShard;
            }
            if seen >= STEP_ELEMENTS
                || clock().monotonic_ns.saturating_sub(start.monotonic_ns) > STEP_NS
            {
                return Progress::Pause;
            }
        }
    }

    /// Looks at `budget` keys of the table from the walk's position on; where to go on, `None` at the table's end.
    fn visit(&mut self, db: &Db, seed: HashSeed, now: Now, budget: usize) -> Option<Position> {
        let (filter, found, count) = (&self.filter, &mut self.found, &mut self.count);
        db.table().scan(seed, self.position, budget, |entry| {
            if filter.passes(entry, now.ms()) {
                *count += 1;
                encode_bulk(found, entry.key());
            }
        })
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
    pub(crate) fn finish(&self, out: &mut Writer<'_>) -> Reply {
        if self.left.is_some() {
            out.array(2);
            out.bulk_integer(i64::try_from(self.cursor).unwrap_or(i64::MAX));
        }
        out.array(self.count);
        out.encoded(&self.found);
        Reply::Written
    }
}

impl Filter {
    fn passes(&self, entry: &Entry<Object>, now_ms: i64) -> bool {
        !self.nothing
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| matches(pattern, entry.key()))
            && self.kind.is_none_or(|kind| store::kind_of(entry) == kind)
            && entry.expiry().is_none_or(|deadline| deadline >= now_ms)
    }
}

fn encode_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    out.extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
