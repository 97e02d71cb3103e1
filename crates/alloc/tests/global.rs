//! The allocator at work as the global one, with threads that allocate while they end.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;

use alloc::{CountingAllocator, collect, good_size, note_peak, peak, used_memory};

#[global_allocator]
static GLOBAL: CountingAllocator = CountingAllocator;

/// Allocates and releases while the thread's other locals are destroyed.
struct Late(Vec<u8>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0 = vec![1; 5000];
    }
}

thread_local! {
    static EARLY: RefCell<Option<Late>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Late>> = const { RefCell::new(None) };
}

fn main() {
    used_memory_is_exact();
    memory_of_ending_threads_is_counted();
    the_peak_stays();
}

fn used_memory_is_exact() {
    let before = used_memory();
    let block = vec![0_u8; 100_000];
    assert_eq!(used_memory(), before + good_size(100_000));
    drop(block);
    assert_eq!(used_memory(), before);

    for align in [1, 2, 8, 16, 32, 4096] {
        for size in [1, 8, 9, 16, 24, 100, 5000, 1 << 20] {
            exercise(Layout::from_size_align(size, align).unwrap());
        }
    }
    assert_eq!(used_memory(), before);
}

fn memory_of_ending_threads_is_counted() {
    let rounds = if cfg!(miri) { 2 } else { 200 };
    let churn = || {
        EARLY.with(|late| *late.borrow_mut() = Some(Late(vec![0; 100])));
        let block = vec![0_u8; 10_000];
        AFTER.with(|late| *late.borrow_mut() = Some(Late(vec![0; 100])));
        block
    };
    // The first thread leaves behind what the runtime keeps for good.
    drop(std::thread::spawn(churn).join().unwrap());
    let before = used_memory();
    for _ in 0..rounds {
        let block = std::thread::spawn(churn).join().unwrap();
        assert_eq!(used_memory(), before + good_size(10_000));
        drop(block);
    }
    assert_eq!(used_memory(), before);
}

fn the_peak_stays() {
    assert!(note_peak() <= peak());
    let block = vec![0_u8; 10_000_000];
    assert!(note_peak() > 10_000_000);
    drop(block);
    collect();
    assert!(peak() > 10_000_000 && used_memory() < 10_000_000);
}

fn exercise(layout: Layout) {
    let before = used_memory();
    let grown = layout.size() * 3 + 1;
    // SAFETY: sizes are not zero, the block is used within its size and released once with its current layout.
    unsafe {
        let block = GLOBAL.alloc(layout);
        assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
        assert_eq!(used_memory(), before + good_size(layout.size()));
        block.write_bytes(7, layout.size());
        let block = GLOBAL.realloc(block, layout, grown);
        assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
        assert_eq!(used_memory(), before + good_size(grown));
        assert_eq!(block.add(layout.size() - 1).read(), 7);
        GLOBAL.dealloc(
            block,
            Layout::from_size_align_unchecked(grown, layout.align()),
        );
        let block = GLOBAL.alloc_zeroed(layout);
        assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
        assert_eq!(block.add(layout.size() - 1).read(), 0);
        GLOBAL.dealloc(block, layout);
    }
    assert_eq!(used_memory(), before);
}
