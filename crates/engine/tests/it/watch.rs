//! WATCH notices every way in which a key changes.

use testkit::{Dispatcher, render};

/// What is done before WATCH, the watched key, and the command that changes it.
const CHANGES: &[(&[&str], &str, &str)] = &[
    (&[], "k", "SET k v"),
    (&["SET k v"], "k", "SET k v"),
    (&["SET k v"], "k", "DEL k"),
    (&["SET k 1"], "k", "INCR k"),
    (&[], "k", "INCR k"),
    (&[], "b", "MSET a 1 b 2"),
    (&[], "a", "MSET a 1 b 2"),
    (&[], "b", "MSETNX a 1 b 2"),
    (&["SET a 1"], "a", "RENAME a b"),
    (&["SET a 1"], "b", "RENAME a b"),
    (&["SET a 1", "SET b 2"], "b", "RENAME a b"),
    (&["SET a 1"], "b", "RENAMENX a b"),
    (&["SET a 1"], "b", "COPY a b"),
    (&["SET a 1", "SET b 1"], "b", "COPY a b REPLACE"),
    (&[], "s", "SADD s m"),
    (&["SADD s m"], "s", "SADD s n"),
    (&["SADD s m"], "s", "SREM s m"),
    (&["SADD s m"], "s", "SMOVE s t m"),
    (&["SADD s m n"], "s", "SMOVE s t m"),
    (&["SADD s m"], "t", "SMOVE s t m"),
    (&["SADD s m", "SADD t n"], "t", "SMOVE s t m"),
    (&["SADD s m", "SADD t m"], "s", "SMOVE s t m"),
    (&["SET k v"], "k", "EXPIRE k 100"),
    (&["SET k v EX 100"], "k", "PERSIST k"),
    (&["HSET h f v"], "h", "HDEL h f"),
    (&["RPUSH l a"], "l", "LPOP l"),
    (&["RPUSH l a"], "m", "LMOVE l m LEFT RIGHT"),
    (&["ZADD z 1 a"], "z", "ZINCRBY z 1 a"),
    (&["SADD s m"], "d", "SUNIONSTORE d s"),
    (&["SET k v"], "k", "FLUSHDB"),
    (&["SET k v"], "k", "FLUSHALL"),
    (&["SET k v"], "k", "SWAPDB 0 1"),
];

#[test]
fn every_change_is_noticed() {
    for (before, watched, change) in CHANGES {
        let mut server = Dispatcher::default();
        let other = server.connect();
        before.iter().for_each(|line| {
            server.call(line);
        });
        server.call(&format!("WATCH {watched}"));
        let words: Vec<&[u8]> = change.split(' ').map(str::as_bytes).collect();
        let reply = render(&server.call_words(other, &words));
        assert!(!reply.starts_with('-'), "{change}: {reply}");
        server.call("MULTI");
        assert_eq!(
            render(&server.call("EXEC")),
            "nil-array",
            "{before:?}, WATCH {watched}, {change}"
        );
    }
}
