//! What one client may use: buffers, places, time.

use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;

use cuirass::Kind;

use crate::server::{Client, TestServer, request, wait_until};

#[test]
fn a_client_may_write_a_long_pipeline_before_it_reads() {
    let server = TestServer::plain("");
    let mut client = server.client();
    let value = "v".repeat(4096);
    client.check(&["SET", "k", &value], "+OK\r\n");
    // Neither all requests nor all replies fit the buffers of the sockets, so that whoever waits for the other waits for ever.
    let (requests, absent) = (10_000, "a".repeat(1000));
    client.send(request(&["MGET", "k", &absent]).repeat(requests));
    let reply = format!("*2\r\n$4096\r\n{value}\r\n$-1\r\n");
    for _ in 0..requests {
        client.expect(&reply);
    }
}

#[test]
fn a_reply_without_end_is_cut_off_at_the_limit() {
    let server = TestServer::plain("client-output-buffer-limit normal 1mb 0 0");
    for (make, draw) in [
        (&["HSET", "h", "f", "v"][..], "HRANDFIELD"),
        (&["SADD", "s", "m"], "SRANDMEMBER"),
        (&["ZADD", "z", "1", "m"], "ZRANDMEMBER"),
    ] {
        let mut client = server.client();
        client.check(make, ":1\r\n");
        client.send(request(&[draw, make[1], "-4000000000"]));
        assert!(client.rest().is_empty(), "{draw}");
    }
    assert_eq!(server.server().counters.output_limit.load(Relaxed), 3);
}

#[test]
fn the_largest_clients_are_closed_when_all_hold_too_much() {
    let server = TestServer::plain("");
    let (mut control, mut spared) = (server.client(), server.client());
    spared.check(&["CLIENT", "NO-EVICT", "on"], "+OK\r\n");
    let mut clients: Vec<_> = (0..4).map(|_| server.client()).collect();
    let hold = |client: &mut Client<TcpStream>, bytes: usize| {
        client.send(format!("*2\r\n$3\r\nGET\r\n${bytes}\r\n").as_bytes());
        client.send(vec![b'x'; bytes - 1]);
    };
    hold(&mut spared, 500_000);
    for (client, bytes) in clients.iter_mut().zip([50_000, 100_000, 150_000, 400_000]) {
        client.check(&["SET", "a", "b"], "+OK\r\n");
        hold(client, bytes);
    }
    let held = || -> u64 {
        let clients = server.engine().clients.all();
        clients
            .iter()
            .map(|client| client.shown.qbuf.load(Relaxed))
            .sum()
    };
    wait_until("all is read", || held() >= 1_199_995);
    let set = |client: &mut Client<TcpStream>, max: &str| {
        client.check(&["CONFIG", "SET", "maxmemory-clients", max], "+OK\r\n");
    };
    set(&mut control, "10mb");
    assert_eq!(server.server().counters.evicted.load(Relaxed), 0);
    set(&mut control, "1100000");
    assert_eq!(server.server().counters.evicted.load(Relaxed), 1);
    assert!(
        clients.pop().unwrap().rest().is_empty(),
        "it was the largest"
    );
    // Who comes to hold too much goes at once.
    let mut greedy = server.client();
    greedy.send(b"*2\r\n$3\r\nGET\r\n$9000000\r\n");
    let _may_be_cut_off = std::io::Write::write_all(&mut greedy.0, &vec![b'x'; 8_000_000]);
    assert!(greedy.rest().is_empty());
    spared.send(b"x\r\n");
    spared.expect("$-1\r\n");
    control.check(&["GET", "a"], "$1\r\nb\r\n");
}

#[test]
fn a_client_is_charged_the_same_however_its_request_comes() {
    const VALUE: usize = 131_072;
    let server = TestServer::plain("");
    for first in [20, 20_000, 90_000, VALUE] {
        let mut client = server.client();
        client.check(&["SET", "a", "b"], "+OK\r\n");
        let mut request = format!("*2\r\n${VALUE}\r\n").into_bytes();
        request.resize(request.len() + VALUE, b'v');
        let all = server.engine().clients.all();
        let shown = &all.last().unwrap().shown;
        let has = |bytes: usize| {
            let held = shown.qbuf.load(Relaxed) + shown.argv_mem.load(Relaxed);
            held == bytes as u64
        };
        client.send(&request[..first]);
        wait_until("the first part has come", || has(first));
        client.send(&request[first..]);
        // There is room for the end of the line, and no more.
        wait_until("it is charged for the request", || {
            has(request.len()) && shown.qbuf_free.load(Relaxed) == 2
        });
    }
}

