//! Strings too large to lie in the entry of their key: bytes that replies share, and that grow in place.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// A string on a block of its own. Reading it costs nothing; a reply holds it by a counted reference, and a change while one is held copies it first.
#[derive(Clone, Default)]
pub struct BigString {
    bytes: Bytes,
}

impl BigString {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(bytes),
        }
    }

    /// The string.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Another reference to the string as it is now.
    pub fn share(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Lets `change` alter the string, in place unless a reference is held, with room for `len` bytes.
    ///
    /// A buffer that is outgrown is replaced by one with slack, which stays: growing a string bit by bit copies each byte
    /// a bounded number of times.
    pub fn edit<R>(&mut self, len: usize, change: impl FnOnce(&mut BytesMut) -> R) -> R {
        let bytes = std::mem::take(&mut self.bytes);
        let capacity = if len > bytes.len() {
            with_slack(len)
        } else {
            bytes.len()
        };
        let mut buffer = match bytes.try_into_mut() {
            Ok(own) if own.capacity() >= len => own,
            Ok(own) => copied(&own, capacity),
            Err(shared) => copied(&shared, capacity),
        };
        let result = change(&mut buffer);
        self.bytes = buffer.freeze();
        result
    }

    /// Appends to the string.
    pub fn append(&mut self, tail: &[u8]) {
        self.edit(self.bytes.len() + tail.len(), |buffer| {
            buffer.extend_from_slice(tail);
        });
    }

    /// Lengthens the string with zeros to `len` bytes if it is shorter, and lets `change` alter its bytes.
    pub fn lengthen<R>(&mut self, len: usize, change: impl FnOnce(&mut [u8]) -> R) -> R {
        self.edit(len, |buffer| {
            if len > buffer.len() {
                buffer.resize(len, 0);
            }
            change(buffer)
        })
    }
}

fn copied(bytes: &[u8], capacity: usize) -> BytesMut {
    let mut copy = BytesMut::with_capacity(capacity);
    copy.extend_from_slice(bytes);
    copy
}

/// The capacity of a buffer that has to hold `len` bytes: as much again up to a megabyte (sdsMakeRoomFor, Redis 7.2), and an
/// eighth beyond, where Redis' constant megabyte would make many appends to one large string quadratic.
fn with_slack(len: usize) -> usize {
    const DOUBLED_MAX: usize = 1 << 20;
    len.saturating_add(len.min(DOUBLED_MAX).max(len / 8))
}

impl From<Bytes> for BigString {
    fn from(bytes: Bytes) -> Self {
        Self { bytes }
    }
}

impl fmt::Debug for BigString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigString")
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_holds_does_not_change() {
        let mut string = BigString::new(b"abc");
        let held = string.share();
        string.append(b"def");
        assert_eq!(
            (&held[..], string.as_bytes()),
            (&b"abc"[..], &b"abcdef"[..])
        );
    }

    #[test]
    fn appending_does_not_move_the_string_each_time() {
        let mut string = BigString::new(&[b'x'; 100]);
        let mut moves = 0;
        let mut at = string.as_bytes().as_ptr();
        for _ in 0..1000 {
            string.append(b"tail");
            moves += usize::from(string.as_bytes().as_ptr() != at);
            at = string.as_bytes().as_ptr();
        }
        assert_eq!(string.as_bytes().len(), 4100);
        assert!(moves < 20, "{moves}");
    }
}
