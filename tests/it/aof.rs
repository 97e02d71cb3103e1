//! The append-only file: what is in it, what is loaded from it, and who may see what before it is there.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::Ordering::Relaxed;

use cuirass::{Kind, Server, StartError};
use tempfile::TempDir;

use crate::crash::{Wire, wait_until_loaded};
use crate::said::said;
use crate::server::{TestServer, request, wait_until};

/// A file of a directory's append-only file.
pub(crate) fn part(dir: &Path, name: &str) -> PathBuf {
    dir.join("appendonlydir").join(name)
}

/// Commands as a file has them.
fn commands(all: &[&[&str]]) -> Vec<u8> {
    all.iter().flat_map(|words| request(words)).collect()
}

/// A directory whose append-only file is one increment with these bytes.
fn holding(bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("appendonlydir")).unwrap();
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    std::fs::write(part(dir.path(), "appendonly.aof.manifest"), manifest).unwrap();
    std::fs::write(part(dir.path(), "appendonly.aof.1.incr.aof"), bytes).unwrap();
    dir
}

fn start(lines: &str, dir: TempDir) -> TestServer {
    TestServer::start(&format!("appendonly yes\n{lines}"), &[Kind::Tcp], dir)
}

/// Ends a server and starts another one in its directory.
fn restart(mut server: TestServer, lines: &str) -> TestServer {
    server.end();
    let dir = std::mem::replace(&mut server.dir, TempDir::new().unwrap());
    start(lines, dir)
}

pub(crate) fn is_idle(server: &TestServer) -> bool {
    let figures = &server.server().persistence.aof.figures;
    !figures.rewriting.load(Relaxed) && !figures.scheduled.load(Relaxed)
}

#[test]
fn what_was_executed_is_there_after_a_restart() {
    for policy in ["always", "everysec", "no"] {
        let lines = format!("appendfsync {policy}");
        let server = start(&lines, TempDir::new().unwrap());
        let mut client = server.client();
        client.check(&["RPUSH", "list", "a", "b"], ":2\r\n");
        client.check(&["SELECT", "3"], "+OK\r\n");
        client.check(&["SET", "s", "x"], "+OK\r\n");
        client.check(&["MULTI"], "+OK\r\n");
        client.check(&["INCR", "n"], "+QUEUED\r\n");
        client.check(&["INCR", "n"], "+QUEUED\r\n");
        client.check(&["EXEC"], "*2\r\n:1\r\n:2\r\n");
        client.check(&["PUBLISH", "c", "m"], ":0\r\n");
        let wanted = commands(&[
            &["SELECT", "0"],
            &["RPUSH", "list", "a", "b"],
            &["SELECT", "3"],
            &["SET", "s", "x"],
            &["MULTI"],
            &["INCR", "n"],
            &["INCR", "n"],
            &["EXEC"],
        ]);
        let file = part(server.dir.path(), "appendonly.aof.1.incr.aof");
        let written = std::fs::read(file).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&wanted)
        );
        let server = restart(server, &lines);
        let mut client = server.client();
        client.check(&["LLEN", "list"], ":2\r\n");
        client.check(&["SELECT", "3"], "+OK\r\n");
        client.check(&["MGET", "s", "n"], "*2\r\n$1\r\nx\r\n$1\r\n2\r\n");
    }
}

#[test]
fn a_rewrite_takes_the_place_of_what_led_to_it() {
    for preamble in ["yes", "no"] {
        let lines = format!("aof-use-rdb-preamble {preamble}");
        let server = start(&lines, TempDir::new().unwrap());
        let mut client = server.client();
        client.check(&["SELECT", "2"], "+OK\r\n");
        for n in 1..=100 {
            client.check(&["INCR", "n"], &format!(":{n}\r\n"));
        }
        client.check(
            &["BGREWRITEAOF"],
            "+Background append only file rewriting started\r\n",
        );
        client.check(&["HSET", "h", "f", "v"], ":1\r\n");
        wait_until("the rewrite ends", || is_idle(&server));
        client.check(&["INCR", "n"], ":101\r\n");
        let suffix = if preamble == "yes" { "rdb" } else { "aof" };
        let manifest = std::fs::read(part(server.dir.path(), "appendonly.aof.manifest")).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&manifest),
            format!(
                "file appendonly.aof.2.base.{suffix} seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
            )
        );
        assert!(!part(server.dir.path(), "appendonly.aof.1.incr.aof").exists());
        let server = restart(server, &lines);
        let mut client = server.client();
        client.check(&["SELECT", "2"], "+OK\r\n");
        client.check(&["GET", "n"], "$3\r\n101\r\n");
        client.check(&["HGET", "h", "f"], "$1\r\nv\r\n");
    }
}

