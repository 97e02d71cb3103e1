//! The counting global allocator: mimalloc, and how many bytes of it are in use.
//!
//! [`used_memory`] is exact at every moment at which no other thread allocates, without a counter that threads fight over:
//! each thread adds to a slot of its own, and the slots are summed when somebody asks.

mod backend;
mod counter;
mod size;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};

pub use backend::{collect, committed};
pub use size::good_size;

/// The allocator to declare as `#[global_allocator]`.
///
/// It counts what mimalloc sets aside for a request ([`good_size`]), not what was asked for, as Redis does: that is what `maxmemory`
/// must bound. The size follows from the layout alone, which is the same at allocation and release, so the count
/// never drifts, and costs a few arithmetic instructions where asking mimalloc would cost a look at the block's page.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

// SAFETY: every call is passed on to an allocator that keeps the contract, with the caller's own arguments; counting neither
// allocates through this allocator nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        let block = unsafe { backend::alloc(layout) };
        if !block.is_null() {
            counter::add(signed(good_size(layout.size())));
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        let block = unsafe { backend::alloc_zeroed(layout) };
        if !block.is_null() {
            counter::add(signed(good_size(layout.size())));
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        counter::add(-signed(good_size(layout.size())));
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same; the block came from this backend.
        unsafe { backend::dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `realloc`, which is the same; the block came from this backend.
        let moved = unsafe { backend::realloc(block, layout, new_size) };
        if !moved.is_null() {
            counter::add(signed(good_size(new_size)) - signed(good_size(layout.size())));
        }
        moved
    }
}

/// Bytes in use by all threads: what is allocated and not yet released, in sizes of the allocator's classes.
///
/// It reads one cache line for each thread that ever ran at the same time. A sum taken while others allocate may miss what they
/// are just doing, nothing else.
#[inline]
pub fn used_memory() -> usize {
    // A block seen released but not yet allocated can bring a sum taken at the wrong moment below zero.
    usize::try_from(counter::sum()).unwrap_or(0)
}

/// Bytes that the calling thread has allocated more than it has released, from an arbitrary start: the difference of two values
/// says what it did in between. Reads only what this thread writes.
#[inline]
pub fn thread_memory() -> i64 {
    counter::own()
}

/// The highest value that [`note_peak`] saw.
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Compares the memory in use with the peak, raises the peak if need be, and returns the memory in use. To be called from time to
/// time: the allocator itself keeps no peak, for that would need the sum at each allocation.
pub fn note_peak() -> usize {
    let used = used_memory();
    PEAK.fetch_max(used, Ordering::Relaxed);
    used
}

/// No layout is larger than `isize::MAX`, and rounding up by an eighth wraps back the same way on release.
#[inline]
fn signed(size: usize) -> i64 {
    size as i64
}

static PEAK: AtomicUsize = AtomicUsize::new(0);
