//! Dense registers: 6 bits each, four of them in three bytes.

use super::format::{HEADER, invalidate};
use super::pattern::{Pattern, REGISTERS};

/// Bytes of dense registers.
pub(super) const DENSE: usize = REGISTERS / 4 * 3;

/// Bits of a register.
const BITS: u32 = 6;
const MASK: u32 = (1 << BITS) - 1;

/// Adds elements to a dense HyperLogLog, header included; how many of them raised a register. The kept estimate is no longer
/// valid if any did.
pub(super) fn add_all(bytes: &mut [u8], elements: &[&[u8]]) -> u64 {
    let Some(registers) = bytes.get_mut(HEADER..) else {
        return 0;
    };
    let raised = elements
        .iter()
        .map(|element| u64::from(raise(registers, Pattern::of(element))))
        .sum();
    if raised > 0 {
        invalidate(bytes);
    }
    raised
}

/// Raises a register to the pattern's value if it is lower; whether it was.
pub(super) fn raise(registers: &mut [u8], pattern: Pattern) -> bool {
    let (quads, _) = registers.as_chunks_mut::<3>();
    let Some(quad) = quads.get_mut(pattern.register / 4) else {
        return false;
    };
    let shift = BITS * (pattern.register % 4) as u32;
    let word = word(*quad);
    if u32::from(pattern.value) <= word >> shift & MASK {
        return false;
    }
    let [a, b, c, _] = (word & !(MASK << shift) | u32::from(pattern.value) << shift).to_le_bytes();
    *quad = [a, b, c];
    true
}

/// The registers in order, by fours.
pub(super) fn quads(registers: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    registers.as_chunks::<3>().0.iter().map(|quad| {
        let word = word(*quad);
        [0, 1, 2, 3].map(|nth| (word >> (BITS * nth) & MASK) as u8)
    })
}

fn word([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}
