//! What an element says to a HyperLogLog: a register, and the length of a run of zero bits.

/// Bits of the hash that choose the register.
const INDEX_BITS: u32 = 14;

/// The registers of a HyperLogLog.
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;

/// The longest run that an element may come to: the bits of the hash that do not choose the register, and the one that ends
/// the run.
pub(super) const RUN_MAX: usize = 64 - INDEX_BITS as usize + 1;

/// The seed that all HyperLogLogs share, Redis' own: their registers are comparable between servers.
const SEED: u64 = 0xadc8_3b19;

/// A register and the least value that it must have for the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) register: usize,
    pub(super) value: u8,
}

impl Pattern {
    /// The pattern of an element: the value is the number of zero bits behind those of the register, plus one.
    pub(super) fn of(element: &[u8]) -> Self {
        let hash = murmur64a(element);
        let run = (hash >> INDEX_BITS) | 1 << (64 - INDEX_BITS);
        Self {
            register: (hash as usize) & (REGISTERS - 1),
            value: run.trailing_zeros() as u8 + 1,
        }
    }
}

/// Austin Appleby's MurmurHash2 for 64 bits, variant A, words in little-endian order.
fn murmur64a(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> R;
        hash = (hash ^ word.wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        let last = tail
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}
