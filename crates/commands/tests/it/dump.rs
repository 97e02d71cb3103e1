//! DUMP and RESTORE. The payloads of Redis were made by redis-server 7.0.15.

use commands::{Dumping, Settings};
use persist::{Checksums, SanitizePayload};
use resp::Value;
use store::AccessPolicy;
use testkit::engine::{self, World};
use testkit::{
    Dispatcher, check, check_effects, check_effects_with, check_effects_within, check_resp3,
    check_with,
};

/// A server under other settings.
fn dispatcher(settings: Settings) -> Dispatcher {
    Dispatcher::new(World::from(settings), &commands::all(), &engine::commands())
}

/// Dumps a key and restores the payload under another one.
fn carry(dispatcher: &mut Dispatcher, from: &[u8], to: &[u8]) {
    let Value::Bulk(payload) = dispatcher.call_words(0, &[b"DUMP", from]) else {
        panic!("{} is a key", from.escape_ascii());
    };
    let reply = dispatcher.call_words(0, &[b"RESTORE", to, b"0", &payload]);
    assert_eq!(reply, Value::Simple("OK".into()));
}

#[test]
fn values_are_dumped() {
    let payloads = r#"
        > DUMP nokey
        < nil
        > SET ten 10
        < +OK
        > DUMP ten
        ! Redis 7.2 raised the version that payloads carry
        < "\x00\xc0\n\x0b\x00\x07@\xea6\xf31\x8a2"
    "#;
    check(payloads);
    check_resp3(&payloads.replace("< nil", "< _"));
}

#[test]
fn payloads_of_redis_are_restored() {
    check(
        r#"
        > RESTORE s 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        < +OK
        > GET s
        < "hello"
        > TTL s
        < :-1
        > RESTORE l 0 "\x12\x01\x02\x0c\x0c\x00\x00\x00\x02\x00\x81a\x02\x01\x01\xff\n\x00\x94\x96+#\xac\x17\xaa\x85"
        < +OK
        > LRANGE l 0 -1
        < ["a", "1"]
        > OBJECT ENCODING l
        ! small lists are listpacks since Redis 7.2
        < "listpack"
        "#,
    );
}

#[test]
fn every_type_is_carried_over() {
    let mut dispatcher = Dispatcher::default();
    check_with(
        &mut dispatcher,
        "
        > SET string text
        < +OK
        > SET int -12345
        < +OK
        > RPUSH list a b 3
        < :3
        > SADD ints 1 2 300000
        < :3
        > SADD set a b c
        < :3
        > ZADD zset 1 a 2.5 b inf c
        < :3
        > HSET hash f v g 12
        < :2
        ",
    );
    for name in ["string", "int", "list", "ints", "set", "zset", "hash"] {
        carry(
            &mut dispatcher,
            name.as_bytes(),
            format!("{name}2").as_bytes(),
        );
    }
    check_with(
        &mut dispatcher,
        r#"
        > GET string2
        < "text"
        > OBJECT ENCODING int2
        < "int"
        > LRANGE list2 0 -1
        < ["a", "b", "3"]
        > SMEMBERS ints2
        < ["1", "2", "300000"]
        > SMEMBERS set2
        < ["a", "b", "c"]
        > ZRANGE zset2 0 -1 WITHSCORES
        < ["a", "1", "b", "2.5", "c", "inf"]
        > HGETALL hash2
        < ["f", "v", "g", "12"]
        "#,
    );
}

#[test]
fn restored_keys_live_as_long_as_told() {
    check(
        r#"
        > RESTORE a 1500 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        < +OK
        > PTTL a
        < :1500
        > RESTORE b 1710000002000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" ABSTTL
        < +OK
        > PTTL b
        < :2000
        > RESTORE c 1000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" absttl
        < +OK
        > EXISTS c
        < :0
        > RESTORE c 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" ABSTTL
        < +OK
        > TTL c
        < :-1
        > RESTORE c 1000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" ABSTTL REPLACE
        < +OK
        > EXISTS c
        < :0
        @ 1600
        > EXISTS a b
        < :1
        > RESTORE a 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        < +OK
        "#,
    );
}

