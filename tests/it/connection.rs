//! PING, ECHO, QUIT, RESET, HELLO, AUTH, SELECT.

use crate::server::TestServer;
use crate::transcript::Caller;

#[test]
fn small_talk() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        "
        > PING
        < +PONG
        > PING hello
        < \"hello\"
        > PING a b
        < -ERR wrong number of arguments for 'ping' command
        > ECHO \"a b\"
        < \"a b\"
        > ECHO
        < -ERR wrong number of arguments for 'echo' command
        > SELECT 15
        < +OK
        > SELECT 16
        < -ERR DB index is out of range
        > SELECT -1
        < -ERR DB index is out of range
        > SELECT x
        < -ERR value is not an integer or out of range
        > SELECT 3000000000
        < -ERR value is out of range, value must between -2147483648 and 2147483647
        ",
    );
}

#[test]
fn quit_answers_and_closes_inside_a_transaction_too() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check("> MULTI\n < +OK\n > QUIT\n < +OK");
    assert!(caller.receive().is_none());
}

#[test]
fn hello_introduces_in_both_versions() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check(
        r#"
        > HELLO
        ~ \["server", "redis", "version", "7.2.6", "proto", :2, "id", :*, "mode", "standalone", "role", "master", "modules", \[\]\]
        > HELLO 3
        ~ {"server": "redis", "version": "7.2.6", "proto": :3, "id": :*, "mode": "standalone", "role": "master", "modules": \[\]}
        > GET missing
        < _
        > HELLO 2 SETNAME me
        ~ \["server"*
        > CLIENT GETNAME
        < "me"
        > HELLO 4
        < -NOPROTO unsupported protocol version
        > HELLO x
        < -ERR Protocol version is not an integer or out of range
        > HELLO 3 SETNAME
        < -ERR Syntax error in HELLO option 'SETNAME'
        > HELLO 3 NONSENSE x
        < -ERR Syntax error in HELLO option 'NONSENSE'
        > HELLO 3 SETNAME "a b"
        < -ERR Client names cannot contain spaces, newlines or special characters.
        > HELLO 3 AUTH default anything
        ~ {"server"*
        > HELLO 3 AUTH nobody x
        < -WRONGPASS invalid username-password pair or user is disabled.
        "#,
    );
}

#[test]
fn a_password_is_asked_for_and_only_the_right_one_taken() {
    let server = TestServer::plain("requirepass secret");
    let mut caller = Caller::of(&server);
    caller.check(
        "
        > GET k
        < -NOAUTH Authentication required.
        > HELLO 3
        ~ -NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH *
        > AUTH wrong
        < -WRONGPASS invalid username-password pair or user is disabled.
        > AUTH default wrong
        < -WRONGPASS invalid username-password pair or user is disabled.
        > AUTH somebody secret
        < -WRONGPASS invalid username-password pair or user is disabled.
        > AUTH a b c
        < -ERR syntax error
        > HELLO 3 AUTH default wrong SETNAME me
        < -WRONGPASS invalid username-password pair or user is disabled.
        > GET k
        < -NOAUTH Authentication required.
        > AUTH secret
        < +OK
        > CLIENT GETNAME
        < nil
        > RESET
        < +RESET
        > GET k
        < -NOAUTH Authentication required.
        > HELLO 3 AUTH default secret SETNAME me
        ~ {\"server\"*
        > CLIENT GETNAME
        < \"me\"
        > CONFIG SET requirepass \"\"
        < +OK
        > RESET
        < +RESET
        > AUTH secret
        ~ -ERR AUTH <password> called without any password configured for the default user. *
        ",
    );
    let denied = caller.text("INFO stats");
    assert!(denied.contains("acl_access_denied_auth:4\r\n"), "{denied}");
}

#[test]
fn who_came_before_a_password_was_set_stays_and_who_needs_it_no_more_may_go_on() {
    let server = TestServer::plain("requirepass secret");
    let (mut admin, mut other) = (Caller::of(&server), Caller::of(&server));
    admin.check("> AUTH secret\n < +OK");
    other.check("> GET k\n < -NOAUTH Authentication required.");
    admin.check("> CONFIG SET requirepass \"\"\n < +OK");
    other.check("> GET k\n < nil");
    admin.check("> CONFIG SET requirepass new\n < +OK\n > GET k\n < nil");
    Caller::of(&server).check("> GET k\n < -NOAUTH Authentication required.");
}

#[test]
fn reset_forgets_all_that_the_connection_was() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check(
        "
        > HELLO 3 SETNAME me
        ~ {*
        > SELECT 3
        < +OK
        > CLIENT NO-TOUCH on
        < +OK
        > CLIENT NO-EVICT on
        < +OK
        > WATCH k
        < +OK
        > MULTI
        < +OK
        > SET k v
        < +QUEUED
        > RESET
        < +RESET
        > EXEC
        < -ERR EXEC without MULTI
        > CLIENT GETNAME
        < nil
        > CLIENT INFO
        ~ \"*name= *flags=N db=0 *multi=-1 *user=default *resp=2 *
        > SUBSCRIBE c
        < [\"subscribe\", \"c\", :1]
        > PING
        < [\"pong\", \"\"]
        > PING x
        < [\"pong\", \"x\"]
        > RESET
        < +RESET
        > PING
        < +PONG
        ",
    );
}
