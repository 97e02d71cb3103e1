//! The log itself: appending, keeping, trimming.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::reader::{Reader, Seat};
use crate::unit::{EXEC, Framing, MULTI, Unit, select};

/// The replication log.
#[derive(Debug, Default)]
pub struct Log {
    state: Mutex<State>,
    /// The offset of the end, for those who only want to know it.
    end: AtomicU64,
    /// Whether a reader sleeps.
    has_sleepers: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Full blocks, in order and without a gap.
    blocks: VecDeque<Block>,
    /// What comes after them and is not full yet.
    tail: Vec<u8>,
    tail_at: u64,
    /// The database that whoever follows has selected at the end; `None` makes the next command say it.
    db: Option<u16>,
    /// Bytes that the backlog keeps; `None` without a backlog.
    backlog: Option<u64>,
    seats: Vec<Arc<Seat>>,
    sleepers: Vec<Waker>,
    /// Where SELECT is spelled.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Block {
    at: u64,
    bytes: Bytes,
}

/// What part of the history is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Offset of the first byte kept.
    pub start: u64,
    /// Offset of the end.
    pub end: u64,
    /// Bytes of memory, those included that only a slow reader keeps alive.
    pub memory: u64,
    /// Bytes of memory of the backlog alone.
    pub backlog: u64,
    /// Whether there is a backlog.
    pub has_backlog: bool,
}

/// Bytes of a block. A reader copies what it wants of the last one, so it must not be large.
const BLOCK: usize = 16 * 1024;

