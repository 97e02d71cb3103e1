//! OBJECT.

use commands::Settings;
use store::AccessPolicy;
use testkit::engine::{self, World};
use testkit::{Dispatcher, check, check_resp3, check_with};

#[test]
fn encodings_and_references() {
    check(
        "
        > MSET small 7 large 10000 short abc
        < +OK
        > SADD ints 1 2 3
        < :3
        > HSET hash f v
        < :1
        > OBJECT ENCODING small
        < \"int\"
        > OBJECT ENCODING short
        < \"embstr\"
        > OBJECT ENCODING ints
        < \"intset\"
        > OBJECT ENCODING hash
        < \"listpack\"
        > APPEND short d
        < :4
        > OBJECT ENCODING short
        < \"raw\"
        > OBJECT REFCOUNT small
        < :2147483647
        > OBJECT REFCOUNT large
        < :1
        > OBJECT ENCODING nokey
        < nil
        > OBJECT FREQ nokey
        < nil
        > OBJECT FREQ small
        < -ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        > OBJECT ENCODING
        < -ERR wrong number of arguments for 'object|encoding' command
        > OBJECT WHAT k
        < -ERR unknown subcommand 'WHAT'. Try OBJECT HELP.
        ",
    );
    check_resp3("> OBJECT IDLETIME nokey\n < _");
}

#[test]
fn frequency_under_lfu() {
    let access = AccessPolicy::Lfu {
        log_factor: 0,
        decay_minutes: 1,
    };
    let settings = Settings {
        access,
        ..Settings::default()
    };
    let mut server = Dispatcher::new(World::from(settings), &commands::all(), &engine::commands());
    check_with(
        &mut server,
        "
        > SET k v
        < +OK
        > OBJECT FREQ k
        < :5
        > GET k
        < \"v\"
        > OBJECT FREQ k
        < :6
        @ 180000
        > OBJECT FREQ k
        < :3
        > OBJECT IDLETIME k
        < -ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        ",
    );
}

#[test]
fn help_names_every_subcommand() {
    let reply = testkit::render(&Dispatcher::default().call("OBJECT HELP"));
    for name in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT", "HELP"] {
        assert!(reply.contains(&format!("+{name}")), "{reply}");
    }
}
