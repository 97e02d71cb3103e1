//! What encryption costs end to end: GET, SET and MSET of ten keys, three sizes of value, three depths of pipeline,
//! plaintext beside three ciphers, over real loopback sockets against a server in this process.

#![allow(dead_code, reason = "each bench uses its part of `live`")]

mod live;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use live::{Key, Live, exchange, request};
use rustls::CipherSuite;
use rustls::version::TLS13;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// A case's request and the length of its reply.
struct Case {
    name: String,
    request: Vec<u8>,
    reply_len: usize,
    commands: u64,
}

const SIZES: [(&str, usize); 3] = [("16B", 16), ("1kB", 1024), ("16kB", 16 * 1024)];
const PIPELINES: [usize; 3] = [1, 16, 64];
const CIPHERS: [(&str, CipherSuite); 3] = [
    ("aes128gcm", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("aes256gcm", CipherSuite::TLS13_AES_256_GCM_SHA384),
    (
        "chacha20poly1305",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
];

fn encrypted_vs_plaintext(criterion: &mut Criterion) {
    let server = Live::start(Key::P256);
    let mut cases = Vec::new();
    for (size_name, size) in SIZES {
        let value = vec![b'x'; size];
        let keys: Vec<String> = (0..10)
            .map(|number| format!("key:{size_name}:{number}"))
            .collect();
        let key = keys[0].as_bytes();
        exchange(
            &mut server.plain(),
            &request(&[b"SET", key, &value]),
            &mut [0; 5],
        );
        let mut mset: Vec<&[u8]> = vec![b"MSET"];
        keys.iter()
            .for_each(|key| mset.extend([key.as_bytes(), &value]));
        let bulk_len = format!("${size}\r\n").len() + size + 2;
        for pipeline in PIPELINES {
            let mut add = |command: &str, one: Vec<u8>, reply_len: usize| {
                cases.push(Case {
                    name: format!("{command}/{size_name}/p{pipeline}"),
                    request: one.repeat(pipeline),
                    reply_len: reply_len * pipeline,
                    commands: pipeline as u64,
                });
            };
            add("get", request(&[b"GET", key]), bulk_len);
            add("set", request(&[b"SET", key, &value]), 5);
            add("mset", request(&mset), 5);
        }
    }
    for case in &cases {
        let mut group = criterion.benchmark_group(format!("encrypted_vs_plaintext/{}", case.name));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(400));
        group.throughput(Throughput::Elements(case.commands));
        measure(&mut group, "plaintext", case, server.plain());
        for (name, suite) in CIPHERS {
            let config = Arc::new(server.client(&TLS13, Some(suite)));
            measure(&mut group, name, case, server.tls(&config));
        }
        group.finish();
    }
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    mode: &str,
    case: &Case,
    mut stream: impl Read + Write,
) {
    let mut reply = vec![0; case.reply_len];
    group.bench_function(mode, |bencher| {
        bencher.iter(|| exchange(&mut stream, &case.request, &mut reply))
    });
}

criterion_group!(benches, encrypted_vs_plaintext);
criterion_main!(benches);
