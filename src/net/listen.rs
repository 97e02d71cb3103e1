//! Listening sockets: what to listen on, opening it as Redis does, and replacing it while the server runs.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use config::typed::path;
use config::{Config, directive};
use nix::unistd::{Group, chown};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tracing::warn;

use crate::process::words;

/// What comes over a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plaintext over TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// Plaintext over a Unix socket.
    Unix,
}

/// What to listen on for one kind.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Port of the TCP kinds; 0 for none.
    pub(crate) port: u16,
    /// `bind`.
    addresses: Vec<String>,
    backlog: i32,
    mark: u32,
    is_multipath: bool,
    unix: Option<UnixPlan>,
}

#[derive(Clone, Debug)]
struct UnixPlan {
    path: PathBuf,
    mode: u32,
    group: Option<String>,
}

/// An open listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

/// Asks the main thread to replace listening sockets.
#[derive(Debug)]
pub(crate) struct ListenRequest {
    /// What to listen on.
    pub(crate) wanted: Vec<Plan>,
    /// What to go back to when that is not possible.
    pub(crate) before: Vec<Plan>,
    /// Whether it was done, or the kind that failed.
    pub(crate) answer: SyncSender<Result<(), Kind>>,
}

impl Kind {
    /// What the configuration says to listen on.
    pub(crate) fn plan(self, config: &Config) -> Plan {
        let port = match self {
            Self::Tcp => config.read(directive::PORT),
            Self::Tls => config.read(directive::TLS_PORT),
            Self::Unix => 0,
        };
        let unix = config.read(directive::UNIXSOCKET).map(path);
        let group = config.read(directive::UNIXSOCKETGROUP);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Plan {
            kind: self,
            port: u16::try_from(port).unwrap_or(0),
            addresses: config
                .read(directive::BIND)
                .iter()
                .map(|address| text(address))
                .collect(),
            backlog: i32::try_from(config.read(directive::TCP_BACKLOG)).unwrap_or(i32::MAX),
            mark: u32::try_from(config.read(directive::SOCKET_MARK_ID)).unwrap_or(0),
            is_multipath: config.read(directive::MPTCP),
            unix: unix.map(|name| UnixPlan {
                path: config.read(directive::DIR).join(name),
                mode: u32::try_from(config.read(directive::UNIXSOCKETPERM)).unwrap_or(0),
                group: group.map(text),
            }),
        }
    }

    /// The name in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }
}

impl Plan {
    /// Whether there is anything to listen on.
    pub(crate) fn is_on(&self) -> bool {
        match self.kind {
            Kind::Tcp | Kind::Tls => self.port != 0,
            Kind::Unix => self.unix.is_some(),
        }
    }

    /// Opens all sockets, or none. What stands in the way is logged.
    ///
    /// # Errors
    /// An address cannot be listened on and is not optional.
    pub(crate) fn open(&self) -> Result<Vec<Listener>, Kind> {
        let mut listeners = Vec::new();
        match (self.kind, &self.unix) {
            (Kind::Unix, Some(unix)) => {
                let listener = unix.open(self.backlog).map_err(|error| {
                    warn!("Failed opening Unix socket: {}", words(&error));
                    self.kind
                })?;
                listeners.push(Listener::Unix(listener, unix.path.clone()));
            }
            (Kind::Unix, None) => {}
            (Kind::Tcp | Kind::Tls, _) if self.port == 0 => {}
            (Kind::Tcp | Kind::Tls, _) => {
                for address in &self.addresses {
                    if let Some(listener) = self.open_address(address)? {
                        listeners.push(Listener::Tcp(listener));
                    }
                }
            }
        }
        Ok(listeners)
    }

    /// Opens one address of `bind`; `None` when it is not available and may be missing.
    fn open_address(&self, address: &str) -> Result<Option<std::net::TcpListener>, Kind> {
        let (address, is_optional) = match address.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (address, false),
        };
        match self.open_tcp(address) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) => {
                warn!(
                    "Warning: Could not create server TCP listening socket {address}:{}: {}",
                    self.port, error.text
                );
                let missing = error.code == Some(nix::libc::EADDRNOTAVAIL) && is_optional;
                if missing || error.code.is_some_and(|code| UNSUPPORTED.contains(&code)) {
                    Ok(None)
                } else {
                    Err(self.kind)
                }
            }
        }
    }

    fn open_tcp(&self, address: &str) -> Result<std::net::TcpListener, OpenError> {
        let address = self.resolve(address)?;
        let domain = Domain::for_address(address);
        let protocol = if self.is_multipath {
            Protocol::MPTCP
        } else {
            Protocol::TCP
        };
        let socket = Socket::new(domain, Type::STREAM, Some(protocol))
            .map_err(|error| OpenError::new("socket", error))?;
        if domain == Domain::IPV6 {
            socket
                .set_only_v6(true)
                .map_err(|error| OpenError::new("setsockopt", error))?;
        }
        socket
            .set_reuse_address(true)
            .map_err(|error| OpenError::new("setsockopt SO_REUSEADDR", error))?;
        if self.mark > 0
            && let Err(error) = socket.set_mark(self.mark)
        {
            warn!("setsockopt SO_MARK: {}", words(&error));
        }
        socket
            .bind(&SockAddr::from(address))
            .map_err(|error| OpenError::new("bind", error))?;
        socket
            .listen(self.backlog)
            .map_err(|error| OpenError::new("listen", error))?;
        socket
            .set_nonblocking(true)
            .map_err(|error| OpenError::new("fcntl", error))?;
        Ok(socket.into())
    }

    /// The socket address of a word of `bind`: `*` and `::*` are all addresses, and a colon makes it IPv6.
    fn resolve(&self, address: &str) -> Result<SocketAddr, OpenError> {
        let is_v6 = address.contains(':');
        let host = match address {
            "*" => "0.0.0.0",
            "::*" => "::",
            other => other,
        };
        let found = (host, self.port).to_socket_addrs();
        let found = found.ok().and_then(|mut found| {
            let fits = |address: &SocketAddr| address.is_ipv6() == is_v6;
            found.find(fits)
        });
        found.ok_or_else(|| OpenError {
            text: "Name or service not known".to_owned(),
            code: None,
        })
    }
}

/// Families and protocols that this machine lacks: an address of theirs is passed over.
const UNSUPPORTED: [i32; 5] = [
    nix::libc::ENOPROTOOPT,
    nix::libc::EPROTONOSUPPORT,
    nix::libc::ESOCKTNOSUPPORT,
    nix::libc::EPFNOSUPPORT,
    nix::libc::EAFNOSUPPORT,
];

/// Why a socket could not be opened: the step and the system's words.
struct OpenError {
    text: String,
    code: Option<i32>,
}

impl OpenError {
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    fn new(step: &str, error: io::Error) -> Self {
        Self {
            text: format!("{step}: {}", words(&error)),
            code: error.raw_os_error(),
        }
    }
}

impl UnixPlan {
    fn open(&self, backlog: i32) -> io::Result<std::os::unix::net::UnixListener> {
        // One that is left over, or in nobody's use.
        let _none_there = fs::remove_file(&self.path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(&self.path)?)?;
        self.give_access(&self.path)?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    fn give_access(&self, path: &Path) -> io::Result<()> {
        if self.mode != 0 {
            fs::set_permissions(path, Permissions::from_mode(self.mode))?;
        }
        let Some(name) = &self.group else {
            return Ok(());
        };
        let group = Group::from_name(name)?;
        let group = group.ok_or_else(|| io::Error::other(format!("no group is called {name}")))?;
        chown(path, None, Some(group.gid)).map_err(io::Error::from)
    }
}
