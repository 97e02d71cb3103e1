//! Every connection as the others see it: who it is, what it does, and how it is told something.

use crate::inbox::Inbox;
use dashmap::DashMap;
use parking_lot::Mutex;
use resp::Proto;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A connection's public side. The session itself belongs to the connection alone.
#[derive(Debug)]
pub struct Client {
    /// Unique and ascending.
    pub id: u64,
    /// Where it comes from.
    pub peer: Peer,
    /// Unix time of the accept in milliseconds.
    pub created_ms: i64,
    /// Names that the client gave itself and the user it is.
    pub names: Mutex<Names>,
    /// Figures that the session publishes for CLIENT LIST.
    pub shown: Shown,
    /// What others tell it.
    pub inbox: Inbox,
    /// Bytes that it was last charged in the sum of all.
    charged: AtomicU64,
}

/// Where a connection comes from, as CLIENT LIST shows it.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Remote address, `ip:port`; the path and `:0` for a Unix socket.
    pub addr: String,
    /// Local address in the same notation.
    pub laddr: String,
    /// File descriptor.
    pub fd: i32,
    /// Whether it came over a Unix socket.
    pub unix: bool,
    /// TLS version and cipher, such as `TLSv1.3:TLS_AES_256_GCM_SHA384`, when the connection is encrypted.
    pub tls: Option<String>,
}

/// What a client is called.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Vec<u8>,
    /// The authenticated user.
    pub user: Vec<u8>,
}

/// Figures that a session publishes about itself, without a lock.
#[derive(Debug, Default)]
pub struct Shown {
    /// Unix milliseconds of the last command.
    pub last_ms: AtomicI64,
    /// Database.
    pub db: AtomicU32,
    /// Number of the last command's row plus one; 0 before the first.
    pub command: AtomicU32,
    /// RESP version.
    pub proto: AtomicU32,
    /// Commands queued by MULTI plus one; 0 outside of MULTI.
    pub multi: AtomicU32,
    /// Bytes of the queued commands.
    pub multi_mem: AtomicU64,
    /// Channels subscribed to.
    pub sub: AtomicU32,
    /// Patterns subscribed to.
    pub psub: AtomicU32,
    /// Shard channels subscribed to.
    pub ssub: AtomicU32,
    /// Watched keys.
    pub watch: AtomicU32,
    /// State flags, see [`flag`].
    pub flags: AtomicU32,
    /// Unparsed request bytes.
    pub qbuf: AtomicU64,
    /// Free room of the request buffer.
    pub qbuf_free: AtomicU64,
    /// Bytes of the arguments being executed.
    pub argv_mem: AtomicU64,
    /// Reply bytes not yet sent.
    pub out: AtomicU64,
    /// Bytes allocated for replies.
    pub out_mem: AtomicU64,
    /// Bytes held by the TLS session.
    pub tls_mem: AtomicU64,
    /// Bytes of watched keys.
    pub watch_mem: AtomicU64,
    /// Bytes of the names subscribed to.
    pub sub_mem: AtomicU64,
    /// Bytes of the prefixes that broadcasts are wanted of.
    pub prefix_mem: AtomicU64,
    /// The most bytes that waited to be sent at once, lately.
    pub out_peak: AtomicU64,
    /// How it tracks, see [`flag`]; written under the mutex of the subscriptions.
    tracking: AtomicU32,
    /// The connection that is told in place of this one; 0 for none.
    redirect: AtomicU64,
}

/// Bits of [`Shown::flags`].
pub mod flag {
    /// Inside MULTI.
    pub const MULTI: u32 = 1;
    /// A watched key has changed.
    pub const DIRTY: u32 = 1 << 1;
    /// Closes once its output is sent.
    pub const CLOSING: u32 = 1 << 2;
    /// CLIENT NO-EVICT on.
    pub const NO_EVICT: u32 = 1 << 3;
    /// CLIENT NO-TOUCH on.
    pub const NO_TOUCH: u32 = 1 << 4;
    /// Waits for something: a pause, or a key.
    pub const BLOCKED: u32 = 1 << 5;
    /// A replica, which follows the log.
    pub const REPLICA: u32 = 1 << 8;
    /// It has said something of replication (REPLCONF).
    pub const TALKS: u32 = 1 << 31;
    /// The link to the primary that this server follows.
    pub const PRIMARY: u32 = 1 << 9;
    /// Can follow a redirection to another server (CLIENT CAPA REDIRECT, Valkey 8.0).
    pub const REDIRECT: u32 = 1 << 21;
    /// Sees every call (MONITOR).
    pub const MONITOR: u32 = 1 << 20;
    /// Subscribed to something.
    pub const PUBSUB: u32 = 1 << 7;
    /// Output goes nowhere (CLIENT REPLY OFF).
    pub const REPLY_OFF: u32 = 1 << 6;
    /// Tracks keys. This and the next two are asked of [`super::Client::has_tracking`].
    pub const TRACKING: u32 = 1;
    /// The connection that is told in its place was gone at the last message.
    pub const TRACKING_BROKEN: u32 = 1 << 1;
    /// Tracks prefixes.
    pub const TRACKING_BROADCAST: u32 = 1 << 2;
}

