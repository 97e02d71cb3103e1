//! The dataset on disk: loading at the start, saving, and what becomes of both when something is in the way.

use crate::server::{TestServer, request, wait_until};
use crate::snapshot::Done;
use commands::Rng;
use cuirass::{Kind, Server, StartError};
use persist::{Checksums, Compression, KeyFacts, RdbVersion, RdbWriter};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use store::ValueRef;
use tempfile::TempDir;

/// The bytes of a snapshot file with these strings.
fn snapshot(strings: &[(&str, &str)]) -> Vec<u8> {
    let version = RdbVersion::V11;
    let mut rdb = RdbWriter::new(Vec::new(), version, Compression::Lzf, Checksums::Verify).unwrap();
    rdb.select(0, strings.len() as u64, 0).unwrap();
    for (key, value) in strings {
        let value = ValueRef::Bytes(value.as_bytes());
        rdb.record(key.as_bytes(), value, &KeyFacts::default())
            .unwrap();
    }
    rdb.finish().unwrap()
}

#[test]
fn a_server_starts_with_what_its_file_has() {
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("data.rdb"),
        snapshot(&[("a", "1"), ("b", "x")]),
    )
    .unwrap();
    let server = TestServer::start("dbfilename data.rdb", &[Kind::Tcp], dir);
    let mut client = server.client();
    client.check(&["GET", "b"], "$1\r\nx\r\n");
    client.check(&["DBSIZE"], ":2\r\n");
}

#[test]
fn a_server_does_not_start_with_a_damaged_file() {
    let dir = TempDir::new().unwrap();
    let mut bytes = snapshot(&[("a", "1")]);
    let last = bytes.len() - 1;
    bytes[last] ^= 0x55;
    std::fs::write(dir.path().join("dump.rdb"), bytes).unwrap();
    match Server::start(TestServer::launching("", dir.path())) {
        Err(StartError::Load(text)) => assert_eq!(
            text,
            "Fatal error loading the DB, check server logs. Exiting."
        ),
        other => panic!("{other:?}"),
    }
}

/// Whether a snapshot is neither under way nor waiting to begin.
fn is_idle(server: &TestServer) -> bool {
    let save = &server.server().persistence.save;
    !save.in_background.load(Relaxed) && server.engine().snapshots.progress().is_none()
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let mut server = TestServer::plain("");
    let mut client = server.client();
    client.check(&["RPUSH", "list", "a", "b"], ":2\r\n");
    client.check(&["SELECT", "3"], "+OK\r\n");
    client.check(&["SET", "volatile", "x", "PX", "100000"], "+OK\r\n");
    client.check(&["SAVE"], "+OK\r\n");
    let saved_s = server.server().persistence.save.saved_s.load(Relaxed);
    client.check(&["LASTSAVE"], &format!(":{saved_s}\r\n"));
    client.check(&["SET", "lost", "x"], "+OK\r\n");
    server.end();
    let dir = std::mem::replace(&mut server.dir, TempDir::new().unwrap());
    let server = TestServer::start("", &[Kind::Tcp], dir);
    let mut client = server.client();
    client.check(
        &["LRANGE", "list", "0", "-1"],
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    );
    client.check(&["SELECT", "3"], "+OK\r\n");
    client.check(&["DBSIZE"], ":1\r\n");
    client.check(&["GET", "volatile"], "$1\r\nx\r\n");
}

#[test]
fn a_save_in_the_background_holds_the_instant_of_bgsave() {
    let mut server = TestServer::plain("rdb-key-save-delay 1000000");
    let mut client = server.client();
    client.check(&["MSET", "a", "1", "b", "1"], "+OK\r\n");
    client.check(&["BGSAVE"], "+Background saving started\r\n");
    client.check(&["BGSAVE"], "-ERR Background save already in progress\r\n");
    client.check(&["SAVE"], "-ERR Background save already in progress\r\n");
    client.check(&["MSET", "a", "2", "b", "2", "c", "2"], "+OK\r\n");
    client.check(&["CONFIG", "SET", "rdb-key-save-delay", "0"], "+OK\r\n");
    wait_until("the save ends", || is_idle(&server));
    server.end();
    let dir = std::mem::replace(&mut server.dir, TempDir::new().unwrap());
    let server = TestServer::start("", &[Kind::Tcp], dir);
    let mut client = server.client();
    client.check(
        &["MGET", "a", "b", "c"],
        "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$-1\r\n",
    );
}

#[test]
fn a_save_can_be_cancelled_and_leaves_nothing_behind() {
    let server = TestServer::plain("rdb-key-save-delay 1000000");
    let mut client = server.client();
    let nothing = "-ERR Background saving is currently not in progress or scheduled\r\n";
    client.check(&["BGSAVE", "CANCEL"], nothing);
    client.check(&["MSET", "a", "1", "b", "1"], "+OK\r\n");
    client.check(&["BGSAVE", "SCHEDULE"], "+Background saving started\r\n");
    client.check(&["BGSAVE", "CANCEL"], "+Background saving cancelled\r\n");
    wait_until("the save ends", || is_idle(&server));
    assert_eq!(std::fs::read_dir(server.dir.path()).unwrap().count(), 0);
    client.check(&["MULTI"], "+OK\r\n");
    client.check(&["BGSAVE"], "+QUEUED\r\n");
    client.check(&["EXEC"], "*1\r\n+Background saving scheduled\r\n");
    client.check(&["CONFIG", "SET", "rdb-key-save-delay", "0"], "+OK\r\n");
    let file = server.dir.path().join("dump.rdb");
    wait_until("cron saves", || file.exists());
}

