//! Snapshots: what is written is the dataset of the cut, whatever calls do meanwhile.

use engine::loading::{Expired, LoadObserver, LoadTerms, Present, load};
use engine::snapshot::{Snapshot, SnapshotError, SnapshotObserver};
use engine::{Engine, World};
use event_listener::{EventListener, Listener};
use persist::{Checksums, Compression, RdbVersion, RdbWriter, Sanitize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use store::stream::{Direction, StreamId};
use store::{Entry, Item, Object, object_of, string_of};
use testkit::Dispatcher;

/// What a key holds, in an order of its own, with its deadline.
type Contents = BTreeMap<(u16, Vec<u8>), String>;

struct Nobody;

impl LoadObserver for Nobody {}

/// Runs commands on the first session while a snapshot is run: one each so many keys.
struct Meddler<'s> {
    server: &'s mut Dispatcher,
    commands: std::vec::IntoIter<String>,
    every: usize,
    keys: usize,
    breaks_at: Option<usize>,
}

impl SnapshotObserver for Meddler<'_> {
    fn key(&mut self) -> ControlFlow<()> {
        self.keys += 1;
        if self.keys.is_multiple_of(self.every)
            && let Some(command) = self.commands.next()
        {
            call(self.server, &command);
        }
        match self.breaks_at {
            Some(at) if self.keys >= at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Calls a command; one that begins with a number and a colon in that database.
fn call(server: &mut Dispatcher, line: &str) {
    let (db, line) = match line.split_once(": ") {
        Some((db, line)) => (db.parse().unwrap(), line),
        None => (0, line),
    };
    server.session(0).select(db);
    let reply = testkit::render(&server.call(line));
    assert!(!reply.starts_with("-ERR unknown"), "{line}: {reply}");
}

fn contents(engine: &Engine) -> Contents {
    let mut held = engine.take_everything();
    let mut all = Contents::new();
    for (_, shard) in held.shards() {
        for db in 0..shard.databases() {
            for entry in shard.db(db).table().iter() {
                let known = all.insert((db, entry.key().to_vec()), describe(entry));
                assert_eq!(known, None);
            }
        }
    }
    all
}

fn describe(entry: &Entry<Object>) -> String {
    let text = |item: Item<'_>| String::from_utf8_lossy(&item.to_vec()).into_owned();
    let mut parts: Vec<String> = match object_of(entry) {
        Some(Object::List(list)) => list.iter().map(text).collect(),
        Some(Object::Set(set)) => sorted(set.iter().map(text)),
        Some(Object::ZSet(zset)) => zset
            .iter()
            .map(|(member, score)| format!("{} {score}", text(member)))
            .collect(),
        Some(Object::Hash(hash)) => sorted(hash.iter(store::ALL_LIVE).map(|(field, value)| {
            let deadline = hash.deadline(&field.to_vec(), store::ALL_LIVE);
            format!("{} {} {deadline:?}", text(field), text(value))
        })),
        Some(Object::Stream(stream)) => {
            let entries = stream
                .entries
                .range(StreamId::MIN, StreamId::MAX, Direction::Forward);
            let entries = entries.map(|entry| {
                let fields = entry
                    .fields
                    .map(|(field, value)| text(field) + &text(value));
                format!("{:?} {}", entry.id, fields.collect::<String>())
            });
            let groups = stream
                .groups
                .iter()
                .map(|(name, group)| format!("{} {:?}", name.escape_ascii(), group.last_id));
            entries.chain(groups).collect()
        }
        Some(Object::String(_)) | None => string_of(entry).map(text).into_iter().collect(),
    };
    parts.push(format!("{:?} {:?}", store::kind_of(entry), entry.expiry()));
    parts.join("|")
}

fn sorted(parts: impl Iterator<Item = String>) -> Vec<String> {
    let mut parts: Vec<String> = parts.collect();
    parts.sort();
    parts
}

fn writer() -> RdbWriter<Vec<u8>> {
    writer_of(RdbVersion::V11)
}

fn writer_of(version: RdbVersion) -> RdbWriter<Vec<u8>> {
    RdbWriter::new(Vec::new(), version, Compression::Lzf, Checksums::Verify).unwrap()
}

/// What a server has that loads these bytes, which name no key twice.
fn reloaded(bytes: &[u8]) -> Contents {
    let server = Dispatcher::default();
    let terms = LoadTerms {
        expired: Expired::Keep,
        present: Present::Refuse,
        sanitize: Sanitize::Deep,
        checksums: Checksums::Verify,
        size: Some(bytes.len() as u64),
    };
    load(server.engine(), bytes, terms, &mut Nobody).unwrap();
    contents(server.engine())
}

/// Takes a snapshot of `server`, with commands after the cut and commands while it is run, and checks what it holds.
#[track_caller]
fn check(server: &mut Dispatcher, after: Vec<String>, during: Vec<String>, every: usize) {
    let engine = server.shared_engine();
    let expected = contents(&engine);
    let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
    assert_eq!(
        snapshot
            .counts()
            .iter()
            .map(|counts| counts.keys)
            .sum::<u64>(),
        expected.len() as u64
    );
    for command in &after {
        call(server, command);
    }
    let mut out = writer_of(snapshot.version());
    let mut meddler = Meddler {
        server,
        commands: during.into_iter(),
        every,
        keys: 0,
        breaks_at: None,
    };
    snapshot.run(&engine, &mut out, None, &mut meddler).unwrap();
    assert_eq!(meddler.keys, expected.len(), "each key once");
    let found = reloaded(&out.finish().unwrap());
    for (key, value) in &expected {
        assert_eq!(found.get(key), Some(value), "{key:?}");
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(engine.snapshots.progress(), None);
}

fn words(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// One key of every kind and form.
fn one_of_each(server: &mut Dispatcher) {
    let fields: String = (0..2000).map(|i| format!(" field:{i} value:{i}")).collect();
    let members: String = (0..2000).map(|i| format!(" member:{i}")).collect();
    let scored: String = (0..2000).map(|i| format!(" {i} member:{i}")).collect();
    let elements: String = (0..3000).map(|i| format!(" element:{i}")).collect();
    for command in [
        "SET text hello",
        "SET number 12",
        "SET volatile x PX 1000000",
        &format!("SET large {}", "y".repeat(100_000)),
        "RPUSH list a b c",
        &format!("RPUSH biglist{elements}"),
        "SADD intset 1 2 3",
        "SADD set a b c",
        &format!("SADD bigset{members}"),
        "ZADD zset 1 a 2 b",
        &format!("ZADD bigzset{scored}"),
        "HSET hash a 1 b 2",
        &format!("HSET bighash{fields}"),
        "XADD stream 1-1 a b",
        "XADD stream 2-1 a c",
        "XGROUP CREATE stream group 1-1",
        "3: SET other db",
        &format!("3: HSET bighash{fields}"),
    ] {
        call(server, command);
    }
}

#[test]
fn every_kind_comes_through() {
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    check(&mut server, vec![], vec![], 1);
}

#[test]
fn changes_in_place_after_the_cut_do_not_show() {
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    let changes = words(&[
        "APPEND text x",
        "SETRANGE large 5 zzz",
        "INCR number",
        "EXPIRE volatile 5",
        "PERSIST volatile",
        "RPUSH list d",
        "LPOP biglist 1000",
        "LSET biglist 5 x",
        "SADD intset 4",
        "SREM set a",
        "SPOP bigset 1000",
        "SADD bigset new",
        "ZINCRBY zset 5 a",
        "ZREMRANGEBYRANK bigzset 0 1500",
        "ZADD bigzset 5 member:1900",
        "HDEL hash a",
        "HSET bighash field:5 other new new",
        "HDEL bighash field:1000 field:1001",
        "XADD stream 3-1 a d",
        "XDEL stream 1-1",
        "XGROUP SETID stream group 2-1",
        "SET fresh 1",
        "3: HSET bighash field:9 x",
    ]);
    check(&mut server, changes.clone(), vec![], 1);
    check(&mut server, vec![], changes, 1);
}

#[test]
fn replacing_and_removing_does_not_show() {
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    let changes = words(&[
        "SET text other",
        "SET large small",
        "DEL number list biglist",
        "GETDEL volatile",
        "SET bigset now-a-string",
        "SINTERSTORE bigzset set",
        "DEL bighash",
        "RENAME hash bighash",
        "RENAME zset list",
        "COPY intset intset2",
        "MOVE stream 5",
        "3: MOVE bighash 0",
        "3: RENAME other bighash",
        "SORT set ALPHA STORE set",
    ]);
    check(&mut server, changes.clone(), vec![], 1);
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    check(&mut server, vec![], changes, 1);
}

#[test]
fn flushing_and_exchanging_databases_does_not_show() {
    for commands in [
        ["FLUSHDB", "3: FLUSHDB", "3: SET b 1"],
        ["SWAPDB 0 3", "FLUSHDB", "3: DEL bighash"],
        ["3: FLUSHDB", "SWAPDB 3 0", "3: HSET bighash field:1 x"],
        ["HSET bighash field:1 x", "FLUSHDB", "SWAPDB 0 3"],
        ["SWAPDB 0 3", "3: RENAME bighash elsewhere", "SWAPDB 3 7"],
    ] {
        for every in [1, 5] {
            let mut server = Dispatcher::default();
            one_of_each(&mut server);
            check(&mut server, words(&commands), vec![], every);
            let mut server = Dispatcher::default();
            one_of_each(&mut server);
            check(&mut server, vec![], words(&commands), every);
            check(&mut server, vec![], vec![], 1);
        }
    }
}

#[test]
fn a_value_that_is_half_delivered_may_move_and_go() {
    let fields: String = (0..5000).map(|i| format!(" field:{i} value:{i}")).collect();
    for change in [
        "RENAME big {big}other",
        "RENAME big elsewhere",
        "MOVE big 4",
        "DEL big",
        "SET big x",
        "FLUSHDB",
        "SWAPDB 0 4",
        "COPY big copied",
    ] {
        let mut server = Dispatcher::default();
        call(&mut server, &format!("HSET big{fields}"));
        let opened = [
            "HSET big field:7 x",
            change,
            "4: HSET big field:9 x",
            "SET y 1",
        ];
        check(&mut server, words(&opened), vec![], 1);
        check(&mut server, vec![], vec![], 1);
    }
}

#[test]
fn fields_have_the_deadlines_of_the_cut() {
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    call(&mut server, "HPEXPIRE hash 100000 FIELDS 1 a");
    call(
        &mut server,
        "HPEXPIRE bighash 100000 FIELDS 2 field:1 field:2",
    );
    let changes = words(&[
        "HPEXPIRE hash 5 FIELDS 1 b",
        "HPERSIST hash FIELDS 1 a",
        "HPERSIST bighash FIELDS 2 field:1 field:2",
        "HPEXPIRE bighash 5000 FIELDS 1 field:9",
        "3: HPEXPIRE bighash 5000 FIELDS 1 field:9",
        "3: HSET bighash field:1 x",
    ]);
    check(&mut server, changes.clone(), vec![], 1);
    check(&mut server, vec![], changes, 1);
}

#[test]
fn what_expires_after_the_cut_is_there() {
    let mut server = Dispatcher::default();
    for key in 0..50 {
        call(&mut server, &format!("SET key:{key} x PX 100"));
    }
    let engine = server.shared_engine();
    let expected = contents(&engine);
    let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
    server.advance_ms(1000);
    for key in 0..10 {
        call(&mut server, &format!("GET key:{key}"));
    }
    while server.expire_step().more {}
    let mut out = writer();
    snapshot.run(&engine, &mut out, None, &mut ()).unwrap();
    assert_eq!(reloaded(&out.finish().unwrap()), expected);
}

#[test]
fn after_an_abort_another_snapshot_is_whole() {
    for breaks_at in [1, 3, 7, 15] {
        let mut server = Dispatcher::default();
        one_of_each(&mut server);
        let engine = server.shared_engine();
        let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
        for command in ["HSET bighash field:7 x", "APPEND text x", "DEL list"] {
            call(&mut server, command);
        }
        let mut out = writer();
        let during = ["ZADD bigzset 5 x", "3: FLUSHDB", "SET more 1", "DEL bigset"];
        let mut meddler = Meddler {
            server: &mut server,
            commands: words(&during).into_iter(),
            every: 1,
            keys: 0,
            breaks_at: Some(breaks_at),
        };
        let aborted = snapshot.run(&engine, &mut out, None, &mut meddler);
        assert!(matches!(aborted, Err(SnapshotError::Aborted)));
        check(&mut server, words(&["HSET bighash field:8 y"]), vec![], 1);
    }
}

#[test]
fn there_is_one_snapshot_at_a_time_and_it_can_be_aborted_from_afar() {
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    let engine = server.shared_engine();
    assert!(!engine.snapshots.abort());
    let (snapshot, noted) = Snapshot::begin(&engine, || 7).unwrap();
    assert_eq!(noted, 7);
    assert!(Snapshot::begin(&engine, || ()).is_err());
    let progress = engine.snapshots.progress().unwrap();
    assert_eq!((progress.keys, progress.done), (16, 0));
    assert!(engine.snapshots.abort());
    let aborted = snapshot.run(&engine, &mut writer(), None, &mut ());
    assert!(matches!(aborted, Err(SnapshotError::Aborted)));
    let (unwanted, ()) = Snapshot::begin(&engine, || ()).unwrap();
    unwanted.give_up(&engine);
    check(&mut server, vec![], vec![], 1);
}

#[test]
fn a_target_that_fails_ends_the_run_with_its_error() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or_else(|| std::io::Error::other("full"))?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut server = Dispatcher::default();
    one_of_each(&mut server);
    let engine = server.shared_engine();
    let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
    let mut out = RdbWriter::new(
        Full(1000),
        RdbVersion::V11,
        Compression::None,
        Checksums::Verify,
    )
    .unwrap();
    match snapshot.run(&engine, &mut out, None, &mut ()) {
        Err(SnapshotError::Io(error)) => assert_eq!(error.to_string(), "full"),
        other => panic!("{other:?}"),
    }
    check(&mut server, vec![], vec![], 1);
}

/// A target that runs a command on the server each time that it is written to, as 64 kB at a time are.
struct Meddling<'s> {
    server: &'s mut Dispatcher,
    commands: std::vec::IntoIter<String>,
    written: Vec<u8>,
}

impl std::io::Write for Meddling<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(command) = self.commands.next() {
            call(self.server, &command);
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_value_is_that_of_the_cut_whatever_happens_while_it_is_written() {
    let elements = |prefix: &str, scores: &str| -> String {
        let element = |i| {
            format!(
                " {prefix}{}element:{i:090}",
                scores.replace('#', &format!("{i}"))
            )
        };
        (0..8000).map(element).collect()
    };
    let hash = elements("", "#f ").replace("f ", "-field ");
    let (set, zset) = (elements("", ""), elements("", "# "));
    let setups = [
        (
            format!("HSET big{hash}"),
            vec![
                "HSET big 1-field x new-field y",
                "HDEL big 2-field 3-field",
                "EXPIRE big 1000",
                "HPEXPIRE big 100000 FIELDS 2 4-field 5-field",
                "RENAME big {big}other",
                "HSET {big}other 6-field x",
                "COPY {big}other copied",
                "DEL {big}other",
                "HSET big 7-field x",
            ],
        ),
        (
            format!("SADD big{set}"),
            vec![
                "SADD big new",
                "SPOP big 100",
                "RENAME big elsewhere",
                "PEXPIRE elsewhere 1",
                "SREM elsewhere element:7",
                "SET elsewhere x",
            ],
        ),
        (
            format!("ZADD big{zset}"),
            vec![
                "ZADD big 5 new 6 element:7",
                "ZPOPMIN big 100",
                "ZREMRANGEBYRANK big 500 900",
                "MOVE big 4",
                "4: ZINCRBY big 1 element:9",
                "4: FLUSHDB",
            ],
        ),
        (
            format!("RPUSH big{set}"),
            vec![
                "LSET big 7900 x",
                "LTRIM big 5 100",
                "RENAME big other",
                "DEL other",
            ],
        ),
    ];
    for (setup, commands) in setups {
        let all = words(&commands);
        for from in 0..all.len() {
            let mut server = Dispatcher::default();
            call(&mut server, &setup);
            call(&mut server, "SET small value");
            let engine = server.shared_engine();
            let expected = contents(&engine);
            let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
            for command in &all[..from] {
                call(&mut server, command);
            }
            let target = Meddling {
                server: &mut server,
                commands: words(&commands[from..]).into_iter(),
                written: Vec::new(),
            };
            let (none, verify) = (Compression::None, Checksums::Verify);
            let mut out = RdbWriter::new(target, snapshot.version(), none, verify).unwrap();
            snapshot.run(&engine, &mut out, None, &mut ()).unwrap();
            let target = out.finish().unwrap();
            assert_eq!(target.commands.len(), 0, "all ran during the walk");
            assert!(reloaded(&target.written) == expected, "{setup:.5} {from}");
        }
    }
}

/// Whether a command has to wait in admission, and for what.
fn waits(engine: &Arc<Engine>, words: &[&[u8]]) -> Option<EventListener> {
    let mut executor = engine::Executor::new(Arc::clone(engine), 0, engine::Taker::Worker, 1);
    let client = engine.clients.add(engine::clients::Peer::default(), 0);
    let mut session = engine::Session::new(client, true);
    match executor.call(&mut session, words) {
        engine::Step::Wait(engine::Wait::World { changed, .. }) => Some(changed),
        _ => None,
    }
}

/// A target like a disk that stands still until the other end is dropped.
struct Stopped {
    began: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
}

impl std::io::Write for Stopped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ended = self.began.send(());
        let _ended = self.goes_on.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn writes_wait_while_too_much_waits_for_a_disk_that_stands_still() {
    const LIMIT: usize = 100_000;
    let mut server = Dispatcher::default();
    let value = "x".repeat(1000);
    for key in 0..1000 {
        call(&mut server, &format!("SET key:{key} {value}"));
    }
    let engine = server.shared_engine();
    engine.change_world(|world: &mut World| world.snapshot_buffer_limit = LIMIT);
    let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
    let (began, has_begun) = mpsc::channel();
    let (release, goes_on) = mpsc::channel();
    let run = std::thread::spawn({
        let engine = Arc::clone(&engine);
        move || {
            let out = Stopped { began, goes_on };
            let (none, verify) = (Compression::None, Checksums::Verify);
            let mut out = RdbWriter::new(out, RdbVersion::V11, none, verify).unwrap();
            snapshot.run(&engine, &mut out, None, &mut ()).unwrap();
            out.finish().unwrap();
        }
    });
    has_begun.recv().unwrap();
    let (mut refused, mut key) = (None, 0);
    while refused.is_none() && key < 1000 {
        let name = format!("key:{key}");
        refused = waits(&engine, &[b"SET", name.as_bytes(), value.as_bytes()]);
        server.allocate(1000);
        key += 1;
    }
    let refused = refused.expect("the limit is kept");
    let waiting = engine.snapshots.progress().unwrap().waiting;
    assert!(
        (75_000..LIMIT as u64 * 11 / 10).contains(&waiting),
        "{waiting}"
    );
    assert!(
        waits(&engine, &[b"GET", b"key:1"]).is_none(),
        "reading goes on"
    );
    drop(release);
    refused.wait();
    run.join().unwrap();
    assert!(waits(&engine, &[b"SET", b"key:1", b"x"]).is_none());
}

#[test]
fn what_only_moved_into_the_snapshot_keeps_nobody_waiting() {
    let mut server = Dispatcher::default();
    let fields: String = (0..5000).map(|i| format!(" field:{i} value:{i}")).collect();
    call(&mut server, &format!("HSET big{fields}"));
    call(&mut server, &format!("SET large {}", "x".repeat(100_000)));
    call(&mut server, "3: SET key value");
    let engine = server.shared_engine();
    engine.change_world(|world: &mut World| world.snapshot_buffer_limit = 50_000);
    let expected = contents(&engine);
    let (snapshot, ()) = Snapshot::begin(&engine, || ()).unwrap();
    call(&mut server, "HSET big field:1 x");
    call(&mut server, "DEL big large");
    call(&mut server, "3: FLUSHDB");
    let set: [&[u8]; 3] = [b"SET", b"a", b"b"];
    assert!(engine.snapshots.progress().unwrap().waiting > 200_000);
    assert!(waits(&engine, &set).is_none(), "nothing has grown");
    server.allocate(60_000);
    assert!(
        waits(&engine, &set).is_some(),
        "what was removed takes room"
    );
    let mut out = writer();
    snapshot.run(&engine, &mut out, None, &mut ()).unwrap();
    assert!(waits(&engine, &set).is_none());
    assert_eq!(reloaded(&out.finish().unwrap()), expected);
}
