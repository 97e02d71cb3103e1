//! Replication over real sockets: with a real redis-server where one is in PATH, over TLS with certificates and passwords,
//! under a load of every type while links are cut.

mod dual_channel;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cuirass::Kind;
use resp::{ReplyParser, Value};
use tempfile::TempDir;
use testkit::render;

use crate::certificates::Certificates;
use crate::server::{Client, TestServer, request, wait_until};

/// The password of every server here.
const PASSWORD: &str = "open sesame";

/// A connection that is authenticated and reads whole replies.
struct Talk {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Talk {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            input: Vec::new(),
        }
    }

    fn authenticated(address: SocketAddr) -> Self {
        let mut talk = Self::to(address);
        assert_eq!(talk.say("AUTH", &[PASSWORD]), "+OK");
        talk
    }

    fn send(&mut self, words: &[&str]) {
        self.stream.write_all(&request(words)).unwrap();
    }

    fn value(&mut self) -> Value {
        loop {
            let parsed = ReplyParser::default().parse(&self.input).unwrap();
            if let Some((value, length)) = parsed {
                self.input.drain(..length);
                return value;
            }
            let mut piece = [0; 4096];
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the server has closed the connection");
            self.input.extend_from_slice(&piece[..count]);
        }
    }

    /// Calls a command and renders the reply.
    fn say(&mut self, name: &str, words: &[&str]) -> String {
        let all: Vec<&str> = std::iter::once(name).chain(words.iter().copied()).collect();
        self.send(&all);
        render(&self.value())
    }

    fn line(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.send(&words);
        render(&self.value())
    }

    /// A field of INFO replication.
    fn info(&mut self, field: &str) -> String {
        self.send(&["INFO", "replication"]);
        let value = self.value();
        let text = String::from_utf8(value.as_bytes().unwrap().to_vec()).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    }
}

/// The directives that every server here has.
fn directives(certificates: &Certificates) -> Vec<(&'static str, String)> {
    let mut directives = certificates.directives();
    directives.extend([
        ("requirepass", format!("\"{PASSWORD}\"")),
        ("masterauth", format!("\"{PASSWORD}\"")),
        ("enable-debug-command", "yes".to_owned()),
        ("repl-diskless-sync-delay", "0".to_owned()),
        ("repl-ping-replica-period", "1".to_owned()),
    ]);
    directives
}

/// A server of either make.
trait Node {
    /// Where clients reach it in plaintext.
    fn plain(&self) -> SocketAddr;
    /// The port where replicas reach it.
    fn port(&self) -> u16;

    fn talk(&self) -> Talk {
        Talk::authenticated(self.plain())
    }

    /// Has it follow another one.
    fn follow(&self, primary: &dyn Node) {
        let port = primary.port().to_string();
        assert_eq!(self.talk().say("REPLICAOF", &["127.0.0.1", &port]), "+OK");
        wait_until("the link is up", || {
            self.talk().info("master_link_status") == "up"
        });
    }
}

impl Node for TestServer {
    fn plain(&self) -> SocketAddr {
        self.address(Kind::Tcp)
    }

    fn port(&self) -> u16 {
        self.address(Kind::Tls).port()
    }
}

/// A server of ours.
fn ours(certificates: &Certificates, more: &str) -> TestServer {
    let directives = directives(certificates);
    let lines = directives
        .iter()
        .map(|(name, value)| format!("{name} {value}\n"));
    let lines = lines.collect::<String>() + more;
    TestServer::start(&lines, &[Kind::Tcp, Kind::Tls], TempDir::new().unwrap())
}

/// A real redis-server.
struct Real {
    child: Child,
    plain: SocketAddr,
    tls: u16,
    _dir: TempDir,
}

impl Real {
    /// `None` when there is no redis-server with TLS to be had.
    fn start(certificates: &Certificates) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let ports = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [plain, tls] = ports.map(|socket| socket.local_addr().unwrap());
        let mut lines = format!(
            "port {}\ntls-port {}\nsave \"\"\ndir {}\nloglevel verbose\n",
            plain.port(),
            tls.port(),
            dir.path().display()
        );
        for (name, value) in directives(certificates) {
            lines += &format!("{name} {value}\n");
        }
        let file = dir.path().join("redis.conf");
        std::fs::write(&file, lines).unwrap();
        let child = Command::new("redis-server")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let mut real = Self {
            child,
            plain,
            tls: tls.port(),
            _dir: dir,
        };
        let mut is_up = false;
        for _ in 0..2000 {
            is_up = TcpStream::connect(plain).is_ok();
            if is_up || real.child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        is_up.then_some(real)
    }
}

