//! Accepting: the main thread's part of a connection's life. Nothing here waits for a peer.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use engine::Session;
use engine::clients::Peer;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tracing::{debug, warn};

use crate::clock;
use crate::net::Shared;
use crate::net::connection::Parked;
use crate::net::handshake::{self, Handshakers, Newcomer};
use crate::net::listen::{Kind, Listener};
use crate::net::stream::Socket;

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `maxclients`.
    TooMany,
    /// `protected-mode`.
    Protected,
    /// `transit-encryption-mode required`.
    Plaintext,
}

impl Refusal {
    /// What the client reads.
    pub(crate) fn text(self) -> &'static [u8] {
        match self {
            Self::TooMany => b"-ERR max number of clients reached\r\n",
            Self::Protected => PROTECTED,
            Self::Plaintext => {
                b"-ERR this server is reached over TLS only (transit-encryption-mode required)\r\n"
            }
        }
    }
}

/// Redis 7.2's words to the byte (clientAcceptHandler): tools look for them.
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected \
mode is enabled and no password is set for the default user. \
In this mode connections are only accepted from the loopback interface. \
If you want to connect from external computers to Redis you \
may adopt one of the following solutions: \
1) Just disable protected mode sending the command \
'CONFIG SET protected-mode no' from the loopback interface \
by connecting to Redis from the same host the server is \
running, however MAKE SURE Redis is not publicly accessible \
from internet if you do so. Use CONFIG REWRITE to make this \
change permanent. \
2) Alternatively you can just disable the protected mode by \
editing the Redis configuration file, and setting the protected \
mode option to 'no', and then restarting the server. \
3) If you started the server manually just for testing, restart \
it with the '--protected-mode no' option. \
4) Set up an authentication password for the default user. \
NOTE: You only need to do one of the above things in order for \
the server to start accepting connections from the outside.\r\n";

impl Shared {
    /// Takes a place among the clients, which [`Server::connected`](crate::Server::connected) counts, or says why there is none.
    pub(crate) fn admit(&self, is_local: bool) -> Result<(), Refusal> {
        let limits = &self.server.limits;
        let connected = &self.server.connected;
        if connected.fetch_add(1, Relaxed) >= limits.clients_max.load(Relaxed) {
            connected.fetch_sub(1, Relaxed);
            self.server.counters.rejected.fetch_add(1, Relaxed);
            return Err(Refusal::TooMany);
        }
        let is_open = !limits.needs_password.load(Relaxed);
        if !is_local && is_open && limits.is_protected.load(Relaxed) {
            connected.fetch_sub(1, Relaxed);
            self.server.counters.rejected.fetch_add(1, Relaxed);
            return Err(Refusal::Protected);
        }
        self.server.counters.connections.fetch_add(1, Relaxed);
        Ok(())
    }

    /// The session of an admitted client.
    pub(crate) fn session(&self, peer: Peer) -> Session {
        let now_ms = self.server.clock.now().ms();
        let client = self.engine.clients.add(peer, now_ms);
        let needs_password = self.server.limits.needs_password.load(Relaxed);
        Session::new(client, !needs_password)
    }
}

/// Accepts on one listening socket for as long as the task lives. A Unix socket's file is removed with it.
pub(crate) async fn run(
    listener: Listener,
    kind: Kind,
    shared: Arc<Shared>,
    handshakers: Arc<Handshakers>,
) {
    let result = match listener {
        Listener::Tcp(listener) => accept_tcp(listener, kind, &shared, &handshakers).await,
        Listener::Unix(listener, path) => accept_unix(listener, path, &shared).await,
    };
    if let Err(error) = result {
        warn!(
            "Unrecoverable error creating {} accept handler: {error}",
            kind.name()
        );
    }
}

