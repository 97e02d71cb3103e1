//! Which keys are deleted to make room: the rules, the pool of candidates, and what all threads know of the keys together.
//!
//! 1. A thread may allocate so much before it looks at the memory in use ([`Headroom`]). Grants of all threads together are
//!    less than what is free, so that the limit is not passed unseen, and near to it every call looks.
//! 2. Above the limit keys are sampled in one shard at a time, and the best candidates of the last samples are kept in a
//!    pool, as Redis does (evictionPoolPopulate): an approximation of the exact order.
//! 3. A candidate that was used since it was sampled is none any more.
//! 4. What is being freed in the background counts as freed, up to a part of the limit.

use crate::host::Host;
use commands::Rng;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use store::{AccessPolicy, Db, Entry, HashSeed, Object};

/// Which keys are deleted to make room (`maxmemory-policy` and what belongs to it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionRules {
    /// Which of two keys goes first; `None` when none ever goes.
    pub rank: Option<Rank>,
    /// Which keys may go.
    pub population: Population,
    /// `maxmemory-samples`: how many keys are looked at to find one.
    pub samples: usize,
    /// `maxmemory-eviction-tenacity`, 0 to 100: how much time a call may spend on it.
    pub tenacity: u8,
    /// `lazyfree-lazy-eviction`: the log gets UNLINK instead of DEL.
    pub lazy: bool,
}

/// Which of two keys goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The one that has not been used for longer.
    LeastRecentlyUsed,
    /// The one that is used less often.
    LeastFrequentlyUsed,
    /// The one whose time is over sooner.
    SoonestToExpire,
    /// Either.
    Random,
}

/// Which keys may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// All.
    All,
    /// Those that have a time to live.
    Volatile,
}

/// What eviction knows, shared by all threads.
#[derive(Debug)]
pub struct Eviction {
    pool: Mutex<Pool>,
    shards: Box<[Keys]>,
    /// The most keys that a shard had: see [`Eviction::choose_shard`].
    keys_max: AtomicU32,
    volatile_max: AtomicU32,
    /// The shard whose figures are looked at next.
    next: AtomicU32,
    /// Bytes that are being freed in the background.
    pending: Arc<AtomicU64>,
    /// Bytes that the threads may allocate before they look again.
    granted: AtomicU64,
    threads: u64,
    is_exceeded: AtomicBool,
    exceeded_since_ns: AtomicU64,
    exceeded_ns: AtomicU64,
}

/// What a thread may allocate before it looks at the memory in use again.
#[derive(Debug)]
pub(crate) struct Headroom {
    /// The value of [`Host::thread_memory`] from which on it looks.
    ceiling: i64,
    granted: u64,
}

/// What came of looking at the memory in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relief {
    /// There is room.
    Enough,
    /// There is too little, but more is being made.
    Partial,
    /// There is too little, and nothing that could go.
    None,
}

/// A key that may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The higher, the sooner it goes.
    pub(crate) score: u64,
    pub(crate) hash: u64,
    /// What was known of it when it was sampled: see [`EvictionRules::trace`].
    pub(crate) trace: u64,
    pub(crate) shard: u16,
    pub(crate) db: u16,
}

/// Keys found in one look.
pub(crate) type Sample = SmallVec<[Candidate; 16]>;

/// How many keys a shard had when it was last looked at.
#[derive(Debug, Default)]
struct Keys {
    all: AtomicU32,
    volatile: AtomicU32,
}

/// The best candidates of the last samples, the best one last.
#[derive(Debug, Default)]
struct Pool {
    candidates: Vec<Candidate>,
    /// The order in which they are.
    rank: Option<Rank>,
}

/// A value on its way to be freed in the background, whose bytes count as freed meanwhile.
#[derive(Debug)]
pub(crate) struct Departing {
    values: Vec<Object>,
    bytes: u64,
    pending: Arc<AtomicU64>,
}

/// Candidates that are kept (EVPOOL_SIZE, Redis 7.2).
const POOL_SIZE: usize = 16;
/// The most that a thread may allocate unseen.
const GRANT_MAX: u64 = 1 << 20;
/// Less is not worth a grant: every call looks.
const GRANT_MIN: u64 = 4096;
/// The part of the limit that may be on its way to be freed in the background.
const PENDING_PART: u64 = 16;
/// Attempts at a choice of a shard by its number of keys.
const CHOICES: usize = 32;

impl Default for EvictionRules {
    fn default() -> Self {
        Self {
            rank: None,
            population: Population::All,
            samples: 5,
            tenacity: 10,
            lazy: false,
        }
    }
}

impl EvictionRules {
    /// How long a call may evict, in nanoseconds: half a millisecond by default, and 15 percent more for each degree above
    /// (evictionTimeLimitUs, Redis 7.2).
    pub(crate) fn time_max_ns(&self) -> u64 {
        match self.tenacity {
            tenacity @ 0..=10 => 50_000 * u64::from(tenacity),
            tenacity @ 11..=99 => (500_000.0 * 1.15_f64.powi(i32::from(tenacity) - 10)) as u64,
            _ => u64::MAX,
        }
    }

