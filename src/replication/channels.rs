//! What comes after snapshots that go over connections of their own, kept until their replicas ask for it over others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use log::Reader;
use parking_lot::Mutex;

use super::Follower;

/// Streams that are kept, by the client number of the connection over which the snapshot goes.
#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<BTreeMap<u64, Kept>>);

#[derive(Debug)]
struct Kept {
    /// The connection of the snapshot.
    follower: Arc<Follower>,
    /// As long as it is here the log keeps what comes after the snapshot.
    _reader: Reader,
    /// When that connection ended, in Unix milliseconds.
    parted_ms: Option<i64>,
}

/// How long a stream is kept when the connection of the snapshot has ended (DEFAULT_WAIT_BEFORE_RDB_CLIENT_FREE, Valkey 8).
const GRACE_MS: i64 = 60_000;

impl Channels {
    /// Keeps what comes after the snapshot of this connection.
    pub(crate) fn keep(&self, follower: &Arc<Follower>, reader: Reader) {
        follower.sent.store(reader.at(), Relaxed);
        let kept = Kept {
            follower: Arc::clone(follower),
            _reader: reader,
            parted_ms: None,
        };
        self.0.lock().insert(follower.client.id, kept);
    }

    /// Whether something is kept for the snapshot of this connection.
    pub(crate) fn has(&self, client: u64) -> bool {
        self.0.lock().contains_key(&client)
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Keeps it no longer: whether it was.
    pub(crate) fn release(&self, client: u64) -> bool {
        let kept = self.0.lock().remove(&client);
        if let Some(kept) = &kept {
            // From now on the other connection lags behind, not this one.
            kept.follower.sent.store(u64::MAX, Relaxed);
        }
        kept.is_some()
    }

    /// The connection of the snapshot has ended.
    pub(crate) fn part(&self, client: u64, now_ms: i64) {
        if let Some(kept) = self.0.lock().get_mut(&client) {
            kept.parted_ms = Some(now_ms);
        }
    }

    /// Those whose connection has ended.
    pub(crate) fn parted(&self) -> Vec<Arc<Follower>> {
        let all = self.0.lock();
        let parted = all.values().filter(|kept| kept.parted_ms.is_some());
        parted.map(|kept| Arc::clone(&kept.follower)).collect()
    }

    /// Lets go of those that nobody has asked for in the minute since their connection ended, and tells whose they are.
    pub(crate) fn release_old(&self, now_ms: i64) -> Vec<Arc<Follower>> {
        let mut released = Vec::new();
        self.0.lock().retain(|_, kept| {
            let is_old = kept.parted_ms.is_some_and(|at| now_ms - at > GRACE_MS);
            if is_old {
                released.push(Arc::clone(&kept.follower));
            }
            !is_old
        });
        released
    }
}
