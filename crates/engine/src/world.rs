//! What every call reads and only "everything" may change: pause, settings, audience.

use crate::eviction::EvictionRules;
use crate::observe::Thresholds;
use commands::{Audience, OnExpired, Settings};
use std::sync::Arc;

/// Settings and state that hold for all shards at one instant.
///
/// An `Arc` of it lies in every shard. Whoever holds one shard knows that it cannot change; whoever holds all of them may
/// replace it. Workers keep the last one they saw and check under the locks that it is still the one.
#[derive(Clone, Debug)]
pub struct World {
    /// What handlers read.
    pub settings: Settings,
    /// Who listens to effects.
    pub audience: Audience,
    /// Whether this server follows a primary.
    pub role: Role,
    /// Whether replicas may want what is executed.
    pub(crate) has_backlog: bool,
    /// Whether an append-only file is written.
    pub(crate) has_aof: bool,
    /// `replica-read-only`: whether a replica refuses writes of its clients.
    pub replica_read_only: bool,
    /// `replica-serve-stale-data`: whether a replica answers from old data while its primary is out of reach.
    pub serves_stale_data: bool,
    /// Whether writes are refused because too few replicas keep up (`min-replicas-to-write`).
    pub lacks_replicas: bool,
    /// Whether the primary's dataset is being loaded beside the present one, which is served meanwhile.
    pub async_loading: bool,
    /// Whether a coordinated failover is under way, which holds writes back as CLIENT PAUSE WRITE does.
    pub failing_over: bool,
    /// Whether the server is about to end, which holds writes back likewise.
    pub ending: bool,
    /// CLIENT PAUSE, while it lasts.
    pub pause: Option<Pause>,
    /// Every command waits: DEBUG SLEEP sleeps, or a transaction makes calls of the operating system, half done and without
    /// a lock. Whoever takes shards on its own account leaves the dataset as it is meanwhile.
    pub frozen: bool,
    /// Whether the dataset is being read: what needs it is refused.
    pub loading: bool,
    /// Whether the last save in the background failed.
    pub save_failed: bool,
    /// Whether writes are refused while saving fails (`stop-writes-on-bgsave-error`, with save points).
    pub writes_need_saves: bool,
    /// Whether a snapshot is being taken, so that what is written may have to wait.
    pub snapshot: bool,
    /// `snapshot-buffer-limit`: bytes that may wait to be written before calls that write wait.
    pub snapshot_buffer_limit: usize,
    /// Whether the default user has a password: who has not given it may only do what precedes authentication.
    pub password_required: bool,
    /// Bytes that the dataset may use; 0 for no limit.
    pub maxmemory: u64,
    /// `replica-ignore-maxmemory`: a replica leaves it to its primary which keys go.
    pub replica_ignores_maxmemory: bool,
    /// Which keys go when there are more.
    pub eviction: EvictionRules,
    /// Why the append-only file cannot be written just now: writes are refused meanwhile.
    pub aof_error: Option<Arc<str>>,
    /// Whether somebody monitors (MONITOR).
    pub monitored: bool,
    /// From where on calls are entered into logs.
    pub observed: Thresholds,
    /// Keys that tracking remembers (`tracking-table-max-keys`); 0 for no limit.
    pub tracked_keys_max: usize,
    /// `latency-tracking`: whether histograms of the time that calls take are kept.
    pub latency_tracking: bool,
    /// Whether DEBUG SET-ACTIVE-EXPIRE left active expiry on.
    pub active_expire: bool,
    /// `active-expire-effort`, 1 to 10: how much time active expiry may take.
    pub expire_effort: u8,
    /// `lazyfree-lazy-user-flush` and its siblings.
    pub lazy_user_flush: bool,
}

/// Whether this server follows a primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It does not: what it executes makes the history.
    #[default]
    Primary,
    /// It does.
    Replica {
        /// Counts the primaries that it was told to follow: a link made for an earlier one does not run commands any more.
        epoch: u64,
        /// Whether the link is up and the dataset is the primary's.
        is_linked: bool,
    },
}

/// What CLIENT PAUSE holds back, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// End, in Unix milliseconds.
    pub until_ms: i64,
    /// What is held back.
    pub scope: PauseScope,
}

/// Which commands CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// Commands that may write.
    Write,
    /// All commands.
    All,
}

impl Default for World {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            audience: Audience::default(),
            role: Role::Primary,
            has_backlog: false,
            has_aof: false,
            replica_read_only: true,
            serves_stale_data: true,
            lacks_replicas: false,
            async_loading: false,
            failing_over: false,
            ending: false,
            pause: None,
            frozen: false,
            loading: false,
            save_failed: false,
            writes_need_saves: false,
            snapshot: false,
            snapshot_buffer_limit: 64 << 20,
            password_required: false,
            maxmemory: 0,
            replica_ignores_maxmemory: true,
            eviction: EvictionRules::default(),
            aof_error: None,
            monitored: false,
            observed: Thresholds::default(),
            tracked_keys_max: 0,
            latency_tracking: true,
            active_expire: true,
            expire_effort: 1,
            lazy_user_flush: false,
        }
    }
}

impl From<Settings> for World {
    /// A world with these settings, and otherwise as a server begins.
    fn from(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }
}

impl World {
    /// Whether clients are held back at this Unix time in milliseconds, so that nothing else is to change the dataset either:
    /// keys are neither expired nor evicted, and replicas are asked nothing (PAUSE_ACTIONS_CLIENT_WRITE_SET, Redis 7.2).
    #[must_use]
    pub fn is_paused(&self, now_ms: i64) -> bool {
        self.failing_over || self.ending || self.pause.is_some_and(|pause| now_ms < pause.until_ms)
    }

    /// What becomes of a key that is found to have expired at this Unix time in milliseconds: nothing is deleted during a
    /// pause, and a replica waits for its primary's word.
    #[must_use]
    pub fn on_expired(&self, now_ms: i64) -> OnExpired {
        if self.is_replica() || self.is_paused(now_ms) {
            OnExpired::Hide
        } else {
            OnExpired::Delete
        }
    }

    /// Takes a role.
    pub fn play(&mut self, role: Role) {
        self.role = role;
        self.settle_log();
    }

    /// Has what is executed appended to the log for replicas, or not.
    pub fn log_for_replicas(&mut self, wanted: bool) {
        self.has_backlog = wanted;
        self.settle_log();
    }

    /// Has what is executed appended to the log for the append-only file, or not.
    pub fn log_to_file(&mut self, wanted: bool) {
        self.has_aof = wanted;
        self.settle_log();
    }

    /// A replica appends what its primary says, not what that does.
    fn settle_log(&mut self) {
        self.audience.log = !self.is_replica() && (self.has_backlog || self.has_aof);
    }

    /// Whether this server follows a primary.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.role != Role::Primary
    }

    /// Whether writes are refused because saving fails.
    #[must_use]
    pub fn refuses_writes(&self) -> bool {
        self.save_failed && self.writes_need_saves
    }

    /// Whether no rule of admission depends on the world just now, so that only arity and the session are looked at, and the
    /// memory in use where there is a limit to it.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.pause.is_none()
            && !self.frozen
            && !self.loading
            && !self.async_loading
            && !self.failing_over
            && !self.ending
            && self.aof_error.is_none()
            && !self.is_replica()
            && !self.lacks_replicas
            && !self.snapshot
            && !self.refuses_writes()
    }
}
