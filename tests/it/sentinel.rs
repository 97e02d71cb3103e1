//! Redis Sentinel, where the redis-server in PATH has it, watches servers of ours and changes their roles, over TLS alone.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use resp::{ReplyParser, Value};
use tempfile::TempDir;
use testkit::render;

use crate::certificates::{Certificates, Encrypted};
use crate::process::Process;
use crate::server::{Client, request};

/// How long anything may take: sentinels have timeouts of seconds, and the machine may have other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// The password of the servers.
const PASSWORD: &str = "open sesame";

/// Waits until `look` finds something.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's patience is its own")]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(start.elapsed() < PATIENCE, "never: {what}; last: {seen}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Calls a command over a connection.
fn call(client: &mut Client<Encrypted>, words: &[&str]) -> io::Result<Value> {
    client.0.write_all(&request(words))?;
    client.0.flush()?;
    let mut input = Vec::new();
    loop {
        if let Some((value, _)) = ReplyParser::default().parse(&input).unwrap() {
            return Ok(value);
        }
        let mut piece = [0; 4096];
        match client.0.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => input.extend_from_slice(&piece[..count]),
        }
    }
}

/// Servers and sentinels, and whom they know.
struct Stage {
    certificates: Certificates,
    dir: TempDir,
}

impl Stage {
    /// A port that is free just now.
    fn port() -> SocketAddr {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        free.local_addr().unwrap()
    }

    /// Writes a configuration file with TLS alone.
    fn configure(&self, name: &str, address: SocketAddr, lines: &str) {
        let dir = self.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let mut text = format!(
            "port 0\ntls-port {}\nbind 127.0.0.1\ndir {}\n{lines}",
            address.port(),
            dir.display()
        );
        for (name, value) in self.certificates.directives() {
            writeln!(text, "{name} {value}").unwrap();
        }
        std::fs::write(dir.join("redis.conf"), text).unwrap();
    }

    /// A server of ours, with its file as it is by now.
    fn server(&self, name: &str, address: SocketAddr) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redis-server"));
        command.arg(self.dir.path().join(name).join("redis.conf"));
        Process::start(&mut command, address).unwrap()
    }

    /// A sentinel that watches this primary; `None` when there is none to be had.
    fn sentinel(&self, name: &str, primary: SocketAddr) -> Option<Process> {
        let address = Self::port();
        let lines = format!(
            "sentinel monitor ours 127.0.0.1 {} 2\n\
             sentinel auth-pass ours \"{PASSWORD}\"\n\
             sentinel down-after-milliseconds ours 1500\n\
             sentinel failover-timeout ours 10000\n\
             sentinel parallel-syncs ours 1\n",
            primary.port()
        );
        self.configure(name, address, &lines);
        let mut command = Command::new("redis-server");
        command.arg(self.dir.path().join(name).join("redis.conf"));
        command.arg("--sentinel");
        let mut process = Process::start(&mut command, address).ok()?;
        wait_for("the sentinel listens", || {
            if process.child.try_wait().unwrap().is_some() {
                // One that was built without TLS does not know what it reads.
                return Ok(None);
            }
            self.ask(address, &["PING"]).map(Some)
        })?;
        Some(process)
    }

    /// Calls a command over a new connection; what went wrong otherwise, error replies too.
    fn ask(&self, address: SocketAddr, words: &[&str]) -> Result<Value, String> {
        let connected = self.certificates.try_connect(address);
        let value = connected.and_then(|mut client| call(&mut client, words));
        match value.map_err(|error| error.to_string())? {
            error @ (Value::Error(_) | Value::BlobError(_)) => Err(render(&error)),
            value => Ok(value),
        }
    }

    /// A client of a server.
    fn client(&self, address: SocketAddr) -> Result<Client<Encrypted>, String> {
        let connected = self.certificates.try_connect(address);
        let client = connected.and_then(|mut client| {
            call(&mut client, &["AUTH", PASSWORD])?;
            Ok(client)
        });
        client.map_err(|error| error.to_string())
    }

    /// A reply of a server, rendered.
    fn say(&self, address: SocketAddr, words: &[&str]) -> Result<String, String> {
        let mut client = self.client(address)?;
        let value = call(&mut client, words).map_err(|error| error.to_string())?;
        Ok(render(&value))
    }

    /// Waits until INFO replication of a server has all these lines.
    #[track_caller]
    fn wait_for_info(&self, address: SocketAddr, lines: &[String]) {
        wait_for(&format!("{lines:?}"), || {
            let info = self.say(address, &["INFO", "replication"])?;
            let has = |line: &String| info.contains(&format!("{line}\\r\\n"));
            lines.iter().all(has).then_some(()).ok_or(info)
        });
    }

    /// Where the sentinels say that the primary is.
    fn primary(&self, sentinels: &[Process]) -> Result<SocketAddr, String> {
        let mut seen = Vec::new();
        for sentinel in sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "ours"];
            let Value::Array(words) = self.ask(sentinel.address, &words)? else {
                return Err("no such primary".to_owned());
            };
            let words = words.iter().filter_map(Value::as_bytes);
            let words: Vec<String> = words
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            seen.push(words.join(":"));
        }
        let first = seen.first().ok_or("nobody to ask")?;
        if seen.iter().any(|other| other != first) {
            return Err(format!("{seen:?}"));
        }
        first.parse().map_err(|_| first.clone())
    }

    /// Writes a number wherever the sentinels say, until so many replicas have it too.
    #[track_caller]
    fn write(&self, sentinels: &[Process], number: usize, replicas: usize) -> SocketAddr {
        wait_for(&format!("{number} is written"), || {
            let address = self.primary(sentinels)?;
            let mut client = self.client(address)?;
            let text = number.to_string();
            let mut say = |words: &[&str]| {
                let value = call(&mut client, words).map_err(|error| error.to_string())?;
                Ok::<_, String>(render(&value))
            };
            let set = say(&["SET", &format!("key:{number}"), &text])?;
            let copies = say(&["WAIT", &replicas.to_string(), "5000"])?;
            let done = set == "+OK" && copies == format!(":{replicas}");
            done.then_some(address)
                .ok_or_else(|| format!("{address}: {set} {copies}"))
        })
    }
}

