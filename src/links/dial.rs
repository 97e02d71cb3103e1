//! The connection to the primary: TCP, and TLS over it with `tls-replication yes`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use config::choices::TransitEncryptionMode;
use config::{Config, directive};
use socket2::{SockRef, TcpKeepalive};
use tls::{Cause, Negotiated, Side};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::info;

use crate::server::Server;

/// A connection to the primary.
#[derive(Debug)]
pub(super) enum Uplink {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum DialError {
    /// The name means no address.
    Resolve(String, io::Error),
    /// `bind-source-addr` is no address of this machine.
    Source(String),
    /// Nobody answers.
    Connect(io::Error),
    /// TLS did not come about.
    Tls(String, &'static str),
    /// The other end may not speak TLS.
    NotTls(String),
    /// It took too long.
    TimedOut,
}

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Terms {
    timeout: Duration,
    source: Option<String>,
    no_delay: bool,
    /// Whether TLS is spoken, and whether plaintext is when that does not come about.
    tls: bool,
    falls_back: bool,
}

impl Terms {
    pub(super) fn new(config: &Config) -> Self {
        let mode = config.read(directive::TRANSIT_ENCRYPTION_MODE);
        let timeout_s = u64::try_from(config.read(directive::REPL_TIMEOUT)).unwrap_or(1);
        let source = config.read(directive::BIND_SOURCE_ADDR);
        Self {
            timeout: Duration::from_secs(timeout_s),
            source: source.map(|text| String::from_utf8_lossy(text).into_owned()),
            no_delay: !config.read(directive::REPL_DISABLE_TCP_NODELAY),
            tls: mode != TransitEncryptionMode::Off || config.read(directive::TLS_REPLICATION),
            falls_back: mode == TransitEncryptionMode::Preferred,
        }
    }
}

/// Connects to the primary.
///
/// # Errors
/// [`DialError`], whose text says which side failed, why, and what to do.
pub(super) async fn dial(server: &Server, host: &str, port: u16) -> Result<Uplink, DialError> {
    let terms = Terms::new(&server.config.read());
    let connecting = async {
        let stream = connect(&terms, host, port).await?;
        if !terms.tls {
            return Ok(Uplink::Plain(stream));
        }
        match encrypt(server, stream, host, port).await {
            Err(DialError::NotTls(reason)) if terms.falls_back => {
                info!(
                    "MASTER {host}:{port} is followed in plaintext: {reason} (transit-encryption-mode preferred)"
                );
                let stream = connect(&terms, host, port).await?;
                Ok(Uplink::Plain(stream))
            }
            other => other,
        }
    };
    match tokio::time::timeout(terms.timeout, connecting).await {
        Ok(result) => result,
        Err(_elapsed) => Err(DialError::TimedOut),
    }
}

async fn connect(terms: &Terms, host: &str, port: u16) -> Result<TcpStream, DialError> {
    let name = (host.to_owned(), port);
    // Names are looked up with the system's resolver, which blocks; this thread has nothing else to do.
    let addresses: Vec<SocketAddr> = name
        .to_socket_addrs()
        .map_err(|error| DialError::Resolve(host.to_owned(), error))?
        .collect();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(DialError::Connect)?;
        if let Some(source) = &terms.source {
            let source = (source.as_str(), 0).to_socket_addrs();
            let source = source
                .ok()
                .into_iter()
                .flatten()
                .find(|source| source.is_ipv4() == address.is_ipv4());
            let bound = source.is_some_and(|source| socket.bind(source).is_ok());
            if !bound {
                return Err(DialError::Source(terms.source.clone().unwrap_or_default()));
            }
        }
        match socket.connect(address).await {
            Ok(stream) => {
                let set = stream.set_nodelay(terms.no_delay);
                set.map_err(DialError::Connect)?;
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
                SockRef::from(&stream)
                    .set_tcp_keepalive(&keepalive)
                    .map_err(DialError::Connect)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(DialError::Connect(last))
}

/// Idle time after which the system looks whether the other end is there.
const KEEPALIVE: Duration = Duration::from_secs(300);

async fn encrypt(
    server: &Server,
    stream: TcpStream,
    host: &str,
    port: u16,
) -> Result<Uplink, DialError> {
    let active = server.tls.current();
    let Some(tls) = &active.replication else {
        let remedy = "give tls-cert-file, tls-key-file and tls-ca-cert-file, and see the warnings of the start";
        return Err(DialError::Tls(
            "this server has no TLS configuration for links".to_owned(),
            remedy,
        ));
    };
    let name = tls
        .server_name(host)
        .map_err(|error| DialError::Tls(error.to_string(), "see tls-replication-verify-name"))?;
    let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
    let allowed_ms = server.limits.handshake_ms_max.load(Relaxed);
    let connecting = connector.connect(name, stream);
    let connected = tokio::time::timeout(Duration::from_millis(allowed_ms), connecting).await;
    let Ok(connected) = connected else {
        let reason = "the master does not answer in TLS (tls-handshake-timeout)".to_owned();
        return Err(DialError::NotTls(reason));
    };
    let stream = connected.map_err(|error| {
        let why = tls::explain_io(&error, Side::Client);
        let reason = why.reason.into_owned();
        if may_be_plaintext(&error, why.cause) {
            DialError::NotTls(reason)
        } else {
            DialError::Tls(reason, why.remedy)
        }
    })?;
    let checked = if tls.checks_name() {
        "its name was checked"
    } else {
        "its name was not checked (tls-replication-verify-name no)"
    };
    let negotiated = Negotiated::of(stream.get_ref().1);
    info!(
        "MASTER {host}:{port} is reached over TLS ({}); its certificate was verified, {checked}",
        negotiated.map_or_else(|| "unknown".to_owned(), |agreed| shown(&agreed)),
    );
    Ok(Uplink::Tls(Box::new(stream)))
}

/// Whether a handshake that failed like this may have met a plaintext port. Alerts about certificates come from an end that
/// speaks TLS: plaintext must not be tried after them.
fn may_be_plaintext(error: &io::Error, cause: Cause) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let refused = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
    matches!(cause, Cause::NotTls | Cause::Eof | Cause::Reset) || inner == Some(&refused)
}

/// What a TLS handshake that the other end breaks off may mean.
const PERHAPS_PLAINTEXT: &str = "see its log: it may refuse our certificate, or the port may be plaintext: give its TLS port, or set tls-replication no";

fn shown(agreed: &Negotiated) -> String {
    format!("{}:{}", agreed.version, agreed.cipher)
}

impl Uplink {
    /// The local and remote addresses.
    pub(super) fn addresses(&self) -> (String, String) {
        let socket = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        let text = |address: io::Result<SocketAddr>| {
            address
                .map(|address| address.to_string())
                .unwrap_or_default()
        };
        (text(socket.local_addr()), text(socket.peer_addr()))
    }

    /// TLS version and cipher.
    pub(super) fn tls(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Negotiated::of(stream.get_ref().1).map(|agreed| shown(&agreed)),
        }
    }
}

impl AsyncRead for Uplink {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Uplink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(host, error) => write!(f, "the name '{host}' means no address: {error}"),
            Self::Source(source) => write!(
                f,
                "no connection can be made from '{source}': see bind-source-addr"
            ),
            Self::Connect(error) => write!(f, "{error}"),
            Self::NotTls(reason) => write!(f, "TLS: {reason}; {PERHAPS_PLAINTEXT}"),
            Self::Tls(reason, remedy) => write!(f, "TLS: {reason}; {remedy}"),
            Self::TimedOut => f.write_str("Timeout connecting to the MASTER... (repl-timeout)"),
        }
    }
}
