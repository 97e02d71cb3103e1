//! Disks that are full, fail or do not come to an end, and what becomes of the append-only file on them.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use commands::Rng;
use cuirass::Kind;
use cuirass::clock::Clock;
use tempfile::TempDir;

use crate::aof::{is_idle, part};
use crate::crash::{Wire, free_address, wait_until_loaded};
use crate::disk::{Fate, Faults, RecordedDisk};
use crate::power_cut::launch;
use crate::server::{Client, TestServer, request, wait_until};

/// A server on a disk that is told what to do.
fn start(lines: &str, clock: Clock) -> (TestServer, Arc<RecordedDisk>) {
    let dir = TempDir::new().unwrap();
    let disk = RecordedDisk::new(dir.path());
    let server = launch(&format!("appendonly yes\n{lines}"), dir, &disk, clock);
    (server, disk)
}

fn is_written(server: &TestServer) -> bool {
    server.server().persistence.aof.behind(server.engine()) == 0
}

fn refuses_writes(server: &TestServer) -> bool {
    server.engine().world().aof_error.is_some()
}

/// Rewrites the file, so that it is one that was made while the server ran.
fn rewrite(server: &TestServer, client: &mut Client<TcpStream>) {
    client.send(request(&["BGREWRITEAOF"]));
    client.line();
    wait_until("it is rewritten", || is_idle(server));
}

fn info(client: &mut Client<TcpStream>) -> String {
    client.send(request(&["INFO", "persistence", "stats"]));
    let length = client.line()[1..].parse().unwrap();
    let mut text = vec![0; length];
    client.0.read_exact(&mut text).unwrap();
    client.expect("\r\n");
    String::from_utf8(text).unwrap()
}

#[test]
fn a_full_disk_has_writes_refused_until_there_is_room() {
    let (mut server, disk) = start("appendfsync everysec", Clock::start());
    let mut client = server.client();
    client.check(&["SET", "before", "1"], "+OK\r\n");
    rewrite(&server, &mut client);
    client.check(&["SET", "before", "2"], "+OK\r\n");
    wait_until("it is written", || is_written(&server));
    disk.set_faults(Faults {
        room: Some(10),
        ..Faults::default()
    });
    // It is executed before the disk is known to be full.
    client.check(&["SET", "at", "once"], "+OK\r\n");
    wait_until("writing has failed", || refuses_writes(&server));
    let refused = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";
    client.check(&["SET", "later", "x"], refused);
    client.check(&["PING"], refused);
    client.check(&["GET", "at"], "$4\r\nonce\r\n");
    assert!(info(&mut client).contains("aof_last_write_status:err"));
    disk.set_faults(Faults::default());
    wait_until("there is room", || !refuses_writes(&server));
    client.check(&["SET", "later", "x"], "+OK\r\n");
    assert!(info(&mut client).contains("aof_last_write_status:ok"));
    server.end();
    let dir = std::mem::replace(&mut server.dir, TempDir::new().unwrap());
    let server = TestServer::start("appendonly yes", &[Kind::Tcp], dir);
    let mut client = server.client();
    for (key, value) in [("before", "2"), ("at", "once"), ("later", "x")] {
        let reply = format!("${}\r\n{value}\r\n", value.len());
        client.check(&["GET", key], &reply);
    }
}

#[test]
fn a_disk_that_keeps_nothing_has_writes_refused_until_it_does() {
    let (server, disk) = start("appendfsync everysec", Clock::standing());
    let mut client = server.client();
    let aof = &server.server().persistence.aof;
    disk.set_faults(Faults {
        sync: true,
        ..Faults::default()
    });
    client.check(&["SET", "key", "value"], "+OK\r\n");
    wait_until("it is written", || is_written(&server));
    server.server().clock.advance(Duration::from_secs(1));
    wait_until("syncing has failed", || refuses_writes(&server));
    let refused = "-MISCONF Errors writing to the AOF file: Input/output error\r\n";
    client.check(&["SET", "key", "other"], refused);
    assert!(aof.synced().unwrap() < server.engine().log.end());
    disk.set_faults(Faults::default());
    server.server().clock.advance(Duration::from_secs(1));
    wait_until("the disk is back", || !refuses_writes(&server));
    assert_eq!(aof.synced(), Some(server.engine().log.end()));
    client.check(&["SET", "key", "other"], "+OK\r\n");
}

