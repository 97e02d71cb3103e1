//! KEYS, SCAN, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.

use resp::Value;
use std::collections::HashSet;
use testkit::{Dispatcher, check, check_with, render};

fn filled(keys: usize) -> Dispatcher {
    let mut server = Dispatcher::default();
    for key in 0..keys {
        server.call(&format!("SET key:{key} {key}"));
    }
    server
}

fn bulk(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{} is no bulk string", render(other)),
    }
}

/// One call of SCAN: where to go on, and the keys.
fn scan(server: &mut Dispatcher, cursor: &str, options: &str) -> (String, Vec<String>) {
    let reply = server.call(&format!("SCAN {cursor} {options}"));
    match reply {
        Value::Array(parts) => match &parts[..] {
            [next, Value::Array(keys)] => (bulk(next), keys.iter().map(bulk).collect()),
            _ => panic!("SCAN answers with a pair"),
        },
        other => panic!("{}", render(&other)),
    }
}

fn scan_all(server: &mut Dispatcher, options: &str) -> (Vec<String>, usize) {
    let (mut cursor, mut all, mut calls) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let (next, keys) = scan(server, &cursor, options);
        all.extend(keys);
        calls += 1;
        if next == "0" {
            return (all, calls);
        }
        cursor = next;
    }
}

#[test]
fn scan_names_every_key_once_and_about_count_a_call() {
    let mut server = filled(1000);
    let (keys, calls) = scan_all(&mut server, "");
    assert_eq!(keys.len(), 1000);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1000);
    assert!((50..=100).contains(&calls), "{calls} calls");
    let (keys, calls) = scan_all(&mut server, "COUNT 500");
    assert_eq!((keys.len(), calls), (1000, 2));
    let mut few = filled(3);
    assert_eq!(scan_all(&mut few, "").1, 1, "empty shards cost no call");
}

