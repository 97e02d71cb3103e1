//! SORT and SORT_RO.

use commands::keys::{Positions, Search};
use testkit::{check, check_resp3};

#[test]
fn numbers_letters_and_directions() {
    check(
        "
        > SADD s 10 9 100 -1.5 2
        < :5
        > SORT s
        < [\"-1.5\", \"2\", \"9\", \"10\", \"100\"]
        > SORT s DESC
        < [\"100\", \"10\", \"9\", \"2\", \"-1.5\"]
        > SORT s ALPHA
        < [\"-1.5\", \"10\", \"100\", \"2\", \"9\"]
        > SORT s LIMIT 1 2
        < [\"2\", \"9\"]
        > SORT s LIMIT -3 2
        < [\"-1.5\", \"2\"]
        > SORT s LIMIT 4 -1
        < [\"100\"]
        > SORT s LIMIT 9 2
        < []
        > SORT s LIMIT 0 0
        < []
        > SORT_RO s DESC LIMIT 0 1
        < [\"100\"]
        > SORT nokey
        < []
        > RPUSH cut \"2\\x00b\" 1 \"\\x00a\"
        < :3
        > SORT cut
        < [\"\\x00a\", \"1\", \"2\\x00b\"]
        > SADD words b a
        < :2
        > SORT words
        < -ERR One or more scores can't be converted into double
        > SORT words STORE s
        < -ERR One or more scores can't be converted into double
        > SCARD s
        < :5
        ",
    );
}

#[test]
fn equal_weights_are_told_apart_by_bytes() {
    check(
        "
        > SADD s 2.0 2 02 1
        < :4
        > SORT s
        < [\"1\", \"02\", \"2\", \"2.0\"]
        > SORT s DESC
        < [\"2.0\", \"2\", \"02\", \"1\"]
        > SORT s BY missing_*
        < [\"02\", \"1\", \"2\", \"2.0\"]
        ",
    );
}

#[test]
fn patterns_reach_strings_and_hashes() {
    check(
        "
        > SADD s 1 2 3
        < :3
        > MSET w_1 30 w_2 20 w_3 10 name_1 one name_3 three
        < +OK
        > HSET h_1 x 5 y a
        < :2
        > HSET h_2 x 4
        < :1
        > SORT s BY w_*
        < [\"3\", \"2\", \"1\"]
        > SORT s BY w_* LIMIT 1 1
        < [\"2\"]
        > SORT s GET name_* GET # GET constant
        < [\"one\", \"1\", nil, nil, \"2\", nil, \"three\", \"3\", nil]
        > SORT s BY h_*->x GET h_*->x
        < [nil, \"4\", \"5\"]
        > SORT s BY h_*->y ALPHA DESC
        < [\"1\", \"2\", \"3\"]
        > SORT s GET w_*->x
        < [nil, nil, nil]
        > SORT s GET h_*
        < [nil, nil, nil]
        > SORT s BY name_*
        < -ERR One or more scores can't be converted into double
        > SET arrow_1-> found
        < +OK
        > SORT s GET arrow_*->
        < [\"found\", nil, nil]
        ",
    );
    check_resp3(
        "
        > SADD s 1
        < :1
        > SORT_RO s GET nothing_*
        < [_]
        ",
    );
}

#[test]
fn wrong_calls() {
    check(
        "
        > SET string v
        < +OK
        > SORT string
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > SORT string LIMIT 1
        < -ERR syntax error
        > SORT string LIMIT a 1
        < -ERR value is not an integer or out of range
        > SORT string BY
        < -ERR syntax error
        > SORT string GET
        < -ERR syntax error
        > SORT string STORE
        < -ERR syntax error
        > SORT_RO string STORE d
        < -ERR syntax error
        > SORT string WHAT
        < -ERR syntax error
        > HSET h f v
        < :1
        > SORT h
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > SADD s ''
        < :1
        > SORT s
        < [\"\"]
        ",
    );
}
#[test]
fn constant_patterns_leave_the_order() {
    check(
        "
        > RPUSH l c a b
        < :3
        > ZADD z 1 c 2 a 3 b
        < :3
        > SORT l BY nosort
        < [\"c\", \"a\", \"b\"]
        > SORT l BY nosort DESC
        < [\"b\", \"a\", \"c\"]
        > SORT l BY nosort DESC LIMIT 1 5
        < [\"a\", \"c\"]
        > SORT l BY nosort LIMIT 1 1
        < [\"a\"]
        > SORT l BY nosort LIMIT 5 1
        < []
        > SORT z BY nosort
        < [\"c\", \"a\", \"b\"]
        > SORT z BY nosort DESC
        < [\"b\", \"a\", \"c\"]
        > SORT z BY nosort DESC LIMIT 0 2
        < [\"b\", \"a\"]
        > SORT z BY nosort LIMIT 2 -1
        < [\"b\"]
        > SORT z BY nosort BY w_* GET #
        < [\"c\", \"a\", \"b\"]
        > SORT z ALPHA
        < [\"a\", \"b\", \"c\"]
        ",
    );
}

#[test]
fn results_are_stored_as_lists() {
    check(
        "
        > SADD s c a b
        < :3
        > SORT s BY nosort STORE d
        < :3
        > LRANGE d 0 -1
        < [\"a\", \"b\", \"c\"]
        > SET w_a 1 EX 10
        < +OK
        > SORT s ALPHA GET w_* GET # STORE w_a
        < :6
        > LRANGE w_a 0 -1
        < [\"1\", \"a\", \"\", \"b\", \"\", \"c\"]
        > TTL w_a
        < :-1
        > SORT s ALPHA STORE one STORE two
        < :3
        > EXISTS one two
        < :1
        > SORT nokey STORE d
        < :0
        > EXISTS d
        < :0
        > SORT s ALPHA DESC STORE s
        < :3
        > TYPE s
        < +list
        ",
    );
}

/// Positions of the keys that SORT names in a call, and whether it may touch others.
fn keys_of(line: &str) -> (Vec<usize>, bool) {
    let row = commands::all().into_iter().find(|row| row.name == "sort");
    let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let mut positions = Positions::new();
    let mut everything = false;
    for spec in row.expect("SORT is a command").keys {
        everything |= spec.find(&argv, &mut positions) == Search::Everything;
    }
    (positions.iter().map(|(at, _)| *at).collect(), everything)
}

#[test]
fn key_rules() {
    for (line, positions, everything) in [
        ("sort k", vec![1], false),
        ("sort k by nosort get # get constant", vec![1], false),
        ("sort k by w_*", vec![1], true),
        ("sort k limit 0 1 get w_* store d", vec![1, 8], true),
        ("sort k store one store two alpha", vec![1, 5], false),
        ("sort k store store", vec![1, 3], false),
        ("sort k by store store d", vec![1, 5], false),
        ("sort k store", vec![1], false),
        ("sort k by", vec![1], false),
    ] {
        assert_eq!(keys_of(line), (positions, everything), "{line}");
    }
}
