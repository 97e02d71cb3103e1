//! Active expiry: keys, and fields of hashes, whose time is over are deleted although nobody looks them up.
//!
//! 1. A cycle goes over all shards once, from where the last one stopped. It consists of steps of 100 us, so that no
//!    connection of the thread waits longer; a step holds one shard at a time and passes over one that is busy.
//! 2. In a shard only those keys are looked at that the expiry index says are due, so that a cycle with nothing to do costs
//!    a few microseconds.
//!    The same holds for hashes with volatile fields: a shard has an index of them, and each has one of its fields.
//! 3. A key that somebody waits for goes in a step of its own, for it takes the shards of those who wait as well.
//! 4. A cycle that has used up its share of the period ends where it is (`active-expire-effort`).

use super::log::Own;
use super::tell::Origin;
use super::{Executor, Local};
use crate::engine::Engine;
use crate::locks::{Held, ShardSet};
use crate::registry::Row;
use crate::session::Session;
use crate::stats::Share;
use crate::walk::{Traces, Walk};
use crate::world::World;
use bytes::Bytes;
use commands::{Effects, ManyShards, Now, OnExpired, Shards, Space};
use store::{Entry, Shard};

/// How far a step of active expiry came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireProgress {
    /// Keys deleted.
    pub expired: u64,
    /// The cycle goes on: let others run, then call for the next step.
    pub more: bool,
}

/// Where the cycle of a thread is.
#[derive(Debug, Default)]
pub(crate) struct ExpireCycle {
    /// The shard to look at next.
    shard: u16,
    /// Shards that are left in this cycle; 0 between two cycles.
    left: usize,
    /// When the cycle began, on the monotonic clock.
    begun_ns: Option<u64>,
    /// Nanoseconds that the steps of this cycle took.
    ns: u64,
    keys: Share,
    hashes: Share,
    /// Keys that have expired, or have expired fields, and that somebody waits for.
    awaited: Vec<(u16, Bytes)>,
}

/// Nanoseconds that a step may take.
const STEP_NS: u64 = 100_000;
/// Due records after which a step looks at the clock.
const CHUNK: usize = 16;
/// Due fields of a hash that are looked at together: as many may be deleted by one HDEL in the log.
const FIELDS_AT_ONCE: usize = 128;
/// Records of an overgrown index that a step checks.
const SWEPT: usize = 64;
/// Milliseconds from one cycle to the next.
const PERIOD_MS: u64 = 100;

impl Executor {
    /// Takes a step of active expiry.
    ///
    /// To be called by one thread every 100 ms or more often, and while the answer says that there is more, again after
    /// other work of that thread had its turn. A cycle begins every 100 ms and takes a quarter of the time at most, and two
    /// percent more for each further degree of `active-expire-effort`. So a key goes within a third of a second of its
    /// deadline unless very many expire at once.
    ///
    /// Records of tracking that nobody needs go on the way.
    ///
    /// No key is deleted while CLIENT PAUSE or DEBUG SLEEP holds commands back, and after DEBUG SET-ACTIVE-EXPIRE 0.
    pub fn expire_step(&mut self) -> ExpireProgress {
        let mut progress = self.local.expire_step(&self.engine);
        self.local.broadcast(&self.engine);
        self.engine.log.wake();
        progress.more |= self.local.tidy_tracking(&self.engine);
        progress
    }
}