    /// Samples the keys of a database that may go.
    pub(crate) fn sample(
        &self,
        db: &Db,
        access: AccessPolicy,
        now_ms: i64,
        rng: &mut Rng,
        mut visit: impl FnMut(u64, u64, &Entry<Object>),
    ) {
        let Some(rank) = self.rank else { return };
        let show = |entry: &Entry<Object>| {
            visit(rank.score(entry, access, now_ms), rank.trace(entry), entry);
        };
        let mut random = || rng.next_u64();
        match (rank, self.population) {
            (Rank::SoonestToExpire, _) => db.soonest(self.samples, show),
            (_, Population::All) => db.sample_keys(self.samples, &mut random, show),
            (_, Population::Volatile) => db.sample_volatile(self.samples, &mut random, show),
        }
    }

    /// What must not have changed since a key was sampled: its use, or its deadline.
    pub(crate) fn trace(&self, entry: &Entry<Object>) -> u64 {
        self.rank.map_or(0, |rank| rank.trace(entry))
    }
}

impl Rank {
    /// The higher, the sooner the key goes. Scores of different moments can be compared.
    fn score(self, entry: &Entry<Object>, access: AccessPolicy, now_ms: i64) -> u64 {
        match self {
            Self::LeastRecentlyUsed => {
                let used_ms =
                    now_ms.saturating_sub_unsigned(access.idle_ms(entry.access(), now_ms));
                u64::MAX - used_ms.unsigned_abs()
            }
            // Of equals the one goes that has not been used for longer: its counter fell longer ago.
            Self::LeastFrequentlyUsed => {
                let rare = 255 - u64::from(access.frequency(entry.access(), now_ms)).min(255);
                let idle = (now_ms / 60_000) as u64 & 0xFFFF;
                let idle = idle.wrapping_sub(u64::from(entry.access() >> 8)) & 0xFFFF;
                rare << 16 | idle
            }
            Self::SoonestToExpire => u64::MAX - entry.expiry().unwrap_or(i64::MAX).unsigned_abs(),
            Self::Random => 0,
        }
    }

    fn trace(self, entry: &Entry<Object>) -> u64 {
        match self {
            Self::LeastRecentlyUsed | Self::LeastFrequentlyUsed => u64::from(entry.access()),
            Self::SoonestToExpire => entry.expiry().unwrap_or(i64::MAX).unsigned_abs(),
            Self::Random => 0,
        }
    }
}

impl Default for Headroom {
    /// None at all.
    fn default() -> Self {
        Self {
            ceiling: i64::MIN,
            granted: 0,
        }
    }
}

impl Headroom {
    /// Whether the thread need not look.
    #[inline]
    pub(crate) fn is_ample(&self, host: &dyn Host) -> bool {
        host.thread_memory() < self.ceiling
    }
}

impl Eviction {
    /// What is known at the start of an engine with so many shards and threads.
    #[must_use]
    pub(crate) fn new(shards: usize, threads: usize) -> Self {
        Self {
            pool: Mutex::default(),
            shards: (0..shards).map(|_| Keys::default()).collect(),
            keys_max: AtomicU32::new(0),
            volatile_max: AtomicU32::new(0),
            next: AtomicU32::new(0),
            pending: Arc::default(),
            granted: AtomicU64::new(0),
            threads: threads as u64,
            is_exceeded: AtomicBool::new(false),
            exceeded_since_ns: AtomicU64::new(0),
            exceeded_ns: AtomicU64::new(0),
        }
    }

    /// Milliseconds that the memory in use has been above the limit: in all, and since it was last below
    /// (`total_eviction_exceeded_time`, `current_eviction_exceeded_time`).
    #[must_use]
    pub fn exceeded_ms(&self, now_ns: u64) -> (u64, u64) {
        let current_ns = if self.is_exceeded.load(Relaxed) {
            now_ns.saturating_sub(self.exceeded_since_ns.load(Relaxed))
        } else {
            0
        };
        let total_ns = self.exceeded_ns.load(Relaxed) + current_ns;
        (total_ns / 1_000_000, current_ns / 1_000_000)
    }

    /// Sets back what CONFIG RESETSTAT names.
    pub fn reset(&self) {
        self.exceeded_ns.store(0, Relaxed);
        self.is_exceeded.store(false, Relaxed);
    }

    /// Bytes that have to go, given how many are in use.
    pub(crate) fn excess(&self, used: u64, max: u64) -> u64 {
        used.saturating_sub(self.pending.load(Relaxed))
            .saturating_sub(max)
    }

