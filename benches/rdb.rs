//! Criterion: RDB files of a hundred thousand small strings, read into a keyspace and written; and the compression of strings.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use persist::{
    Checksums, Compression, KeyFacts, RdbItem, RdbReader, RdbVersion, RdbWriter, Sanitize,
};
use store::table::{HashSeed, Table};
use store::{Entry, Object, Tuning, ValueRef};

#[global_allocator]
static ALLOCATOR: alloc::CountingAllocator = alloc::CountingAllocator;

const KEYS: u64 = 100_000;

/// A file of small strings under keys of 16 bytes.
fn written(compression: Compression) -> Vec<u8> {
    let out = Vec::with_capacity(10 << 20);
    let mut writer = RdbWriter::new(out, RdbVersion::V11, compression, Checksums::Verify)
        .expect("memory takes everything");
    let facts = KeyFacts::default();
    for number in 0..KEYS {
        let (key, value) = (
            format!("key:{number:012}"),
            format!("value:{:058}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        );
        writer
            .record(key.as_bytes(), ValueRef::Bytes(value.as_bytes()), &facts)
            .expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything")
}

/// Reads a file into a keyspace; how many keys it has.
fn loaded(bytes: &[u8], tuning: &Tuning, seed: HashSeed) -> usize {
    let mut keyspace: Table<Entry<Object>> = Table::new();
    let mut reader = RdbReader::new(bytes, tuning, Sanitize::Framing, Checksums::Verify);
    while let Some(item) = reader.next_item().expect("the file is sound") {
        if let RdbItem::Record(record) = item {
            let entry = record.value.into_entry(record.key, record.expiry);
            keyspace.insert(seed, seed.hash(record.key), entry);
        }
    }
    keyspace.len()
}

fn files(criterion: &mut Criterion) {
    let (tuning, seed) = (Tuning::default(), HashSeed::new(1));
    let mut group = criterion.benchmark_group("rdb");
    group.sample_size(20).throughput(Throughput::Elements(KEYS));
    for (name, compression) in [("plain", Compression::None), ("lzf", Compression::Lzf)] {
        let bytes = written(compression);
        group.bench_function(format!("load {name}"), |bencher| {
            bencher.iter(|| loaded(&bytes, &tuning, seed));
        });
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter(|| written(compression));
        });
    }
    group.finish();
}

criterion_group!(benches, files);
criterion_main!(benches);
