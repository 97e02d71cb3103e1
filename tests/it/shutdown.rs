//! The end that SHUTDOWN asks for: replicas that lag are waited for with writes held back, and it can be taken back.

use std::net::TcpStream;

use crate::server::{Client, TestServer, request, wait_until};

/// A replica that does as it is told: it reads, and acknowledges when the test says so.
struct Replica {
    client: Client<TcpStream>,
    offset: usize,
}

impl Replica {
    fn of(server: &TestServer) -> Self {
        let mut client = server.client();
        client.send(request(&["PSYNC", "?", "-1"]));
        let answer = client.line();
        let (_, offset) = answer.rsplit_once(' ').unwrap();
        let offset = offset.parse().unwrap();
        let length = client.line();
        // Empty lines may come while the snapshot is made.
        let length = length.trim_start_matches(['\n', '$']).parse().unwrap();
        let mut snapshot = vec![0; length];
        std::io::Read::read_exact(&mut client.0, &mut snapshot).unwrap();
        wait_until("it is online", || info(server).contains("state=online"));
        Self { client, offset }
    }

    /// Reads exactly these commands.
    #[track_caller]
    fn expect(&mut self, commands: &[&[&str]]) {
        for words in commands {
            let command = request(words);
            self.client.expect(&command);
            self.offset += command.len();
        }
    }

    /// Acknowledges what it has read.
    fn acknowledge(&mut self) {
        let offset = self.offset.to_string();
        self.client.send(request(&["REPLCONF", "ACK", &offset]));
    }
}

