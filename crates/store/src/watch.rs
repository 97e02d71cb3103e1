//! Who watches which key (WATCH), as opaque marks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when a key that a client watches has changed. Written and read under the shard's lock.
#[derive(Debug, Default)]
pub struct WatchMark(AtomicBool);

/// The watched keys of one shard, in all databases.
#[derive(Debug, Default)]
pub struct Watchers {
    keys: HashMap<(u16, Box<[u8]>), Vec<Watcher>>,
}

/// What has become of a watched key whose database was exchanged or emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is no such key.
    Absent,
    /// There is one whose time is over.
    Expired,
    /// There is one.
    Alive,
}

/// One client's watch of one key.
#[derive(Debug)]
struct Watcher {
    mark: Arc<WatchMark>,
    /// The key's time was over when WATCH was called: its deletion is no change (touchWatchedKey, Redis 7.2).
    stale: bool,
}

impl WatchMark {
    /// Notes a change.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a change was noted.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watchers {
    /// Whether nothing is watched: the common case, which must cost nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Watches `key` of database `db` for `mark`; `stale` when the key had expired already.
    pub fn add(&mut self, db: u16, key: &[u8], mark: &Arc<WatchMark>, stale: bool) {
        self.keys
            .entry((db, key.into()))
            .or_default()
            .push(Watcher {
                mark: Arc::clone(mark),
                stale,
            });
    }

    /// Stops watching `key` for `mark`.
    pub fn remove(&mut self, db: u16, key: &[u8], mark: &Arc<WatchMark>) {
        let name = (db, Box::from(key));
        if let Some(watchers) = self.keys.get_mut(&name) {
            watchers.retain(|watcher| !Arc::ptr_eq(&watcher.mark, mark));
            if watchers.is_empty() {
                self.keys.remove(&name);
            }
        }
    }

    /// Whether `mark` watches `key` and the key was alive when it began to, so that its expiry is a change.
    #[must_use]
    pub fn watches_living(&self, db: u16, key: &[u8], mark: &Arc<WatchMark>) -> bool {
        let watchers = self.keys.get(&(db, Box::from(key)));
        watchers.is_some_and(|watchers| {
            watchers
                .iter()
                .any(|watcher| Arc::ptr_eq(&watcher.mark, mark) && !watcher.stale)
        })
    }

    /// Notes that `key` of database `db` has changed, and whether it exists now.
    pub fn touch(&mut self, db: u16, key: &[u8], exists: bool) {
        if let Some(watchers) = self.keys.get_mut(&(db, Box::from(key))) {
            for watcher in watchers {
                if watcher.stale && !exists {
                    watcher.stale = false;
                } else {
                    watcher.mark.set();
                }
            }
        }
    }

    /// Notes that the database of `key` was exchanged or emptied as a whole: whether the key `existed` in it, and what it is
    /// now (touchAllWatchedKeysInDb, Redis 7.2).
    pub fn exchange(&mut self, db: u16, key: &[u8], existed: bool, now: Presence) {
        if !existed && now == Presence::Absent {
            return;
        }
        let watchers = self.keys.get_mut(&(db, Box::from(key)));
        for watcher in watchers.into_iter().flatten() {
            match (watcher.stale, now) {
                (true, Presence::Absent) => watcher.stale = false,
                (true, Presence::Expired) => {}
                (false, Presence::Expired) if !existed => watcher.stale = true,
                _ => watcher.mark.set(),
            }
        }
    }

    /// The watched keys of database `db`.
    pub fn keys_of(&self, db: u16) -> impl Iterator<Item = &[u8]> {
        self.keys
            .keys()
            .filter(move |(watched, _)| *watched == db)
            .map(|(_, key)| &**key)
    }
}
