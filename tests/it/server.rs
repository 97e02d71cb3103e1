//! What the tests share: a server in this process, and clients that check every byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::source::FileSystem;
use config::{Config, Defaults, Origin};
use cuirass::clock::Clock;
use cuirass::persistence::disk::SystemDisk;
use cuirass::process::Supervision;
use cuirass::{Kind, Launch, RunningServer, Server, Signals, StartError};
use engine::Engine;
use tempfile::TempDir;

/// A server that ends with the test.
pub(crate) struct TestServer {
    running: Option<RunningServer>,
    pub(crate) dir: TempDir,
}

/// How long anything that must happen may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestServer {
    /// A plaintext server with these configuration lines.
    pub(crate) fn plain(lines: &str) -> Self {
        Self::start(lines, &[Kind::Tcp], TempDir::new().unwrap())
    }

    /// A server that listens for these kinds, each on a free port of the loopback interface.
    pub(crate) fn start(lines: &str, kinds: &[Kind], dir: TempDir) -> Self {
        Self::launch(lines, kinds, dir, None)
    }

    /// How a plaintext server with these configuration lines is started in this directory.
    pub(crate) fn launching(lines: &str, dir: &Path) -> Launch {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        Launch {
            config: configuration(lines, dir),
            config_file: None,
            executable: "redis-server".into(),
            log: None,
            supervision: Supervision::None,
            pid_file: None,
            clock: Arc::new(Clock::start()),
            disk: Arc::new(SystemDisk),
            sockets: vec![(Kind::Tcp, socket)],
            signals: Signals::Leave,
        }
    }

    fn launch(lines: &str, kinds: &[Kind], dir: TempDir, config_file: Option<PathBuf>) -> Self {
        let listen = |kind: &Kind| (*kind, TcpListener::bind("127.0.0.1:0").unwrap());
        let launch = Launch {
            config_file,
            sockets: kinds.iter().map(listen).collect(),
            ..Self::launching(lines, dir.path())
        };
        Self::launched(launch, dir).unwrap()
    }

    /// The server that is launched so in this directory.
    pub(crate) fn launched(launch: Launch, dir: TempDir) -> Result<Self, StartError> {
        Ok(Self {
            running: Some(Server::start(launch)?),
            dir,
        })
    }

    /// A plaintext server whose configuration came from this file in its directory.
    pub(crate) fn with_file(lines: &str, dir: TempDir, file: &str) -> Self {
        let file = dir.path().join(file);
        Self::launch(lines, &[Kind::Tcp], dir, Some(file))
    }

    /// A plaintext server that has loaded a copy of this file.
    pub(crate) fn holding(file: &Path) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::copy(file, dir.path().join("dump.rdb")).unwrap();
        Self::start("", &[Kind::Tcp], dir)
    }

    pub(crate) fn running(&self) -> &RunningServer {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        self.running().server()
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        self.running().engine()
    }

    pub(crate) fn address(&self, kind: Kind) -> SocketAddr {
        self.running().address(kind).unwrap()
    }

    /// A plaintext client.
    pub(crate) fn client(&self) -> Client<TcpStream> {
        Client::connect(self.address(Kind::Tcp))
    }

    /// Ends the server, as dropping it does.
    pub(crate) fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// A configuration that listens nowhere by itself, with these lines.
fn configuration(lines: &str, dir: &Path) -> Config {
    let defaults = Defaults {
        cores: 2,
        directory: dir.to_path_buf(),
    };
    let mut config = Config::new(&defaults);
    let text = format!("port 0\nsave \"\"\n{lines}");
    config
        .load(text.as_bytes(), &Origin::Arguments, &FileSystem)
        .unwrap();
    config
}

/// A client over any stream.
pub(crate) struct Client<S>(pub(crate) S);

impl Client<TcpStream> {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// Sends bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads exactly these bytes.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut got = vec![0; bytes.len()];
        self.0.read_exact(&mut got).unwrap();
        assert!(
            got == bytes,
            "expected {:.200}, got {:.200}",
            bytes.escape_ascii().to_string(),
            got.escape_ascii().to_string()
        );
    }

    /// Sends words as a request and reads exactly this reply.
    #[track_caller]
    pub(crate) fn check(&mut self, words: &[&str], reply: &str) {
        self.send(request(words));
        self.expect(reply);
    }

    /// Reads a line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).unwrap()
    }

    /// Reads to the end: what came before the peer closed, or reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _end = self.0.read_to_end(&mut rest);
        rest
    }
}

/// Words as a request.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    request
}

/// Waits until something is so, which it must be soon.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's patience is its own")]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
