//! Set commands.

use commands::Settings;
use resp::Value;
use std::collections::BTreeSet;
use testkit::{Dispatcher, check, check_effects, check_effects_with, check_resp3, check_with};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// The members in an array or set of bulk strings.
#[track_caller]
fn members(reply: Value) -> BTreeSet<String> {
    let (Value::Array(items) | Value::Set(items)) = reply else {
        panic!("{reply:?} is no array")
    };
    let count = items.len();
    let members: BTreeSet<String> = items
        .into_iter()
        .map(|item| match item {
            Value::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("{other:?} is no member"),
        })
        .collect();
    assert_eq!(members.len(), count, "members are different");
    members
}

fn numbers(range: std::ops::Range<u32>) -> BTreeSet<String> {
    range.map(|number| number.to_string()).collect()
}

/// Adds the numbers of a range, each with `prefix`, a few hundred at a call.
fn fill(server: &mut Dispatcher, key: &str, prefix: &str, range: std::ops::Range<u32>) {
    for number in range.step_by(100) {
        let words: Vec<String> = (number..number + 100)
            .map(|number| format!("{prefix}{number}"))
            .collect();
        server.call(&format!("SADD {key} {}", words.join(" ")));
    }
}

#[test]
fn members_are_added_looked_up_and_removed() {
    let transcript = "
        > SADD s 3 1 2 1
        < :3
        > SMEMBERS s
        < SET[\"1\", \"2\", \"3\"]
        > SADD s b 2
        < :1
        > SMEMBERS s
        < SET[\"1\", \"2\", \"3\", \"b\"]
        > SADD s b
        < :0
        > SCARD s
        < :4
        > SISMEMBER s b
        < :1
        > SISMEMBER s c
        < :0
        > SMISMEMBER s 1 c b 01
        < [:1, :0, :1, :0]
        > SREM s 1 c 1
        < :1
        > SREM s 2 3 b
        < :3
        > SREM s b
        < :0
        > SCARD s
        < :0
        > SISMEMBER s b
        < :0
        > SMISMEMBER s a b
        < [:0, :0]
        > SMEMBERS s
        < SET[]
        ";
    check(&transcript.replace("SET", ""));
    check_resp3(&transcript.replace("SET", "~"));
}

#[test]
fn members_are_moved() {
    check(
        "
        > SADD a 1 x
        < :2
        > SADD b 2
        < :1
        > SMOVE a b x
        < :1
        > SMEMBERS b
        < [\"2\", \"x\"]
        > SMOVE a b nope
        < :0
        > SMOVE none b x
        < :0
        > SMOVE a a 1
        < :1
        > SMOVE a a 2
        < :0
        > SADD b 1
        < :1
        > SMOVE a b 1
        < :1
        > SCARD a
        < :0
        > SMOVE b c x
        < :1
        > SMEMBERS c
        < [\"x\"]
        ",
    );
}

#[test]
fn small_sets_are_combined() {
    let transcript = "
        > SADD a 1 3 5 7
        < :4
        > SADD b 3 4 5
        < :3
        > SADD c 5 x
        < :2
        > SUNION a b
        < SET[\"1\", \"3\", \"4\", \"5\", \"7\"]
        > SUNION none a c a
        < SET[\"1\", \"3\", \"5\", \"7\", \"x\"]
        > SUNION none
        < SET[]
        > SINTER a b
        < SET[\"3\", \"5\"]
        > SINTER a b c
        < SET[\"5\"]
        > SINTER a none
        < SET[]
        > SINTER a a
        < SET[\"1\", \"3\", \"5\", \"7\"]
        > SDIFF a b
        < SET[\"1\", \"7\"]
        > SDIFF a b none c
        < SET[\"1\", \"7\"]
        > SDIFF a a
        < SET[]
        > SDIFF a b a
        < SET[]
        > SDIFF none a
        < SET[]
        > SDIFF a
        < SET[\"1\", \"3\", \"5\", \"7\"]
        ";
    check(&transcript.replace("SET", ""));
    check_resp3(&transcript.replace("SET", "~"));
}

#[test]
fn intersections_are_counted() {
    check(
        "
        > SADD a 1 2 3 4
        < :4
        > SADD b 2 3 4 5
        < :4
        > SINTERCARD 2 a b
        < :3
        > SINTERCARD 2 a b LIMIT 2
        < :2
        > SINTERCARD 2 a b limit 0
        < :3
        > SINTERCARD 2 a none
        < :0
        > SINTERCARD 1 a LIMIT 9
        < :4
        > SINTERCARD 0 a
        < -ERR numkeys should be greater than 0
        > SINTERCARD x a
        < -ERR numkeys should be greater than 0
        > SINTERCARD 3 a b
        < -ERR Number of keys can't be greater than number of args
        > SINTERCARD 1 a LIMIT
        < -ERR syntax error
        > SINTERCARD 1 a b
        < -ERR syntax error
        > SINTERCARD 1 a LIMIT -1
        < -ERR LIMIT can't be negative
        > SINTERCARD 1 a LIMIT x
        < -ERR LIMIT can't be negative
        ",
    );
}

#[test]
fn results_are_stored_in_place_of_anything() {
    check(
        "
        > SADD a 1 3 5
        < :3
        > SADD b 3 4
        < :2
        > HSET d f v
        < :1
        > SUNIONSTORE d a b
        < :4
        > SMEMBERS d
        < [\"1\", \"3\", \"4\", \"5\"]
        > SINTERSTORE d a b
        < :1
        > SMEMBERS d
        < [\"3\"]
        > SDIFFSTORE a a b
        < :2
        > SMEMBERS a
        < [\"1\", \"5\"]
        > SINTERSTORE d a none
        < :0
        > SCARD d
        < :0
        > HSET d f v
        < :1
        > SDIFFSTORE d none a
        < :0
        > HLEN d
        < :0
        > SUNIONSTORE d none
        < :0
        ",
    );
}

#[test]
fn large_sets_are_combined() {
    let mut server = Dispatcher::default();
    fill(&mut server, "a", "", 0..2000);
    fill(&mut server, "b", "", 1000..3000);
    fill(&mut server, "c", "", 1500..1700);
    assert_eq!(members(server.call("SUNION a b")), numbers(0..3000));
    assert_eq!(members(server.call("SUNION c a b none")), numbers(0..3000));
    assert_eq!(
        members(server.call("SUNION a a a a a a a a a a")),
        numbers(0..2000)
    );
    assert_eq!(members(server.call("SINTER a b")), numbers(1000..2000));
    assert_eq!(members(server.call("SINTER a b c")), numbers(1500..1700));
    assert_eq!(members(server.call("SDIFF a b")), numbers(0..1000));
    let mut rest = numbers(0..1500);
    rest.extend(numbers(1700..2000));
    assert_eq!(members(server.call("SDIFF a c")), rest);
    assert_eq!(members(server.call("SDIFF a c c c c c")), rest);
    check_with(
        &mut server,
        "
        > SINTERCARD 2 a b
        < :1000
        > SINTERCARD 2 a b LIMIT 10
        < :10
        > SUNIONSTORE u a b
        < :3000
        > SDIFFSTORE d a b
        < :1000
        > SINTERSTORE i a c c c
        < :200
        > SDIFFSTORE e a c c c c c
        < :1800
        ",
    );
    assert_eq!(members(server.call("SMEMBERS u")), numbers(0..3000));
    assert_eq!(members(server.call("SMEMBERS d")), numbers(0..1000));
    assert_eq!(members(server.call("SMEMBERS i")), numbers(1500..1700));
    assert_eq!(members(server.call("SMEMBERS e")), rest);
}

#[test]
fn popped_members_are_gone() {
    let transcript = "
        > SPOP none
        < NIL
        > SPOP none 3
        < SET[]
        > SADD s a
        < :1
        > SPOP s 0
        < SET[]
        > SPOP s
        < \"a\"
        > SCARD s
        < :0
        > SADD s a
        < :1
        > SPOP s 9
        < SET[\"a\"]
        > SCARD s
        < :0
        > SPOP s -1
        < -ERR value is out of range, must be positive
        > SPOP s x
        < -ERR value is out of range, must be positive
        > SPOP s x 1
        < -ERR syntax error
        ";
    check(&transcript.replace("SET", "").replace("NIL", "nil"));
    check_resp3(&transcript.replace("SET", "~").replace("NIL", "_"));
}

#[test]
fn popped_and_remaining_members_are_all_there_were() {
    for (prefix, count) in [("", 100), ("m", 100), ("", 1000), ("m", 1000)] {
        for popped in [1, count / 3, count - 5, count] {
            let mut server = Dispatcher::default();
            fill(&mut server, "s", prefix, 0..count);
            let all = members(server.call("SMEMBERS s"));
            let taken = members(server.call(&format!("SPOP s {popped}")));
            let rest = members(server.call("SMEMBERS s"));
            assert_eq!(taken.len(), popped as usize);
            assert!(taken.is_disjoint(&rest));
            assert_eq!(&taken | &rest, all);
        }
    }
}

#[test]
fn random_members_stay() {
    let transcript = "
        > SRANDMEMBER none
        < NIL
        > SRANDMEMBER none 3
        < []
        > SADD s a
        < :1
        > SRANDMEMBER s
        < \"a\"
        > SRANDMEMBER s 0
        < []
        > SRANDMEMBER s 4
        < [\"a\"]
        > SRANDMEMBER s -2
        < [\"a\", \"a\"]
        > SRANDMEMBER s x
        < -ERR value is not an integer or out of range
        > SRANDMEMBER s -9223372036854775808
        < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > SRANDMEMBER s x 1
        < -ERR syntax error
        ";
    check(&transcript.replace("NIL", "nil"));
    check_resp3(&transcript.replace("NIL", "_"));
    for (prefix, count) in [("", 100), ("m", 100), ("", 1000), ("m", 1000)] {
        let mut server = Dispatcher::default();
        fill(&mut server, "s", prefix, 0..count);
        let all = members(server.call("SMEMBERS s"));
        for wanted in [1, count / 10, count - 5, count, count + 5] {
            let drawn = members(server.call(&format!("SRANDMEMBER s {wanted}")));
            assert_eq!(drawn.len(), wanted.min(count) as usize);
            assert!(drawn.is_subset(&all));
        }
        let Value::Array(drawn) = server.call("SRANDMEMBER s -2500") else {
            panic!("no array")
        };
        assert_eq!(drawn.len(), 2500);
        assert_eq!(members(server.call("SMEMBERS s")), all);
    }
}

#[test]
fn scans() {
    let transcript = "
        > SADD s 1 2 31
        < :3
        > SSCAN s 0
        < [\"0\", [\"1\", \"2\", \"31\"]]
        > SSCAN s 0 COUNT 1 MATCH *1
        < [\"0\", [\"1\", \"31\"]]
        > SSCAN s 1x
        < -ERR invalid cursor
        > SSCAN s 0 COUNT 0
        < -ERR syntax error
        > SSCAN none 0 NOPE
        < [\"0\", []]
        ";
    check(transcript);
    check_resp3(transcript);
    let mut server = Dispatcher::default();
    fill(&mut server, "s", "m", 0..1000);
    let all = members(server.call("SMEMBERS s"));
    let (mut seen, mut cursor) = (BTreeSet::new(), String::from("0"));
    loop {
        let reply = server.call(&format!("SSCAN s {cursor}"));
        let Value::Array(mut parts) = reply else {
            panic!("{reply:?} is no array")
        };
        let shown = members(parts.pop().expect("two parts"));
        assert!(shown.is_disjoint(&seen));
        seen.extend(shown);
        let Some(Value::Bulk(next)) = parts.pop() else {
            panic!("no cursor")
        };
        cursor = String::from_utf8_lossy(&next).into_owned();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn other_types_are_refused() {
    let mut server = Dispatcher::default();
    server.call("HSET h a b");
    server.call("SADD s a");
    for call in [
        "SADD h a",
        "SREM h a",
        "SCARD h",
        "SISMEMBER h a",
        "SMISMEMBER h a",
        "SMEMBERS h",
        "SMOVE h s a",
        "SMOVE s h a",
        "SPOP h",
        "SPOP h 1",
        "SRANDMEMBER h",
        "SRANDMEMBER h 1",
        "SSCAN h 0",
        "SUNION none h",
        "SINTER none h",
        "SDIFF none h",
        "SINTERCARD 2 none h",
        "SUNIONSTORE d s h",
        "SINTERSTORE d none h",
        "SDIFFSTORE d none h",
    ] {
        check_with(&mut server, &format!("> {call}\n< -{WRONG_TYPE}"));
    }
    check_with(&mut server, "> SMOVE none h a\n< :0\n> SCARD s\n< :1");
}

#[test]
fn effects() {
    check_effects(
        "
        > SADD s a b a
        = 2; new s, sadd s; own
        > SADD s a
        = 0; -; nothing
        > SREM s a c
        = 1; srem s; own
        > SREM s b
        = 1; srem s, del s; own
        > SADD s a
        = 1; new s, sadd s; own
        > SMOVE s t a
        = 2; srem s, del s, new t, sadd t; own
        > SADD s a
        = 1; new s, sadd s; own
        > SMOVE s t a
        = 1; srem s, del s; own
        > SMOVE t t a
        = 0; -; nothing
        > SUNIONSTORE d t s
        = 1; keymiss s, new d, sunionstore d; own
        > SINTERSTORE d t t
        = 1; sinterstore d; own
        > SDIFFSTORE d t t
        = 1; del d; own
        > SDIFFSTORE d t t
        = 0; -; nothing
        ",
    );
}

#[test]
fn pops_are_logged_as_what_they_took() {
    let transcript = "
        > SADD s a
        = 1; new s, sadd s; own
        > SPOP s
        = 1; spop s, del s; SREM s a
        > SPOP s
        = 0; -; nothing
        > SADD s a b
        = 2; new s, sadd s; own
        > SPOP s 0
        = 0; -; nothing
        > SPOP s 5
        = 2; spop s, del s; DEL s
        > SADD s 7 8
        = 2; new s, sadd s; own
        > SREM s 7
        = 1; srem s; own
        > SADD s 8
        = 0; -; nothing
        > SPOP s 1
        = 1; spop s, del s; DEL s
        ";
    check_effects(transcript);
    let lazy = Settings {
        lazy_server_del: true,
        ..Settings::default()
    };
    check_effects_with(&lazy, &transcript.replace("DEL s\n", "UNLINK s\n"));
}
