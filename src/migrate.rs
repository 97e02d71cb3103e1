//! The connections of MIGRATE to its targets, and what is exchanged over them.
//!
//! A connection is used by one call at a time and kept for ten seconds behind it. Calls run on lanes, so that they may wait
//! for the target; no shard is held meanwhile.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use resp::encode_call;
use rustls::{ClientConnection, StreamOwned};
use tracing::debug;

use crate::server::Server;

/// Connections that are kept for the next call.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    idle: Mutex<HashMap<Target, Idle>>,
}

/// Where keys go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// The host, as the client wrote it.
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    used_ms: i64,
}

/// What is sent to a target at once.
#[derive(Debug)]
pub(crate) struct Transfer<'a> {
    pub(crate) target: &'a Target,
    /// The database there.
    pub(crate) db: i64,
    /// How long each wait for the other end may take.
    pub(crate) timeout: Duration,
    /// AUTH's words, if the client gave any.
    pub(crate) auth: Option<&'a [&'a [u8]]>,
    /// The calls, encoded, one for each key.
    pub(crate) calls: &'a [Vec<u8>],
}

/// What came of a transfer.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Which calls the target said yes to; those behind the last that it answered are missing.
    pub(crate) done: Vec<bool>,
    pub(crate) failure: Option<Failure>,
}

/// Why not everything went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection.
    Connect,
    /// It broke, or the time was up, while the calls were sent.
    Write,
    /// The same, while answers were awaited.
    Read,
    /// The target answered with an error: the first one, without the leading `-`.
    Refused(Vec<u8>),
    /// Keys changed faster than they could be sent.
    Overtaken,
}

/// A connection to a target.
#[derive(Debug)]
struct Link {
    stream: Stream,
    /// The database selected there, when that is known.
    db: Option<i64>,
    /// What was received and not read yet.
    input: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Connections kept at most (MIGRATE_SOCKET_CACHE_ITEMS, Redis 7.2).
const IDLE_MAX: usize = 64;
/// How long a connection is kept (MIGRATE_SOCKET_CACHE_TTL).
const IDLE_MS: i64 = 10_000;
/// Bytes written at once; the time limit is for each of them.
const CHUNK: usize = 64 * 1024;
/// The longest line that a target may answer with.
const LINE_MAX: usize = 64 * 1024;

impl Migrations {
    /// Sends the calls and awaits their answers. A connection that was kept may have been closed at the other end: then
    /// everything is tried once more, if nothing has been answered yet.
    pub(crate) fn transfer(&self, server: &Server, transfer: &Transfer<'_>) -> Outcome {
        let mut may_retry = true;
        loop {
            let kept = self.idle.lock().remove(transfer.target);
            let link = match kept {
                Some(idle) => Ok(idle.link),
                None => Link::connect(server, transfer),
            };
            let mut link = match link {
                Ok(link) => link,
                Err(error) => {
                    debug!(
                        "MIGRATE: no connection to {}:{}: {error}",
                        transfer.target.host, transfer.target.port
                    );
                    return Outcome {
                        done: Vec::new(),
                        failure: Some(Failure::Connect),
                    };
                }
            };
            let mut done = Vec::new();
            match link.exchange(transfer, &mut done) {
                Ok(refused) => {
                    self.keep(transfer.target, link, server.clock.now().ms());
                    return Outcome {
                        done,
                        failure: refused.map(Failure::Refused),
                    };
                }
                Err(broken) if may_retry && broken.may_be_repeated(&done) => may_retry = false,
                Err(broken) => {
                    return Outcome {
                        done,
                        failure: Some(broken.failure()),
                    };
                }
            }
        }
    }

    /// How many connections are kept.
    pub(crate) fn len(&self) -> usize {
        self.idle.lock().len()
    }

    /// Closes connections that have not been used for long.
    pub(crate) fn close_idle(&self, now_ms: i64) {
        let is_fresh = |_: &Target, idle: &mut Idle| now_ms - idle.used_ms <= IDLE_MS;
        self.idle.lock().retain(is_fresh);
    }

