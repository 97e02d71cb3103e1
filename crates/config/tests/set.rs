//! CONFIG GET and CONFIG SET.

use std::path::PathBuf;

use config::directive::*;
use config::source::FileSystem;
use config::{Change, Circumstances, Config, Defaults, Origin, SetError};

const AT_REST: Circumstances = Circumstances {
    loading: false,
    local: true,
};

fn config(text: &str) -> Config {
    let mut config = Config::new(&Defaults {
        cores: 2,
        directory: PathBuf::from("/"),
    });
    config
        .load(text.as_bytes(), &Origin::Stdin, &FileSystem)
        .expect("a configuration that loads");
    config
}

fn prepare(
    config: &Config,
    pairs: &[(&str, &str)],
    circumstances: Circumstances,
) -> Result<Change, SetError> {
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    config.prepare(&pairs, circumstances)
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], reply: &str) {
    let error = prepare(&config(""), pairs, AT_REST).expect_err("refused");
    assert_eq!(error.to_string(), reply);
}

#[track_caller]
fn shows(config: &Config, name: &str, value: &str) {
    let shown = config.get(&[name.as_bytes()]);
    assert_eq!(shown, [(name.into(), value.into())]);
}

#[test]
fn several_values_change_at_once() {
    let mut config = config("");
    let change = prepare(
        &config,
        &[
            ("MaxMemory", "1gb"),
            ("slave-priority", "7"),
            ("save", "10 1 20 2"),
            ("hz", "10"),
        ],
        AT_REST,
    )
    .unwrap();
    assert_eq!(config.read(MAXMEMORY), 0);
    assert_eq!(change.next().read(MAXMEMORY), 1 << 30);
    let names: Vec<&str> = change
        .changed()
        .iter()
        .map(|changed| changed.spelling.name)
        .collect();
    assert_eq!(names, ["maxmemory", "slave-priority", "save"]);
    assert!(change.touches(REPLICA_PRIORITY) && !change.touches(HZ));
    config.commit(change);
    shows(&config, "maxmemory", "1073741824");
    shows(&config, "replica-priority", "7");
    shows(&config, "save", "10 1 20 2");
}

#[test]
fn a_change_that_cannot_be_applied_leaves_nothing() {
    let config = config("port 1");
    let change = prepare(&config, &[("timeout", "5"), ("port", "2")], AT_REST).unwrap();
    let error = change.failed(PORT, "Unable to listen on this port. Check server logs.");
    assert_eq!(
        error.to_string(),
        "CONFIG SET failed (possibly related to argument 'port') - \
         Unable to listen on this port. Check server logs."
    );
    drop(change);
    assert_eq!((config.read(PORT), config.read(TIMEOUT)), (1, 0));
}

