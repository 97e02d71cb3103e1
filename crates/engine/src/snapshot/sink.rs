//! The sink: what calls hand over before they change it, until the run takes it.

use super::SnapshotProgress;
use crate::engine::Engine;
use crate::host::Host;
use parking_lot::Mutex;
use persist::Collection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use store::{Db, Entry, HashSeed, Object, Opening, PreImages, object_of};

/// What calls hand over before they change it.
#[derive(Debug)]
pub(super) struct Sink {
    /// Bytes that wait here, in opened values, and with the run: at least what the snapshot keeps from being freed.
    waiting: Arc<AtomicUsize>,
    /// Databases that wait: how many bytes they take is not known.
    flushed: AtomicUsize,
    /// Memory in use at the cut.
    used_at_cut: u64,
    /// Whether a call was told to wait.
    is_waited_for: AtomicBool,
    handed_over: AtomicU64,
    keys: AtomicU64,
    done: AtomicU64,
    is_aborted: AtomicBool,
    seed: HashSeed,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: Arrived,
    openings: BTreeMap<u64, Opened>,
    next_id: u64,
}

/// Whole entries and databases that were handed over, each with the number of its database at the cut.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) entries: Vec<Kept>,
    pub(super) flushed: Vec<(u16, Db)>,
}

/// An entry that was handed over.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) db: u16,
    pub(super) entry: Entry<Object>,
    /// Bytes that it counts for.
    pub(super) waiting: usize,
}

/// A large value that is delivered in pieces.
#[derive(Debug)]
struct Opened {
    facts: OpenedFacts,
    place: Place,
    /// Bytes that it counts for since it was removed.
    waiting: usize,
}

/// What an opened value was at the cut.
#[derive(Clone, Debug)]
pub(super) struct OpenedFacts {
    pub(super) id: u64,
    /// Its database.
    pub(super) db: u16,
    pub(super) key: Box<[u8]>,
    /// Its kind, and how many elements it had.
    pub(super) collection: Collection,
    pub(super) expiry: Option<i64>,
    pub(super) access: u32,
}

/// Where an opened value is.
#[derive(Debug)]
enum Place {
    /// At this key of the database that had this number at the cut.
    Live { db: u16, key: Box<[u8]> },
    /// It was removed from the keyspace.
    Removed(Object),
    /// The run has taken what was removed.
    Taken,
}

/// Where the run finds an opened value.
#[derive(Debug)]
pub(super) enum Found {
    /// At this key of the database that had this number at the cut, if it is still there once the shard is held.
    Live { db: u16, key: Box<[u8]> },
    /// Here, for it was removed from the keyspace.
    Removed(Object),
}

impl Sink {
    pub(super) fn new(seed: HashSeed, used_at_cut: u64) -> Self {
        Self {
            waiting: Arc::default(),
            flushed: AtomicUsize::new(0),
            used_at_cut,
            is_waited_for: AtomicBool::new(false),
            handed_over: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            done: AtomicU64::new(0),
            is_aborted: AtomicBool::new(false),
            seed,
            state: Mutex::default(),
        }
    }

    pub(super) fn expect_keys(&self, keys: u64) {
        self.keys.store(keys, Relaxed);
    }

    pub(super) fn count_done(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    pub(super) fn abort(&self) {
        self.is_aborted.store(true, Relaxed);
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(super) fn progress(&self) -> SnapshotProgress {
        let waiting = self.waiting() as u64;
        SnapshotProgress {
            keys: self.keys.load(Relaxed),
            done: self.done.load(Relaxed),
            waiting,
            handed_over: self.handed_over.load(Relaxed),
        }
    }

    /// Whether calls that write have to wait: the process has grown by more than `limit` bytes since the cut, and about as many
    /// wait to be written. What only moved here takes no room that it did not take before, however large it is.
    pub(super) fn is_full(&self, limit: usize, host: &dyn Host) -> bool {
        let is_full = self.exceeds(limit, host);
        if is_full {
            self.is_waited_for.store(true, Relaxed);
        }
        is_full
    }

    /// Whether calls that were told to wait may go on, all at once: there is some room again.
    pub(super) fn ease(&self, engine: &Engine) -> bool {
        if !self.is_waited_for.load(Relaxed) {
            return false;
        }
        let limit = engine.world().snapshot_buffer_limit;
        let has_room = !self.exceeds(limit - limit / 8, &*engine.host);
        if has_room {
            self.is_waited_for.store(false, Relaxed);
        }
        has_room
    }

    /// By how much the process has grown is known exactly, what of it waits only without what the allocator adds: up to a
    /// quarter of a block.
    fn exceeds(&self, limit: usize, host: &dyn Host) -> bool {
        (self.waiting() > limit - limit / 4 || self.flushed.load(Relaxed) > 0)
            && host.used_memory().saturating_sub(self.used_at_cut) > limit as u64
    }

    /// Takes all that has arrived. It counts as waiting until it is released.
    pub(super) fn take_arrived(&self) -> Arrived {
        std::mem::take(&mut self.state.lock().arrived)
    }

    /// So many bytes more are kept for the run.
    pub(super) fn retain(&self, bytes: usize) {
        if bytes > 0 {
            self.waiting.fetch_add(bytes, Relaxed);
        }
    }

    /// So many bytes have been written, or dropped.
    pub(super) fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.waiting.fetch_sub(bytes, Relaxed);
        }
    }

