//! The shard locks: taken in ascending order, spun on briefly, never waited for while another is held.
//!
//! 1. A call names every shard that it can touch before it runs ([`ShardSet`]).
//! 2. [`Locks::acquire`] takes them in ascending order. A busy shard is spun on for about 5 us; then everything that was
//!    taken is released and the call gets a [`ShardWait`], on which the connection, never its thread, is suspended.
//! 3. Nothing has run by then, so nothing is undone: the caller starts again when the shard is free.
//! 4. A connection that lost eight times holds a [`Reservation`]: no lane call may start on its shards before it has run. It
//!    is given up where the connection comes to wait for something else, or goes to a lane itself.
//!
//! **Invariant**: nobody waits without bound while holding a shard, so no cycle of waiters can form.

use crate::failpoint::{self, Fault, Place};
use crate::world::World;
use commands::{ManyShards, Shards};
use smallvec::SmallVec;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use store::Shard;
use store::sync::{AtomicU32, Event, EventListener, Mutex, MutexGuard, Ordering, fence};

/// All shards of the keyspace, each behind its lock. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Locks {
    cells: Arc<[Cell]>,
}

/// What lies under one lock.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The shard's data.
    pub shard: Shard,
    /// Role, pause and settings. Holding one shard they cannot change; holding all of them they may be replaced.
    pub world: Arc<World>,
}

/// Shards that a call needs, ascending and without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardSet {
    /// These shards.
    Some(SmallVec<[u16; 4]>),
    /// Every shard.
    All,
}

/// Shards that are held, in ascending order. Dropping it releases them and wakes those who wait.
#[derive(Debug)]
pub struct Held<'a> {
    guards: SmallVec<[(u16, MutexGuard<'a, Guarded>); 2]>,
    cells: &'a [Cell],
}

/// Who takes locks: decides whether reservations of others are respected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// A call on a worker, short by construction.
    Worker,
    /// A call on a lane, which may hold its shards for long.
    Lane,
}

#[derive(Debug)]
#[repr(align(128))]
struct Cell {
    mutex: Mutex<Guarded>,
    /// Connections that are suspended on this shard.
    waiting: AtomicU32,
    /// Connections that must come before the next lane call.
    reserved: AtomicU32,
    freed: Event,
}

/// Resolves when the shard that was busy may be free.
#[derive(Debug)]
pub struct ShardWait {
    listener: EventListener,
    _announced: Announced,
}

/// Counts a waiter of a shard for as long as it lives, so that whoever frees the shard looks for one.
#[derive(Debug)]
struct Announced {
    locks: Locks,
    shard: u16,
}

/// Keeps lane calls from starting on the shards of a connection that lost too often.
#[derive(Debug)]
pub struct Reservation {
    locks: Locks,
    shards: ShardSet,
}

/// Tries until a call gets a [`Reservation`].
pub(crate) const TRIES_MAX: u32 = 8;

/// Rounds of spinning on one busy shard: about 5 us; one in explorations, where spinning only adds schedules.
const SPINS: u32 = if cfg!(shuttle) { 1 } else { 100 };

impl Locks {
    /// Locks around `shards`, whose number is a power of two.
    #[must_use]
    pub fn new(shards: Vec<Shard>, world: &Arc<World>) -> Self {
        debug_assert!(shards.len().is_power_of_two());
        let cell = |shard| Cell {
            mutex: Mutex::new(Guarded {
                shard,
                world: Arc::clone(world),
            }),
            waiting: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            freed: Event::new(),
        };
        Self {
            cells: shards.into_iter().map(cell).collect(),
        }
    }

