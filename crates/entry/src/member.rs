//! Owns the block of a set's member.

use std::fmt;

use crate::block::{Block, checked, length_size};

/// A byte string in one heap block behind a thin pointer: a length field (one byte below 128) and the bytes.
///
/// 15 bytes ask the allocator for 16.
#[repr(transparent)]
pub struct Member {
    block: Block,
}

impl Member {
    /// A copy of these bytes.
    ///
    /// # Panics
    /// When they exceed [`crate::LENGTH_MAX`].
    pub fn new(bytes: &[u8]) -> Self {
        let field = length_size(checked(bytes.len()));
        let block = Block::allocate(field + bytes.len());
        // SAFETY: the block has room for the length field and the bytes, and is not shared yet.
        unsafe {
            block.write_length(0, bytes.len());
            block.fill(field, bytes);
        }
        Self { block }
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block starts with its length field, and as many initialised bytes follow, which never change.
        unsafe {
            let (len, field) = self.block.read_length(0);
            self.block.slice(field, len)
        }
    }

    /// Bytes requested from the allocator.
    pub fn memory(&self) -> usize {
        let len = self.bytes().len();
        length_size(len) + len
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let size = self.memory();
        // SAFETY: size is what the block was allocated with, and self goes away.
        unsafe { self.block.free(size) };
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Self::new(self.bytes())
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.bytes().escape_ascii())
    }
}

// SAFETY: a member owns its block alone and never changes it.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_hold_their_bytes_and_cost_one_more() {
        assert_eq!(size_of::<Option<Member>>(), 8);
        assert_eq!(Member::new(&[7; 15]).memory(), 16);
        for len in [0, 1, 15, 127, 128, 20_000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(Member::new(&bytes).clone().bytes(), bytes);
        }
    }
}