#[test]
fn sentinels_fail_over_and_clients_go_on() {
    let stage = Stage {
        certificates: Certificates::new(),
        dir: TempDir::new().unwrap(),
    };
    let addresses = [(); 3].map(|()| Stage::port());
    let [first, ..] = addresses;
    let mut servers = Vec::new();
    for (number, address) in addresses.into_iter().enumerate() {
        let name = format!("server{number}");
        let mut lines = format!(
            "requirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\nsave \"\"\nrepl-diskless-sync-delay 0\n"
        );
        if number > 0 {
            writeln!(lines, "replicaof 127.0.0.1 {}", first.port()).unwrap();
        }
        stage.configure(&name, address, &lines);
        servers.push(stage.server(&name, address));
    }
    for replica in &addresses[1..] {
        stage.wait_for_info(*replica, &["master_link_status:up".to_owned()]);
    }
    let mut sentinels = Vec::new();
    for number in 0..3 {
        let Some(sentinel) = stage.sentinel(&format!("sentinel{number}"), first) else {
            return;
        };
        sentinels.push(sentinel);
    }
    // They learn of replicas from INFO, and of each other by what they publish.
    for sentinel in &sentinels {
        wait_for("the sentinels know everybody", || {
            stage.ask(sentinel.address, &["SENTINEL", "CKQUORUM", "ours"])?;
            let all = render(&stage.ask(sentinel.address, &["SENTINEL", "MASTER", "ours"])?);
            let knows = |field: &str| all.contains(&format!("\"{field}\", \"2\""));
            let done = knows("num-slaves") && knows("num-other-sentinels");
            done.then_some(()).ok_or(all)
        });
    }
    for number in 0..20 {
        assert_eq!(stage.write(&sentinels, number, 2), first);
    }

    servers[0].kill();
    let second = stage.write(&sentinels, 20, 1);
    assert_ne!(second, first);
    let other = *addresses[1..]
        .iter()
        .find(|address| **address != second)
        .unwrap();
    let follows_second = [
        "role:slave".to_owned(),
        format!("master_port:{}", second.port()),
        "master_link_status:up".to_owned(),
    ];
    stage.wait_for_info(other, &follows_second);
    for number in 21..40 {
        assert_eq!(stage.write(&sentinels, number, 1), second);
    }

    // Its file still says that it is the primary.
    servers[0] = stage.server("server0", first);
    stage.wait_for_info(first, &follows_second);
    for number in 40..50 {
        assert_eq!(stage.write(&sentinels, number, 2), second);
    }
    for address in addresses {
        wait_for("every write is everywhere", || {
            let size = stage.say(address, &["DBSIZE"])?;
            (size == ":50").then_some(()).ok_or(size)
        });
    }
    let info = stage.say(first, &["INFO", "replication"]).unwrap();
    assert!(info.contains("master_link_tls:TLSv1.3"), "{info}");
    // The sentinels have its file rewritten, so that it would follow at its next start too.
    let file = stage.dir.path().join("server0").join("redis.conf");
    let line = format!("replicaof 127.0.0.1 {}", second.port());
    wait_for("the file says whom it follows", || {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines()
            .any(|other| other == line)
            .then_some(())
            .ok_or(text)
    });
}
