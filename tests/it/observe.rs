//! MONITOR, the command log, and spikes of latency.

use resp::Value;
use testkit::render;

use crate::server::{TestServer, request, wait_until};
use crate::transcript::Caller;

/// The command of the next line that a monitor gets: the line from behind the address.
fn next_shown(monitor: &mut Caller) -> String {
    match monitor.receive() {
        Some(Value::Simple(line)) => {
            let line = String::from_utf8(line.to_vec()).expect("lines are printable");
            let (_, command) = line.split_once("] ").expect("a line has an address");
            command.to_owned()
        }
        other => panic!("no line of a monitor: {other:?}"),
    }
}

fn monitor(server: &TestServer) -> Caller {
    let mut monitor = Caller::of(server);
    monitor.check("> MONITOR\n < +OK");
    monitor
}

#[test]
fn monitors_see_calls_in_order_and_no_secrets() {
    let server = TestServer::plain("enable-debug-command yes");
    let mut client = Caller::of(&server);
    client.call("SET before 1");
    let mut monitor = monitor(&server);
    for call in [
        "SET k \"a b\"",
        "SELECT 9",
        "FLUSHALL",
        "KEYS *",
        "GET",
        "NOTHING",
        "INCR",
        "MULTI",
        "SET x 1",
        "LPUSH x 2",
        "EXEC",
        "MULTI",
        "NOTHING",
        "EXEC",
        "CONFIG GET port",
        "CLIENT KILL ID 999999",
        "AUTH secret",
        "AUTH who secret",
        "HELLO 3 SETNAME me AUTH who secret",
        "CLIENT ID",
        "PING",
    ] {
        client.call(call);
    }
    for expected in [
        r#""SET" "k" "a b""#,
        r#""SELECT" "9""#,
        r#""FLUSHALL""#,
        r#""KEYS" "*""#,
        r#""MULTI""#,
        r#""SET" "x" "1""#,
        r#""LPUSH" "x" "2""#,
        r#""EXEC""#,
        r#""MULTI""#,
        r#""EXEC""#,
        r#""AUTH" "(redacted)""#,
        r#""AUTH" "(redacted)" "(redacted)""#,
        r#""HELLO" "3" "SETNAME" "me" "AUTH" "(redacted)" "(redacted)""#,
        r#""CLIENT" "ID""#,
        r#""PING""#,
    ] {
        assert_eq!(next_shown(&mut monitor), expected);
    }
}

