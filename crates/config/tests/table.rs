//! The table against what real servers answer to CONFIG GET: the two data files hold a line `name<TAB>default` for
//! each directive that Redis 7.2.6 and Valkey 9.1.2 show.

use std::collections::HashSet;
use std::path::PathBuf;

use config::directive::{self, Mutability};
use config::{Config, Defaults, THEMES};

const REDIS: &str = include_str!("data/redis-7.2.6.tsv");
const VALKEY: &str = include_str!("data/valkey-9.1.2.tsv");

/// Directives whose reference value is not a default: the servers were asked on a loopback port of their own without
/// snapshots. The last one is a choice of this server: a worker for each core.
const NOT_DEFAULTS: [&str; 4] = ["bind", "port", "save", "io-threads"];

fn config() -> Config {
    Config::new(&Defaults {
        cores: 4,
        directory: PathBuf::from("/"),
    })
}

fn facts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(|line| line.split_once('\t').expect("a line has two columns"))
}

fn shown(config: &Config, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    config.get(&[name.as_bytes()])
}

#[test]
fn names_are_unique_and_lower_case() {
    let mut seen = HashSet::new();
    for name in directive::all().flat_map(directive::Id::names) {
        assert!(seen.insert(name), "{name} occurs twice");
        assert_eq!(name, name.to_ascii_lowercase());
        let spelling = directive::find(name.to_ascii_uppercase().as_bytes()).expect(name);
        assert_eq!(spelling.name, name);
    }
    let rows: usize = THEMES.iter().map(|theme| theme.rows.len()).sum();
    assert_eq!(rows, directive::all().count());
}

#[test]
fn every_row_says_what_it_is() {
    for row in THEMES.iter().flat_map(|theme| theme.rows) {
        assert!(row.summary.ends_with('.'), "{}", row.name);
        let first = row.summary.chars().next();
        assert!(
            first.is_some_and(|first| first.is_ascii_uppercase()),
            "{}",
            row.name
        );
    }
}

#[test]
fn every_directive_of_redis_has_its_default() {
    let config = config();
    for (name, default) in facts(REDIS) {
        let shown = shown(&config, name);
        assert_eq!(shown.len(), 1, "{name} is unknown");
        if !NOT_DEFAULTS.contains(&name) {
            assert_eq!(String::from_utf8_lossy(&shown[0].1), default, "{name}");
        }
    }
}

#[test]
fn every_directive_of_valkey_is_known() {
    let config = config();
    let redis: HashSet<&str> = facts(REDIS).map(|(name, _)| name).collect();
    for (name, default) in facts(VALKEY) {
        let shown = shown(&config, name);
        assert_eq!(shown.len(), 1, "{name} is unknown");
        if !redis.contains(name) {
            assert_eq!(String::from_utf8_lossy(&shown[0].1), default, "{name}");
        }
    }
}

#[test]
fn defaults_that_the_reference_does_not_show() {
    let config = config();
    for (name, default) in [
        ("bind", "* -::*"),
        ("port", "6379"),
        ("save", "3600 1 300 100 60 10000"),
        ("io-threads", "4"),
        ("dir", "/"),
        ("logfile", ""),
        ("pidfile", ""),
        ("worker-placement", "pack"),
        ("tls-handshake-timeout", "10"),
        ("snapshot-buffer-limit", "67108864"),
        ("tls-replication-verify-name", "no"),
        ("transit-encryption-mode", "off"),
        ("use-exit-on-panic", "no"),
    ] {
        assert_eq!(
            shown(&config, name),
            [(name.into(), default.into())],
            "{name}"
        );
    }
}

#[test]
fn what_counts_only_at_the_start() {
    let of = |wanted: Mutability| -> Vec<&str> {
        let ids = directive::all().filter(|id| id.row().mutability == wanted);
        ids.map(|id| id.row().name).collect()
    };
    assert_eq!(of(Mutability::Protected), ["dir", "dbfilename"]);
    let mut immutable = of(Mutability::Immutable);
    immutable.sort_unstable();
    assert_eq!(
        immutable,
        [
            "aclfile",
            "always-show-logo",
            "aof_rewrite_cpulist",
            "appenddirname",
            "appendfilename",
            "bgsave_cpulist",
            "bio_cpulist",
            "cluster-config-file",
            "cluster-databases",
            "cluster-enabled",
            "cluster-port",
            "daemonize",
            "databases",
            "disable-thp",
            "enable-debug-command",
            "enable-module-command",
            "enable-protected-configs",
            "hash-seed",
            "io-threads",
            "io-threads-do-reads",
            "logfile",
            "mptcp",
            "pidfile",
            "rdbchecksum",
            "rdma-completion-vector",
            "rdma-rx-size",
            "replicaof",
            "server_cpulist",
            "set-proc-title",
            "socket-mark-id",
            "supervised",
            "syslog-enabled",
            "syslog-facility",
            "syslog-ident",
            "tcp-backlog",
            "unixsocket",
            "unixsocketgroup",
            "unixsocketperm",
        ]
    );
}

#[test]
fn hidden_directives_are_shown_only_by_name() {
    let config = config();
    let all = config.get(&[b"*"]);
    for id in directive::all().filter(|id| id.row().hidden) {
        let name = id.row().name;
        assert!(
            !all.iter().any(|(shown, _)| shown == name.as_bytes()),
            "{name}"
        );
        assert_eq!(shown(&config, name).len(), 1, "{name}");
    }
}
