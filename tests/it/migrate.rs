//! MIGRATE between servers, and to targets that misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use cuirass::Kind;
use testkit::render;

use crate::server::{TestServer, wait_until};
use crate::transcript::Caller;

fn port(server: &TestServer) -> u16 {
    server.address(Kind::Tcp).port()
}

/// A target whose connections are served by `serve`, each in turn.
fn target(
    connections: usize,
    mut serve: impl FnMut(usize, BufReader<TcpStream>) + Send + 'static,
) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        for number in 0..connections {
            serve(number, BufReader::new(listener.accept().unwrap().0));
        }
    });
    (port, served)
}

/// The words of the next call.
fn words(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let mut number = |mark: char| -> usize {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line.trim_start_matches(mark).trim_end().parse().unwrap()
    };
    let count = number('*');
    (0..count)
        .map(|_| {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let length: usize = line.trim_start_matches('$').trim_end().parse().unwrap();
            let mut word = vec![0; length + 2];
            stream.read_exact(&mut word).unwrap();
            word.truncate(length);
            String::from_utf8_lossy(&word).into_owned()
        })
        .collect()
}

#[test]
fn keys_move_or_are_copied() {
    let (source, there) = (TestServer::plain(""), TestServer::plain(""));
    let (mut here, mut there_client) = (Caller::of(&source), Caller::of(&there));
    let port = port(&there);
    here.check(
        "> MSET a 1 b 2 c 3\n< +OK\n> HSETEX h EX 100 FIELDS 1 f v\n< :1\n> HSET h g w\n< :1",
    );
    here.check("> PEXPIRE a 100000\n< :1");
    here.check(&format!(
        "
        > MIGRATE 127.0.0.1 {port} none 9 1000
        < +NOKEY
        > MIGRATE 127.0.0.1 {port} a 9 1000
        < +OK
        > MIGRATE 127.0.0.1 {port} b 9 0 COPY
        < +OK
        > MIGRATE 127.0.0.1 {port} b 9 1000
        < -ERR Target instance replied with error: BUSYKEY Target key name already exists.
        > MIGRATE 127.0.0.1 {port} \"\" 9 1000 replace KEYS none b h c c
        < +OK
        > DBSIZE
        < :0
        "
    ));
    there_client.check(
        "
        > SELECT 9
        < +OK
        > MGET a b c
        < [\"1\", \"2\", \"3\"]
        > TTL a
        < :100
        > HTTL h FIELDS 2 f g
        < [:100, :-1]
        ",
    );
    assert!(render(&here.call("INFO stats")).contains("migrate_cached_sockets:1"));
}

#[test]
fn calls_that_are_refused() {
    let server = TestServer::plain("");
    let mut client = Caller::of(&server);
    client.check(
        "
        > SET k v
        < +OK
        > MIGRATE 127.0.0.1 1 k 0 1000
        < -IOERR error or timeout connecting to the client
        > MIGRATE 127.0.0.1 nowhere k 0 1000
        < -IOERR error or timeout connecting to the client
        > MIGRATE 127.0.0.1 1 k 0 1000 KEYS k
        < -ERR When using MIGRATE KEYS option, the key argument must be set to the empty string
        > MIGRATE 127.0.0.1 1 k 0 1000 AUTH
        < -ERR syntax error
        > MIGRATE 127.0.0.1 1 k 0 1000 AUTH2 who
        < -ERR syntax error
        > MIGRATE 127.0.0.1 1 k 0 1000 MOVE
        < -ERR syntax error
        > MIGRATE 127.0.0.1 1 k x 1000
        < -ERR value is not an integer or out of range
        > MIGRATE 127.0.0.1 1 k 0 x
        < -ERR value is not an integer or out of range
        > MULTI
        < +OK
        > MIGRATE 127.0.0.1 1 k 0 1000
        < +QUEUED
        > EXEC
        < [-ERR Command not allowed inside a transaction]
        > GET k
        < \"v\"
        ",
    );
}

#[test]
fn the_keys_of_a_call() {
    Caller::of(&TestServer::plain("")).check(
        "
        > COMMAND GETKEYS MIGRATE host 1 k 0 1000 AUTH keys
        < [\"k\"]
        > COMMAND GETKEYS MIGRATE host 1 \"\" 0 1000 AUTH keys KEYS a b
        < [\"a\", \"b\"]
        ",
    );
}

#[test]
fn a_password_opens_the_target() {
    let (source, there) = (
        TestServer::plain(""),
        TestServer::plain("requirepass secret"),
    );
    let mut here = Caller::of(&source);
    let port = port(&there);
    here.check(&format!(
        "
        > MSET k v l w
        < +OK
        > MIGRATE 127.0.0.1 {port} k 0 1000
        < -ERR Target instance replied with error: NOAUTH Authentication required.
        > MIGRATE 127.0.0.1 {port} k 0 1000 AUTH wrong
        < -ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.
        > MIGRATE 127.0.0.1 {port} k 0 1000 AUTH secret
        < +OK
        > MIGRATE 127.0.0.1 {port} l 0 1000 AUTH2 default secret
        < +OK
        > DBSIZE
        < :0
        "
    ));
}

#[test]
fn a_key_that_changes_on_its_way_is_sent_again() {
    let source = TestServer::plain("");
    let mut here = Caller::of(&source);
    here.check("> MSET k old gone 1\n< +OK");
    let mut writer = Caller::of(&source);
    let (port, served) = target(1, move |_, mut stream| {
        assert_eq!(words(&mut stream), ["SELECT", "0"]);
        let first = words(&mut stream);
        assert_eq!((&*first[0], &*first[1], first.len()), ("RESTORE", "k", 4));
        assert_eq!(words(&mut stream)[1], "gone");
        writer.check("> APPEND k er\n< :5\n> DEL gone\n< :1");
        stream
            .get_mut()
            .write_all(b"+OK\r\n+OK\r\n+OK\r\n")
            .unwrap();
        let second = words(&mut stream);
        assert_eq!(
            (&*second[0], &*second[1], &*second[4]),
            ("RESTORE", "k", "REPLACE")
        );
        assert!(second[3].contains("older"));
        assert_eq!(words(&mut stream), ["DEL", "gone"]);
        // As long as the target has not said yes, the key is here.
        writer.check("> GET k\n< \"older\"");
        stream.get_mut().write_all(b"+OK\r\n:1\r\n").unwrap();
    });
    here.check(&format!(
        "
        > MIGRATE 127.0.0.1 {port} \"\" 0 5000 KEYS k gone
        < +OK
        > EXISTS k
        < :0
        "
    ));
    served.join().unwrap();
}

#[test]
fn a_kept_connection_that_was_closed_is_made_anew() {
    let source = TestServer::plain("");
    let mut here = Caller::of(&source);
    here.check("> MSET k v l w m x\n< +OK");
    let (port, served) = target(3, |number, mut stream| {
        assert_eq!(words(&mut stream), ["SELECT", "0"]);
        words(&mut stream);
        let answer: &[u8] = match number {
            0 | 1 => b"+OK\r\n+OK\r\n",
            // It goes away between the answers.
            _ => b"+OK\r\n",
        };
        stream.get_mut().write_all(answer).unwrap();
    });
    here.check(&format!(
        "
        > MIGRATE 127.0.0.1 {port} k 0 5000
        < +OK
        > MIGRATE 127.0.0.1 {port} l 0 5000
        < +OK
        "
    ));
    drop(here.call(&format!("MIGRATE 127.0.0.1 {port} m 0 5000")));
    here.check("> EXISTS k l m\n< :1");
    served.join().unwrap();
}

#[test]
fn a_silent_target_delays_its_caller_alone() {
    let source = TestServer::plain("");
    let (mut here, mut other) = (Caller::of(&source), Caller::of(&source));
    here.check("> SET k v\n< +OK");
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (port, served) = target(1, move |_, mut stream| {
        words(&mut stream);
        words(&mut stream);
        asked.send(()).unwrap();
        // Until the other side gives up.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_default();
    });
    here.send(&["MIGRATE", "127.0.0.1", &port.to_string(), "k", "0", "300"]);
    was_asked.recv().unwrap();
    other.check("> APPEND k w\n< :2\n> GET k\n< \"vw\"");
    let reply = here.receive().unwrap();
    assert_eq!(
        render(&reply),
        "-IOERR error or timeout reading to target instance"
    );
    other.check("> GET k\n< \"vw\"");
    served.join().unwrap();
    wait_until("nothing is kept", || {
        render(&Caller::of(&source).call("INFO stats")).contains("migrate_cached_sockets:0")
    });
}
