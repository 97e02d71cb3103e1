//! Loading of RDB streams into the keyspace, and what is refused meanwhile.

use engine::World;
use engine::loading::{
    Expired, LoadError, LoadObserver, LoadProgress, LoadTerms, Loaded, Pace, Present, load,
};
use persist::{
    Checksums, Compression, KeyFacts, RdbVersion, RdbWriter, Reason, Sanitize, Verified,
};
use resp::Value;
use std::ops::ControlFlow;
use store::ValueRef;
use testkit::Dispatcher;

const TERMS: LoadTerms = LoadTerms {
    expired: Expired::Skip,
    present: Present::Refuse,
    sanitize: Sanitize::Framing,
    checksums: Checksums::Verify,
    size: None,
};

/// What an observer saw.
#[derive(Default)]
struct Seen {
    aux: Vec<String>,
    progress: Vec<LoadProgress>,
    pace: Option<Pace>,
    ends_after: Option<u64>,
}

impl LoadObserver for Seen {
    fn aux(&mut self, name: &[u8], _value: &[u8]) {
        self.aux.push(String::from_utf8_lossy(name).into_owned());
    }

    fn key(&mut self) -> Pace {
        self.pace.unwrap_or(Pace::Batch)
    }

    fn progress(&mut self, progress: LoadProgress) -> ControlFlow<()> {
        self.progress.push(progress);
        match self.ends_after {
            Some(keys) if progress.keys >= keys => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// A stream with these keys of a database, each with its deadline.
fn stream(db: u64, keys: &[(&str, Option<i64>)]) -> Vec<u8> {
    let mut rdb = RdbWriter::new(
        Vec::new(),
        RdbVersion::V11,
        Compression::Lzf,
        Checksums::Verify,
    )
    .unwrap();
    rdb.aux(b"something", store::Item::Integer(1)).unwrap();
    rdb.select(db, keys.len() as u64, 0).unwrap();
    for (key, expiry) in keys {
        let facts = KeyFacts {
            expiry: *expiry,
            ..KeyFacts::default()
        };
        rdb.record(key.as_bytes(), ValueRef::Bytes(b"value"), &facts)
            .unwrap();
    }
    rdb.finish().unwrap()
}

fn loaded(server: &Dispatcher, bytes: &[u8], terms: LoadTerms) -> Result<Loaded, LoadError> {
    load(server.engine(), bytes, terms, &mut Seen::default()).map(|(loaded, ..)| loaded)
}

#[test]
fn keys_come_into_their_databases_with_their_deadlines() {
    let mut server = Dispatcher::default();
    let far = 1_710_000_100_000;
    let mut bytes = stream(3, &[("a", None), ("b", Some(far)), ("c", Some(1))]);
    bytes.extend(b"PING");
    let mut seen = Seen::default();
    let (loaded, rest, ahead) = load(server.engine(), &bytes[..], TERMS, &mut seen).unwrap();
    assert_eq!([&ahead[..], rest].concat(), b"PING");
    assert_eq!((loaded.version, loaded.verified), (11, Verified::Right));
    assert_eq!((loaded.progress.keys, loaded.progress.expired), (2, 1));
    assert_eq!(loaded.progress.bytes, bytes.len() as u64 - 4);
    assert_eq!(seen.aux, ["something"]);
    server.session(0).select(3);
    assert_eq!(server.call("DBSIZE"), Value::Integer(2));
    assert_eq!(server.call("PTTL b"), Value::Integer(100_000));
    assert_eq!(server.call("TTL a"), Value::Integer(-1));
}

#[test]
fn room_is_made_for_the_keys_that_are_announced_as_far_as_the_stream_reaches() {
    let names: Vec<String> = (0..10_000).map(|key| format!("key:{key}")).collect();
    let keys: Vec<(&str, Option<i64>)> = names.iter().map(|name| (&name[..], None)).collect();
    let announcing = |announced: u64| {
        let (lzf, verify) = (Compression::Lzf, Checksums::Verify);
        let mut rdb = RdbWriter::new(Vec::new(), RdbVersion::V11, lzf, verify).unwrap();
        rdb.select(0, announced, 0).unwrap();
        for (key, _) in &keys {
            let facts = KeyFacts::default();
            rdb.record(key.as_bytes(), ValueRef::Bytes(b"value"), &facts)
                .unwrap();
        }
        rdb.finish().unwrap()
    };
    for announced in [0, 100, 10_000, 300_000, u64::MAX] {
        let mut server = Dispatcher::default();
        let bytes = announcing(announced);
        let terms = LoadTerms {
            size: Some(bytes.len() as u64),
            ..TERMS
        };
        loaded(&server, &bytes, terms).unwrap();
        assert_eq!(server.call("DBSIZE"), Value::Integer(10_000));
        for name in names.iter().step_by(97) {
            assert_eq!(server.call(&format!("STRLEN {name}")), Value::Integer(5));
        }
        let engine = server.shared_engine();
        let mut held = engine.take_everything();
        let buckets = |shard: &store::Shard| shard.db(0).table().stats().buckets;
        let buckets: usize = held.shards().iter().map(|(_, shard)| buckets(shard)).sum();
        assert!((1600..3000).contains(&buckets), "{announced}: {buckets}");
    }
}

#[test]
fn a_replica_keeps_what_has_expired() {
    let mut server = Dispatcher::default();
    let terms = LoadTerms {
        expired: Expired::Keep,
        ..TERMS
    };
    let loaded = loaded(&server, &stream(0, &[("a", Some(1))]), terms).unwrap();
    assert_eq!((loaded.progress.keys, loaded.progress.expired), (1, 0));
    assert_eq!(server.call("DBSIZE"), Value::Integer(1));
}

#[test]
fn a_key_that_comes_twice_is_refused_or_replaced() {
    let mut server = Dispatcher::default();
    let twice = stream(0, &[("a", None), ("a", None)]);
    match loaded(&server, &twice, TERMS) {
        Err(LoadError::Duplicate { key, db: 0, .. }) => assert_eq!(&key[..], b"a"),
        other => panic!("{other:?}"),
    }
    server.call("SET a old");
    let merge = LoadTerms {
        present: Present::Replace,
        ..TERMS
    };
    loaded(&server, &twice, merge).unwrap();
    assert_eq!(
        server.call("GET a"),
        Value::Bulk(b"value".as_slice().into())
    );
}

#[test]
fn what_is_wrong_is_named_with_the_byte() {
    let server = Dispatcher::default();
    let bytes = stream(0, &[("key", None)]);
    let short = loaded(&server, &bytes[..bytes.len() - 12], TERMS).unwrap_err();
    match short {
        LoadError::Rdb(error) => {
            assert_eq!(error.reason, Reason::EndOfInput);
            assert!(error.offset > 20, "{error}");
        }
        other => panic!("{other:?}"),
    }
    let mut damaged = stream(0, &[]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let damaged = loaded(&server, &damaged, TERMS).unwrap_err();
    assert!(
        matches!(&damaged, LoadError::Rdb(error) if matches!(error.reason, Reason::Checksum { .. })),
        "{damaged:?}"
    );
    let far_away = loaded(&server, &stream(99, &[]), TERMS).unwrap_err();
    assert!(
        far_away.to_string().starts_with(
            "The RDB file has keys of database 99, and this server is configured to handle 16 databases (at byte "
        ),
        "{far_away}"
    );
}

#[test]
fn keys_appear_in_batches_and_the_observer_may_end_the_load() {
    let mut server = Dispatcher::default();
    let names: Vec<String> = (0..1000).map(|key| format!("key:{key}")).collect();
    let keys: Vec<(&str, Option<i64>)> = names.iter().map(|name| (&**name, None)).collect();
    let bytes = stream(0, &keys);
    let mut seen = Seen {
        ends_after: Some(500),
        ..Seen::default()
    };
    let result = load(server.engine(), &bytes[..], TERMS, &mut seen);
    assert_eq!(result.unwrap_err(), LoadError::Aborted);
    assert_eq!(seen.progress.len(), 2);
    assert_eq!(server.call("DBSIZE"), Value::Integer(512));
    server.call("FLUSHALL");
    let mut seen = Seen {
        pace: Some(Pace::Flush),
        ..Seen::default()
    };
    load(server.engine(), &bytes[..], TERMS, &mut seen).unwrap();
    assert_eq!(seen.progress.len(), 1001, "one a key, and one at the end");
}

#[test]
fn what_needs_the_dataset_is_refused_meanwhile() {
    let mut server = Dispatcher::default();
    server.call("MULTI");
    server.call("SET a 1");
    let begin = |world: &mut World| world.loading = true;
    server.engine().change_world(begin);
    let error = |text: &str| Value::Error(text.as_bytes().to_vec().into());
    assert_eq!(
        server.call("EXEC"),
        error(
            "EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory"
        )
    );
    let refused = error("LOADING Redis is loading the dataset in memory");
    assert_eq!(server.call("GET a"), refused);
    assert_eq!(server.call("DBSIZE"), refused);
    assert_eq!(server.call("MULTI"), Value::Simple(b"OK".as_slice().into()));
    assert_eq!(server.call("GET a"), refused);
    assert_eq!(
        server.call("EXEC"),
        error("EXECABORT Transaction discarded because of previous errors.")
    );
    assert_eq!(
        server.call("UNSUBSCRIBE x"),
        server.call("UNSUBSCRIBE x"),
        "what needs no key runs"
    );
}
