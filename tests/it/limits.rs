//! What one client may use: buffers, places, time.

use std::sync::atomic::Ordering::Relaxed;

use cuirass::Kind;

use crate::server::{Client, TestServer, request, wait_until};

#[test]
fn a_slow_reader_is_not_read_from() {
    let server = TestServer::plain("");
    let mut client = server.client();
    let value = "v".repeat(64 * 1024);
    client.check(&["SET", "k", &value], "+OK\r\n");
    let gets = 2000;
    client.send(request(&["GET", "k"]).repeat(gets));
    let reply = format!("$65536\r\n{value}\r\n");
    let mut highest = 0;
    for _ in 0..gets {
        let waiting = server.engine().clients.all();
        highest = waiting
            .iter()
            .map(|client| client.shown.out.load(Relaxed))
            .fold(highest, u64::max);
        client.expect(&reply);
    }
    assert!(highest < 18 << 20, "{highest} bytes waited to be sent");
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
