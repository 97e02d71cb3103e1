//! Unions, intersections and differences.

use super::with_large;
use testkit::{check, check_resp3, check_with};

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
