//! Criterion: commands on strings through an executor, over a million keys: all that a call costs but sockets and parsing.

use std::any::Any;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use commands::Now;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Engine, Executor, Host, Layout, Session, Taker, World, clients::Peer};
use store::HashSeed;

#[global_allocator]
static ALLOCATOR: alloc::CountingAllocator = alloc::CountingAllocator;

/// Keys that there are.
const KEYS: u64 = 1_000_000;

/// A host that reads the machine's clocks.
#[derive(Debug)]
struct Machine(Instant);

impl Host for Machine {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark pays for the clock as a server does"
    )]
    fn now(&self) -> Now {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            unix_us: i64::try_from(unix.as_micros()).unwrap_or(i64::MAX),
            monotonic_ns: u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn used_memory(&self) -> u64 {
        0
    }

    fn thread_memory(&self) -> i64 {
        0
    }

    fn is_freeing(&self) -> bool {
        false
    }

    fn drop_later(&self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
}

/// An executor and its one session.
struct Caller {
    executor: Executor,
    session: Session,
}

impl Caller {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark pays for the clock as a server does"
    )]
    fn new() -> Self {
        let layout = Layout {
            shards: 64,
            databases: 16,
            threads: 1,
            seed: HashSeed::new(7),
        };
        let engine = Arc::new(Engine::new(
            layout,
            World::default(),
            Arc::new(Machine(Instant::now())),
            &commands::all(),
            &engine::commands(),
        ));
        let executor = Executor::new(Arc::clone(&engine), 0, Taker::Worker, 42);
        let session = Session::new(engine.clients.add(Peer::default(), 0), true);
        Self { executor, session }
    }

    fn call(&mut self, argv: &[&[u8]]) {
        black_box(self.executor.call(&mut self.session, argv));
        self.session.out.clear();
    }
}

fn key(prefix: &[u8; 4], number: u64) -> [u8; 16] {
    let mut key = *b"    000000000000";
    key[..4].copy_from_slice(prefix);
    for (place, digit) in key[4..].iter_mut().rev().enumerate() {
        *digit = b'0' + (number / 10_u64.pow(place as u32) % 10) as u8;
    }
    key
}

/// A fixed stream of numbers below `bound`, so that runs compare.
fn numbers(bound: u64) -> impl FnMut() -> u64 {
    let mut state = 1_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    }
}

fn strings(criterion: &mut Criterion) {
    let mut caller = Caller::new();
    let value = [b'v'; 64];
    for number in 0..KEYS {
        caller.call(&[b"SET", &key(b"key:", number), &value]);
        caller.call(&[b"SET", &key(b"num:", number), b"1"]);
    }
    let mut next = numbers(KEYS);
    let mut group = criterion.benchmark_group("commands");
    group.bench_function("GET", |bencher| {
        bencher.iter(|| caller.call(&[b"GET", &key(b"key:", next())]));
    });
    group.bench_function("GET of one key", |bencher| {
        let key = key(b"key:", 7);
        bencher.iter(|| caller.call(&[b"GET", &key]));
    });
    group.bench_function("SET", |bencher| {
        bencher.iter(|| caller.call(&[b"SET", &key(b"key:", next()), &value]));
    });
    group.bench_function("SET of one key", |bencher| {
        let key = key(b"key:", 7);
        bencher.iter(|| caller.call(&[b"SET", &key, &value]));
    });
    group.bench_function("INCR", |bencher| {
        bencher.iter(|| caller.call(&[b"INCR", &key(b"num:", next())]));
    });
    group.bench_function("SET with EX", |bencher| {
        bencher.iter(|| caller.call(&[b"SET", &key(b"ttl:", next()), &value, b"EX", b"1000"]));
    });
    group.bench_function("APPEND to a growing string", |bencher| {
        caller.call(&[b"DEL", b"grown"]);
        bencher.iter(|| caller.call(&[b"APPEND", b"grown", b"0123456789"]));
    });
    group.finish();
}

criterion_group!(benches, strings);
criterion_main!(benches);
