//! Owns the expiry index: when to look at which volatile elements, at about six bytes each.

use std::collections::BTreeMap;

use crate::random::{Random, below};
use crate::table::Fingerprint;

/// Records of volatile elements, ordered by when to look at them.
///
/// A record is an element's [`Fingerprint`] under a tick; it says "look now", not "expired": the deadline itself is in the element. So
/// removing an element, or its deadline, or putting it off leaves the record; when its tick comes, whoever finds the element still alive
/// arms it anew. Only a deadline that comes nearer needs a further record.
///
/// How wide a tick is depends on how far off the deadline was when it was armed: at most a sixteenth of the distance, at least 128 ms. A
/// record comes due at the start of a wide tick, then has a nearer and narrower one; it comes due at the end of a narrowest tick, when the
/// deadline has passed. A day's deadline is looked at about five times, and the records of millions of elements lie in a few hundred ticks
/// whatever their deadlines, instead of one tick each.
#[derive(Clone, Debug, Default)]
pub struct ExpiryIndex {
    ticks: BTreeMap<i64, Vec<Fingerprint>>,
    records: usize,
    sweep: Sweep,
}

/// Counts a change of an element's deadline among so many volatile ones; the deadline that wants a record, if one does. A later
/// deadline needs none: the old one comes due first and is armed anew then.
#[inline]
pub(crate) fn recount(
    volatile: &mut usize,
    before: Option<i64>,
    after: Option<i64>,
) -> Option<i64> {
    match (before, after) {
        (None, None) => None,
        (Some(_), None) => {
            *volatile -= 1;
            None
        }
        (Some(before), Some(after)) if after >= before => None,
        (before, Some(after)) => {
            *volatile += usize::from(before.is_none());
            Some(after)
        }
    }
}

/// The tick that a sweep has taken up, and its records that are still to be checked; they are in no other place.
#[derive(Clone, Debug, Default)]
struct Sweep {
    tick: i64,
    unchecked: Vec<Fingerprint>,
}

impl ExpiryIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an element with this deadline; both times in milliseconds since the epoch.
    ///
    /// To be called when an element becomes volatile, when its deadline comes nearer, and when it came [due](Self::due) but lives on.
    pub fn arm(&mut self, fingerprint: Fingerprint, deadline_ms: i64, now_ms: i64) {
        self.arm_at(fingerprint, tick_of(deadline_ms, now_ms));
    }

    /// Records an element that comes due at exactly this time: one whose own index says when to look at it.
    pub fn arm_at(&mut self, fingerprint: Fingerprint, due_ms: i64) {
        self.ticks.entry(due_ms).or_default().push(fingerprint);
        self.records += 1;
    }

    /// Takes out a record that has come due: every element with that fingerprint whose deadline has passed is to be expired, every other
    /// volatile one to be armed anew. Arming never makes a record due at the same `now_ms`, so repeating until `None` ends.
    pub fn due(&mut self, now_ms: i64) -> Option<Fingerprint> {
        if self.sweep.tick <= now_ms
            && let Some(record) = self.sweep.unchecked.pop()
        {
            self.records -= 1;
            return Some(record);
        }
        let mut first = self
            .ticks
            .first_entry()
            .filter(|first| *first.key() <= now_ms)?;
        let record = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        self.records -= 1;
        record
    }

    /// When the next record comes due, in milliseconds since the epoch.
    pub fn next_due(&self) -> Option<i64> {
        let swept = (!self.sweep.unchecked.is_empty()).then_some(self.sweep.tick);
        let first = self.ticks.first_key_value().map(|(&tick, _)| tick);
        swept.into_iter().chain(first).min()
    }

    /// Records held: at least one for each volatile element, and those that were left behind.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether no record is held.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether so many records were left behind that it is time to [`ExpiryIndex::sweep`]: more than two for a volatile element.
    pub fn is_overgrown(&self, volatile: usize) -> bool {
        self.records > 2 * volatile + OVERGROWN_AT_LEAST
    }

    /// Checks up to `budget` records where the last sweep stopped, going round, and drops those that are not needed.
    ///
    /// `deadline_of` tells the earliest deadline of the volatile elements with a fingerprint, `None` if there is none. A record without such
    /// an element goes; any other is put where that deadline has it, and doubles there go when their tick is swept. Taking up a tick sorts
    /// its records: a few milliseconds if a hundred thousand elements share one.
    pub fn sweep(
        &mut self,
        budget: usize,
        now_ms: i64,
        mut deadline_of: impl FnMut(Fingerprint) -> Option<i64>,
    ) {
        for _ in 0..budget {
            if self.sweep.unchecked.is_empty() {
                self.take_up_next_tick();
            }
            let Some(record) = self.sweep.unchecked.pop() else {
                return;
            };
            self.records -= 1;
            if let Some(deadline_ms) = deadline_of(record) {
                self.arm(record, deadline_ms, now_ms);
            }
        }
    }

    /// Some record, each as likely; `None` when there is none. Visits the ticks, of which there are a few hundred.
    pub fn sample(&self, random: Random<'_>) -> Option<Fingerprint> {
        let mut at = below(random, self.records);
        for records in self.ticks.values().chain([&self.sweep.unchecked]) {
            match records.get(at) {
                Some(record) => return Some(*record),
                None => at -= records.len(),
            }
        }
        None
    }

    /// The records in the order in which they come due, but for those that a sweep is checking: for `volatile-ttl`.
    pub fn earliest(&self) -> impl Iterator<Item = Fingerprint> {
        self.ticks
            .values()
            .chain([&self.sweep.unchecked])
            .flatten()
            .copied()
    }

    /// Bytes held. Visits every tick, of which there are a few hundred.
    pub fn memory(&self) -> usize {
        let records =
            self.ticks.values().map(Vec::capacity).sum::<usize>() + self.sweep.unchecked.capacity();
        // A node of the standard library's tree is about two thirds full.
        let tick = (size_of::<i64>() + size_of::<Vec<Fingerprint>>()) * 3 / 2;
        records * size_of::<Fingerprint>() + self.ticks.len() * tick
    }

    /// Moves the records of the first tick behind the one that the sweep is at, or of the very first, to where they are checked.
    fn take_up_next_tick(&mut self) {
        let behind = self.ticks.range(self.sweep.tick.saturating_add(1)..).next();
        let Some((&tick, _)) = behind.or_else(|| self.ticks.first_key_value()) else {
            self.sweep.unchecked = Vec::new();
            return;
        };
        let mut records = self.ticks.remove(&tick).unwrap_or_default();
        let before = records.len();
        records.sort_unstable();
        records.dedup();
        self.records -= before - records.len();
        self.sweep = Sweep {
            tick,
            unchecked: records,
        };
    }
}

