//! Where replies wait until what they reveal is in the append-only file.
//!
//! 1. Each shard keeps the offset of the log behind its last write. A call takes the highest of those of the shards that it
//!    held, its own write included, for what its reply reveals.
//! 2. A connection flushes when the file has come to there: when it is written, or with `appendfsync always` on disk. Reads
//!    of shards that nobody has written to of late never wait.
//! 3. Who writes the file says how far it is, and wakes whoever that lets go: one write for all of them.

use crate::engine::Engine;
use crate::world::World;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::task::{Context, Poll, Waker};

/// Holds replies back.
#[derive(Debug)]
pub struct Gate {
    /// Up to which offset of the log replies may reveal what was written.
    passed: AtomicU64,
    waiting: Mutex<Vec<(u64, Waker)>>,
}

/// The gate that is not there: everything passes.
const OPEN: u64 = u64::MAX;

impl Default for Gate {
    fn default() -> Self {
        Self {
            passed: AtomicU64::new(OPEN),
            waiting: Mutex::default(),
        }
    }
}

impl Gate {
    /// Lets everything pass that reveals nothing behind this offset.
    pub fn pass(&self, offset: u64) {
        self.passed.store(offset, Release);
        let mut free = Vec::new();
        self.waiting.lock().retain(|(wanted, waker)| {
            let waits = *wanted > offset;
            if !waits {
                free.push(waker.clone());
            }
            waits
        });
        free.into_iter().for_each(Waker::wake);
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.pass(OPEN);
    }

    /// Whether anything is held back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.passed.load(Acquire) == OPEN
    }

    fn wait(&self, offset: u64, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting.lock();
        // Who moves on does so before it looks who waits.
        if offset <= self.passed.load(Acquire) {
            return Poll::Ready(());
        }
        waiting.retain(|(_, waker)| !waker.will_wake(cx.waker()));
        waiting.push((offset, cx.waker().clone()));
        Poll::Pending
    }
}

impl Engine {
    /// Whether what reveals the log up to `offset` may pass; if not, the task is woken when it may.
    #[inline]
    pub fn poll_gate(&self, offset: &mut u64, cx: &Context<'_>) -> Poll<()> {
        if *offset <= self.gate.passed.load(Acquire) {
            return Poll::Ready(());
        }
        self.wait_at_gate(offset, cx)
    }

    /// What lies behind the end of the log is of a history that was given up for that of a primary.
    #[cold]
    fn wait_at_gate(&self, offset: &mut u64, cx: &Context<'_>) -> Poll<()> {
        *offset = self.log.end().min(*offset);
        self.gate.wait(*offset, cx)
    }

    /// Has replies wait from now on until what they reveal is in the file, which has everything up to this offset; or not
    /// any more. From a thread that holds no shard and may wait.
    pub fn hold_replies_back(&self, written: Option<u64>) {
        let mut held = self.take_everything();
        let mut world = World::clone(&self.world());
        world.audience.gated = written.is_some();
        if let Some(written) = written {
            held.note_write(self.log.end());
            self.gate.pass(written);
        } else {
            self.gate.open();
        }
        self.replace_world(&mut held, world);
    }
}