#[test]
fn scan_filters() {
    let mut server = filled(100);
    server.call("SADD set m");
    assert_eq!(scan_all(&mut server, "MATCH key:1*").0.len(), 11);
    assert_eq!(scan_all(&mut server, "MATCH * COUNT 1000").0.len(), 101);
    assert_eq!(scan_all(&mut server, "TYPE set").0, ["set"]);
    assert_eq!(scan_all(&mut server, "TYPE STRING").0.len(), 100);
    assert_eq!(scan_all(&mut server, "TYPE what").0.len(), 0);
    check(
        "
        > SCAN x
        < -ERR invalid cursor
        > SCAN 0 COUNT x
        < -ERR value is not an integer or out of range
        > SCAN 0 COUNT 0
        < -ERR syntax error
        > SCAN 0 COUNT
        < -ERR syntax error
        > SCAN 0 WHAT
        < -ERR syntax error
        > SCAN 18446744073709551615
        < [\"0\", []]
        > SCAN 18446744073709551616
        < -ERR invalid cursor
        > SCAN ''
        < [\"0\", []]
        ",
    );
}

#[test]
fn any_cursor_is_a_place() {
    let mut server = filled(50);
    for cursor in (0..64).map(|bit| u64::MAX >> bit).chain(0..300) {
        let (next, _) = scan(&mut server, &cursor.to_string(), "COUNT 3");
        assert!(next.parse::<u64>().is_ok_and(|next| next < 1 << 53));
    }
}

#[test]
fn scan_deletes_expired_keys_that_it_meets_and_keys_does_not() {
    let mut server = filled(20);
    check_with(
        &mut server,
        "
        > PEXPIRE key:1 5
        < :1
        > PEXPIRE key:2 5
        < :1
        @ 6
        > KEYS key:?
        <
        > DBSIZE
        < :20
        > SCAN 0 MATCH key:1 COUNT 100
        < [\"0\", []]
        > DBSIZE
        < :19
        > SCAN 0 TYPE set COUNT 100
        < [\"0\", []]
        > DBSIZE
        < :18
        ",
    );
    let stats = &server.engine().stats;
    assert_eq!(stats.sum(|thread| &thread.expired), 2);
    assert_eq!(
        (
            stats.sum(|thread| &thread.hits),
            stats.sum(|thread| &thread.misses)
        ),
        (18, 1),
        "TYPE is a lookup of each key"
    );
}

#[test]
fn keys_and_walks_inside_transactions() {
    let mut server = filled(3);
    check_with(
        &mut server,
        "
        > KEYS nothing*
        < []
        > KEYS key:2
        < [\"key:2\"]
        > PEXPIRE key:0 5
        < :1
        @ 6
        > MULTI
        < +OK
        > SCAN 0 COUNT 10 MATCH key:0
        < +QUEUED
        > DBSIZE
        < +QUEUED
        > DEL key:1
        < +QUEUED
        > KEYS *
        < +QUEUED
        > EXEC
        < [[\"0\", []], :2, :1, [\"key:2\"]]
        ",
    );
}

#[test]
fn randomkey_passes_over_expired_keys() {
    let mut server = filled(30);
    for key in 0..29 {
        server.call(&format!("PEXPIRE key:{key} 5"));
    }
    server.advance_ms(6);
    assert_eq!(render(&server.call("RANDOMKEY")), "\"key:29\"");
    server.call("DEL key:29");
    assert_eq!(render(&server.call("RANDOMKEY")), "nil");
    assert_eq!(render(&server.call("DBSIZE")), ":0");
}

#[test]
fn randomkey_reaches_every_key() {
    let mut server = filled(10);
    let seen: HashSet<String> = (0..300)
        .map(|_| render(&server.call("RANDOMKEY")))
        .collect();
    assert_eq!(seen.len(), 10);
}

#[test]
fn flushes_empty_databases() {
    check(
        "
        > MSET a 1 b 2
        < +OK
        > COPY a a DB 1
        < :1
        > FLUSHDB
        < +OK
        > DBSIZE
        < :0
        > SWAPDB 0 1
        < +OK
        > DBSIZE
        < :1
        > FLUSHALL ASYNC
        < +OK
        > DBSIZE
        < :0
        > FLUSHALL WHAT
        < -ERR syntax error
        > FLUSHDB SYNC ASYNC
        < -ERR syntax error
        > SWAPDB x 0
        < -ERR invalid first DB index
        > SWAPDB 0 x
        < -ERR invalid second DB index
        > SWAPDB 0 16
        < -ERR DB index is out of range
        ",
    );
}

/// Watches `k` after `before`, runs `then` on another connection, and tells whether EXEC went through.
fn exec_passes(before: &str, wait_ms: i64, then: &str) -> bool {
    let mut server = Dispatcher::default();
    let other = server.connect();
    let lines = before.split(';').map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .for_each(|line| drop(server.call(line)));
    server.advance_ms(wait_ms);
    server.call("WATCH k");
    let words: Vec<&[u8]> = then.split(' ').map(str::as_bytes).collect();
    server.call_words(other, &words);
    server.call("MULTI");
    server.call("DBSIZE");
    matches!(server.call("EXEC"), Value::Array(_))
}

#[test]
fn watched_keys_of_whole_databases() {
    for (before, wait_ms, then, passes) in [
        ("SET k v", 0, "FLUSHALL", false),
        ("", 0, "FLUSHALL", true),
        ("SET k v", 0, "SWAPDB 0 1", false),
        ("SET k v; SWAPDB 0 1", 0, "SWAPDB 0 1", false),
        ("", 0, "SWAPDB 0 1", true),
        // A key that had expired is no different when it is gone.
        ("SET k v PX 5", 6, "FLUSHALL", true),
        ("SET k v PX 5", 6, "SWAPDB 0 1", true),
        // Nor is an absent one when an expired one takes its place.
        ("SET k v PX 5; SWAPDB 0 1", 6, "SWAPDB 0 1", true),
        ("SET k v", 0, "SWAPDB 0 0", true),
    ] {
        assert_eq!(
            exec_passes(before, wait_ms, then),
            passes,
            "{before} | {then}"
        );
    }
}