async fn accept_tcp(
    listener: std::net::TcpListener,
    kind: Kind,
    shared: &Arc<Shared>,
    handshakers: &Handshakers,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Err(error) => rest_after(&error).await,
            Ok((socket, address)) => {
                if let Err(error) = welcome(socket.into_std()?, address, kind, shared, handshakers)
                {
                    debug!("Accepted client connection in error state: {error} (addr={address})");
                }
            }
        }
    }
}

/// Sees a TCP connection to where it is served.
fn welcome(
    socket: std::net::TcpStream,
    address: SocketAddr,
    kind: Kind,
    shared: &Shared,
    handshakers: &Handshakers,
) -> io::Result<()> {
    debug!("Accepted {}:{}", address.ip(), address.port());
    prepare(&socket, shared)?;
    let peer = Peer {
        addr: shown(address),
        laddr: socket.local_addr().map(shown).unwrap_or_default(),
        fd: socket.as_raw_fd(),
        unix: false,
        tls: None,
    };
    let is_local = address.ip().to_canonical().is_loopback();
    match kind {
        Kind::Tls => {
            handshakers.take(Newcomer {
                socket,
                peer,
                is_local,
                deadline: deadline(shared),
            });
        }
        Kind::Tcp if shared.server.limits.refuses_plaintext.load(Relaxed) => {
            shared.server.counters.rejected.fetch_add(1, Relaxed);
            see_off(TcpStream::from_std(socket)?, Refusal::Plaintext, shared);
        }
        Kind::Tcp | Kind::Unix => match shared.admit(is_local) {
            Ok(()) => {
                let session = shared.session(peer);
                shared.place(Parked::new(Socket::Tcp(socket), session));
            }
            Err(refusal) => see_off(TcpStream::from_std(socket)?, refusal, shared),
        },
    }
    Ok(())
}

/// Tells a peer why it is not served. It is not waited for for long, nor are many of them.
fn see_off(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    refusal: Refusal,
    shared: &Shared,
) {
    if let Ok(place) = Arc::clone(&shared.farewells).try_acquire_owned() {
        tokio::spawn(async move {
            handshake::see_off(&mut stream, refusal.text()).await;
            drop(place);
        });
    }
}

/// By when a TLS client must have completed its handshake.
fn deadline(shared: &Shared) -> Instant {
    let allowed_ms = shared.server.limits.handshake_ms_max.load(Relaxed);
    clock::monotonic() + Duration::from_millis(allowed_ms)
}

fn prepare(socket: &std::net::TcpStream, shared: &Shared) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let interval_s = shared.server.limits.keepalive_s.load(Relaxed);
    if interval_s > 0 {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(interval_s))
            .with_interval(Duration::from_secs((interval_s / 3).max(1)))
            .with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

/// An address as CLIENT LIST shows it: an IPv6 address in brackets.
fn shown(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
        std::net::IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    }
}

async fn accept_unix(
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    shared: &Shared,
) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Err(error) => rest_after(&error).await,
            Ok((socket, _)) => {
                if let Err(error) = welcome_unix(socket.into_std()?, &path, shared) {
                    debug!("Accepted client connection in error state: {error}");
                }
            }
        }
    }
}

fn welcome_unix(
    socket: std::os::unix::net::UnixStream,
    path: &Path,
    shared: &Shared,
) -> io::Result<()> {
    debug!("Accepted connection to {}", path.display());
    let name = format!("{}:0", path.display());
    let peer = Peer {
        addr: name.clone(),
        laddr: name,
        fd: socket.as_raw_fd(),
        unix: true,
        tls: None,
    };
    match shared.admit(true) {
        Ok(()) => {
            let session = shared.session(peer);
            shared.place(Parked::new(Socket::Unix(socket), session));
        }
        Err(refusal) => see_off(UnixStream::from_std(socket)?, refusal, shared),
    }
    Ok(())
}

/// After an error of accept, such as too many open files, the next try waits: the socket stays readable.
async fn rest_after(error: &io::Error) {
    warn!("Accepting client connection: {error}");
    tokio::time::sleep(REST).await;
}

const REST: Duration = Duration::from_millis(100);
