//! The engine as all threads share it: shards, table of commands, clients, counters, and the world they see.

use crate::acks::Acks;
use crate::blocking::Blocked;
use crate::clients::Clients;
use crate::errors::Errors;
use crate::eviction::Eviction;
use crate::gate::Gate;
use crate::handler::EngineCommand;
use crate::host::Host;
use crate::locks::{Held, Locks, ShardSet, Taker};
use crate::observe::{CommandLog, Monitors, Spikes};
use crate::pubsub::PubSub;
use crate::registry::Registry;
use crate::snapshot::Snapshots;
use crate::stats::Stats;
use crate::world::World;
use bytes::Bytes;
use commands::DataCommand;
use event_listener::{Event, EventListener, Listener};
use log::{Framing, Log, Unit};
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use store::{HashSeed, Shard};

/// Everything that the threads of a server share.
#[derive(Debug)]
pub struct Engine {
    /// The shards and their locks.
    pub locks: Locks,
    /// All commands.
    pub registry: Registry,
    /// All connections.
    pub clients: Clients,
    /// Subscriptions.
    pub pubsub: PubSub,
    /// Keys that clients of a replica that takes writes may have given a time to live: no primary will delete them.
    pub(crate) own_volatile: Mutex<HashSet<(u16, Bytes)>>,
    /// The replication log.
    pub log: Arc<Log>,
    /// How far replicas are, and who waits for them.
    pub acks: Acks,
    /// Where replies wait for the append-only file.
    pub gate: Gate,
    /// Calls that wait for keys.
    pub blocked: Blocked,
    /// Keys that are deleted to make room.
    pub eviction: Eviction,
    /// The snapshot under way.
    pub snapshots: Snapshots,
    /// Counters.
    pub stats: Stats,
    /// Calls that were slow or large.
    pub command_log: CommandLog,
    /// Connections that see every call.
    pub monitors: Monitors,
    /// Spikes of latency.
    pub spikes: Spikes,
    /// Error replies by their code.
    pub errors: Errors,
    /// The server around the engine.
    pub host: Arc<dyn Host>,
    /// Seed of the key hash.
    pub seed: HashSeed,
    world: RwLock<Arc<World>>,
    world_changed: Event,
    /// Rises with every world, so that a worker sees at a glance that its copy is old.
    generation: AtomicU64,
}

/// How an engine is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Number of shards, a power of two from 1 to 1024.
    pub shards: usize,
    /// Databases.
    pub databases: u16,
    /// Threads that will call.
    pub threads: usize,
    /// Seed of the key hash.
    pub seed: HashSeed,
}

impl Layout {
    /// The number of shards for so many workers: 16 a worker, 64 at least and 1024 at most.
    #[must_use]
    pub fn shards_for(workers: usize) -> usize {
        (workers * 16).next_power_of_two().clamp(64, 1024)
    }
}

