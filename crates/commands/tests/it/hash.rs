//! Hash commands.

use testkit::{Dispatcher, check, check_effects, check_resp3, check_with};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn fields_are_set_read_and_removed() {
    check(
        "
        > HSET h a 1 b two a 3
        < :2
        > HGET h a
        < \"3\"
        > HGET h b
        < \"two\"
        > HGET h c
        < nil
        > HGET none a
        < nil
        > HMSET h c 3 d 4
        < +OK
        > HMGET h a nope d
        < [\"3\", nil, \"4\"]
        > HMGET none a b
        < [nil, nil]
        > HLEN h
        < :4
        > HLEN none
        < :0
        > HEXISTS h a
        < :1
        > HEXISTS h e
        < :0
        > HEXISTS none a
        < :0
        > HSTRLEN h b
        < :3
        > HSTRLEN h a
        < :1
        > HSTRLEN h e
        < :0
        > HSTRLEN none e
        < :0
        > HDEL h a e b
        < :2
        > HDEL h c d d
        < :2
        > HDEL h c
        < :0
        > HLEN h
        < :0
        ",
    );
}

#[test]
fn setting_what_is_missing_only() {
    check(
        "
        > HSETNX h a 1
        < :1
        > HSETNX h a 2
        < :0
        > HGET h a
        < \"1\"
        ",
    );
}

#[test]
fn whole_hashes_are_shown_in_order_while_packed() {
    let filled = "
        > HSET h a 1 b 2
        < :2
        > HKEYS h
        < [\"a\", \"b\"]
        > HVALS h
        < [\"1\", \"2\"]
        > HKEYS none
        < []
        > HVALS none
        < []
        ";
    check(&format!(
        "{filled}
        > HGETALL h
        < [\"a\", \"1\", \"b\", \"2\"]
        > HGETALL none
        < []"
    ));
    check_resp3(&format!(
        "{filled}
        > HGETALL h
        < {{\"a\": \"1\", \"b\": \"2\"}}
        > HGETALL none
        < {{}}
        > HGET h c
        < _
        > HMGET h a c
        < [\"1\", _]"
    ));
}

#[test]
fn arguments_come_in_pairs() {
    check(
        "
        > HSET h a 1 b
        < -ERR wrong number of arguments for 'hset' command
        > HMSET h a 1 b
        < -ERR wrong number of arguments for 'hmset' command
        > HSET h a
        < -ERR wrong number of arguments for 'hset' command
        > HLEN h
        < :0
        ",
    );
}

#[test]
fn integers_are_added() {
    check(
        "
        > HINCRBY h f 5
        < :5
        > HINCRBY h f -7
        < :-2
        > HINCRBY h f five
        < -ERR value is not an integer or out of range
        > HINCRBY h f 9223372036854775808
        < -ERR value is not an integer or out of range
        > HSET h s 1.5 t 007 max 9223372036854775807 min -9223372036854775808
        < :4
        > HINCRBY h s 1
        < -ERR hash value is not an integer
        > HINCRBY h t 1
        < -ERR hash value is not an integer
        > HINCRBY h max 1
        < -ERR increment or decrement would overflow
        > HINCRBY h min -1
        < -ERR increment or decrement would overflow
        > HINCRBY h max -1
        < :9223372036854775806
        ",
    );
}

#[test]
fn floats_are_added() {
    check(
        "
        > HINCRBYFLOAT h f 2.5
        < \"2.5\"
        > HINCRBYFLOAT h f 0.1
        < \"2.6\"
        > HINCRBYFLOAT h f 1e3
        < \"1002.59999999999999998\"
        > HINCRBYFLOAT h f x
        < -ERR value is not a valid float
        > HINCRBYFLOAT h f \" 1\"
        < -ERR value is not a valid float
        > HINCRBYFLOAT h f inf
        < -ERR value is NaN or Infinity
        > HINCRBYFLOAT h f -inf
        < -ERR value is NaN or Infinity
        > HSET h s x i 12
        < :2
        > HINCRBYFLOAT h s 1
        < -ERR hash value is not a float
        > HINCRBYFLOAT h i -2
        < \"10\"
        > HINCRBYFLOAT h i 1e4932
        <
        > HINCRBYFLOAT h i 1e4932
        < -ERR increment would produce NaN or Infinity
        ",
    );
}

#[test]
fn random_fields() {
    let filled = "
        > HRANDFIELD none
        < NIL
        > HRANDFIELD none 5
        < []
        > HSET h a 1
        < :1
        > HRANDFIELD h
        < \"a\"
        > HRANDFIELD h 0
        < []
        > HRANDFIELD h 5
        < [\"a\"]
        > HRANDFIELD h -3
        < [\"a\", \"a\", \"a\"]
        > HRANDFIELD h x
        < -ERR value is not an integer or out of range
        > HRANDFIELD h -9223372036854775808
        < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > HRANDFIELD h 1 values
        < -ERR syntax error
        > HRANDFIELD h 1 withvalues withvalues
        < -ERR syntax error
        > HRANDFIELD h -9223372036854775807 withvalues
        < -ERR value is out of range
        > HRANDFIELD h 9223372036854775807 withvalues
        < -ERR value is out of range
        > HRANDFIELD h 9223372036854775807
        < [\"a\"]
        ";
    check(&format!(
        "{}
        > HRANDFIELD h 2 WITHVALUES
        < [\"a\", \"1\"]
        > HRANDFIELD h -2 WITHVALUES
        < [\"a\", \"1\", \"a\", \"1\"]",
        filled.replace("NIL", "nil")
    ));
    check_resp3(&format!(
        "{}
        > HRANDFIELD h 2 WITHVALUES
        < [[\"a\", \"1\"]]
        > HRANDFIELD h -2 WITHVALUES
        < [[\"a\", \"1\"], [\"a\", \"1\"]]",
        filled.replace("NIL", "_")
    ));
}

#[test]
fn scans_of_packed_hashes_show_everything_at_once() {
    let transcript = "
        > HSET h a 1 b 2 ab 3
        < :3
        > HSCAN h 0
        < [\"0\", [\"a\", \"1\", \"b\", \"2\", \"ab\", \"3\"]]
        > HSCAN h 0 MATCH a* COUNT 1
        < [\"0\", [\"a\", \"1\", \"ab\", \"3\"]]
        > HSCAN h 0 MATCH * MATCH z
        < [\"0\", []]
        > HSCAN h x
        < -ERR invalid cursor
        > HSCAN h 0 COUNT 0
        < -ERR syntax error
        > HSCAN h 0 COUNT x
        < -ERR value is not an integer or out of range
        > HSCAN h 0 COUNT
        < -ERR syntax error
        > HSCAN h 0 TYPE string
        < -ERR syntax error
        > HSCAN none 0 COUNT x
        < [\"0\", []]
        ";
    check(transcript);
    check_resp3(transcript);
}

#[test]
fn scans_of_tables_show_each_field_once() {
    let mut server = Dispatcher::default();
    for field in 0..1000 {
        server.call(&format!("HSET h field{field} {field}"));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = String::from("0");
    loop {
        let reply = server.call(&format!("HSCAN h {cursor} COUNT 30"));
        let resp::Value::Array(parts) = reply else {
            panic!("{reply:?} is no array")
        };
        let [resp::Value::Bulk(next), resp::Value::Array(shown)] = &parts[..] else {
            panic!("{parts:?} is not a cursor and elements")
        };
        assert!(shown.len() >= 2 && shown.len() < 100);
        for pair in shown.chunks(2) {
            let [resp::Value::Bulk(field), resp::Value::Bulk(value)] = pair else {
                panic!("{pair:?} is not a field and its value")
            };
            assert_eq!([b"field", &value[..]].concat(), field[..]);
            assert!(seen.insert(field.clone()));
        }
        cursor = String::from_utf8_lossy(next).into_owned();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 1000);
}

#[test]
fn large_hashes_answer_as_small_ones_do() {
    let mut server = Dispatcher::default();
    let long = "x".repeat(100);
    check_with(
        &mut server,
        &format!(
            "
        > HSET h {long} 1 n 5
        < :2
        > HGET h {long}
        < \"1\"
        > HINCRBY h n 5
        < :10
        > HINCRBYFLOAT h n 0.5
        < \"10.5\"
        > HSETNX h n 1
        < :0
        > HSTRLEN h n
        < :4
        > HRANDFIELD h -1
        <
        > HDEL h {long}
        < :1
        > HGETALL h
        < [\"n\", \"10.5\"]
        > HRANDFIELD h 3 WITHVALUES
        < [\"n\", \"10.5\"]
        > HDEL h n
        < :1
        > HGETALL h
        < []"
        ),
    );
}

#[test]
fn other_types_are_refused() {
    let mut server = Dispatcher::default();
    server.call("SADD s a");
    for call in [
        "HSET s a b",
        "HMSET s a b",
        "HSETNX s a b",
        "HGET s a",
        "HMGET s a",
        "HGETALL s",
        "HKEYS s",
        "HVALS s",
        "HLEN s",
        "HSTRLEN s a",
        "HEXISTS s a",
        "HDEL s a",
        "HINCRBY s a 1",
        "HINCRBYFLOAT s a 1",
        "HRANDFIELD s",
        "HRANDFIELD s 1",
        "HSCAN s 0",
    ] {
        check_with(&mut server, &format!("> {call}\n< -{WRONG_TYPE}"));
    }
}

#[test]
fn effects() {
    check_effects(
        "
        > HSET h a 1 b 2 a 3
        = 3; new h, hset h; own
        > HSET h a 3
        = 1; hset h; own
        > HMSET h a 3
        = 1; hset h; own
        > HSET h a
        = 0; -; nothing
        > HSETNX h a 1
        = 0; -; nothing
        > HSETNX h c 1
        = 1; hset h; own
        > HINCRBY h c 1
        = 1; hincrby h; own
        > HINCRBY h c x
        = 0; -; nothing
        > HINCRBYFLOAT h c 0.5
        = 1; hincrbyfloat h; HSET h c 2.5
        > HINCRBYFLOAT g f 1e2
        = 1; new g, hincrbyfloat g; HSET g f 100
        > HDEL h a none
        = 1; hdel h; own
        > HDEL h none
        = 0; -; nothing
        > HDEL h b c d
        = 2; hdel h, del h; own
        > HGET h b
        = 0; keymiss h; nothing
        > HDEL h b
        = 0; -; nothing
        ",
    );
}
