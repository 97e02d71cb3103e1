//! How long the calls of a command took, as a histogram with two significant digits (HdrHistogram, as Redis 7.0 keeps it).
//!
//! ```text
//! ns      0 .. 255   256 .. 511   512 .. 1023   ..   2^29 .. 2^30 - 1
//! width   1          2            4             ..   2^22
//! places  256        128          128           ..   128
//! ```

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The histogram of one thread, made when it is first written to.
#[derive(Debug, Default)]
pub(crate) struct Latency(OnceLock<Box<[AtomicU32]>>);

/// Histograms of several threads together.
#[derive(Debug)]
pub struct LatencySum {
    counts: Box<[u64]>,
    total: u64,
}

/// Values up to here have a place each.
const EXACT_BITS: u32 = 8;
/// Places for each doubling above.
const HALF: usize = 1 << (EXACT_BITS - 1);
/// The first time that steps are counted up to is two to the power of this many nanoseconds.
const FIRST_STEP_BITS: u32 = 10;
/// Longer calls count as of this length: a second (LATENCY_HISTOGRAM_MAX_VALUE, Redis 7.0).
const NS_MAX: u64 = 1_000_000_000;
const PLACES: usize = place(NS_MAX) + 1;

/// The place of a value.
const fn place(ns: u64) -> usize {
    let doublings = (u64::BITS - (ns | ((1 << EXACT_BITS) - 1)).leading_zeros()) - EXACT_BITS;
    doublings as usize * HALF + (ns >> doublings) as usize
}

/// The largest value with this place.
fn last_at(place: usize) -> u64 {
    let doublings = (place / HALF).saturating_sub(1);
    let first = ((place - doublings * HALF) as u64) << doublings;
    first + (1 << doublings) - 1
}

impl Latency {
    /// Counts a call. Only the owning thread may call this.
    #[inline]
    pub(crate) fn record(&self, ns: u64) {
        let places = self
            .0
            .get_or_init(|| (0..PLACES).map(|_| AtomicU32::new(0)).collect());
        if let Some(count) = places.get(place(ns.clamp(1, NS_MAX))) {
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
    }

    pub(crate) fn reset(&self) {
        if let Some(places) = self.0.get() {
            places.iter().for_each(|count| count.store(0, Relaxed));
        }
    }
}

impl LatencySum {
    /// The sum of histograms; `None` when nothing was counted.
    pub(crate) fn of<'a>(parts: impl Iterator<Item = &'a Latency>) -> Option<Self> {
        let mut counts = vec![0; PLACES].into_boxed_slice();
        for places in parts.filter_map(|part| part.0.get()) {
            for (sum, count) in counts.iter_mut().zip(places) {
                *sum += u64::from(count.load(Relaxed));
            }
        }
        let total = counts.iter().sum();
        (total > 0).then_some(Self { counts, total })
    }

    /// How many calls were counted.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.total
    }

    /// How many calls took at most how many microseconds, for times that double, as long as the number rises
    /// (fillCommandCDF, Redis 7.2).
    #[must_use]
    pub fn steps(&self) -> Vec<(u64, u64)> {
        let (mut steps, mut seen) = (Vec::new(), 0);
        let mut rest = &*self.counts;
        let mut bits = FIRST_STEP_BITS;
        while !rest.is_empty() {
            let last = place(1 << bits);
            let taken = last + 1 - (PLACES - rest.len());
            let (below, above) = rest.split_at(taken.min(rest.len()));
            let count: u64 = below.iter().sum();
            if count > 0 {
                seen += count;
                steps.push((last_at(last) / 1000, seen));
            }
            (rest, bits) = (above, bits + 1);
        }
        steps
    }

    /// A time in nanoseconds that so many percent of the calls did not exceed.
    #[must_use]
    pub fn percentile_ns(&self, percentile: f64) -> u64 {
        let wanted = (percentile / 100.0 * self.total as f64 + 0.5) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        last_at(found.unwrap_or(PLACES - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_at_most_a_128th_below_what_is_shown() {
        for ns in (1..10_000).chain([65_535, 65_536, 1_000_000, 999_999_999, NS_MAX]) {
            let shown = last_at(place(ns));
            assert!(
                ns <= shown && shown - ns <= ns / 128,
                "{ns} is shown as {shown}"
            );
        }
        assert_eq!(last_at(place(1000)), 1003);
        assert!((1..PLACES).all(|place| last_at(place - 1) < last_at(place)));
    }

    #[test]
    fn percentiles() {
        let (first, second) = (Latency::default(), Latency::default());
        assert!(LatencySum::of([&first, &second].into_iter()).is_none());
        (1..=50).for_each(|ns| first.record(ns));
        (51..=99).for_each(|ns| second.record(ns));
        second.record(u64::MAX);
        let sum = LatencySum::of([&first, &second].into_iter()).expect("calls were counted");
        for (percentile, ns) in [
            (0.0, 1),
            (50.0, 50),
            (99.0, 99),
            (100.0, last_at(place(NS_MAX))),
        ] {
            assert_eq!(sum.percentile_ns(percentile), ns, "p{percentile}");
        }
        assert_eq!(sum.calls(), 100);
        assert_eq!(sum.steps(), [(1, 99), (1_082_130, 100)]);
        [first, second].iter().for_each(Latency::reset);
    }
}