impl Local {
    fn expire_step(&mut self, engine: &Engine) -> ExpireProgress {
        self.look_at_world(engine);
        let start = engine.host.now();
        let world = &self.world;
        if !world.active_expire
            || world.frozen
            || world.loading
            || world.on_expired(start.ms()) == OnExpired::Hide
        {
            if world.is_replica() && world.active_expire && !world.frozen {
                self.expire_own(engine, start);
            }
            self.expiry.left = 0;
            return ExpireProgress::default();
        }
        if self.expiry.left == 0 && !self.expiry.begin(engine.locks.count(), start) {
            return ExpireProgress::default();
        }
        let before = self.expiry.keys.expired;
        let mut spent_ns = 0;
        while self.expiry.left > 0 && spent_ns < STEP_NS {
            if self.expire_in_shard(engine, start) {
                self.expiry.advance(engine.locks.count());
            }
            spent_ns = elapsed_ns(engine, start);
        }
        self.expire_awaited(engine, start);
        engine.stats.expiry.add_ns(spent_ns);
        self.note_spike(engine, "expire-cycle", self.notes_spikes().then_some(start));
        let capped = self.expiry.spend(spent_ns, self.world.expire_effort);
        let cycle = &mut self.expiry;
        if capped || cycle.left == 0 {
            let expiry = &engine.stats.expiry;
            expiry.add_cycle(cycle.keys, cycle.hashes, capped);
            cycle.left = 0;
        }
        ExpireProgress {
            expired: cycle.keys.expired - before,
            more: cycle.left > 0,
        }
    }

    /// Deletes what has expired of the keys that clients of this replica wrote: its primary does not know them.
    fn expire_own(&mut self, engine: &Engine, now: Now) {
        let keys = std::mem::take(&mut *engine.own_volatile.lock());
        for (db, key) in keys {
            let shards = ShardSet::one(engine.locks.shard_of(&key));
            let Ok(mut held) = self.acquire(engine, &shards) else {
                engine.own_volatile.lock().insert((db, key));
                continue;
            };
            let entry = held.of_key(&key).db(db).get(engine.seed.hash(&key), &key);
            let Some(deadline) = entry.and_then(Entry::expiry) else {
                continue;
            };
            if deadline >= now.ms() {
                engine.own_volatile.lock().insert((db, key));
                continue;
            }
            self.effects.reset(self.world.audience, db);
            let Self { world, effects, .. } = self;
            let mut space = Space {
                on_expired: OnExpired::Delete,
                ..space_of(engine, world, effects, held.view(), now, db)
            };
            space.remove_expired(&key);
            self.carry_out(engine, Own::Nothing, Origin::Server);
            drop(held);
            self.free(engine);
        }
    }

    /// Deletes what has expired in the shard that the cycle is at. Whether the shard is done with, which it also is when
    /// somebody else has it; false when the time was up.
    fn expire_in_shard(&mut self, engine: &Engine, start: Now) -> bool {
        let shards = ShardSet::one(self.expiry.shard);
        let Ok(mut held) = self.acquire(engine, &shards) else {
            return true;
        };
        let databases = held
            .shards()
            .first()
            .map_or(0, |(_, shard)| shard.databases());
        let done = (0..databases).all(|db| {
            self.expire_in_db(engine, &mut held, db, start)
                && self.expire_fields_in_db(engine, &mut held, db, start)
        });
        drop(held);
        self.free(engine);
        done
    }

    fn expire_in_db(&mut self, engine: &Engine, held: &mut Held<'_>, db: u16, start: Now) -> bool {
        let mut volatile = None;
        loop {
            let mut keys = Vec::new();
            let Some(due) = held.shards().first_mut().map(|(_, shard)| {
                volatile.get_or_insert_with(|| shard.db(db).volatile());
                look_at_due(shard, db, start.ms(), &mut keys)
            }) else {
                return true;
            };
            self.put_awaited_aside(held, db, &mut keys);
            self.expire_keys(engine, held, db, start, &keys);
            let done = due < CHUNK;
            if done || elapsed_ns(engine, start) >= STEP_NS {
                self.expiry.keys.volatile += volatile.unwrap_or(0) as u64;
                return done;
            }
        }
    }