#[test]
fn flushing_everything_aborts_a_save_and_saves_anew() {
    let server = TestServer::plain("rdb-key-save-delay 10000000");
    let mut client = server.client();
    client.check(&["MSET", "a", "1", "b", "1"], "+OK\r\n");
    client.check(&["BGSAVE"], "+Background saving started\r\n");
    client.check(&["CONFIG", "SET", "save", "900 1"], "+OK\r\n");
    client.check(&["FLUSHALL"], "+OK\r\n");
    assert!(is_idle(&server));
    let loaded = std::fs::read(server.dir.path().join("dump.rdb")).unwrap();
    assert!(
        !loaded.windows(3).any(|bytes| bytes == b"\x01a\xc0"),
        "it is empty"
    );
}

#[test]
fn debug_reload_loads_what_it_saved() {
    let server = TestServer::plain("enable-debug-command yes");
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    client.check(&["DEBUG", "RELOAD"], "+OK\r\n");
    client.check(&["GET", "a"], "$1\r\n1\r\n");
    client.check(&["SET", "a", "2"], "+OK\r\n");
    client.check(&["SET", "b", "2"], "+OK\r\n");
    client.check(
        &["DEBUG", "RELOAD", "MERGE", "NOFLUSH", "NOSAVE"],
        "+OK\r\n",
    );
    client.check(&["MGET", "a", "b"], "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    client.check(
        &["DEBUG", "RELOAD", "OTHERWISE"],
        "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.\r\n",
    );
    std::fs::write(server.dir.path().join("dump.rdb"), b"REDIS0011").unwrap();
    client.check(
        &["DEBUG", "RELOAD", "NOSAVE"],
        "-ERR Error trying to load the RDB dump, check server logs.\r\n",
    );
    client.check(&["DBSIZE"], ":0\r\n");
}

#[test]
fn writes_are_refused_while_saving_fails() {
    let server = TestServer::plain("save \"900 1\"");
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let in_the_way = server.dir.path().join("dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    client.check(&["BGSAVE"], "+Background saving started\r\n");
    wait_until("the save fails", || is_idle(&server));
    let refused = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
        Commands that may modify the data set are disabled, because this instance is configured to report errors \
        during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs \
        for details about the RDB error.\r\n";
    client.check(&["SET", "a", "2"], refused);
    client.check(&["PING"], refused);
    client.check(&["GET", "a"], "$1\r\n1\r\n");
    client.check(
        &["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"],
        "+OK\r\n",
    );
    client.check(&["SET", "a", "2"], "+OK\r\n");
    client.check(
        &["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"],
        "+OK\r\n",
    );
    std::fs::remove_dir(&in_the_way).unwrap();
    client.check(&["BGSAVE"], "+Background saving started\r\n");
    wait_until("the save ends", || is_idle(&server));
    client.check(&["SET", "a", "3"], "+OK\r\n");
}

#[test]
fn a_server_does_not_end_when_its_last_save_fails() {
    let mut server = TestServer::plain("save \"900 1\"");
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let in_the_way = server.dir.path().join("dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    client.check(
        &["SHUTDOWN"],
        "-ERR Errors trying to SHUTDOWN. Check logs.\r\n",
    );
    client.check(&["SHUTDOWN", "ABORT"], "-ERR No shutdown in progress.\r\n");
    client.check(&["GET", "a"], "$1\r\n1\r\n");
    std::fs::remove_dir(&in_the_way).unwrap();
    client.send(request(&["SHUTDOWN"]));
    assert_eq!(client.rest(), b"");
    server.end();
    assert!(in_the_way.is_file());
}

#[test]
fn save_points_save_by_themselves() {
    let server = TestServer::plain("save \"1 2\"");
    let mut client = server.client();
    client.check(&["MSET", "a", "1", "b", "1"], "+OK\r\n");
    let file = server.dir.path().join("dump.rdb");
    wait_until("cron saves", || file.exists());
}

#[test]
fn transfers_between_accounts_keep_their_sum_in_the_file() {
    const ACCOUNTS: u64 = 200;
    let server = TestServer::plain("io-threads 2\nworker-placement spread");
    let mut client = server.client();
    for account in 0..ACCOUNTS {
        client.check(&["SET", &format!("account:{account}"), "1000"], "+OK\r\n");
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..4 {
            let (mut client, done) = (server.client(), &done);
            scope.spawn(move || {
                let mut rng = Rng::new(seed);
                while !done.load(Relaxed) {
                    let from = format!("account:{}", rng.below(ACCOUNTS));
                    let to = format!("account:{}", rng.below(ACCOUNTS));
                    let amount = rng.below(10).to_string();
                    client.check(&["MULTI"], "+OK\r\n");
                    client.check(&["DECRBY", &from, &amount], "+QUEUED\r\n");
                    client.check(&["INCRBY", &to, &amount], "+QUEUED\r\n");
                    client.send(request(&["EXEC"]));
                    client.expect("*2\r\n");
                    client.line();
                    client.line();
                }
            });
        }
        let _at_the_end = Done(&done);
        for _ in 0..20 {
            client.check(&["SAVE"], "+OK\r\n");
            let file = server.dir.path().join("dump.rdb");
            let other = TestServer::holding(&file);
            let mut reader = other.client();
            let keys: Vec<String> = (0..ACCOUNTS).map(|n| format!("account:{n}")).collect();
            let mut call = vec!["MGET"];
            call.extend(keys.iter().map(String::as_str));
            reader.send(request(&call));
            reader.expect(format!("*{ACCOUNTS}\r\n"));
            let sum: i64 = (0..ACCOUNTS)
                .map(|_| {
                    reader.line();
                    reader.line().parse::<i64>().unwrap()
                })
                .sum();
            assert_eq!(sum, 1000 * ACCOUNTS as i64);
        }
    });
}