#[test]
fn it_is_turned_on_and_off_at_run_time() {
    let server = TestServer::plain("");
    let mut client = server.client();
    client.check(&["SET", "before", "1"], "+OK\r\n");
    client.check(&["CONFIG", "SET", "appendonly", "yes"], "+OK\r\n");
    client.check(&["SET", "while", "2"], "+OK\r\n");
    wait_until("the first base is there", || is_idle(&server));
    client.check(&["SET", "after", "3"], "+OK\r\n");
    client.check(&["CONFIG", "SET", "appendonly", "no"], "+OK\r\n");
    client.check(&["SET", "lost", "4"], "+OK\r\n");
    let server = restart(server, "");
    let mut client = server.client();
    client.check(
        &["MGET", "before", "while", "after", "lost"],
        "*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$-1\r\n",
    );
}

#[test]
fn a_file_cut_off_anywhere_loads_up_to_there() {
    let whole: &[&[&str]] = &[&["INCR", "n"], &["INCR", "n"], &["APPEND", "s", "xy"]];
    let bytes = commands(whole);
    let mut ends = vec![0];
    ends.extend(whole.iter().scan(0, |end, words| {
        *end += request(words).len();
        Some(*end)
    }));
    for length in 0..=bytes.len() {
        let dir = holding(&bytes[..length]);
        let file = part(dir.path(), "appendonly.aof.1.incr.aof");
        let server = start("", dir);
        let loaded = ends.iter().filter(|end| **end <= length).count() - 1;
        let size = std::fs::metadata(&file).unwrap().len();
        assert_eq!(size, ends[loaded] as u64, "cut off at {length}");
        let mut client = server.client();
        let counter = match loaded {
            0 => "$-1\r\n".to_owned(),
            loaded => format!("$1\r\n{}\r\n", loaded.min(2)),
        };
        client.check(&["GET", "n"], &counter);
        client.check(&["EXISTS", "s"], &format!(":{}\r\n", loaded / 3));
    }
}

#[test]
fn a_transaction_that_is_not_whole_is_taken_back() {
    let kept = commands(&[&["SET", "a", "1"]]);
    let torn = commands(&[&["MULTI"], &["SET", "a", "2"]]);
    let dir = holding(&[kept.clone(), torn].concat());
    let file = part(dir.path(), "appendonly.aof.1.incr.aof");
    let server = start("", dir);
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
    assert_eq!(std::fs::read(file).unwrap(), kept);
}

#[test]
fn what_cannot_be_used_keeps_the_server_from_starting() {
    let good = commands(&[&["SET", "a", "1"]]);
    let cases: [(&str, Vec<u8>); 4] = [
        ("", [&good[..], b"!!!", &good].concat()),
        ("", commands(&[&["NOSUCHCOMMAND", "a"]])),
        ("aof-load-truncated no", good[..good.len() - 1].to_vec()),
        (
            "aof-load-truncated no",
            commands(&[&["MULTI"], &["SET", "a", "2"]]),
        ),
    ];
    for (lines, bytes) in cases {
        let dir = holding(&bytes);
        let lines = format!("appendonly yes\n{lines}");
        match Server::start(TestServer::launching(&lines, dir.path())) {
            Err(StartError::Load(_)) => {}
            other => panic!("{other:?}"),
        }
        let file = part(dir.path(), "appendonly.aof.1.incr.aof");
        assert_eq!(std::fs::read(file).unwrap(), bytes);
    }
}

