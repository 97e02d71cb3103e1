//! Servers that are killed under load, at any point, and what is there when they start again.
//!
//! `CUIRASS_CRASH_ROUNDS` says how often; a few rounds by default.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use commands::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use resp::ReplyParser;
use tempfile::TempDir;

use crate::process::Process;
use crate::server::{request, wait_until};

/// A client of a server that may vanish.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// The bytes of the reply to a call.
    pub(crate) fn call(&mut self, words: &[&str]) -> io::Result<Vec<u8>> {
        self.stream.write_all(&request(words))?;
        loop {
            let parsed = ReplyParser::default().parse(&self.received);
            if let Some((_, length)) = parsed.expect("replies are well-formed") {
                return Ok(self.received.drain(..length).collect());
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// Waits until a server has loaded its dataset.
pub(crate) fn wait_until_loaded(address: SocketAddr) {
    wait_until("the server has loaded", || {
        let pinged = Wire::connect(address).and_then(|mut wire| wire.call(&["PING"]));
        pinged.is_ok_and(|reply| reply == b"+PONG\r\n")
    });
}

/// An address at which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap()
}

/// Starts the program with a file in `dir`, and waits until it has loaded that.
fn start(dir: &Path, policy: &str) -> Process {
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_redis-server"));
    command
        .args(["--port", &address.port().to_string(), "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", policy])
        .args(["--io-threads", "2", "--worker-placement", "spread"])
        .arg("--dir")
        .arg(dir);
    let process = Process::start(&mut command, address).unwrap();
    wait_until_loaded(address);
    process
}

fn rounds() -> u64 {
    let asked = std::env::var("CUIRASS_CRASH_ROUNDS").ok();
    asked.and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

fn number(reply: &[u8]) -> Option<u64> {
    let text = str::from_utf8(reply).ok()?;
    let digits = match text.strip_prefix(':') {
        Some(integer) => integer.trim_end(),
        None => text.split("\r\n").nth(1)?,
    };
    digits.parse().ok()
}

/// How a process is made to crash, and what it dies of.
enum Crash {
    /// DEBUG with this subcommand.
    Asked(&'static str),
    Signalled(Signal),
}

/// Lets a server crash; the signal that it died of, and its log.
fn crash(crash: &Crash, lines: &[&str]) -> (Option<i32>, String) {
    let (dir, address) = (TempDir::new().unwrap(), free_address());
    let mut child = Command::new(env!("CARGO_BIN_EXE_redis-server"))
        .args(["--port", &address.port().to_string(), "--save", ""])
        .args(["--enable-debug-command", "yes"])
        .args(lines)
        .arg("--dir")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_loaded(address);
    let mut wire = Wire::connect(address).unwrap();
    match crash {
        Crash::Asked(subcommand) => assert!(wire.call(&["DEBUG", subcommand]).is_err()),
        Crash::Signalled(signal) => {
            let pid = Pid::from_raw(child.id().cast_signed());
            kill(pid, *signal).unwrap();
        }
    }
    let mut log = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut log).unwrap();
    (child.wait().unwrap().signal(), log)
}

#[test]
fn a_crash_is_reported_where_that_is_wanted() {
    let crashes = [
        (
            Crash::Asked("SEGFAULT"),
            Signal::SIGSEGV,
            "crashed by signal: 11",
        ),
        (
            Crash::Asked("ASSERT"),
            Signal::SIGABRT,
            "=== ASSERTION FAILED ===",
        ),
        (
            Crash::Asked("PANIC"),
            Signal::SIGABRT,
            "called by DEBUG PANIC",
        ),
        (
            Crash::Signalled(Signal::SIGABRT),
            Signal::SIGABRT,
            "crashed by signal: 6",
        ),
    ];
    for (how, signal, head) in crashes {
        let (died_of, log) = crash(&how, &[]);
        assert_eq!(died_of, Some(signal as i32));
        for text in [
            head,
            "STACK TRACE",
            "worker-0",
            "redis_version:",
            "laddr=127.0.0.1",
        ] {
            assert!(log.contains(text), "{text} in {log}");
        }
        let (died_of, log) = crash(&how, &["--crash-log-enabled", "no"]);
        assert_eq!(died_of, Some(signal as i32));
        assert!(!log.contains("STACK TRACE"), "{log}");
    }
}

/// Counters that clients raise and read.
const COUNTERS: usize = 4;

/// What clients have seen of each counter: the highest value that was acknowledged or read.
#[derive(Default)]
struct Seen {
    values: [AtomicU64; COUNTERS],
    replies: AtomicU64,
    over: AtomicBool,
}

impl Seen {
    fn now(&self) -> [u64; COUNTERS] {
        self.values.each_ref().map(|value| value.load(Relaxed))
    }

    /// Calls until the server is gone.
    fn watch(&self, address: SocketAddr, command: &str, counter: usize) {
        let Ok(mut wire) = Wire::connect(address) else {
            return;
        };
        let key = format!("counter:{counter}");
        while !self.over.load(Relaxed) {
            match wire.call(&[command, &key]) {
                Ok(reply) => {
                    if let Some(value) = number(&reply) {
                        self.values[counter].fetch_max(value, Relaxed);
                    }
                    self.replies.fetch_add(1, Relaxed);
                }
                Err(_) => return,
            }
        }
    }
}

/// Has clients raise and read the counters until there were so many more replies and `goes_on` says no more, and kills the
/// server at work. Every other round it is rewriting its file.
fn load_and_kill(
    mut process: Process,
    round: u64,
    seen: &Seen,
    enough: u64,
    goes_on: impl Fn() -> bool,
) {
    let address = process.address;
    seen.over.store(false, Relaxed);
    let enough = seen.replies.load(Relaxed) + enough;
    std::thread::scope(|scope| {
        for counter in 0..COUNTERS {
            for command in ["INCR", "GET", "INCR"] {
                scope.spawn(move || seen.watch(address, command, counter));
            }
        }
        if round % 2 == 1 {
            let mut wire = Wire::connect(address).unwrap();
            wire.call(&["BGREWRITEAOF"]).unwrap();
        }
        wait_until("there was enough load", || {
            !goes_on() && seen.replies.load(Relaxed) >= enough
        });
        process.kill();
        seen.over.store(true, Relaxed);
    });
}

/// Starts the server again and looks whether no counter is below its value of these.
fn check_kept(dir: &Path, policy: &str, round: u64, values: [u64; COUNTERS]) {
    let process = start(dir, policy);
    let mut wire = Wire::connect(process.address).unwrap();
    for (counter, safe) in values.into_iter().enumerate() {
        let key = format!("counter:{counter}");
        let kept = number(&wire.call(&["GET", &key]).unwrap()).unwrap_or(0);
        assert!(
            kept >= safe,
            "round {round}: {key} is {kept}, and {safe} was seen"
        );
    }
}

#[test]
fn nothing_that_was_seen_is_lost_with_appendfsync_always() {
    let dir = TempDir::new().unwrap();
    let (seen, mut rng) = (Seen::default(), Rng::new(7));
    for round in 0..rounds() {
        let process = start(dir.path(), "always");
        load_and_kill(process, round, &seen, 50 + rng.below(1500), || false);
        check_kept(dir.path(), "always", round, seen.now());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is promised is a time")]
fn what_was_seen_two_seconds_before_is_not_lost_with_appendfsync_everysec() {
    const PROMISED: Duration = Duration::from_secs(2);
    let dir = TempDir::new().unwrap();
    let mut rng = Rng::new(8);
    for round in 0..rounds() {
        // What was seen last in the round before may be lost.
        let seen = Seen::default();
        let process = start(dir.path(), "everysec");
        let started = Instant::now();
        let lives = PROMISED + Duration::from_millis(100 + rng.below(1000));
        let known = Mutex::new(vec![(started, seen.now())]);
        load_and_kill(process, round, &seen, 0, || {
            known.lock().push((Instant::now(), seen.now()));
            started.elapsed() < lives
        });
        let killed = Instant::now();
        let known = known.into_inner();
        let is_old = |(at, _): &&(Instant, _)| killed.duration_since(*at) >= PROMISED;
        let (_, safe) = known.iter().rfind(is_old).unwrap();
        check_kept(dir.path(), "everysec", round, *safe);
    }
}

#[test]
fn what_is_on_disk_by_waitaof_is_there_with_everysec() {
    let dir = TempDir::new().unwrap();
    let mut raised = 0;
    for round in 0..rounds() {
        let mut process = start(dir.path(), "everysec");
        let mut wire = Wire::connect(process.address).unwrap();
        for _ in 0..200 {
            raised = number(&wire.call(&["INCR", "n"]).unwrap()).unwrap();
        }
        let waited = wire.call(&["WAITAOF", "1", "0", "0"]).unwrap();
        assert_eq!(waited, b"*2\r\n:1\r\n:0\r\n");
        let safe = raised;
        for _ in 0..200 {
            wire.call(&["INCR", "n"]).unwrap();
        }
        process.kill();
        let process = start(dir.path(), "everysec");
        let mut wire = Wire::connect(process.address).unwrap();
        let kept = number(&wire.call(&["GET", "n"]).unwrap()).unwrap();
        assert!(kept >= safe, "round {round}: {kept} of {safe}");
    }
}
