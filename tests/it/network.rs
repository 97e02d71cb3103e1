//! Listening: kinds of sockets, plans that fail, the end.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use cuirass::Kind;

use crate::server::{Client, TestServer};

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let mut server = TestServer::plain("unixsocket redis.sock\nunixsocketperm 700");
    let path = server.dir.path().join("redis.sock");
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mut client = Client(UnixStream::connect(&path).unwrap());
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let all = server.engine().clients.all();
    assert_eq!(all[0].peer.addr, format!("{}:0", path.display()));
    server.end();
    assert!(!path.exists());
}

#[test]
fn a_client_hello_on_a_plaintext_port_gets_an_alert() {
    let server = TestServer::plain("");
    let mut client = server.client();
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert_eq!(client.rest(), [21, 3, 3, 0, 2, 2, 40]);
}

#[test]
fn the_end_closes_every_connection() {
    let mut server = TestServer::plain("");
    let address = server.address(Kind::Tcp);
    let mut idle = server.client();
    let mut subscriber = server.client();
    subscriber.check(
        &["SUBSCRIBE", "a"],
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    );
    let mut half = server.client();
    half.send(b"*3\r\n$3\r\nSET\r\n");
    server.end();
    for client in [&mut idle, &mut subscriber, &mut half] {
        assert!(client.rest().is_empty());
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_half_closed_peer_still_gets_its_replies() {
    let server = TestServer::plain("");
    let mut client = server.client();
    client.send(b"SET a 1\r\nGET a\r\n");
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.rest(), b"+OK\r\n$1\r\n1\r\n");
}

#[test]
fn bytes_arrive_whole_over_slow_sockets() {
    let server = TestServer::plain("");
    let mut client = server.client();
    // Small buffers make every write of the server a partial one.
    let socket = socket2::SockRef::from(&client.0);
    socket.set_recv_buffer_size(16_384).unwrap();
    let value = "0123456789".repeat(20_000);
    client.check(&["SET", "k", &value], "+OK\r\n");
    client.0.write_all(b"GET k\r\nGET k\r\n").unwrap();
    let mut got = vec![0; 2 * (value.len() + 11)];
    client.0.read_exact(&mut got).unwrap();
    let reply = format!("$200000\r\n{value}\r\n");
    assert!(got == reply.repeat(2).as_bytes());
}

/// A port that nothing listens on just now.
fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

#[test]
fn the_port_changes_at_run_time_or_stays() {
    let server = TestServer::plain("bind 127.0.0.1");
    let mut client = server.client();
    let (port, taken) = (free_port(), server.address(Kind::Tcp).port());
    client.check(&["CONFIG", "SET", "port", &port.to_string()], "+OK\r\n");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut other = Client::connect(address);
    other.check(&["SET", "a", "1"], "+OK\r\n");

    // The first socket was handed to the server: as one of the same kind it is closed with the change.
    let squatter = std::net::TcpListener::bind(("127.0.0.1", taken)).unwrap();
    client.check(
        &["CONFIG", "SET", "port", &taken.to_string()],
        "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.\r\n",
    );
    drop(squatter);
    Client::connect(address).check(&["GET", "a"], "$1\r\n1\r\n");

    client.check(
        &["CONFIG", "SET", "bind", "999.999.999.999"],
        "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n",
    );
    Client::connect(address).check(&["GET", "a"], "$1\r\n1\r\n");

    client.check(&["CONFIG", "SET", "bind", ""], "+OK\r\n");
    assert!(std::net::TcpStream::connect(address).is_err());
    client.check(&["CONFIG", "SET", "bind", "127.0.0.1"], "+OK\r\n");
    Client::connect(address).check(&["GET", "a"], "$1\r\n1\r\n");
    client.check(&["CONFIG", "SET", "port", "0"], "+OK\r\n");
    assert!(std::net::TcpStream::connect(address).is_err());
    other.check(&["GET", "a"], "$1\r\n1\r\n");
}