    /// As [`Local::expire_in_db`], the fields of hashes.
    fn expire_fields_in_db(
        &mut self,
        engine: &Engine,
        held: &mut Held<'_>,
        db: u16,
        start: Now,
    ) -> bool {
        let mut volatile = None;
        loop {
            let mut keys = Vec::new();
            let Some(due) = held.shards().first_mut().map(|(_, shard)| {
                let db = shard.db_mut(db);
                volatile.get_or_insert_with(|| db.volatile_hashes());
                db.due_hashes(start.ms(), CHUNK, |key| {
                    keys.push(Bytes::copy_from_slice(key))
                })
            }) else {
                return true;
            };
            self.put_awaited_aside(held, db, &mut keys);
            for key in &keys {
                self.expire_fields(engine, held, db, start, key);
            }
            let done = due == 0;
            if done || elapsed_ns(engine, start) >= STEP_NS {
                self.expiry.hashes.volatile += volatile.unwrap_or(0) as u64;
                return done;
            }
        }
    }

    /// Leaves those of `keys` that somebody waits for to a step of their own.
    fn put_awaited_aside(&mut self, held: &Held<'_>, db: u16, keys: &mut Vec<Bytes>) {
        if held.has_waiters() {
            let awaited = |key: &mut Bytes| held.of_key(key).waiters.wait_for(db, key);
            let awaited = keys.extract_if(.., awaited).map(|key| (db, key));
            self.expiry.awaited.extend(awaited);
        }
    }

    /// Deletes expired fields of a hash, as many as may go at a time.
    fn expire_fields(
        &mut self,
        engine: &Engine,
        held: &mut Held<'_>,
        db: u16,
        now: Now,
        key: &[u8],
    ) {
        self.effects.reset(self.world.audience, db);
        let Self { world, effects, .. } = self;
        let mut space = space_of(engine, world, effects, held.view(), now, db);
        let expired = space.expire_fields(key, FIELDS_AT_ONCE);
        self.expiry.hashes.expired += u64::from(expired > 0);
        if expired > 0 {
            self.carry_out(engine, Own::Nothing, Origin::Server);
            self.end_loose_unit(engine, None, held);
        }
    }

    /// Deletes those of `keys` whose time is over.
    fn expire_keys(
        &mut self,
        engine: &Engine,
        held: &mut Held<'_>,
        db: u16,
        now: Now,
        keys: &[Bytes],
    ) {
        if keys.is_empty() {
            return;
        }
        self.effects.reset(self.world.audience, db);
        let Self { world, effects, .. } = self;
        let keys = keys.iter().map(|key| &**key);
        remove_expired(engine, world, effects, held.view(), now, db, keys);
        self.expiry.keys.expired += self.effects.expired;
        self.carry_out(engine, Own::Nothing, Origin::Server);
        self.end_loose_unit(engine, None, held);
    }

    /// Deletes expired keys that somebody waits for, and serves those to whom the deletion matters. What is busy stays for
    /// the next step.
    fn expire_awaited(&mut self, engine: &Engine, now: Now) {
        let mut busy = Vec::new();
        for (db, key) in std::mem::take(&mut self.expiry.awaited) {
            let shards = ShardSet::one(engine.locks.shard_of(&key));
            match self.acquire_with_waiters(engine, shards, || vec![key.clone()]) {
                Err(_) => busy.push((db, key)),
                Ok(mut held) => {
                    self.expire_keys(engine, &mut held, db, now, std::slice::from_ref(&key));
                    self.serve_ready(engine, &mut held, now);
                    self.expire_fields(engine, &mut held, db, now, &key);
                    self.serve_ready(engine, &mut held, now);
                    drop(held);
                    self.free(engine);
                }
            }
        }
        self.expiry.awaited = busy;
    }

