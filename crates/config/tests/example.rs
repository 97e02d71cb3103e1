//! redis.conf.example is the table in prose: it is compared with what the table gives, and loaded.
//!
//! After a change of the table, `UPDATE_EXAMPLE=1 cargo test -p cuirass-config --test example` writes it anew.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use config::directive::{self, Fallback, Kind, Mutability, Row};
use config::source::FileSystem;
use config::{Config, Defaults, Origin, THEMES};

const HEAD: &str = "\
# An example of a configuration file. Every directive is here with its default, commented out.
#
# Start the server with `redis-server /path/to/redis.conf`. Directives can also be arguments
# (`redis-server --port 6379`), and most can change at run time with CONFIG SET; [start] marks those that
# cannot, [protected] those that can only if enable-protected-configs says so.
#
# Blanks separate words. \"...\" keeps them together and knows the escapes \\n \\r \\t \\b \\a \\\" \\\\ and \\xHH;
# '...' knows \\' alone. Memory is counted in bytes, or with a unit, in any case:
#
#   1k = 1000      1kb = 1024
#   1m = 1000^2    1mb = 1024^2
#   1g = 1000^3    1gb = 1024^3
#
# With neither a port nor a tls-port line, here or among the arguments, the server listens for TLS on port
# 6379 of the loopback interface, with a certificate that it makes itself. A file that names one of them
# means what it means to Redis. For plaintext say `port 6379`.
#
# Some lines are no directives and only stand in a file:
#
#   include /etc/redis/conf.d/*.conf            more files, which count from here on; a pattern may match none
#   user alice on >secret ~cache:* +@read       a user, unless aclfile names a file of them
#   rename-command FLUSHALL \"\"                  another name for a command, or none
#   loadmodule /path/to/module.so argument      a module
";

/// The cores of the machine that the example is written for.
const CORES: usize = 4;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../redis.conf.example")
}

fn example() -> String {
    let mut text = HEAD.to_owned();
    for theme in THEMES {
        let rule = "#".repeat(theme.title.len() + 4);
        write!(text, "\n{rule}\n# {} #\n{rule}\n", theme.title).expect("a string takes all");
        for row in theme.rows {
            write!(
                text,
                "\n# {}\n# {} {}\n",
                remark(row),
                row.name,
                default(row)
            )
            .expect("a string takes all");
        }
    }
    text
}

fn remark(row: &Row) -> String {
    let also = match row.aliases {
        [] => String::new(),
        aliases => format!(" Also called {}.", aliases.join(", ")),
    };
    let mark = match row.mutability {
        Mutability::Mutable => "",
        Mutability::Protected => " [protected]",
        Mutability::Immutable => " [start]",
    };
    format!("{}{also}{mark}", row.summary)
}

fn default(row: &Row) -> String {
    match (row.default, row.kind) {
        (Fallback::Cores, _) => CORES.to_string(),
        (Fallback::Directory, _) => "./".to_owned(),
        (Fallback::Fixed(text), kind) if kind.takes_many() => text.to_owned(),
        (Fallback::Fixed(text), Kind::Text | Kind::OptionalText | Kind::KeyspaceEvents)
            if text.is_empty() || text.contains(' ') =>
        {
            format!("\"{text}\"")
        }
        (Fallback::Fixed(text), _) => text.to_owned(),
    }
}

fn fresh() -> Config {
    Config::new(&Defaults {
        cores: CORES,
        directory: PathBuf::from("/"),
    })
}

/// The directives of the example without their comment signs: lines that begin with a name of the table.
fn directives(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# "));
    let is_directive = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default();
        directive::all().any(|id| id.row().name == name)
    };
    lines.filter(is_directive).collect()
}

#[test]
fn the_example_is_up_to_date() {
    if std::env::var_os("UPDATE_EXAMPLE").is_some() {
        std::fs::write(path(), example()).unwrap();
    }
    let text = std::fs::read_to_string(path()).unwrap();
    assert!(
        text == example(),
        "redis.conf.example is not what the table gives: see this file's first lines"
    );
}

#[test]
fn the_example_says_nothing() {
    let text = std::fs::read(path()).unwrap();
    let mut config = fresh();
    config
        .load(&text, &Origin::File(path()), &FileSystem)
        .unwrap();
    assert!(!directive::all().any(|id| config.is_given(id)));
}

#[test]
fn every_directive_stands_in_it_once_with_its_default() {
    let text = std::fs::read_to_string(path()).unwrap();
    let lines = directives(&text);
    let mut seen = HashSet::new();
    for line in &lines {
        let name = line.split(' ').next().unwrap();
        assert!(seen.insert(name), "{name} stands twice");
    }
    assert_eq!(lines.len(), directive::all().count());

    let mut config = fresh();
    let uncommented = lines.join("\n");
    config
        .load(uncommented.as_bytes(), &Origin::File(path()), &FileSystem)
        .unwrap();
    for id in directive::all() {
        let (shown, default) = (config.text(id), fresh().text(id));
        assert_eq!(
            String::from_utf8_lossy(&shown),
            String::from_utf8_lossy(&default),
            "{}",
            id.row().name
        );
        assert!(config.is_given(id));
    }
}
