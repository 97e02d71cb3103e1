//! Servers that are killed under load, at any point, and what is there when they start again.
//!
//! `CUIRASS_CRASH_ROUNDS` says how often; a few rounds by default.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use commands::Rng;
use resp::ReplyParser;
use tempfile::TempDir;

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

/// The program as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(dir: &Path, policy: &str) -> Self {
        let address = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_redis-server"))
            .args(["--port", &address.port().to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", policy])
            .args(["--io-threads", "2", "--worker-placement", "spread"])
            .arg("--dir")
            .arg(dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_until_loaded(address);
        Self { child, address }
    }

    /// SIGKILL: nothing of it runs any more.
    fn kill(&mut self) {
        // It is there until it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
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

#[test]
fn nothing_that_was_seen_is_lost_with_appendfsync_always() {
    let dir = TempDir::new().unwrap();
    let (seen, mut rng) = (Seen::default(), Rng::new(7));
    for round in 0..rounds() {
        let mut process = Process::start(dir.path(), "always");
        let address = process.address;
        seen.over.store(false, Relaxed);
        let enough = seen.replies.load(Relaxed) + 50 + rng.below(1500);
        std::thread::scope(|scope| {
            for counter in 0..COUNTERS {
                for command in ["INCR", "GET", "INCR"] {
                    let seen = &seen;
                    scope.spawn(move || seen.watch(address, command, counter));
                }
            }
            if round % 2 == 1 {
                let mut wire = Wire::connect(address).unwrap();
                wire.call(&["BGREWRITEAOF"]).unwrap();
            }
            wait_until("there was enough load", || {
                seen.replies.load(Relaxed) >= enough
            });
            process.kill();
            seen.over.store(true, Relaxed);
        });
        let process = Process::start(dir.path(), "always");
        let mut wire = Wire::connect(process.address).unwrap();
        for (counter, value) in seen.values.iter().enumerate() {
            let key = format!("counter:{counter}");
            let kept = number(&wire.call(&["GET", &key]).unwrap()).unwrap_or(0);
            let seen = value.load(Relaxed);
            assert!(
                kept >= seen,
                "round {round}: {key} is {kept}, and {seen} was seen"
            );
        }
    }
}

#[test]
fn what_is_on_disk_by_waitaof_is_there_with_everysec() {
    let dir = TempDir::new().unwrap();
    let mut raised = 0;
    for round in 0..rounds() {
        let mut process = Process::start(dir.path(), "everysec");
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
        let process = Process::start(dir.path(), "everysec");
        let mut wire = Wire::connect(process.address).unwrap();
        let kept = number(&wire.call(&["GET", "n"]).unwrap()).unwrap();
        assert!(kept >= safe, "round {round}: {kept} of {safe}");
    }
}
