//! Delays and planted faults at the places where a mistake of concurrency would show, for tests of histories. Without the
//! `failpoints` feature all of it is constant and costs nothing.

use crate::engine::Engine;
use crate::locks::{Held, ShardSet, Taker};
use crate::registry::Row;
use commands::keys::Positions;
use commands::{Flags, ManyShards};
use store::{Entry, Object};

/// A mistake that the engine makes on purpose, to show that a checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// None.
    None,
    /// EXEC reads the watch marks before it takes the locks.
    WatchBeforeLocks,
    /// Locks are waited for while others are held, and lanes take them from the last to the first.
    LocksOutOfOrder,
    /// The last key that a call wrote appears only after its reply was given.
    ReplyBeforeEffects,
    /// The last key that a call wrote appears only after its locks were released.
    EffectOutsideLocks,
}

/// Where a delay may be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Between taking one shard lock and the next.
    BetweenLocks,
    /// Between releasing the locks of a call and flushing its reply.
    AfterUnlock,
}

#[cfg(feature = "failpoints")]
pub(crate) use planted::{delay, is};
#[cfg(feature = "failpoints")]
pub use planted::{install, plant};

/// An entry that a planted fault withheld from its shard until after the locks were released.
#[derive(Debug)]
pub(crate) struct Late {
    db: u16,
    entry: Entry<Object>,
}

impl Late {
    /// Withholds the last key of a write, when a fault says so.
    pub(crate) fn of_call(
        engine: &Engine,
        db: u16,
        row: &Row,
        argv: &[&[u8]],
        held: &mut Held<'_>,
    ) -> Option<Self> {
        let planted = is(Fault::ReplyBeforeEffects) || is(Fault::EffectOutsideLocks);
        if !planted || !row.flags.contains(Flags::WRITE) {
            return None;
        }
        let mut positions = Positions::new();
        let _search = row.key_positions(argv, &mut positions);
        let key = *argv.get(positions.last()?.0)?;
        let entry = held
            .of_key_mut(key)
            .db_mut(db)
            .take(engine.seed.hash(key), key)?;
        Some(Self { db, entry })
    }

    /// Lets the entry appear.
    pub(crate) fn appear(self, engine: &Engine) {
        delay(Place::AfterUnlock);
        let shards = ShardSet::one(engine.locks.shard_of(self.entry.key()));
        let mut held = loop {
            match engine.locks.acquire(&shards, Taker::Worker) {
                Ok(held) => break held,
                Err(busy) => engine.locks.wait(busy, Taker::Worker).block(),
            }
        };
        let hash = engine.seed.hash(self.entry.key());
        for (_, shard) in held.shards() {
            if shard.db(self.db).get(hash, self.entry.key()).is_none() {
                let _nothing_was_there =
                    shard.db_mut(self.db).put(engine.seed, hash, self.entry, 0);
                return;
            }
        }
    }
}

/// Delays the calling thread, when a test has asked for it.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn delay(_place: Place) {}

/// Whether a test has planted this fault.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn is(_fault: Fault) -> bool {
    false
}

#[cfg(feature = "failpoints")]
mod planted {
    use super::{Fault, Place};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    static DELAY: OnceLock<fn(Place)> = OnceLock::new();
    static FAULT: AtomicU8 = AtomicU8::new(Fault::None as u8);

    /// Installs what delays the calls of this process; the first one stays.
    pub fn install(delay: fn(Place)) {
        let _already = DELAY.set(delay);
    }

    /// Plants a fault in this process, in place of the one before.
    pub fn plant(fault: Fault) {
        FAULT.store(fault as u8, Relaxed);
    }

    pub(crate) fn delay(place: Place) {
        if let Some(delay) = DELAY.get() {
            delay(place);
        }
    }

    pub(crate) fn is(fault: Fault) -> bool {
        FAULT.load(Relaxed) == fault as u8
    }
}
