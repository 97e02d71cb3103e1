//! Bringing near the processor what a pipelined batch is going to look up, before it runs.
//!
//! A lookup in a large keyspace waits for memory twice: for the bucket, then for the entry that the bucket names. The keys of
//! calls that lie in the buffer already are known beforehand, so the waits of a whole batch can pass at the same time.

use super::Executor;
use smallvec::SmallVec;

/// Calls of a batch whose keys are looked at ahead.
pub const PREFETCH_MAX: usize = 16;

/// Keys of a shard's database below which everything is near the processor anyway.
const KEYS_MIN: usize = 256;

impl Executor {
    /// Prepares lookups of `keys` in database `db`. A hint: it changes nothing, and passes over a shard that is busy.
    pub fn prefetch<'k>(&self, db: u16, keys: impl Iterator<Item = &'k [u8]>) {
        let Self { engine, .. } = self;
        let mut wanted: SmallVec<[(u16, u64); PREFETCH_MAX]> = SmallVec::new();
        for key in keys {
            let (shard, hash) = (engine.locks.shard_of(key), engine.seed.hash(key));
            let is_large = engine.locks.glance(shard, |shard| {
                let keys = shard.db(db);
                keys.prefetch_bucket(hash);
                keys.len() >= KEYS_MIN
            });
            match is_large {
                Some(true) => wanted.push((shard, hash)),
                Some(false) => return,
                None => {}
            }
        }
        for (shard, hash) in wanted {
            engine
                .locks
                .glance(shard, |shard| shard.db(db).prefetch_entry(hash));
        }
    }
}
