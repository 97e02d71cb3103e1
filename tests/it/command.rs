//! COMMAND and its subcommands.

use resp::Value;

use crate::server::TestServer;
use crate::transcript::Caller;

#[test]
fn commands_are_described() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check(
        r#"
        > COMMAND INFO get nonsense
        < [["get", :2, [+readonly, +fast], :1, :1, :1, [+@read, +@string, +@fast], [], [["flags", [+RO, +access], "begin_search", ["type", "index", "spec", ["index", :1]], "find_keys", ["type", "range", "spec", ["lastkey", :0, "keystep", :1, "limit", :0]]]], []], nil]
        > COMMAND INFO CONFIG|GET
        ~ \[\["config|get", :-3, *
        > COMMAND INFO config
        ~ \[\["config", :-2, \[\], :0, :0, :0, \[+@slow\], \[\], \[\], \[\["config|get"*
        > COMMAND DOCS nonsense get
        ~ \["get", \["summary", *, "since", "1.0.0", "group", "string", "complexity", "O(1)"\]\]
        > COMMAND DOCS client
        ~ \["client", \["summary", *, "subcommands", \["client|*
        > COMMAND LIST FILTERBY PATTERN CONFIG|*
        < ["config|get", "config|help", "config|resetstat", "config|rewrite", "config|set"]
        > COMMAND LIST FILTERBY ACLCAT nonsense
        < []
        > COMMAND LIST FILTERBY MODULE nonsense
        < []
        > COMMAND LIST FILTERBY AGE 5
        < -ERR syntax error
        > COMMAND LIST everything
        < -ERR syntax error
        > COMMAND NONSENSE
        < -ERR unknown subcommand 'NONSENSE'. Try COMMAND HELP.
        > COMMAND HELP
        ~ \[+COMMAND <subcommand> *
        > HELLO 3
        ~ {*
        > COMMAND INFO get
        < [["get", :2, ~[+readonly, +fast], :1, :1, :1, ~[+@read, +@string, +@fast], ~[], ~[{"flags": ~[+RO, +access], "begin_search": {"type": "index", "spec": {"index": :1}}, "find_keys": {"type": "range", "spec": {"lastkey": :0, "keystep": :1, "limit": :0}}}], ~[]]]
        "#,
    );
    let Value::Integer(count) = caller.call("COMMAND COUNT") else {
        panic!("a count is a number")
    };
    for call in ["COMMAND", "COMMAND INFO"] {
        assert!(matches!(caller.call(call), Value::Array(rows) if rows.len() == count as usize));
    }
    assert!(
        matches!(caller.call("COMMAND DOCS"), Value::Map(docs) if docs.len() == count as usize)
    );
    assert!(
        matches!(caller.call("COMMAND LIST"), Value::Array(names) if names.len() > count as usize)
    );
}

#[test]
fn keys_are_found_in_calls() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        r#"
        > COMMAND GETKEYS get key
        < ["key"]
        > COMMAND GETKEYS mset a 1 b 2
        < ["a", "b"]
        > COMMAND GETKEYS memory usage key
        < ["key"]
        > COMMAND GETKEYS zunionstore dst 2 a b
        < ["dst", "a", "b"]
        > COMMAND GETKEYSANDFLAGS set k v
        < [["k", [+OW, +update]]]
        > COMMAND GETKEYSANDFLAGS set k v GET
        < [["k", [+RW, +access, +update]]]
        > COMMAND GETKEYSANDFLAGS lmove a b left right
        < [["a", [+RW, +access, +delete]], ["b", [+RW, +insert]]]
        > COMMAND GETKEYSANDFLAGS sort a store b
        < [["a", [+RO, +access]], ["b", [+OW, +update]]]
        > COMMAND GETKEYS nonsense k
        < -ERR Invalid command specified
        > COMMAND GETKEYS ping
        < -ERR The command has no key arguments
        > COMMAND GETKEYS get
        < -ERR Invalid number of arguments specified for command
        > COMMAND GETKEYS zunionstore dst x a
        < -ERR Invalid arguments specified for command
        "#,
    );
}

#[test]
fn renamed_commands_go_by_their_new_names() {
    let server = TestServer::plain(
        "rename-command CONFIG b840fc02d524045429941cc15f59e41cb7be6c52\nrename-command keys \"\"",
    );
    Caller::of(&server).check(
        "
        > CONFIG GET port
        ~ -ERR unknown command 'CONFIG'*
        > B840FC02D524045429941CC15F59E41CB7BE6C52 GET databases
        < [\"databases\", \"16\"]
        > KEYS *
        ~ -ERR unknown command 'KEYS'*
        > COMMAND LIST FILTERBY PATTERN keys
        < []
        > COMMAND INFO keys
        < [nil]
        ",
    );
}
