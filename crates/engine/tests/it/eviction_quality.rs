//! How good the choice of evicted keys is: the share of reads that find their key, on a trace of a skewed distribution,
//! beside exact orders and beside the sampling that Redis does.

use commands::Rng;
use engine::{EvictionRules, Population, Rank};
use std::collections::{BTreeSet, HashMap};
use store::AccessPolicy;
use testkit::{Dispatcher, render};

/// Keys that are asked for.
const KEYS: usize = 4000;
/// Keys that there is room for.
const ROOM: usize = 400;
/// Reads before anything is counted, and reads that are.
const WARM_UP: usize = 8000;
const COUNTED: usize = 24_000;
/// Bytes of a key.
const KEY: u64 = 1000;

/// Numbers of keys, key `n` as likely as `1 / (n + 1)`.
struct Zipf {
    cumulated: Vec<f64>,
    rng: Rng,
}

impl Zipf {
    fn new(seed: u64) -> Self {
        let cumulated = (1..=KEYS).scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        });
        Self {
            cumulated: cumulated.collect(),
            rng: Rng::new(seed),
        }
    }

    fn next(&mut self) -> usize {
        let all = self.cumulated.last().copied().unwrap_or(0.0);
        let at = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * all;
        self.cumulated
            .partition_point(|sum| *sum < at)
            .min(KEYS - 1)
    }
}

/// A cache: whether it has a key, which it has after that.
trait Cache {
    fn read(&mut self, key: usize) -> bool;
}

fn hit_percent(cache: &mut impl Cache) -> f64 {
    let mut trace = Zipf::new(11);
    for _ in 0..WARM_UP {
        cache.read(trace.next());
    }
    let hits = (0..COUNTED).filter(|_| cache.read(trace.next())).count();
    hits as f64 * 100.0 / COUNTED as f64
}

/// The exact order of use.
#[derive(Default)]
struct ExactLru {
    time: u64,
    used: HashMap<usize, u64>,
    order: BTreeSet<(u64, usize)>,
}

impl Cache for ExactLru {
    fn read(&mut self, key: usize) -> bool {
        self.time += 1;
        let before = self.used.insert(key, self.time);
        if let Some(before) = before {
            self.order.remove(&(before, key));
        } else if self.order.len() == ROOM
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.used.remove(&oldest);
        }
        self.order.insert((self.time, key));
        before.is_some()
    }
}

/// Five keys are sampled for each that goes, and the sixteen best are remembered: what Redis 7.2 does.
struct SampledLru {
    time: u64,
    keys: Vec<(usize, u64)>,
    places: HashMap<usize, usize>,
    /// Idle since, and key; the best last.
    pool: Vec<(u64, usize)>,
    rng: Rng,
}

impl SampledLru {
    fn evict(&mut self) {
        loop {
            for _ in 0..5 {
                let (key, used) = self.keys[self.rng.below(self.keys.len() as u64) as usize];
                self.pool.retain(|(_, other)| *other != key);
                let at = self.pool.partition_point(|(other, _)| *other > used);
                self.pool.insert(at, (used, key));
            }
            let surplus = self.pool.len().saturating_sub(16);
            self.pool.drain(..surplus);
            while let Some((_, key)) = self.pool.pop() {
                if let Some(place) = self.places.remove(&key) {
                    self.keys.swap_remove(place);
                    if let Some((moved, _)) = self.keys.get(place) {
                        self.places.insert(*moved, place);
                    }
                    return;
                }
            }
        }
    }
}

impl Cache for SampledLru {
    fn read(&mut self, key: usize) -> bool {
        self.time += 1;
        if let Some(place) = self.places.get(&key) {
            self.keys[*place].1 = self.time;
            return true;
        }
        if self.keys.len() == ROOM {
            self.evict();
        }
        self.places.insert(key, self.keys.len());
        self.keys.push((key, self.time));
        false
    }
}

/// The server, with a second between two reads.
struct Server(Dispatcher);

impl Server {
    fn new(rank: Rank) -> Self {
        let mut server = Dispatcher::default();
        server.weigh_keys(KEY);
        let max = server.used_memory() + ROOM as u64 * KEY;
        server.engine().change_world(|world| {
            world.maxmemory = max;
            world.eviction = EvictionRules {
                rank: Some(rank),
                population: Population::All,
                ..EvictionRules::default()
            };
            if rank == Rank::LeastFrequentlyUsed {
                world.settings.access = AccessPolicy::Lfu {
                    log_factor: 10,
                    decay_minutes: 60,
                };
            }
        });
        Self(server)
    }
}

impl Cache for Server {
    fn read(&mut self, key: usize) -> bool {
        self.0.advance_ms(1000);
        let found = render(&self.0.call(&format!("GET {key}"))) != "nil";
        if !found {
            self.0.call(&format!("SET {key} v"));
            self.0.allocate(KEY);
        }
        found
    }
}

#[test]
fn least_recently_used_is_as_good_as_sampling_and_nearly_exact() {
    let exact = hit_percent(&mut ExactLru::default());
    let sampled = hit_percent(&mut SampledLru {
        time: 0,
        keys: Vec::new(),
        places: HashMap::new(),
        pool: Vec::new(),
        rng: Rng::new(5),
    });
    let ours = hit_percent(&mut Server::new(Rank::LeastRecentlyUsed));
    eprintln!("LRU: exact {exact:.2} %, sampled {sampled:.2} %, ours {ours:.2} %");
    assert!(ours >= sampled - 0.25, "ours {ours}, sampled {sampled}");
    assert!(ours >= exact - 1.0, "ours {ours}, exact {exact}");
}

#[test]
fn least_frequently_used_is_better_on_a_trace_whose_favourites_stay() {
    let lru = hit_percent(&mut ExactLru::default());
    let ours = hit_percent(&mut Server::new(Rank::LeastFrequentlyUsed));
    // The best that any cache can do without knowing the future: the favourites are always there.
    let favourites: f64 = (1..=ROOM).map(|rank| 1.0 / rank as f64).sum();
    let all: f64 = (1..=KEYS).map(|rank| 1.0 / rank as f64).sum();
    let best = favourites * 100.0 / all;
    eprintln!("LFU: exact LRU {lru:.2} %, best {best:.2} %, ours {ours:.2} %");
    assert!(ours >= lru + 2.0, "ours {ours}, exact LRU {lru}");
    assert!(ours >= best - 6.0, "ours {ours}, best {best}");
}
