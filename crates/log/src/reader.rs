//! Reading: a cursor that keeps what it has not read yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::log::Log;

/// A place in the log from which everything is read in order. What lies behind it is kept as long as it lives.
#[derive(Debug)]
pub struct Reader {
    log: Arc<Log>,
    seat: Arc<Seat>,
}

/// How far a reader is.
#[derive(Debug)]
pub(crate) struct Seat {
    at: AtomicU64,
    /// Bytes that it has read and still holds copies of.
    held: AtomicU64,
}

impl Seat {
    pub(crate) fn new(at: u64) -> Self {
        Self {
            at: AtomicU64::new(at),
            held: AtomicU64::new(0),
        }
    }

    pub(crate) fn at(&self) -> u64 {
        self.at.load(Relaxed)
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }
}

impl Reader {
    pub(crate) fn new(log: Arc<Log>, seat: Arc<Seat>) -> Self {
        Self { log, seat }
    }

    /// The offset up to which it has read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.seat.at()
    }

    /// Bytes that it has not read yet.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.log.end().saturating_sub(self.at())
    }

    /// Says how many bytes of memory what was read and is not sent yet takes outside of the log.
    pub fn hold(&self, bytes: u64) {
        self.seat.held.store(bytes, Relaxed);
    }

    /// Takes the next pieces, about `max` bytes at most, to the end of `out`: how many bytes; 0 when there is nothing new.
    pub fn read(&mut self, max: usize, out: &mut Vec<Bytes>) -> usize {
        let at = self.at();
        let count = self.log.read(at, max, out);
        self.seat.at.store(at + count as u64, Relaxed);
        count
    }

    /// As [`Reader::read`], but when there is nothing new the task is woken once there is.
    pub fn poll_read(&mut self, cx: &Context<'_>, max: usize, out: &mut Vec<Bytes>) -> Poll<usize> {
        loop {
            let count = self.read(max, out);
            if count > 0 {
                return Poll::Ready(count);
            }
            if self.log.sleep(self.at(), cx.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.log.leave(&self.seat);
    }
}
