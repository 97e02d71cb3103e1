//! HyperLogLog commands: registers in both encodings, byte for byte.

use commands::Settings;
use proptest::prelude::*;
use resp::Value;
use testkit::{Dispatcher, check, check_effects, check_effects_with};

#[test]
fn elements_are_counted() {
    check(
        r#"
        > PFADD h
        < :1
        > PFADD h
        < :0
        > GET h
        < "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        > PFCOUNT h
        < :0
        > PFADD h a b c
        < :1
        > GET h
        < "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        > PFCOUNT h
        < :3
        > GET h
        < "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        > PFADD h a c
        < :0
        > GET h
        < "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        > PFADD h "" "longer than eight bytes" 0123456789abcdef
        < :1
        > PFCOUNT h
        < :6
        > OBJECT ENCODING h
        < "raw"
        > STRLEN h
        < :35
        > PFCOUNT missing
        < :0
        > PFCOUNT missing h other
        < :6
        > PFADD other a x y z
        < :1
        > PFCOUNT h other
        < :9
        > PFCOUNT h h
        < :6
        > PFDEBUG ENCODING h
        < +sparse
        > PFDEBUG DECODE h
        < "Z:5938 v:2,1 z:10 v:1,1 Z:2007 v:1,1 Z:478 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"
        > PFDEBUG DECODE other
        < "Z:8581 v:1,1 Z:4129 v:2,1 Z:2220 v:3,1 Z:1441 v:2,1 z:9"
        "#,
    );
}
#[test]
fn several_are_merged() {
    check(
        r#"
        > PFMERGE t
        < +OK
        > GET t
        < "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        > PFADD a 1 2 3
        < :1
        > PFADD b 3 4 5
        < :1
        > PFMERGE t a b missing
        < +OK
        > PFCOUNT t
        < :5
        > GET t
        < "HYLL\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00A\xee\x84H#\x80SQ\x80Mt\x80Q,\x8cC\xf3"
        > PFDEBUG TODENSE b
        < :1
        > PFDEBUG TODENSE b
        < :0
        > PFDEBUG ENCODING b
        < +dense
        > STRLEN b
        < :12304
        > PFCOUNT b
        < :3
        > PFMERGE t b
        < +OK
        > PFDEBUG ENCODING t
        < +dense
        > PFCOUNT t
        < :5
        > PFDEBUG DECODE t
        < -ERR HLL encoding is not sparse
        > PFADD t 3 4
        < :0
        > PFADD t 6
        < :1
        > PFCOUNT t
        < :6
        "#,
    );
}
#[test]
fn what_is_no_hyperloglog_is_refused() {
    check(
        r#"
        > SET number 12
        < +OK
        > PFADD number a
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET short HYLL
        < +OK
        > PFCOUNT short
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET other "HYLX\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        < +OK
        > PFCOUNT other
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET encoding "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        < +OK
        > PFADD encoding a
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET dense "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        < +OK
        > PFADD dense a
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > RPUSH list a
        < :1
        > PFADD list a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > PFCOUNT list
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > PFCOUNT missing list
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > PFMERGE missing list
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > PFDEBUG GETREG list
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > PFDEBUG GETREG missing
        < -ERR The specified key does not exist
        > PFADD h
        < :1
        > PFDEBUG NONSENSE h
        < -ERR Unknown PFDEBUG subcommand 'NONSENSE'
        > PFDEBUG nonsense number
        < -WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFDEBUG GETREG
        < -ERR wrong number of arguments for 'pfdebug' command
        > EXISTS missing
        < :0
        "#,
    );
}
#[test]
fn sparse_registers_that_do_not_add_up() {
    check(
        r#"
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        < +OK
        > PFCOUNT h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFADD h
        < :0
        > PFADD h a
        < -INVALIDOBJ Corrupted HLL object detected
        > PFCOUNT h other
        < -INVALIDOBJ Corrupted HLL object detected
        > PFMERGE t h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFDEBUG TODENSE h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFDEBUG GETREG h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFDEBUG DECODE h
        < ""
        > EXISTS t
        < :0
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x80"
        < +OK
        > PFCOUNT h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFCOUNT h other
        < -INVALIDOBJ Corrupted HLL object detected
        > PFADD h a
        < :1
        > PFMERGE t h
        < -INVALIDOBJ Corrupted HLL object detected
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x7f\xff"
        < +OK
        > PFCOUNT h other
        < -INVALIDOBJ Corrupted HLL object detected
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xf7\x80\xff"
        < +OK
        > PFCOUNT h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFDEBUG DECODE h
        < "Z:16376 v:1,1 v:32,4"
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f"
        < +OK
        > PFCOUNT h
        < -INVALIDOBJ Corrupted HLL object detected
        > PFADD h a
        < :1
        "#,
    );
}
#[test]
fn runs_are_split_and_joined() {
    check(
        r#"
        > SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x5c\x65\x83\x63\x95"
        < +OK
        > PFDEBUG DECODE h
        < "Z:7270 v:1,4 Z:9110"
        > PFADD h a
        < :1
        "#,
    );
}