    /// A database that was taken has been written.
    pub(super) fn release_flushed(&self) {
        self.flushed.fetch_sub(1, Relaxed);
    }

    /// Some opened value that is to be delivered.
    pub(super) fn some_opened(&self) -> Option<OpenedFacts> {
        let state = self.state.lock();
        let opened = state.openings.values().next();
        opened.map(|opened| opened.facts.clone())
    }

    /// Where an opened value is. What was removed is given away with the answer.
    pub(super) fn find(&self, id: u64) -> Option<Found> {
        let mut state = self.state.lock();
        let place = &mut state.openings.get_mut(&id)?.place;
        if let Place::Live { db, key } = place {
            let (db, key) = (*db, key.clone());
            return Some(Found::Live { db, key });
        }
        match std::mem::replace(place, Place::Taken) {
            Place::Removed(object) => Some(Found::Removed(object)),
            Place::Live { .. } | Place::Taken => None,
        }
    }

    /// An opened value has been delivered whole. Bytes that it counts for.
    pub(super) fn close(&self, id: u64) -> usize {
        let opened = self.state.lock().openings.remove(&id);
        opened.map_or(0, |opened| opened.waiting)
    }

    fn count_handed_over(&self, bytes: usize) {
        self.handed_over.fetch_add(bytes as u64, Relaxed);
    }
}

impl Arrived {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.flushed.is_empty()
    }
}

impl PreImages for Sink {
    fn keep(&self, db: u16, entry: Entry<Object>) {
        let waiting = memory(&entry) + size_of::<Kept>();
        self.retain(waiting);
        self.count_handed_over(waiting);
        let kept = Kept { db, entry, waiting };
        self.state.lock().arrived.entries.push(kept);
    }

    fn open(&self, db: u16, entry: &Entry<Object>) -> Opening {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        let opening = Opening {
            id,
            waiting: Arc::clone(&self.waiting),
        };
        let key: Box<[u8]> = entry.key().into();
        let collection = object_of(entry).and_then(|object| match object {
            Object::Set(set) => Some(Collection::Set(set.len())),
            Object::ZSet(zset) => Some(Collection::ZSet(zset.len())),
            Object::Hash(hash) if hash.volatile() > 0 => Some(Collection::VolatileHash(hash.len())),
            Object::Hash(hash) => Some(Collection::Hash(hash.len())),
            Object::String(_) | Object::List(_) | Object::Stream(_) => None,
        });
        if let Some(collection) = collection {
            let opened = Opened {
                facts: OpenedFacts {
                    id,
                    db,
                    key: key.clone(),
                    collection,
                    expiry: entry.expiry(),
                    access: entry.access(),
                },
                place: Place::Live { db, key },
                waiting: 0,
            };
            state.openings.insert(id, opened);
        }
        opening
    }

    fn moved(&self, id: u64, db: u16, key: &[u8]) {
        if let Some(opened) = self.state.lock().openings.get_mut(&id) {
            let key = key.into();
            opened.place = Place::Live { db, key };
        }
    }

    fn removed(&self, id: u64, object: Object) {
        let memory = object.memory(SAMPLES);
        self.count_handed_over(memory);
        if let Some(opened) = self.state.lock().openings.get_mut(&id) {
            opened.place = Place::Removed(object);
            opened.waiting = memory;
            self.retain(memory);
        }
    }

    fn flushed(&self, number: u16, mut keys: Db) {
        self.flushed.fetch_add(1, Relaxed);
        let mut state = self.state.lock();
        for (id, opened) in &mut state.openings {
            if let Place::Live { db, key } = &opened.place
                && *db == number
                && let Some(object) = keys.take_opened(*id, self.seed.hash(key), key)
            {
                opened.place = Place::Removed(object);
            }
        }
        state.arrived.flushed.push((number, keys));
    }
}

/// Elements from which the memory of a value is estimated.
pub(super) const SAMPLES: usize = 3;

/// About how many bytes an entry takes, its value included.
fn memory(entry: &Entry<Object>) -> usize {
    entry.memory() + object_of(entry).map_or(0, |object| object.memory(SAMPLES))
}
