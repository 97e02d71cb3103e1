//! String commands.

use testkit::{Dispatcher, check, check_effects, check_resp3, check_with};

#[test]
fn get_and_getdel() {
    check(
        "
        > GET k
        < nil
        > GETDEL k
        < nil
        > GET
        < -ERR wrong number of arguments for 'get' command
        > SET k v
        < +OK
        > GET k
        < \"v\"
        > GETDEL k
        < \"v\"
        > GET k
        < nil
        > SET k 12
        < +OK
        > GETDEL k
        < \"12\"
        ",
    );
}

#[test]
fn resp3_nulls() {
    check_resp3(
        "
        > GET k
        < _
        > SET k v XX
        < _
        > SET k v GET
        < _
        > MGET k other
        < [\"v\", _]
        > GETSET other w
        < _
        ",
    );
}

#[test]
fn set_on_conditions() {
    check(
        "
        > SET k a XX
        < nil
        > SET k a NX
        < +OK
        > SET k b NX
        < nil
        > SET k b xx
        < +OK
        > SET k c NX GET
        < \"b\"
        > SET k c XX GET
        < \"b\"
        > SET k d GET GET
        < \"c\"
        > SET new d XX GET
        < nil
        > SET new d NX GET
        < nil
        > GET new
        < \"d\"
        > SET k e NX XX
        < -ERR syntax error
        > SET k e XX NX
        < -ERR syntax error
        > SET k e NX NX
        < nil
        > SET k e BOGUS
        < -ERR syntax error
        > SETNX k f
        < :0
        > SETNX absent f
        < :1
        > GETSET k g
        < \"d\"
        > GETSET nothing g
        < nil
        > GET nothing
        < \"g\"
        ",
    );
}

#[test]
fn set_if_equal() {
    check(
        "
        > SET k b IFEQ a
        < nil
        > GET k
        < nil
        > SET k b IFEQ a GET
        < nil
        > SET k 10
        < +OK
        > SET k b IFEQ 1
        < nil
        > SET k b IFEQ 10
        < +OK
        > SET k c IFEQ x GET
        < \"b\"
        > GET k
        < \"b\"
        > SET k c IFEQ b GET
        < \"b\"
        > GET k
        < \"c\"
        > SET k d IFEQ c NX
        < -ERR syntax error
        > SET k d XX IFEQ c
        < -ERR syntax error
        > SET k d IFEQ c IFEQ c
        < -ERR syntax error
        > SET k d IFEQ
        < -ERR syntax error
        > SET k d IFEQ c PX 100
        < +OK
        @ 101
        > GET k
        < nil
        > DELIFEQ k a
        < :0
        > SET k a
        < +OK
        > DELIFEQ k b
        < :0
        > DELIFEQ k a
        < :1
        > GET k
        < nil
        ",
    );
}

#[test]
fn set_with_a_time_to_live() {
    check(
        "
        > SET k v PX 100
        < +OK
        @ 100
        > GET k
        < \"v\"
        @ 1
        > GET k
        < nil
        > SET k v EX 1
        < +OK
        > SET k w KEEPTTL
        < +OK
        @ 1001
        > GET k
        < nil
        > SET k v EX 1
        < +OK
        > SET k w
        < +OK
        @ 1001
        > GET k
        < \"w\"
        > SET k v PXAT 1
        < +OK
        > GET k
        < nil
        > SET k v EXAT 1800000000
        < +OK
        > SETEX k 2 w
        < +OK
        > PSETEX k 1500 x
        < +OK
        @ 1501
        > GET k
        < nil
        > SET k v EX 1 EX 2
        < +OK
        @ 1500
        > GET k
        < \"v\"
        ",
    );
}

#[test]
fn bad_times_to_live() {
    check(
        "
        > SET k v EX 0
        < -ERR invalid expire time in 'set' command
        > SET k v EX -1
        < -ERR invalid expire time in 'set' command
        > SET k v EX 9223372036854775807
        < -ERR invalid expire time in 'set' command
        > SET k v PX 9223372036854775807
        < -ERR invalid expire time in 'set' command
        > SET k v EX 9223372036854775
        < -ERR invalid expire time in 'set' command
        > SET k v EX 9223372036854775808
        < -ERR value is not an integer or out of range
        > SET k v EX ten
        < -ERR value is not an integer or out of range
        > SET k v EX ten BOGUS
        < -ERR syntax error
        > SET k v EX
        < -ERR syntax error
        > SET k v EX 1 PX 1
        < -ERR syntax error
        > SET k v EXAT 1 EX 1
        < -ERR syntax error
        > SET k v KEEPTTL PXAT 1
        < -ERR syntax error
        > SET k v EX 1 KEEPTTL
        < -ERR syntax error
        > SET k v PERSIST
        < -ERR syntax error
        > SETEX k 0 v
        < -ERR invalid expire time in 'setex' command
        > SETEX k x v
        < -ERR value is not an integer or out of range
        > PSETEX k -5 v
        < -ERR invalid expire time in 'psetex' command
        > GET k
        < nil
        ",
    );
}

#[test]
fn getex_changes_the_time_to_live() {
    check(
        "
        > GETEX k EX x
        < nil
        > GETEX k EX 1 PERSIST
        < -ERR syntax error
        > GETEX k KEEPTTL
        < -ERR syntax error
        > GETEX k NX
        < -ERR syntax error
        > SET k v
        < +OK
        > GETEX k EX x
        < -ERR value is not an integer or out of range
        > GETEX k PX 0
        < -ERR invalid expire time in 'getex' command
        > GETEX k EX 1
        < \"v\"
        > GETEX k
        < \"v\"
        > GETEX k PERSIST
        < \"v\"
        @ 1001
        > GETEX k PX 10
        < \"v\"
        @ 11
        > GETEX k
        < nil
        > SET k 5
        < +OK
        > GETEX k EXAT 1
        < \"5\"
        > GET k
        < nil
        ",
    );
}

#[test]
fn parts_of_strings() {
    check(
        "
        > GETRANGE k 0 -1
        < \"\"
        > SET k Hello
        < +OK
        > GETRANGE k 1 3
        < \"ell\"
        > GETRANGE k -3 -1
        < \"llo\"
        > GETRANGE k -1 -3
        < \"\"
        > GETRANGE k 4 100
        < \"o\"
        > GETRANGE k 5 5
        < \"\"
        > GETRANGE k 3 1
        < \"\"
        > GETRANGE k 0 -100
        < \"H\"
        > GETRANGE k -100 1
        < \"He\"
        > SUBSTR k 1 2
        < \"el\"
        > GETRANGE k x 1
        < -ERR value is not an integer or out of range
        > GETRANGE k -9223372036854775808 9223372036854775807
        < \"Hello\"
        > SET k 12345
        < +OK
        > GETRANGE k 1 2
        < \"23\"
        > STRLEN k
        < :5
        > STRLEN absent
        < :0
        > SET k \"\"
        < +OK
        > GETRANGE k 0 -1
        < \"\"
        > STRLEN k
        < :0
        ",
    );
}

#[test]
fn strings_grow_in_place() {
    check(
        "
        > APPEND k 12
        < :2
        > APPEND k 34
        < :4
        > INCR k
        < :1235
        > APPEND k x
        < :5
        > GET k
        < \"1235x\"
        > SETRANGE k 6 yz
        < :8
        > GET k
        < \"1235x\\x00yz\"
        > SETRANGE k 0 a
        < :8
        > GET k
        < \"a235x\\x00yz\"
        > SETRANGE k 100 \"\"
        < :8
        > SETRANGE new 3 \"\"
        < :0
        > GET new
        < nil
        > SETRANGE new 3 a
        < :4
        > GET new
        < \"\\x00\\x00\\x00a\"
        > SETRANGE new -1 a
        < -ERR offset is out of range
        > SETRANGE new x a
        < -ERR value is not an integer or out of range
        > SETRANGE new 536870911 ab
        < -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE absent 9223372036854775807 a
        < -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE k 20000 end
        < :20003
        > GETRANGE k 19999 -1
        < \"\\x00end\"
        > GETRANGE k -20003 5
        < \"a235x\\x00\"
        > APPEND k !
        < :20004
        > STRLEN k
        < :20004
        > SETRANGE k 19999 E
        < :20004
        > GETRANGE k -5 100000
        < \"Eend!\"
        > SET k small
        < +OK
        > GET k
        < \"small\"
        ",
    );
}

#[test]
fn what_a_time_to_live_does_under_changes_in_place() {
    check(
        "
        > SET k 1 PX 100
        < +OK
        > INCR k
        < :2
        > APPEND k 0
        < :2
        > INCRBYFLOAT k 0.5
        < \"20.5\"
        > SETRANGE k 0 9
        < :4
        @ 101
        > INCR k
        < :1
        @ 1000
        > GET k
        < \"1\"
        ",
    );
}

#[test]
fn integers_count() {
    check(
        "
        > INCR n
        < :1
        > INCRBY n 41
        < :42
        > DECR n
        < :41
        > DECRBY n -9
        < :50
        > GET n
        < \"50\"
        > INCRBY n x
        < -ERR value is not an integer or out of range
        > INCRBY n 1.5
        < -ERR value is not an integer or out of range
        > DECRBY n -9223372036854775808
        < -ERR decrement would overflow
        > SET n 9223372036854775807
        < +OK
        > INCR n
        < -ERR increment or decrement would overflow
        > DECRBY n 9223372036854775807
        < :0
        > DECRBY n 9223372036854775807
        < :-9223372036854775807
        > DECR n
        < :-9223372036854775808
        > DECR n
        < -ERR increment or decrement would overflow
        > SET n \" 1\"
        < +OK
        > INCR n
        < -ERR value is not an integer or out of range
        > SET n 01
        < +OK
        > INCR n
        < -ERR value is not an integer or out of range
        > SET n \"\"
        < +OK
        > DECR n
        < -ERR value is not an integer or out of range
        ",
    );
}

#[test]
fn decimal_numbers_add() {
    check(
        "
        > INCRBYFLOAT n 3
        < \"3\"
        > INCRBYFLOAT n 0.1
        < \"3.1\"
        > INCRBYFLOAT n -1.1
        < \"2\"
        > INCR n
        < :3
        > INCRBYFLOAT n 1e3
        < \"1003\"
        > INCRBYFLOAT n x
        < -ERR value is not a valid float
        > INCRBYFLOAT n inf
        < -ERR increment would produce NaN or Infinity
        > SET n 17179869185
        < +OK
        > INCRBYFLOAT n 1.5
        < \"17179869186.5\"
        > SET n word
        < +OK
        > INCRBYFLOAT n x
        < -ERR value is not a valid float
        > SET n \"1 \"
        < +OK
        > INCRBYFLOAT n 1
        < -ERR value is not a valid float
        ",
    );
}

#[test]
fn several_keys() {
    check(
        "
        > MSET a 1 b two
        < +OK
        > MGET a b c
        < [\"1\", \"two\", nil]
        > MSET a 1 b
        < -ERR wrong number of arguments for 'mset' command
        > MSETNX c 3 a 9
        < :0
        > MSETNX c 3 d 4 c 5
        < :1
        > MGET a c d
        < [\"1\", \"5\", \"4\"]
        > MSETNX c
        < -ERR wrong number of arguments for 'msetnx' command
        > MSETNX c 1 d
        < -ERR wrong number of arguments for 'msetnx' command
        ",
    );
}

#[test]
fn several_keys_with_one_time_to_live() {
    check(
        "
        > MSETEX 2 a 1 b 2 PX 100
        < :1
        > MSETEX 2 a 5 c 5 XX
        < :0
        > MSETEX 2 a 5 c 5 NX
        < :0
        > MSETEX 2 a 6 b 7 XX KEEPTTL
        < :1
        > MGET a b c
        < [\"6\", \"7\", nil]
        @ 101
        > MGET a b c
        < [nil, nil, nil]
        > MSETEX 2 a 1 b 2 EX 1 NX
        < :1
        > MSETEX 1 a 3
        < :1
        @ 1001
        > MGET a b
        < [\"3\", nil]
        > MSETEX 0 a 1
        < -ERR numkeys should be greater than 0
        > MSETEX x a 1
        < -ERR numkeys should be greater than 0
        > MSETEX 2 a 1 b
        < -ERR syntax error
        > MSETEX 1 a 1 b 2
        < -ERR syntax error
        > MSETEX 9223372036854775807 a 1
        < -ERR syntax error
        > MSETEX 1 a 1 NX XX
        < -ERR syntax error
        > MSETEX 1 a 1 EX 1 KEEPTTL
        < -ERR syntax error
        > MSETEX 1 a 1 EX 0
        < -ERR invalid expire time in 'msetex' command
        ",
    );
}

#[test]
fn longest_common_subsequence() {
    check(
        "
        > MSET a ohmytext b mynewtext
        < +OK
        > LCS a b
        < \"mytext\"
        > LCS a b LEN
        < :6
        > LCS a b IDX
        < [\"matches\", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], \"len\", :6]
        > LCS a b IDX MINMATCHLEN 4
        < [\"matches\", [[[4, 7], [5, 8]]], \"len\", :6]
        > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        < [\"matches\", [[[4, 7], [5, 8], 4]], \"len\", :6]
        > LCS a b LEN IDX
        < -ERR If you want both the length and indexes, please just use IDX.
        > LCS a b MINMATCHLEN
        < -ERR syntax error
        > LCS a b BOGUS
        < -ERR syntax error
        > LCS a b MINMATCHLEN x
        < -ERR value is not an integer or out of range
        > LCS a absent
        < \"\"
        > LCS a absent LEN
        < :0
        > LCS a absent IDX
        < [\"matches\", [], \"len\", :0]
        > MSET a 1234 b 234
        < +OK
        > LCS a b IDX
        < [\"matches\", [[[1, 3], [0, 2]]], \"len\", :3]
        "
        .replace("[4, 7]", "[:4, :7]")
        .replace("[5, 8]", "[:5, :8]")
        .replace("[2, 3]", "[:2, :3]")
        .replace("[0, 1]", "[:0, :1]")
        .replace("[1, 3]", "[:1, :3]")
        .replace("[0, 2]", "[:0, :2]")
        .replace(", 4]]", ", :4]]")
        .as_str(),
    );
    check_resp3(
        "
        > MSET a xay b bac
        < +OK
        > LCS a b IDX
        < {\"matches\": [[[:1, :1], [:1, :1]]], \"len\": :1}
        ",
    );
}

#[test]
fn appending_byte_by_byte_keeps_every_byte() {
    let mut dispatcher = Dispatcher::default();
    let mut expected = Vec::new();
    for round in 0..40_000_u32 {
        let byte = b'a' + (round % 26) as u8;
        expected.push(byte);
        dispatcher.call_words(0, &[b"APPEND", b"k", &[byte]]);
    }
    let reply = dispatcher.call_words(0, &[b"GET", b"k"]);
    assert_eq!(reply.as_bytes(), Some(&expected[..]));
    check_with(&mut dispatcher, "> STRLEN k\n< :40000");
}

#[test]
fn values_of_other_types_are_refused() {
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let refused = [
        "GET s",
        "GETDEL s",
        "GETEX s EX x",
        "GETSET s v",
        "GETRANGE s 0 1",
        "STRLEN s",
        "SET s v GET",
        "SET s v NX GET",
        "SET s v IFEQ m",
        "SET s v IFEQ m GET",
        "DELIFEQ s m",
        "APPEND s v",
        "SETRANGE s 0 v",
        "SETRANGE s 0 \"\"",
        "INCR s",
        "INCRBYFLOAT s x",
    ]
    .map(|call| {
        let mark = match call.contains("IFEQ") {
            true => "! IFEQ and DELIFEQ are Valkey's\n",
            false => "",
        };
        format!("> {call}\n{mark}< {wrong_type}\n")
    })
    .concat();
    check(&format!(
        "
        > SADD s m
        < :1
        {refused}
        > LCS s absent BOGUS
        < -ERR The specified keys must contain string values
        > MGET s absent
        < [nil, nil]
        > SETNX s v
        < :0
        > SET s v NX
        < nil
        > SCARD s
        < :1
        > SET s v
        < +OK
        > GET s
        < \"v\"
        "
    ));
}

#[test]
fn encodings() {
    let shown = |calls: &str, encoding: &str| {
        check(&format!(
            "{calls}\n<\n> OBJECT ENCODING k\n< \"{encoding}\""
        ));
    };
    shown("> SET k 12", "int");
    shown("> SET k -9223372036854775808", "int");
    shown("> SET k 9223372036854775808", "embstr");
    shown("> SET k \"  1\"", "embstr");
    shown(&format!("> SET k {}", "x".repeat(44)), "embstr");
    shown(&format!("> SET k {}", "x".repeat(45)), "raw");
    shown(&format!("> SET k {}", "x".repeat(20_000)), "raw");
    shown("> APPEND k 12", "int");
    shown("> APPEND k ab", "embstr");
    shown("> SET k ab\n<\n> APPEND k c", "raw");
    shown("> SET k 12\n<\n> APPEND k \"\"", "raw");
    shown("> SETRANGE k 0 a", "raw");
    shown("> SETBIT k 0 0", "raw");
    shown("> SET k ab\n<\n> SETBIT k 0 0", "raw");
    shown("> SET k 1\n<\n> BITFIELD k SET u8 0 1", "raw");
    shown("> SET a 1\n<\n> BITOP NOT k a", "raw");
    shown("> APPEND k 1\n<\n> INCR k", "int");
    shown("> SET k 1\n<\n> APPEND k 0\n<\n> INCR k", "int");
    shown("> INCRBYFLOAT k 3", "embstr");
    shown("> SETRANGE k 0 12\n<\n> GETSET k ab", "embstr");
    shown("> MSET k 5", "int");
}

#[test]
fn effects_of_setting() {
    check_effects(
        "
        > SET k v
        = 1; new k, set k; own
        > SET k v
        = 1; set k; own
        > SET k v NX
        = 0; -; nothing
        > SET k w XX GET
        = 1; set k; SET k w XX
        > SET k w GET
        = 1; set k; SET k w
        > SET new w XX GET
        = 0; keymiss new; nothing
        > SET k v IFEQ w KEEPTTL
        = 1; set k; SET k v KEEPTTL
        > SET k v IFEQ w
        = 0; -; nothing
        > SET k v XX EX 1
        = 1; set k, expire k; SET k v PXAT 1710000001000
        > SET k v KEEPTTL
        = 1; set k; own
        @ 1001
        > SET k v
        = 1; expired k, new k, set k; (DEL k) own
        > SET k v PXAT 1710000009000 GET
        = 1; set k, expire k; own
        > SET k v EXAT 1710000009
        = 1; set k, expire k; SET k v PXAT 1710000009000
        > SETEX k 1 v
        = 1; set k, expire k; SET k v PXAT 1710000002001
        > PSETEX k 1 v
        = 1; set k, expire k; SET k v PXAT 1710000001002
        @ 100
        > SETNX k v
        = 1; expired k, new k, set k; (DEL k) own
        > SETNX k v
        = 0; -; nothing
        > GETSET k w
        = 1; set k; SET k w
        > GETSET other w
        = 1; keymiss other, new other, set other; SET other w
        > DELIFEQ k v
        = 0; -; nothing
        > DELIFEQ k w
        = 1; del k; DEL k
        ",
    );
}

#[test]
fn effects_of_reading() {
    check_effects(
        "
        > GET k
        = 0; keymiss k; nothing
        > SET k v
        = 1; new k, set k; own
        > GETEX k
        = 0; -; nothing
        > GETEX k PERSIST
        = 0; -; nothing
        > GETEX k EX 1
        = 1; expire k; PEXPIREAT k 1710000001000
        > GETEX k PERSIST
        = 1; persist k; PERSIST k
        > GETEX k PXAT 1710000000000
        = 1; del k; DEL k
        > SET k v PX 10
        = 1; new k, set k, expire k; SET k v PXAT 1710000000010
        @ 11
        > GETDEL k
        = 0; expired k, keymiss k; (DEL k) nothing
        > SET k v
        = 1; new k, set k; own
        > GETDEL k
        = 1; del k; DEL k
        ",
    );
}

#[test]
fn effects_of_changes_in_place() {
    check_effects(
        "
        > APPEND k a
        = 1; new k, append k; own
        > APPEND k \"\"
        = 1; append k; own
        > SETRANGE k 5 b
        = 1; setrange k; own
        > SETRANGE k 5 \"\"
        = 0; -; nothing
        > SETRANGE new 5 b
        = 1; new new, setrange new; own
        > INCR n
        = 1; new n, incrby n; own
        > DECRBY n 5
        = 1; incrby n; own
        > INCRBYFLOAT n 0.5
        = 1; incrbyfloat n; SET n -3.5 KEEPTTL
        > INCR n
        = 0; -; nothing
        ",
    );
}

#[test]
fn effects_on_several_keys() {
    check_effects(
        "
        > MSET a 1 b 2
        = 2; new a, set a, new b, set b; own
        > MSETNX b 1 c 1
        = 0; -; nothing
        > MSETNX c 1 d 1
        = 2; new c, set c, new d, set d; own
        > MSETEX 2 a 1 b 2
        = 2; set a, set b; own
        > MSETEX 2 a 1 b 2 XX PX 5
        = 2; set a, expire a, set b, expire b; MSETEX 2 a 1 b 2 PXAT 1710000000005
        > MSETEX 1 a 1 NX EX 5
        = 0; -; nothing
        > MGET a x
        = 0; keymiss x; nothing
        ",
    );
}
