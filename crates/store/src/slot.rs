//! The cluster slot of a key: CRC16 of the key or of its `{tag}` (Redis Cluster specification).

use crc::{CRC_16_XMODEM, Crc, Table};

/// Slots of a cluster.
pub const COUNT: u16 = 16384;

static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// The slot of `key`, below [`COUNT`].
///
/// When the key has a `{`, a `}` behind it and something between the two, only what stands between counts.
#[must_use]
pub fn of(key: &[u8]) -> u16 {
    CRC16.checksum(tag(key)) & (COUNT - 1)
}

fn tag(key: &[u8]) -> &[u8] {
    // Keys are short: calling a library takes longer than this loop.
    let Some(open) = key.iter().position(|&byte| byte == b'{') else {
        return key;
    };
    let behind = key.get(open + 1..).unwrap_or_default();
    match memchr::memchr(b'}', behind) {
        Some(length) if length > 0 => behind.get(..length).unwrap_or(key),
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn slots_of_the_specification() {
        assert_eq!(of(b"123456789"), 0x31C3);
        assert_eq!(of(b""), 0);
        assert_eq!(of(b"{user1000}.following"), of(b"{user1000}.followers"));
        assert_eq!(of(b"foo{bar}{zap}"), of(b"bar"));
        assert_eq!(of(b"foo{{bar}}zap"), of(b"{bar"));
        assert_ne!(of(b"foo{}{bar}"), of(b"bar"));
    }
}
