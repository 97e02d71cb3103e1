//! Criterion: the hash table of the keyspace at a million entries.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use entry::Entry;
use store::table::{HashSeed, Place, Table};

#[global_allocator]
static ALLOCATOR: alloc::CountingAllocator = alloc::CountingAllocator;

/// Entries of the large table.
const ENTRIES: u64 = 1_000_000;

type Keyspace = Table<Entry<Vec<u8>>>;

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
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

fn filled(seed: HashSeed, entries: u64) -> Keyspace {
    let mut table = Table::new();
    for number in 0..entries {
        let key = key(number);
        table.insert(seed, seed.hash(&key), Entry::bytes(&key, &[b'v'; 64], None));
    }
    table
}

fn lookups(criterion: &mut Criterion) {
    let seed = HashSeed::new(42);
    for entries in [1_000, ENTRIES] {
        let table = filled(seed, entries);
        let mut next = numbers(entries);
        let mut group = criterion.benchmark_group(format!("table/{entries}"));
        group.bench_function("key alone", |bench| bench.iter(|| black_box(key(next()))));
        group.bench_function("hash", |bench| {
            bench.iter(|| black_box(seed.hash(&key(next()))))
        });
        group.bench_function("find", |bench| {
            bench.iter(|| {
                let key = key(next());
                black_box(table.find(seed.hash(&key), &key).map(Entry::access))
            });
        });
        group.bench_function("find missing", |bench| {
            bench.iter(|| {
                let key = key(ENTRIES + next());
                black_box(table.find(seed.hash(&key), &key).is_none())
            });
        });
        group.finish();
    }
}

fn changes(criterion: &mut Criterion) {
    let seed = HashSeed::new(42);
    let mut table = filled(seed, ENTRIES);
    let mut next = numbers(ENTRIES);
    let mut group = criterion.benchmark_group(format!("table/{ENTRIES}"));
    group.bench_function("find_mut and overwrite", |bench| {
        bench.iter(|| {
            let key = key(next());
            if let Some(entry) = table.find_mut(seed.hash(&key), &key) {
                entry.set_bytes(&[b'w'; 64]);
            }
        });
    });
    group.bench_function("remove and insert", |bench| {
        bench.iter(|| {
            let key = key(next());
            let hash = seed.hash(&key);
            let Place::Occupied(place) = table.place(hash, &key) else {
                return;
            };
            let entry = place.remove();
            table.insert(seed, hash, entry);
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("table");
    group.sample_size(10);
    group.bench_function("fill a million", |bench| {
        bench.iter_batched(|| (), |()| filled(seed, ENTRIES), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, lookups, changes);
criterion_main!(benches);