impl Node for Real {
    fn plain(&self) -> SocketAddr {
        self.plain
    }

    fn port(&self) -> u16 {
        self.tls
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A small generator of the same numbers every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One write of any type.
fn write(dice: &mut Dice) -> String {
    let (key, number) = (dice.below(40), dice.below(1000));
    let other = dice.below(40);
    match dice.below(34) {
        0 => format!("SET s:{key} value:{number}"),
        1 => format!("SET s:{key} short PX {}", 1 + number % 50),
        2 => format!("APPEND s:{key} more:{number}"),
        3 => format!("SETRANGE s:{key} {} xyz", number % 100),
        4 => format!("INCRBY n:{key} {number}"),
        5 => format!("INCRBYFLOAT f:{key} 0.{number}"),
        6 => format!("SETBIT b:{key} {number} 1"),
        7 => format!("LPUSH l:{key} {number} a b"),
        8 => format!("RPOP l:{key}"),
        9 => format!("LMOVE l:{key} l:{other} LEFT RIGHT"),
        10 => format!("LTRIM l:{key} 0 20"),
        11 => format!("SADD t:{key} {number} x y"),
        12 => format!("SPOP t:{key} 2"),
        13 => format!("SINTERSTORE t:{key} t:{other} t:{number}"),
        14 => format!("HSET h:{key} f{} {number} g x", number % 10),
        15 => format!("HINCRBYFLOAT h:{key} r 1.{number}"),
        16 => format!("HDEL h:{key} f{}", number % 10),
        17 => format!("ZADD z:{key} {number} m{} 2 x", number % 20),
        18 => format!("ZPOPMIN z:{key} 2"),
        19 => format!("ZUNIONSTORE z:{key} 2 z:{other} z:{key}"),
        20 => format!("XADD x:{key} MAXLEN ~ 30 * f {number}"),
        21 => format!("XGROUP CREATE x:{key} g 0 MKSTREAM"),
        22 => format!("XREADGROUP GROUP g c COUNT 2 STREAMS x:{key} >"),
        23 => format!("PEXPIRE l:{key} {}", 20 + number % 200),
        24 => format!("EXPIRE h:{key} 1000"),
        25 => format!("PERSIST h:{key}"),
        26 => format!("RENAME s:{key} s:{other}"),
        27 => format!("COPY z:{key} z:{other} REPLACE"),
        28 => format!("GETDEL s:{key}"),
        29 => format!("DEL z:{key} l:{other}"),
        30 => format!("MSET s:{key} {number} n:{other} {number}"),
        31 => format!("LPUSH wanted:{} {number}", number % 3),
        32 => format!("PUBLISH channel {number}"),
        _ => format!("GETEX s:{key} PX {}", 10 + number % 30),
    }
}

/// Writes a mixed load on `primary` while others wait for keys there, and lets `disturb` do something every so often.
fn write_load(primary: &dyn Node, seed: u64, writes: usize, mut disturb: impl FnMut(usize)) {
    let mut waiters: Vec<Talk> = (0..3).map(|_| primary.talk()).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let key = format!("wanted:{number}");
        waiter.send(&["BLMOVE", &key, "got", "LEFT", "RIGHT", "0"]);
    }
    let (mut client, mut dice) = (primary.talk(), Dice(seed));
    for step in 0..writes {
        if dice.below(50) == 0 {
            client.line(&format!("SELECT {}", dice.below(4)));
        }
        if dice.below(8) == 0 {
            client.line("MULTI");
            for _ in 0..=dice.below(4) {
                client.line(&write(&mut dice));
            }
            client.line("EXEC");
        } else {
            client.line(&write(&mut dice));
        }
        if dice.below(400) == 0 {
            client.line("SWAPDB 1 2");
        }
        if step % 100 == 99 {
            disturb(step / 100);
        }
    }
}

/// Waits until all have the same dataset at the same place of the same history.
fn await_agreement(nodes: &[&dyn Node]) {
    let state = |node: &&dyn Node| {
        let mut talk = node.talk();
        let place = [talk.info("master_replid"), talk.info("master_repl_offset")];
        (place, talk.line("DEBUG DIGEST"))
    };
    let mut states = Vec::new();
    for _ in 0..PATIENCE {
        states = nodes.iter().map(state).collect();
        if states.windows(2).all(|pair| pair[0] == pair[1]) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let differing = differing_keys(nodes);
    panic!("they do not agree: {states:#?}\n{differing:#?}");
}

/// The keys whose values differ, with their digests.
fn differing_keys(nodes: &[&dyn Node]) -> Vec<String> {
    let mut differing = Vec::new();
    for db in 0..4 {
        let mut talks: Vec<Talk> = nodes.iter().map(|node| node.talk()).collect();
        let mut keys = BTreeSet::new();
        for talk in &mut talks {
            talk.line(&format!("SELECT {db}"));
            talk.send(&["KEYS", "*"]);
            let Value::Array(found) = talk.value() else {
                continue;
            };
            let names = found.iter().filter_map(Value::as_bytes);
            keys.extend(names.map(|name| String::from_utf8_lossy(name).into_owned()));
        }
        for key in keys {
            let digest = |talk: &mut Talk| talk.say("DEBUG", &["DIGEST-VALUE", &key]);
            let digests: Vec<String> = talks.iter_mut().map(digest).collect();
            if digests.windows(2).any(|pair| pair[0] != pair[1]) {
                differing.push(format!("{db} {key} {digests:?}"));
            }
        }
    }
    differing
}

/// Looks at whether all agree.
const PATIENCE: usize = 1000;

/// Cuts links: at the primary's end in one turn, at the replica's in the next.
fn cut(turn: usize, primary: &dyn Node, replica: &dyn Node) {
    match turn % 3 {
        0 => drop(primary.talk().line("CLIENT KILL TYPE replica")),
        1 => drop(replica.talk().line("CLIENT KILL TYPE master")),
        _ => {}
    }
}

#[test]
fn a_chain_follows_a_real_primary_over_tls() {
    let certificates = Certificates::new();
    let Some(primary) = Real::start(&certificates) else {
        return;
    };
    let first = ours(&certificates, "repl-diskless-load swapdb\n");
    let second = ours(&certificates, "");
    write_load(&primary, 1, 300, |_| {});
    first.follow(&primary);
    second.follow(&first);
    write_load(&primary, 2, 1500, |turn| {
        cut(turn, &primary, &first);
        cut(turn + 1, &first, &second);
    });
    await_agreement(&[&primary, &first, &second]);
    assert!(first.talk().info("master_link_tls").starts_with("TLSv1.3:"));
}

#[test]
fn a_real_replica_follows_us_over_tls() {
    let certificates = Certificates::new();
    let primary = ours(&certificates, "");
    write_load(&primary, 3, 300, |_| {});
    let Some(replica) = Real::start(&certificates) else {
        return;
    };
    replica.follow(&primary);
    write_load(&primary, 4, 1500, |turn| cut(turn, &primary, &replica));
    await_agreement(&[&primary, &replica]);
}

#[test]
fn from_files_as_well() {
    let certificates = Certificates::new();
    let primary = ours(&certificates, "repl-diskless-sync no\n");
    let replica = ours(&certificates, "");
    write_load(&primary, 5, 500, |_| {});
    replica.follow(&primary);
    write_load(&primary, 6, 500, |turn| cut(turn, &primary, &replica));
    await_agreement(&[&primary, &replica]);
}

#[test]
fn a_promoted_replica_is_followed_without_a_full_synchronisation() {
    let certificates = Certificates::new();
    let [a, b, c] = [(); 3].map(|()| ours(&certificates, ""));
    write_load(&a, 7, 200, |_| {});
    b.follow(&a);
    c.follow(&a);
    write_load(&a, 8, 200, |_| {});
    await_agreement(&[&a, &b, &c]);
    let full = || b.talk().line("INFO stats").contains("sync_full:0");
    assert!(full());
    assert_eq!(b.talk().line("REPLICAOF NO ONE"), "+OK");
    a.follow(&b);
    c.follow(&b);
    assert!(!b.talk().line("CLIENT LIST").contains("flags=M"));
    let links = c.talk().line("CLIENT LIST").matches("flags=M").count();
    assert_eq!(links, 1, "the link to the former primary is gone");
    write_load(&b, 9, 200, |_| {});
    await_agreement(&[&b, &a, &c]);
    assert!(full(), "all went on from where they were");
}

#[test]
fn a_primary_changes_places_with_its_replica() {
    let certificates = Certificates::new();
    let [a, b, c] = [(); 3].map(|()| ours(&certificates, ""));
    let mut client = a.talk();
    assert_eq!(
        client.line("FAILOVER ABORT"),
        "-ERR No failover in progress."
    );
    assert_eq!(
        client.line("FAILOVER"),
        "-ERR FAILOVER requires connected replicas."
    );
    assert_eq!(
        client.line("FAILOVER TIMEOUT 0"),
        "-ERR FAILOVER timeout must be greater than 0"
    );
    for node in [&a, &b, &c] {
        let port = node.port().to_string();
        assert_eq!(
            node.talk()
                .say("CONFIG", &["SET", "replica-announce-port", &port]),
            "+OK"
        );
    }
    b.follow(&a);
    c.follow(&a);
    let refused = b.talk().line("FAILOVER");
    assert_eq!(
        refused,
        "-ERR FAILOVER is not valid when server is a replica."
    );
    let refused = client.line("FAILOVER TO 127.0.0.1 1 FORCE");
    assert!(refused.contains("requires both a timeout"), "{refused}");
    let refused = client.line("FAILOVER TO 127.0.0.1 1");
    assert_eq!(
        refused,
        "-ERR FAILOVER target HOST and PORT is not a replica."
    );
    write_load(&a, 12, 200, |_| {});
    let mut writer = a.talk();
    let line = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 20000", b.port());
    assert_eq!(client.line(&line), "+OK");
    let refused = writer.line("SET late 1");
    assert_eq!(
        refused,
        "-READONLY You can't write against a read only replica."
    );
    wait_until("b leads", || b.talk().info("role") == "master");
    wait_until("a follows", || a.talk().info("master_link_status") == "up");
    assert_eq!(a.talk().info("master_failover_state"), "no-failover");
    c.follow(&b);
    write_load(&b, 13, 200, |_| {});
    await_agreement(&[&b, &a, &c]);
    assert!(
        a.talk().line("INFO stats").contains("sync_full:2"),
        "nobody began anew"
    );
}

#[test]
fn wait_counts_replicas_that_have_everything() {
    let certificates = Certificates::new();
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, ""));
    let mut client = primary.talk();
    assert_eq!(client.line("WAIT 0 10"), ":0");
    assert_eq!(client.line("WAIT 1 10"), ":0");
    replica.follow(&primary);
    wait_until("it is online", || {
        primary.talk().info("slave0").contains("state=online")
    });
    client.line("SET a 1");
    assert_eq!(client.line("WAIT 1 0"), ":1");
    assert_eq!(client.line("WAIT 2 10"), ":1");
    let refused = replica.talk().line("WAIT 1 0");
    assert!(
        refused.starts_with("-ERR WAIT cannot be used with replica instances."),
        "{refused}"
    );
    assert_eq!(client.line("WAIT 1 -1"), "-ERR timeout is negative");
    let late = client.line("WAIT 1 9223372036854775807");
    assert_eq!(late, "-ERR timeout is out of range");
    assert!(primary.talk().line("ROLE").contains("master"));
    assert!(replica.talk().line("ROLE").contains("connected"));
}

