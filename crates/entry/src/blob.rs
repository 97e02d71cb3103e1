//! A thin byte block: one pointer to bytes that begin with their own length, as listpacks do.
//!
//! A boxed slice keeps its length beside the pointer and a vector a capacity too; for a hash of ten fields that is a tenth of the whole value. Here the
//! length is the first four bytes of the block and the capacity follows from it: it is the allocator's size class of the length, so the room that a
//! block may grow into is exactly the room that the allocator would have lost.
//!
//! ```text
//!  0            4                    length          capacity_of(length)
//! +------------+--------------------+---------------+
//! | length LE  | tail               | room          |
//! +------------+--------------------+---------------+
//! ```

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::fmt;
use std::ptr::NonNull;

/// A growable block of bytes whose first four bytes are its whole length, little-endian.
///
/// The pointer is eight bytes and never null, so `Option<Blob>` is eight bytes too.
pub struct Blob {
    block: NonNull<u8>,
}

/// Bytes of the length at the head of a [`Blob`].
pub const BLOB_PREFIX: usize = 4;

/// The longest [`Blob`]: a quarter over the 1 GB that Redis allows a listpack, which leaves the arithmetic of size classes within `u32`.
pub const BLOB_MAX: usize = 0x5000_0000;

/// The bytes that the heap block of a [`Blob`] of `len` bytes takes: multiples of 16 up to 128, then four classes in each doubling, which are the size
/// classes of jemalloc and mimalloc alike.
pub const fn capacity_of(len: usize) -> usize {
    let step = if len <= 128 { 16 } else { (len - 1).ilog2() };
    let step = if len <= 128 {
        step as usize
    } else {
        1 << (step - 2)
    };
    len.div_ceil(step) * step
}

impl Blob {
    /// A block of `len` bytes, zero but for the length at its head. `len` is raised to [`BLOB_PREFIX`].
    ///
    /// # Panics
    /// When `len` is over [`BLOB_MAX`]; callers bound their blocks before.
    pub fn zeroed(len: usize) -> Self {
        let len = len.max(BLOB_PREFIX);
        let layout = layout_of(len);
        // SAFETY: the size of the layout is at least 16.
        let block = unsafe { alloc_zeroed(layout) };
        let Some(block) = NonNull::new(block) else {
            handle_alloc_error(layout)
        };
        let mut blob = Self { block };
        blob.write_len(len);
        blob
    }

    /// A copy of `bytes`, or `None` when their first four bytes are not their length or they are longer than [`BLOB_MAX`].
    pub fn copied_from(bytes: &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_first_chunk::<BLOB_PREFIX>()?;
        if u32::from_le_bytes(*head) as usize != bytes.len() || bytes.len() > BLOB_MAX {
            return None;
        }
        let mut blob = Self::zeroed(bytes.len());
        blob.tail_mut().copy_from_slice(tail);
        Some(blob)
    }

