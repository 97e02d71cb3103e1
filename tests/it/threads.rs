//! Workers and lanes: connections on different threads, long calls, pauses.

use std::sync::atomic::Ordering::Relaxed;

use engine::{Pause, PauseScope};

use crate::server::{Client, TestServer, request, wait_until};

#[test]
fn connections_on_all_workers_see_one_dataset() {
    let server = TestServer::plain("io-threads 4\nworker-placement spread");
    let mut clients: Vec<_> = (0..16).map(|_| server.client()).collect();
    clients[0].check(&["SET", "n", "0"], "+OK\r\n");
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                client.send(request(&["INCR", "n"]).repeat(500));
                let mut last = 0;
                for _ in 0..500 {
                    let next = read_integer(client);
                    assert!(next > last);
                    last = next;
                }
            });
        }
    });
    clients[7].check(&["GET", "n"], "$4\r\n8000\r\n");
}

fn read_integer(client: &mut Client<std::net::TcpStream>) -> i64 {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut client.0, &mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = std::str::from_utf8(&line).unwrap();
    line.trim_end().strip_prefix(':').unwrap().parse().unwrap()
}

#[test]
fn a_long_call_goes_to_a_lane_and_the_connection_goes_on() {
    let server = TestServer::plain("io-threads 1");
    let mut client = server.client();
    let members: Vec<String> = (0..60_000).map(|i| i.to_string()).collect();
    for chunk in members.chunks(1000) {
        let mut words = vec!["SADD", "big"];
        words.extend(chunk.iter().map(String::as_str));
        client.check(&words, ":1000\r\n");
    }
    client.send(
        [
            request(&["SUNIONSTORE", "copy", "big"]),
            request(&["SCARD", "copy"]),
            request(&["SET", "after", "1"]),
        ]
        .concat(),
    );
    client.expect(":60000\r\n:60000\r\n+OK\r\n");
    server.client().check(&["GET", "after"], "$1\r\n1\r\n");
}

#[test]
fn a_paused_call_waits_while_others_go_on() {
    let server = TestServer::plain("io-threads 1");
    let far = i64::MAX / 2;
    server.engine().change_world(|world| {
        world.pause = Some(Pause {
            until_ms: far,
            scope: PauseScope::Write,
        });
    });
    let mut writer = server.client();
    writer.send([request(&["SET", "a", "1"]), request(&["GET", "a"])].concat());
    let blocked = || server.engine().clients.blocked.load(Relaxed);
    wait_until("the write waits", || blocked() == 1);
    server.client().check(&["GET", "a"], "$-1\r\n");

    // One that goes away while it waits leaves nothing behind.
    let mut leaver = server.client();
    leaver.send(request(&["SET", "a", "2"]));
    wait_until("both wait", || blocked() == 2);
    drop(leaver);
    wait_until("one has left", || blocked() == 1);

    server.engine().change_world(|world| world.pause = None);
    writer.expect("+OK\r\n$1\r\n1\r\n");
    assert_eq!(blocked(), 0);
}

#[test]
fn connections_move_between_workers_in_the_middle_of_traffic() {
    let server = TestServer::plain("io-threads 2");
    let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    for round in 0..50 {
        server.running().move_connections(round % 2, 1 - round % 2);
        for (i, client) in clients.iter_mut().enumerate() {
            let (key, value) = (format!("k{i}"), format!("{round:04}"));
            client.send(
                [
                    request(&["SET", &key, &value]),
                    request(&["GET", &key])[..10].to_vec(),
                ]
                .concat(),
            );
            client.expect("+OK\r\n");
            client.send(&request(&["GET", &key])[10..]);
            client.expect(format!("$4\r\n{value}\r\n"));
        }
    }
}

#[test]
fn a_transaction_that_calls_the_system_holds_no_shard_and_stays_one() {
    let server =
        TestServer::plain("io-threads 2\nworker-placement spread\nenable-debug-command yes");
    let engine = server.engine();
    let (mut one, mut two, mut three) = (server.client(), server.client(), server.client());
    three.check(&["SET", "b", "0"], "+OK\r\n");
    for words in [
        ["MULTI"].as_slice(),
        &["INCR", "a"],
        &["CONFIG", "SET", "maxclients", "2000"],
        &["DEBUG", "SLEEP", "0.3"],
        &["CONFIG", "SET", "port", "no-number"],
        &["INCR", "b"],
    ] {
        one.check(
            words,
            if words == ["MULTI"] {
                "+OK\r\n"
            } else {
                "+QUEUED\r\n"
            },
        );
    }
    one.send(request(&["EXEC"]));
    wait_until("the world is frozen", || engine.world().frozen);
    // It would find a busy shard if the transaction held one.
    wait_until("no shard is held", || engine.try_change_world(|_| ()));
    assert!(engine.world().frozen);
    two.send(request(&["MGET", "a", "b"]));
    one.expect("*5\r\n:1\r\n+OK\r\n+OK\r\n");
    one.expect("-ERR CONFIG SET failed (possibly related to argument 'port') - argument couldn't be parsed into an integer\r\n");
    one.expect(":1\r\n");
    two.expect("*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
    assert!(!engine.world().frozen);
    one.check(
        &["CONFIG", "GET", "maxclients"],
        "*2\r\n$10\r\nmaxclients\r\n$4\r\n2000\r\n",
    );
}

#[test]
fn a_port_is_changed_and_the_file_rewritten_within_a_transaction() {
    let server = TestServer::plain("io-threads 1");
    let mut client = server.client();
    client.check(&["MULTI"], "+OK\r\n");
    client.check(
        &["CONFIG", "SET", "port", "0", "tls-port", "0"],
        "+QUEUED\r\n",
    );
    client.check(&["CONFIG", "REWRITE"], "+QUEUED\r\n");
    client.check(&["INFO", "server"], "+QUEUED\r\n");
    client.check(&["PING"], "+QUEUED\r\n");
    client.send(request(&["EXEC"]));
    client.expect("*4\r\n+OK\r\n-ERR The server is running without a config file\r\n$");
}
