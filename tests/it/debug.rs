//! DEBUG, and the other commands that are asked of a server once in a while.

use resp::Value;
use testkit::render;

use crate::oracle::RealServer;
use crate::server::{TestServer, wait_until};
use crate::transcript::Caller;

fn debuggable() -> TestServer {
    TestServer::plain("enable-debug-command local")
}

#[test]
fn it_is_not_for_everybody() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        "
        > DEBUG HELP
        < -ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        ",
    );
}

#[test]
fn replies_of_every_type() {
    let server = debuggable();
    Caller::of(&server).check(
        r#"
        > DEBUG PROTOCOL string
        < "Hello World"
        > DEBUG PROTOCOL double
        < "3.141"
        > DEBUG PROTOCOL null
        < nil
        > DEBUG PROTOCOL map
        < [:0, :0, :1, :1, :2, :0]
        > DEBUG PROTOCOL push
        < -ERR RESP2 is not supported by this command
        > DEBUG PROTOCOL attrib
        < "Some real reply following the attribute"
        > DEBUG PROTOCOL nonsense
        < -ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false
        > HELLO 3
        ~ {*
        > DEBUG PROTOCOL integer
        < :12345
        > DEBUG PROTOCOL double
        < ,3.141
        > DEBUG PROTOCOL bignum
        < (1234567999999999999999999999999999999
        > DEBUG PROTOCOL null
        < _
        > DEBUG PROTOCOL array
        < [:0, :1, :2]
        > DEBUG PROTOCOL set
        < ~[:0, :1, :2]
        > DEBUG PROTOCOL map
        < {:0: #f, :1: #t, :2: #f}
        > DEBUG PROTOCOL verbatim
        < =txt:"This is a verbatim\nstring"
        > DEBUG PROTOCOL true
        < #t
        > DEBUG PROTOCOL false
        < #f
        > DEBUG PROTOCOL attrib
        < |{"key-popularity": ["key:123", :90]} "Some real reply following the attribute"
        "#,
    );
}

#[test]
fn values_and_tables_are_shown() {
    let server = debuggable();
    Caller::of(&server).check(
        r#"
        > DEBUG POPULATE 100 item 20
        < +OK
        > DBSIZE
        < :100
        > STRLEN item:7
        < :20
        > DEBUG POPULATE 3
        < +OK
        > GET key:2
        < "value:2"
        > DEBUG POPULATE x
        < -ERR value is not an integer or out of range
        > RPUSH l a b c
        < :3
        > DEBUG OBJECT l
        ~ +Value at:0x* refcount:1 encoding:listpack serializedlength:* lru:* lru_seconds_idle:0
        > DEBUG OBJECT missing
        < -ERR no such key
        > DEBUG SDSLEN item:7
        ~ +key_sds_len:6, key_sds_avail:*, key_zmalloc: *, val_sds_len:20, val_sds_avail:*, val_zmalloc: *
        > DEBUG SDSLEN l
        < -ERR Not an sds encoded string.
        > DEBUG HTSTATS 0
        ~ "\[Dictionary HT\]*number of elements: 104\\n*\[Expires HT\]*No stats available*
        > DEBUG HTSTATS 0 full
        ~ "*different slots: *max chain length: *Chain length distribution:*
        > DEBUG HTSTATS 16
        < -ERR Out of range database
        > DEBUG HTSTATS-KEY l
        < -ERR The value stored at the specified key is not represented using an hash table
        > CONFIG SET set-max-intset-entries 0 set-max-listpack-entries 0
        < +OK
        > SADD s 1 2 3
        < :3
        > DEBUG HTSTATS-KEY s full
        ~ "*number of elements: 3\\n*
        > DEBUG HTSTATS-KEY missing
        < -ERR no such key
        > DEBUG STRUCTSIZE
        ~ "bits:64 *
        "#,
    );
}

#[test]
fn switches() {
    let server = debuggable();
    let mut caller = Caller::of(&server);
    caller.check(
        r#"
        > DEBUG SET-ACTIVE-EXPIRE 0
        < +OK
        > SET k v PX 1
        < +OK
        > DEBUG SLEEP 0.02
        < +OK
        > DBSIZE
        < :1
        > DEBUG SET-ACTIVE-EXPIRE 1
        < +OK
        > DEBUG PAUSE-CRON 1
        < +OK
        > DEBUG PAUSE-CRON 0
        < +OK
        > DEBUG QUICKLIST-PACKED-THRESHOLD 3b
        < +OK
        > DEBUG QUICKLIST-PACKED-THRESHOLD 4gb
        < -ERR argument must be a memory value bigger than 1 and smaller than 4gb
        > DEBUG QUICKLIST-PACKED-THRESHOLD 0
        < +OK
        > DEBUG LOG hello
        < +OK
        > DEBUG ERROR "ERR my own"
        < -ERR my own
        > DEBUG STRINGMATCH-TEST
        ~ +*
        > DEBUG CONFIG-REWRITE-FORCE-ALL
        < -ERR The server is running without a config file
        > DEBUG NONSENSE
        < -ERR unknown subcommand or wrong number of arguments for 'NONSENSE'. Try DEBUG HELP.
        > DEBUG HELP
        ~ \[+DEBUG <subcommand> *
        "#,
    );
    let id = |caller: &mut Caller| caller.text("INFO replication");
    let before = id(&mut caller);
    caller.check("> DEBUG CHANGE-REPL-ID\n < +OK");
    assert_ne!(before, id(&mut caller));
}

#[test]
fn a_picture_and_the_time() {
    let server = debuggable();
    Caller::of(&server).check(
        r#"
        > LOLWUT
        ~ "*Redis ver. 7.2.6\\n"
        > LOLWUT VERSION 5 10 5
        ~ "*Redis ver. 7.2.6\\n"
        > LOLWUT VERSION x
        < -ERR value is not an integer or out of range
        > TIME
        ~ \["1*", "*"\]
        > SHUTDOWN ABORT
        < -ERR No shutdown in progress.
        > SHUTDOWN SAVE NOSAVE
        < -ERR syntax error
        > SHUTDOWN ABORT NOW
        < -ERR syntax error
        > SHUTDOWN soon
        < -ERR syntax error
        "#,
    );
}

#[test]
fn shutdown_ends_the_server() {
    let mut server = debuggable();
    let mut caller = Caller::of(&server);
    caller.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(caller.receive().is_none());
    server.end();
}

#[test]
fn digests_equal_those_of_a_real_server() {
    let (server, real) = (debuggable(), RealServer::start());
    let mut ours = Caller::of(&server);
    let mut theirs = Caller::connect(real.address).unwrap();
    let mut both = |line: &str| -> String {
        let (our, their) = (render(&ours.call(line)), render(&theirs.call(line)));
        assert_eq!(our, their, "{line}");
        our
    };
    let empty = both("DEBUG DIGEST");
    let numbers: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let large = numbers.join(" ");
    let scored: Vec<String> = numbers
        .iter()
        .map(|number| format!("{number} m{number}"))
        .collect();
    for line in [
        "SET string value",
        "SET number 12345",
        "SET expires soon EX 1000",
        "RPUSH list a b 3 -4 c",
        "SADD integers 3 1 2",
        "SADD words x y 5",
        "ZADD scores 1 one 2 two -inf least 3000000 four",
        "HSET hash field value other 17",
        "SELECT 9",
        &format!("RPUSH longlist {large}"),
        &format!("SADD largeset {large} word"),
        &format!("ZADD largezset {}", scored.join(" ")),
        &format!("HSET largehash {large}"),
        "DEBUG DIGEST-VALUE longlist largeset largezset largehash missing",
        "SELECT 0",
        "DEBUG DIGEST-VALUE string number expires list integers words scores hash",
    ] {
        both(line);
    }
    let full = both("DEBUG DIGEST");
    assert_ne!(empty, full);
    both("SWAPDB 0 9");
    assert_ne!(full, both("DEBUG DIGEST"));
    both("FLUSHALL");
    assert_eq!(empty, both("DEBUG DIGEST"));
}

#[test]
fn the_world_stands_still_while_it_sleeps() {
    let server = debuggable();
    let (mut one, mut other) = (Caller::of(&server), Caller::of(&server));
    one.send(&["DEBUG", "SLEEP", "0.2"]);
    wait_until("the world is frozen", || server.engine().world().frozen);
    other.send(&["PING"]);
    assert_eq!(one.receive(), Some(Value::Simple(b"OK".to_vec().into())));
    assert_eq!(
        other.receive(),
        Some(Value::Simple(b"PONG".to_vec().into()))
    );
}
