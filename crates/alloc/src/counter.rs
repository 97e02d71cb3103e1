//! The bytes in use: a slot a thread, summed on read.
//!
//! Life of a slot:
//!
//! 1. A thread's first allocation takes a free slot (compare-and-swap on `taken`) and remembers its number.
//! 2. While it owns the slot, only it writes `bytes`: a plain load and store, no locked instruction.
//! 3. When the thread ends, it gives the slot back. The bytes stay in it: they are still part of the sum, since what a thread
//!    allocated may outlive it. The next owner counts on from there.
//! 4. What the thread allocates or releases after that (destructors of other thread-locals), and all that a thread does which
//!    found no free slot, goes to one slot that all may share, with an atomic addition.
//!
//! A block released by another thread than the one that allocated it makes that thread's slot go down, below zero even: only the sum
//! means anything. A forked child has the slots as they were and the number of the thread that forked; nothing waits for anybody.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

/// Adds `delta` bytes, which may be negative, to the count.
#[inline]
pub(crate) fn add(delta: i64) {
    let number = SLOT.get();
    match SLOTS.get(number) {
        // Relaxed, load and store apart: no other thread writes this slot while we own it.
        Some(slot) => slot.bytes.store(
            slot.bytes.load(Ordering::Relaxed).wrapping_add(delta),
            Ordering::Relaxed,
        ),
        None => add_slowly(number, delta),
    }
}

/// The bytes in use.
#[inline]
pub(crate) fn sum() -> i64 {
    let used = SLOTS_USED.load(Ordering::Acquire);
    let shared = SHARED.bytes.load(Ordering::Relaxed);
    SLOTS.iter().take(used).fold(shared, |sum, slot| {
        sum.wrapping_add(slot.bytes.load(Ordering::Relaxed))
    })
}

/// The count of the calling thread's slot: of use as a difference only.
#[inline]
pub(crate) fn own() -> i64 {
    let slot = SLOTS.get(SLOT.get()).unwrap_or(&SHARED);
    slot.bytes.load(Ordering::Relaxed)
}

#[cold]
fn add_slowly(number: usize, delta: i64) {
    SHARED.bytes.fetch_add(delta, Ordering::Relaxed);
    if number == UNDECIDED {
        // Whatever is allocated while the slot is being taken counts in the shared one.
        SLOT.set(NO_SLOT);
        take_slot();
    }
}

/// Takes a slot for the calling thread, if one is free and can be given back when the thread ends.
fn take_slot() {
    let free = |slot: &Slot| {
        slot.taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    };
    let Some(number) = SLOTS.iter().position(free) else {
        return;
    };
    SLOTS_USED.fetch_max(number + 1, Ordering::Release);
    match GIVE_BACK.try_with(|guard| guard.0.set(number)) {
        Ok(()) => SLOT.set(number),
        // The thread is ending already.
        Err(_) => SLOTS[number].taken.store(false, Ordering::Release),
    }
}

/// Gives the slot back when the thread ends.
struct GiveBack(Cell<usize>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        SLOT.set(NO_SLOT);
        if let Some(slot) = SLOTS.get(self.0.get()) {
            // Release: the next owner continues from the bytes that we stored.
            slot.taken.store(false, Ordering::Release);
        }
    }
}

thread_local! {
    /// The number of this thread's slot. Without destructor, so it can be read until the very end of the thread.
    static SLOT: Cell<usize> = const { Cell::new(UNDECIDED) };
    static GIVE_BACK: GiveBack = const { GiveBack(Cell::new(NO_SLOT)) };
}

/// Two cache lines, for processors fetch them in pairs.
#[repr(align(128))]
struct Slot {
    bytes: AtomicI64,
    taken: AtomicBool,
}

impl Slot {
    const fn new() -> Self {
        Self {
            bytes: AtomicI64::new(0),
            taken: AtomicBool::new(false),
        }
    }
}

/// Threads that count without locked instructions at the same time; a server runs a few more than it has cores.
const SLOTS_MAX: usize = 256;
/// Number of a thread that has not allocated yet.
const UNDECIDED: usize = usize::MAX;
/// Number of a thread without slot.
const NO_SLOT: usize = usize::MAX - 1;

static SLOTS: [Slot; SLOTS_MAX] = [const { Slot::new() }; SLOTS_MAX];
/// One more than the highest number ever taken: the slots above it need not be summed.
static SLOTS_USED: AtomicUsize = AtomicUsize::new(0);
static SHARED: Slot = Slot::new();

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// One test, for the counters are the process' own: nothing else in this test binary may count meanwhile.
    #[test]
    fn every_thread_counts() {
        let threads: usize = if cfg!(miri) { 8 } else { SLOTS_MAX + 20 };
        let barrier = Barrier::new(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    add(3);
                    // All hold a slot, or found none, at the same time.
                    barrier.wait();
                    (0..1000).for_each(|_| add(10));
                    (0..1000).for_each(|_| add(-9));
                });
            }
        });
        let mut expected = threads as i64 * 1003;
        assert_eq!(sum(), expected);

        // What one thread allocates and another releases cancels out, across threads that ended.
        for _ in 0..10 {
            std::thread::scope(|scope| scope.spawn(|| add(-500)).join()).unwrap();
            expected -= 500;
            assert_eq!(sum(), expected);
        }
        assert!(SLOTS_USED.load(Ordering::Relaxed) <= SLOTS_MAX);
        // A scope ends before its threads' destructors have run: threads that are joined have given their slot back.
        (0..4 * SLOTS_MAX).for_each(|_| {
            std::thread::spawn(|| assert!(is_counting_alone()))
                .join()
                .unwrap()
        });
    }

    fn is_counting_alone() -> bool {
        add(0);
        SLOT.get() < SLOTS_MAX
    }
}
