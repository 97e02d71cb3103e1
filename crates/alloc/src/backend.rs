//! Where blocks come from: mimalloc, or under Miri, which cannot run C, the system's allocator.

#[cfg(miri)]
pub(crate) use system::{alloc, alloc_zeroed, dealloc, realloc};

#[cfg(miri)]
pub use system::{collect, committed};

#[cfg(not(miri))]
pub(crate) use mimalloc::{alloc, alloc_zeroed, dealloc, realloc};

#[cfg(not(miri))]
pub use mimalloc::{collect, committed};

#[cfg(not(miri))]
mod mimalloc {
    use std::alloc::Layout;

    use libmimalloc_sys as mi;

    /// Whether a block of mimalloc is aligned for `layout` without being asked: blocks of up to 8 bytes are to 8, all others to 16.
    #[inline]
    fn is_natural(align: usize, size: usize) -> bool {
        align <= 8 || align == 16 && size > 8
    }

    /// # Safety
    ///
    /// As [`std::alloc::GlobalAlloc::alloc`].
    #[inline]
    pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
        if is_natural(layout.align(), layout.size()) {
            // SAFETY: any size is allowed; null is returned on failure.
            unsafe { mi::mi_malloc(layout.size()).cast() }
        } else {
            // SAFETY: any size is allowed, and a layout's alignment is a power of two; null is returned on failure.
            unsafe { mi::mi_malloc_aligned(layout.size(), layout.align()).cast() }
        }
    }

    /// # Safety
    ///
    /// As [`std::alloc::GlobalAlloc::alloc_zeroed`].
    #[inline]
    pub(crate) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        if is_natural(layout.align(), layout.size()) {
            // SAFETY: as in `alloc`.
            unsafe { mi::mi_zalloc(layout.size()).cast() }
        } else {
            // SAFETY: as in `alloc`.
            unsafe { mi::mi_zalloc_aligned(layout.size(), layout.align()).cast() }
        }
    }

    /// # Safety
    ///
    /// As [`std::alloc::GlobalAlloc::dealloc`]; `block` came from this module.
    #[inline]
    pub(crate) unsafe fn dealloc(block: *mut u8, _layout: Layout) {
        // SAFETY: the block is mimalloc's and was not released before, by the caller's contract.
        unsafe { mi::mi_free(block.cast()) }
    }

    /// # Safety
    ///
    /// As [`std::alloc::GlobalAlloc::realloc`]; `block` came from this module.
    #[inline]
    pub(crate) unsafe fn realloc(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_natural(layout.align(), new_size) {
            // SAFETY: the block is mimalloc's and live, by the caller's contract; the new one is aligned by its size.
            unsafe { mi::mi_realloc(block.cast(), new_size).cast() }
        } else {
            // SAFETY: as above, with the alignment asked for.
            unsafe { mi::mi_realloc_aligned(block.cast(), new_size, layout.align()).cast() }
        }
    }

    /// Bytes that the allocator has of the operating system and may use without asking again.
    pub fn committed() -> usize {
        let mut committed = 0;
        let ignored = std::ptr::null_mut;
        // SAFETY: callable at any time from any thread; a null pointer says that the figure is not wanted.
        unsafe {
            mi::mi_process_info(
                ignored(),
                ignored(),
                ignored(),
                ignored(),
                ignored(),
                &raw mut committed,
                ignored(),
                ignored(),
            );
        }
        committed
    }

    /// Gives memory that is no longer used back to the operating system: that of the calling thread, and what other threads have abandoned.
    /// May take milliseconds.
    pub fn collect() {
        // SAFETY: callable at any time from any thread.
        unsafe { mi::mi_collect(true) }
    }
}

#[cfg(miri)]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};

    /// # Safety
    ///
    /// As [`GlobalAlloc::alloc`].
    pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    /// # Safety
    ///
    /// As [`GlobalAlloc::alloc_zeroed`].
    pub(crate) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    /// # Safety
    ///
    /// As [`GlobalAlloc::dealloc`].
    pub(crate) unsafe fn dealloc(block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }

    /// # Safety
    ///
    /// As [`GlobalAlloc::realloc`].
    pub(crate) unsafe fn realloc(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }

    /// Nothing: the system's allocator does not say.
    pub fn committed() -> usize {
        0
    }

    /// Does nothing: the system's allocator keeps nothing back.
    pub fn collect() {}
}