impl Engine {
    /// An engine with empty databases.
    #[must_use]
    pub fn new(
        layout: Layout,
        world: World,
        host: Arc<dyn Host>,
        data: &[&'static DataCommand],
        above: &[&'static EngineCommand],
    ) -> Self {
        let registry = Registry::new(data, above);
        let mut world = world;
        world.settings.tuning.seed = layout.seed;
        let world = Arc::new(world);
        let shards = (0..layout.shards)
            .map(|_| Shard::new(layout.databases))
            .collect();
        let engine = Self {
            locks: Locks::new(shards, &world),
            eviction: Eviction::new(layout.shards, layout.threads),
            stats: Stats::new(layout.threads, registry.rows().len()),
            registry,
            clients: Clients::default(),
            command_log: CommandLog::default(),
            monitors: Monitors::default(),
            spikes: Spikes::default(),
            gate: Gate::default(),
            errors: Errors::default(),
            pubsub: PubSub::default(),
            blocked: Blocked::default(),
            own_volatile: Mutex::default(),
            log: Log::new(),
            snapshots: Snapshots::default(),
            acks: Acks::default(),
            host,
            seed: layout.seed,
            world: RwLock::new(world),
            world_changed: Event::new(),
            generation: AtomicU64::new(0),
        };
        engine.limit_tracking(&engine.world());
        engine
    }

    /// The world as it is now. Only what holds a shard may rely on it for longer than an instant.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read())
    }

    /// The number of worlds so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Resolves when the world has changed.
    #[must_use]
    pub fn world_changes(&self) -> EventListener {
        self.world_changed.listen()
    }

    /// Has calls that wait for a change look again, although the world is the same.
    pub(crate) fn wake_waiting(&self) {
        self.world_changed.notify(usize::MAX);
    }

    /// Replaces the world while `held` has every shard.
    pub fn replace_world(&self, held: &mut Held<'_>, world: World) {
        let world = Arc::new(world);
        held.replace_world(&world);
        self.limit_tracking(&world);
        *self.world.write() = world;
        self.generation.fetch_add(1, Relaxed);
        self.world_changed.notify(usize::MAX);
    }

    fn limit_tracking(&self, world: &World) {
        let (keys_max, clients) = (world.tracked_keys_max, &self.clients);
        self.pubsub.limit_tracked_keys(keys_max, clients);
    }

    /// Changes the world from a thread that holds no shard and may wait: start, cron, signal handlers.
    pub fn change_world(&self, change: impl FnOnce(&mut World)) {
        let mut held = self.take_everything();
        let mut world = World::clone(&self.world());
        change(&mut world);
        self.replace_world(&mut held, world);
    }

    /// As [`Engine::change_world`], unless a shard is busy just now; whether it was done.
    pub fn try_change_world(&self, change: impl FnOnce(&mut World)) -> bool {
        let Ok(mut held) = self.locks.acquire(&ShardSet::All, Taker::Worker) else {
            return false;
        };
        let mut world = World::clone(&self.world());
        change(&mut world);
        self.replace_world(&mut held, world);
        true
    }

    /// As [`Engine::take_everything`], and the world is not frozen: no transaction is half done.
    #[must_use]
    pub fn take_everything_whole(&self) -> Held<'_> {
        loop {
            let held = self.take_everything();
            if !self.world().frozen {
                return held;
            }
            let changed = self.world_changes();
            drop(held);
            changed.wait();
        }
    }

    /// Appends to the log what nobody executed, such as PING, unless this is a replica or nobody listens; false when a shard
    /// was busy, so that it has to be tried again.
    pub fn try_append(&self, unit: &mut Unit) -> bool {
        let Ok(held) = self.locks.acquire(&ShardSet::one(0), Taker::Worker) else {
            return false;
        };
        self.append_holding(&held, unit);
        drop(held);
        unit.clear();
        self.log.wake();
        true
    }

    /// As [`Engine::try_append`], while `held` has a shard: any keeps the role as it is. Wakes nobody.
    pub(crate) fn append_holding(&self, held: &Held<'_>, unit: &mut Unit) {
        if held.world().is_some_and(|world| world.audience.log) {
            self.log.append(unit, Framing::Loose);
        }
    }

    /// Notes how long something took that no call did, if it was a spike (latencyAddSampleIfNeeded, Redis 7.2).
    pub fn note_latency(&self, event: &'static str, spent_ns: u64, at_s: i64) {
        let ms = spent_ns / 1_000_000;
        let spike_ms = self.world().observed.spike_ms;
        if spike_ms.is_some_and(|least| ms >= least) {
            self.spikes.note(event, at_s, ms);
        }
    }

    /// Every shard, waited for on this thread. Not for workers.
    pub fn take_everything(&self) -> Held<'_> {
        loop {
            match self.locks.acquire(&ShardSet::All, Taker::Worker) {
                Ok(held) => return held,
                Err(busy) => self.locks.wait(busy, Taker::Worker).block(),
            }
        }
    }
}
