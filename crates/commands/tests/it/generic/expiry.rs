//! EXPIRE and its siblings, TTL and its siblings, PERSIST.

use testkit::check;

#[test]
fn deadlines_are_set_and_told() {
    check(
        "
        > SET k v
        < +OK
        > TTL k
        < :-1
        > PTTL nokey
        < :-2
        > EXPIRETIME k
        < :-1
        > PEXPIRETIME nokey
        < :-2
        > EXPIRE k 10
        < :1
        > TTL k
        < :10
        > PTTL k
        < :10000
        > PEXPIRETIME k
        < :1710000010000
        > PEXPIRE k 1499
        < :1
        > TTL k
        < :1
        > PEXPIRE k 1500
        < :1
        > TTL k
        < :2
        > EXPIREAT k 1710000020
        < :1
        > EXPIRETIME k
        < :1710000020
        > PEXPIREAT k 1710000020500
        < :1
        > EXPIRETIME k
        < :1710000021
        @ 20500
        > PTTL k
        < :0
        > GET k
        < \"v\"
        @ 1
        > TTL k
        < :-2
        ",
    );
}

#[test]
fn persist_takes_the_deadline() {
    check(
        "
        > PERSIST nokey
        < :0
        > SET k v EX 10
        < +OK
        > PERSIST k
        < :1
        > PERSIST k
        < :0
        > TTL k
        < :-1
        ",
    );
}

#[test]
fn a_past_deadline_deletes() {
    check(
        "
        > MSET a 1 b 2 c 3
        < +OK
        > EXPIRE a 0
        < :1
        > PEXPIRE b -5
        < :1
        > EXPIREAT c 1
        < :1
        > EXISTS a b c
        < :0
        > EXPIRE a 10
        < :0
        ",
    );
}

#[test]
fn conditions() {
    check(
        "
        > SET k v
        < +OK
        > EXPIRE k 10 XX
        < :0
        > EXPIRE k 10 GT
        < :0
        > EXPIRE k 10 LT
        < :1
        > EXPIRE k 20 NX
        < :0
        > EXPIRE k 20 LT
        < :0
        > EXPIRE k 20 gt
        < :1
        > EXPIRE k 19 GT
        < :0
        > EXPIRE k 15 XX LT
        < :1
        > TTL k
        < :15
        > EXPIRE k -1 GT
        < :0
        > EXPIRE k -1 LT
        < :1
        > EXISTS k
        < :0
        > SET k v EXAT 33177117420
        < +OK
        > EXPIREAT k 33177117420 GT
        < :0
        > EXPIREAT k 33177117420 LT
        < :0
        ",
    );
}

#[test]
fn errors_come_in_the_order_of_redis() {
    check(
        "
        > EXPIRE k
        < -ERR wrong number of arguments for 'expire' command
        > EXPIRE k x what
        < -ERR Unsupported option what
        > EXPIRE k x NX XX
        < -ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k x NX GT
        < -ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k x LT GT
        < -ERR GT and LT options at the same time are not compatible
        > EXPIRE k x
        < -ERR value is not an integer or out of range
        > EXPIRE nokey 9223372036854775807
        < -ERR invalid expire time in 'expire' command
        > EXPIREAT nokey -9223372036854775807
        < -ERR invalid expire time in 'expireat' command
        > PEXPIRE nokey 9223372036854775807
        < -ERR invalid expire time in 'pexpire' command
        > PEXPIREAT nokey 9223372036854775807
        < :0
        > SET k v
        < +OK
        > PEXPIREAT k 9223372036854775807
        < :1
        > PEXPIRETIME k
        < :9223372036854775807
        ",
    );
}
