//! What replication costs and what encryption adds to it: a full synchronisation, and writes that wait for the replica,
//! plaintext beside TLS, between two servers in this process.

#![allow(dead_code, reason = "each bench uses its part of `live`")]
#![allow(clippy::disallowed_methods, reason = "criterion measures time")]

mod live;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use cuirass::Kind;
use live::{Key, Live, request};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Keys that a full synchronisation carries.
const KEYS: usize = 50_000;
/// Bytes of a value.
const VALUE: usize = 100;
/// Writes of a batch, after which the primary waits for the replica.
const BATCH: usize = 1000;

const LINKS: [(&str, Kind); 2] = [("plaintext", Kind::Tcp), ("tls", Kind::Tls)];

/// A plaintext client that reads replies one by one.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(server: &Live) -> Self {
        Self(BufReader::new(server.plain()))
    }

    fn send(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        stream.write_all(bytes).expect("the server reads");
    }

    /// The next reply: a line, or the text of a bulk string.
    fn reply(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server answers");
        let Some(length) = line
            .strip_prefix('$')
            .and_then(|length| length.trim().parse::<usize>().ok())
        else {
            return line;
        };
        let mut text = vec![0; length + 2];
        self.0.read_exact(&mut text).expect("the server answers");
        String::from_utf8_lossy(&text).into_owned()
    }

    fn call(&mut self, words: &[&str]) -> String {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.send(&request(&words));
        let reply = self.reply();
        assert!(!reply.starts_with('-'), "{words:?}: {reply}");
        reply
    }
}

/// Writes that fill a primary, or that a batch consists of.
fn sets(count: usize) -> Vec<u8> {
    let value = [b'x'; VALUE];
    (0..count)
        .flat_map(|number| request(&[b"SET", format!("key:{number}").as_bytes(), &value]))
        .collect()
}

fn fill(primary: &mut Client) {
    for batch in sets(KEYS).chunks(1 << 20) {
        primary.send(batch);
    }
    (0..KEYS).for_each(|_| assert_eq!(primary.reply(), "+OK\r\n"));
}

/// Makes `replica` follow over such a link, and waits until it has the dataset.
fn follow(replica: &mut Client, port: &str) {
    replica.call(&["REPLICAOF", "127.0.0.1", port]);
    while !replica
        .call(&["INFO", "replication"])
        .contains("master_link_status:up")
    {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn group<'c>(
    criterion: &'c mut Criterion,
    name: &str,
    elements: usize,
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("replication/{name}"));
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(elements as u64));
    group
}

fn replication(criterion: &mut Criterion) {
    let (primary, replica) = (Live::start(Key::P256), Live::start(Key::P256));
    let (mut writer, mut follower) = (Client::of(&primary), Client::of(&replica));
    follower.call(&["CONFIG", "SET", "tls-ca-cert-file", &primary.authority()]);
    writer.call(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    fill(&mut writer);
    let mut benches = group(criterion, "full-sync-50k", KEYS);
    for (name, kind) in LINKS {
        let port = link(&mut follower, &primary, kind);
        benches.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                (0..times)
                    .map(|_| {
                        let start = Instant::now();
                        follow(&mut follower, &port);
                        let took = start.elapsed();
                        follower.call(&["REPLICAOF", "NO", "ONE"]);
                        took
                    })
                    .sum()
            });
        });
    }
    benches.finish();
    let mut benches = group(criterion, "steady-1000-sets", BATCH);
    let batch = sets(BATCH);
    for (name, kind) in LINKS {
        let port = link(&mut follower, &primary, kind);
        follow(&mut follower, &port);
        benches.bench_function(name, |bencher| {
            bencher.iter(|| {
                writer.send(&batch);
                (0..BATCH).for_each(|_| assert_eq!(writer.reply(), "+OK\r\n"));
                assert_eq!(writer.call(&["WAIT", "1", "0"]), ":1\r\n");
            });
        });
        follower.call(&["REPLICAOF", "NO", "ONE"]);
    }
    benches.finish();
}

/// Chooses the kind of link, and says to which port of the primary it goes.
fn link(follower: &mut Client, primary: &Live, kind: Kind) -> String {
    let tls = if kind == Kind::Tls { "yes" } else { "no" };
    follower.call(&["CONFIG", "SET", "tls-replication", tls]);
    primary.port(kind).to_string()
}

criterion_group!(benches, replication);
criterion_main!(benches);
