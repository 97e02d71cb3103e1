//! Deadlines of fields of hashes.

use testkit::{Dispatcher, check, check_effects, check_with};

/// Runs transcripts with the clock moved on by milliseconds in between.
#[track_caller]
fn check_over_time(parts: &[(i64, &str)]) {
    let mut server = Dispatcher::default();
    for (ms, transcript) in parts {
        server.advance_ms(*ms);
        check_with(&mut server, transcript);
    }
}

#[test]
fn deadlines_are_set_told_and_taken_away() {
    check_over_time(&[
        (
            0,
            "
            > HSET h a 1 b 2 c 3
            < :3
            > HEXPIRE h 10 FIELDS 3 a x b
            < [:1, :-2, :1]
            > HTTL h FIELDS 4 a b c x
            < [:10, :10, :-1, :-2]
            > HPTTL h FIELDS 1 c
            < [:-1]
            > HPEXPIRE h 2400 FIELDS 1 c
            < [:1]
            > HTTL h FIELDS 1 c
            < [:2]
            > HPERSIST h FIELDS 3 b b x
            < [:1, :-1, :-2]
            > HPERSIST none FIELDS 2 a b
            < [:-2, :-2]
            > HTTL none FIELDS 1 a
            < [:-2]
            > HEXPIRE none 10 FIELDS 1 a
            < [:-2]
            > HLEN h
            < :3
            ",
        ),
        (
            2_401,
            "
            > HTTL h FIELDS 3 a b c
            < [:8, :-1, :-2]
            > HMGET h a b c
            < [\"1\", \"2\", nil]
            > HLEN h
            < :3
            ",
        ),
    ]);
}

#[test]
fn points_in_time_are_absolute() {
    check(
        "
        ! deadlines of fields are from Valkey 9
        > HSET h a 1 b 2
        < :2
        > HEXPIREAT h 33177117420 FIELDS 1 a
        < [:1]
        > HEXPIRETIME h FIELDS 2 a b
        < [:33177117420, :-1]
        > HPEXPIRETIME h FIELDS 1 a
        < [:33177117420000]
        > HPEXPIREAT h 33177117420700 FIELDS 1 b
        < [:1]
        > HEXPIRETIME h FIELDS 2 b x
        < [:33177117421, :-2]
        > HPEXPIREAT h 1 FIELDS 3 a b x
        < [:2, :2, :-2]
        > EXISTS h
        < :0
        ",
    );
}

#[test]
fn conditions_of_deadlines() {
    check(
        "
        ! deadlines of fields are from Valkey 9
        > HSET h a 1 b 2
        < :2
        > HEXPIRE h 10 XX FIELDS 2 a b
        < [:0, :0]
        > HEXPIRE h 10 GT FIELDS 1 a
        < [:0]
        > OBJECT ENCODING h
        < \"listpack\"
        > HEXPIRE h 100 NX FIELDS 1 a
        < [:1]
        > OBJECT ENCODING h
        < \"hashtable\"
        > HEXPIRE h 100 NX FIELDS 2 a b
        < [:0, :1]
        > HEXPIRE h 50 GT FIELDS 1 a
        < [:0]
        > HEXPIRE h 200 gt FIELDS 1 a
        < [:1]
        > HEXPIRE h 300 LT FIELDS 1 a
        < [:0]
        > HEXPIRE h 30 XX LT FIELDS 1 a
        < [:1]
        > HTTL h FIELDS 2 a b
        < [:30, :100]
        > HPERSIST h FIELDS 1 a
        < [:1]
        > HEXPIRE h 300 LT FIELDS 1 a
        < [:1]
        ",
    );
}

#[test]
fn calls_that_are_refused() {
    let numfields =
        "ERR numfields should be greater than 0 and match the provided number of fields";
    for (call, error) in [
        ("HEXPIRE h 10 FIELDS 2 a", numfields),
        ("HEXPIRE h 10 FIELDS 0 a", numfields),
        ("HEXPIRE h 10 FIELDS -1 a", numfields),
        ("HEXPIRE h 10 a b FIELDS", numfields),
        ("HEXPIRE h x a b c", numfields),
        (
            "HEXPIRE h 10 FIELDS x a",
            "ERR value is not an integer or out of range",
        ),
        (
            "HEXPIRE h x FIELDS 1 a",
            "ERR value is not an integer or out of range",
        ),
        (
            "HEXPIRE h -1 FIELDS 1 a",
            "ERR invalid expire time in 'hexpire' command",
        ),
        (
            "HPEXPIREAT h -1 FIELDS 1 a",
            "ERR invalid expire time in 'hpexpireat' command",
        ),
        (
            "HEXPIREAT h 9223372036854775807 FIELDS 1 a",
            "ERR invalid expire time in 'hexpireat' command",
        ),
        (
            "HPEXPIRE h 9223372036854775807 FIELDS 1 a",
            "ERR invalid expire time in 'hpexpire' command",
        ),
        ("HEXPIRE h 10 YY FIELDS 1 a", "ERR Unsupported option YY"),
        (
            "HEXPIRE h 10 NX GT FIELDS 1 a",
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        (
            "HEXPIRE h 10 LT GT FIELDS 1 a",
            "ERR GT and LT options at the same time are not compatible",
        ),
        (
            "HEXPIRE h 10 FIELDS 1",
            "ERR wrong number of arguments for 'hexpire' command",
        ),
        ("HTTL h FIELDS 2 a", "ERR syntax error"),
        ("HPTTL h FIELDS 0 a", "ERR syntax error"),
        (
            "HEXPIRETIME h FIELDS x a",
            "ERR value is not an integer or out of range",
        ),
        (
            "HPEXPIRETIME h FIELDS 1",
            "ERR wrong number of arguments for 'hpexpiretime' command",
        ),
        ("HPERSIST h FIELDS 2 a", numfields),
        ("HGETDEL h FIELDS 2 a", numfields),
        ("HGETEX h FIELDS 2 a", numfields),
        ("HGETEX h a b c", numfields),
        ("HGETEX h EX 1 PX 1 FIELDS 1 a", "ERR syntax error"),
        ("HGETEX h EX FIELDS 1 a", "ERR syntax error"),
        ("HGETEX h KEEPTTL FIELDS 1 a", "ERR syntax error"),
        (
            "HGETEX h EX -1 FIELDS 1 a",
            "ERR invalid expire time in 'hgetex' command",
        ),
        ("HSETEX h FIELDS 2 a 1", numfields),
        ("HSETEX h FIELDS 1 a 1 b", numfields),
        ("HSETEX h NX XX FIELDS 1 a 1", "ERR syntax error"),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "ERR syntax error"),
        ("HSETEX h KEEPTTL EX 1 FIELDS 1 a 1", "ERR syntax error"),
        ("HSETEX h PERSIST FIELDS 1 a 1", "ERR syntax error"),
        (
            "HSETEX h EX x FIELDS 1 a 1",
            "ERR value is not an integer or out of range",
        ),
        (
            "HSETEX h PX -1 FIELDS 1 a 1",
            "ERR invalid expire time in 'hsetex' command",
        ),
    ] {
        check(&format!(
            "! deadlines of fields are from Valkey 9\n> {call}\n< -{error}"
        ));
    }
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for call in [
        "HEXPIRE s 10 FIELDS 1 a",
        "HTTL s FIELDS 1 a",
        "HPERSIST s FIELDS 1 a",
        "HGETDEL s FIELDS 1 a",
        "HGETEX s FIELDS 1 a",
        "HSETEX s FIELDS 1 a 1",
    ] {
        check(&format!(
            "> SET s x\n< +OK\n> {call}\n! deadlines of fields are from Valkey 9\n< -{wrong}"
        ));
    }
}

#[test]
fn reading_with_a_change_of_deadlines() {
    check_over_time(&[
        (
            0,
            "
            > HSET h a 1 b 2 c 3
            < :3
            > HGETEX h FIELDS 2 a x
            < [\"1\", nil]
            > HGETEX h EX 10 FIELDS 2 a x
            < [\"1\", nil]
            > HGETEX h px 2500 FIELDS 1 b
            < [\"2\"]
            > HTTL h FIELDS 3 a b c
            < [:10, :3, :-1]
            > HGETEX h PERSIST FIELDS 1 a
            < [\"1\"]
            > HTTL h FIELDS 1 a
            < [:-1]
            > HGETEX h PXAT 1 FIELDS 2 c c
            < [\"3\", nil]
            > HLEN h
            < :2
            > HGETEX none EX 10 FIELDS 1 a
            < [nil]
            > EXISTS none
            < :0
            ",
        ),
        (
            2_501,
            "
            > HGETEX h FIELDS 2 a b
            < [\"1\", nil]
            > HGETEX h EX 0 FIELDS 1 a
            < [\"1\"]
            ",
        ),
    ]);
}

#[test]
fn setting_with_deadlines() {
    check(
        "
        ! deadlines of fields are from Valkey 9
        > HSETEX h XX FIELDS 1 a 1
        < :0
        > HSETEX h FXX FIELDS 1 a 1
        < :0
        > EXISTS h
        < :0
        > HSETEX h NX EX 10 FIELDS 2 a 1 b 2
        < :1
        > HTTL h FIELDS 2 a b
        < [:10, :10]
        > HSETEX h NX FIELDS 1 a 3
        < :0
        > HSETEX h FNX FIELDS 2 c 1 a 3
        < :0
        > HSETEX h FXX KEEPTTL FIELDS 1 a 3
        < :1
        > HSETEX h XX FNX PX 5000 FIELDS 1 c 3
        < :1
        > HTTL h FIELDS 3 a b c
        < [:10, :10, :5]
        > HSETEX h FIELDS 1 b 4
        < :1
        > HTTL h FIELDS 1 b
        < [:-1]
        > HMGET h a b c
        < [\"3\", \"4\", \"3\"]
        > HSETEX h PXAT 1 FIELDS 2 a 5 x 5
        < :0
        > HSETEX h EX 0 FIELDS 2 b 5 c 5
        < :1
        > EXISTS h
        < :0
        > HSETEX h EX 0 FIELDS 1 a 1
        < :0
        > EXISTS h
        < :0
        ",
    );
}

#[test]
fn reading_and_removing() {
    check(
        "
        ! deadlines of fields are from Valkey 9
        > HSET h a 1 b 2 c 3
        < :3
        > HGETDEL h FIELDS 3 a x a
        < [\"1\", nil, nil]
        > HGETDEL h FIELDS 2 b c
        < [\"2\", \"3\"]
        > HGETDEL h FIELDS 1 b
        < [nil]
        > EXISTS h
        < :0
        ",
    );
}

#[test]
fn other_commands_change_deadlines_or_keep_them() {
    check(
        "
        ! deadlines of fields are from Valkey 9
        > HSETEX h EX 100 FIELDS 6 a 1 b 1 c 1 d 1 e 1 f x
        < :1
        > HSET h a 2
        < :0
        > HMSET h b 2
        < +OK
        > HINCRBY h c 2
        < :3
        > HINCRBYFLOAT h d 0.5
        < \"1.5\"
        > HSETNX h e 2
        < :0
        > HTTL h FIELDS 6 a b c d e f
        < [:-1, :-1, :100, :100, :100, :100]
        > COPY h copy
        < :1
        > RENAME h renamed
        < +OK
        > HTTL copy FIELDS 2 c a
        < [:100, :-1]
        > HTTL renamed FIELDS 2 c a
        < [:100, :-1]
        > HDEL copy c d e f
        < :4
        > HTTL copy FIELDS 1 c
        < [:-2]
        > HSET copy c 1
        < :1
        > HTTL copy FIELDS 1 c
        < [:-1]
        ",
    );
}

#[test]
fn nothing_shows_expired_fields() {
    check_over_time(&[
        (
            0,
            "
            > HSETEX h EX 1 FIELDS 2 a 1 b 2
            < :1
            > RPUSH l h
            < :1
            > HSET h keeps 9
            < :1
            > HSETEX all EX 1 FIELDS 1 a 1
            < :1
            ",
        ),
        (
            1_001,
            "
            > HGET h a
            < nil
            > HMGET h a keeps
            < [nil, \"9\"]
            > HEXISTS h a
            < :0
            > HSTRLEN h a
            < :0
            > HGETALL h
            < [\"keeps\", \"9\"]
            > HKEYS h
            < [\"keeps\"]
            > HVALS h
            < [\"9\"]
            > HSCAN h 0 COUNT 100
            < [\"0\", [\"keeps\", \"9\"]]
            > HRANDFIELD h
            < \"keeps\"
            > HRANDFIELD h 5
            < [\"keeps\"]
            > HRANDFIELD h -2 WITHVALUES
            < [\"keeps\", \"9\", \"keeps\", \"9\"]
            > SORT l BY nosort GET *->a GET *->keeps
            < [nil, \"9\"]
            > HDEL h a
            < :0
            > HPERSIST h FIELDS 1 a
            < [:-2]
            > HEXPIRE h 10 FIELDS 1 a
            < [:-2]
            > HGETALL all
            < []
            > HRANDFIELD all
            < nil
            > HRANDFIELD all 3
            < []
            > HRANDFIELD all -3
            < []
            > HLEN h
            < :3
            > HSETNX h a 5
            < :1
            > HINCRBY h b 5
            < :5
            > HTTL h FIELDS 2 a b
            < [:-1, :-1]
            > HSET all a 2
            < :1
            ",
        ),
    ]);
}

#[test]
fn what_is_recorded_of_deadlines() {
    check_effects(
        "
        > HSET h a 1 b 2 c 3
        = 3; new h, hset h; own
        > HEXPIRE h 10 FIELDS 3 a x b
        = 2; hexpire h; HPEXPIREAT h 1710000010000 FIELDS 3 a x b
        > HEXPIRE h 20 GT FIELDS 1 a
        = 1; hexpire h; HPEXPIREAT h 1710000020000 GT FIELDS 1 a
        > HPEXPIRE h 10 GT FIELDS 1 a
        = 0; -; nothing
        > HPEXPIREAT h 1710000030000 FIELDS 1 a
        = 1; hexpire h; own
        > HPERSIST h FIELDS 2 a c
        = 1; hpersist h; own
        > HPERSIST h FIELDS 1 a
        = 0; -; nothing
        > HINCRBYFLOAT h b 1
        = 1; hincrbyfloat h; HSETEX h KEEPTTL FIELDS 1 b 3
        > HINCRBYFLOAT h c 1
        = 1; hincrbyfloat h; HSET h c 4
        > HGETEX h FIELDS 1 a
        = 0; -; nothing
        > HGETEX h EX 10 FIELDS 2 a x
        = 1; hexpire h; HPEXPIREAT h 1710000010000 FIELDS 1 a
        > HGETEX h PERSIST FIELDS 2 a c
        = 1; hpersist h; HPERSIST h FIELDS 1 a
        > HGETEX h PX 0 FIELDS 2 a x
        = 1; hexpired h; HDEL h a
        > HSETEX h FIELDS 1 d 1
        = 1; hset h; HSETEX h FIELDS 1 d 1
        > HSETEX h nx FIELDS 1 d 1
        = 0; -; nothing
        > HSETEX h xx ex 10 FIELDS 2 d 1 e 1
        = 2; hset h, hexpire h; HSETEX h PXAT 1710000010000 FIELDS 2 d 1 e 1
        > HSETEX h KEEPTTL FIELDS 1 d 1
        = 1; hset h; HSETEX h KEEPTTL FIELDS 1 d 1
        > HSETEX h EX 0 FIELDS 2 d 1 x 1
        = 1; hexpired h; HDEL h d
        > HGETDEL h FIELDS 2 e x
        = 1; hdel h; own
        > HEXPIRE h 0 FIELDS 3 b x c
        = 2; hexpired h, del h; HDEL h b c
        > HSETEX h EX 0 FIELDS 1 a 1
        = 0; -; nothing
        > HSET h a 1
        = 1; new h, hset h; own
        > HGETDEL h FIELDS 1 a
        = 1; hdel h, del h; own
        ",
    );
}

#[test]
fn dumps_have_deadlines() {
    let mut server = Dispatcher::default();
    check_with(
        &mut server,
        "
        > HSETEX h PXAT 33177117420000 FIELDS 1 a 1
        < :1
        > HSET h b 2
        < :1
        ",
    );
    let resp::Value::Bulk(payload) = server.call("DUMP h") else {
        panic!("a dump is a string");
    };
    assert_eq!(
        (payload[0], &payload[payload.len() - 10..][..2]),
        (22, &[80, 0][..])
    );
    let restored = server.call_words(0, &[b"RESTORE", b"other", b"0", &payload]);
    assert_eq!(testkit::render(&restored), "+OK");
    check_with(
        &mut server,
        "
        > HPEXPIRETIME other FIELDS 2 a b
        < [:33177117420000, :-1]
        > HPERSIST h FIELDS 1 a
        < [:1]
        ",
    );
    let resp::Value::Bulk(payload) = server.call("DUMP h") else {
        panic!("a dump is a string");
    };
    assert_eq!(
        (payload[0], &payload[payload.len() - 10..][..2]),
        (4, &[11, 0][..])
    );
}
