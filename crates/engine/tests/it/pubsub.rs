//! Publish and subscribe.

use resp::Proto;
use testkit::{Dispatcher, render};

fn said(dispatcher: &mut Dispatcher, session: usize, line: &str) -> Vec<String> {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    dispatcher.act(session, &words);
    heard(dispatcher, session)
}

fn heard(dispatcher: &mut Dispatcher, session: usize) -> Vec<String> {
    dispatcher.received(session).iter().map(render).collect()
}

#[test]
fn messages_reach_channels_and_patterns() {
    let mut server = Dispatcher::default();
    let other = server.connect();
    assert_eq!(
        said(&mut server, 0, "SUBSCRIBE a b"),
        ["[\"subscribe\", \"a\", :1]", "[\"subscribe\", \"b\", :2]"]
    );
    assert_eq!(
        said(&mut server, 0, "PSUBSCRIBE a*"),
        ["[\"psubscribe\", \"a*\", :3]"]
    );
    assert_eq!(said(&mut server, other, "PUBLISH a hello"), [":2"]);
    assert_eq!(
        heard(&mut server, 0),
        [
            "[\"message\", \"a\", \"hello\"]",
            "[\"pmessage\", \"a*\", \"a\", \"hello\"]"
        ]
    );
    assert_eq!(
        said(&mut server, 0, "UNSUBSCRIBE a"),
        ["[\"unsubscribe\", \"a\", :2]"]
    );
    assert_eq!(said(&mut server, other, "PUBLISH a again"), [":1"]);
    assert_eq!(
        said(&mut server, other, "PUBSUB NUMSUB a b"),
        ["[\"a\", :0, \"b\", :1]"]
    );
    assert_eq!(said(&mut server, other, "PUBSUB NUMPAT"), [":1"]);
}

#[test]
fn a_resp2_subscriber_may_only_talk_about_subscriptions() {
    let mut server = Dispatcher::default();
    said(&mut server, 0, "SUBSCRIBE a");
    let refusal = "-ERR Can't execute 'dbsize': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    assert_eq!(said(&mut server, 0, "DBSIZE"), [refusal]);
    assert_eq!(
        said(&mut server, 0, "UNSUBSCRIBE"),
        ["[\"unsubscribe\", \"a\", :0]"]
    );
    assert_eq!(
        said(&mut server, 0, "UNSUBSCRIBE"),
        ["[\"unsubscribe\", nil, :0]"]
    );
    assert_eq!(said(&mut server, 0, "DBSIZE"), [":0"]);
}

#[test]
fn resp3_gets_pushes_beside_replies() {
    let mut server = Dispatcher::default();
    let other = server.connect();
    server.speak(Proto::Resp3);
    assert_eq!(
        said(&mut server, 0, "SUBSCRIBE a"),
        [">[\"subscribe\", \"a\", :1]"]
    );
    said(&mut server, other, "PUBLISH a x");
    assert_eq!(
        said(&mut server, 0, "DBSIZE"),
        [">[\"message\", \"a\", \"x\"]", ":0"]
    );
}

#[test]
fn shard_channels_are_apart() {
    let mut server = Dispatcher::default();
    let other = server.connect();
    assert_eq!(
        said(&mut server, 0, "SSUBSCRIBE a"),
        ["[\"ssubscribe\", \"a\", :1]"]
    );
    assert_eq!(said(&mut server, other, "PUBLISH a x"), [":0"]);
    assert_eq!(said(&mut server, other, "SPUBLISH a x"), [":1"]);
    assert_eq!(heard(&mut server, 0), ["[\"smessage\", \"a\", \"x\"]"]);
    assert_eq!(
        said(&mut server, other, "PUBSUB SHARDCHANNELS"),
        ["[\"a\"]"]
    );
}

#[test]
fn a_connection_that_ends_leaves_no_subscription() {
    let mut server = Dispatcher::default();
    let other = server.connect();
    said(&mut server, other, "SUBSCRIBE a");
    server.part(other);
    assert_eq!(said(&mut server, 0, "PUBSUB CHANNELS"), ["[]"]);
}
