//! Eviction: which keys go, what is refused, and what others learn of it.

use commands::{Audience, EventClass};
use engine::{EvictionRules, Pause, PauseScope, Population, Rank, World};
use store::AccessPolicy;
use testkit::{Dispatcher, check_with, render};

/// Bytes that a key of the model takes.
const KEY: u64 = 1000;

/// A server whose keys weigh [`KEY`] bytes, with this many of them, evicted by these rules.
fn filled(keys: usize, rank: Option<Rank>, population: Population) -> Dispatcher {
    let mut server = Dispatcher::default();
    server.weigh_keys(KEY);
    server.engine().change_world(|world| {
        world.eviction = EvictionRules {
            rank,
            population,
            ..EvictionRules::default()
        };
        if rank == Some(Rank::LeastFrequentlyUsed) {
            world.settings.access = AccessPolicy::Lfu {
                log_factor: 1,
                decay_minutes: 1,
            };
        }
    });
    for key in 0..keys {
        server.call(&format!("SET key:{key} v"));
        server.allocate(KEY);
    }
    server
}

/// Leaves room for so many keys less than there are.
fn take_room(server: &Dispatcher, keys: u64) {
    let used = server.used_memory();
    server
        .engine()
        .change_world(|world| world.maxmemory = used - keys * KEY);
}

fn evicted(server: &Dispatcher) -> u64 {
    server.engine().stats.sum(|thread| &thread.evicted)
}

#[test]
fn as_many_keys_go_as_have_to() {
    for rank in [
        Rank::LeastRecentlyUsed,
        Rank::LeastFrequentlyUsed,
        Rank::Random,
    ] {
        let mut server = filled(300, Some(rank), Population::All);
        take_room(&server, 50);
        assert_eq!(render(&server.call("DBSIZE")), ":250", "{rank:?}");
        assert_eq!(render(&server.call("SET another v")), "+OK");
        server.allocate(KEY);
        assert_eq!(render(&server.call("DBSIZE")), ":250");
        assert_eq!(evicted(&server), 51);
    }
}

#[test]
fn every_key_can_go_from_every_database() {
    let mut server = filled(20, Some(Rank::LeastRecentlyUsed), Population::All);
    server.call("SELECT 9");
    server.call("SET elsewhere v");
    server.allocate(KEY);
    take_room(&server, 21);
    assert_eq!(render(&server.call("DBSIZE")), ":0");
    assert_eq!(evicted(&server), 21);
    server.allocate(1);
    assert_eq!(
        render(&server.call("SET a b")),
        "-OOM command not allowed when used memory > 'maxmemory'."
    );
}

#[test]
fn only_volatile_keys_go_where_the_policy_says_so() {
    for rank in [
        Rank::LeastRecentlyUsed,
        Rank::LeastFrequentlyUsed,
        Rank::Random,
        Rank::SoonestToExpire,
    ] {
        let mut server = filled(200, Some(rank), Population::Volatile);
        for key in 0..10 {
            server.call(&format!("EXPIRE key:{key} 1000"));
        }
        take_room(&server, 8);
        assert_eq!(render(&server.call("DBSIZE")), ":192", "{rank:?}");
        take_room(&server, 8);
        assert_eq!(render(&server.call("DBSIZE")), ":190");
        assert_eq!(
            render(&server.call("SET another v")),
            "-OOM command not allowed when used memory > 'maxmemory'."
        );
        assert_eq!(render(&server.call("EXISTS key:10 key:199")), ":2");
    }
}

#[test]
fn those_go_first_that_expire_soonest() {
    let mut server = filled(400, Some(Rank::SoonestToExpire), Population::Volatile);
    for key in 0..400 {
        server.call(&format!("EXPIRE key:{key} {}", 1000 + key * 100));
    }
    take_room(&server, 100);
    server.call("EXISTS none");
    let early = (0..200)
        .filter(|key| render(&server.call(&format!("EXISTS key:{key}"))) == ":0")
        .count();
    assert!(early >= 95, "{early} of the 100 evicted expire early");
}

#[test]
fn nothing_goes_without_a_policy_and_only_growing_commands_are_refused() {
    let mut server = filled(10, None, Population::All);
    take_room(&server, 5);
    check_with(
        &mut server,
        "
        > SET a b
        < -OOM command not allowed when used memory > 'maxmemory'.
        > GET key:1
        < \"v\"
        > DEL key:1
        < :1
        > MULTI
        < +OK
        > GET key:2
        < -OOM command not allowed when used memory > 'maxmemory'.
        > EXEC
        < -EXECABORT Transaction discarded because of previous errors.
        > DBSIZE
        < :9
        ",
    );
    assert_eq!(evicted(&server), 0);
}