#[test]
fn a_blocked_call_is_shown_once_and_its_monitor_may_leave() {
    let server = TestServer::plain("io-threads 2\nworker-placement spread");
    let mut watching = monitor(&server);
    watching.check("> HELLO 3\n ~ *");
    assert_eq!(next_shown(&mut watching), r#""HELLO" "3""#);
    let (mut waiting, mut client) = (Caller::of(&server), Caller::of(&server));
    waiting.send(&["BLPOP", "l", "0"]);
    assert_eq!(next_shown(&mut watching), r#""BLPOP" "l" "0""#);
    client.call("LPUSH l v");
    assert_eq!(next_shown(&mut watching), r#""LPUSH" "l" "v""#);
    let popped = waiting.receive().expect("it was served");
    assert_eq!(render(&popped), r#"["l", "v"]"#);
    let listed = client.text("CLIENT LIST TYPE normal");
    assert!(listed.contains(" flags=O "), "{listed}");
    watching.check("> RESET\n < +RESET");
    let listed = client.text("CLIENT LIST");
    assert!(!listed.contains(" flags=O "), "{listed}");
    wait_until("calls look for no monitor", || {
        !server.engine().world().monitored
    });
    client.call("SET k v");
    watching.check("> PING\n < +PONG");
    watching.check(
        "
        > MULTI
        < +OK
        > MONITOR
        < +QUEUED
        > EXEC
        < [-ERR MONITOR isn't allowed for DENY BLOCKING client]
        ",
    );
}

#[test]
fn a_monitor_that_does_not_read_is_closed() {
    let server = TestServer::plain("client-output-buffer-limit normal 100kb 0 0");
    let mut watching = monitor(&server);
    let mut client = server.client();
    client.send(request(&["SET", "k", &"x".repeat(1 << 20)]).repeat(16));
    client.expect("+OK\r\n".repeat(16));
    wait_until("the monitor is gone", || server.engine().clients.len() == 1);
    while watching.receive().is_some() {}
}

/// The words of the newest entries of a log, without those of CONFIG and of the log's own commands.
fn logged(client: &mut Caller, call: &str) -> Vec<String> {
    let Value::Array(entries) = client.call(call) else {
        panic!("{call} answers with an array")
    };
    let words = entries.iter().map(|entry| match entry {
        Value::Array(fields) => render(&fields[3]),
        other => panic!("an entry is an array, not {other:?}"),
    });
    words.collect()
}

#[test]
fn slow_calls_are_logged_with_their_words() {
    let server = TestServer::plain("enable-debug-command yes");
    let mut client = Caller::of(&server);
    client.check(
        r#"
        > CLIENT SETNAME slow
        < +OK
        > DEBUG SLEEP 0.02
        < +OK
        > SLOWLOG LEN
        < :1
        > SLOWLOG GET
        ~ \[\[:0, :*, :2????, \["DEBUG", "SLEEP", "0.02"], "127.0.0.1:*", "slow"]]
        > COMMANDLOG HELP
        ~ \[+COMMANDLOG <subcommand>*]
        > COMMANDLOG GET -1 slow
        ~ \[\[:0, :*, :2????, \["DEBUG", "SLEEP", "0.02"], "127.0.0.1:*", "slow"]]
        > SLOWLOG GET 0
        < []
        > SLOWLOG GET -2
        < -ERR count should be greater than or equal to -1
        > SLOWLOG GET x
        < -ERR count should be greater than or equal to -1
        > SLOWLOG GET 1 2
        < -ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.
        > COMMANDLOG LEN fast
        < -ERR type should be one of the following: slow, large-request, large-reply
        > SLOWLOG RESET
        < +OK
        > COMMANDLOG LEN slow
        < :0
        > CONFIG SET slowlog-log-slower-than 0
        < +OK
        > SET k v
        < +OK
        > AUTH me secret
        < -WRONGPASS invalid username-password pair or user is disabled.
        > CONFIG SET masterauth secret slowlog-max-len 100
        < +OK
        > NOTHING
        ~ -ERR unknown command*
        > MULTI
        < +OK
        > INCR n
        < +QUEUED
        > EXEC
        < [:1]
        > BLPOP nothing 0.01
        < nil-array
        > CONFIG SET slowlog-log-slower-than -1
        < +OK
        > GET k
        < "v"
        "#,
    );
    let expected = [
        r#"["BLPOP", "nothing", "0.01"]"#,
        r#"["INCR", "n"]"#,
        r#"["MULTI"]"#,
        r#"["CONFIG", "SET", "masterauth", "(redacted)", "slowlog-max-len", "100"]"#,
        r#"["AUTH", "(redacted)", "(redacted)"]"#,
        r#"["SET", "k", "v"]"#,
        r#"["CONFIG", "SET", "slowlog-log-slower-than", "0"]"#,
    ];
    assert_eq!(logged(&mut client, "SLOWLOG GET"), expected);
    client.call("CONFIG SET slowlog-max-len 2");
    assert_eq!(logged(&mut client, "SLOWLOG GET -1"), expected[..2]);
}

#[test]
fn a_slow_call_amid_a_pipeline_is_told_from_those_around_it() {
    let server = TestServer::plain("slowlog-log-slower-than 1000");
    let words = |last: &'static str| {
        let mut words = vec!["SADD", "s"];
        words.extend((0..300_000).map(|_| "0123456789"));
        words.push(last);
        words
    };
    let slow = [words("x"), words("y")];
    let requests = [
        request(&["SET", "a", "1"]),
        request(&slow[0]),
        request(&["NOTHING"]),
        request(&slow[1]),
        request(&["SET", "b", "1"]),
        request(&["PING"]),
    ];
    let mut client = server.client();
    client.send(requests.concat());
    client.expect("+OK\r\n:2\r\n");
    client.expect("-ERR unknown command 'NOTHING', with args beginning with: \r\n");
    client.expect(":1\r\n+OK\r\n+PONG\r\n");
    let logged = logged(&mut Caller::of(&server), "SLOWLOG GET");
    let logged: Vec<_> = logged
        .into_iter()
        .filter(|words| words.contains("SADD"))
        .collect();
    assert_eq!(logged.len(), 2, "{logged:?}");
    assert!(
        logged
            .iter()
            .all(|words| words.starts_with(r#"["SADD", "s", "#)
                && words.contains("(299972 more arguments)")),
        "{logged:?}"
    );
}

#[test]
fn large_requests_and_replies_are_logged() {
    let server = TestServer::plain("");
    let mut client = Caller::of(&server);
    let large = "v".repeat(2 << 20);
    client.send(&["SET", "k", &large]);
    client.send(&["GET", "k"]);
    client.send(&["PING"]);
    for _ in 0..3 {
        client.receive().expect("a call gets a reply");
    }
    let rest = (2 << 20) - 128;
    let set = format!(
        r#"["SET", "k", "{}... ({rest} more bytes)"]"#,
        "v".repeat(128)
    );
    assert_eq!(
        logged(&mut client, "COMMANDLOG GET -1 large-request"),
        [set]
    );
    assert_eq!(
        logged(&mut client, "COMMANDLOG GET -1 LARGE-REPLY"),
        [r#"["GET", "k"]"#]
    );
    client.check(
        "
        > COMMANDLOG GET 1 large-reply
        ~ \\[\\[:0, :*, :20971*, *]]
        > CONFIG SET commandlog-reply-larger-than 20 commandlog-request-larger-than 60
        < +OK
        > COMMANDLOG RESET large-reply
        < +OK
        > COMMANDLOG RESET large-request
        < +OK
        > ECHO 0123456789012345
        < \"0123456789012345\"
        > MULTI
        < +OK
        > ECHO 6543210987654321
        < +QUEUED
        > EXEC
        < [\"6543210987654321\"]
        > SET a 012345678901234567890123456789012345678901234567890123456789
        < +OK
        ",
    );
    assert_eq!(
        logged(&mut client, "COMMANDLOG GET -1 large-reply"),
        [
            r#"["ECHO", "6543210987654321"]"#,
            r#"["ECHO", "0123456789012345"]"#
        ]
    );
    let requests = logged(&mut client, "COMMANDLOG GET -1 large-request");
    assert!(
        requests[0].starts_with(r#"["SET", "a", "0123"#),
        "{requests:?}"
    );
}

#[test]
fn spikes_of_latency_are_noted() {
    let server = TestServer::plain("enable-debug-command yes\nlatency-monitor-threshold 10");
    let mut client = Caller::of(&server);
    client.check(
        r#"
        > LATENCY LATEST
        < []
        > DEBUG SLEEP 0.02
        < +OK
        > LATENCY LATEST
        ~ \[\["command", :*, :2?, :2?]]
        > LATENCY HISTORY command
        ~ \[\[:*, :2?]]
        > LATENCY HISTORY nothing
        < []
        > LATENCY GRAPH nothing
        < -ERR No samples available for event 'nothing'
        > LATENCY GRAPH command
        ~ "command - high 2? ms, low 2? ms (all time high 2? ms)\\n---*s*"
        > LATENCY DOCTOR
        ~ "Dave, I have observed latency spikes*command: 1 latency spikes*"
        > LATENCY RESET nothing
        < :0
        > LATENCY RESET COMMAND
        < :1
        > CONFIG SET latency-monitor-threshold 0
        < +OK
        > DEBUG SLEEP 0.02
        < +OK
        > LATENCY RESET
        < :0
        > LATENCY DOCTOR
        ~ "I*m sorry, Dave*"
        > LATENCY HISTOGRAM nothing debug
        < ["debug", ["calls", :2, "histogram_usec", [:33816, :2]]]
        > HELLO 3
        ~ *
        > LATENCY HISTOGRAM debug
        < {"debug": {"calls": :2, "histogram_usec": {:33816: :2}}}
        > LATENCY HELP
        ~ \[+LATENCY <subcommand>*]
        "#,
    );
}