#[test]
fn what_replicas_say_is_answered_as_redis_does() {
    let server = TestServer::plain("");
    let mut client = Talk::to(server.address(Kind::Tcp));
    assert_eq!(client.line("REPLCONF listening-port 6380"), "+OK");
    assert_eq!(client.line("REPLCONF capa eof capa psync2"), "+OK");
    assert_eq!(
        client.line("REPLCONF nonsense 1"),
        "-ERR Unrecognized REPLCONF option: nonsense"
    );
    assert_eq!(client.line("REPLCONF capa"), "-ERR syntax error");
    assert_eq!(client.line("SLAVEOF NO ONE"), "+OK");
    assert_eq!(
        client.line("REPLICAOF host port"),
        "-ERR Invalid master port"
    );
    assert_eq!(
        client.line("PSYNC ? x"),
        "-ERR value is not an integer or out of range"
    );
    assert_eq!(client.line("REPLICAOF 127.0.0.1 1"), "+OK");
    assert_eq!(
        client.line("PSYNC ? -1"),
        "-NOMASTERLINK Can't SYNC while not connected with my master"
    );
    assert_eq!(
        client.line("SET a 1"),
        "-READONLY You can't write against a read only replica."
    );
    wait_until("it says why", || {
        let mut client = Talk::to(server.address(Kind::Tcp));
        client
            .info("master_link_error")
            .contains("Connection refused")
    });
    assert_eq!(client.line("REPLICAOF NO ONE"), "+OK");
    assert_eq!(client.line("SET a 1"), "+OK");
}

