//! RENAME, RENAMENX, COPY, MOVE.

use testkit::check;

#[test]
fn rename_replaces_what_has_the_name() {
    check(
        "
        > RENAME nokey k
        < -ERR no such key
        > RENAME nokey nokey
        < -ERR no such key
        > SET a 1 EX 100
        < +OK
        > SET b 2
        < +OK
        > RENAME a b
        < +OK
        > GET b
        < \"1\"
        > TTL b
        < :100
        > EXISTS a
        < :0
        > RENAME b b
        < +OK
        > GET b
        < \"1\"
        > SADD s x y
        < :2
        > RENAME s b
        < +OK
        > TYPE b
        < +set
        > TTL b
        < :-1
        ",
    );
}

#[test]
fn renamenx_spares_what_has_the_name() {
    check(
        "
        > RENAMENX nokey k
        < -ERR no such key
        > MSET a 1 b 2
        < +OK
        > RENAMENX a b
        < :0
        > RENAMENX a a
        < :0
        > RENAMENX a c
        < :1
        > MGET a b c
        < [nil, \"2\", \"1\"]
        > PEXPIRE b 5
        < :1
        @ 6
        > RENAMENX c b
        < :1
        > GET b
        < \"1\"
        ",
    );
}

#[test]
fn copy_takes_value_and_time_to_live() {
    check(
        "
        > COPY nokey k
        < :0
        > SET a 1 EX 100
        < +OK
        > COPY a b
        < :1
        > GET b
        < \"1\"
        > TTL b
        < :100
        > SET c 3
        < +OK
        > COPY c b
        < :0
        > COPY c b REPLACE
        < :1
        > GET b
        < \"3\"
        > TTL b
        < :-1
        > HSET h f v
        < :1
        > COPY h h2
        < :1
        > HSET h f w
        < :0
        > HGET h2 f
        < \"v\"
        > COPY a a
        < -ERR source and destination objects are the same
        > COPY a b REPLACE WHAT
        < -ERR syntax error
        > COPY a b DB
        < -ERR syntax error
        > COPY a b DB x
        < -ERR value is not an integer or out of range
        > COPY a b DB 3000000000
        < -ERR value is out of range, value must between -2147483648 and 2147483647
        > COPY a b DB 16
        < -ERR DB index is out of range
        ",
    );
}

#[test]
fn copy_and_move_reach_other_databases() {
    check(
        "
        > SET k v EX 100
        < +OK
        > COPY k k DB 1
        < :1
        > COPY k k DB 1
        < :0
        > COPY k other DB 2
        < :1
        > MOVE k 1
        < :0
        > MOVE k 3
        < :1
        > MOVE k 3
        < :0
        > EXISTS k
        < :0
        > MOVE k 0
        < -ERR source and destination objects are the same
        > MOVE k x
        < -ERR value is not an integer or out of range
        > MOVE k -1
        < -ERR DB index is out of range
        > SWAPDB 0 3
        < +OK
        > GET k
        < \"v\"
        > TTL k
        < :100
        > SWAPDB 0 2
        < +OK
        > GET other
        < \"v\"
        ",
    );
}
