//! What calls put into the replication log, and what a primary's bytes do on a replica.

use engine::{Feed, Role, World};
use log::Reader;
use testkit::{Dispatcher, render};

/// A server whose log is written, and a reader of all of it.
fn logging() -> (Dispatcher, Reader) {
    let server = Dispatcher::default();
    server
        .engine()
        .change_world(|world| world.audience.log = true);
    let (reader, _) = server.engine().log.reader_at_end();
    (server, reader)
}

/// The commands that the log got since it was last read, one a line.
fn logged(reader: &mut Reader) -> Vec<String> {
    let mut pieces = Vec::new();
    while reader.read(1 << 20, &mut pieces) > 0 {}
    let bytes = pieces.concat();
    let (mut rest, mut commands) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let parsed = resp::ReplyParser::default()
            .parse(rest)
            .expect("commands are well-formed");
        let (value, length) = parsed.expect("commands are whole");
        let resp::Value::Array(words) = value else {
            panic!("a command is an array")
        };
        let words = words
            .iter()
            .map(|word| String::from_utf8_lossy(word.as_bytes().unwrap_or_default()).into_owned());
        commands.push(words.collect::<Vec<_>>().join(" "));
        rest = &rest[length..];
    }
    commands
}

#[track_caller]
fn check_log(calls: &[&str], expected: &[&str]) {
    let (mut server, mut reader) = logging();
    for call in calls {
        match call.strip_prefix('@') {
            Some(ms) => server.advance_ms(ms.parse().expect("milliseconds")),
            None => drop(server.call(call)),
        }
    }
    assert_eq!(logged(&mut reader), expected);
}

#[test]
fn a_call_is_logged_when_it_has_changed_something() {
    check_log(
        &[
            "SET a 1",
            "GET a",
            "DEL nothing",
            "INCR a",
            "SETEX b 10 x",
            "SWAPDB 0 1",
            "FLUSHALL",
            "FLUSHALL",
        ],
        &[
            "SELECT 0",
            "SET a 1",
            "INCR a",
            "SET b x PXAT 1710000010000",
            "SWAPDB 0 1",
            "FLUSHALL",
            "FLUSHALL",
        ],
    );
}

#[test]
fn a_transaction_is_one_unit_and_none_without_two_commands() {
    check_log(
        &[
            "MULTI",
            "SET a 1",
            "GET a",
            "SWAPDB 0 9",
            "PUBLISH c m",
            "EXEC",
        ],
        &[
            "MULTI",
            "SELECT 0",
            "SET a 1",
            "SWAPDB 0 9",
            "PUBLISH c m",
            "EXEC",
        ],
    );
    check_log(
        &["MULTI", "SET a 1", "GET a", "EXEC"],
        &["SELECT 0", "SET a 1"],
    );
    check_log(&["MULTI", "GET a", "EXEC"], &[]);
    check_log(&["PUBLISH c m"], &["SELECT 0", "PUBLISH c m"]);
}

#[test]
fn expired_keys_go_before_what_met_them() {
    check_log(
        &["SET a 1 PX 10", "@20", "SADD a x"],
        &[
            "SELECT 0",
            "SET a 1 PXAT 1710000000010",
            "MULTI",
            "DEL a",
            "SADD a x",
            "EXEC",
        ],
    );
    check_log(
        &["SET a 1 PX 10", "@20", "GET a"],
        &["SELECT 0", "SET a 1 PXAT 1710000000010", "DEL a"],
    );
    let deletions = &[
        "SELECT 0",
        "SET a 1 PXAT 1710000000010",
        "SET b 1 PXAT 1710000000010",
    ];
    let (mut server, mut reader) = logging();
    for call in ["SET a 1 PX 10", "SET b 1 PX 10"] {
        server.call(call);
    }
    assert_eq!(logged(&mut reader), deletions);
    server.advance_ms(500);
    server.call("SCAN 0 COUNT 100");
    let mut loose = logged(&mut reader);
    loose.sort();
    assert_eq!(
        loose,
        ["DEL a", "DEL b"],
        "no transaction around what a walk met"
    );
}

#[test]
fn served_waiters_are_units_of_their_own() {
    let (mut server, mut reader) = logging();
    let waiter = server.connect();
    server.act(waiter, &[b"BLMOVE", b"a", b"b", b"LEFT", b"LEFT", b"0"]);
    server.call("RPUSH a x y");
    assert_eq!(
        logged(&mut reader),
        ["SELECT 0", "RPUSH a x y", "LMOVE a b LEFT LEFT"]
    );
    server.received(waiter);
    let end = server.engine().log.end();
    assert_eq!(server.session(waiter).log_offset, end);
}

