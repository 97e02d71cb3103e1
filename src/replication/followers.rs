//! The replicas: what they told of themselves, and how far they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};

use engine::clients::Client;
use parking_lot::Mutex;
use replication::Conf;

/// A connection that has said something of replication.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) client: Arc<Client>,
    pub(crate) conf: Mutex<Conf>,
    /// What it asked for, until the links thread takes it.
    pub(crate) asked: Mutex<Option<Psync>>,
    phase: AtomicU8,
    /// The offset that it has acknowledged, and when, in Unix milliseconds.
    pub(crate) acknowledged: AtomicU64,
    pub(crate) acknowledged_ms: AtomicI64,
    /// Whether it has acknowledged anything since its snapshot was sent.
    pub(crate) has_acknowledged: AtomicBool,
    /// The offset up to which the log was handed to its connection; everything when it reads none.
    pub(crate) sent: AtomicU64,
    /// Since when it has been over the soft limit, in Unix milliseconds; 0 while it is not.
    pub(crate) over_soft_ms: AtomicI64,
    /// When something was last written to it during its snapshot, in Unix milliseconds.
    pub(crate) written_ms: AtomicI64,
    /// Whether it has something to take, be it in the output or in the TLS session.
    pub(crate) has_to_take: AtomicBool,
    /// It is to be sent an empty line, so that it sees that we live.
    pub(crate) wants_newline: AtomicBool,
}

/// What a replica asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Psync {
    /// To go on in this history at this offset, counted from one.
    At {
        id: Vec<u8>,
        wanted: i64,
        /// It is the primary so far, and wants this server to become one (PSYNC ... FAILOVER).
        steps_down: bool,
    },
    /// Everything, without a word on where that is (SYNC).
    Old,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// It has only introduced itself.
    Talking,
    /// It waits for a snapshot to be begun.
    Waiting,
    /// Its snapshot is being made.
    Saving,
    /// Its snapshot is being sent as it is made.
    Streaming,
    /// Its snapshot is being sent from a file.
    Sending,
    /// It is sent the log while it loads its snapshot, which goes over a connection of its own.
    Loading,
    /// It follows the log.
    Online,
    /// It got the snapshot and wants nothing else (REPLCONF rdb-only).
    Satisfied,
}

/// All of them, by client number.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<BTreeMap<u64, Arc<Follower>>>);

impl Phase {
    /// What INFO and ROLE say.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Talking | Self::Waiting | Self::Saving | Self::Streaming => "wait_bgsave",
            Self::Sending => "send_bulk",
            Self::Loading => "bg_transfer",
            Self::Online => "online",
            Self::Satisfied => "rdb_transmitted",
        }
    }
}

impl Follower {
    fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            conf: Mutex::default(),
            asked: Mutex::default(),
            phase: AtomicU8::new(Phase::Talking as u8),
            acknowledged: AtomicU64::new(0),
            acknowledged_ms: AtomicI64::new(0),
            has_acknowledged: AtomicBool::new(false),
            sent: AtomicU64::new(u64::MAX),
            over_soft_ms: AtomicI64::new(0),
            written_ms: AtomicI64::new(0),
            has_to_take: AtomicBool::new(false),
            wants_newline: AtomicBool::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Talking,
            1 => Phase::Waiting,
            2 => Phase::Saving,
            3 => Phase::Streaming,
            4 => Phase::Sending,
            5 => Phase::Loading,
            6 => Phase::Online,
            _ => Phase::Satisfied,
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Bytes of the log, which ends at `log_end`, that have not been handed to its connection.
    pub(crate) fn behind(&self, log_end: u64) -> u64 {
        log_end.saturating_sub(self.sent.load(Relaxed))
    }

    /// Whether it keeps up well enough for `min-replicas-max-lag`, in seconds.
    pub(crate) fn is_good(&self, now_ms: i64, lag_max_s: i64) -> bool {
        let lag_s = (now_ms - self.acknowledged_ms.load(Relaxed)) / 1000;
        self.phase() == Phase::Online && lag_s <= lag_max_s
    }

    /// Which of its connections this is, where it has two.
    pub(crate) fn channel(&self) -> Option<&'static str> {
        if self.conf.lock().rdb_channel {
            Some("rdb-channel")
        } else {
            (self.phase() == Phase::Loading).then_some("main-channel")
        }
    }

    /// The address by which it is known, and its port.
    pub(crate) fn address(&self) -> (String, u16) {
        let conf = self.conf.lock();
        let ip = if conf.ip.is_empty() {
            let addr = &self.client.peer.addr;
            let ip = addr.rsplit_once(':').map_or(addr.as_str(), |(ip, _)| ip);
            ip.trim_matches(['[', ']']).to_owned()
        } else {
            String::from_utf8_lossy(&conf.ip).into_owned()
        };
        (ip, conf.port)
    }

    /// The name that the log uses (replicationGetSlaveName, Redis 7.2).
    pub(crate) fn name(&self) -> String {
        match self.address() {
            (ip, 0) => format!("{ip}:<unknown-replica-port>"),
            (ip, port) => format!("{ip}:{port}"),
        }
    }
}

impl Followers {
    /// The record of a connection, made if there is none.
    pub(crate) fn of(&self, client: &Arc<Client>) -> Arc<Follower> {
        let mut all = self.0.lock();
        let new = || Arc::new(Follower::new(Arc::clone(client)));
        Arc::clone(all.entry(client.id).or_insert_with(new))
    }

    /// Forgets a connection that has ended.
    pub(crate) fn forget(&self, client: u64) {
        self.0.lock().remove(&client);
    }

    /// Those that have asked for the dataset, in the order of their connections.
    pub(crate) fn all(&self) -> Vec<Arc<Follower>> {
        let all = self.0.lock();
        let asked = all
            .values()
            .filter(|follower| follower.phase() != Phase::Talking);
        asked.cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let all = self.0.lock();
        all.values()
            .all(|follower| follower.phase() == Phase::Talking)
    }

    /// Ends the connections of all replicas.
    pub(crate) fn disconnect_all(&self) {
        for follower in self.all() {
            follower.client.inbox.kill();
        }
    }
}
