//! Subscriptions over a socket: what is confirmed and counted.

use crate::server::TestServer;
use crate::transcript::Caller;

#[test]
fn messages_come_whatever_becomes_of_replies() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check("> HELLO 3\n ~ {*");
    let silent: [&[&str]; 2] = [&["CLIENT", "REPLY", "OFF"], &["PING"]];
    silent.iter().for_each(|words| caller.send(words));
    caller.check(
        r#"
        > SUBSCRIBE c
        < >["subscribe", "c", :1]
        > PUBLISH c hello
        < >["message", "c", "hello"]
        > CLIENT REPLY ON
        < +OK
        "#,
    );
}

#[test]
fn subscriptions_are_confirmed_and_counted() {
    let server = TestServer::plain("");
    let (mut subscriber, mut other) = (Caller::of(&server), Caller::of(&server));
    subscriber.check(
        r#"
        > SSUBSCRIBE shard
        < ["ssubscribe", "shard", :1]
        > PSUBSCRIBE p*
        < ["psubscribe", "p*", :1]
        > GET k
        ~ -ERR Can't execute 'get': *
        "#,
    );
    other.check(
        r#"
        > PUBSUB SHARDNUMSUB shard none
        < ["shard", :1, "none", :0]
        > PUBSUB NUMPAT
        < :1
        > PUBSUB HELP
        ~ \[+PUBSUB <subcommand> *
        "#,
    );
    let info = other.text("INFO stats");
    for field in ["pubsub_patterns:1\r\n", "pubsubshard_channels:1\r\n"] {
        assert!(info.contains(field), "{field} in {info}");
    }
    subscriber.check(
        r#"
        > SUNSUBSCRIBE
        < ["sunsubscribe", "shard", :0]
        > PUNSUBSCRIBE p*
        < ["punsubscribe", "p*", :0]
        > GET k
        < nil
        "#,
    );
}