#[test]
fn nothing_is_appended_while_nobody_listens() {
    let mut server = Dispatcher::default();
    server.call("SET a 1");
    assert_eq!(server.engine().log.end(), 0);
}

/// A replica, and the number of the session that is its link to the primary.
fn replica() -> (Dispatcher, usize) {
    let mut server = Dispatcher::default();
    let role = Role::Replica {
        epoch: 1,
        is_linked: true,
    };
    server.engine().change_world(|world| world.role = role);
    server.engine().log.keep(Some(1 << 20));
    let link = server.connect();
    server.session(link).feed = Some(Box::new(Feed {
        epoch: 1,
        raw: Vec::new(),
    }));
    server.session(link).reply = engine::ReplyMode::Off;
    (server, link)
}

/// Has the primary say something.
fn feed(server: &mut Dispatcher, link: usize, line: &str) {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let raw = format!("{line}\r\n");
    let feed = server.session(link).feed.as_mut().expect("it is the link");
    feed.raw.extend_from_slice(raw.as_bytes());
    server.feed(link, &words);
}

fn raw_log(server: &Dispatcher) -> String {
    let mut reader = server.log_from_the_start();
    let mut pieces = Vec::new();
    while reader.read(1 << 20, &mut pieces) > 0 {}
    String::from_utf8(pieces.concat()).expect("the log is text here")
}

#[test]
fn a_replica_logs_the_bytes_of_its_primary_and_nothing_else() {
    let (mut server, link) = replica();
    for line in ["SET a 1", "PING", "MULTI", "INCR a", "INCR a"] {
        feed(&mut server, link, line);
    }
    assert_eq!(
        raw_log(&server),
        "SET a 1\r\nPING\r\n",
        "a transaction waits for its end"
    );
    feed(&mut server, link, "EXEC");
    assert!(raw_log(&server).ends_with("PING\r\nMULTI\r\nINCR a\r\nINCR a\r\nEXEC\r\n"));
    assert_eq!(render(&server.call("GET a")), "\"3\"");
    assert_eq!(
        render(&server.call("SET a 1")),
        "-READONLY You can't write against a read only replica."
    );
}

#[test]
fn a_replica_hides_what_has_expired_until_the_primary_deletes_it() {
    let (mut server, link) = replica();
    feed(&mut server, link, "SET a 1 PX 10");
    server.advance_ms(20);
    assert_eq!(render(&server.call("GET a")), "nil");
    assert_eq!(render(&server.call("DBSIZE")), ":1");
    feed(&mut server, link, "INCR a");
    feed(&mut server, link, "PERSIST a");
    assert_eq!(
        render(&server.call("GET a")),
        "\"2\"",
        "for the primary it was alive"
    );
}

#[test]
fn commands_of_a_former_primary_do_not_run() {
    let (mut server, link) = replica();
    feed(&mut server, link, "SET a 1");
    server
        .engine()
        .change_world(|world: &mut World| world.role = Role::Primary);
    feed(&mut server, link, "SET a 2");
    assert_eq!(render(&server.call("GET a")), "\"1\"");
    assert_eq!(raw_log(&server), "SET a 1\r\n");
}

#[test]
fn stale_replicas_and_lonely_primaries_refuse() {
    let (mut server, _) = replica();
    server.engine().change_world(|world| {
        world.serves_stale_data = false;
        world.role = Role::Replica {
            epoch: 1,
            is_linked: false,
        };
    });
    let down = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(render(&server.call("GET a")), down);
    server.engine().change_world(|world| {
        world.role = Role::Primary;
        world.lacks_replicas = true;
    });
    assert_eq!(render(&server.call("GET a")), "nil");
    let lonely = "-NOREPLICAS Not enough good replicas to write.";
    assert_eq!(render(&server.call("SET a 1")), lonely);
}

#[test]
fn a_replica_that_takes_writes_deletes_what_has_expired_of_them() {
    let (mut server, link) = replica();
    server
        .engine()
        .change_world(|world| world.replica_read_only = false);
    feed(&mut server, link, "SET theirs 1 PX 10");
    server.call("SET own 1 PX 10");
    server.call("SET stays 1");
    let logged = raw_log(&server);
    server.advance_ms(500);
    server.expire_step();
    assert_eq!(
        render(&server.call("DBSIZE")),
        ":2",
        "the primary's is not touched"
    );
    assert_eq!(raw_log(&server), logged);
}