impl Log {
    /// A log that is empty and keeps nothing.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The offset of the end.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end.load(Acquire)
    }

    /// Appends a unit, which is empty afterwards: the offset behind it.
    ///
    /// Nothing is kept without backlog and readers, but offsets go on.
    pub fn append(&self, unit: &mut Unit, framing: Framing) -> u64 {
        let wrapped = framing == Framing::Transaction && unit.commands.len() > 1;
        let mut state = self.state.lock();
        if wrapped {
            state.push(MULTI);
        }
        let one_db = unit
            .commands
            .iter()
            .all(|(_, db)| db.is_none() || *db == state.db);
        if one_db && unit.bytes.len() > BLOCK {
            state.push_large(Bytes::from(std::mem::take(&mut unit.bytes)));
        } else if one_db {
            state.push(&unit.bytes);
        } else {
            state.push_with_selects(unit);
        }
        if wrapped {
            state.push(EXEC);
        }
        let end = self.close(&mut state);
        drop(state);
        unit.clear();
        end
    }

    /// Appends the bytes of the primary that this server follows, which has selected a database at their end: the offset
    /// behind them.
    pub fn append_verbatim(&self, bytes: &[u8], db: u16) -> u64 {
        let mut state = self.state.lock();
        state.db = Some(db);
        if bytes.len() > BLOCK {
            state.push_large(Bytes::copy_from_slice(bytes));
        } else {
            state.push(bytes);
        }
        self.close(&mut state)
    }

    fn close(&self, state: &mut State) -> u64 {
        state.trim();
        let end = state.end();
        self.end.store(end, Release);
        end
    }

    /// Has the next command say its database: a reader that begins here has selected none.
    pub fn forget_db(&self) {
        self.state.lock().db = None;
    }

    /// Goes on at another offset, of another history: nothing is kept.
    pub fn restart(&self, end: u64) {
        let mut state = self.state.lock();
        state.blocks.clear();
        state.tail.clear();
        state.tail_at = end;
        state.db = None;
        self.end.store(end, Release);
    }

    /// Keeps at least so many of the last bytes from now on; `None` keeps nothing but what readers want.
    pub fn keep(&self, backlog: Option<u64>) {
        let mut state = self.state.lock();
        state.backlog = backlog;
        state.trim();
    }

    /// What is kept.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let state = self.state.lock();
        let memory = state.memory();
        Extent {
            start: state.start(),
            end: state.end(),
            memory,
            backlog: memory.min(state.backlog.unwrap_or(0)),
            has_backlog: state.backlog.is_some(),
        }
    }

    /// Bytes of memory that only slow readers keep, beyond the backlog and in what they hold themselves; and what `measure`
    /// finds while that does not change.
    pub fn beyond_backlog<T>(&self, measure: impl FnOnce() -> T) -> (u64, T) {
        let state = self.state.lock();
        let held: u64 = state.seats.iter().map(|seat| seat.held()).sum();
        let beyond = state.memory().saturating_sub(state.backlog.unwrap_or(0));
        (beyond + held, measure())
    }

    /// The database that whoever has followed to the end has selected, if that is known.
    #[must_use]
    pub fn db(&self) -> Option<u16> {
        self.state.lock().db
    }

    /// A reader of what comes after offset `from`, unless that is not kept any more or not there yet.
    #[must_use]
    pub fn reader(self: &Arc<Self>, from: u64) -> Option<Reader> {
        let mut state = self.state.lock();
        if from < state.start() || from > state.end() {
            return None;
        }
        let seat = Arc::new(Seat::new(from));
        state.seats.push(Arc::clone(&seat));
        drop(state);
        Some(Reader::new(Arc::clone(self), seat))
    }

    /// A reader of all that is appended from now on, and the offset at which it begins.
    #[must_use]
    pub fn reader_at_end(self: &Arc<Self>) -> (Reader, u64) {
        let mut state = self.state.lock();
        let from = state.end();
        let seat = Arc::new(Seat::new(from));
        state.seats.push(Arc::clone(&seat));
        drop(state);
        (Reader::new(Arc::clone(self), seat), from)
    }

    pub(crate) fn leave(&self, seat: &Arc<Seat>) {
        let mut state = self.state.lock();
        state.seats.retain(|other| !Arc::ptr_eq(other, seat));
        state.trim();
    }

    /// Copies or shares what lies behind offset `from`, up to about `max` bytes, into `out`: how many bytes.
    pub(crate) fn read(&self, from: u64, max: usize, out: &mut Vec<Bytes>) -> usize {
        self.state.lock().read(from, max, out)
    }

    /// Has `waker` woken when there is more than `from`; false when there is already.
    pub(crate) fn sleep(&self, from: u64, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if state.end() > from {
            return false;
        }
        if !state.sleepers.iter().any(|other| other.will_wake(waker)) {
            state.sleepers.push(waker.clone());
        }
        self.has_sleepers.store(true, Relaxed);
        true
    }

    /// Wakes the readers that sleep and have something to read. To be called after appending, without a lock held.
    #[inline]
    pub fn wake(&self) {
        if self.has_sleepers.load(Relaxed) {
            self.wake_sleepers();
        }
    }

    #[cold]
    fn wake_sleepers(&self) {
        let sleepers = {
            let mut state = self.state.lock();
            self.has_sleepers.store(false, Relaxed);
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn end(&self) -> u64 {
        self.tail_at + self.tail.len() as u64
    }

    fn start(&self) -> u64 {
        self.blocks.front().map_or(self.tail_at, |block| block.at)
    }

    /// Bytes of memory that it takes.
    fn memory(&self) -> u64 {
        let places = self.blocks.capacity() * size_of::<Block>() + self.tail.capacity();
        // Blocks follow each other without a gap.
        self.tail_at - self.start() + places as u64
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.tail.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            if self.tail.capacity() == 0 {
                self.tail.reserve_exact(BLOCK);
            }
            self.tail.extend_from_slice(now);
            if self.tail.len() >= BLOCK {
                self.seal();
            }
            bytes = later;
        }
    }

    /// Makes a block of the tail.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.tail));
            self.push_block(bytes);
        }
    }

    fn push_block(&mut self, bytes: Bytes) {
        let at = self.tail_at;
        self.tail_at += bytes.len() as u64;
        self.blocks.push_back(Block { at, bytes });
    }

    /// Takes large bytes over, in blocks that share them.
    fn push_large(&mut self, mut bytes: Bytes) {
        self.seal();
        while bytes.len() > LARGE_BLOCK {
            let block = bytes.split_to(LARGE_BLOCK);
            self.push_block(block);
        }
        self.push_block(bytes);
    }

    fn push_with_selects(&mut self, unit: &Unit) {
        let starts = unit.commands.iter();
        let ends = unit.commands.iter().skip(1).map(|(start, _)| *start);
        for ((start, db), end) in starts.zip(ends.chain([unit.bytes.len()])) {
            if let Some(db) = db.filter(|db| self.db != Some(*db)) {
                let mut words = std::mem::take(&mut self.scratch);
                words.clear();
                select(&mut words, db);
                self.push(&words);
                self.scratch = words;
                self.db = Some(db);
            }
            self.push(unit.bytes.get(*start..end).unwrap_or_default());
        }
    }

    /// Drops blocks that neither the backlog nor a reader wants.
    fn trim(&mut self) {
        let end = self.end();
        let backlog = end - self.backlog.unwrap_or(0).min(end);
        let Some(front) = self.blocks.front() else {
            return self.trim_tail();
        };
        // Most appends end here: the first block is still wanted.
        if front.at + front.bytes.len() as u64 > backlog {
            return;
        }
        let seats = self.seats.iter().map(|seat| seat.at());
        let wanted = seats.min().unwrap_or(end).min(backlog);
        while let Some(front) = self.blocks.front()
            && front.at + front.bytes.len() as u64 <= wanted
        {
            self.blocks.pop_front();
        }
        self.trim_tail();
    }

    /// Without backlog and readers nothing is kept at all.
    fn trim_tail(&mut self) {
        if self.backlog.is_none() && self.seats.is_empty() {
            self.tail_at = self.end();
            self.blocks.clear();
            self.tail.clear();
        }
    }

    fn read(&self, from: u64, max: usize, out: &mut Vec<Bytes>) -> usize {
        let (mut at, mut taken) = (from, 0);
        let first = self
            .blocks
            .partition_point(|block| block.at + block.bytes.len() as u64 <= from);
        for block in self.blocks.range(first..) {
            if taken >= max {
                return taken;
            }
            let skip = usize::try_from(at - block.at).unwrap_or(0);
            let bytes = block.bytes.slice(skip..);
            taken += bytes.len();
            at += bytes.len() as u64;
            out.push(bytes);
        }
        if taken < max && at < self.end() {
            let skip = usize::try_from(at - self.tail_at).unwrap_or(0);
            let bytes = self.tail.get(skip..).unwrap_or_default();
            taken += bytes.len();
            out.push(Bytes::copy_from_slice(bytes));
        }
        taken
    }
}

/// Bytes of a block that is a part of something large.
const LARGE_BLOCK: usize = 64 * 1024;
