//! Commands that wait for keys: BLPOP and its siblings, BZPOPMIN and its siblings, XREAD and XREADGROUP.

use testkit::engine::{Awaited, Parting, ReplyMode, ShardSet, Taker};
use testkit::{Dispatcher, check, check_effects, check_resp3, render};

/// Sessions on a server; what they hear is compared as a list of replies.
#[derive(Default)]
struct Scene(Dispatcher);

impl Scene {
    /// A new session that calls `line`.
    fn enter(&mut self, line: &str) -> usize {
        let session = self.0.connect();
        self.act(session, line);
        session
    }

    fn act(&mut self, session: usize, line: &str) {
        let words = resp::split_words(line.as_bytes()).expect("a test's words are balanced");
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.0.act(session, &argv);
    }

    /// What the first session is answered.
    fn call(&mut self, line: &str) -> String {
        render(&self.0.call(line))
    }

    #[track_caller]
    fn hears(&mut self, session: usize, expected: &str) {
        assert_eq!(self.heard(session), [expected]);
        assert!(!self.0.is_waiting(session));
    }

    #[track_caller]
    fn waits(&mut self, session: usize) {
        assert!(self.heard(session).is_empty());
        assert!(self.0.is_waiting(session));
    }

    fn heard(&mut self, session: usize) -> Vec<String> {
        self.0.received(session).iter().map(render).collect()
    }

    #[track_caller]
    fn nobody_waits(&self) {
        let engine = self.0.engine();
        assert!(engine.blocked.is_empty());
        assert_eq!(engine.blocked.awaited(), Awaited::default());
        let blocked = &engine.clients.blocked;
        assert_eq!(blocked.load(std::sync::atomic::Ordering::Relaxed), 0);
        let held = engine.locks.acquire(&ShardSet::All, Taker::Lane);
        assert!(!held.expect("no shard is held between calls").has_waiters());
    }
}

