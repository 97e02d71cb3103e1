//! The command line of `redis-server`, turned into configuration text as Redis 7.2's `main()` does.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::grammar;

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: redis-server [/path/to/redis.conf | -] [--directive value ...] [-]
       redis-server -                      configuration from standard input
       redis-server -v | --version
       redis-server -h | --help
       redis-server --test-memory <megabytes>
       redis-server --check-system

Without arguments the server listens for TLS on port 6379 of the loopback
interface, with a certificate that it makes itself. Any directive of redis.conf
can be an argument, and the last one counts:
       redis-server /etc/redis/redis.conf --loglevel verbose
       redis-server --port 7777 --replicaof 127.0.0.1 8888
       echo 'maxmemory 128mb' | redis-server -
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Print the version and end.
    Version,
    /// Print [`USAGE`] and end.
    Help,
    /// Test so many megabytes of memory and end; `None` where the amount is missing.
    TestMemory(Option<u32>),
    /// Look whether the system suits and end.
    CheckSystem,
    /// Start the server.
    Run(Run),
}

/// Where the configuration of a server to start comes from, in the order in which it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Whether standard input holds configuration too.
    pub stdin: bool,
    /// The `--directive value` arguments as configuration text.
    pub overrides: Vec<u8>,
    /// Whether the sentinel mode is asked for, by argument or by the program's name.
    pub sentinel: bool,
}

impl Run {
    /// Whether nothing at all was said, so that every directive has its default.
    pub fn is_bare(&self) -> bool {
        self.file.is_none() && !self.stdin && self.overrides.is_empty()
    }
}

/// Reads a command line, the program's name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Invocation {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<Vec<u8>> = arguments.map(OsString::into_vec).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    match arguments.first().map(Vec::as_slice) {
        Some(b"-v" | b"--version") => Invocation::Version,
        Some(b"-h" | b"--help") => Invocation::Help,
        Some(b"--test-memory") => Invocation::TestMemory(match rest {
            [megabytes] => str::from_utf8(megabytes)
                .ok()
                .and_then(|text| text.parse().ok()),
            _ => None,
        }),
        Some(b"--check-system") => Invocation::CheckSystem,
        _ => Invocation::Run(run(&program, &arguments)),
    }
}

fn run(program: &OsString, arguments: &[Vec<u8>]) -> Run {
    let (file, options) = match arguments {
        [file, options @ ..] if !file.starts_with(b"-") => (
            Some(PathBuf::from(OsString::from_vec(file.clone()))),
            options,
        ),
        options => (None, options),
    };
    let program = program.as_bytes();
    let program = program
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default();
    let mut overrides = Overrides::default();
    let mut stdin = false;
    for (position, option) in options.iter().enumerate() {
        let next = options.get(position + 1);
        let at_an_end = (position == 0 && file.is_none()) || next.is_none();
        if option == b"-" && at_an_end {
            stdin = true;
        } else {
            overrides.push(option, next.map(Vec::as_slice));
        }
    }
    Run {
        file,
        stdin,
        overrides: overrides.text,
        sentinel: program.windows(14).any(|part| part == b"redis-sentinel")
            || arguments.iter().any(|argument| argument == b"--sentinel"),
    }
}

/// The configuration text that grows from `--directive value ...` arguments.
struct Overrides {
    text: Vec<u8>,
    /// Whether the directive begun last has a value, so that an argument starting with `--` begins the next one.
    has_value: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            has_value: true,
        }
    }
}

impl Overrides {
    fn push(&mut self, argument: &[u8], next: Option<&[u8]>) {
        match argument.strip_prefix(b"--") {
            Some(directive) if self.has_value => self.begin(argument, directive, next),
            _ => {
                self.text.extend(grammar::quote(argument));
                self.text.push(b' ');
                self.has_value = true;
            }
        }
    }

