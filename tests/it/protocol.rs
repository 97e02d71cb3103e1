//! Requests as they come in: split anywhere, large, inline, wrong.

use crate::server::{TestServer, request};

#[test]
fn a_pipeline_may_be_split_anywhere() {
    let server = TestServer::plain("");
    let mut pipeline = Vec::new();
    let mut replies = String::new();
    for i in 0..200 {
        pipeline.extend(request(&["SET", &format!("key:{i}"), &"v".repeat(i)]));
        pipeline.extend(format!("STRLEN key:{i}\r\n\r\n").bytes());
        replies += &format!("+OK\r\n:{i}\r\n");
    }
    for size in [1, 2, 3, 7, 100, 1000, 16_384, pipeline.len()] {
        let mut client = server.client();
        std::thread::scope(|scope| {
            let mut reader = crate::server::Client(client.0.try_clone().unwrap());
            let replies = &replies;
            scope.spawn(move || reader.expect(replies));
            for piece in pipeline.chunks(size) {
                client.send(piece);
            }
        });
    }
}

#[test]
fn a_large_value_comes_in_small_reads() {
    let server = TestServer::plain("");
    let mut client = server.client();
    let value: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000000\r\n");
    for piece in value.chunks(1000) {
        client.send(piece);
    }
    client.send(b"\r\nSTRLEN k\r\n");
    client.expect("+OK\r\n:20000000\r\n");
    client.send(b"GET k\r\n");
    client.expect(b"$20000000\r\n");
    client.expect(&value);
    client.expect("\r\n");
}

#[test]
fn many_large_values_pass_in_one_pipeline() {
    let server = TestServer::plain("");
    let mut client = server.client();
    let value = "x".repeat(100_000);
    let set = request(&["SET", "k", &value]);
    client.send(set.repeat(50));
    client.expect("+OK\r\n".repeat(50));
    client.check(&["STRLEN", "k"], ":100000\r\n");
}

#[test]
fn violations_are_answered_and_end_the_connection() {
    let server = TestServer::plain("");
    for (sent, answer) in [
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            "-ERR Protocol error: expected '$', got 'f'\r\n",
        ),
        (
            "*20000000000\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            "SET \"a\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        ),
    ] {
        let mut client = server.client();
        client.send(request(&["SET", "before", "1"]));
        client.send(sent);
        client.expect("+OK\r\n");
        assert_eq!(String::from_utf8(client.rest()).unwrap(), answer);
    }
}

#[test]
fn replies_of_a_run_come_in_order_of_the_requests() {
    let server = TestServer::plain("");
    let mut client = server.client();
    client.send(
        [
            request(&["MULTI"]),
            request(&["SET", "a", "1"]),
            request(&["GET", "a"]),
            request(&["EXEC"]),
            request(&["GET", "a"]),
            request(&["NOSUCH"]),
        ]
        .concat(),
    );
    client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
    client.expect("-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
}
