//! Owns the block of a sorted set's member with its score, shared by the set's two indexes.

use std::fmt;
use std::process::abort;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::block::{Block, checked, length_size};

/// A member and its score in one counted heap block; a clone is another handle to the same block.
///
/// ```text
///  0         8          12
/// +---------+----------+-----------------------+--------+
/// | score   | handles  | length, seven bits a  | member |
/// | f64     | u32      | byte                  |        |
/// +---------+----------+-----------------------+--------+
/// ```
/// A block never changes: another score is another block ([`Scored::with_score`]). 15 bytes ask the allocator for 28.
#[repr(transparent)]
pub struct Scored {
    block: Block,
}

impl Scored {
    /// A member with its score.
    ///
    /// # Panics
    /// When the member exceeds [`crate::LENGTH_MAX`].
    pub fn new(score: f64, member: &[u8]) -> Self {
        let field = length_size(checked(member.len()));
        let block = Block::allocate(LENGTH_AT + field + member.len());
        // SAFETY: the block has room for header, length field and member, and is not shared yet.
        unsafe {
            block.write(SCORE_AT, score);
            block.write(COUNT_AT, 1_u32);
            block.write_length(LENGTH_AT, member.len());
            block.fill(LENGTH_AT + field, member);
        }
        Self { block }
    }

    /// The same member with another score, in a block of its own.
    #[must_use]
    pub fn with_score(&self, score: f64) -> Self {
        Self::new(score, self.member())
    }

    /// The score.
    #[inline]
    pub fn score(&self) -> f64 {
        // SAFETY: the score lies at SCORE_AT and never changes.
        unsafe { self.block.read(SCORE_AT) }
    }

    /// The member.
    #[inline]
    pub fn member(&self) -> &[u8] {
        // SAFETY: a length field lies at LENGTH_AT, and as many initialised bytes follow, which never change.
        unsafe {
            let (len, field) = self.block.read_length(LENGTH_AT);
            self.block.slice(LENGTH_AT + field, len)
        }
    }

    /// Whether both are handles to one block.
    pub fn same(&self, other: &Self) -> bool {
        // SAFETY: offset zero is inside any block.
        unsafe { self.block.at(0) == other.block.at(0) }
    }

    /// Bytes requested from the allocator for the block, however many handles share it.
    pub fn memory(&self) -> usize {
        let len = self.member().len();
        LENGTH_AT + length_size(len) + len
    }

    fn count(&self) -> &AtomicU32 {
        // SAFETY: a u32 lies at COUNT_AT, aligned because the block is; it is reached as an atomic only once the block is shared,
        // and lives as long as any handle.
        unsafe { AtomicU32::from_ptr(self.block.at(COUNT_AT).cast()) }
    }
}

impl Clone for Scored {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones has a handle already, so nothing needs to become visible by the count.
        let before = self.count().fetch_add(1, Ordering::Relaxed);
        if before > u32::MAX / 2 {
            // Only leaked handles get here. Wrapping round would free a block in use.
            abort();
        }
        Self { block: self.block }
    }
}

impl Drop for Scored {
    fn drop(&mut self) {
        // Release here and acquire below: what other handles read happens before the block is freed.
        if self.count().fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        let size = self.memory();
        // SAFETY: size is what the block was allocated with, and this was its last handle.
        unsafe { self.block.free(size) };
    }
}

impl fmt::Debug for Scored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Scored({}: {})",
            self.member().escape_ascii(),
            self.score()
        )
    }
}

// SAFETY: the block never changes but for its count, which is atomic.
unsafe impl Send for Scored {}
// SAFETY: as above.
unsafe impl Sync for Scored {}

const SCORE_AT: usize = 0;
const COUNT_AT: usize = 8;
const LENGTH_AT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_hold_score_and_bytes() {
        assert_eq!(size_of::<Option<Scored>>(), 8);
        assert_eq!(Scored::new(1.0, &[7; 15]).memory(), 28);
        for len in [0, 15, 127, 128, 20_000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let scored = Scored::new(-0.5, &bytes);
            let moved = scored.with_score(f64::INFINITY);
            assert_eq!((scored.score(), scored.member()), (-0.5, &bytes[..]));
            assert_eq!((moved.score(), moved.member()), (f64::INFINITY, &bytes[..]));
            assert!(!moved.same(&scored) && scored.clone().same(&scored));
        }
    }

    #[test]
    fn handles_are_counted_across_threads() {
        let scored = Scored::new(2.5, b"member");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mine = scored.clone();
                std::thread::spawn(move || {
                    for _ in 0..1_000 {
                        assert_eq!(mine.clone().member(), b"member");
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(scored.count().load(Ordering::Relaxed), 1);
    }
}
