//! Eviction: keys are deleted when more memory is in use than may be, before a call takes its locks.
//!
//! 1. One key at a time, and one shard at a time; a shard that somebody has is passed over, never waited for.
//! 2. A call spends a bounded time on it (`maxmemory-eviction-tenacity`) and goes on even if that was not enough. The rest
//!    is done by the calls that follow and by [`Executor::evict_step`].
//! 3. What is large is freed in the background.

use super::log::Own;
use super::tell::Origin;
use super::{Executor, Hindrance, Local};
use crate::engine::Engine;
use crate::eviction::{Candidate, EvictionRules, Population, Rank, Relief, Sample, hash_of};
use crate::locks::{Held, ShardSet};
use bytes::Bytes;
use commands::{Now, OnExpired, Space};
use std::sync::Arc;
use store::Shard;

/// What came of an attempt to delete one key.
enum Attempt {
    /// So many bytes are free, or will be.
    Freed(u64),
    /// Shards were busy.
    Busy,
    /// There is no key that may go.
    Nothing,
}

/// Keys that are evicted between two looks at the memory in use.
const KEYS_A_LOOK: u32 = 16;
/// The most that a step on its own takes, in nanoseconds.
const STEP_NS: u64 = 500_000;
/// Shards that are sampled for one key before all are looked at.
const SHARDS_SAMPLED: usize = 4;

impl Executor {
    /// Evicts keys for half a millisecond at most, if more memory is in use than may be; whether there is more to do. To be
    /// called from time to time and, while the answer is yes, again after other work of the thread had its turn.
    pub fn evict_step(&mut self) -> bool {
        let Self { engine, local } = self;
        local.look_at_world(engine);
        if local.world.maxmemory == 0 {
            engine.eviction.note(false, || local.latest.monotonic_ns);
            return false;
        }
        if local.world.frozen || local.world.loading {
            return false;
        }
        let time_max_ns = local.world.eviction.time_max_ns().min(STEP_NS);
        local.relieve_within(engine, time_max_ns) == Relief::Partial
    }
}

impl Local {
    /// Looks at the memory in use, and evicts keys while it is above the limit and the time lasts.
    #[cold]
    pub(super) fn relieve(&mut self, engine: &Engine) -> Relief {
        self.relieve_within(engine, self.world.eviction.time_max_ns())
    }

    fn relieve_within(&mut self, engine: &Engine, time_max_ns: u64) -> Relief {
        let excess = self.excess(engine);
        if excess == 0 {
            let used = engine.host.used_memory();
            let Self {
                headroom, world, ..
            } = self;
            let eviction = &engine.eviction;
            eviction.grant(headroom, &*engine.host, used, world.maxmemory);
            engine
                .eviction
                .note(false, || engine.host.now().monotonic_ns);
            return Relief::Enough;
        }
        engine.eviction.take_back(&mut self.headroom);
        let start = engine.host.now();
        if self.world.is_replica() && self.world.replica_ignores_maxmemory {
            return Relief::Enough;
        }
        if self.world.loading || self.world.is_paused(start.ms()) {
            // As expired keys do, they stay during a pause (isSafeToPerformEvictions, Redis 7.2).
            return Relief::Enough;
        }
        let relief = self.evict(engine, start, excess, time_max_ns);
        self.note_spike(
            engine,
            "eviction-cycle",
            self.notes_spikes().then_some(start),
        );
        let is_exceeded = relief != Relief::Enough;
        engine.eviction.note(is_exceeded, || start.monotonic_ns);
        relief
    }

    /// Bytes in use above the limit. What only slow replicas keep does not count: keys that went would be told to replicas
    /// too, and so on to the last key (freeMemoryGetNotCountedMemory, Redis 7.2). Nor does what a snapshot keeps: keys that went
    /// would be kept as well.
    fn excess(&self, engine: &Engine) -> u64 {
        let max = self.world.maxmemory;
        let mut excess = engine.eviction.excess(engine.host.used_memory(), max);
        if excess > 0 && self.world.audience.log {
            let measure = || engine.eviction.excess(engine.host.used_memory(), max);
            let (beyond, measured) = engine.log.beyond_backlog(measure);
            excess = measured.saturating_sub(beyond);
        }
        if excess > 0 && self.world.snapshot {
            excess = excess.saturating_sub(engine.snapshots.waiting() as u64);
        }
        excess
    }