    /// Deletes the expired keys that a walk has met, and counts what it looked up. A key that somebody waits for is left to
    /// others unless every shard is held.
    pub(super) fn carry_out_walk(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        held: &mut Held<'_>,
        now: Now,
        walk: &mut Walk,
    ) {
        if self.world.audience.gated {
            session.reveals = session.reveals.max(held.written());
        }
        let mut traces = walk.take_traces();
        if traces == Traces::default() {
            return;
        }
        let db = walk.db();
        if held.has_waiters() && !held.is_everything() {
            let awaited = |key: &[u8]| held.of_key(key).waiters.wait_for(db, key);
            traces.expired.retain(|key| !awaited(key));
        }
        self.effects.reset(self.world.audience, db);
        self.effects.hits = traces.hits;
        self.effects.misses = traces.misses;
        let Self { world, effects, .. } = self;
        let keys = traces.expired.iter().map(|key| &**key);
        remove_expired(engine, world, effects, held.view(), now, db, keys);
        self.carry_out(engine, Own::Nothing, Origin::Server);
        self.end_loose_unit(engine, Some(session), held);
    }
}

impl ExpireCycle {
    /// Starts a cycle over so many shards where the last one stopped, unless it is too early.
    fn begin(&mut self, shards: usize, now: Now) -> bool {
        let since_ns = |begun_ns| now.monotonic_ns.saturating_sub(begun_ns);
        let due = self
            .begun_ns
            .is_none_or(|begun_ns| since_ns(begun_ns) >= PERIOD_MS * 1_000_000);
        if due {
            *self = Self {
                shard: self.shard,
                left: shards,
                begun_ns: Some(now.monotonic_ns),
                awaited: std::mem::take(&mut self.awaited),
                ..Self::default()
            };
        }
        due
    }

    fn advance(&mut self, shards: usize) {
        self.left -= 1;
        self.shard = (self.shard + 1) & (shards as u16 - 1);
    }

    /// Counts the time of a step; whether the cycle has to end because its time is up.
    fn spend(&mut self, ns: u64, effort: u8) -> bool {
        self.ns += ns;
        let percent = 25 + 2 * u64::from(effort.saturating_sub(1));
        self.left > 0 && self.ns > PERIOD_MS * 1_000_000 * percent / 100
    }
}

/// Takes the next due records of a database: the keys whose time is over. How many records there were.
fn look_at_due(shard: &mut Shard, db: u16, now_ms: i64, keys: &mut Vec<Bytes>) -> usize {
    let db = shard.db_mut(db);
    let due = db.due(now_ms, CHUNK, |key| keys.push(Bytes::copy_from_slice(key)));
    if due < CHUNK {
        db.sweep_expiry(now_ms, SWEPT);
    }
    due
}

fn elapsed_ns(engine: &Engine, start: Now) -> u64 {
    let now = engine.host.now();
    now.monotonic_ns.saturating_sub(start.monotonic_ns)
}

/// Deletes those of `keys` whose time is over, as a lookup would, unless nothing is deleted just now. How many it were.
fn remove_expired<'a, 'k>(
    engine: &Engine,
    world: &World,
    effects: &'a mut Effects,
    shards: Shards<'a>,
    now: Now,
    db: u16,
    keys: impl Iterator<Item = &'k [u8]>,
) -> usize {
    let mut space = space_of(engine, world, effects, shards, now, db);
    keys.filter(|key| space.remove_expired(key)).count()
}

/// The keys of a database as they are seen by none of its clients.
pub(crate) fn space_of<'a>(
    engine: &Engine,
    world: &World,
    effects: &'a mut Effects,
    shards: Shards<'a>,
    now: Now,
    db: u16,
) -> Space<'a> {
    Space {
        shards,
        db,
        seed: engine.seed,
        now_ms: now.ms(),
        access: world.settings.access,
        no_touch: true,
        on_expired: world.on_expired(now.ms()),
        lazy_expire: world.settings.lazy_expire,
        chance: now.monotonic_ns,
        effects,
    }
}

/// Remembers the keys of a write of a replica's client: they may have got a time to live.
pub(super) fn remember_own(engine: &Engine, session: &Session, row: &Row, argv: &[&[u8]]) {
    let mut own = engine.own_volatile.lock();
    let queued = session.transaction.as_ref();
    let keys = match queued {
        Some(transaction) => transaction.keys(engine),
        None => super::keys_of(row, argv).collect(),
    };
    own.extend(keys.into_iter().map(|key| (session.db, key)));
}
