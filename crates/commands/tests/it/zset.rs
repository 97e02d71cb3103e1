//! Sorted set commands.

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
        < [:2, \"2\"]
        > ZRANK KEY x
        < nil
        > ZRANK KEY x WITHSCORE
        < nil-array
        > ZREVRANK other x withscore
        < nil-array
        > ZREVRANK KEY LAST
        < :0
        > ZRANK KEY m002 WITHSCORES
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
        < [:0, ,1.5]
        > ZREVRANK z b WITHSCORE
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

const RANGES: &str = "
    > ZRANGE KEY 1 2
    < [\"m001\", \"m002\"]
    > ZRANGE KEY 0 0 REV
    < [\"LAST\"]
    > ZREVRANGE KEY -1 -1 WITHSCORES
    < [\"m000\", \"0\"]
    > ZRANGE KEY 2 1
    < []
    > ZRANGE KEY (1 3 BYSCORE
    < [\"m002\", \"m003\"]
    > ZRANGE KEY (3 1 BYSCORE REV WITHSCORES
    < [\"m002\", \"2\", \"m001\", \"1\"]
    > ZRANGEBYSCORE KEY 1 +inf LIMIT 1 2
    < [\"m002\", \"m003\"]
    > ZRANGEBYSCORE KEY 1 3 WITHSCORES LIMIT 2 -1
    < [\"m003\", \"3\"]
    > ZRANGEBYSCORE KEY 1 3 LIMIT -1 2
    < []
    > ZRANGEBYSCORE KEY 1 3 LIMIT 0 0
    < []
    > ZRANGEBYSCORE KEY 1 3 LIMIT 9 1
    < []
    > ZREVRANGEBYSCORE KEY 3 -inf LIMIT 1 2
    < [\"m002\", \"m001\"]
    > ZRANGEBYSCORE KEY 3 1
    < []
    > ZRANGE KEY [m001 (m003 BYLEX
    < [\"m001\", \"m002\"]
    > ZRANGE KEY (m002 - BYLEX REV LIMIT 0 1
    < [\"m001\"]
    > ZRANGEBYLEX KEY - [m001
    < [\"m000\", \"m001\"]
    > ZREVRANGEBYLEX KEY [m001 - LIMIT 1 5
    < [\"m000\"]
    > ZRANGE KEY 0 1 LIMIT 1 -1
    < [\"m000\", \"m001\"]
    ";

#[test]
fn ranges_are_read_in_both_forms_and_directions() {
    let small = "> ZADD z 0 m000 1 m001 2 m002 3 m003 4 m004\n< :5\n".to_owned();
    check(&(small + &RANGES.replace("KEY", "z").replace("LAST", "m004")));
    check_with(
        &mut with_large(),
        &RANGES.replace("KEY", "big").replace("LAST", "m299"),
    );
    check_resp3(
        "
        > ZADD z 1 a 2.5 b
        < :2
        > ZRANGE z 0 -1 WITHSCORES
        < [[\"a\", ,1], [\"b\", ,2.5]]
        > ZRANGE z 0 -1
        < [\"a\", \"b\"]
        > ZREVRANGEBYSCORE z +inf 2 WITHSCORES
        < [[\"b\", ,2.5]]
        ",
    );
}

#[test]
fn ranges_refuse_options_that_do_not_go_together() {
    check(
        "
        > ZRANGE z 0 1 LIMIT 0 1
        < -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZREVRANGE z 0 1 LIMIT 0 1
        < -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZRANGE z - + BYLEX WITHSCORES
        < -ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGEBYLEX z - + WITHSCORES
        < -ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGE z 0 1 BYSCORE BYLEX
        < -ERR syntax error
        > ZRANGE z 0 1 REV REV
        < -ERR syntax error
        > ZRANGEBYSCORE z 0 1 REV
        < -ERR syntax error
        > ZREVRANGE z 0 1 BYSCORE
        < -ERR syntax error
        > ZRANGE z 0 1 BYSCORE LIMIT 0
        < -ERR syntax error
        > ZRANGE z 0 1 BYSCORE LIMIT x 0
        < -ERR value is not an integer or out of range
        > ZRANGE z a 1
        < -ERR value is not an integer or out of range
        > ZRANGE z (a 1 BYSCORE
        < -ERR min or max is not a float
        > ZRANGE z 0 nan BYSCORE
        < -ERR min or max is not a float
        > ZRANGE z 0 1 BYLEX
        < -ERR min or max not valid string range item
        > ZRANGESTORE d z 0 1 WITHSCORES
        < -ERR syntax error
        > ZRANGE z 0 1
        < []
        ",
    );
}

#[test]
fn ranges_are_stored() {
    check(
        "
        > ZADD z 1 a 2 b 3 c 4 d
        < :4
        > ZRANGESTORE d z 0 1 REV
        < :2
        > ZRANGE d 0 -1 WITHSCORES
        < [\"c\", \"3\", \"d\", \"4\"]
        > ZRANGESTORE d z 3 2 BYSCORE REV LIMIT 1 1
        < :1
        > ZRANGE d 0 -1 WITHSCORES
        < [\"b\", \"2\"]
        > ZRANGESTORE z z [b + BYLEX
        < :3
        > SET s v
        < +OK
        > PEXPIRE s 5000
        < :1
        > ZRANGESTORE s z 0 -1
        < :3
        > PTTL s
        < :-1
        > ZRANGESTORE s z 5 6
        < :0
        > EXISTS s
        < :0
        > ZRANGESTORE d other 0 -1
        < :0
        > EXISTS d
        < :0
        ",
    );
}

#[test]
fn sorted_sets_and_sets_are_combined() {
    check(
        "
        > ZADD a 1 x 2 y 3 z
        < :3
        > ZADD b 10 y 20 z 30 w
        < :3
        > SADD s z w v
        < :3
        > ZUNION 2 a b
        < [\"x\", \"y\", \"z\", \"w\"]
        > ZUNION 3 a b s WITHSCORES
        < [\"v\", \"1\", \"x\", \"1\", \"y\", \"12\", \"z\", \"24\", \"w\", \"31\"]
        > ZUNION 2 a b WEIGHTS 2 0.5 AGGREGATE MAX WITHSCORES
        < [\"x\", \"2\", \"y\", \"5\", \"z\", \"10\", \"w\", \"15\"]
        > ZUNION 2 a missing withscores aggregate min
        < [\"x\", \"1\", \"y\", \"2\", \"z\", \"3\"]
        > ZINTER 2 a b WITHSCORES
        < [\"y\", \"12\", \"z\", \"23\"]
        > ZINTER 3 a b s WITHSCORES AGGREGATE MIN
        < [\"z\", \"1\"]
        > ZINTER 2 a a WEIGHTS 1 2 WITHSCORES
        < [\"x\", \"3\", \"y\", \"6\", \"z\", \"9\"]
        > ZINTER 2 a missing
        < []
        > ZDIFF 2 a b WITHSCORES
        < [\"x\", \"1\"]
        > ZDIFF 2 s a
        < [\"v\", \"w\"]
        > ZDIFF 2 a a
        < []
        > ZINTERCARD 2 a b
        < :2
        > ZINTERCARD 2 a b LIMIT 1
        < :1
        > ZINTERCARD 2 a b LIMIT 0
        < :2
        > ZUNIONSTORE d 2 a s
        < :5
        > ZRANGE d 0 -1 WITHSCORES
        < [\"v\", \"1\", \"w\", \"1\", \"x\", \"1\", \"y\", \"2\", \"z\", \"4\"]
        > ZINTERSTORE a 2 a b WEIGHTS 1 -1
        < :2
        > ZRANGE a 0 -1 WITHSCORES
        < [\"z\", \"-17\", \"y\", \"-8\"]
        > ZDIFFSTORE d 2 b s
        < :1
        > ZDIFFSTORE d 2 b b
        < :0
        > EXISTS d
        < :0
        ",
    );
    check_resp3(
        "
        > ZADD a 1 x 2.5 y
        < :2
        > ZUNION 1 a WITHSCORES
        < [[\"x\", ,1], [\"y\", ,2.5]]
        > ZDIFF 1 a
        < [\"x\", \"y\"]
        ",
    );
}

#[test]
fn infinities_that_cancel_one_another_count_as_zero() {
    check(
        "
        > ZADD a inf x
        < :1
        > ZADD b -inf x
        < :1
        > ZUNION 2 a b WITHSCORES
        < [\"x\", \"0\"]
        > ZINTER 2 a b WITHSCORES
        < [\"x\", \"0\"]
        > ZUNION 1 a WEIGHTS 0 WITHSCORES
        < [\"x\", \"0\"]
        > ZINTER 2 a b WEIGHTS 0 1 WITHSCORES
        < [\"x\", \"-inf\"]
        ",
    );
}

#[test]
fn combinations_of_large_sets_take_the_other_road_and_arrive() {
    let mut server = with_large();
    check_with(
        &mut server,
        "
        > ZADD few 1 m000 1 m298 1 other
        < :3
        > ZADD some 1 m299
        < :1
        > ZDIFFSTORE d 3 big few some
        < :297
        > ZRANGE d -1 -1 WITHSCORES
        < [\"m297\", \"297\"]
        > ZDIFF 2 few big
        < [\"other\"]
        > ZINTER 2 big few WITHSCORES
        < [\"m000\", \"1\", \"m298\", \"299\"]
        > ZINTERCARD 2 big few
        < :2
        > ZUNIONSTORE d 3 big few some
        < :301
        > ZSCORE d m298
        < \"299\"
        ",
    );
}

#[test]
fn combinations_refuse_what_makes_no_sense() {
    check(
        "
        > ZUNION 0 a
        < -ERR at least 1 input key is needed for 'zunion' command
        > ZINTERSTORE d -1 a
        < -ERR at least 1 input key is needed for 'zinterstore' command
        > ZINTERCARD 0 a
        < -ERR at least 1 input key is needed for 'zintercard' command
        > ZDIFF x a
        < -ERR value is not an integer or out of range
        > ZUNION 2 a
        < -ERR syntax error
        > ZUNION 2 a b WEIGHTS 1
        < -ERR syntax error
        > ZUNION 1 a WEIGHTS x
        < -ERR weight value is not a float
        > ZUNION 1 a AGGREGATE AVG
        < -ERR syntax error
        > ZUNION 1 a AGGREGATE
        < -ERR syntax error
        > ZDIFF 1 a WEIGHTS 1
        < -ERR syntax error
        > ZDIFF 1 a AGGREGATE SUM
        < -ERR syntax error
        > ZUNIONSTORE d 1 a WITHSCORES
        < -ERR syntax error
        > ZINTERCARD 1 a WITHSCORES
        < -ERR syntax error
        > ZINTERCARD 1 a LIMIT
        < -ERR syntax error
        > ZINTERCARD 1 a LIMIT -1
        < -ERR LIMIT can't be negative
        > ZINTERCARD 1 a LIMIT x
        < -ERR LIMIT can't be negative
        ",
    );
}

/// How often each member occurs in the reply.
fn counts(reply: Value) -> BTreeMap<Vec<u8>, f64> {
    let Value::Array(items) = reply else {
        panic!("{reply:?} is no array")
    };
    let mut counts = BTreeMap::new();
    for item in items {
        let member = item.as_bytes().expect("members are strings").to_vec();
        *counts.entry(member).or_insert(0.0) += 1.0;
    }
    counts
}

/// Checks that `draws` draws among `choices` are even: the chi-square statistic lies below what chance exceeds once in a
/// million (Wilson and Hilferty's approximation of its distribution).
#[track_caller]
fn assert_even(counts: &BTreeMap<Vec<u8>, f64>, choices: u32, draws: f64) {
    let expected = draws / f64::from(choices);
    let missed = f64::from(choices) - counts.len() as f64;
    let chi_square: f64 = counts
        .values()
        .map(|count| (count - expected).powi(2) / expected)
        .sum::<f64>()
        + missed * expected;
    let freedom = f64::from(choices - 1);
    let spread = 2.0 / (9.0 * freedom);
    let bound = freedom * (1.0 - spread + 4.75 * spread.sqrt()).powi(3);
    assert!(
        chi_square < bound,
        "chi-square {chi_square} of {choices} choices exceeds {bound}"
    );
}

#[test]
fn random_members_are_drawn_evenly() {
    let mut server = with_large();
    for number in 0..20 {
        server.call(&format!("ZADD small {number} {number}"));
    }
    for (key, choices) in [("small", 20), ("big", LARGE)] {
        let drawn = server.call(&format!("ZRANDMEMBER {key} -20000"));
        assert_even(&counts(drawn), choices, 20_000.0);
        for share in [choices / 10, choices / 2] {
            let mut total = BTreeMap::new();
            let rounds = 20_000 / share;
            for _ in 0..rounds {
                let drawn = counts(server.call(&format!("ZRANDMEMBER {key} {share}")));
                assert_eq!(drawn.len(), share as usize, "all are different");
                for (member, count) in drawn {
                    *total.entry(member).or_insert(0.0) += count;
                }
            }
            assert_even(&total, choices, f64::from(rounds * share));
        }
    }
}

#[test]
fn random_members_come_as_they_are_asked_for() {
    check(
        "
        > ZRANDMEMBER z
        < nil
        > ZRANDMEMBER z 2
        < []
        > ZADD z 1 a
        < :1
        > ZRANDMEMBER z
        < \"a\"
        > ZRANDMEMBER z 5
        < [\"a\"]
        > ZRANDMEMBER z -3
        < [\"a\", \"a\", \"a\"]
        > ZRANDMEMBER z 0
        < []
        > ZRANDMEMBER z -2 WITHSCORES
        < [\"a\", \"1\", \"a\", \"1\"]
        > ZRANDMEMBER z x
        < -ERR value is not an integer or out of range
        > ZRANDMEMBER z -9223372036854775808
        < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > ZRANDMEMBER z -9223372036854775807 WITHSCORES
        < -ERR value is out of range
        > ZRANDMEMBER z 1 WITHSCORE
        < -ERR syntax error
        > ZRANDMEMBER z 1 WITHSCORES x
        < -ERR syntax error
        ",
    );
    check_resp3(
        "> ZADD z 1 a\n< :1\n> ZRANDMEMBER z 1 WITHSCORES\n< [[\"a\", ,1]]\n> ZRANDMEMBER y\n< _",
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
