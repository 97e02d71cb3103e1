//! What the memory of the process is used for: figures that INFO and MEMORY share.

use std::sync::atomic::Ordering::Relaxed;

use engine::clients::flag;
use engine::{Engine, Holding};

use crate::client_info;
use crate::rows::host;

/// Bytes, and what they are used for.
#[derive(Clone, Debug, Default)]
pub(in crate::rows) struct Figures {
    /// In use.
    pub used: u64,
    /// The part of it that only slow replicas keep.
    pub beyond_backlog: u64,
    /// The most that was ever in use.
    pub peak: u64,
    /// In use when the server had started and was empty.
    pub startup: u64,
    /// What the allocator has of the system.
    pub committed: u64,
    /// What the process has in main memory.
    pub resident: u64,
    /// Connections but for those of replicas.
    pub clients: u64,
    /// Connections of replicas; each is counted what it has yet to be sent of the log, however many share it.
    pub replicas: u64,
    /// Databases with keys; known once all shards were looked at.
    pub databases: Vec<Database>,
}

/// One database.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rows) struct Database {
    pub number: u16,
    pub keys: u64,
    /// Keys with a time to live.
    pub volatile: u64,
    /// Keys that hold a hash with volatile fields.
    pub volatile_hashes: u64,
    /// Milliseconds that volatile keys have left on average, from a sample.
    pub ttl_ms: u64,
    /// Bytes of the tables of keys.
    pub table: u64,
    /// Bytes of the expiry indexes.
    pub expiry: u64,
}

impl Figures {
    /// All figures but the databases. Reads what the system says of the process: no shard may be held.
    pub(in crate::rows) fn of_process(engine: &Engine) -> Self {
        let (beyond_backlog, used) = engine.log.beyond_backlog(|| alloc::note_peak() as u64);
        let clients = engine.clients.all();
        let of_clients = clients
            .iter()
            .filter(|client| !client.has_flag(flag::REPLICA))
            .map(|client| client_info::memory(client));
        let log_end = engine.log.end();
        let replicas = host(engine).replication.followers.all();
        let of_replicas = replicas
            .iter()
            .filter(|replica| !replica.client.inbox.is_killed())
            .map(|replica| replica.behind(log_end) + client_info::memory(&replica.client));
        Self {
            used,
            beyond_backlog,
            peak: alloc::peak() as u64,
            startup: host(engine).startup_memory.load(Relaxed),
            committed: (alloc::committed() as u64).max(used),
            resident: crate::process::resident_bytes(),
            clients: of_clients.sum(),
            replicas: of_replicas.sum(),
            databases: Vec::new(),
        }
    }

    /// Adds the databases, with every shard held.
    pub(in crate::rows) fn look_at_databases(&mut self, held: &mut Holding<'_>) {
        let count = held
            .shards
            .first()
            .map_or(0, |(_, shard)| shard.databases());
        let figures = (0..count).map(|number| Database::look(held, number));
        self.databases = figures.filter(|database| database.keys > 0).collect();
    }

    /// Bytes that are no data: the empty server, connections, tables.
    pub(in crate::rows) fn overhead(&self) -> u64 {
        let tables = self.databases.iter().map(|db| db.table + db.expiry);
        self.startup + self.clients + self.replicas + tables.sum::<u64>()
    }

    /// Bytes of data.
    pub(in crate::rows) fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The data's share of what came since the start, in percent.
    pub(in crate::rows) fn dataset_percent(&self) -> f64 {
        let net = self.used.saturating_sub(self.startup);
        percent(self.dataset(), net)
    }

    /// How much of the peak is in use, in percent.
    pub(in crate::rows) fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }

    /// Keys of all databases.
    pub(in crate::rows) fn keys(&self) -> u64 {
        self.databases.iter().map(|db| db.keys).sum()
    }

    /// Bytes a key, of what came since the start.
    pub(in crate::rows) fn bytes_per_key(&self) -> u64 {
        let net = self.used.saturating_sub(self.startup);
        net.checked_div(self.keys()).unwrap_or(0)
    }

    /// What the allocator holds beyond what is in use: how many times, and bytes.
    pub(in crate::rows) fn allocator_fragmentation(&self) -> (f64, i64) {
        ratio(self.committed, self.used)
    }

    /// What the process has in main memory beyond what the allocator holds.
    pub(in crate::rows) fn resident_overhead(&self) -> (f64, i64) {
        ratio(self.resident, self.committed)
    }

    /// What the process has in main memory beyond what is in use.
    pub(in crate::rows) fn fragmentation(&self) -> (f64, i64) {
        ratio(self.resident, self.used)
    }
}

/// How many keys the average time to live is taken from, in each shard.
const TTL_SAMPLES: usize = 4;

impl Database {
    fn look(held: &mut Holding<'_>, number: u16) -> Self {
        let now_ms = held.now.ms();
        let mut database = Self {
            number,
            ..Self::default()
        };
        let (mut samples, mut left_ms) = (0, 0);
        let Holding { shards, rng, .. } = held;
        for (_, shard) in shards {
            if shard.db(number).is_empty() {
                continue;
            }
            database.keys += shard.db(number).len() as u64;
            database.volatile += shard.db(number).volatile() as u64;
            database.volatile_hashes += shard.db(number).volatile_hashes() as u64;
            database.table += shard.db(number).table().memory() as u64;
            database.expiry += shard.db_mut(number).expiry_index().memory() as u64;
            for _ in 0..TTL_SAMPLES {
                let deadline_ms = shard.db(number).sample_deadline(&mut || rng.next_u64());
                let Some(deadline_ms) = deadline_ms else {
                    continue;
                };
                samples += 1;
                left_ms += u64::try_from(deadline_ms - now_ms).unwrap_or(0);
            }
        }
        database.ttl_ms = left_ms.checked_div(samples).unwrap_or(0);
        database
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

fn ratio(larger: u64, smaller: u64) -> (f64, i64) {
    let times = larger as f64 / smaller.max(1) as f64;
    (times, larger as i64 - smaller as i64)
}
