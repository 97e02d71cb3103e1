//! Active expiry.

use bytes::Bytes;
use commands::keys::{KeyFlags, KeySpec};
use commands::{
    Arity, Audience, BlockOn, Categories, DataCommand, EventClass, Flags, Group, Handler, Reply,
};
use engine::{ExpireProgress, Pause, PauseScope, World};
use store::Kind;
use testkit::{Dispatcher, check_with, render};

/// Milliseconds by which active expiry may be late, beside its period.
const TICK_MS: i64 = 128;

fn filled(keys: usize, ttl_ms: usize) -> Dispatcher {
    let mut server = Dispatcher::default();
    for key in 0..keys {
        server.call(&format!("SET key:{key} v PX {ttl_ms}"));
    }
    server
}

/// One cycle.
fn expire_all(server: &mut Dispatcher) -> u64 {
    server.advance_ms(100);
    let mut expired = 0;
    loop {
        let progress = server.expire_step();
        expired += progress.expired;
        if !progress.more {
            return expired;
        }
    }
}

#[test]
fn a_cycle_deletes_what_has_expired_and_nothing_else() {
    let mut server = filled(500, 1000);
    check_with(
        &mut server,
        "
        > MSET stays 1 moved 2 persisted 3
        < +OK
        > PEXPIRE moved 1000
        < :1
        > PEXPIRE moved 5000
        < :1
        > PEXPIRE persisted 1000
        < :1
        > PERSIST persisted
        < :1
        ",
    );
    assert_eq!(expire_all(&mut server), 0);
    server.advance_ms(800);
    assert_eq!(expire_all(&mut server), 0, "the deadline itself is alive");
    server.advance_ms(TICK_MS);
    assert_eq!(expire_all(&mut server), 500);
    assert_eq!(render(&server.call("DBSIZE")), ":3");
    server.advance_ms(4000);
    assert_eq!(expire_all(&mut server), 1);
    assert_eq!(
        render(&server.call("EXISTS stays moved persisted")),
        ":2",
        "the moved one went at its later deadline"
    );
    let stats = &server.engine().stats;
    assert_eq!(stats.sum(|thread| &thread.expired), 501);
    assert!(stats.expiry.stale_percent() > 0.0);
}

#[test]
fn every_database_is_looked_after() {
    let mut server = filled(20, 10);
    server.call("SWAPDB 0 9");
    server.advance_ms(10 + TICK_MS);
    assert_eq!(expire_all(&mut server), 20);
}

#[test]
fn steps_are_short_and_a_cycle_has_its_share() {
    let mut server = filled(3000, 10);
    server.advance_ms(10 + TICK_MS);
    server.slow_down(30);
    let first = server.expire_step();
    assert!(first.more && first.expired < 100, "{first:?}");
    let expired = first.expired + expire_all(&mut server);
    assert_eq!(expired, 3000, "a quarter of the time suffices");
    assert_eq!(server.engine().stats.expiry.capped(), 0);
    assert!(server.engine().stats.expiry.ms() > 0);

    let mut server = filled(3000, 10);
    server.advance_ms(10 + TICK_MS);
    server.slow_down(500);
    let expired = expire_all(&mut server);
    assert!((100..3000).contains(&expired), "{expired}");
    assert_eq!(server.engine().stats.expiry.capped(), 1);
    let mut rest = 0;
    for _ in 0..100 {
        rest += expire_all(&mut server);
    }
    assert_eq!(expired + rest, 3000, "later cycles go on where it stopped");
}

#[test]
fn nothing_expires_while_writes_are_paused_or_it_is_switched_off() {
    let mut server = filled(5, 10);
    let until_ms = 1_710_000_000_000 + 1000;
    let pause = Pause {
        until_ms,
        scope: PauseScope::Write,
    };
    server
        .engine()
        .change_world(|world| world.pause = Some(pause));
    server.advance_ms(500);
    assert_eq!(server.expire_step(), ExpireProgress::default());
    assert_eq!(render(&server.call("GET key:1")), "nil");
    assert_eq!(render(&server.call("DBSIZE")), ":5", "hidden, not deleted");
    server.engine().change_world(|world| {
        world.pause = None;
        world.active_expire = false;
    });
    assert_eq!(server.expire_step(), ExpireProgress::default());
    assert_eq!(render(&server.call("GET key:1")), "nil");
    assert_eq!(render(&server.call("DBSIZE")), ":4");
    server
        .engine()
        .change_world(|world| world.active_expire = true);
    assert_eq!(expire_all(&mut server), 4);
}

