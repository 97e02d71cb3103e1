//! DEL, UNLINK, EXISTS, TYPE, TOUCH.

use testkit::{Dispatcher, check, check_with};

#[test]
fn keys_are_counted_and_deleted() {
    check(
        "
        > MSET a 1 b 2 c 3
        < +OK
        > EXISTS a b nokey a
        < :3
        > DEL a nokey a
        < :1
        > UNLINK b c b
        < :2
        > EXISTS a b c
        < :0
        > DEL
        < -ERR wrong number of arguments for 'del' command
        > EXISTS
        < -ERR wrong number of arguments for 'exists' command
        ",
    );
}

#[test]
fn expired_keys_do_not_exist() {
    check(
        "
        > SET k v PX 10
        < +OK
        @ 11
        > EXISTS k
        < :0
        > SET k v PX 10
        < +OK
        @ 11
        > DEL k
        < :0
        > SET k v PX 10
        < +OK
        @ 11
        > TYPE k
        < +none
        ",
    );
}

#[test]
fn types_are_named() {
    check(
        "
        > SET string v
        < +OK
        > HSET hash f v
        < :1
        > SADD set m
        < :1
        > TYPE string
        < +string
        > TYPE hash
        < +hash
        > TYPE set
        < +set
        > TYPE nokey
        < +none
        ",
    );
}

#[test]
fn lookups_are_counted_and_noted_as_redis_does() {
    let mut server = Dispatcher::default();
    check_with(
        &mut server,
        "
        > SET k v
        < +OK
        @ 5000
        > EXISTS k nokey
        < :1
        > TYPE k
        < +string
        > TTL k
        < :-1
        > OBJECT IDLETIME k
        < :5
        > TOUCH k k nokey
        < :2
        > OBJECT IDLETIME k
        < :0
        ",
    );
    let stats = &server.engine().stats;
    assert_eq!(
        (stats.sum(|s| &s.hits), stats.sum(|s| &s.misses)),
        (7, 2),
        "every lookup but that of SET is counted"
    );
}

#[test]
fn touch_notes_the_access_of_a_client_that_leaves_none() {
    let mut server = Dispatcher::default();
    server.call("SET k v");
    server.session(0).no_touch = true;
    check_with(
        &mut server,
        "
        @ 3000
        > GET k
        < \"v\"
        > OBJECT IDLETIME k
        < :3
        > TOUCH k
        < :1
        > OBJECT IDLETIME k
        < :0
        ",
    );
}