#[test]
fn a_transaction_that_grows_is_refused_as_a_whole() {
    let mut server = filled(10, None, Population::All);
    check_with(&mut server, "> MULTI\n< +OK\n> SET a b\n< +QUEUED");
    take_room(&server, 5);
    check_with(
        &mut server,
        "
        > EXEC
        < -EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.
        > MULTI
        < +OK
        > DISCARD
        < +OK
        > EXISTS a
        < :0
        ",
    );
}

#[test]
fn others_learn_that_a_key_has_gone() {
    let mut server = filled(1, Some(Rank::LeastRecentlyUsed), Population::All);
    let (watching, listening) = (server.connect(), server.connect());
    server.engine().change_world(|world| {
        world.audience = Audience {
            events: EventClass::KEYEVENT | EventClass::EVICTED,
            ..Audience::default()
        };
    });
    server.call_words(watching, &[b"WATCH", b"key:0"]);
    server.act(listening, &[b"SUBSCRIBE", b"__keyevent@0__:evicted"]);
    server.received(listening);
    take_room(&server, 1);
    server.call("EXISTS none");
    let told = server.received(listening);
    assert_eq!(told.len(), 1);
    assert!(render(&told[0]).contains("key:0"));
    server.call_words(watching, &[b"MULTI"]);
    let reply = server.call_words(watching, &[b"EXEC"]);
    assert_eq!(render(&reply), "nil-array", "the watched key has changed");
}

#[test]
fn who_waits_for_an_evicted_key_is_told() {
    let mut server = Dispatcher::default();
    server.weigh_keys(KEY);
    server
        .engine()
        .change_world(|world| world.eviction.rank = Some(Rank::Random));
    server.call("XGROUP CREATE s g $ MKSTREAM");
    server.allocate(KEY);
    let waiting = server.connect();
    let words: [&[u8]; 9] = [
        b"XREADGROUP",
        b"GROUP",
        b"g",
        b"c",
        b"BLOCK",
        b"0",
        b"STREAMS",
        b"s",
        b">",
    ];
    server.act(waiting, &words);
    assert!(server.is_waiting(waiting));
    take_room(&server, 1);
    server.call("EXISTS none");
    let told = server.received(waiting);
    assert!(render(&told[0]).starts_with("-NOGROUP"), "{told:?}");
}

#[test]
fn nothing_goes_while_writes_are_paused() {
    let mut server = filled(10, Some(Rank::Random), Population::All);
    let pause = |world: &mut World| {
        world.pause = Some(Pause {
            until_ms: i64::MAX,
            scope: PauseScope::Write,
        });
    };
    server.engine().change_world(pause);
    take_room(&server, 5);
    assert_eq!(render(&server.call("DBSIZE")), ":10");
    server.engine().change_world(|world| world.pause = None);
    assert_eq!(render(&server.call("DBSIZE")), ":5");
}

#[test]
fn a_call_spends_a_bounded_time_and_the_rest_goes_by_itself() {
    let mut server = filled(300, Some(Rank::LeastRecentlyUsed), Population::All);
    take_room(&server, 200);
    server.slow_down(50);
    assert_eq!(render(&server.call("SET another v")), "+OK", "it goes on");
    assert!(evicted(&server) < 20, "{} in one call", evicted(&server));
    let (_, current_ms) = server.engine().eviction.exceeded_ms(u64::MAX);
    assert!(current_ms > 0);
    while server.evict_step() {}
    assert_eq!(evicted(&server), 200);
    let (_, current_ms) = server.engine().eviction.exceeded_ms(u64::MAX);
    assert_eq!(current_ms, 0);
}

#[test]
fn large_values_count_as_freed_while_they_are_being_freed() {
    let mut server = Dispatcher::default();
    server
        .engine()
        .change_world(|world| world.eviction.rank = Some(Rank::LeastRecentlyUsed));
    for key in 0..4 {
        for field in 0..600 {
            server.call(&format!("HSET {key} field:{field} value"));
        }
    }
    // The model's keys give nothing back, so only what departs counts; and it is dropped at once.
    server.allocate(1 << 30);
    server
        .engine()
        .change_world(|world| world.maxmemory = (1 << 30) + (1 << 20) - 10_000);
    server.call("EXISTS none");
    assert!(evicted(&server) >= 1);
}
