//! Comparing passwords in a time that does not depend on where they differ.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether two passwords are the same. Their digests are compared, so that not even the lengths show in the time.
pub(super) fn are_equal(expected: &[u8], given: &[u8]) -> bool {
    let (expected, given) = (Sha256::digest(expected), Sha256::digest(given));
    expected.as_slice().ct_eq(given.as_slice()).into()
}

#[cfg(test)]
mod tests {
    use super::are_equal;

    #[test]
    fn equal_only_when_every_byte_is() {
        assert!(are_equal(b"abc\0def", b"abc\0def"));
        assert!(are_equal(b"", b""));
        assert!(!are_equal(b"abc\0def", b"abc"));
        assert!(!are_equal(b"abc", b"abC"));
        assert!(!are_equal(b"abc", b""));
    }
}
