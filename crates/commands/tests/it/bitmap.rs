//! Commands on the bits of strings.

use testkit::{check, check_effects, check_resp3};

#[test]
fn single_bits() {
    check(
        "
        > SETBIT k 1 1
        < :0
        > GET k
        < \"@\"
        > SETBIT k 1 1
        < :1
        > GETBIT k 1
        < :1
        > GETBIT k 100
        < :0
        > SETBIT k 23 1
        < :0
        > GET k
        < \"@\\x00\\x01\"
        > SET n 1
        < +OK
        > GETBIT n 2
        < :1
        > SETBIT n 6 1
        < :0
        > GET n
        < \"3\"
        > GETBIT absent 0
        < :0
        > SETBIT k 4294967296 1
        < -ERR bit offset is not an integer or out of range
        > SETBIT k -1 1
        < -ERR bit offset is not an integer or out of range
        > SETBIT k #1 1
        < -ERR bit offset is not an integer or out of range
        > SETBIT k 0 2
        < -ERR bit is not an integer or out of range
        > SETBIT k 0 x
        < -ERR bit is not an integer or out of range
        > GETBIT k x
        < -ERR bit offset is not an integer or out of range
        > SETBIT far 200000 1
        < :0
        > STRLEN far
        < :25001
        > GETBIT far 200000
        < :1
        ",
    );
}

#[test]
fn counting() {
    check(
        "
        > BITCOUNT absent x
        < :0
        > SET k foobar
        < +OK
        > BITCOUNT k
        < :26
        > BITCOUNT k 0 0
        < :4
        > BITCOUNT k 1 1 BYTE
        < :6
        > BITCOUNT k 5 30 BIT
        < :17
        > BITCOUNT k 5 6 bit
        < :2
        > BITCOUNT k 0 -1 BIT
        < :26
        > BITCOUNT k -2 -3 BOGUS
        < :0
        > BITCOUNT k 3 1
        < :0
        > BITCOUNT k 0 -100
        < :4
        > BITCOUNT k 0
        < -ERR syntax error
        > BITCOUNT k 0 1 BOGUS
        < -ERR syntax error
        > BITCOUNT k 0 x
        < -ERR value is not an integer or out of range
        > SET k \"\"
        < +OK
        > BITCOUNT k
        < :0
        > BITCOUNT k 0 -1 BIT
        < :0
        ",
    );
}

#[test]
fn searching() {
    check(
        "
        > BITPOS absent 0 x
        < :0
        > BITPOS absent 1
        < :-1
        > BITPOS absent 2
        < -ERR The bit argument must be 1 or 0.
        > BITPOS absent x
        < -ERR value is not an integer or out of range
        > SET k \"\\xff\\xf0\\x00\"
        < +OK
        > BITPOS k 0
        < :12
        > BITPOS k 1 2
        < :-1
        > BITPOS k 0 0 0
        < :-1
        > BITPOS k 0 13 -1 BIT
        < :13
        > BITPOS k 1 12 14 BIT
        < :-1
        > BITPOS k 1 7 15 BIT
        < :7
        > BITPOS k 1 1 -1
        < :8
        > SET k \"\\xff\\xff\\xff\"
        < +OK
        > BITPOS k 0
        < :24
        > BITPOS k 0 1
        < :24
        > BITPOS k 0 0 -1
        < :-1
        > BITPOS k 0 3
        < :-1
        > BITPOS k 0 0 -1 BOGUS
        < -ERR syntax error
        > BITPOS k 0 0 x BIT
        < -ERR value is not an integer or out of range
        > BITPOS k 0 0 1 BIT 2
        < -ERR syntax error
        > SET k \"\"
        < +OK
        > BITPOS k 0
        < :-1
        > SETRANGE far 10000 \"\\x00\\x08\"
        < :10002
        > BITPOS far 1
        < :80012
        > BITPOS far 1 0 10000
        < :-1
        ",
    );
}