#[test]
fn restore_refuses() {
    check(
        r#"
        > SET there x
        < +OK
        > RESTORE there 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        < -BUSYKEY Target key name already exists.
        > RESTORE there x x
        < -BUSYKEY Target key name already exists.
        > RESTORE k x x
        < -ERR value is not an integer or out of range
        > RESTORE k -1 x
        < -ERR Invalid TTL value, must be >= 0
        > RESTORE k 0 ""
        < -ERR DUMP payload version or checksum are wrong
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0b"
        < -ERR DUMP payload version or checksum are wrong
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME -1
        < -ERR Invalid IDLETIME value, must be >= 0
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME 1 FREQ 1
        < -ERR syntax error
        > RESTORE k 0 x FREQ 1 IDLETIME 1
        < -ERR syntax error
        > RESTORE k 0 x FREQ 256
        < -ERR Invalid FREQ value, must be >= 0 and <= 255
        > RESTORE k 0 x FREQ
        < -ERR syntax error
        > RESTORE k 0 x FREQ many
        < -ERR value is not an integer or out of range
        > RESTORE k 0 x OTHER
        < -ERR syntax error
        > RESTORE k 0
        < -ERR wrong number of arguments for 'restore' command
        > EXISTS k
        < :0
        > RESTORE there 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE
        < +OK
        > GET there
        < "hello"
        "#,
    );
}

#[test]
fn malformed_payloads_are_looked_at_as_told() {
    let dumping = |sanitize| Settings {
        dumping: Dumping {
            sanitize,
            checksums: Checksums::Ignore,
            ..Dumping::default()
        },
        ..Settings::default()
    };
    // A set in which a member comes twice; a hash of one field that is cut off; a type that nobody knows.
    let restores = r#"
        > RESTORE set 0 "\x14\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81a\x02\xff\x0a\x0000000000"
        < LAX
        > RESTORE hash 0 "\x04\x01\x01a\x0a\x0000000000"
        < -ERR Bad data format
        > RESTORE other 0 "\x17\x0a\x0000000000"
        < -ERR Bad data format
        > RESTORE other 0 "\x00\x01a\x0c\x0000000000"
        < -ERR DUMP payload version or checksum are wrong
    "#;
    let lax = restores.replace("LAX", "+OK");
    let strict = restores.replace("LAX", "-ERR Bad data format");
    check_with(&mut dispatcher(dumping(SanitizePayload::No)), &lax);
    check_with(&mut dispatcher(dumping(SanitizePayload::Clients)), &strict);
    check_with(&mut dispatcher(dumping(SanitizePayload::Yes)), &strict);
}

#[test]
fn use_is_restored_as_the_policy_keeps_it() {
    check(
        r#"
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME 1000
        < +OK
        > OBJECT IDLETIME k
        < :1000
        > RESTORE l 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ 100
        < +OK
        > OBJECT IDLETIME l
        < :0
        "#,
    );
    let lfu = Settings {
        access: AccessPolicy::Lfu {
            log_factor: 10,
            decay_minutes: 1,
        },
        ..Settings::default()
    };
    check_with(
        &mut dispatcher(lfu),
        r#"
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ 100
        < +OK
        > OBJECT FREQ k
        < :100
        > RESTORE l 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME 100
        < +OK
        > OBJECT FREQ l
        < :5
        "#,
    );
}

#[test]
fn what_is_left_behind() {
    let transcript = r#"
        > DUMP k
        = 0; keymiss k; nothing
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        = 1; new k, restore k; own
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE
        = 1; new k, restore k; own
        > RESTORE k 1000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE
        = 1; new k, restore k; RESTORE k 1710000001000 \x00\x05hello\n\x00cr\xdfve4 \n REPLACE ABSTTL
        > RESTORE k 1710000002000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE ABSTTL
        = 1; new k, restore k; own
        > RESTORE k 1000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE ABSTTL
        = 1; del k; DEL k
        > RESTORE k 1000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE ABSTTL
        = 0; -; nothing
    "#;
    check_effects(transcript);
    let lazy = Settings {
        lazy_server_del: true,
        ..Settings::default()
    };
    check_effects_with(&lazy, &transcript.replace("DEL k", "UNLINK k"));
}

#[test]
fn a_long_payload_is_restored_elsewhere() {
    check_effects_within(
        1,
        r#"
        > RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
        = elsewhere: 0; -; nothing
        "#,
    );
}