    fn evict(&mut self, engine: &Engine, start: Now, excess: u64, time_max_ns: u64) -> Relief {
        let rules = self.world.eviction;
        if rules.rank.is_none() {
            return self.without_relief(engine);
        }
        let (mut excess, mut freed, mut keys) = (excess, 0, 0);
        self.count_next_shard(engine);
        loop {
            match self.evict_one(engine, &rules, start) {
                Attempt::Freed(bytes) => freed += bytes,
                Attempt::Busy => return Relief::Partial,
                Attempt::Nothing => return self.without_relief(engine),
            }
            keys += 1;
            if keys % KEYS_A_LOOK == 0 {
                // Others free memory too. More than was in excess at first is not for this call: what evicting itself
                // allocates, such as messages to those who track the keys, must not make it go on.
                let left = excess.saturating_sub(freed);
                excess = left.min(self.excess(engine));
                freed = 0;
            }
            if freed >= excess {
                return Relief::Enough;
            }
            let now = engine.host.now();
            if now.monotonic_ns.saturating_sub(start.monotonic_ns) > time_max_ns {
                return Relief::Partial;
            }
        }
    }

    /// No key may go; yet something may be on its way to be freed.
    fn without_relief(&self, engine: &Engine) -> Relief {
        if engine.host.is_freeing() {
            Relief::Partial
        } else {
            Relief::None
        }
    }

    fn evict_one(&mut self, engine: &Engine, rules: &EvictionRules, now: Now) -> Attempt {
        for _ in 0..SHARDS_SAMPLED {
            let Some(shard) = engine
                .eviction
                .choose_shard(rules.population, &mut self.rng)
            else {
                break;
            };
            self.sample_shard(engine, rules, shard, now);
            if let Some(freed) = self.evict_best(engine, rules, now) {
                return Attempt::Freed(freed);
            }
        }
        let mut is_busy = false;
        for shard in 0..engine.locks.count() as u16 {
            is_busy |= !self.sample_shard(engine, rules, shard, now);
        }
        match self.evict_best(engine, rules, now) {
            Some(freed) => Attempt::Freed(freed),
            None if is_busy => Attempt::Busy,
            None => Attempt::Nothing,
        }
    }

    /// Looks for candidates in a shard; false when somebody has it.
    fn sample_shard(
        &mut self,
        engine: &Engine,
        rules: &EvictionRules,
        number: u16,
        now: Now,
    ) -> bool {
        let Some(mut held) = engine.locks.try_one(number) else {
            return false;
        };
        let mut sample = Sample::new();
        if let Some((_, shard)) = held.shards().first_mut() {
            count(engine, number, shard);
            let only = self.database_of_random(rules, shard);
            for number_of_db in 0..shard.databases() {
                let db = shard.db(number_of_db);
                if db.is_empty() || only.is_some_and(|only| only != number_of_db) {
                    continue;
                }
                let access = self.world.settings.access;
                rules.sample(
                    db,
                    access,
                    now.ms(),
                    &mut self.rng,
                    |score, trace, entry| {
                        sample.push(Candidate {
                            score,
                            hash: hash_of(engine.seed, entry),
                            trace,
                            shard: number,
                            db: number_of_db,
                        });
                    },
                );
            }
        }
        drop(held);
        if rules.rank == Some(Rank::Random) {
            // Any will do, but not the first: those are of one bucket.
            let chosen = self.rng.below(sample.len() as u64) as usize;
            sample = sample.get(chosen).copied().into_iter().collect();
        }
        engine.eviction.offer(rules.rank, &sample);
        true
    }

    /// The one database of which a key is chosen, where it is chosen at random and each is as likely; `None` for all.
    fn database_of_random(&mut self, rules: &EvictionRules, shard: &Shard) -> Option<u16> {
        if rules.rank != Some(Rank::Random) {
            return None;
        }
        let keys = |db: u16| match rules.population {
            Population::All => shard.db(db).len() as u64,
            Population::Volatile => shard.db(db).volatile() as u64,
        };
        let all = (0..shard.databases()).map(keys).sum();
        let mut at = self.rng.below(all);
        (0..shard.databases()).find(|db| {
            let is_it = at < keys(*db);
            at = at.saturating_sub(keys(*db));
            is_it
        })
    }