    fn keep(&self, target: &Target, link: Link, used_ms: i64) {
        let mut idle = self.idle.lock();
        if idle.len() >= IDLE_MAX
            && let Some(other) = idle.keys().next().cloned()
        {
            idle.remove(&other);
        }
        idle.insert(target.clone(), Idle { link, used_ms });
    }
}

/// How an exchange broke off.
#[derive(Debug)]
struct Broken {
    error: io::Error,
    writing: bool,
    /// An error that the target had answered with before.
    refused: Option<Vec<u8>>,
}

impl Broken {
    /// Whether nothing can have been done at the other end, so that the exchange may be tried on another connection.
    fn may_be_repeated(&self, done: &[bool]) -> bool {
        let kind = self.error.kind();
        let timed_out = matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        done.is_empty() && !timed_out
    }

    fn failure(self) -> Failure {
        match self.refused {
            Some(refused) => Failure::Refused(refused),
            None if self.writing => Failure::Write,
            None => Failure::Read,
        }
    }
}

impl Link {
    fn connect(server: &Server, transfer: &Transfer<'_>) -> io::Result<Self> {
        let Target { host, port } = transfer.target;
        let tcp = dial(host, *port, transfer.timeout)?;
        let active = server.tls.current();
        let tls = active.cluster.as_ref().or(active.replication.as_ref());
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(tls) => {
                let name = tls.server_name(host).map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(&tls.config), name);
                let mut stream = StreamOwned::new(client.map_err(io::Error::other)?, tcp);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Stream::Tls(Box::new(stream))
            }
        };
        Ok(Self {
            stream,
            db: None,
            input: Vec::new(),
        })
    }

    /// Authenticates, selects the database, makes the calls, and notes in `done` what each came to. Returns the first error
    /// that the target answered with.
    fn exchange(
        &mut self,
        transfer: &Transfer<'_>,
        done: &mut Vec<bool>,
    ) -> Result<Option<Vec<u8>>, Broken> {
        self.limit(transfer.timeout).map_err(Broken::writing)?;
        let mut preamble = Vec::new();
        if let Some(words) = transfer.auth {
            encode_call(&mut preamble, words.iter().copied());
        }
        let selects = self.db != Some(transfer.db);
        if selects {
            let db = transfer.db.to_string();
            encode_call(&mut preamble, [b"SELECT".as_slice(), db.as_bytes()]);
        }
        let calls = transfer.calls.iter().map(Vec::as_slice);
        for part in std::iter::once(preamble.as_slice()).chain(calls) {
            for chunk in part.chunks(CHUNK) {
                self.stream.write_all(chunk).map_err(Broken::writing)?;
            }
        }
        self.stream.flush().map_err(Broken::writing)?;
        // On an error the database selected there is no longer known.
        self.db = None;
        let mut refused = None;
        for _ in 0..usize::from(transfer.auth.is_some()) + usize::from(selects) {
            self.answer(&mut refused)?;
        }
        let shut_out = refused.is_some();
        for _ in transfer.calls {
            let accepted = self.answer(&mut refused)?;
            done.push(accepted && !shut_out);
        }
        if refused.is_none() {
            self.db = Some(transfer.db);
        }
        Ok(refused)
    }

    /// Reads an answer: whether it is no error, of which the first is kept.
    fn answer(&mut self, refused: &mut Option<Vec<u8>>) -> Result<bool, Broken> {
        match self.line() {
            Ok(line) => {
                let error = line.strip_prefix(b"-");
                if let Some(text) = error {
                    refused.get_or_insert_with(|| text.to_vec());
                }
                Ok(error.is_none())
            }
            Err(error) => Err(Broken {
                error,
                writing: false,
                refused: refused.take(),
            }),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut room = [0; 1024];
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            if self.input.len() > LINE_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match self.stream.read(&mut room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self
                    .input
                    .extend_from_slice(room.get(..count).unwrap_or_default()),
            }
        }
    }

    fn limit(&self, timeout: Duration) -> io::Result<()> {
        let socket = match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        };
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(timeout))
    }
}

impl Broken {
    fn writing(error: io::Error) -> Self {
        Self {
            error,
            writing: true,
            refused: None,
        }
    }
}

/// A TCP connection to any of the addresses that the host has.
fn dial(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(timeout))?;
                socket.set_write_timeout(Some(timeout))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(room),
            Self::Tls(stream) => stream.read(room),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