    /// Length in bytes, the prefix included: never less than [`BLOB_PREFIX`].
    #[expect(clippy::len_without_is_empty, reason = "it holds its prefix at least")]
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: the block is at least 16 bytes, all initialized.
        let head = unsafe { self.block.cast::<[u8; BLOB_PREFIX]>().read() };
        u32::from_le_bytes(head) as usize
    }

    /// The bytes, the prefix included.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes of the block are allocated and initialized, and borrowed with self.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.len()) }
    }

    /// The bytes after the prefix, to change. The prefix itself is out of reach: the block is freed by it.
    #[inline]
    pub fn tail_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        // SAFETY: as in `as_bytes`; self is borrowed uniquely and the range leaves the prefix out.
        unsafe {
            std::slice::from_raw_parts_mut(self.block.as_ptr().add(BLOB_PREFIX), len - BLOB_PREFIX)
        }
    }

    /// Makes the block `len` bytes long (at least [`BLOB_PREFIX`]): cut at the end, or grown by zeros. The block moves only when its size class changes.
    ///
    /// # Panics
    /// When `len` is over [`BLOB_MAX`].
    pub fn resize(&mut self, len: usize) {
        let len = len.max(BLOB_PREFIX);
        let old = self.len();
        let (from, to) = (layout_of(old), layout_of(len));
        if from.size() != to.size() {
            // SAFETY: the block was allocated with `from`, the layout of its present length; the new size is at least 16 and, `BLOB_MAX` being what it is,
            // far below isize::MAX.
            let block = unsafe { realloc(self.block.as_ptr(), from, to.size()) };
            let Some(block) = NonNull::new(block) else {
                handle_alloc_error(to)
            };
            self.block = block;
        }
        if len > old {
            // SAFETY: old..len lies inside the block, whose size is at least `len`.
            unsafe { self.block.as_ptr().add(old).write_bytes(0, len - old) };
        }
        self.write_len(len);
    }

    /// Bytes that the heap block takes.
    pub fn heap_bytes(&self) -> usize {
        capacity_of(self.len())
    }

    fn write_len(&mut self, len: usize) {
        let head = u32::try_from(len)
            .expect("BLOB_MAX is below 4 GB")
            .to_le_bytes();
        // SAFETY: the block is at least 16 bytes and self is borrowed uniquely.
        unsafe { self.block.cast::<[u8; BLOB_PREFIX]>().write(head) };
    }
}

impl Clone for Blob {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.tail_mut()
            .copy_from_slice(&self.as_bytes()[BLOB_PREFIX..]);
        copy
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with the layout of its present length and is not used after.
        unsafe { dealloc(self.block.as_ptr(), layout_of(self.len())) }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blob").field(&self.as_bytes()).finish()
    }
}

// SAFETY: a Blob owns its block alone, as a Box<[u8]> does.
unsafe impl Send for Blob {}
// SAFETY: a shared Blob gives out shared slices only.
unsafe impl Sync for Blob {}

fn layout_of(len: usize) -> Layout {
    assert!(len <= BLOB_MAX, "a block of {len} bytes is over the limit");
    Layout::from_size_align(capacity_of(len), BLOB_PREFIX)
        .expect("BLOB_MAX keeps the size far below isize::MAX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_are_the_size_classes() {
        let classes = [
            (4, 16),
            (16, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (160, 160),
            (217, 224),
            (256, 256),
            (257, 320),
            (8192, 8192),
            (8193, 10240),
        ];
        for (len, capacity) in classes {
            assert_eq!(capacity_of(len), capacity, "{len}");
        }
        assert!((4..20_000).all(
            |len| capacity_of(len) >= len && capacity_of(capacity_of(len)) == capacity_of(len)
        ));
    }

    #[test]
    fn bytes_survive_growing_and_shrinking() {
        let mut blob = Blob::zeroed(8);
        assert_eq!(blob.as_bytes(), [8, 0, 0, 0, 0, 0, 0, 0]);
        blob.tail_mut().copy_from_slice(b"abcd");
        for len in [16, 17, 300, 5000, 40, 8] {
            blob.resize(len);
            assert_eq!(blob.len(), len);
            assert_eq!(&blob.as_bytes()[4..8], b"abcd");
            assert!(blob.as_bytes()[8..].iter().all(|&byte| byte == 0));
            assert_eq!(blob.clone().as_bytes(), blob.as_bytes());
        }
        blob.resize(0);
        assert_eq!(blob.as_bytes(), [4, 0, 0, 0]);
    }

    #[test]
    fn copies_demand_the_length_at_the_head() {
        assert!(Blob::copied_from(b"").is_none());
        assert!(Blob::copied_from(&[5, 0, 0, 0]).is_none());
        assert_eq!(
            Blob::copied_from(&[5, 0, 0, 0, 9]).unwrap().as_bytes(),
            [5, 0, 0, 0, 9]
        );
    }
}