fn info(server: &TestServer) -> String {
    let mut client = server.client();
    client.send(request(&["INFO"]));
    let head = client.line();
    let length = head.trim_start_matches('$').parse().unwrap();
    let mut text = vec![0; length];
    std::io::Read::read_exact(&mut client.0, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn primary(timeout_s: u32) -> TestServer {
    TestServer::plain(&format!(
        "repl-diskless-sync no\nrepl-ping-replica-period 3600\nshutdown-timeout {timeout_s}\n"
    ))
}

const SELECT: &[&str] = &["SELECT", "0"];
const GETACK: &[&str] = &["REPLCONF", "GETACK", "*"];
const FAILED: &str = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";

/// Asks for the end over a connection of its own, and waits until replicas are waited for.
fn ask(server: &TestServer) -> Client<TcpStream> {
    let mut caller = server.client();
    caller.send(request(&["SHUTDOWN"]));
    wait_until("replicas are waited for", || {
        let info = info(server);
        info.contains("shutdown_in_milliseconds:") && info.contains("blocked_clients:1")
    });
    caller
}

#[track_caller]
fn ends(server: &TestServer, mut caller: Client<TcpStream>) {
    assert_eq!(caller.rest(), b"", "the connection ends without a reply");
    assert!(server.running().is_ending());
}

#[test]
fn replicas_catch_up_before_the_end() {
    let server = primary(1000);
    let mut replica = Replica::of(&server);
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let caller = ask(&server);
    let mut writer = server.client();
    writer.send(request(&["SET", "b", "1"]));
    client.check(&["EXISTS", "a", "b"], ":1\r\n");
    replica.expect(&[SELECT, &["SET", "a", "1"]]);
    replica.acknowledge();
    replica.expect(&[GETACK]);
    assert!(!server.running().is_ending(), "the question counts too");
    replica.acknowledge();
    ends(&server, caller);
    assert_eq!(writer.rest(), b"", "what came too late was not written");
    assert_eq!(replica.client.rest(), b"");
}

#[test]
fn the_end_can_be_taken_back() {
    let server = primary(1000);
    let mut replica = Replica::of(&server);
    let mut client = server.client();
    client.check(&["SHUTDOWN", "ABORT"], "-ERR No shutdown in progress.\r\n");
    client.check(&["SET", "a", "1"], "+OK\r\n");
    for _ in 0..2 {
        let mut first = ask(&server);
        let mut second = server.client();
        // How the second one asks makes no difference any more.
        second.send(request(&["SHUTDOWN", "NOW"]));
        wait_until("both wait", || info(&server).contains("blocked_clients:2"));
        let mut writer = server.client();
        writer.send(request(&["INCR", "b"]));
        client.check(&["SHUTDOWN", "ABORT"], "+OK\r\n");
        first.expect(FAILED);
        second.expect(FAILED);
        assert_eq!(&writer.line()[..1], ":");
        let info = info(&server);
        assert!(!info.contains("shutdown_in_milliseconds"), "{info}");
        assert!(info.contains("blocked_clients:0"), "{info}");
        client.check(&["SHUTDOWN", "ABORT"], "-ERR No shutdown in progress.\r\n");
    }
    let set: &[&str] = &["SET", "a", "1"];
    let incr: &[&str] = &["INCR", "b"];
    replica.expect(&[SELECT, set, GETACK, incr, GETACK, incr]);
    let caller = ask(&server);
    replica.expect(&[GETACK]);
    replica.acknowledge();
    ends(&server, caller);
}

#[test]
fn those_who_lag_are_waited_for_only_so_long() {
    let server = primary(1);
    let mut replica = Replica::of(&server);
    server.client().check(&["SET", "a", "1"], "+OK\r\n");
    let caller = ask(&server);
    ends(&server, caller);
    replica.expect(&[SELECT, &["SET", "a", "1"], GETACK]);
    assert_eq!(replica.client.rest(), b"");
}

#[test]
fn nobody_waits_when_that_is_not_wanted_and_replicas_get_the_rest() {
    for (timeout_s, words) in [
        (0, &["SHUTDOWN"] as &[&str]),
        (1000, &["SHUTDOWN", "NOSAVE", "NOW"]),
    ] {
        let server = primary(timeout_s);
        let mut replica = Replica::of(&server);
        let value = "x".repeat(1 << 20);
        let set: &[&str] = &["SET", "a", &value];
        let mut caller = server.client();
        caller.check(set, "+OK\r\n");
        caller.send(request(words));
        // It is at the end in the log, and more than the socket takes at once, unless somebody reads.
        replica.expect(&[SELECT, set]);
        assert_eq!(replica.client.rest(), b"");
        ends(&server, caller);
    }
}

#[test]
fn replicas_that_have_everything_are_not_asked() {
    let server = primary(1000);
    let mut replica = Replica::of(&server);
    server.client().check(&["SET", "a", "1"], "+OK\r\n");
    replica.expect(&[SELECT, &["SET", "a", "1"]]);
    replica.acknowledge();
    let offset = format!("offset={}", replica.offset);
    wait_until("it is known", || info(&server).contains(&offset));
    let mut caller = server.client();
    caller.send(request(&["SHUTDOWN"]));
    assert_eq!(replica.client.rest(), b"");
    ends(&server, caller);
}

#[test]
fn who_has_asked_may_leave() {
    let server = primary(1000);
    let mut replica = Replica::of(&server);
    server.client().check(&["SET", "a", "1"], "+OK\r\n");
    drop(ask(&server));
    wait_until("it has left", || {
        info(&server).contains("blocked_clients:0")
    });
    assert!(info(&server).contains("shutdown_in_milliseconds:"));
    replica.expect(&[SELECT, &["SET", "a", "1"], GETACK]);
    replica.acknowledge();
    wait_until("the server ends", || server.running().is_ending());
}

#[test]
fn a_failure_after_the_wait_lets_writes_go_on() {
    let server = primary(1000);
    let mut replica = Replica::of(&server);
    // The snapshot for the replica is out of the way of what no file can replace.
    let file = server.dir.path().join("dump.rdb");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let mut client = server.client();
    client.check(&["CONFIG", "SET", "save", "900 1"], "+OK\r\n");
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let mut caller = ask(&server);
    replica.expect(&[SELECT, &["SET", "a", "1"], GETACK]);
    replica.acknowledge();
    caller.expect(FAILED);
    client.check(&["SET", "b", "1"], "+OK\r\n");
    replica.expect(&[&["SET", "b", "1"]]);
    client.send(request(&["SHUTDOWN", "FORCE", "NOW"]));
    ends(&server, client);
}

#[test]
fn a_server_without_replicas_ends_at_once() {
    let server = TestServer::plain("shutdown-timeout 1000\n");
    let mut caller = server.client();
    caller.send(request(&["SHUTDOWN"]));
    ends(&server, caller);
}
