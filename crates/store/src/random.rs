//! Randomness as the structures use it: a source that comes in as an argument, so that a run can be repeated from its seed.

/// A source of uniform 64-bit numbers.
pub type Random<'a> = &'a mut dyn FnMut() -> u64;

/// A uniform number below `bound`; 0 when `bound` is 0.
#[inline]
pub fn below(random: &mut dyn FnMut() -> u64, bound: usize) -> usize {
    ((u128::from(random()) * bound as u128) >> 64) as usize
}