    /// Deletes the best candidate that is still one; how many bytes that frees.
    fn evict_best(&mut self, engine: &Engine, rules: &EvictionRules, now: Now) -> Option<u64> {
        let mut busy = Sample::new();
        let mut freed = None;
        while let Some(best) = engine.eviction.take_best() {
            match self.evict_candidate(engine, rules, &best, now) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    freed = Some(bytes);
                    break;
                }
                Err(_) => busy.push(best),
            }
        }
        if !busy.is_empty() {
            engine.eviction.offer(rules.rank, &busy);
        }
        freed
    }

    /// Deletes a candidate; `None` when it was used or has gone since it was sampled.
    fn evict_candidate(
        &mut self,
        engine: &Engine,
        rules: &EvictionRules,
        candidate: &Candidate,
        now: Now,
    ) -> Result<Option<u64>, Hindrance> {
        let number = candidate.shard;
        let mut held = engine
            .locks
            .try_one(number)
            .ok_or(Hindrance::Busy(number))?;
        let entry = held.shards().first().and_then(|(_, shard)| {
            let entry = shard
                .db(candidate.db)
                .of_hash(engine.seed, candidate.hash)?;
            (rules.trace(entry) == candidate.trace).then(|| Bytes::copy_from_slice(entry.key()))
        });
        let Some(key) = entry else {
            return Ok(None);
        };
        if held.has_waiters() {
            drop(held);
            let shards = ShardSet::one(number);
            held = self.acquire_with_waiters(engine, shards, || vec![key.clone()])?;
        }
        if held
            .world()
            .is_some_and(|world| !Arc::ptr_eq(world, &self.world))
        {
            return Err(Hindrance::Stale);
        }
        Ok(self.evict_key(engine, held, candidate.db, &key, now))
    }

    fn evict_key(
        &mut self,
        engine: &Engine,
        mut held: Held<'_>,
        db: u16,
        key: &[u8],
        now: Now,
    ) -> Option<u64> {
        let before = engine.host.thread_memory();
        self.effects.reset(self.world.audience, db);
        let lazy = self.world.eviction.lazy;
        let began = self.notes_spikes().then(|| engine.host.now());
        let evicted = Space {
            shards: held.view(),
            db,
            seed: engine.seed,
            now_ms: now.ms(),
            access: self.world.settings.access,
            no_touch: true,
            on_expired: OnExpired::Delete,
            lazy_expire: lazy,
            chance: now.monotonic_ns,
            effects: &mut self.effects,
        }
        .evict(key, lazy);
        self.note_spike(engine, "eviction-del", began);
        self.carry_out(engine, Own::Nothing, Origin::Server);
        self.end_loose_unit(engine, None, &mut held);
        self.serve_ready(engine, &mut held, now);
        drop(held);
        let departed = self.depart(engine);
        // What others are told of it takes memory too, which does not make it less of a relief.
        let freed = departed.saturating_add_signed(before - engine.host.thread_memory());
        evicted.map(|bytes| freed.max(bytes as u64))
    }

    /// Hands what is large to the background; how many bytes that will free.
    fn depart(&mut self, engine: &Engine) -> u64 {
        if self.effects.garbage.is_empty() {
            return 0;
        }
        let values = std::mem::take(&mut self.effects.garbage);
        let bytes = values.iter().map(|value| value.memory(SIZE_SAMPLES) as u64);
        let bytes = bytes.sum();
        let max = self.world.maxmemory;
        match engine.eviction.depart(values, bytes, max) {
            Ok(departing) => {
                engine.host.drop_later(Box::new(departing));
                bytes
            }
            Err(values) => {
                drop(values);
                0
            }
        }
    }

    /// Counts the keys of one more shard, so that those that were empty are chosen when they no longer are.
    fn count_next_shard(&self, engine: &Engine) {
        let number = engine.eviction.next_to_count();
        if let Some(mut held) = engine.locks.try_one(number)
            && let Some((_, shard)) = held.shards().first()
        {
            count(engine, number, shard);
        }
    }
}

/// Elements from which the size of a value is estimated.
const SIZE_SAMPLES: usize = 5;

fn count(engine: &Engine, number: u16, shard: &Shard) {
    let databases = 0..shard.databases();
    let (all, volatile) = databases.fold((0, 0), |(all, volatile), number| {
        let db = shard.db(number);
        (all + db.len(), volatile + db.volatile())
    });
    engine.eviction.count_keys(number, all, volatile);
}
