//! Snapshots without fork: the dataset as it was at one instant, written while it changes.
//!
//! 1. The **cut** ([`Snapshot::begin`], [`Snapshot::begin_holding`]) is taken with every shard held: counts are noted, the
//!    parity of every database is flipped, and the caller's closure runs, which may note an offset of the log for instance.
//! 2. The **run** ([`Snapshot::run`]), on a thread of its own, walks the tables in short steps under one lock at a time and
//!    encodes outside of it. What calls change, replace or remove before the walk comes to it they hand to the **sink**
//!    (`store::cut` says how); the run takes from there first.
//! 3. The sink is bounded: when the process has grown by more than `snapshot-buffer-limit` since the cut, and about as much
//!    waits to be written, calls that write wait in admission, before they take locks.
//! 4. A run that is aborted, or whose target fails, goes on without writing, so that every entry has the parity of its
//!    database at the end: the next cut relies on it.
//!
//! **Invariant**: there is one snapshot at a time.

mod batch;
mod sink;
mod walk;

use self::sink::Sink;
use self::walk::Walker;
use crate::engine::Engine;
use crate::holding::Holding;
use crate::host::Host;
use crate::world::World;
use commands::Now;
use parking_lot::Mutex;
use persist::{RdbVersion, RdbWriter};
use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use store::{AccessPolicy, PreImages, Shard};

/// The snapshot under way, as all threads see it.
#[derive(Debug, Default)]
pub struct Snapshots {
    current: Mutex<Option<Arc<Sink>>>,
}

/// A snapshot that has been cut and is to be run. It must be run, or nobody can take another one.
#[derive(Debug)]
#[must_use = "a snapshot that is not run keeps others from being taken"]
pub struct Snapshot {
    sink: Arc<Sink>,
    /// Keys of each database at the cut.
    counts: Vec<Counts>,
    has_volatile_fields: bool,
    now: Now,
}

/// Keys of a database at the cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All keys.
    pub keys: u64,
    /// Those with a time to live.
    pub volatile: u64,
}

/// How far a snapshot has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// Keys at the cut.
    pub keys: u64,
    /// Keys that have been written.
    pub done: u64,
    /// Bytes that wait in the sink.
    pub waiting: u64,
    /// Bytes that were handed to the sink so far: what copy on write would have copied.
    pub handed_over: u64,
}

/// Another snapshot is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Why a run did not write all of its snapshot.
#[derive(Debug)]
pub enum SnapshotError {
    /// Somebody aborted it.
    Aborted,
    /// The target failed.
    Io(io::Error),
}

