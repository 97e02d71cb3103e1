//! Sorted set commands.

mod combine;
mod random;
mod range;

use resp::Value;
use std::collections::BTreeMap;
use testkit::{Dispatcher, check, check_effects, check_effects_within, check_resp3, check_with};

const LARGE: u32 = 300;

/// A server with a large sorted set `big`: the members `m000` .. with their numbers as scores.
fn with_large() -> Dispatcher {
    let mut server = Dispatcher::default();
    for number in 0..LARGE {
        server.call(&format!("ZADD big {number} m{number:03}"));
    }
    server
}

#[test]
fn members_are_added_and_changed() {
    check(
        "
        > ZADD z 1 a 2 b
        < :2
        > ZADD z 3 a 4 c
        < :1
        > ZADD z CH 5 a 4 c 6 d
        < :2
        > ZADD z NX 9 a 9 e
        < :1
        > ZADD z XX CH 9 a 9 f
        < :1
        > ZADD z GT CH 8 a 10 e
        < :1
        > ZADD z LT CH 8 a 11 e
        < :1
        > ZADD z xx gt ch 9 a
        < :1
        > ZADD z INCR 1.5 b
        < \"3.5\"
        > ZADD z NX INCR 1 b
        < nil
        > ZADD z XX INCR 1 missing
        < nil
        > ZADD z GT INCR -1 b
        < nil
        > ZADD z LT INCR -1 b
        < \"2.5\"
        > ZRANGE z 0 -1 WITHSCORES
        < [\"b\", \"2.5\", \"c\", \"4\", \"d\", \"6\", \"a\", \"9\", \"e\", \"10\"]
        > ZADD other XX 1 a
        < :0
        > ZADD other XX INCR 1 a
        < nil
        > EXISTS other
        < :0
        > ZCARD z
        < :5
        > ZCARD other
        < :0
        ",
    );
    check_resp3("> ZADD z INCR 1 a\n< ,1\n> ZADD z NX INCR 1 a\n< _\n> ZINCRBY z 0.5 a\n< ,1.5");
}

#[test]
fn zadd_refuses_what_makes_no_sense() {
    check(
        "
        > ZADD z NX XX 1 a
        < -ERR XX and NX options at the same time are not compatible
        > ZADD z GT LT 1 a
        < -ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z NX GT 1 a
        < -ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z LT NX 1 a
        < -ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z INCR 1 a 2 b
        < -ERR INCR option supports a single increment-element pair
        > ZADD z 1 a 2
        < -ERR syntax error
        > ZADD z NX CH
        < -ERR syntax error
        > ZADD z 1 a x b
        < -ERR value is not a valid float
        > ZADD z nan a
        < -ERR value is not a valid float
        > EXISTS z
        < :0
        > ZADD z inf a
        < :1
        > ZADD z INCR -inf a
        < -ERR resulting score is not a number (NaN)
        > ZINCRBY z -inf a
        < -ERR resulting score is not a number (NaN)
        > ZSCORE z a
        < \"inf\"
        > ZINCRBY z x a
        < -ERR value is not a valid float
        > ZINCRBY z 1 a b
        < -ERR wrong number of arguments for 'zincrby' command
        > SET s v
        < +OK
        > ZADD s x a
        < -ERR value is not a valid float
        > ZADD s 1 a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINCRBY s 1 a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn the_form_follows_number_and_length_of_members() {
    let mut server = with_large();
    check_with(
        &mut server,
        &format!(
            "
            > OBJECT ENCODING big
            < \"skiplist\"
            > ZADD z 1 {short}
            < :1
            > OBJECT ENCODING z
            < \"listpack\"
            > ZADD z 1 {long}
            < :1
            > OBJECT ENCODING z
            < \"skiplist\"
            > ZREM z {long}
            < :1
            > OBJECT ENCODING z
            < \"skiplist\"
            > ZUNIONSTORE u 1 z
            < :1
            > OBJECT ENCODING u
            < \"listpack\"
            > ZINTERSTORE u 1 big
            < :300
            > OBJECT ENCODING u
            < \"skiplist\"
            > ZRANGESTORE u big 0 127
            < :128
            > OBJECT ENCODING u
            < \"listpack\"
            > ZRANGESTORE u big 0 128
            < :129
            > OBJECT ENCODING u
            < \"skiplist\"
            ",
            short = "s".repeat(64),
            long = "l".repeat(65),
        ),
    );
}

#[test]
fn scores_and_ranks_are_told() {
    let transcript = "
        > ZSCORE KEY m001
        < \"1\"
        > ZSCORE KEY x
        < nil
        > ZMSCORE KEY m002 x m000
        < [\"2\", nil, \"0\"]
        > ZMSCORE other a b
        < [nil, nil]
        > ZRANK KEY m002
        < :2
        > ZRANK KEY m002 WITHSCORE
        ! WITHSCORE is new in Redis 7.2
        < [:2, \"2\"]
        > ZRANK KEY x
        < nil
        > ZRANK KEY x WITHSCORE
        ! WITHSCORE is new in Redis 7.2
        < nil-array
        > ZREVRANK other x withscore
        ! WITHSCORE is new in Redis 7.2
        < nil-array
        > ZREVRANK KEY LAST
        < :0
        > ZRANK KEY m002 WITHSCORES
        ! WITHSCORE is new in Redis 7.2
        < -ERR syntax error
        > ZRANK KEY m002 WITHSCORE x
        < -ERR wrong number of arguments for 'zrank' command
        > ZREVRANK KEY m002 x y
        < -ERR wrong number of arguments for 'zrevrank' command
        > ZCOUNT KEY 1 2
        < :2
        > ZCOUNT KEY (1 2
        < :1
        > ZCOUNT KEY -inf (2
        < :2
        > ZCOUNT KEY 2 1
        < :0
        > ZCOUNT other 1 2
        < :0
        > ZCOUNT KEY x 2
        < -ERR min or max is not a float
        > ZLEXCOUNT KEY - +
        < :CARD
        > ZLEXCOUNT KEY [m001 (m003
        < :2
        > ZLEXCOUNT KEY + -
        < :0
        > ZLEXCOUNT KEY m 2
        < -ERR min or max not valid string range item
        ";
    check(&format!(
        "> ZADD z 0 m000 1 m001 2 m002\n< :3\n{}",
        transcript
            .replace("KEY", "z")
            .replace("CARD", "3")
            .replace("LAST", "m002")
    ));
    let large = transcript
        .replace("KEY", "big")
        .replace("CARD", "300")
        .replace("LAST", "m299");
    check_with(&mut with_large(), &large);
    check_resp3(
        "
        > ZADD z 1.5 a
        < :1
        > ZSCORE z a
        < ,1.5
        > ZMSCORE z a b
        < [,1.5, _]
        > ZRANK z a WITHSCORE
        ! WITHSCORE is new in Redis 7.2
        < [:0, ,1.5]
        > ZREVRANK z b WITHSCORE
        ! WITHSCORE is new in Redis 7.2
        < _
        ",
    );
}

#[test]
fn wrong_types_are_refused() {
    let calls = [
        "ZCARD s",
        "ZCOUNT s 0 1",
        "ZLEXCOUNT s - +",
        "ZSCORE s a",
        "ZMSCORE s a",
        "ZRANK s a",
        "ZREM s a",
        "ZREMRANGEBYRANK s 0 1",
        "ZPOPMIN s",
        "ZPOPMAX s 0",
        "ZMPOP 1 s MIN",
        "ZRANGE s 0 1",
        "ZRANGESTORE d s 0 1",
        "ZRANDMEMBER s",
        "ZRANDMEMBER s 2",
        "ZSCAN s 0 FOO",
        "ZUNION 1 s FOO",
        "ZINTERCARD 1 s",
        "ZDIFFSTORE d 1 s",
    ];
    let mut transcript = "> SET s v\n< +OK\n".to_owned();
    for call in calls {
        transcript.push_str(&format!(
            "> {call}\n< -WRONGTYPE Operation against a key holding the wrong kind of value\n"
        ));
    }
    check(&transcript);
}

#[test]
fn members_are_removed_by_name_and_by_range() {
    for members in ["m000 m001", "x m000 y m001"] {
        let mut server = with_large();
        check_with(
            &mut server,
            &format!("> ZREM big {members}\n< :2\n> ZCARD big\n< :298"),
        );
    }
    let transcript = "
        > ZREMRANGEBYRANK KEY 1 2
        < :2
        > ZREMRANGEBYSCORE KEY (0 4
        < :2
        > ZREMRANGEBYLEX KEY [m005 [m006
        < :2
        > ZRANGE KEY 0 2
        < [\"m000\", \"m007\", \"m008\"]
        > ZREMRANGEBYRANK KEY 5 1
        < :0
        > ZREMRANGEBYRANK KEY 0 x
        < -ERR value is not an integer or out of range
        > ZREMRANGEBYSCORE KEY x 0
        < -ERR min or max is not a float
        > ZREMRANGEBYLEX KEY 0 1
        < -ERR min or max not valid string range item
        > ZREMRANGEBYSCORE KEY -inf +inf
        < :REST
        > EXISTS KEY
        < :0
        > ZREMRANGEBYRANK KEY 0 -1
        < :0
        > ZREM KEY a
        < :0
        ";
    check_with(
        &mut with_large(),
        &transcript.replace("KEY", "big").replace("REST", "294"),
    );
    let small = "> ZADD z 0 m000 1 m001 2 m002 3 m003 4 m004 5 m005 6 m006 7 m007 8 m008\n< :9\n";
    check(&(small.to_owned() + &transcript.replace("KEY", "z").replace("REST", "3")));
}

#[test]
fn members_are_popped_from_both_ends() {
    let transcript = "
        > ZPOPMIN KEY
        < [\"m000\", \"0\"]
        > ZPOPMAX KEY
        < [\"HIGH\", \"SCORE\"]
        > ZPOPMIN KEY 2
        < [\"m001\", \"1\", \"m002\", \"2\"]
        > ZPOPMIN KEY 0
        < []
        > ZMPOP 2 other KEY MIN
        < [\"KEY\", [[\"m003\", \"3\"]]]
        ";
    check_with(
        &mut with_large(),
        &transcript
            .replace("KEY", "big")
            .replace("HIGH", "m299")
            .replace("SCORE", "299"),
    );
    let small = "> ZADD z 0 m000 1 m001 2 m002 3 m003 4 m004 5 m005\n< :6\n".to_owned();
    let all = small
        + &transcript
            .replace("KEY", "z")
            .replace("HIGH", "m005")
            .replace("SCORE", "5");
    check(&(all + "> ZPOPMAX z 5\n< [\"m004\", \"4\"]\n> EXISTS z\n< :0"));
    check(
        "
        > ZPOPMIN z
        < []
        > ZPOPMAX z 3
        < []
        > ZPOPMIN z -1
        < -ERR value is out of range, must be positive
        > ZPOPMIN z x
        < -ERR value is out of range, must be positive
        > ZPOPMIN z 1 2
        < -ERR syntax error
        > ZADD z 1 a 2 b 3 c
        < :3
        > ZMPOP 1 z MAX COUNT 2
        < [\"z\", [[\"c\", \"3\"], [\"b\", \"2\"]]]
        > ZMPOP 1 z max count 2
        < [\"z\", [[\"a\", \"1\"]]]
        > ZMPOP 1 z MIN
        < nil-array
        > ZMPOP 0 z MIN
        < -ERR numkeys should be greater than 0
        > ZMPOP 2 z MIN
        < -ERR syntax error
        > ZMPOP 1 z LEFT
        < -ERR syntax error
        > ZMPOP 1 z MIN COUNT 0
        < -ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT 1 COUNT 1
        < -ERR syntax error
        ",
    );
    check_resp3(
        "
        > ZADD z 1 a 2 b 3 c 4 d
        < :4
        > ZPOPMIN z
        < [\"a\", ,1]
        > ZPOPMAX z 1
        < [[\"d\", ,4]]
        > ZMPOP 1 z MIN COUNT 5
        < [\"z\", [[\"b\", ,2], [\"c\", ,3]]]
        > ZMPOP 1 z MIN
        < _
        > ZPOPMIN z
        < []
        ",
    );
}

#[test]
fn a_scan_shows_every_member() {
    let mut server = with_large();
    let (mut cursor, mut seen) = ("0".to_owned(), BTreeMap::new());
    loop {
        let reply = server.call(&format!("ZSCAN big {cursor} COUNT 7 MATCH m*"));
        let Value::Array(parts) = &reply else {
            panic!("{reply:?} is no scan")
        };
        let [Value::Bulk(next), Value::Array(shown)] = parts.as_slice() else {
            panic!("{reply:?} is no scan")
        };
        for pair in shown.chunks(2) {
            let [Value::Bulk(member), Value::Bulk(score)] = pair else {
                panic!("{pair:?} is no member with a score")
            };
            seen.insert(member.clone(), score.clone());
        }
        cursor = String::from_utf8_lossy(next).into_owned();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), LARGE as usize);
    check_with(
        &mut server,
        "
        > ZADD big 3.2 m001
        < :0
        > ZSCAN big 0 COUNT 1000 MATCH m001
        < [\"0\", [\"m001\", \"3.2000000000000002\"]]
        > ZADD z 3.2 a 1 b
        < :2
        > ZSCAN z 0
        < [\"0\", [\"b\", \"1\", \"a\", \"3.2\"]]
        > ZSCAN z 0 MATCH a COUNT 1
        < [\"0\", [\"a\", \"3.2\"]]
        > ZSCAN other 0 FOO
        < [\"0\", []]
        > ZSCAN z x
        < -ERR invalid cursor
        > ZSCAN z 0 COUNT 0
        < -ERR syntax error
        > ZSCAN z 0 COUNT x
        < -ERR value is not an integer or out of range
        > ZSCAN z 0 MATCH
        < -ERR syntax error
        ",
    );
}

#[test]
fn events_counts_and_log_are_those_of_redis() {
    check_effects(
        "
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        = 5; new z, zadd z; own
        > ZADD z 1 a
        = 0; -; nothing
        > ZADD z NX 7 a
        = 0; -; nothing
        > ZADD z CH 2 a 9 f
        = 2; zadd z; own
        > ZADD z INCR 1 a
        = 1; zincr z; own
        > ZINCRBY z 0 a
        = 0; -; nothing
        > ZINCRBY z 1 g
        = 1; zincr z; own
        > ZREM z g x
        = 1; zrem z; own
        > ZREM z x
        = 0; -; nothing
        > ZREMRANGEBYRANK z 0 0
        = 1; zremrangebyrank z; own
        > ZREMRANGEBYSCORE z 9 9
        = 1; zremrangebyscore z; own
        > ZREMRANGEBYLEX z [x [y
        = 0; -; nothing
        > ZUNIONSTORE u 1 z
        = 1; new u, zunionstore u; own
        > ZINTERSTORE u 2 z u
        = 1; zinterstore u; own
        > ZDIFFSTORE u 2 z u
        = 1; del u; own
        > ZDIFFSTORE u 2 z z
        = 0; -; nothing
        > ZDIFFSTORE u 2 z n
        = 1; keymiss n, new u, zdiffstore u; own
        > ZRANGESTORE u z 0 1
        = 1; zrangestore u; own
        > ZRANGESTORE u z 9 9
        = 1; del u; own
        > ZPOPMIN z
        = 1; zpopmin z; own
        > ZPOPMAX z 0
        = 0; -; nothing
        > ZPOPMAX z 1
        = 1; zpopmax z; own
        > ZMPOP 2 n z MIN COUNT 1
        = 1; zpopmin z; ZPOPMIN z 1
        > ZMPOP 1 z MAX COUNT 9
        = 1; zpopmax z, del z; ZPOPMAX z 1
        > ZADD z 1 a
        = 1; new z, zadd z; own
        > ZREMRANGEBYLEX z - +
        = 1; zremrangebylex z, del z; own
        ",
    );
}

#[test]
fn long_ranges_are_left_to_a_lane_before_anything_happens() {
    check_effects_within(
        3,
        "
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        = 5; new z, zadd z; own
        > ZRANGE z 0 3
        = elsewhere: 0; -; nothing
        > ZRANGEBYSCORE z 2 9
        = elsewhere: 0; -; nothing
        > ZREVRANGEBYLEX z + - LIMIT 0 4
        = elsewhere: 0; -; nothing
        > ZPOPMIN z 4
        = elsewhere: 0; -; nothing
        > ZMPOP 1 z MAX COUNT 5
        = elsewhere: 0; -; nothing
        > ZREMRANGEBYSCORE z -inf inf
        = elsewhere: 0; -; nothing
        > ZRANDMEMBER z 4
        = elsewhere: 0; -; nothing
        > ZRANDMEMBER z -4
        = elsewhere: 0; -; nothing
        > ZSCAN z 0 COUNT 5
        = elsewhere: 0; -; nothing
        > ZRANGEBYSCORE z -inf inf LIMIT 1 3
        = 0; -; nothing
        > ZREMRANGEBYRANK z 1 3
        = 3; zremrangebyrank z; own
        ",
    );
}