/// When to look at an element with this deadline: a multiple of the width that fits its distance.
pub(crate) fn tick_of(deadline_ms: i64, now_ms: i64) -> i64 {
    let widths = deadline_ms.saturating_sub(now_ms) / (TICKS_AHEAD * NARROWEST_MS);
    if widths <= 1 {
        let end = deadline_ms
            .max(now_ms)
            .div_euclid(NARROWEST_MS)
            .saturating_add(1);
        return end.saturating_mul(NARROWEST_MS);
    }
    let width = NARROWEST_MS << widths.ilog2();
    deadline_ms.div_euclid(width) * width
}

/// Width of the narrowest tick: how late an element may expire by itself.
const NARROWEST_MS: i64 = 128;
/// A tick is at most this part of the distance to the deadline.
const TICKS_AHEAD: i64 = 16;
/// Records below which sweeping is not worth its while.
const OVERGROWN_AT_LEAST: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn fingerprint(number: u64) -> Fingerprint {
        // Two numbers share a fingerprint now and then.
        Fingerprint::of((number % 90) | (7 << 56))
    }

    #[test]
    fn records_come_due_within_a_narrow_tick_of_the_deadline() {
        let mut index = ExpiryIndex::new();
        for deadline in [5_000, 100_000, 86_400_000] {
            let mut looks = 0;
            let mut now = 1_000;
            index.arm(fingerprint(1), deadline, now);
            loop {
                let due = index.next_due().unwrap();
                assert!(due > now && due <= deadline + NARROWEST_MS);
                assert_eq!(index.due(due - 1), None);
                now = due;
                assert_eq!(index.due(now), Some(fingerprint(1)));
                looks += 1;
                if deadline <= now {
                    break;
                }
                index.arm(fingerprint(1), deadline, now);
            }
            assert!(index.is_empty() && looks <= 6, "{looks} looks");
        }
    }

    #[test]
    fn extreme_deadlines_are_ordinary() {
        let mut index = ExpiryIndex::new();
        for deadline in [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            index.arm(fingerprint(1), deadline, 10_000);
        }
        let due: Vec<_> = std::iter::from_fn(|| index.due(10_128)).collect();
        assert_eq!((due.len(), index.len()), (4, 2));
        assert!(std::iter::from_fn(|| index.due(i64::MAX)).count() == 2);
    }

    #[test]
    fn spread_deadlines_cost_six_bytes_each() {
        let mut index = ExpiryIndex::new();
        for number in 0..20_000_u64 {
            index.arm(
                Fingerprint::of(number),
                1_000_000 + (number * 7_919_333 % 86_400_000) as i64,
                1_000_000,
            );
        }
        let each = index.memory() as f64 / 20_000.0;
        assert!((4.0..9.0).contains(&each), "{each} bytes a record");
    }

    #[test]
    fn sweeping_leaves_one_record_an_element() {
        let mut index = ExpiryIndex::new();
        for round in 0..50_i64 {
            for number in 0..20 {
                index.arm(fingerprint(number), 100_000 + round * 1_000, round);
            }
        }
        assert!(index.is_overgrown(20));
        let deadline_of = |record: Fingerprint| (record < fingerprint(10)).then_some(149_000);
        for _ in 0..400 {
            index.sweep(10, 50, deadline_of);
        }
        assert_eq!(index.len(), 10);
        assert!(!index.is_overgrown(10));
        let mut earliest: Vec<_> = index.earliest().collect();
        earliest.sort();
        assert!(earliest.into_iter().eq((0..10).map(fingerprint)));
    }

    #[test]
    fn samples_reach_every_tick() {
        let mut index = ExpiryIndex::new();
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state
        };
        assert_eq!(index.sample(&mut random), None);
        for number in 0..8 {
            index.arm(fingerprint(number), 1_000 + 1_000 * number as i64, 0);
        }
        index.sweep(1, 0, |_| Some(1_000));
        index.arm(fingerprint(8), 9_000, 0);
        let mut seen: Vec<_> = (0..500).filter_map(|_| index.sample(&mut random)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 9);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Expire(u64, i64),
        Persist(u64),
        Pass(i64),
        Sweep(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..100_u64, prop_oneof![0..3_000_i64, 0..10_000_000_i64])
                .prop_map(|(number, ttl)| Step::Expire(number, ttl)),
            1 => (0..100_u64).prop_map(Step::Persist),
            2 => prop_oneof![0..500_i64, 0..100_000_i64].prop_map(Step::Pass),
            1 => (0..30_usize).prop_map(Step::Sweep),
        ]
    }

    /// An index with the elements whose deadlines it serves, used as a shard uses it.
    #[derive(Default)]
    struct Volatile {
        index: ExpiryIndex,
        deadlines: HashMap<u64, i64>,
        now: i64,
    }

    impl Volatile {
        fn apply(&mut self, step: &Step) {
            match *step {
                Step::Expire(number, ttl) => {
                    let deadline = self.now + ttl;
                    let old = self.deadlines.insert(number, deadline);
                    if old.is_none_or(|old| deadline < old) {
                        self.index.arm(fingerprint(number), deadline, self.now);
                    }
                }
                Step::Persist(number) => drop(self.deadlines.remove(&number)),
                Step::Pass(time) => {
                    self.now += time;
                    while let Some(record) = self.index.due(self.now) {
                        self.look(record);
                    }
                }
                Step::Sweep(budget) => {
                    let deadlines = &self.deadlines;
                    self.index.sweep(budget, self.now, |record| {
                        deadlines
                            .iter()
                            .filter(|(number, _)| fingerprint(**number) == record)
                            .map(|(_, &at)| at)
                            .min()
                    });
                }
            }
        }

        fn look(&mut self, record: Fingerprint) {
            let now = self.now;
            self.deadlines
                .retain(|&number, &mut deadline| fingerprint(number) != record || deadline > now);
            for (&number, &deadline) in &self.deadlines {
                if fingerprint(number) == record {
                    self.index.arm(record, deadline, now);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_outlives_its_deadline_by_more_than_a_narrow_tick(steps in prop::collection::vec(step(), 0..300)) {
            let mut volatile = Volatile::default();
            for step in &steps {
                volatile.apply(step);
                if let Step::Pass(_) = step {
                    let oldest = volatile.deadlines.values().min().copied().unwrap_or(i64::MAX);
                    prop_assert!(oldest > volatile.now - NARROWEST_MS);
                }
                prop_assert_eq!(volatile.index.earliest().count(), volatile.index.len());
            }
            volatile.apply(&Step::Pass(20_000_000));
            prop_assert!(volatile.deadlines.is_empty() && volatile.index.is_empty());
        }
    }
}