#[test]
fn combining() {
    check(
        "
        > MSET a \"\\xff\\x0f\\x01\" b \"\\x0f\\x0f\"
        < +OK
        > BITOP AND d a b
        < :3
        > GET d
        < \"\\x0f\\x0f\\x00\"
        > BITOP or d a b absent
        < :3
        > GET d
        < \"\\xff\\x0f\\x01\"
        > BITOP XOR d a b
        < :3
        > GET d
        < \"\\xf0\\x00\\x01\"
        > BITOP NOT d b
        < :2
        > GET d
        < \"\\xf0\\xf0\"
        > BITOP AND d a absent b
        < :3
        > GET d
        < \"\\x00\\x00\\x00\"
        > BITOP XOR a a a
        < :3
        > GET a
        < \"\\x00\\x00\\x00\"
        > BITOP NOT d a b
        < -ERR BITOP NOT must be called with a single source key.
        > BITOP NAND d a
        < -ERR syntax error
        > BITOP OR d absent
        < :0
        > GET d
        < nil
        > SETBIT far 200000 1
        < :0
        > BITOP OR d far b
        < :25001
        > BITCOUNT d
        < :9
        > SET n 10
        < +OK
        > BITOP NOT d n
        < :2
        > GET d
        < \"\\xce\\xcf\"
        ",
    );
}

#[test]
fn integers_of_any_width() {
    check(
        "
        > BITFIELD k SET u8 0 255 GET i8 0 INCRBY u4 #1 1 GET u8 0
        < [:0, :-1, :0, :240]
        > BITFIELD k OVERFLOW SAT INCRBY u8 0 100 OVERFLOW FAIL INCRBY u8 0 1 OVERFLOW WRAP INCRBY u8 0 2
        < [:255, nil, :1]
        > BITFIELD k SET i64 3 -2 GET i64 3 GET u63 4
        < [:576460752303423488, :-2, :9223372036854775806]
        > BITFIELD k GET u8 1000
        < [:0]
        > BITFIELD k
        < []
        > BITFIELD absent GET i5 0
        < [:0]
        > BITFIELD k SET u2 0 -1 OVERFLOW SAT SET u2 0 -1
        < [:0, :3]
        > BITFIELD k GET u64 0
        < -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u8
        < -ERR syntax error
        > BITFIELD k SET u8 0
        < -ERR syntax error
        > BITFIELD k BOGUS u8 0
        < -ERR syntax error
        > BITFIELD k OVERFLOW
        < -ERR syntax error
        > BITFIELD k OVERFLOW BOGUS
        < -ERR Invalid OVERFLOW type specified
        > BITFIELD k GET u8 -1
        < -ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 #9223372036854775807
        < -ERR bit offset is not an integer or out of range
        > BITFIELD k SET u8 0 x
        < -ERR value is not an integer or out of range
        > BITFIELD_RO k GET u2 0
        < [:3]
        > BITFIELD_RO k SET u8 0 1
        < -ERR BITFIELD_RO only supports the GET subcommand
        > BITFIELD_RO absent GET u8 0 GET i64 5
        < [:0, :0]
        ",
    );
    check_resp3(
        "
        > BITFIELD k OVERFLOW FAIL INCRBY i2 0 2
        < [_]
        ",
    );
}

#[test]
fn values_of_other_types_are_refused() {
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let refused = [
        "SETBIT s 0 1",
        "GETBIT s 0",
        "BITCOUNT s x",
        "BITPOS s 1 x",
        "BITOP OR k absent s",
        "BITFIELD s GET u8 0",
        "BITFIELD s SET u8 0 1",
        "BITFIELD_RO s GET u8 0",
    ]
    .map(|call| format!("> {call}\n< {wrong_type}\n"))
    .concat();
    check(&format!("> SADD s m\n< :1\n{refused}"));
}

#[test]
fn effects() {
    check_effects(
        "
        > SETBIT k 0 0
        = 1; new k, setbit k; own
        > SETBIT k 0 0
        = 0; -; nothing
        > SETBIT k 0 1
        = 1; setbit k; own
        > SETBIT k 8 0
        = 1; setbit k; own
        > BITFIELD k SET u8 0 128 INCRBY u8 8 1
        = 1; setbit k; own
        > BITFIELD k SET u8 16 0 SET u8 0 1
        = 2; setbit k; own
        > BITFIELD absent GET u8 0
        = 0; keymiss absent; nothing
        > BITFIELD k OVERFLOW FAIL INCRBY u8 0 255
        = 0; -; nothing
        > BITOP OR d k
        = 1; new d, set d; own
        > BITOP OR d absent
        = 1; keymiss absent, del d; own
        > BITOP OR d absent
        = 0; keymiss absent; nothing
        ",
    );
}
