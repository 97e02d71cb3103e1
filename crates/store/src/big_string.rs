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

    /// Lets `change` alter the string, in place unless a reference is held. Room that it makes for growth stays.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut BytesMut) -> R) -> R {
        let bytes = std::mem::take(&mut self.bytes);
        let mut buffer = bytes
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let result = change(&mut buffer);
        self.bytes = buffer.freeze();
        result
    }
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
        string.edit(|buffer| buffer.extend_from_slice(b"def"));
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
            string.edit(|buffer| buffer.extend_from_slice(b"tail"));
            moves += usize::from(string.as_bytes().as_ptr() != at);
            at = string.as_bytes().as_ptr();
        }
        assert_eq!(string.as_bytes().len(), 4100);
        assert!(moves < 20, "{moves}");
    }
}