#[test]
fn a_slow_disk_delays_nobody_with_appendfsync_everysec() {
    let (server, disk) = start("appendfsync everysec", Clock::standing());
    let mut client = server.client();
    let figures = &server.server().persistence.aof.figures;
    let clock = &server.server().clock;
    client.check(&["SET", "key", "1"], "+OK\r\n");
    wait_until("it is written", || is_written(&server));
    disk.set_faults(Faults {
        stalled: true,
        ..Faults::default()
    });
    clock.advance(Duration::from_secs(1));
    wait_until("it is being synced", || {
        figures.pending_syncs.load(Relaxed) == 1
    });
    client.check(&["SET", "key", "2"], "+OK\r\n");
    wait_until("it is written all the same", || is_written(&server));
    assert!(info(&mut client).contains("aof_delayed_fsync:0"));
    clock.advance(Duration::from_millis(2001));
    client.check(&["SET", "key", "3"], "+OK\r\n");
    wait_until("it is written, late as it is", || is_written(&server));
    assert!(info(&mut client).contains("aof_delayed_fsync:1"));
    let last = disk.position();
    assert!(!disk.has_settled(last));
    disk.set_faults(Faults::default());
    wait_until("it is on disk", || disk.has_settled(last));
}

#[test]
fn a_file_waits_a_second_for_the_one_before_it() {
    let (mut server, disk) = start("appendfsync everysec", Clock::standing());
    let mut client = server.client();
    client.check(&["SET", "key", "1"], "+OK\r\n");
    wait_until("it is written", || is_written(&server));
    disk.set_faults(Faults {
        stalled: true,
        ..Faults::default()
    });
    client.send(request(&["BGREWRITEAOF"]));
    client.line();
    let figures = &server.server().persistence.aof.figures;
    wait_until("the file has changed", || {
        figures.pending_syncs.load(Relaxed) == 1
    });
    client.check(&["SET", "key", "2"], "+OK\r\n");
    assert!(!is_written(&server));
    server.server().clock.advance(Duration::from_secs(1));
    wait_until("it is written, late as it is", || is_written(&server));
    disk.set_faults(Faults::default());
    wait_until("it is rewritten", || is_idle(&server));
    server.end();
    let dir = std::mem::replace(&mut server.dir, TempDir::new().unwrap());
    let server = TestServer::start("appendonly yes", &[Kind::Tcp], dir);
    server.client().check(&["GET", "key"], "$1\r\n2\r\n");
}

#[test]
fn a_slow_disk_holds_reads_back_with_appendfsync_always() {
    let (server, disk) = start("appendfsync always", Clock::start());
    let (mut writer, mut reader) = (server.client(), server.client());
    writer.check(&["SET", "key", "1"], "+OK\r\n");
    disk.set_faults(Faults {
        stalled: true,
        ..Faults::default()
    });
    let before = disk.position();
    writer.send(request(&["SET", "key", "2"]));
    wait_until("it is in the file", || disk.position() > before);
    reader.send(request(&["GET", "key"]));
    let executed = || server.engine().stats.sum(|thread| &thread.commands);
    wait_until("both have run", || executed() >= 3);
    for client in [&writer, &reader] {
        client.0.set_nonblocking(true).unwrap();
        let received = client.0.peek(&mut [0]);
        assert!(received.is_err(), "{received:?}");
        client.0.set_nonblocking(false).unwrap();
    }
    disk.set_faults(Faults::default());
    writer.expect("+OK\r\n");
    reader.expect("$1\r\n2\r\n");
}

#[test]
fn nothing_is_synced_during_a_rewrite_where_that_is_not_wanted() {
    for (wanted, settled) in [("yes", false), ("no", true)] {
        let lines = format!("appendfsync always\nno-appendfsync-on-rewrite {wanted}");
        let (server, _) = start(&lines, Clock::start());
        let mut client = server.client();
        client.check(&["SET", "key", "1"], "+OK\r\n");
        let slow = ["CONFIG", "SET", "rdb-key-save-delay", "10000000"];
        client.check(&slow, "+OK\r\n");
        client.send(request(&["BGREWRITEAOF"]));
        client.line();
        wait_until("it is under way", || {
            server.engine().snapshots.progress().is_some()
        });
        client.check(&["SET", "key", "2"], "+OK\r\n");
        let aof = &server.server().persistence.aof;
        let is_synced = || aof.synced() == Some(server.engine().log.end());
        assert_eq!(is_synced(), settled);
        client.check(&["CONFIG", "SET", "rdb-key-save-delay", "0"], "+OK\r\n");
        wait_until("it is on disk afterwards", is_synced);
    }
}