    /// The number of shards.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cells.len()
    }

    /// The shard of a key: the low bits of its cluster slot, so that keys of one `{tag}` share it.
    #[must_use]
    pub fn shard_of(&self, key: &[u8]) -> u16 {
        shard_among(&self.cells, key)
    }

    /// Takes `shards`, or says which of them was busy.
    pub fn acquire(&self, shards: &ShardSet, taker: Taker) -> Result<Held<'_>, u16> {
        let mut held = self.nothing();
        held.acquire(shards, taker)?;
        Ok(held)
    }

    /// No shard yet: see [`Held::acquire`].
    #[inline]
    pub fn nothing(&self) -> Held<'_> {
        Held {
            guards: SmallVec::new(),
            cells: &self.cells,
        }
    }

    /// Takes one shard if nobody has it.
    #[inline]
    pub(crate) fn try_one(&self, shard: u16) -> Option<Held<'_>> {
        let guard = self.cells.get(usize::from(shard))?.mutex.try_lock()?;
        Some(Held {
            guards: smallvec::smallvec![(shard, guard)],
            cells: &self.cells,
        })
    }

    /// Lets `look` see a shard, if it is free this instant; never waits.
    #[inline]
    pub(crate) fn glance<R>(&self, shard: u16, look: impl FnOnce(&Shard) -> R) -> Option<R> {
        let cell = self.cells.get(usize::from(shard))?;
        let guard = cell.mutex.try_lock()?;
        let seen = look(&guard.shard);
        drop(guard);
        cell.tell_waiting();
        Some(seen)
    }

    /// A future that resolves when `taker` may find `shard` free: nobody has it and, for a lane, nobody has reserved it. It
    /// resolves at once when that is so already.
    #[must_use]
    pub fn wait(&self, shard: u16, taker: Taker) -> ShardWait {
        let wait = self.listen(shard);
        let cell = &self.cells[usize::from(shard)];
        if !cell.mutex.is_locked() && !cell.is_reserved(taker) {
            cell.freed.notify(usize::MAX);
        }
        wait
    }

    /// Waits for the next time that somebody frees `shard`.
    fn listen(&self, shard: u16) -> ShardWait {
        let cell = &self.cells[usize::from(shard)];
        cell.waiting.fetch_add(1, Ordering::SeqCst);
        let announced = Announced {
            locks: self.clone(),
            shard,
        };
        let listener = cell.freed.listen();
        fence(Ordering::SeqCst);
        ShardWait {
            listener,
            _announced: announced,
        }
    }

    /// Lets those come first who wait for `shard` just now, for a millisecond at most: for a thread that takes it again and again,
    /// which would else be there before each of them that was woken.
    pub(crate) fn give_way(&self, shard: u16) {
        const GIVEN_US: u64 = 1000;
        let Some(cell) = self.cells.get(usize::from(shard)) else {
            return;
        };
        if cell.waiting.load(Ordering::Relaxed) > 0 {
            let turn = self.listen(shard);
            store::sync::wait_for(turn.listener, Duration::from_micros(GIVEN_US));
        }
    }

    /// Reserves `shards` against lane calls.
    #[must_use]
    pub fn reserve(&self, shards: ShardSet) -> Reservation {
        let reservation = Reservation {
            locks: self.clone(),
            shards,
        };
        reservation.for_each(|cell| {
            cell.reserved.fetch_add(1, Ordering::Relaxed);
        });
        reservation
    }
}

impl Default for ShardSet {
    fn default() -> Self {
        Self::none()
    }
}

impl ShardSet {
    /// No shard at all.
    #[must_use]
    pub fn none() -> Self {
        Self::Some(SmallVec::new())
    }

    /// One shard.
    #[must_use]
    pub fn one(shard: u16) -> Self {
        Self::Some(smallvec::smallvec![shard])
    }

    /// Adds a shard, keeping the order.
    pub fn insert(&mut self, shard: u16) {
        if let Self::Some(shards) = self
            && let Err(at) = shards.binary_search(&shard)
        {
            shards.insert(at, shard);
        }
    }

    /// Adds all shards of `other`.
    pub fn union(&mut self, other: &Self) {
        match other {
            Self::Some(shards) => shards.iter().for_each(|shard| self.insert(*shard)),
            Self::All => *self = Self::All,
        }
    }

    /// Whether it names no shard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Some(shards) if shards.is_empty())
    }
}

impl<'a> Held<'a> {
    /// The shards with their numbers, for a handler's context.
    pub fn shards(&mut self) -> SmallVec<[(u16, &mut Shard); 2]> {
        self.guards
            .iter_mut()
            .map(|(number, guard)| (*number, &mut guard.shard))
            .collect()
    }

    /// The shards as a handler's context sees them.
    pub fn view(&mut self) -> Shards<'_> {
        if self.guards.len() == 1 {
            Shards::One(&mut self.guards[0].1.shard)
        } else {
            Shards::Many(self)
        }
    }

    /// The world under the locks, when any is held.
    #[must_use]
    pub fn world(&self) -> Option<&Arc<World>> {
        self.guards.first().map(|(_, guard)| &guard.world)
    }

    /// Notes a write of the held shards, behind which the log stands at this offset.
    pub fn note_write(&mut self, offset: u64) {
        for (_, guard) in &mut self.guards {
            guard.shard.written = offset;
        }
    }

    /// The offset of the log behind the last write of the held shards.
    #[must_use]
    pub fn written(&self) -> u64 {
        let written = self.guards.iter().map(|(_, guard)| guard.shard.written);
        written.max().unwrap_or(0)
    }

    /// Whether somebody waits for a key of a held shard: the exception, found by one look a shard.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.guards
            .iter()
            .any(|(_, guard)| !guard.shard.waiters.is_empty())
    }

    /// Whether all of these shards are held.
    #[must_use]
    pub fn covers(&self, shards: &ShardSet) -> bool {
        match shards {
            ShardSet::Some(shards) => shards.iter().all(|shard| self.holds(*shard)),
            ShardSet::All => self.is_everything(),
        }
    }

    /// Whether this shard is held.
    #[must_use]
    pub fn holds(&self, shard: u16) -> bool {
        self.guards
            .binary_search_by_key(&shard, |(held, _)| *held)
            .is_ok()
    }

    /// Whether every shard is held.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.guards.len() == self.cells.len()
    }

    /// Replaces the world. Every shard must be held.
    pub fn replace_world(&mut self, world: &Arc<World>) {
        debug_assert!(
            self.is_everything(),
            "the world is replaced under all locks"
        );
        for (_, guard) in &mut self.guards {
            guard.world = Arc::clone(world);
        }
    }

    /// Where among the held shards that of `key` is.
    fn position(&self, key: &[u8]) -> usize {
        let shard = shard_among(self.cells, key);
        let at = self.guards.binary_search_by_key(&shard, |(held, _)| *held);
        at.expect("a call names the shards of its keys before it runs")
    }

    /// What must never be done: waiting for a shard while another is held, and lanes from the last to the first.
    #[cold]
    fn take_out_of_order(&mut self, shards: &ShardSet, taker: Taker) {
        let mut order: SmallVec<[u16; 4]> = match shards {
            ShardSet::Some(shards) => shards.clone(),
            ShardSet::All => (0..self.cells.len() as u16).collect(),
        };
        if taker == Taker::Lane {
            order.reverse();
        }
        for shard in order {
            let guard = self.cells[usize::from(shard)].mutex.lock();
            self.guards.push((shard, guard));
        }
        self.guards.sort_unstable_by_key(|(shard, _)| *shard);
    }

    #[inline]
    fn take(&mut self, shard: u16, taker: Taker) -> Result<(), u16> {
        let cell = &self.cells[usize::from(shard)];
        if cell.is_reserved(taker) {
            return Err(shard);
        }
        let guard = cell.mutex.try_lock().or_else(|| spin(cell)).ok_or(shard)?;
        failpoint::delay(Place::BetweenLocks);
        self.guards.push((shard, guard));
        Ok(())
    }
}

