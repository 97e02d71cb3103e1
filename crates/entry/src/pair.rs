//! Owns the block of a hash's field with its value.

use std::fmt;

use crate::block::{Block, checked, length_size};

/// A field and its value in one heap block behind a thin pointer.
///
/// ```text
/// +----------------------------+--------------+------------------+-------+-------+
/// | field length, twice, +1 if | value length | deadline, if any | field | value |
/// | it has a deadline; varint  | varint       | i64 ms           |       |       |
/// +----------------------------+--------------+------------------+-------+-------+
/// ```
/// Field and value of 30 bytes together ask the allocator for 32.
#[repr(transparent)]
pub struct Pair {
    block: Block,
}

impl Pair {
    /// A pair without a deadline.
    ///
    /// # Panics
    /// When a length exceeds [`crate::LENGTH_MAX`].
    pub fn new(field: &[u8], value: &[u8]) -> Self {
        Self::with_expiry(field, value, None)
    }

    /// A pair with a deadline in milliseconds since the epoch, or without.
    ///
    /// # Panics
    /// When a length exceeds [`crate::LENGTH_MAX`].
    pub fn with_expiry(field: &[u8], value: &[u8], expiry: Option<i64>) -> Self {
        let shape = Shape::new(field.len(), value.len(), expiry.is_some());
        let block = Block::allocate(shape.size());
        // SAFETY: the block has the size of this shape and is not shared yet.
        unsafe {
            let taken = block.write_length(0, shape.marked_field_len());
            block.write_length(taken, value.len());
            if let Some(deadline) = expiry {
                block.write(shape.expiry_at, deadline);
            }
            block.fill(shape.field_at(), field);
            block.fill(shape.value_at(), value);
        }
        Self { block }
    }

    /// The field's name.
    #[inline]
    pub fn field(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the shape tells where the initialised bytes of the field lie; they never change.
        unsafe { self.block.slice(shape.field_at(), shape.field_len) }
    }

    /// The field's value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the shape tells where the initialised bytes of the value lie; they change only through &mut self.
        unsafe { self.block.slice(shape.value_at(), shape.value_len) }
    }

    /// Replaces the value, keeping the deadline; in place when the length is the same.
    ///
    /// # Panics
    /// When the value exceeds [`crate::LENGTH_MAX`].
    pub fn set_value(&mut self, value: &[u8]) {
        let shape = self.shape();
        if shape.value_len == value.len() {
            // SAFETY: the value has as many bytes; `value` is not among them, for self is borrowed exclusively.
            unsafe { self.block.fill(shape.value_at(), value) };
        } else {
            *self = Self::with_expiry(self.field(), value, self.expiry());
        }
    }

    /// The deadline of the field, in milliseconds since the epoch.
    pub fn expiry(&self) -> Option<i64> {
        let shape = self.shape();
        // SAFETY: with the mark an i64 lies behind the lengths.
        shape
            .expires
            .then(|| unsafe { self.block.read(shape.expiry_at) })
    }

    /// Sets or takes away the deadline; changing one is in place.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        let shape = self.shape();
        match expiry {
            // SAFETY: with the mark an i64 lies behind the lengths; &mut self makes the access exclusive.
            Some(deadline) if shape.expires => unsafe {
                self.block.write(shape.expiry_at, deadline)
            },
            None if !shape.expires => {}
            _ => *self = Self::with_expiry(self.field(), self.value(), expiry),
        }
    }

    /// Bytes requested from the allocator.
    pub fn memory(&self) -> usize {
        self.shape().size()
    }

    #[inline]
    fn shape(&self) -> Shape {
        // SAFETY: the block starts with the two length fields.
        unsafe {
            let (marked, taken) = self.block.read_length(0);
            let (value_len, more) = self.block.read_length(taken);
            Shape {
                field_len: marked >> 1,
                value_len,
                expires: marked & 1 != 0,
                expiry_at: taken + more,
            }
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let size = self.memory();
        // SAFETY: size is what the block was allocated with, and self goes away.
        unsafe { self.block.free(size) };
    }
}

impl Clone for Pair {
    fn clone(&self) -> Self {
        Self::with_expiry(self.field(), self.value(), self.expiry())
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Pair({}: {}, {:?})",
            self.field().escape_ascii(),
            self.value().escape_ascii(),
            self.expiry()
        )
    }
}

// SAFETY: a pair owns its block alone and changes it through &mut self only.
unsafe impl Send for Pair {}
// SAFETY: as above; &self only reads.
unsafe impl Sync for Pair {}

/// What the length fields say: enough to find every part of the block and its size.
#[derive(Clone, Copy)]
struct Shape {
    field_len: usize,
    value_len: usize,
    expires: bool,
    expiry_at: usize,
}

impl Shape {
    fn new(field_len: usize, value_len: usize, expires: bool) -> Self {
        let mut shape = Self {
            field_len: checked(field_len),
            value_len: checked(value_len),
            expires,
            expiry_at: 0,
        };
        shape.expiry_at = length_size(shape.marked_field_len()) + length_size(value_len);
        shape
    }

    fn marked_field_len(self) -> usize {
        self.field_len << 1 | usize::from(self.expires)
    }

    #[inline]
    fn field_at(self) -> usize {
        self.expiry_at + if self.expires { size_of::<i64>() } else { 0 }
    }

    #[inline]
    fn value_at(self) -> usize {
        self.field_at() + self.field_len
    }

    fn size(self) -> usize {
        self.value_at() + self.value_len
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_cost_what_the_layout_promises() {
        assert_eq!(size_of::<Option<Pair>>(), 8);
        assert_eq!(Pair::new(&[b'f'; 10], &[b'v'; 20]).memory(), 32);
        assert_eq!(Pair::new(&[b'f'; 63], &[b'v'; 127]).memory(), 192);
        assert_eq!(Pair::with_expiry(b"f", b"v", Some(1)).memory(), 12);
    }

    fn data() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::collection::vec(any::<u8>(), 60..140)
        ]
    }

    proptest! {
        #[test]
        fn pairs_behave_as_plain_fields(
            field in data(),
            changes in prop::collection::vec((data(), any::<Option<i64>>()), 1..12),
        ) {
            let mut pair = Pair::new(&field, b"");
            let mut expected = (Vec::new(), None);
            for (value, expiry) in changes {
                pair.set_value(&value);
                expected.0 = value;
                prop_assert_eq!((pair.field(), pair.value(), pair.expiry()), (&field[..], &expected.0[..], expected.1));
                pair.set_expiry(expiry);
                expected.1 = expiry;
                pair = pair.clone();
                prop_assert_eq!((pair.field(), pair.value(), pair.expiry()), (&field[..], &expected.0[..], expected.1));
            }
        }
    }
}
