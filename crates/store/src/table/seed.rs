//! Owns how keys are hashed: the seed of the process, and which bits of a hash serve what.

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

/// The secret under which a process hashes keys; one value serves all tables, which keep no seed of their own.
#[derive(Clone, Copy)]
pub struct HashSeed {
    state: &'static SeedableRandomState,
}

impl HashSeed {
    /// A seed made of these random bits.
    ///
    /// It is never freed: make one a process.
    pub fn new(random: u64) -> Self {
        let shared: &'static SharedSeed = Box::leak(Box::new(SharedSeed::from_u64(random)));
        let state = SeedableRandomState::with_seed(random.rotate_left(32), shared);
        Self {
            state: Box::leak(Box::new(state)),
        }
    }

    /// The hash of a key.
    ///
    /// Bits 0..42 choose the bucket and order the walk ([`Position`]), bits 56..64 are the tag inside the bucket.
    #[inline]
    pub fn hash(self, key: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

impl std::fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashSeed(secret)")
    }
}

/// The byte that stands for a hash inside its bucket; zero marks a free slot and is never a tag.
#[inline]
pub(super) fn tag_of(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// 32 bits by which a table finds the few elements that may have a hash: 24 bits of the bucket's number and the tag.
///
/// Other elements may share them; the caller looks at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// The fingerprint of a hash.
    #[inline]
    pub fn of(hash: u64) -> Self {
        Self(
            (hash as u32 & ((1 << FINGERPRINT_BUCKET_BITS) - 1))
                | u32::from(tag_of(hash)) << FINGERPRINT_BUCKET_BITS,
        )
    }

    /// The low bits of the bucket's number.
    pub(super) fn bucket_bits(self) -> u64 {
        u64::from(self.0) & ((1 << FINGERPRINT_BUCKET_BITS) - 1)
    }

    /// The tag inside the bucket.
    pub(super) fn tag(self) -> u8 {
        (self.0 >> FINGERPRINT_BUCKET_BITS) as u8
    }
}

/// Bits of the bucket's number in a [`Fingerprint`].
pub(super) const FINGERPRINT_BUCKET_BITS: u32 = 24;

/// A place in the walk over a table: the first [`Position::BITS`] bits of a bit-reversed hash.
///
/// At every size of a table a bucket is an interval of positions, so a place keeps its meaning while the table grows or shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Bits of a position. With the ten of a shard's number a cursor stays below 2^53.
    pub const BITS: u32 = 42;

    /// Where a walk begins.
    pub const START: Self = Self(0);

    /// The position of an element with this hash.
    #[inline]
    pub fn of(hash: u64) -> Self {
        Self(hash.reverse_bits() >> (u64::BITS - Self::BITS))
    }

    /// The position that [`Position::bits`] gave; bits above [`Position::BITS`] are ignored.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// The position as a number below 2^[`Position::BITS`].
    pub fn bits(self) -> u64 {
        self.0
    }

    /// A hash at this position: it lies in the bucket that a walk visits here.
    #[inline]
    pub fn hash(self) -> u64 {
        (self.0 << (u64::BITS - Self::BITS)).reverse_bits()
    }

    /// The position `distance` further on; `None` past the end.
    pub(super) fn after(self, distance: u64) -> Option<Self> {
        let bits = self.0 + distance;
        (bits < 1 << Self::BITS).then_some(Self(bits))
    }
}