#[test]
fn a_file_that_others_follow_is_not_cut_off() {
    let dir = holding(b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*2\r\n$4\r\nINC");
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n\
                    file appendonly.aof.2.incr.aof seq 2 type i\n";
    let follows = part(dir.path(), "appendonly.aof.2.incr.aof");
    std::fs::write(part(dir.path(), "appendonly.aof.manifest"), manifest).unwrap();
    std::fs::write(&follows, commands(&[&["INCR", "a"]])).unwrap();
    let launch = || TestServer::launching("appendonly yes", dir.path());
    let torn = part(dir.path(), "appendonly.aof.1.incr.aof");
    let before = std::fs::read(&torn).unwrap();
    let (started, log) = said(|| Server::start(launch()));
    assert!(matches!(started, Err(StartError::Load(_))));
    let where_it_is = "The AOF appendonly.aof.1.incr.aof is whole up to offset 21 only, and other files go on from its end";
    assert!(log.contains(where_it_is), "{log}");
    assert!(
        log.contains("the truncated file is not the last file"),
        "{log}"
    );
    assert_eq!(std::fs::read(&torn).unwrap(), before);
    // What follows and says nothing does not matter.
    std::fs::write(&follows, b"").unwrap();
    let (started, log) = said(|| Server::start(launch()));
    started.unwrap().shutdown();
    let cut = "!!! Truncating the AOF appendonly.aof.1.incr.aof at offset 21 !!!";
    assert!(log.contains(cut), "{log}");
    assert_eq!(std::fs::read(&torn).unwrap(), before[..21]);
}

#[test]
fn a_file_of_the_old_style_is_moved_and_loaded() {
    let dir = TempDir::new().unwrap();
    let bytes = commands(&[&["SET", "a", "1"]]);
    std::fs::write(dir.path().join("appendonly.aof"), bytes).unwrap();
    let server = start("", dir);
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
    assert!(!server.dir.path().join("appendonly.aof").exists());
    assert!(part(server.dir.path(), "appendonly.aof").exists());
    let server = restart(server, "");
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
}

#[test]
fn times_are_written_on_demand_and_passed_over() {
    let server = start("aof-timestamp-enabled yes", TempDir::new().unwrap());
    server.client().check(&["SET", "a", "1"], "+OK\r\n");
    let file = part(server.dir.path(), "appendonly.aof.1.incr.aof");
    assert!(std::fs::read(file).unwrap().starts_with(b"#TS:"));
    let server = restart(server, "");
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
}

#[test]
fn debug_loadaof_brings_back_the_same_dataset() {
    let server = start("enable-debug-command yes", TempDir::new().unwrap());
    let mut client = server.client();
    client.check(&["ZADD", "z", "1", "a", "2", "b"], ":2\r\n");
    client.check(&["SETEX", "v", "1000", "x"], "+OK\r\n");
    client.send(request(&["DEBUG", "DIGEST"]));
    let before = client.line();
    client.check(&["DEBUG", "LOADAOF"], "+OK\r\n");
    client.send(request(&["DEBUG", "DIGEST"]));
    assert_eq!(client.line(), before);
}

/// Whether the file has these bytes.
fn has(server: &TestServer, bytes: &[u8]) -> bool {
    let file = part(server.dir.path(), "appendonly.aof.1.incr.aof");
    let text = std::fs::read(file).unwrap();
    text.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn nobody_sees_a_write_before_it_is_in_the_file() {
    let lines = "appendfsync always\nenable-debug-command yes";
    let server = start(lines, TempDir::new().unwrap());
    let (mut writer, mut reader, mut cold) = (server.client(), server.client(), server.client());
    cold.check(&["SET", "cold", "x"], "+OK\r\n");
    cold.check(&["DEBUG", "AOF-FLUSH-SLEEP", "1500000"], "+OK\r\n");
    let incr = request(&["INCR", "hot"]);
    let end = server.engine().log.end();
    writer.send(&incr);
    wait_until("the write is executed", || server.engine().log.end() > end);
    // The read of a shard that nobody has written to does not wait for the write that is under way.
    cold.check(&["GET", "cold"], "$1\r\nx\r\n");
    assert!(!has(&server, &incr));
    reader.check(&["GET", "hot"], "$1\r\n1\r\n");
    assert!(has(&server, &incr));
    writer.expect(":1\r\n");
    cold.check(&["DEBUG", "AOF-FLUSH-SLEEP", "0"], "+OK\r\n");
}

#[test]
fn what_a_served_client_gets_is_in_the_file_too() {
    let lines = "appendfsync always\nenable-debug-command yes";
    let server = start(lines, TempDir::new().unwrap());
    let (mut waiting, mut other) = (server.client(), server.client());
    waiting.send(request(&["BLPOP", "q", "0"]));
    wait_until("it waits", || {
        server.engine().clients.blocked.load(Relaxed) == 1
    });
    other.check(&["DEBUG", "AOF-FLUSH-SLEEP", "300000"], "+OK\r\n");
    other.send(request(&["RPUSH", "q", "x"]));
    waiting.expect("*2\r\n$1\r\nq\r\n$1\r\nx\r\n");
    assert!(has(&server, &request(&["LPOP", "q"])));
    other.expect(":1\r\n");
    other.check(&["DEBUG", "AOF-FLUSH-SLEEP", "0"], "+OK\r\n");
}

#[test]
fn waitaof_waits_for_the_disk() {
    let server = start("appendfsync everysec", TempDir::new().unwrap());
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    client.check(&["WAITAOF", "1", "0", "0"], "*2\r\n:1\r\n:0\r\n");
    client.check(&["CONFIG", "SET", "appendonly", "no"], "+OK\r\n");
    client.check(
        &["WAITAOF", "1", "0", "0"],
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
    );
}

/// Debian's redis-server in a directory.
struct RealServer {
    child: Child,
    address: std::net::SocketAddr,
}

impl RealServer {
    fn start(dir: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--enable-debug-command", "yes"])
            .arg("--dir")
            .arg(dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("the tests need redis-server on PATH");
        wait_until_loaded(address);
        Self { child, address }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a dataset of every type.
const DATASET: &[&[&str]] = &[
    &["SET", "s", "text"],
    &["SET", "n", "42"],
    &["SETEX", "v", "100000", "x"],
    &["RPUSH", "l", "a", "2", "c"],
    &["SADD", "i", "1", "2", "3"],
    &["SADD", "set", "a", "b"],
    &["ZADD", "z", "1.5", "a", "-inf", "b"],
    &["HSET", "h", "f", "v", "g", "7"],
    &["XADD", "x", "1-1", "f", "v"],
    &["XGROUP", "CREATE", "x", "g", "0"],
    &["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"],
    &["SELECT", "5"],
    &["SET", "elsewhere", "1"],
];

fn fill(address: std::net::SocketAddr) -> Vec<u8> {
    let mut wire = Wire::connect(address).unwrap();
    for words in DATASET {
        wire.call(words).unwrap();
    }
    digest(address)
}

fn digest(address: std::net::SocketAddr) -> Vec<u8> {
    let mut wire = Wire::connect(address).unwrap();
    wire.call(&["DEBUG", "DIGEST"]).unwrap()
}

#[test]
fn a_real_server_loads_what_this_one_wrote() {
    let lines = "enable-debug-command yes\naof-use-rdb-preamble no";
    let mut server = start(lines, TempDir::new().unwrap());
    let digested = fill(server.address(Kind::Tcp));
    for rewritten in [false, true] {
        if rewritten {
            server = restart(server, lines);
            let mut client = server.client();
            client.send(request(&["BGREWRITEAOF"]));
            client.line();
            wait_until("the rewrite ends", || is_idle(&server));
        }
        server.end();
        let real = RealServer::start(server.dir.path());
        assert_eq!(digest(real.address), digested, "rewritten: {rewritten}");
    }
}

#[test]
fn this_server_loads_what_a_real_one_wrote() {
    let dir = TempDir::new().unwrap();
    let real = RealServer::start(dir.path());
    let digested = fill(real.address);
    drop(real);
    let server = start("enable-debug-command yes", dir);
    assert_eq!(digest(server.address(Kind::Tcp)), digested);
}

/// Runs the binary as `redis-check-aof`.
fn check(dir: &Path, args: &[&str], answer: &str) -> Output {
    let tool = dir.join("redis-check-aof");
    if !tool.exists() {
        symlink(env!("CARGO_BIN_EXE_redis-server"), &tool).unwrap();
    }
    std::fs::write(dir.join("answer"), answer).unwrap();
    Command::new(tool)
        .args(args)
        .current_dir(dir)
        .stdin(std::fs::File::open(dir.join("answer")).unwrap())
        .output()
        .unwrap()
}

#[test]
fn the_tool_names_what_is_wrong_and_cuts_it_off() {
    let good = commands(&[&["SET", "a", "1"]]);
    let dir = holding(&[&good[..], b"!!!"].concat());
    let manifest = "appendonlydir/appendonly.aof.manifest";
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let found = check(dir.path(), &[manifest], "");
    assert!(!found.status.success());
    let told = text(&found);
    let wanted = "AOF analyzed: filename=appendonly.aof.1.incr.aof, size=30, ok_up_to=27, ok_up_to_line=8, diff=3\n";
    assert!(told.contains(wanted), "{told}");
    assert!(told.contains("Expected prefix '*', got: '!'"), "{told}");
    let refused = check(dir.path(), &["--fix", manifest], "n\n");
    assert!(!refused.status.success());
    let fixed = check(dir.path(), &["--fix", manifest], "y\n");
    assert!(fixed.status.success());
    let file = part(dir.path(), "appendonly.aof.1.incr.aof");
    assert_eq!(std::fs::read(file).unwrap(), good);
    let sound = check(dir.path(), &[manifest], "");
    assert!(text(&sound).ends_with("All AOF files and manifest are valid\n"));
}

#[test]
fn the_tool_cuts_off_what_came_after_a_time() {
    let (first, second) = (
        commands(&[&["SET", "a", "1"]]),
        commands(&[&["SET", "a", "2"]]),
    );
    let dir = holding(&[b"#TS:100\r\n", &first[..], b"#TS:200\r\n", &second].concat());
    let file = "appendonlydir/appendonly.aof.1.incr.aof";
    let nothing = check(dir.path(), &["--truncate-to-timestamp", "50", file], "");
    assert!(!nothing.status.success());
    let done = check(dir.path(), &["--truncate-to-timestamp", "150", file], "");
    assert!(done.status.success());
    let left = std::fs::read(dir.path().join(file)).unwrap();
    assert_eq!(left, [b"#TS:100\r\n", &first[..]].concat());
}
