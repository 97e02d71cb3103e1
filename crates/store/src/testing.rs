//! What the tests of several structures share: elements, randomness, and the measure of memory.

use proptest::prelude::*;

use crate::cut::Divisible;
use crate::dict::Dict;

/// Elements of all encodings, few enough that they meet again.
pub(crate) fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-9i64..9).prop_map(|value| value.to_string().into_bytes()),
        4 => prop::collection::vec(b'a'..b'd', 0..3),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

/// A source of numbers that a seed repeats.
pub(crate) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Bytes an element, each element's block rounded up to 16 as allocators do.
pub(crate) fn requested<E: Divisible>(dict: &Dict<E>, element: impl Fn(&E) -> usize) -> f64 {
    let elements: usize = dict
        .table()
        .iter()
        .map(|one| element(one).next_multiple_of(16))
        .sum();
    (elements + dict.table().memory()) as f64 / dict.len() as f64
}