#[test]
fn links_that_do_not_come_about_say_which_end_lacks_what() {
    let certificates = Certificates::new();
    let primary = ours(&certificates, "");
    let trouble = |replica: &TestServer, port: u16, expected: &str| {
        let mut client = replica.talk();
        client.say("REPLICAOF", &["127.0.0.1", &port.to_string()]);
        wait_until(expected, || {
            replica.talk().info("master_link_error").contains(expected)
        });
    };
    let plaintext = ours(&certificates, "tls-replication no\n");
    trouble(&plaintext, primary.port(), "tls-replication yes");
    let encrypted = ours(&certificates, "");
    trouble(&encrypted, primary.plain().port(), "plaintext");
    let stranger = ours(&Certificates::new(), "");
    trouble(&stranger, primary.port(), "TLS");
    let wrong = ours(&certificates, "masterauth wrong\n");
    trouble(&wrong, primary.port(), "WRONGPASS");
}

#[test]
fn a_running_plaintext_redis_moves_to_tls() {
    let certificates = Certificates::new();
    let Some(old) = Real::start(&certificates) else {
        return;
    };
    write_load(&old, 10, 300, |_| {});
    // It follows the plaintext port, for there is no other to begin with.
    let new = ours(
        &certificates,
        "tls-replication no\ntransit-encryption-mode preferred\n",
    );
    let port = old.plain.port().to_string();
    assert_eq!(new.talk().say("REPLICAOF", &["127.0.0.1", &port]), "+OK");
    wait_until("it follows", || {
        new.talk().info("master_link_status") == "up"
    });
    write_load(&old, 11, 300, |_| {});
    await_agreement(&[&old, &new]);
    assert_eq!(
        new.talk().info("master_link_tls"),
        "",
        "the link is plaintext"
    );

    // Clients move one by one, first in plaintext, to the port that will be TLS alone; then the roles change.
    let tls_port = new.address(Kind::Tls);
    let mut plain = Talk::authenticated(tls_port);
    assert_eq!(plain.line("REPLICAOF NO ONE"), "+OK");
    assert_eq!(plain.line("SET moved 1"), "+OK");
    let mut encrypted = certificates.connect(tls_port);
    encrypted.check(&["AUTH", PASSWORD], "+OK\r\n");
    encrypted.check(&["GET", "moved"], "$1\r\n1\r\n");
    let another = ours(&certificates, "transit-encryption-mode preferred\n");
    another.follow(&new);
    assert!(
        another
            .talk()
            .info("master_link_tls")
            .starts_with("TLSv1.3:"),
        "TLS comes first"
    );

    encrypted.check(
        &["CONFIG", "SET", "transit-encryption-mode", "required"],
        "+OK\r\n",
    );
    wait_until("plaintext connections are closed", || {
        new.server().connected() == 2
    });
    let mut refused = Client::connect(tls_port);
    refused.send("PING\r\n");
    assert!(refused.rest().starts_with(b"-ERR "));
    let mut refused = Client::connect(new.address(Kind::Tcp));
    refused.send("PING\r\n");
    assert!(
        refused
            .rest()
            .starts_with(b"-ERR this server is reached over TLS only")
    );
    encrypted.check(&["SET", "moved", "2"], "+OK\r\n");
    encrypted.check(&["WAIT", "1", "0"], ":1\r\n");
}

