//! A short text without allocation.

use std::fmt;
use std::ops::Deref;

/// The text of a number, at most [`FixedText::CAPACITY`] bytes, without allocation. Reads as `&[u8]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedText {
    bytes: [u8; 32],
    len: usize,
}

impl FixedText {
    /// No integer and no double is longer.
    pub const CAPACITY: usize = 32;

    /// Appends `text`; what exceeds the capacity is cut off, which no number reaches.
    #[inline]
    pub(crate) fn push(&mut self, text: &[u8]) {
        for (slot, byte) in self.bytes.iter_mut().skip(self.len).zip(text) {
            *slot = *byte;
        }
        self.len = (self.len + text.len()).min(Self::CAPACITY);
    }
}

impl fmt::Write for FixedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl Deref for FixedText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