/// Settings under which a sparse HyperLogLog may have this many bytes.
fn sparse_up_to(bytes: usize) -> Settings {
    let mut settings = Settings::default();
    settings.tuning.hll_sparse_max_bytes = bytes;
    settings
}

#[test]
fn what_commands_do_beside_their_replies() {
    check_effects(
        "
        > PFADD h
        = 1; new h, pfadd h; own
        > PFADD h a b a
        = 2; pfadd h; own
        > PFADD h a
        = 0; -; nothing
        > PFCOUNT h
        = 1; -; own
        > PFCOUNT h
        = 0; -; nothing
        > PFCOUNT h missing
        = 0; keymiss missing; nothing
        > PFMERGE t h
        = 1; keymiss t, new t, pfadd t; own
        > PFMERGE t
        = 1; pfadd t; own
        > PFDEBUG ENCODING t
        = 0; -; nothing
        > PFDEBUG TODENSE t
        = 1; -; own
        > PFDEBUG GETREG t
        = 0; -; nothing
        > PFDEBUG GETREG h
        = 1; -; own
        > PFADD t a b c
        = 1; pfadd t; own
        > EXPIRE t 100
        = 1; expire t; PEXPIREAT t 1710000100000
        > PFADD t d
        = 1; pfadd t; own
        > PERSIST t
        = 1; persist t; own
        ",
    );
}

#[test]
fn sparse_registers_have_a_limit() {
    check_effects_with(
        &sparse_up_to(21),
        "
        > PFADD h a
        = 2; new h, pfadd h; own
        > PFDEBUG TODENSE h
        = 1; -; own
        > PFADD g a b
        = 3; new g, pfadd g; own
        > PFDEBUG TODENSE g
        = 0; -; nothing
        ",
    );
}

/// The registers of a HyperLogLog.
fn registers(dispatcher: &mut Dispatcher, key: &str) -> Vec<Value> {
    match dispatcher.call(&format!("PFDEBUG GETREG {key}")) {
        Value::Array(registers) => registers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_encodings_hold_the_same() {
    let mut dispatcher = Dispatcher::default();
    dispatcher.call("PFADD dense");
    dispatcher.call("PFDEBUG TODENSE dense");
    for number in 0..400 {
        for key in ["dense", "sparse"] {
            dispatcher.call(&format!("PFADD {key} {number} x{number}"));
        }
    }
    assert_eq!(
        dispatcher.call("PFCOUNT dense"),
        dispatcher.call("PFCOUNT sparse")
    );
    dispatcher.call("PFMERGE merged sparse");
    let dense = registers(&mut dispatcher, "dense");
    assert_eq!(dense.len(), 16384);
    assert_eq!(dense, registers(&mut dispatcher, "sparse"));
    assert_eq!(dense, registers(&mut dispatcher, "merged"));
}

#[test]
fn it_finds_itself_in_order() {
    check(
        "
        > PFSELFTEST
        < +OK
        > PFSELFTEST now
        < -ERR wrong number of arguments for 'pfselftest' command
        ",
    );
}

proptest! {
    #[test]
    fn forged_registers_do_no_harm(
        sparse in any::<bool>(),
        kept in any::<u8>(),
        runs in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x7f), Just(0x80), Just(0xff)], 0..12),
    ) {
        let mut forged = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        forged[4] = u8::from(sparse);
        forged[15] = kept;
        forged.extend(&runs);
        if !sparse {
            forged.resize(16 + 12288, 0xff);
        }
        let mut dispatcher = Dispatcher::default();
        dispatcher.call_words(0, &[b"SET", b"forged", &forged]);
        for line in [
            "PFDEBUG DECODE forged",
            "PFCOUNT forged",
            "PFCOUNT forged forged",
            "PFADD forged a b c",
            "PFMERGE copy forged",
            "PFMERGE forged",
            "PFADD forged d e f",
            "PFDEBUG GETREG forged",
        ] {
            dispatcher.call(line);
        }
    }
}