/// The files of a server's directory, for the one test that looks.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("temp")).collect()
}

#[test]
fn nothing_temporary_stays() {
    let certificates = Certificates::new();
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, "repl-diskless-sync no\n"));
    primary.talk().line("SET a 1");
    replica.follow(&primary);
    assert!(names(primary.dir.path()).is_empty());
    assert!(names(replica.dir.path()).is_empty());
}

#[test]
fn files_of_synchronisations_go_where_nothing_else_is_kept() {
    let certificates = Certificates::new();
    let lines = "repl-diskless-sync no\nrdb-del-sync-files yes\n";
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, lines));
    let keeping = ours(&certificates, &format!("{lines}save 900 1\n"));
    primary.talk().line("SET a 1");
    for follower in [&replica, &keeping] {
        follower.follow(&primary);
        assert_eq!(follower.talk().line("GET a"), "\"1\"");
    }
    let file = |server: &TestServer| server.dir.path().join("dump.rdb");
    assert!(!file(&replica).exists());
    assert!(file(&keeping).exists());
    wait_until("the primary's is gone too", || !file(&primary).exists());
    // Nothing is removed that was made for another reason.
    assert_eq!(primary.talk().line("SAVE"), "+OK");
    // Each time that it pings replicas it has looked at files since the time before.
    for _ in 0..2 {
        let offset = || primary.talk().info("master_repl_offset");
        let before = offset();
        wait_until("it has pinged", || offset() != before);
    }
    assert!(file(&primary).exists());
}