    /// Notes whether there is too much in use.
    pub(crate) fn note(&self, is_exceeded: bool, now_ns: impl FnOnce() -> u64) {
        if self.is_exceeded.load(Relaxed) == is_exceeded {
            return;
        }
        let now_ns = now_ns();
        if self.is_exceeded.swap(is_exceeded, Relaxed) == is_exceeded {
            return;
        }
        if is_exceeded {
            self.exceeded_since_ns.store(now_ns, Relaxed);
        } else {
            let since_ns = self.exceeded_since_ns.load(Relaxed);
            self.exceeded_ns
                .fetch_add(now_ns.saturating_sub(since_ns), Relaxed);
        }
    }

    /// Gives a thread a new grant in place of its last one.
    pub(crate) fn grant(&self, headroom: &mut Headroom, host: &dyn Host, used: u64, max: u64) {
        self.take_back(headroom);
        let free = max
            .saturating_sub(used)
            .saturating_sub(self.granted.load(Relaxed));
        let granted = (free / (4 * self.threads.max(1))).min(GRANT_MAX);
        if granted >= GRANT_MIN {
            self.granted.fetch_add(granted, Relaxed);
            *headroom = Headroom {
                ceiling: host.thread_memory().saturating_add_unsigned(granted),
                granted,
            };
        }
    }

    /// Takes a thread's grant back.
    pub(crate) fn take_back(&self, headroom: &mut Headroom) {
        let before = std::mem::take(headroom);
        self.granted.fetch_sub(before.granted, Relaxed);
    }

    /// Notes how many keys a shard has.
    pub(crate) fn count_keys(&self, shard: u16, all: usize, volatile: usize) {
        let Some(keys) = self.shards.get(usize::from(shard)) else {
            return;
        };
        let clamped = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        keys.all.store(clamped(all), Relaxed);
        keys.volatile.store(clamped(volatile), Relaxed);
        self.keys_max.fetch_max(clamped(all), Relaxed);
        self.volatile_max.fetch_max(clamped(volatile), Relaxed);
    }

    /// The shard whose keys are to be counted next.
    pub(crate) fn next_to_count(&self) -> u16 {
        let next = self.next.fetch_add(1, Relaxed) as usize;
        (next & (self.shards.len() - 1)) as u16
    }

    /// Some shard with keys, with a probability that goes by their number; `None` when none is known to have any.
    pub(crate) fn choose_shard(&self, population: Population, rng: &mut Rng) -> Option<u16> {
        let (count, max): (fn(&Keys) -> &AtomicU32, _) = match population {
            Population::All => (|keys| &keys.all, &self.keys_max),
            Population::Volatile => (|keys| &keys.volatile, &self.volatile_max),
        };
        let max = u64::from(max.load(Relaxed));
        let of = |shard: usize| {
            self.shards
                .get(shard)
                .map_or(0, |keys| count(keys).load(Relaxed))
        };
        let shards = self.shards.len();
        for _ in 0..CHOICES {
            let shard = rng.below(shards as u64) as usize;
            let keys = u64::from(of(shard));
            if keys > 0 && rng.below(max) < keys {
                return Some(shard as u16);
            }
        }
        let start = rng.below(shards as u64) as usize;
        (start..shards)
            .chain(0..start)
            .find(|shard| of(*shard) > 0)
            .map(|shard| shard as u16)
    }

    /// Puts what was sampled into the pool.
    pub(crate) fn offer(&self, rank: Option<Rank>, sample: &[Candidate]) {
        let mut pool = self.pool.lock();
        if pool.rank != rank {
            pool.candidates.clear();
            pool.rank = rank;
        }
        sample.iter().for_each(|candidate| pool.offer(*candidate));
    }

    /// Takes the best candidate out of the pool.
    pub(crate) fn take_best(&self) -> Option<Candidate> {
        self.pool.lock().candidates.pop()
    }

    /// Values to be freed in the background, as bytes that count as freed; they are given back when too much is on its way
    /// already.
    pub(crate) fn depart(
        &self,
        values: Vec<Object>,
        bytes: u64,
        max: u64,
    ) -> Result<Departing, Vec<Object>> {
        if self.pending.load(Relaxed) > max / PENDING_PART {
            return Err(values);
        }
        self.pending.fetch_add(bytes, Relaxed);
        Ok(Departing {
            values,
            bytes,
            pending: Arc::clone(&self.pending),
        })
    }
}

impl Pool {
    fn offer(&mut self, candidate: Candidate) {
        let is_full = self.candidates.len() >= POOL_SIZE;
        let worst = self.candidates.first().map_or(0, |worst| worst.score);
        let known = |other: &Candidate| other.hash == candidate.hash && other.db == candidate.db;
        if is_full && candidate.score <= worst {
            return;
        }
        if let Some(at) = self.candidates.iter().position(known) {
            self.candidates.remove(at);
        } else if is_full {
            self.candidates.remove(0);
        }
        let at = self
            .candidates
            .partition_point(|other| other.score < candidate.score);
        self.candidates.insert(at, candidate);
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.values.clear();
        self.pending.fetch_sub(self.bytes, Relaxed);
    }
}

/// The hash by which a candidate is found again.
pub(crate) fn hash_of(seed: HashSeed, entry: &Entry<Object>) -> u64 {
    seed.hash(entry.key())
}
