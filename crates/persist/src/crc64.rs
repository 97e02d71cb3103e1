//! The checksum of RDB files and DUMP payloads: CRC-64 by Jones' polynomial, reflected, from zero and not inverted.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

type Algorithm = Crc<u64, Table<16>>;

/// A checksum under way.
pub(crate) struct Checksum(Digest<'static, u64, Table<16>>);

impl Checksum {
    pub(crate) fn new() -> Self {
        Self(CRC.digest())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

/// The checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    CRC.checksum(bytes)
}

static CRC: Algorithm = Algorithm::new(&CRC_64_REDIS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomial_is_that_of_redis() {
        // The check value that Redis' source states for its crc64().
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut pieces = Checksum::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.value(), checksum(b"123456789"));
    }
}