#[test]
fn events_and_watchers_learn_of_it() {
    let mut server = Dispatcher::default();
    server.engine().change_world(|world| {
        world.audience = Audience {
            events: EventClass::KEYEVENT | EventClass::EXPIRED,
            ..world.audience
        };
    });
    let subscriber = server.connect();
    server.act(subscriber, &[b"SUBSCRIBE", b"__keyevent@0__:expired"]);
    server.received(subscriber);
    check_with(
        &mut server,
        "
        > SET k v PX 10
        < +OK
        > WATCH k
        < +OK
        ",
    );
    server.advance_ms(10 + TICK_MS);
    assert_eq!(expire_all(&mut server), 1);
    assert_eq!(server.expire_step(), ExpireProgress::default());
    let heard: Vec<String> = server.received(subscriber).iter().map(render).collect();
    assert_eq!(heard, ["[\"message\", \"__keyevent@0__:expired\", \"k\"]"]);
    check_with(
        &mut server,
        "
        > MULTI
        < +OK
        > EXEC
        < nil-array
        ",
    );
}

/// Waits until its key is gone, as XREADGROUP does.
const AWAIT: DataCommand = DataCommand {
    name: "await",
    group: Group::Generic,
    since: "7.2.0",
    summary: "Waits until a key is gone.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(|ctx, mut args| {
        let key = args.key()?;
        if ctx.space.read(key).is_none() {
            return Ok(Reply::Simple("gone"));
        }
        Ok(ctx.block(BlockOn {
            keys: vec![Bytes::copy_from_slice(key)],
            kind: Kind::List,
            timeout_ms: None,
            otherwise: Reply::Nil,
            on_deletion: true,
            rewritten: Vec::new(),
        }))
    }),
};

#[test]
fn those_who_wait_for_a_key_learn_that_it_expired() {
    let data = [&commands::all()[..], &[&AWAIT]].concat();
    let mut server = Dispatcher::new(World::default(), &data, &engine::commands());
    let waiting = server.connect();
    server.call("SET k string PX 10");
    server.act(waiting, &[b"AWAIT", b"k"]);
    assert!(server.received(waiting).is_empty());
    server.advance_ms(10 + TICK_MS);
    assert_eq!(expire_all(&mut server), 1);
    let heard: Vec<String> = server.received(waiting).iter().map(render).collect();
    assert_eq!(heard, ["+gone"]);
}

#[test]
fn a_cycle_deletes_expired_fields_and_the_hash_with_the_last() {
    let mut server = Dispatcher::default();
    for field in 0..1000 {
        server.call(&format!("HSETEX h PX 1000 FIELDS 1 gone:{field} v"));
        server.call(&format!("HSETEX all PX 1000 FIELDS 1 gone:{field} v"));
    }
    check_with(
        &mut server,
        "
        > HSET h stays 1 moved 2 persisted 3
        < :3
        > HPEXPIRE h 1000 FIELDS 2 moved persisted
        < [:1, :1]
        > HPEXPIRE h 50000 FIELDS 1 moved
        < [:1]
        > HPERSIST h FIELDS 1 persisted
        < [:1]
        > RENAME all renamed
        < +OK
        ",
    );
    server.advance_ms(800);
    expire_all(&mut server);
    assert_eq!(render(&server.call("HLEN h")), ":1003");
    server.advance_ms(200 + TICK_MS);
    expire_all(&mut server);
    check_with(
        &mut server,
        "
        > HLEN h
        < :3
        > EXISTS renamed
        < :0
        > HGET h moved
        < \"2\"
        ",
    );
    server.advance_ms(50_000);
    expire_all(&mut server);
    assert_eq!(render(&server.call("HLEN h")), ":2");
    let fields = server.engine().stats.sum(|thread| &thread.expired_fields);
    assert_eq!(fields, 2001);
}
