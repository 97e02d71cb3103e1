//! The primary that is followed, and how the link to it does.

use config::composite::Primary;

use super::Target;

/// The primary that is followed.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) phase: LinkPhase,
    /// When something last came from it, in Unix milliseconds.
    pub(crate) heard_ms: i64,
    /// Since when the link has been down, in Unix milliseconds; 0 before it was up for the first time.
    pub(crate) down_since_ms: i64,
    /// Bytes of the snapshot that have arrived, and all of them, if that is known.
    pub(crate) received: u64,
    pub(crate) total: Option<u64>,
    /// Bytes of the stream that have arrived and wait for the end of CLIENT PAUSE.
    pub(crate) unread: u64,
    /// When a piece of it last arrived, in Unix milliseconds.
    pub(crate) piece_ms: i64,
    /// Why the last attempt failed, in a line.
    pub(crate) trouble: Option<String>,
    /// TLS version and cipher of the link, and whether the name was checked.
    pub(crate) tls: Option<String>,
    /// The client number of the link.
    pub(crate) client: Option<u64>,
}

/// How far the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkPhase {
    /// To be made.
    Connect,
    /// The connection is being made.
    Connecting,
    /// Both sides introduce themselves.
    Handshake,
    /// The snapshot is on its way.
    Sync,
    /// It is up.
    Connected,
}

impl LinkPhase {
    /// What ROLE says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Connecting => "connecting",
            Self::Handshake => "handshake",
            Self::Sync => "sync",
            Self::Connected => "connected",
        }
    }
}

impl Upstream {
    pub(super) fn new(primary: &Primary) -> Self {
        Self {
            host: String::from_utf8_lossy(&primary.host).into_owned(),
            port: primary.port,
            phase: LinkPhase::Connect,
            heard_ms: 0,
            down_since_ms: 0,
            received: 0,
            unread: 0,
            total: None,
            piece_ms: 0,
            trouble: None,
            tls: None,
            client: None,
        }
    }

    pub(super) fn target(&self, epoch: u64) -> Target {
        Target {
            epoch,
            host: self.host.clone(),
            port: self.port,
        }
    }
}