#[test]
fn what_is_watched_and_subscribed_to_counts() {
    let server = TestServer::plain("maxmemory-clients 200000");
    for word in ["WATCH", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
        let mut client = server.client();
        let names: Vec<String> = (0..2000).map(|number| format!("name:{number}")).collect();
        let mut words = vec![word];
        words.extend(names.iter().map(String::as_str));
        client.send(request(&words));
        client.rest();
        wait_until("it is gone", || server.engine().clients.is_empty());
    }
    assert_eq!(server.server().counters.evicted.load(Relaxed), 4);
}

#[test]
fn a_hard_output_limit_ends_a_slow_reader() {
    let server = TestServer::plain("client-output-buffer-limit normal 1mb 0 0");
    let mut client = server.client();
    let value = "v".repeat(100_000);
    client.check(&["SET", "k", &value], "+OK\r\n");
    client.send(request(&[
        "MGET", "k", "k", "k", "k", "k", "k", "k", "k", "k", "k", "k", "k",
    ]));
    assert!(
        client.rest().is_empty(),
        "the reply itself is over the limit"
    );
    assert_eq!(server.server().counters.output_limit.load(Relaxed), 1);
    wait_until("the client is gone", || server.engine().clients.is_empty());
}

#[test]
fn a_request_over_the_input_limit_ends_the_client() {
    let server = TestServer::plain("client-query-buffer-limit 1mb");
    let mut client = server.client();
    client.send(b"*2\r\n$3\r\nGET\r\n$3000000\r\n");
    let _may_be_cut_off = std::io::Write::write_all(&mut client.0, &vec![b'x'; 2_900_000]);
    assert!(client.rest().is_empty());
    assert_eq!(server.server().counters.input_limit.load(Relaxed), 1);
}

#[test]
fn maxclients_refuses_in_words() {
    let server = TestServer::plain("maxclients 2");
    let mut clients = [server.client(), server.client()];
    for client in &mut clients {
        client.check(&["SET", "a", "1"], "+OK\r\n");
    }
    assert_eq!(
        server.client().rest(),
        b"-ERR max number of clients reached\r\n"
    );
    assert_eq!(server.server().counters.rejected.load(Relaxed), 1);
    drop(clients);
    wait_until("places are free", || server.server().connected() == 0);
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
}

#[test]
fn peers_that_vanish_leave_nothing_behind() {
    let server = TestServer::plain("");
    for round in 0..5 {
        let mut clients: Vec<_> = (0..20).map(|_| server.client()).collect();
        for (i, client) in clients.iter_mut().enumerate() {
            client.check(&["WATCH", "a", &format!("b{i}")], "+OK\r\n");
            client.check(&["MULTI"], "+OK\r\n");
            client.check(&["SET", "a", "1"], "+QUEUED\r\n");
            client.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\nhalf a value");
        }
        for client in clients {
            match round % 2 {
                // Without lingering a close is a reset.
                0 => socket2::SockRef::from(&client.0)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .unwrap(),
                _ => client.0.shutdown(std::net::Shutdown::Write).unwrap(),
            }
        }
        wait_until("all are gone", || server.server().connected() == 0);
        assert!(server.engine().clients.is_empty());
        let held = server.engine().take_everything();
        drop(held);
    }
}

#[test]
fn an_idle_client_is_closed_after_the_timeout() {
    let server = TestServer::plain("timeout 1");
    let mut client = server.client();
    client.check(&["SET", "a", "1"], "+OK\r\n");
    assert!(client.rest().is_empty());
}

#[test]
fn buffers_of_an_idle_client_are_given_back() {
    let server = TestServer::plain("hz 100");
    let mut client = server.client();
    client.check(&["SET", "a", &"x".repeat(400_000)], "+OK\r\n");
    let held = || {
        let all = server.engine().clients.all();
        let shown = &all[0].shown;
        shown.qbuf.load(Relaxed) + shown.qbuf_free.load(Relaxed)
    };
    assert!(held() >= 16 * 1024);
    wait_until("the buffer is released", || held() == 0);
    client.send(b"*3\r\n$3\r\nset\r\n$1\r\na\r\n$1000000\r\n");
    wait_until("there is room for the value", || held() >= 1_000_000);
    wait_until("the room is given back", || held() < 1_000_000);
    client.send("y".repeat(1_000_000));
    client.send("\r\n");
    client.expect("+OK\r\n");
}

#[test]
fn a_message_reaches_an_idle_subscriber() {
    let server = TestServer::plain("io-threads 2\nworker-placement spread");
    let mut subscriber = server.client();
    subscriber.check(
        &["SUBSCRIBE", "news"],
        "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n",
    );
    let mut publisher = Client::connect(server.address(Kind::Tcp));
    for i in 0..100 {
        publisher.check(&["PUBLISH", "news", &format!("{i:03}")], ":1\r\n");
        subscriber.expect(format!(
            "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n{i:03}\r\n"
        ));
    }
}
