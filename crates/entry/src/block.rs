//! Owns allocation, untyped access and length fields of the blocks behind the thin pointers.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// The longest key, inline value, member, field or field value, in bytes.
///
/// Far above the 512 MB that the protocol lets through by default (`proto-max-bulk-len`); whoever raises that limit refuses longer
/// keys and elements before they come here, where exceeding it is a panic.
pub const LENGTH_MAX: usize = u32::MAX as usize;

/// Alignment of every block: with it the lowest address bit is free to tell a bucket from an element (see [`crate::Link`]).
pub(crate) const ALIGN: usize = 8;

/// A pointer to a block that its holder owns.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<u8>);

impl Block {
    /// A fresh block of `size` bytes; `size` must not be zero.
    pub(crate) fn allocate(size: usize) -> Self {
        assert!(size > 0, "a block has a header");
        let layout = layout(size);
        // SAFETY: the layout's size is not zero, as just asserted.
        let pointer = unsafe { alloc(layout) };
        NonNull::new(pointer).map_or_else(|| handle_alloc_error(layout), Self)
    }

    /// The block with `size` bytes instead of `old`, moved if need be; the first `min(old, size)` bytes are kept.
    ///
    /// # Safety
    /// `old` is the size with which the block was last allocated, and no other copy of this pointer is used any more.
    pub(crate) unsafe fn resize(self, old: usize, size: usize) -> Self {
        assert!(size > 0, "a block has a header");
        let grown = layout(size);
        // SAFETY: allocated here with layout(old), by the caller's promise; the new size is not zero and was checked by `layout`.
        let pointer = unsafe { realloc(self.0.as_ptr(), layout(old), size) };
        NonNull::new(pointer).map_or_else(|| handle_alloc_error(grown), Self)
    }

    /// Gives the block back.
    ///
    /// # Safety
    /// `size` is the size with which the block was last allocated, and no copy of this pointer is used any more.
    pub(crate) unsafe fn free(self, size: usize) {
        // SAFETY: allocated here with this layout, by the caller's promise.
        unsafe { dealloc(self.0.as_ptr(), layout(size)) }
    }

    /// The address of byte `offset`.
    ///
    /// # Safety
    /// `offset` does not exceed the size of the block.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut u8 {
        // SAFETY: within the block or one past it, by the caller's promise.
        unsafe { self.0.as_ptr().add(offset) }
    }

    /// Reads a plain value at any alignment.
    ///
    /// # Safety
    /// The bytes are inside the block, initialised, and a valid `V`; nothing writes to them meanwhile.
    pub(crate) unsafe fn read<V: Copy>(self, offset: usize) -> V {
        // SAFETY: by the caller's promise; alignment does not matter to an unaligned read.
        unsafe { self.at(offset).cast::<V>().read_unaligned() }
    }

    /// Writes a plain value at any alignment.
    ///
    /// # Safety
    /// The bytes are inside the block, and nothing else looks at them meanwhile.
    pub(crate) unsafe fn write<V: Copy>(self, offset: usize, value: V) {
        // SAFETY: by the caller's promise; alignment does not matter to an unaligned write.
        unsafe { self.at(offset).cast::<V>().write_unaligned(value) }
    }

    /// Copies `source` into the block.
    ///
    /// # Safety
    /// `source.len()` bytes from `offset` on are inside the block, and nothing else looks at them meanwhile.
    pub(crate) unsafe fn fill(self, offset: usize, source: &[u8]) {
        // SAFETY: inside the block by the caller's promise; nobody else looks, so `source` is elsewhere.
        unsafe {
            self.at(offset)
                .copy_from_nonoverlapping(source.as_ptr(), source.len())
        }
    }

    /// The bytes of a part of the block.
    ///
    /// # Safety
    /// The part is inside the block, initialised, and for `'a` neither written nor freed.
    pub(crate) unsafe fn slice<'a>(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: by the caller's promise.
        unsafe { std::slice::from_raw_parts(self.at(offset), len) }
    }

    /// The bytes of a part of the block, to be changed.
    ///
    /// # Safety
    /// The part is inside the block, initialised, and for `'a` reached through the result only.
    pub(crate) unsafe fn slice_mut<'a>(self, offset: usize, len: usize) -> &'a mut [u8] {
        // SAFETY: by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(offset), len) }
    }

    /// Reads a length written by [`Block::write_length`]: the length, and the bytes that its field takes.
    ///
    /// # Safety
    /// Such a field starts at `offset`, and nothing writes to it meanwhile.
    pub(crate) unsafe fn read_length(self, offset: usize) -> (usize, usize) {
        // SAFETY: a length field has at least one byte.
        let first: u8 = unsafe { self.read(offset) };
        if first < 0x80 {
            return (usize::from(first), 1);
        }
        let mut value = usize::from(first & 0x7f);
        let mut taken = 1;
        loop {
            // SAFETY: the high bit of the byte before says that the field goes on.
            let byte: u8 = unsafe { self.read(offset + taken) };
            value |= usize::from(byte & 0x7f) << (7 * taken);
            taken += 1;
            if byte < 0x80 {
                return (value, taken);
            }
        }
    }

    /// Writes a length, seven bits a byte, low bits first, and returns the bytes taken: [`length_size`] of them.
    ///
    /// # Safety
    /// So many bytes from `offset` on are inside the block, and nothing else looks at them meanwhile.
    pub(crate) unsafe fn write_length(self, offset: usize, length: usize) -> usize {
        let mut rest = length;
        let mut taken = 0;
        while rest >= 0x80 {
            // SAFETY: within the field, by the caller's promise.
            unsafe { self.write(offset + taken, (rest & 0x7f) as u8 | 0x80) };
            rest >>= 7;
            taken += 1;
        }
        // SAFETY: as above.
        unsafe { self.write(offset + taken, rest as u8) };
        taken + 1
    }
}

/// Bytes that the field of a length takes: 1 below 128, 2 below 16,384, and so on.
pub(crate) fn length_size(length: usize) -> usize {
    let bits = (usize::BITS - length.leading_zeros()).max(1) as usize;
    bits.div_ceil(7)
}

/// The length, once it was checked against [`LENGTH_MAX`].
pub(crate) fn checked(length: usize) -> usize {
    assert!(length <= LENGTH_MAX, "keys and elements are below 4 GiB");
    length
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN)
        .expect("two parts below 4 GiB and a header fit the address space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_survive_their_field() {
        for length in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            1 << 21,
            LENGTH_MAX,
            LENGTH_MAX * 2 + 1,
        ] {
            let block = Block::allocate(16);
            // SAFETY: a length of 33 bits takes five bytes; the block has 16 and only this test holds it.
            unsafe {
                assert_eq!(block.write_length(3, length), length_size(length));
                assert_eq!(block.read_length(3), (length, length_size(length)));
                block.free(16);
            }
        }
    }
}
