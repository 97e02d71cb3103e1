//! Loading configurations: files, includes, standard input, arguments, and the words of what stops a start.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use config::args::{self, Invocation};
use config::choices::{LogLevel, MaxmemoryPolicy, ShutdownFlags, TlsAuthClients};
use config::composite::{KeyspaceEvents, MemoryLimit, SavePoint};
use config::directive::*;
use config::source::{FileSystem, Files};
use config::{Config, ConfigError, Defaults, Origin, Reason, Warning};

/// Files that are not there: a map from path to text.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<PathBuf, &'static str>,
    logs: RefCell<Vec<PathBuf>>,
}

impl Shelf {
    fn with(files: &[(&str, &'static str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| (PathBuf::from(path), *text))
                .collect(),
            logs: RefCell::default(),
        }
    }
}

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from_raw_os_error(2);
        self.files
            .get(path)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(missing)
    }

    fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let directory = pattern.parent().expect("a pattern in a directory");
        let inside = self.files.keys().filter(|path| path.starts_with(directory));
        inside.cloned().collect()
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        match path.ends_with("nowhere") {
            true => Err(io::Error::from_raw_os_error(2)),
            false => Ok(()),
        }
    }

    fn check_log(&self, path: &Path) -> io::Result<()> {
        self.logs.borrow_mut().push(path.to_path_buf());
        match path.ends_with("forbidden") {
            true => Err(io::Error::from_raw_os_error(13)),
            false => Ok(()),
        }
    }
}

fn fresh() -> Config {
    Config::new(&Defaults {
        cores: 4,
        directory: PathBuf::from("/start"),
    })
}

fn try_load(text: &str) -> Result<Config, ConfigError> {
    let mut config = fresh();
    let origin = Origin::File(PathBuf::from("/etc/redis.conf"));
    config.load(text.as_bytes(), &origin, &Shelf::default())?;
    config.check(&Shelf::default())?;
    Ok(config)
}