#[test]
fn what_is_there_is_taken_at_once() {
    check(
        "
        > RPUSH l a b c d e f g
        < :7
        > BLPOP none l 0
        < [\"l\", \"a\"]
        > BRPOP none l 0.5
        < [\"l\", \"g\"]
        > BLMPOP 0 2 none l LEFT COUNT 2
        < [\"l\", [\"b\", \"c\"]]
        > BLMPOP 1 1 l RIGHT
        < [\"l\", [\"f\"]]
        > BLMOVE l m LEFT RIGHT 0
        < \"d\"
        > BRPOPLPUSH l m 0
        < \"e\"
        > LRANGE m 0 -1
        < [\"e\", \"d\"]
        > BRPOPLPUSH m m 0
        < \"d\"
        > EXISTS l
        < :0
        > ZADD z 1 a 2 b 3 c 4.5 d
        < :4
        > BZPOPMIN none z 0
        < [\"z\", \"a\", \"1\"]
        > BZPOPMAX none z 0
        < [\"z\", \"d\", \"4.5\"]
        > BZMPOP 0 2 none z MIN COUNT 9
        < [\"z\", [[\"b\", \"2\"], [\"c\", \"3\"]]]
        > EXISTS z
        < :0
        ",
    );
    check_resp3(
        "
        > ZADD z 1 a 2 b 3 c
        < :3
        > BZPOPMIN z 0
        < [\"z\", \"a\", ,1]
        > BZPOPMAX z 0
        < [\"z\", \"c\", ,3]
        > BZMPOP 0 1 z MAX
        < [\"z\", [[\"b\", ,2]]]
        ",
    );
}

#[test]
fn errors_come_in_order() {
    check(
        "
        > SET s v
        < +OK
        > RPUSH l a
        < :1
        > BLPOP s l 0
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > BLPOP l s 0
        < [\"l\", \"a\"]
        > BZPOPMIN s 0
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > BLPOP s none later
        < -ERR timeout is not a float or out of range
        > BLPOP none -1
        < -ERR timeout is negative
        > BRPOP none 1e300
        ! Redis 7.0 has the number wrap around
        < -ERR timeout is out of range
        > BLPOP none
        < -ERR wrong number of arguments for 'blpop' command
        > BLMOVE none s LEFT up x
        < -ERR syntax error
        > BLMOVE none s LEFT RIGHT x
        < -ERR timeout is not a float or out of range
        > BRPOPLPUSH s none -1
        < -ERR timeout is negative
        > BRPOPLPUSH s none 0
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > BLMPOP x 0 none LEFT
        < -ERR numkeys should be greater than 0
        > BLMPOP x 1 none UP
        < -ERR syntax error
        > BLMPOP x 1 none LEFT COUNT 0
        < -ERR count should be greater than 0
        > BLMPOP x 1 none LEFT
        < -ERR timeout is not a float or out of range
        > BZMPOP x 1 none MIN COUNT 0
        < -ERR count should be greater than 0
        > BZMPOP -1 1 none MIN
        < -ERR timeout is negative
        > BZPOPMAX none nan
        < -ERR timeout is not a float or out of range
        ",
    );
}

#[test]
fn transactions_do_not_wait() {
    let transcript = "
        > MULTI
        < +OK
        > BLPOP none 0
        < +QUEUED
        > BLMPOP 0 1 none LEFT
        < +QUEUED
        > BLMOVE none none LEFT LEFT 0
        < +QUEUED
        > BRPOPLPUSH none none 0
        < +QUEUED
        > BZPOPMIN none 0
        < +QUEUED
        > BZMPOP 0 1 none MAX
        < +QUEUED
        > EXEC
        ";
    let nils = "[nil-array, nil-array, nil, nil, nil-array, nil-array]";
    check(&format!("{transcript}< {nils}"));
    check_resp3(&format!("{transcript}< [_, _, _, _, _, _]"));
}

#[test]
fn the_log_gets_what_was_done() {
    check_effects(
        "
        > RPUSH l a b c d e
        = 5; new l, rpush l; own
        > BLPOP none l 0
        = 1; lpop l; LPOP l
        > BRPOP l 0
        = 1; rpop l; RPOP l
        > BLMPOP 0 1 l LEFT COUNT 1
        = 1; lpop l; LPOP l 1
        > BLMOVE l m left RIGHT 0
        = 1; new m, rpush m, lpop l; LMOVE l m left RIGHT
        > BRPOPLPUSH l m 0
        = 1; lpush m, rpop l, del l; RPOPLPUSH l m
        > BLPOP l 0
        = 0; -; nothing
        > ZADD z 1 a 2 b 3 c
        = 3; new z, zadd z; own
        > BZPOPMIN z 0
        = 1; zpopmin z; ZPOPMIN z
        > BZPOPMAX z 0
        = 1; zpopmax z; ZPOPMAX z
        > BZMPOP 0 1 z MIN COUNT 5
        = 1; zpopmin z, del z; ZPOPMIN z 1
        ",
    );
}

#[test]
fn who_comes_first_is_served_first() {
    let mut scene = Scene::default();
    let first = scene.enter("BLPOP l 0");
    let second = scene.enter("BRPOP other l 0");
    let third = scene.enter("BLMPOP 0 2 l other RIGHT COUNT 5");
    scene.waits(first);
    assert_eq!(scene.call("RPUSH l a b c d"), ":4");
    scene.hears(first, "[\"l\", \"a\"]");
    scene.hears(second, "[\"l\", \"d\"]");
    scene.hears(third, "[\"l\", [\"c\", \"b\"]]");
    assert_eq!(scene.call("EXISTS l"), ":0");
    scene.nobody_waits();

    let first = scene.enter("BZPOPMAX z 0");
    let second = scene.enter("BZMPOP 0 1 z MIN");
    let third = scene.enter("BZPOPMIN z 0");
    assert_eq!(scene.call("ZADD z 1 a 2 b"), ":2");
    scene.hears(first, "[\"z\", \"b\", \"2\"]");
    scene.hears(second, "[\"z\", [[\"a\", \"1\"]]]");
    scene.waits(third);
    assert_eq!(scene.call("ZINCRBY z 7 c"), "\"7\"");
    scene.hears(third, "[\"z\", \"c\", \"7\"]");
    scene.nobody_waits();
}

#[test]
fn a_key_named_twice_is_waited_for_once() {
    let mut scene = Scene::default();
    let waiting = scene.enter("BLPOP l l other 9");
    let awaited = Awaited {
        keys: 2,
        keys_on_deletion: 0,
        with_deadline: 1,
    };
    assert_eq!(scene.0.engine().blocked.awaited(), awaited);
    let other = scene.enter("BLPOP other 0");
    assert_eq!(scene.0.engine().blocked.awaited(), awaited);
    scene.call("RPUSH l a b");
    scene.hears(waiting, "[\"l\", \"a\"]");
    scene.waits(other);
    assert_eq!(scene.call("LRANGE l 0 -1"), "[\"b\"]");
}

#[test]
fn moves_feed_one_another() {
    let mut scene = Scene::default();
    let to_b = scene.enter("BLMOVE a b LEFT RIGHT 0");
    let to_c = scene.enter("BLMOVE b c LEFT RIGHT 0");
    let to_d = scene.enter("BRPOPLPUSH c d 0");
    let taker = scene.enter("BLPOP d 0");
    assert_eq!(scene.call("RPUSH a x"), ":1");
    for mover in [to_b, to_c, to_d] {
        scene.hears(mover, "\"x\"");
    }
    scene.hears(taker, "[\"d\", \"x\"]");
    assert_eq!(scene.call("DBSIZE"), ":0");
    scene.nobody_waits();
}

#[test]
fn moves_in_a_circle_end() {
    let mut scene = Scene::default();
    let there = scene.enter("BRPOPLPUSH a b 0");
    let back = scene.enter("BRPOPLPUSH b a 0");
    scene.call("RPUSH a x");
    scene.hears(there, "\"x\"");
    scene.hears(back, "\"x\"");
    assert_eq!(scene.call("LRANGE a 0 -1"), "[\"x\"]");

    let itself = scene.enter("BRPOPLPUSH l l 0");
    scene.call("RPUSH l x");
    scene.hears(itself, "\"x\"");
    assert_eq!(scene.call("LRANGE l 0 -1"), "[\"x\"]");
    scene.nobody_waits();
}

#[test]
fn a_move_to_a_wrong_type_leaves_the_element_to_the_next() {
    let mut scene = Scene::default();
    scene.call("SET s v");
    let wrong = scene.enter("BLMOVE l s LEFT LEFT 0");
    let right = scene.enter("BLMOVE l m LEFT LEFT 0");
    scene.call("RPUSH l x");
    scene.hears(
        wrong,
        "-WRONGTYPE Operation against a key holding the wrong kind of value",
    );
    scene.hears(right, "\"x\"");
    scene.nobody_waits();
}

#[test]
fn other_types_do_not_end_a_wait() {
    let mut scene = Scene::default();
    let list = scene.enter("BLPOP k 0");
    let zset = scene.enter("BZPOPMIN k 0");
    scene.call("SET k v");
    scene.waits(list);
    scene.call("DEL k");
    scene.call("ZADD k 1 a");
    scene.waits(list);
    scene.hears(zset, "[\"k\", \"a\", \"1\"]");
    // An earlier key that has become something else is looked at when a later one is ready.
    let both = scene.enter("BLPOP s l 0");
    scene.call("SET s v");
    scene.waits(both);
    scene.call("RPUSH l a");
    scene.hears(
        both,
        "-WRONGTYPE Operation against a key holding the wrong kind of value",
    );
    assert_eq!(scene.call("LLEN l"), ":1");
    scene.call("RPUSH k a");
    scene.hears(list, "[\"k\", \"a\"]");
    scene.nobody_waits();
}

#[test]
fn transactions_serve_when_they_are_over() {
    let mut scene = Scene::default();
    let waiting = scene.enter("BLPOP l 0");
    for line in ["MULTI", "RPUSH l a", "LPUSH l b", "DEL other"] {
        scene.call(line);
    }
    assert_eq!(scene.call("EXEC"), "[:1, :2, :0]");
    scene.hears(waiting, "[\"l\", \"b\"]");

    let waiting = scene.enter("BLPOP m 0");
    for line in ["MULTI", "RPUSH m a", "DEL m"] {
        scene.call(line);
    }
    assert_eq!(scene.call("EXEC"), "[:1, :1]");
    scene.waits(waiting);
    for line in ["MULTI", "RPUSH m a", "DEL m", "RPUSH m b"] {
        scene.call(line);
    }
    assert_eq!(scene.call("EXEC"), "[:1, :1, :1]");
    scene.hears(waiting, "[\"m\", \"b\"]");
    scene.nobody_waits();
}

#[test]
fn what_expires_during_a_transaction_serves_nobody() {
    let mut scene = Scene::default();
    let list = scene.enter("BLPOP l 0");
    let zset = scene.enter("BZPOPMIN z 0");
    for line in [
        "MULTI",
        "RPUSH l a",
        "PEXPIRE l 100",
        "ZADD z 1 a",
        "PEXPIRE z 100",
    ] {
        scene.call(line);
    }
    scene.0.slow_down(200_000);
    assert_eq!(scene.call("EXEC"), "[:1, :1, :1, :1]");
    scene.0.slow_down(0);
    scene.waits(list);
    scene.waits(zset);
    // They are there until somebody looks them up.
    assert_eq!(scene.call("DBSIZE"), ":2");
    scene.call("RPUSH l b");
    scene.call("ZADD z 2 b");
    scene.hears(list, "[\"l\", \"b\"]");
    scene.hears(zset, "[\"z\", \"b\", \"2\"]");
    scene.nobody_waits();
}

#[test]
fn keys_become_ready_by_any_command() {
    let mut scene = Scene::default();
    for (prepare, command) in [
        ("RPUSH other a", "RENAME other l"),
        ("RPUSH other a", "RENAMENX other l"),
        ("RPUSH other a", "COPY other l"),
        ("RPUSH other a", "SORT other ALPHA STORE l"),
        ("RPUSH other a", "LMOVE other l LEFT LEFT"),
    ] {
        scene.call("FLUSHALL");
        scene.call(prepare);
        let waiting = scene.enter("BLPOP l 0");
        scene.call(command);
        scene.hears(waiting, "[\"l\", \"a\"]");
    }
    for command in [
        "ZUNIONSTORE z 1 other",
        "ZRANGESTORE z other 0 -1",
        "RENAME other z",
    ] {
        scene.call("FLUSHALL");
        scene.call("ZADD other 1 a");
        let waiting = scene.enter("BZPOPMIN z 0");
        scene.call(command);
        scene.hears(waiting, "[\"z\", \"a\", \"1\"]");
    }
    scene.nobody_waits();
}

#[test]
fn databases_are_apart_until_they_are_exchanged() {
    let mut scene = Scene::default();
    let here = scene.enter("BLPOP l 0");
    let other = scene.0.connect();
    scene.0.session(other).db = 9;
    scene.act(other, "RPUSH l a");
    scene.hears(other, ":1");
    scene.waits(here);
    scene.call("SWAPDB 0 9");
    scene.hears(here, "[\"l\", \"a\"]");

    let here = scene.enter("BLPOP l 0");
    scene.act(other, "RPUSH l b");
    scene.hears(other, ":1");
    scene.act(other, "MOVE l 0");
    scene.hears(other, ":1");
    scene.hears(here, "[\"l\", \"b\"]");

    // What has expired by the time it comes is nothing.
    let here = scene.enter("BLPOP l 0");
    scene.act(other, "RPUSH l c");
    scene.act(other, "PEXPIRE l 10");
    scene
        .0
        .engine()
        .change_world(|world| world.active_expire = false);
    scene.0.advance_ms(20);
    scene.call("SWAPDB 0 9");
    scene.waits(here);
    scene.call("RPUSH l d");
    scene.hears(here, "[\"l\", \"d\"]");
    scene.nobody_waits();
}

#[test]
fn waits_end_at_their_time() {
    let mut scene = Scene::default();
    let sessions = [
        scene.enter("BLPOP l m 1.5"),
        scene.enter("BLMOVE l m LEFT LEFT 1.4999"),
        scene.enter("BRPOPLPUSH l m 1.5"),
        scene.enter("BZMPOP 1.5 1 l MIN"),
    ];
    let forever = scene.enter("BLPOP l 0");
    scene.0.advance_ms(1499);
    sessions.iter().for_each(|session| scene.waits(*session));
    scene.0.advance_ms(1);
    sessions
        .iter()
        .for_each(|session| scene.hears(*session, "nil-array"));
    scene.waits(forever);
    scene.call("RPUSH l a");
    scene.hears(forever, "[\"l\", \"a\"]");
    scene.nobody_waits();
    // The sessions go on with other calls.
    scene.act(sessions[0], "LLEN l");
    scene.hears(sessions[0], ":0");
}

#[test]
fn waits_are_ended_by_others() {
    let mut scene = Scene::default();
    let error = Parting::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    for (parting, answer) in [
        (Parting::TimedOut, "nil-array"),
        (error, "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        let waiting = scene.enter("BLPOP l 0");
        let id = scene.0.session(waiting).client.id;
        assert!(scene.0.engine().blocked.unblock(id, parting));
        assert!(!scene.0.engine().blocked.unblock(id, parting));
        // Who has left is served no more, though it may not have noticed yet.
        scene.call("RPUSH l a");
        assert_eq!(scene.call("LPOP l"), "\"a\"");
        scene.hears(waiting, answer);
        scene.nobody_waits();
    }
}

#[test]
fn who_is_gone_is_not_served() {
    let mut scene = Scene::default();
    let gone = scene.enter("BLPOP l m 0");
    let next = scene.enter("BLPOP m 0");
    scene.0.part(gone);
    scene.call("RPUSH m a");
    scene.hears(next, "[\"m\", \"a\"]");
    scene.nobody_waits();
}

#[test]
fn who_wants_no_replies_is_served_in_silence() {
    let mut scene = Scene::default();
    let silent = scene.0.connect();
    scene.0.session(silent).reply = ReplyMode::Off;
    scene.act(silent, "BLPOP l 0");
    scene.call("RPUSH l a");
    assert!(scene.heard(silent).is_empty());
    assert_eq!(scene.call("EXISTS l"), ":0");
    scene.nobody_waits();

    let once = scene.0.connect();
    scene.0.session(once).reply = ReplyMode::Skip;
    scene.act(once, "BLPOP l 1");
    scene.0.advance_ms(1000);
    scene.act(once, "LLEN l");
    scene.hears(once, ":0");
}

#[test]
fn streams_serve_all_who_read_and_one_of_a_group() {
    let mut scene = Scene::default();
    scene.call("XADD s 1-1 f old");
    scene.call("XGROUP CREATE s g $");
    let end = scene.enter("XREAD BLOCK 0 STREAMS s $");
    let also = scene.enter("XREAD BLOCK 1000 STREAMS none s 0 1-1");
    let member = scene.enter("XREADGROUP GROUP g one BLOCK 0 STREAMS s >");
    let later = scene.enter("XREADGROUP GROUP g two BLOCK 0 STREAMS s >");
    scene.call("XADD s 2-1 f new");
    for reader in [end, also, member] {
        scene.hears(reader, "[[\"s\", [[\"2-1\", [\"f\", \"new\"]]]]]");
    }
    scene.waits(later);
    scene.call("DEL s");
    let heard = scene.heard(later).concat();
    assert!(heard.starts_with("-NOGROUP"), "{heard}");
    scene.nobody_waits();
}

#[test]
fn calls_that_wait_are_counted_once() {
    let mut scene = Scene::default();
    let row = scene
        .0
        .engine()
        .registry
        .find(&[b"BLPOP"])
        .expect("a row")
        .id;
    let waiting = scene.enter("BLPOP l 5");
    scene.call("RPUSH l a");
    scene.hears(waiting, "[\"l\", \"a\"]");
    scene.act(waiting, "BLPOP l 5");
    scene.0.advance_ms(5000);
    scene.hears(waiting, "nil-array");
    let stats = &scene.0.engine().stats;
    assert_eq!(stats.thread(0).calls[usize::from(row)].calls.value(), 2);
}