#[test]
fn replies_are_those_of_redis() {
    refused(
        &[("a", "b")],
        "Unknown option or number of arguments for CONFIG SET - 'a'",
    );
    for (pairs, argument, reason) in [
        (&[("hz", "5"), ("hz", "6")][..], "hz", "duplicate parameter"),
        (
            &[("Databases", "3")],
            "Databases",
            "can't set immutable config",
        ),
        (&[("dir", "/tmp")], "dir", "can't set protected config"),
        (
            &[("Timeout", "x")],
            "timeout",
            "argument couldn't be parsed into an integer",
        ),
        (
            &[("timeout", "-1")],
            "timeout",
            "argument must be between 0 and 2147483647 inclusive",
        ),
        (
            &[("timeout", "+5")],
            "timeout",
            "argument couldn't be parsed into an integer",
        ),
        (
            &[("slave-priority", "a")],
            "slave-priority",
            "argument couldn't be parsed into an integer",
        ),
        (
            &[("maxmemory", "-1")],
            "maxmemory",
            "argument must be a memory value",
        ),
        (
            &[("appendonly", "maybe")],
            "appendonly",
            "argument must be 'yes' or 'no'",
        ),
        (&[("save", "10  1")], "save", "Invalid save parameters"),
        (&[("save", " 10 1 ")], "save", "Invalid save parameters"),
        (
            &[("maxmemory-policy", "foo")],
            "maxmemory-policy",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
             volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        (
            &[("activedefrag", "yes")],
            "activedefrag",
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified \
             Jemalloc like the one shipped by default with the Redis source distribution",
        ),
    ] {
        refused(
            pairs,
            &format!("CONFIG SET failed (possibly related to argument '{argument}') - {reason}"),
        );
    }
}

#[test]
fn names_are_checked_before_values_and_the_first_error_counts() {
    refused(
        &[("timeout", "x"), ("nosuch", "1"), ("databases", "1")],
        "Unknown option or number of arguments for CONFIG SET - 'nosuch'",
    );
    refused(
        &[("databases", "1"), ("nosuch", "1")],
        "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
    );
}

#[test]
fn two_names_of_one_directive_are_no_duplicate() {
    let mut config = config("");
    let change = prepare(
        &config,
        &[("slave-priority", "3"), ("replica-priority", "4")],
        AT_REST,
    )
    .unwrap();
    config.commit(change);
    assert_eq!(config.read(REPLICA_PRIORITY), 4);
}

#[test]
fn protected_directives_ask_who_sets_them() {
    let remote = Circumstances {
        local: false,
        ..AT_REST
    };
    let pairs = [("dbfilename", "x.rdb")];
    for (setting, local, allowed) in [
        ("no", AT_REST, false),
        ("local", AT_REST, true),
        ("local", remote, false),
        ("yes", remote, true),
    ] {
        let config = config(&format!("enable-protected-configs {setting}"));
        assert_eq!(
            prepare(&config, &pairs, local).is_ok(),
            allowed,
            "{setting}"
        );
    }
}

#[test]
fn some_directives_wait_for_the_dataset() {
    let loading = Circumstances {
        loading: true,
        ..AT_REST
    };
    let error = prepare(&config(""), &[("appendonly", "yes")], loading).unwrap_err();
    assert_eq!(error, SetError::Loading);
    assert_eq!(
        error.to_string(),
        "LOADING Redis is loading the dataset in memory"
    );
    assert!(prepare(&config(""), &[("timeout", "1")], loading).is_ok());
}

#[test]
fn a_file_of_the_same_name_may_be_another() {
    let config = config("tls-cert-file a.pem");
    let change = prepare(&config, &[("tls-cert-file", "a.pem")], AT_REST).unwrap();
    assert!(change.touches(TLS_CERT_FILE));
}

#[test]
fn classes_of_clients_keep_the_limits_that_are_not_named() {
    let mut config = config("");
    let pairs = [(
        "client-output-buffer-limit",
        "normal 1gb 1gb 0 replica 0 0 0",
    )];
    let change = prepare(&config, &pairs, AT_REST).unwrap();
    config.commit(change);
    shows(
        &config,
        "client-output-buffer-limit",
        "normal 1073741824 1073741824 0 slave 0 0 0 pubsub 33554432 8388608 60",
    );
}

#[test]
fn values_are_shown_as_redis_shows_them() {
    let mut config = config("");
    for (name, value, shown) in [
        ("shutdown-on-sigterm", "force now", "now force"),
        ("shutdown-on-sigint", "DEFAULT", "default"),
        ("oom-score-adj", "relative", "yes"),
        ("notify-keyspace-events", "KEAn", "AKE"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "1mb", "1048576"),
        (
            "latency-tracking-info-percentiles",
            "50.12345678 1e1",
            "50.123457 10",
        ),
        ("latency-tracking-info-percentiles", "", ""),
        ("maxmemory", "", "0"),
        ("hz", "0", "1"),
        ("save", "10 ", "10 0"),
        ("save", "", ""),
        ("bind", "127.0.0.1 ::1", "127.0.0.1 ::1"),
        ("requirepass", "", ""),
        ("tls-auth-clients-user", "cn", "CN"),
    ] {
        let change = prepare(&config, &[(name, value)], AT_REST).expect(name);
        config.commit(change);
        shows(&config, name, shown);
    }
}

#[test]
fn names_and_patterns_find_directives() {
    let config = config("");
    let names = |arguments: &[&str]| -> Vec<String> {
        let arguments: Vec<&[u8]> = arguments
            .iter()
            .map(|argument| argument.as_bytes())
            .collect();
        let shown = config.get(&arguments);
        shown
            .into_iter()
            .map(|(name, _)| String::from_utf8(name).unwrap())
            .collect()
    };
    assert_eq!(
        names(&["HZ", "nosuch", "slave-priority"]),
        ["HZ", "slave-priority"]
    );
    assert_eq!(names(&["timeout", "TIMEOU?", "time*"]), ["timeout"]);
    assert_eq!(
        names(&["hash-max*-value"]),
        ["hash-max-listpack-value", "hash-max-ziplist-value"]
    );
    assert_eq!(names(&["*_cpulist"]).len(), 4);
    assert_eq!(names(&["watchdog*"]).len(), 0);
    assert_eq!(names(&["watchdog-period"]).len(), 1);
}
