//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.

use testkit::{Dispatcher, check, check_with, render};

#[test]
fn commands_are_queued_and_run_together() {
    check(
        "
        > MULTI
        < +OK
        > MULTI
        < -ERR MULTI calls can not be nested
        > WATCH k
        < -ERR WATCH inside MULTI is not allowed
        > SET k v
        < +QUEUED
        > HGET k f
        < +QUEUED
        > GET k
        < +QUEUED
        > EXEC
        < [+OK, -WRONGTYPE Operation against a key holding the wrong kind of value, \"v\"]
        > EXEC
        < -ERR EXEC without MULTI
        > DISCARD
        < -ERR DISCARD without MULTI
        > MULTI
        < +OK
        > SET k w
        < +QUEUED
        > DISCARD
        < +OK
        > GET k
        < \"v\"
        > MULTI
        < +OK
        > EXEC
        < []
        ",
    );
}

#[test]
fn what_cannot_be_queued_aborts() {
    check(
        "
        > MULTI
        < +OK
        > SET k v
        < +QUEUED
        > SET k
        < -ERR wrong number of arguments for 'set' command
        > EXEC
        < -EXECABORT Transaction discarded because of previous errors.
        > EXISTS k
        < :0
        > MULTI
        < +OK
        > WHAT
        <
        > EXEC
        < -EXECABORT Transaction discarded because of previous errors.
        ",
    );
}

#[test]
fn a_refused_exec_ends_transaction_and_watches() {
    let mut server = Dispatcher::default();
    check_with(
        &mut server,
        "
        > WATCH k
        < +OK
        > MULTI
        < +OK
        > EXEC now
        < -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command
        > MULTI
        < +OK
        > SET k v
        < +QUEUED
        ",
    );
    server.engine().change_world(|world| world.maxmemory = 1);
    check_with(
        &mut server,
        "
        > EXEC
        < -EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.
        > EXEC
        < -ERR EXEC without MULTI
        ",
    );
    assert!(server.session(0).watches.keys().is_empty());
}

#[test]
fn a_watched_key_that_expires_is_a_change() {
    let mut server = Dispatcher::default();
    check_with(
        &mut server,
        "
        > SET k v PX 10
        < +OK
        > WATCH k
        < +OK
        > MULTI
        < +OK
        > EXISTS k
        < +QUEUED
        @ 11
        > EXEC
        < nil-array
        > SET k v PX 10
        < +OK
        @ 11
        > WATCH k
        < +OK
        > MULTI
        < +OK
        > EXISTS k
        < +QUEUED
        > EXEC
        < [:0]
        ",
    );
    let other = server.connect();
    server.call("WATCH a b");
    server.call("UNWATCH");
    let _ok = server.call_words(other, &[b"SET", b"a", b"1"]);
    server.call("MULTI");
    assert_eq!(render(&server.call("EXEC")), "[]");
}
