//! INFO and MEMORY: every field of Redis that has a meaning here, with values that are true.

use resp::Value;

use crate::server::TestServer;
use crate::transcript::Caller;

/// The value of a field.
#[track_caller]
fn field<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} in {text}"))
}

#[track_caller]
fn number(text: &str, name: &str) -> f64 {
    field(text, name).trim_end_matches('%').parse().unwrap()
}

#[test]
fn the_sizes_of_keys_are_counted_by_powers_of_two() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    let nothing = "# Keysizes\r\n";
    assert_eq!(caller.text("INFO keysizes"), nothing);
    let long = "x".repeat(1500);
    for call in [
        "SET empty \"\"",
        "SET short 12345678",
        &format!("SET long {long}"),
        "RPUSH list 1 2 3",
        "SADD set 1",
        "SADD large 1 2 3 4 x",
        "ZADD zset 1 a 2 b",
        "HSET hash a b c d e f g h",
        "XADD stream * a b",
        "SET gone x PXAT 1",
        "SELECT 3",
        "SET other 1",
    ] {
        assert!(!matches!(caller.call(call), Value::Error(_)), "{call}");
    }
    let expected = "# Keysizes\r\n\
                    db0_distrib_strings_sizes:0=1,8=1,1K=1\r\n\
                    db0_distrib_lists_items:2=1\r\n\
                    db0_distrib_sets_items:1=1,4=1\r\n\
                    db0_distrib_zsets_items:2=1\r\n\
                    db0_distrib_hashes_items:4=1\r\n\
                    db3_distrib_strings_sizes:1=1\r\n";
    assert_eq!(caller.text("INFO keysizes"), expected);
    caller.call("MULTI");
    caller.call("INFO keysizes");
    let Value::Array(replies) = caller.call("EXEC") else {
        panic!("EXEC answers with an array");
    };
    let shown = format!("{replies:?}");
    assert!(shown.contains("db3_distrib_strings_sizes:1=1"), "{shown}");
    let all = caller.text("INFO everything");
    assert!(!all.contains("Keysizes"), "it takes long: by name only");
}

#[test]
fn sections_come_as_asked_for() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    let titles = |text: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.strip_prefix("# "))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        titles(&caller.text("INFO keyspace SERVER")),
        ["Server", "Keyspace"]
    );
    assert_eq!(titles(&caller.text("INFO nonsense")), Vec::<String>::new());
    assert_eq!(titles(&caller.text("INFO")).len(), 12);
    let all = caller.text("INFO everything");
    assert!(all.contains("\r\n\r\n# Clients\r\n"), "{all}");
    caller.check(
        "> HELLO 3\n ~ {*\n > INFO cluster\n < =txt:\"# Cluster\\r\\ncluster_enabled:0\\r\\n\"",
    );
}

#[test]
fn the_keyspace_is_counted() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check(
        "
        > MSET a 1 b 2
        < +OK
        > SET c 3 EX 1000
        < +OK
        > SELECT 5
        < +OK
        > SET d 4
        < +OK
        ",
    );
    let info = caller.text("INFO keyspace");
    let (counts, rest) = field(&info, "db0").split_once(",avg_ttl=").unwrap();
    let (ttl, volatile_items) = rest.split_once(',').unwrap();
    assert_eq!(counts, "keys=3,expires=1");
    assert_eq!(volatile_items, "keys_with_volatile_items=0");
    assert!(
        (1..=1_000_000).contains(&ttl.parse::<u64>().unwrap()),
        "{ttl}"
    );
    assert_eq!(
        field(&info, "db5"),
        "keys=1,expires=0,avg_ttl=0,keys_with_volatile_items=0"
    );
    let persistence = caller.text("INFO persistence");
    assert_eq!(field(&persistence, "rdb_changes_since_last_save"), "4");
}

#[test]
fn figures_of_memory_agree() {
    let server = TestServer::plain("maxmemory 100mb");
    let mut caller = Caller::of(&server);
    let before = caller.text("INFO memory");
    caller.call("DEBUG POPULATE 1000 key 1000");
    let value = "v".repeat(1 << 20);
    caller.send(&["SET", "large", &value]);
    assert!(caller.receive().is_some());
    let after = caller.text("INFO memory");
    let grown = number(&after, "used_memory") - number(&before, "used_memory");
    assert!(grown > 1e6, "{grown}");
    let overhead = number(&after, "used_memory_overhead");
    assert!(overhead >= number(&after, "used_memory_startup"));
    let dataset = number(&after, "used_memory_dataset");
    assert!((overhead + dataset - number(&after, "used_memory")).abs() < 1.0);
    assert!(number(&after, "used_memory_peak") >= number(&after, "used_memory"));
    assert_eq!(field(&after, "maxmemory_human"), "100.00M");
    assert_eq!(field(&after, "maxmemory_policy"), "noeviction");
    let usage = caller.call("MEMORY USAGE large");
    assert!(
        matches!(usage, Value::Integer(bytes) if bytes > 1 << 20),
        "{usage:?}"
    );
}

#[test]
fn memory_is_explained() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    caller.check(
        "
        > RPUSH l 1 2 3
        < :3
        > MEMORY USAGE l
        ~ :*
        > MEMORY USAGE l SAMPLES 0
        ~ :*
        > MEMORY USAGE missing
        < nil
        > MEMORY USAGE l SAMPLES -1
        < -ERR syntax error
        > MEMORY USAGE l SAMPLES x
        < -ERR value is not an integer or out of range
        > MEMORY USAGE l SAMPLES
        < -ERR syntax error
        > MEMORY DOCTOR
        ~ \"*\\\\n\"
        > MEMORY MALLOC-STATS
        ~ \"allocator: mimalloc*
        > MEMORY PURGE
        < +OK
        > MEMORY HELP
        ~ \\[+MEMORY <subcommand> *
        > HELLO 3
        ~ {*
        > MEMORY STATS
        ~ {\"peak.allocated\": :*, \"db.0\": {\"overhead.hashtable.main\": :*, \"fragmentation.bytes\": :*}
        ",
    );
}

#[test]
fn tls_handshakes_are_counted() {
    let server = TestServer::plain("");
    let info = Caller::of(&server).text("INFO tls");
    assert_eq!(field(&info, "tls_server_cert_serial"), "none");
    assert_eq!(field(&info, "tls_handshakes_done"), "0");
    assert_eq!(field(&info, "tls_handshakes_in_flight"), "0");
}

#[test]
fn clients_and_traffic_are_counted() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    let _other = Caller::of(&server);
    caller.check("> PING\n < +PONG");
    crate::server::wait_until("both are connected", || server.engine().clients.len() == 2);
    let clients = caller.text("INFO clients");
    assert_eq!(field(&clients, "connected_clients"), "2");
    assert_eq!(field(&clients, "blocked_clients"), "0");
    let stats = caller.text("INFO stats");
    assert_eq!(field(&stats, "total_connections_received"), "2");
    assert_eq!(field(&stats, "total_commands_processed"), "3");
    assert!(number(&stats, "total_net_input_bytes") > 0.0);
    let replication = caller.text("INFO replication");
    assert_eq!(field(&replication, "role"), "master");
    assert_eq!(field(&replication, "master_replid").len(), 40);
}