/// All connections by their id.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: DashMap<u64, Arc<Client>>,
    last_id: AtomicU64,
    /// Bytes that all connections are charged.
    charged: AtomicI64,
    /// Connections that wait for a pause to end or for a key.
    pub blocked: AtomicI64,
}

impl Client {
    /// A client that was accepted at `now_ms`.
    #[must_use]
    pub fn new(id: u64, peer: Peer, now_ms: i64) -> Self {
        let shown = Shown {
            last_ms: AtomicI64::new(now_ms),
            proto: AtomicU32::new(2),
            ..Shown::default()
        };
        Self {
            id,
            peer,
            created_ms: now_ms,
            names: Mutex::default(),
            shown,
            inbox: Inbox::default(),
            charged: AtomicU64::new(0),
        }
    }

    /// Sets or clears a bit of [`Shown::flags`]. Only the session itself calls this.
    pub fn set_flag(&self, bit: u32, on: bool) {
        let flags = self.shown.flags.load(Relaxed);
        self.shown
            .flags
            .store(if on { flags | bit } else { flags & !bit }, Relaxed);
    }

    /// The version of RESP that it speaks.
    #[must_use]
    pub fn proto(&self) -> Proto {
        match self.shown.proto.load(Relaxed) {
            3 => Proto::Resp3,
            _ => Proto::Resp2,
        }
    }

    /// Whether its connection is about to end, so that messages would not arrive.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.has_flag(flag::CLOSING) || self.inbox.is_killed()
    }

    /// Whether it tracks in the way of this bit of [`flag`].
    #[must_use]
    pub fn has_tracking(&self, bit: u32) -> bool {
        self.shown.tracking.load(Relaxed) & bit != 0
    }

    /// The connection that is told in place of this one: 0 for none, -1 when it does not track.
    #[must_use]
    pub fn redirect(&self) -> i64 {
        if self.has_tracking(flag::TRACKING) {
            i64::try_from(self.shown.redirect.load(Relaxed)).unwrap_or(i64::MAX)
        } else {
            -1
        }
    }

    /// Shows how it tracks.
    pub(crate) fn show_tracking(&self, bits: u32, redirect: Option<u64>) {
        self.shown.tracking.store(bits, Relaxed);
        self.shown.prefix_mem.store(0, Relaxed);
        self.shown.redirect.store(redirect.unwrap_or(0), Relaxed);
    }

    /// Shows that nobody is there to be told in its place.
    pub(crate) fn mark_tracking_broken(&self) {
        self.shown.tracking.fetch_or(flag::TRACKING_BROKEN, Relaxed);
    }

    /// Whether a bit of [`Shown::flags`] is set.
    #[must_use]
    pub fn has_flag(&self, bit: u32) -> bool {
        self.shown.flags.load(Relaxed) & bit != 0
    }
}

impl Clients {
    /// Enters a new connection.
    pub fn add(&self, peer: Peer, now_ms: i64) -> Arc<Client> {
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client::new(id, peer, now_ms));
        self.by_id.insert(id, Arc::clone(&client));
        client
    }

    /// Forgets a connection that has ended.
    pub fn remove(&self, id: u64) {
        if let Some((_, client)) = self.by_id.remove(&id) {
            self.charge(&client, 0);
        }
    }

    /// Charges a connection so many bytes, in place of what it was charged before; what all are charged together.
    pub fn charge(&self, client: &Client, bytes: u64) -> u64 {
        let before = client.charged.swap(bytes, Relaxed);
        let change = bytes.wrapping_sub(before) as i64;
        let sum = self.charged.fetch_add(change, Relaxed).wrapping_add(change);
        u64::try_from(sum).unwrap_or(0)
    }

    /// What all connections are charged together.
    #[must_use]
    pub fn charged(&self) -> u64 {
        u64::try_from(self.charged.load(Relaxed)).unwrap_or(0)
    }

    /// The connection of this id, unless it is about to end.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Client>> {
        let client = self.by_id.get(&id).map(|client| Arc::clone(&client));
        client.filter(|client| !client.inbox.is_killed())
    }

    /// All connections but those that are about to end, by ascending id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self
            .by_id
            .iter()
            .filter(|client| !client.inbox.is_killed())
            .map(|client| Arc::clone(&client))
            .collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