impl ManyShards for Held<'_> {
    fn of_key(&self, key: &[u8]) -> &Shard {
        &self.guards[self.position(key)].1.shard
    }

    fn of_key_mut(&mut self, key: &[u8]) -> &mut Shard {
        let at = self.position(key);
        &mut self.guards[at].1.shard
    }
}

impl Held<'_> {
    /// Takes `shards` while none is held, or releases them again and says which of them was busy.
    ///
    /// [`Locks::acquire`] in place: guards that are moved cost the hottest path as much as the locks.
    #[inline]
    pub fn acquire(&mut self, shards: &ShardSet, taker: Taker) -> Result<(), u16> {
        debug_assert!(self.guards.is_empty(), "shards are taken in one go");
        if failpoint::is(Fault::LocksOutOfOrder) {
            self.take_out_of_order(shards, taker);
            return Ok(());
        }
        let taken = match shards {
            ShardSet::Some(shards) => shards.iter().try_for_each(|shard| self.take(*shard, taker)),
            ShardSet::All => {
                (0..self.cells.len() as u16).try_for_each(|shard| self.take(shard, taker))
            }
        };
        if taken.is_err() {
            self.release();
        }
        taken
    }

    /// Releases all shards.
    #[inline]
    pub(crate) fn release(&mut self) {
        for (shard, guard) in self.guards.drain(..) {
            drop(guard);
            self.cells[usize::from(shard)].tell_waiting();
        }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.release();
    }
}

impl Cell {
    /// Wakes those who wait for the shard, which has been freed just now.
    #[inline]
    fn tell_waiting(&self) {
        // A waiter announces itself, then looks at the lock; the lock is freed, then the announcement is read.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify(usize::MAX);
        }
    }

    /// Whether a connection that lost too often comes before `taker`.
    #[inline]
    fn is_reserved(&self, taker: Taker) -> bool {
        taker == Taker::Lane && self.reserved.load(Ordering::Relaxed) > 0
    }
}

impl Reservation {
    fn for_each(&self, act: impl Fn(&Cell)) {
        match &self.shards {
            ShardSet::Some(shards) => shards
                .iter()
                .for_each(|shard| act(&self.locks.cells[usize::from(*shard)])),
            ShardSet::All => self.locks.cells.iter().for_each(act),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.for_each(|cell| {
            cell.reserved.fetch_sub(1, Ordering::Relaxed);
            // A lane announces itself, then looks at the reservations; they end, then the listeners are woken.
            fence(Ordering::SeqCst);
            cell.freed.notify(usize::MAX);
        });
    }
}

impl ShardWait {
    /// Blocks the thread until the shard may be free; for lane threads.
    pub fn block(self) {
        let Self {
            listener,
            _announced,
        } = self;
        store::sync::wait(listener);
    }
}

impl Future for ShardWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.listener).poll(cx)
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.locks.cells[usize::from(self.shard)]
            .waiting
            .fetch_sub(1, Ordering::Relaxed);
    }
}

/// The shard of a key among so many, whose number is a power of two.
fn shard_among(cells: &[Cell], key: &[u8]) -> u16 {
    store::slot::of(key) & (cells.len() as u16 - 1)
}

#[cold]
fn spin(cell: &Cell) -> Option<MutexGuard<'_, Guarded>> {
    (0..SPINS).find_map(|_| {
        store::sync::spin_loop();
        if cell.mutex.is_locked() {
            None
        } else {
            cell.mutex.try_lock()
        }
    })
}
