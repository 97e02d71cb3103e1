//! ZRANGE, its older kin and ZRANGESTORE.

use super::with_large;
use testkit::{check, check_resp3, check_with};

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