#[test]
fn rewrites_that_fail_leave_their_increments_until_one_succeeds() {
    let lines = "appendfsync everysec\nenable-debug-command yes";
    let (server, disk) = start(lines, Clock::start());
    let mut client = server.client();
    let manifest = || {
        let path = part(server.dir.path(), "appendonly.aof.manifest");
        std::fs::read_to_string(path).unwrap()
    };
    for _ in 0..3 {
        // Enough for the directory and the new increment, and not for the base.
        disk.set_faults(Faults {
            directory_syncs: Some(3),
            ..Faults::default()
        });
        rewrite(&server, &mut client);
        client.send(request(&["INCR", "key"]));
        client.line();
    }
    let increments = (1..=4).map(|n| format!("file appendonly.aof.{n}.incr.aof seq {n} type i\n"));
    let base = "file appendonly.aof.1.base.rdb seq 1 type b\n".to_owned();
    assert_eq!(manifest(), base + &increments.collect::<String>());
    let told = info(&mut client);
    assert!(
        told.contains("aof_rewrites_consecutive_failures:3"),
        "{told}"
    );
    assert!(told.contains("aof_last_bgrewrite_status:err"), "{told}");
    disk.set_faults(Faults::default());
    rewrite(&server, &mut client);
    assert_eq!(
        manifest(),
        "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.5.incr.aof seq 5 type i\n"
    );
    let told = info(&mut client);
    assert!(
        told.contains("aof_rewrites_consecutive_failures:0"),
        "{told}"
    );
    assert!(told.contains("total_forks:4"), "{told}");
    client.check(&["GET", "key"], "$1\r\n3\r\n");
    client.check(&["DEBUG", "LOADAOF"], "+OK\r\n");
    client.check(&["GET", "key"], "$1\r\n3\r\n");
}

#[test]
fn a_rewrite_that_fails_leaves_files_that_belong_together() {
    let lines = "appendonly yes\nappendfsync always";
    // Where it fails: while the increment is named, while the base is, or while what they replace is forgotten.
    for syncs in 1..8 {
        let (mut server, disk) = start("appendfsync always", Clock::start());
        let mut client = server.client();
        client.check(&["INCR", "key"], ":1\r\n");
        let first = disk.position();
        disk.set_faults(Faults {
            directory_syncs: Some(syncs),
            ..Faults::default()
        });
        rewrite(&server, &mut client);
        // Whatever is set, files that are of no use any more are removed then.
        client.check(&["CONFIG", "SET", "aof-disable-auto-gc", "no"], "+OK\r\n");
        client.check(&["INCR", "key"], ":2\r\n");
        let known = disk.position();
        disk.set_faults(Faults::default());
        rewrite(&server, &mut client);
        client.check(&["INCR", "key"], ":3\r\n");
        let last = disk.position();
        server.end();
        let mut rng = Rng::new(syncs);
        for at in (first..=last).step_by(5) {
            let least = 1 + u64::from(at >= known) + u64::from(at >= last);
            for fate in [Fate::Lost, Fate::Torn] {
                let image = disk.image(at, fate, &mut rng);
                let server = TestServer::start(lines, &[Kind::Tcp], image);
                let mut client = server.client();
                client.send(request(&["INCR", "key"]));
                let value = client.line()[1..].parse::<u64>().unwrap() - 1;
                assert!(
                    (least..=3).contains(&value),
                    "after {syncs} syncs, {fate:?} at {at}: {value} of {least}"
                );
            }
        }
    }
}

/// The program, whose files can have so many blocks of 512 bytes.
fn limited(dir: &Path, port: &str, blocks: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    command
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_redis-server")])
        .args(["--port", port, "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--dir"])
        .arg(dir)
        .stdout(Stdio::piped());
    command
}

#[test]
fn a_full_disk_ends_a_server_with_appendfsync_always() {
    let dir = TempDir::new().unwrap();
    let address = free_address();
    let port = address.port().to_string();
    let mut child = limited(dir.path(), &port, 8).spawn().unwrap();
    wait_until_loaded(address);
    let mut wire = Wire::connect(address).unwrap();
    let mut acknowledged = 0;
    while let Ok(reply) = wire.call(&["INCR", "key"]) {
        acknowledged += 1;
        assert_eq!(reply, format!(":{acknowledged}\r\n").into_bytes());
    }
    let mut log = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(
        log.contains("Error writing to the AOF file: File too large"),
        "{log}"
    );
    let last =
        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
    assert!(log.contains(last), "{log}");
    let server = TestServer::start("appendonly yes", &[Kind::Tcp], dir);
    let mut client = server.client();
    client.send(request(&["INCR", "key"]));
    assert_eq!(client.line(), format!(":{}", acknowledged + 1));
}