#[track_caller]
fn load(text: &str) -> Config {
    try_load(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn refused(text: &str, reason: &str) {
    let Err(ConfigError::Line(place, found)) = try_load(text) else {
        panic!("{text} was not refused at a line");
    };
    assert_eq!(found.to_string(), reason, "{text}");
    assert_eq!(place.origin, Origin::File(PathBuf::from("/etc/redis.conf")));
}

#[test]
fn values_are_read_by_their_kind() {
    let config = load(
        "PORT 7000\nmaxmemory 100MB\nmaxmemory-policy Allkeys-LRU\nloglevel debug\nappendonly yes\n\
         requirepass \"a b\\x00c\"\nunixsocketperm 700\nhz 9999\nlist-max-ziplist-size -5\n\
         maxmemory-clients 5%\nnotify-keyspace-events KEA\nshutdown-on-sigterm now force\n\
         tls-auth-clients optional\ndir sub/./x\nreplicaof example.org 6380\nbind 127.0.0.1 -::1\n\
         latency-tracking-info-percentiles 50 99.99\noom-score-adj-values 1 2 3\n\
         client-output-buffer-limit slave 1gb 2mb 3\nproc-title-template \"{title} x\"",
    );
    assert_eq!(config.read(PORT), 7000);
    assert_eq!(config.read(MAXMEMORY), 100 << 20);
    assert_eq!(config.read(MAXMEMORY_POLICY), MaxmemoryPolicy::AllkeysLru);
    assert_eq!(config.read(LOGLEVEL), LogLevel::Debug);
    assert!(config.read(APPENDONLY));
    assert_eq!(config.read(REQUIREPASS), Some(&b"a b\0c"[..]));
    assert_eq!(config.read(UNIXSOCKETPERM), 0o700);
    assert_eq!(config.read(HZ), 500);
    assert_eq!(config.read(LIST_MAX_LISTPACK_SIZE), -5);
    assert_eq!(config.read(MAXMEMORY_CLIENTS), MemoryLimit::Percent(5));
    assert!(
        config
            .read(NOTIFY_KEYSPACE_EVENTS)
            .contains(KeyspaceEvents::ZSET)
    );
    let flags = config.read(SHUTDOWN_ON_SIGTERM);
    assert!(flags.contains(ShutdownFlags::NOW) && flags.contains(ShutdownFlags::FORCE));
    assert_eq!(config.read(TLS_AUTH_CLIENTS), TlsAuthClients::Optional);
    assert_eq!(config.read(DIR), Path::new("/start/sub/x"));
    let primary = config.read(REPLICAOF).expect("a primary");
    assert_eq!(
        (primary.host.as_slice(), primary.port),
        (&b"example.org"[..], 6380)
    );
    assert_eq!(config.read(BIND), [b"127.0.0.1".to_vec(), b"-::1".to_vec()]);
    assert_eq!(
        config.read(LATENCY_TRACKING_INFO_PERCENTILES),
        [50.0, 99.99]
    );
    assert_eq!(config.read(OOM_SCORE_ADJ_VALUES).background, 3);
    let limits = config.read(CLIENT_OUTPUT_BUFFER_LIMIT);
    assert_eq!(
        (limits.replica.hard_bytes, limits.replica.soft_seconds),
        (1 << 30, 3)
    );
    assert_eq!(limits.pubsub.hard_bytes, 32 << 20);
    assert!(config.is_given(PORT) && !config.is_given(TLS_PORT));
}

#[test]
fn save_lines_replace_the_default_and_add_up() {
    let points = |text: &str| -> Vec<(u64, u64)> {
        let config = load(text);
        let points = config.read(SAVE).iter();
        points
            .map(|&SavePoint { seconds, changes }| (seconds, changes))
            .collect()
    };
    assert_eq!(points(""), [(3600, 1), (300, 100), (60, 10000)]);
    assert_eq!(points("save 900 1"), [(900, 1)]);
    assert_eq!(
        points("save 900 1\nsave 60 2 30 3"),
        [(900, 1), (60, 2), (30, 3)]
    );
    assert_eq!(points("save \"900 1 60 2\""), [(900, 1), (60, 2)]);
    assert_eq!(points("save \"\""), []);
    assert_eq!(points("save 900 1\nsave \"\"\nsave 5 5"), [(5, 5)]);
}

#[test]
fn one_argument_may_hold_all_words() {
    assert_eq!(load("bind \"1.1.1.1 2.2.2.2\"").read(BIND).len(), 2);
    assert_eq!(load("bind \"\"").read(BIND).len(), 0);
    assert!(load("replicaof \"a 1\"").read(REPLICAOF).is_some());
    assert!(
        load("replicaof a 1\nreplicaof NO one")
            .read(REPLICAOF)
            .is_none()
    );
}

#[test]
fn values_are_refused_in_redis_words() {
    for (text, reason) in [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        (
            "rename-command a",
            "Bad directive or wrong number of arguments",
        ),
        ("user", "Bad directive or wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port \"1", "Unbalanced quotes in configuration line"),
        ("port x", "argument couldn't be parsed into an integer"),
        (
            "port 70000",
            "argument must be between 0 and 65535 inclusive",
        ),
        (
            "maxclients -1",
            "argument must be between 1 and 4294967295 inclusive",
        ),
        (
            "unixsocketperm 999",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "unixsocketperm 7777",
            "argument must be between 0 and 777 inclusive",
        ),
        ("maxmemory 10q", "argument must be a memory value"),
        (
            "proto-max-bulk-len 1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            "maxmemory-clients x",
            "argument must be a memory or percent value",
        ),
        (
            "maxmemory-clients 101%",
            "percentage argument must be less or equal to 100",
        ),
        ("daemonize maybe", "argument must be 'yes' or 'no'"),
        (
            "appendfsync x",
            "argument(s) must be one of the following: everysec, always, no",
        ),
        (
            "shutdown-on-sigint save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        ("save 900", "Invalid save parameters"),
        ("save 0 1", "Invalid save parameters"),
        ("save 900 x", "Invalid save parameters"),
        ("replicaof a", "wrong number of arguments"),
        ("replicaof a 99999", "Invalid master port"),
        (
            "bind 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
            "Too many bind addresses specified.",
        ),
        ("oom-score-adj-values 1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values 1 2 3000",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "notify-keyspace-events Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        (
            "client-output-buffer-limit a 1 1 1",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit normal 1 1",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit normal 1 1 x",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            "latency-tracking-info-percentiles x",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles 101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "dbfilename a/b",
            "dbfilename can't be a path, just a filename",
        ),
        ("appendfilename \"\"", "appendfilename can't be empty"),
        (
            "appenddirname a/b",
            "appenddirname can't be a path, just a dirname",
        ),
        (
            "cluster-announce-hostname a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "cluster-announce-human-nodename a$b",
            "Announced human node name contained invalid character",
        ),
        ("cluster-announce-client-ipv4 ::1", "Invalid IPv4 address"),
        (
            "proc-title-template {who}",
            "template format is invalid or contains unknown variables",
        ),
        ("dir nowhere", "No such file or directory"),
        (
            "sentinel monitor a",
            "sentinel directive while not in sentinel mode",
        ),
        ("my.module", "Module config specified without value"),
    ] {
        refused(text, reason);
    }
}

#[test]
fn the_start_stops_with_file_line_and_reason() {
    let error = try_load("# a comment\n\n  port abc  \nnosuch").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n\
         Reading the configuration file, at line 3 of /etc/redis.conf\n\
         >>> 'port abc'\n\
         argument couldn't be parsed into an integer"
    );
    let error = try_load("cluster-enabled yes\nreplicaof a 1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\nreplicaof directive not allowed in cluster mode"
    );
}

#[test]
fn lines_that_are_no_directives_are_handed_on() {
    let config = load(
        "user alice on >secret\nrename-command FLUSHALL \"\"\nloadmodule /x.so a b\nredisbloom.size 1 2\n\
         lua-replicate-commands yes\nlist-max-ziplist-entries 5\nsentinel",
    );
    let declarations = config.declarations();
    assert_eq!(
        declarations.users[0].words,
        [&b"alice"[..], b"on", b">secret"]
    );
    assert_eq!(declarations.renames[0].words, [&b"FLUSHALL"[..], b""]);
    assert_eq!(declarations.modules[0].words.len(), 3);
    assert_eq!(
        declarations.module_settings[0].words,
        [&b"redisbloom.size"[..], b"1", b"2"]
    );
    let error = declarations.renames[0]
        .place
        .refuse(Reason::Rule("No such command in rename-command"));
    assert!(
        error
            .to_string()
            .contains("at line 2 of /etc/redis.conf\n>>> 'rename-command FLUSHALL \"\"'")
    );
}

#[test]
fn file_input_and_arguments_count_in_that_order() {
    let shelf = Shelf::with(&[("/start/x.conf", "port 1\ntimeout 1\nhz 1\nlogfile x.log")]);
    let line = ["redis-server", "x.conf", "--hz", "3", "-"].map(Into::into);
    let Invocation::Run(run) = args::parse(line) else {
        panic!("starts no server");
    };
    let mut config = fresh();
    let warnings = config.load_all(&run, b"timeout 2\nhz 2", &shelf).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(
        (config.read(PORT), config.read(TIMEOUT), config.read(HZ)),
        (1, 2, 3)
    );
    assert_eq!(*shelf.logs.borrow(), [PathBuf::from("/start/x.log")]);
}

#[test]
fn errors_name_standard_input_and_the_command_line() {
    let run = |line: &[&str], stdin: &[u8]| {
        let line = std::iter::once("redis-server").chain(line.iter().copied());
        let Invocation::Run(run) = args::parse(line.map(Into::into)) else {
            panic!("starts no server");
        };
        fresh()
            .load_all(&run, stdin, &Shelf::default())
            .unwrap_err()
            .to_string()
    };
    assert!(run(&["-"], b"\nx").contains("at line 2 of standard input\n>>> 'x'"));
    assert!(
        run(&["--port", "1", "--hz", "x"], b"")
            .contains("at line 2 of the command line\n>>> 'hz \"x\"'")
    );
    assert_eq!(
        run(&["x.conf"], b""),
        "Fatal error, can't open config file '/start/x.conf': No such file or directory"
    );
    assert!(
        run(&["--logfile", "forbidden"], b"")
            .ends_with("Can't open the log file: Permission denied")
    );
}

#[test]
fn includes_are_loaded_where_they_stand() {
    let shelf = Shelf::with(&[
        (
            "/start/main",
            "port 1\ninclude part\ntimeout 1\ndir /etc\ninclude part",
        ),
        ("/start/part", "port 2\ntimeout 2"),
        ("/etc/part", "hz 7\ninclude conf.d/*.conf"),
        ("/etc/conf.d/a.conf", "databases 3"),
        ("/etc/conf.d/b.conf", "databases 4\nnosuch"),
        ("/start/loop", "include loop"),
        ("/start/none", "include empty.d/*"),
    ]);
    let load = |name: &str| {
        let mut config = fresh();
        let result = config.load(
            format!("include {name}").as_bytes(),
            &Origin::Arguments,
            &shelf,
        );
        (config, result)
    };
    let (config, result) = load("main");
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("at line 2 of /etc/conf.d/b.conf\n")
    );
    assert_eq!(
        (config.read(PORT), config.read(TIMEOUT), config.read(HZ)),
        (2, 1, 7)
    );
    assert_eq!(config.read(DATABASES), 4);
    assert!(
        load("loop")
            .1
            .unwrap_err()
            .to_string()
            .ends_with("Too many nested include directives")
    );
    assert_eq!(load("none").1, Ok(()));
    assert!(matches!(load("missing").1, Err(ConfigError::File(..))));
}

#[test]
fn a_cluster_has_its_own_number_of_databases() {
    let mut config = load("");
    let origin = Origin::Arguments;
    config
        .load(b"cluster-enabled yes", &origin, &Shelf::default())
        .unwrap();
    let warnings = config.check(&Shelf::default()).unwrap();
    assert_eq!(warnings, [Warning::Databases(16, 1)]);
    assert_eq!(
        warnings[0].to_string(),
        "WARNING: Changing databases number from 16 to 1 since we are in cluster mode"
    );
    assert_eq!(config.read(DATABASES), 1);
    config
        .load(b"oom-score-adj-values 3 2 1", &origin, &Shelf::default())
        .unwrap();
    assert_eq!(
        config.check(&Shelf::default()).unwrap(),
        [Warning::OomScoresFall]
    );
}

#[test]
fn the_real_file_system_reads_and_finds() {
    let directory = std::env::temp_dir().join(format!("cuirass-config-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("conf.d")).unwrap();
    std::fs::write(directory.join("main.conf"), "include conf.d/*.conf\n").unwrap();
    std::fs::write(directory.join("conf.d/b.conf"), "port 2").unwrap();
    std::fs::write(directory.join("conf.d/a.conf"), "port 1\ndir conf.d").unwrap();
    std::fs::write(directory.join("conf.d/.hidden.conf"), "nosuch").unwrap();
    let mut config = Config::new(&Defaults {
        cores: 1,
        directory: directory.clone(),
    });
    let loaded = config.load(
        b"include main.conf\nlogfile made.log",
        &Origin::Stdin,
        &FileSystem,
    );
    let checked = config.check(&FileSystem);
    let made = directory.join("conf.d/made.log").exists();
    let file_as_directory = config.load(b"dir a.conf", &Origin::Stdin, &FileSystem);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(loaded, Ok(()));
    assert_eq!(checked, Ok(Vec::new()));
    assert_eq!(config.read(PORT), 2);
    assert!(made);
    assert!(
        file_as_directory
            .unwrap_err()
            .to_string()
            .ends_with("\nNot a directory")
    );
}