/// Who follows a run. It is called without a lock.
pub trait SnapshotObserver {
    /// A key is going to be written; `Break` aborts the run.
    fn key(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl SnapshotObserver for () {}

impl Snapshots {
    /// How far the snapshot under way has come.
    #[must_use]
    pub fn progress(&self) -> Option<SnapshotProgress> {
        self.current.lock().as_ref().map(|sink| sink.progress())
    }

    /// Aborts the snapshot under way: its run ends soon, with [`SnapshotError::Aborted`]. Whether there was one.
    pub fn abort(&self) -> bool {
        let current = self.current.lock();
        if let Some(sink) = &*current {
            sink.abort();
        }
        current.is_some()
    }

    /// Whether the snapshot under way was aborted.
    #[must_use]
    pub fn is_aborting(&self) -> bool {
        self.current
            .lock()
            .as_ref()
            .is_some_and(|sink| sink.is_aborted())
    }

    /// Bytes that the snapshot under way keeps from being freed, at most.
    pub(crate) fn waiting(&self) -> usize {
        self.current
            .lock()
            .as_ref()
            .map_or(0, |sink| sink.waiting())
    }

    /// Whether calls that write have to wait until more has been written of the snapshot under way.
    pub(crate) fn is_full(&self, limit: usize, host: &dyn Host) -> bool {
        let current = self.current.lock();
        current
            .as_ref()
            .is_some_and(|sink| sink.is_full(limit, host))
    }
}

impl Snapshot {
    /// Takes the cut from a thread that holds no shard and may wait. `at_cut` runs in the same instant, with every shard
    /// held.
    ///
    /// # Errors
    /// [`Busy`]; `at_cut` has not run then.
    pub fn begin<T>(engine: &Engine, at_cut: impl FnOnce() -> T) -> Result<(Self, T), Busy> {
        Self::begin_with(engine, at_cut, |_| ())
    }

    /// As [`Snapshot::begin`], and from that instant on every command waits, until the caller changes the world back.
    ///
    /// # Errors
    /// [`Busy`]; nothing waits then.
    pub fn begin_frozen<T>(engine: &Engine, at_cut: impl FnOnce() -> T) -> Result<(Self, T), Busy> {
        Self::begin_with(engine, at_cut, |world| world.frozen = true)
    }

    fn begin_with<T>(
        engine: &Engine,
        at_cut: impl FnOnce() -> T,
        change: impl FnOnce(&mut World),
    ) -> Result<(Self, T), Busy> {
        let mut held = engine.take_everything_whole();
        let now = engine.host.now();
        let snapshot = Self::cut(engine, &mut held.shards(), now)?;
        let noted = at_cut();
        let mut world = World::clone(&engine.world());
        world.snapshot = true;
        change(&mut world);
        engine.replace_world(&mut held, world);
        Ok((snapshot, noted))
    }

    /// Takes the cut from a command that holds every shard.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn begin_holding(held: &mut Holding<'_>) -> Result<Self, Busy> {
        let snapshot = Self::cut(held.engine, &mut held.shards, held.now)?;
        held.change_world(|world| world.snapshot = true);
        Ok(snapshot)
    }

    fn cut(engine: &Engine, shards: &mut [(u16, &mut Shard)], now: Now) -> Result<Self, Busy> {
        let mut current = engine.snapshots.current.lock();
        if current.is_some() {
            return Err(Busy);
        }
        let databases = shards.first().map_or(0, |(_, shard)| shard.databases());
        let mut counts = vec![Counts::default(); usize::from(databases)];
        let mut has_volatile_fields = false;
        let sink = Arc::new(Sink::new(engine.seed, engine.host.used_memory()));
        let images = Arc::clone(&sink) as Arc<dyn PreImages>;
        for (_, shard) in shards {
            for (number, counts) in (0..databases).zip(&mut counts) {
                let db = shard.db_mut(number);
                counts.keys += db.len() as u64;
                counts.volatile += db.volatile() as u64;
                has_volatile_fields |= db.volatile_hashes() > 0;
                db.begin_cut(number, &images);
            }
        }
        let keys = counts.iter().map(|counts| counts.keys).sum();
        sink.expect_keys(keys);
        *current = Some(Arc::clone(&sink));
        Ok(Self {
            sink,
            counts,
            has_volatile_fields,
            now,
        })
    }

    /// Keys of each database at the cut, by number.
    #[must_use]
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// The version of what is to be written: the one that Redis reads too, unless fields of hashes have deadlines.
    #[must_use]
    pub fn version(&self) -> RdbVersion {
        RdbVersion::of(self.has_volatile_fields)
    }

    /// When the cut was taken.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Writes every key of the cut into `out`, whose header the caller has written and which the caller finishes. It takes
    /// as long as `out` does; with a policy of `access`, what it says of the use of keys is written as well.
    ///
    /// # Errors
    /// [`SnapshotError`]. What was written until then is of no use. Either way another snapshot can be taken after that.
    pub fn run<W: Write>(
        self,
        engine: &Engine,
        out: &mut RdbWriter<W>,
        access: Option<AccessPolicy>,
        observer: &mut impl SnapshotObserver,
    ) -> Result<(), SnapshotError> {
        let mut walker = Walker::new(engine, &self.sink, out, access, self.now.ms(), observer);
        walker.walk(&self.counts);
        let result = walker.into_result();
        end(engine);
        result
    }

    /// Gives the snapshot up, when there is nobody to write it to.
    pub fn give_up(self, engine: &Engine) {
        self.sink.abort();
        let written = RdbWriter::new(
            io::sink(),
            RdbVersion::V80,
            persist::Compression::None,
            persist::Checksums::Ignore,
        );
        if let Ok(mut nowhere) = written {
            let _aborted = self.run(engine, &mut nowhere, None, &mut ());
        }
    }
}

/// Ends the snapshot whose walk is over: all entries have the parity of their database.
fn end(engine: &Engine) {
    let mut held = engine.take_everything();
    for (_, shard) in held.shards() {
        for db in 0..shard.databases() {
            shard.db_mut(db).end_cut();
        }
    }
    *engine.snapshots.current.lock() = None;
    let mut world = World::clone(&engine.world());
    world.snapshot = false;
    engine.replace_world(&mut held, world);
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => f.write_str("the snapshot was aborted"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SnapshotError {}
