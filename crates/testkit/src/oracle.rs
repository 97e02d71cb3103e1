//! Debian's redis-server, version 7.0.15: the same calls get the same replies there.

use crate::render::render;
use crate::transcript::Answered;
use parking_lot::Mutex;
use resp::{Proto, ReplyParser, Value};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// What came of calls on the real server.
pub(crate) enum Replay {
    /// The replies are the same, but for those that are marked.
    Same,
    /// The first that is not, or that is and is marked.
    Differs(String),
    /// There is no real server.
    Skipped,
}

/// Runs calls on the real server, from an empty dataset, and compares the replies.
///
/// # Panics
/// When the real server does not answer; when there is none where `CI` is set.
pub(crate) fn replay(proto: Proto, answered: &[Answered]) -> Replay {
    let mut oracle = ORACLE.lock();
    let Some(oracle) = oracle.as_mut() else {
        return Replay::Skipped;
    };
    let hello = match proto {
        Proto::Resp2 => "HELLO 2",
        Proto::Resp3 => "HELLO 3",
    };
    for line in ["RESET", hello, "FLUSHALL"] {
        oracle.call(line);
    }
    for answer in answered {
        let real = oracle.call(&answer.call);
        let (call, ours) = (&answer.call, shown(&answer.call, &answer.reply));
        let real = shown(&answer.call, &real);
        if answer.is_marked && ours == real {
            return Replay::Differs(format!("> {call}\n  the line with `!` is wrong"));
        }
        if answer.is_told && !answer.is_marked && ours != real {
            return Replay::Differs(format!("> {call}\n  ours {ours}\n  real {real}"));
        }
    }
    Replay::Same
}

/// A reply as text: the parts of one whose order Redis does not promise are sorted, and how much time is left is only told
/// as some, for time passes there.
fn shown(call: &str, reply: &Value) -> String {
    let mut words = call.split_ascii_whitespace().map(str::to_ascii_uppercase);
    let command = words.next().unwrap_or_default();
    if matches!(command.as_str(), "TTL" | "PTTL") && matches!(reply, Value::Integer(1..)) {
        return "some time".to_owned();
    }
    if !UNORDERED.contains(&command.as_str()) {
        return render(reply);
    }
    // In RESP2 names and values take turns.
    let has_pairs = matches!(command.as_str(), "HGETALL" | "HSCAN" | "ZSCAN")
        || words.any(|word| word == "WITHVALUES" || word == "WITHSCORES");
    sorted(reply, if has_pairs { 2 } else { 1 })
}

/// Renders a reply with the parts of its aggregates sorted, `width` neighbours of a flat one moving together.
fn sorted(reply: &Value, width: usize) -> String {
    let mut parts: Vec<String> = match reply {
        Value::Array(items) | Value::Set(items) => {
            let is_flat = !items.iter().any(|item| matches!(item, Value::Array(_)));
            let items: Vec<String> = items.iter().map(|item| sorted(item, width)).collect();
            let width = if is_flat { width } else { 1 };
            items.chunks(width).map(|part| part.join(" ")).collect()
        }
        Value::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| format!("{} {}", render(key), render(value)))
            .collect(),
        leaf => return render(leaf),
    };
    parts.sort_unstable();
    // What kind of aggregate it is stays.
    match reply {
        Value::Set(_) => format!("~{parts:?}"),
        Value::Map(_) => format!("%{parts:?}"),
        _ => format!("{parts:?}"),
    }
}

/// The commands whose replies have no promised order.
const UNORDERED: &[&str] = &[
    "HGETALL",
    "HKEYS",
    "HRANDFIELD",
    "HSCAN",
    "HVALS",
    "KEYS",
    "SCAN",
    "SDIFF",
    "SINTER",
    "SMEMBERS",
    "SPOP",
    "SRANDMEMBER",
    "SSCAN",
    "SUNION",
    "ZRANDMEMBER",
    "ZSCAN",
];

/// A real server, started once in a process.
struct Oracle {
    /// A shell that ends the server when this process ends: its standard input is closed then.
    _shell: Child,
    stream: UnixStream,
}

static ORACLE: LazyLock<Mutex<Option<Oracle>>> = LazyLock::new(|| Mutex::new(Oracle::start()));

impl Oracle {
    /// Starts the server; `None`, and a line that says so, where there is none on PATH.
    #[expect(clippy::zombie_processes, reason = "the shell ends after this process")]
    fn start() -> Option<Self> {
        let version = Command::new("redis-server").arg("--version").output();
        if version.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            assert!(
                std::env::var_os("CI").is_none(),
                "the tests need redis-server on PATH"
            );
            // Unlike what `println` says, this is shown for tests that pass, too.
            let _ = std::io::stderr().write_all(SKIPPED.as_bytes());
            return None;
        }
        // A socket of this process' own: no other test can take its place, as it could a port's.
        let folder = std::env::temp_dir();
        let socket = folder.join(format!("transcripts-{}.sock", std::process::id()));
        // It is there only if an earlier process of this number was killed.
        let _ = std::fs::remove_file(&socket);
        let script = "redis-server --port 0 --unixsocket \"$0\" --dir \"$1\" --save '' \
                      --enable-debug-command yes >/dev/null & read -r _; kill $!";
        let shell = Command::new("sh")
            .args(["-c", script])
            .args([&socket, &folder])
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        for _ in 0..TRIES {
            if let Ok(stream) = UnixStream::connect(&socket) {
                let patience = Some(Duration::from_secs(120));
                stream.set_read_timeout(patience).expect("it may be set");
                return Some(Self {
                    _shell: shell,
                    stream,
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen at {}", socket.display());
    }

    fn call(&mut self, line: &str) -> Value {
        let words = resp::split_words(line.as_bytes()).expect("a transcript's words are balanced");
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(&word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).expect("the server reads");
        let (mut received, mut chunk) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let read = self.stream.read(&mut chunk).expect("the server answers");
            assert!(read > 0, "the server closed the connection after {line}");
            received.extend_from_slice(&chunk[..read]);
            let parsed = ReplyParser::default().parse(&received);
            if let Some((value, _)) = parsed.expect("replies are well-formed") {
                return value;
            }
        }
    }
}

/// What is said where there is no real server.
const SKIPPED: &str = "transcripts are not replayed on a real server: no redis-server on PATH\n";

/// How often a connection is tried, 10 ms apart.
const TRIES: usize = 12_000;