    /// Begins a directive. `--save` and `--sentinel` may stand without a value, as before Redis 7.0.1.
    fn begin(&mut self, argument: &[u8], directive: &[u8], next: Option<&[u8]>) {
        if !self.text.is_empty() {
            self.text.push(b'\n');
        }
        self.text.extend(directive);
        self.text.push(b' ');
        let name_alone = grammar::words(argument).is_ok_and(|words| words.len() == 1);
        let next_begins = next.is_some_and(|next| next.starts_with(b"--"));
        let save = argument.eq_ignore_ascii_case(b"--save");
        let sentinel = argument.eq_ignore_ascii_case(b"--sentinel");
        self.has_value = !name_alone || (next_begins && (save || sentinel));
        if save && (next_begins || next.is_none()) {
            self.text.extend(b"\"\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Invocation {
        parse(
            std::iter::once("redis-server")
                .chain(line.iter().copied())
                .map(OsString::from),
        )
    }

    #[track_caller]
    fn check(line: &[&str], overrides: &str) -> Run {
        let Invocation::Run(run) = parsed(line) else {
            panic!("{line:?} starts no server");
        };
        assert_eq!(
            String::from_utf8_lossy(&run.overrides),
            overrides,
            "{line:?}"
        );
        run
    }

    #[test]
    fn words_that_end_at_once() {
        assert_eq!(parsed(&["-v"]), Invocation::Version);
        assert_eq!(parsed(&["--version", "more"]), Invocation::Version);
        assert_eq!(parsed(&["-h"]), Invocation::Help);
        assert_eq!(parsed(&["--help"]), Invocation::Help);
        assert_eq!(parsed(&["--check-system"]), Invocation::CheckSystem);
        assert_eq!(
            parsed(&["--test-memory", "64"]),
            Invocation::TestMemory(Some(64))
        );
        assert_eq!(parsed(&["--test-memory"]), Invocation::TestMemory(None));
        assert_eq!(
            parsed(&["--test-memory", "1", "2"]),
            Invocation::TestMemory(None)
        );
        check(&["x.conf", "-v"], "\"-v\" ");
    }

    #[test]
    fn nothing_said_is_bare() {
        assert!(check(&[], "").is_bare());
        assert!(!check(&["--port", "1"], "port \"1\" ").is_bare());
    }

    #[test]
    fn the_file_comes_first() {
        let run = check(&["/etc/redis.conf", "--port", "7"], "port \"7\" ");
        assert_eq!(run.file, Some(PathBuf::from("/etc/redis.conf")));
        assert_eq!(
            check(&["--port", "7", "x.conf"], "port \"7\" \"x.conf\" ").file,
            None
        );
    }

    #[test]
    fn a_dash_at_either_end_is_standard_input() {
        assert!(check(&["-"], "").stdin);
        assert!(check(&["-", "--port", "7"], "port \"7\" ").stdin);
        assert!(check(&["x.conf", "--port", "7", "-"], "port \"7\" ").stdin);
        assert!(
            !check(
                &["--logfile", "-", "--port", "7"],
                "logfile \"-\" \nport \"7\" "
            )
            .stdin
        );
        assert!(!check(&["x.conf", "-", "--port", "7"], "\"-\" \nport \"7\" ").stdin);
    }

    #[test]
    fn values_follow_their_directive() {
        check(
            &["--bind", "1.1.1.1", "::1", "--port", "7"],
            "bind \"1.1.1.1\" \"::1\" \nport \"7\" ",
        );
        check(&["--port 7", "--bind x"], "port 7 \nbind x ");
        check(
            &["--requirepass", "--secret", "--port", "7"],
            "requirepass \"--secret\" \nport \"7\" ",
        );
        check(
            &["--requirepass", "a \"b\" \n"],
            "requirepass \"a \\\"b\\\" \\n\" ",
        );
        check(&["--loglevel", "--port", "7"], "loglevel \"--port\" \"7\" ");
        check(&["--daemonize"], "daemonize ");
    }

    #[test]
    fn save_may_stand_alone() {
        check(&["--save", "--port", "7"], "save \"\"\nport \"7\" ");
        check(&["--port", "7", "--save"], "port \"7\" \nsave \"\"");
        check(&["--save", ""], "save \"\" ");
        check(&["--save", "900 1"], "save \"900 1\" ");
        check(
            &["--save", "900", "1", "--save", "60", "2"],
            "save \"900\" \"1\" \nsave \"60\" \"2\" ",
        );
        check(&["--save 900 1"], "save 900 1 ");
    }

    #[test]
    fn sentinel_is_recognised() {
        assert!(check(&["x.conf", "--sentinel"], "sentinel ").sentinel);
        assert!(check(&["--sentinel", "--port", "7"], "sentinel \nport \"7\" ").sentinel);
        let by_name = parse([OsString::from("/usr/bin/redis-sentinel")]);
        assert!(matches!(
            by_name,
            Invocation::Run(Run { sentinel: true, .. })
        ));
    }
}
