//! The estimate: how many different elements a histogram of registers stands for.
//!
//! Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6.

use super::pattern::{REGISTERS, RUN_MAX};

/// How many registers have each value. Six bits hold more values than elements can come to; forged registers have them.
pub(super) type Histogram = [u32; 64];

/// The estimate for a histogram, rounded. Forged registers that stand for infinity come to 2^63, as in Redis on x86-64.
pub(super) fn estimate(histogram: &Histogram) -> u64 {
    const M: f64 = REGISTERS as f64;
    /// 1 / (2 ln 2).
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    let [lowest, middle @ .., highest] = &histogram[..=RUN_MAX] else {
        return 0;
    };
    let mut z = M * tau((M - f64::from(*highest)) / M);
    for count in middle.iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += M * sigma(f64::from(*lowest) / M);
    let estimate = (ALPHA * M * M / z).round();
    if estimate < i64::MAX as f64 {
        estimate as u64
    } else {
        1 << 63
    }
}

/// Definition 13 of the paper.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// Definition 14 of the paper.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