#[test]
fn what_a_client_saw_of_another_history_holds_no_reply_back() {
    let certificates = Certificates::new();
    let primary = ours(&certificates, "");
    let replica = ours(&certificates, "appendonly yes\n");
    primary.talk().line("SET a 1");
    let mut client = replica.talk();
    let value = "x".repeat(100_000);
    assert_eq!(client.line(&format!("SET a {value}")), "+OK");
    replica.follow(&primary);
    wait_until("its file is that of the new history", || {
        let persistence = replica.talk().line("INFO persistence");
        ["aof_enabled:1", "aof_rewrite_in_progress:0"]
            .iter()
            .all(|field| persistence.contains(field))
    });
    assert_eq!(client.line("GET a"), "\"1\"");
}

#[test]
fn errors_of_the_primary_s_commands_are_counted() {
    let certificates = Certificates::new();
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, "replica-read-only no\n"));
    replica.follow(&primary);
    assert_eq!(replica.talk().line("SET n text"), "+OK");
    let mut client = primary.talk();
    assert_eq!(client.line("INCR n"), ":1");
    assert_eq!(client.line("WAIT 1 0"), ":1");
    let unexpected = |node: &TestServer, count: u32| {
        let stats = node.talk().line("INFO stats");
        assert!(stats.contains(&format!("unexpected_error_replies:{count}\\r\\n")));
    };
    unexpected(&replica, 1);
    assert_eq!(replica.talk().line("CONFIG RESETSTAT"), "+OK");
    unexpected(&replica, 0);
    // A client's mistakes are its own.
    assert!(primary.talk().line("INCR").starts_with("-ERR wrong number"));
    unexpected(&primary, 0);
}

#[test]
fn a_smaller_backlog_is_one_at_once() {
    let certificates = Certificates::new();
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, ""));
    replica.follow(&primary);
    let mut client = primary.talk();
    client.line("MULTI");
    client.line("CLIENT KILL TYPE replica");
    client.line("CONFIG SET repl-backlog-size 16384");
    let value = "x".repeat(16384);
    for key in 0..10 {
        client.line(&format!("SET {key} {value}"));
    }
    assert!(client.line("EXEC").starts_with('['));
    wait_until("it needs everything", || {
        primary.talk().line("INFO stats").contains("sync_full:2")
    });
    await_agreement(&[&primary, &replica]);
}

#[test]
fn debug_replicate_tells_replicas_what_never_ran() {
    let certificates = Certificates::new();
    let [primary, replica] = [(); 2].map(|()| ours(&certificates, ""));
    replica.follow(&primary);
    let mut client = primary.talk();
    assert_eq!(client.line("DEBUG REPLICATE SET a 1"), "+OK");
    assert_eq!(client.line("DEBUG REPLICATE nonsense"), "+OK");
    client.line("SET b 1");
    assert_eq!(client.line("WAIT 1 0"), ":1");
    assert_eq!(client.line("EXISTS a b"), ":1");
    assert_eq!(replica.talk().line("EXISTS a b"), ":2");
    let stats = replica.talk().line("INFO stats");
    assert!(stats.contains("unexpected_error_replies:1\\r\\n"));
}

#[test]
fn a_replica_that_wants_an_answer_is_disconnected() {
    let server = TestServer::plain("");
    for (word, unexpected) in [
        ("PING", 0),
        ("GET a", 1),
        ("XINFO HELP", 1),
        ("nonsense", 1),
    ] {
        let mut replica = Client::connect(server.address(Kind::Tcp));
        replica.send(format!("PSYNC ? -1\r\n{word}\r\n"));
        let said = replica.rest();
        assert!(!said.ends_with(b"PONG\r\n"), "{}", said.escape_ascii());
        let stats = Talk::to(server.address(Kind::Tcp)).line("INFO stats");
        let line = format!("unexpected_error_replies:{unexpected}\\r\\n");
        assert!(stats.contains(&line), "{stats}");
    }
}
