//! CONFIG and its subcommands.

use resp::Value;

use crate::server::TestServer;
use crate::transcript::Caller;

#[test]
fn values_are_read_and_set() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        r#"
        > CONFIG GET maxmemory
        < ["maxmemory", "0"]
        > CONFIG SET maxmemory 1gb hash-max-ziplist-entries 4
        < +OK
        > CONFIG GET maxmemory hash-max-*-entries
        < ["maxmemory", "1073741824", "hash-max-listpack-entries", "4", "hash-max-ziplist-entries", "4"]
        > HSET h 1 1 2 2 3 3 4 4 5 5
        < :5
        > OBJECT ENCODING h
        < "hashtable"
        > CONFIG SET nonsense 1
        < -ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'
        > CONFIG SET maxmemory
        < -ERR wrong number of arguments for 'config|set' command
        > CONFIG SET maxmemory 1 port
        < -ERR syntax error
        > CONFIG SET maxmemory nothing
        < -ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
        > CONFIG SET databases 3
        < -ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        > CONFIG SET maxmemory 1 maxmemory 2
        < -ERR CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate parameter
        > CONFIG SET maxmemory 2gb hz nothing
        ~ -ERR CONFIG SET failed (possibly related to argument 'hz') - *
        > CONFIG GET maxmemory
        < ["maxmemory", "1073741824"]
        > CONFIG NONSENSE
        < -ERR unknown subcommand 'NONSENSE'. Try CONFIG HELP.
        > CONFIG HELP
        ~ \[+CONFIG <subcommand> *
        > MULTI
        < +OK
        > CONFIG SET maxmemory 0
        < +QUEUED
        > CONFIG GET maxmemory
        < +QUEUED
        > EXEC
        < [+OK, ["maxmemory", "0"]]
        > HELLO 3
        ~ {*
        > CONFIG GET maxmemory
        < {"maxmemory": "0"}
        "#,
    );
}

#[test]
fn a_port_that_is_taken_leaves_everything_as_it_was() {
    let server = TestServer::plain("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    Caller::of(&server).check(&format!(
        "
        > CONFIG SET bind 127.0.0.1 maxmemory 7mb
        < +OK
        > CONFIG SET maxmemory 9mb port {port}
        < -ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.
        > CONFIG GET maxmemory port
        < [\"maxmemory\", \"7340032\", \"port\", \"0\"]
        > CONFIG SET tls-replication yes tls-ca-cert-file /nowhere/at-all
        ~ -ERR CONFIG SET failed (possibly related to argument 'tls-ca-cert-file') - *
        > CONFIG GET tls-replication
        < [\"tls-replication\", \"no\"]
        > MULTI
        < +OK
        > CONFIG SET port {port}
        < +QUEUED
        > EXEC
        ~ \\[-ERR CONFIG SET failed *
        "
    ));
}

#[test]
fn a_new_port_is_listened_on_at_once() {
    let server = TestServer::plain("");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut caller = Caller::of(&server);
    caller.check(&format!(
        "> CONFIG SET bind 127.0.0.1 port {}\n < +OK",
        address.port()
    ));
    Caller::connect(address).unwrap().check("> PING\n < +PONG");
    caller.check("> CONFIG SET port 0\n < +OK");
    assert!(Caller::connect(address).is_err());
}

#[test]
fn protected_directives_cannot_be_set() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        "
        > CONFIG SET dbfilename other.rdb
        < -ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config
        ",
    );
    let server = TestServer::plain("enable-protected-configs local");
    Caller::of(&server).check("> CONFIG SET dbfilename other.rdb\n < +OK");
}

#[test]
fn counters_are_set_back() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check("> GET k\n < nil\n > GET\n ~ -ERR*\n > NONSENSE\n ~ -ERR*");
    let stats = caller.text("INFO all");
    for field in [
        "keyspace_misses:1\r\n",
        "total_error_replies:2\r\n",
        "errorstat_ERR:count=2\r\n",
    ] {
        assert!(stats.contains(field), "{field} in {stats}");
    }
    assert!(stats.contains("cmdstat_get:calls=1,"), "{stats}");
    assert!(
        stats.contains("rejected_calls=1,failed_calls=0\r\n"),
        "{stats}"
    );
    assert!(
        stats.contains("latency_percentiles_usec_get:p50="),
        "{stats}"
    );
    caller.check("> CONFIG RESETSTAT\n < +OK");
    let stats = caller.text("INFO all");
    for field in ["keyspace_misses:0\r\n", "total_error_replies:0\r\n"] {
        assert!(stats.contains(field), "{field} in {stats}");
    }
    for gone in ["errorstat_", "cmdstat_get", "usec_get"] {
        assert!(!stats.contains(gone), "{gone} in {stats}");
    }
}

#[test]
fn a_server_without_a_file_cannot_rewrite_it() {
    let server = TestServer::plain("");
    Caller::of(&server)
        .check("> CONFIG REWRITE\n < -ERR The server is running without a config file");
}

#[test]
fn the_file_is_rewritten_in_place() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("redis.conf");
    std::fs::write(
        &file,
        "# mine\nmaxmemory 1mb\nuser default on nopass ~* +@all\n",
    )
    .unwrap();
    let server = TestServer::with_file("maxmemory 1mb", dir, "redis.conf");
    Caller::of(&server).check(
        "
        > CONFIG SET maxmemory 2mb
        < +OK
        > CONFIG REWRITE
        < +OK
        ",
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\nmaxmemory 2mb\n"), "{text}");
    let entries = std::fs::read_dir(server.dir.path()).unwrap().count();
    assert_eq!(entries, 1, "no temporary file is left");
}

#[test]
fn notifications_follow_the_configuration() {
    let server = TestServer::plain("");
    let (mut listener, mut caller) = (Caller::of(&server), Caller::of(&server));
    listener.check("> SUBSCRIBE __keyevent@0__:set\n ~ *");
    caller.check(
        "
        > SET k 1
        < +OK
        > CONFIG SET notify-keyspace-events E$
        < +OK
        > SET k 2
        < +OK
        ",
    );
    let message = ["message", "__keyevent@0__:set", "k"]
        .map(|word| Value::Bulk(word.as_bytes().to_vec().into()));
    assert_eq!(listener.receive(), Some(Value::Array(message.into())));
}
