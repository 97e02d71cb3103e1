//! Spikes of latency by what caused them (LATENCY, Redis 2.8.13).

use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

/// The spikes of every event.
#[derive(Debug, Default)]
pub struct Spikes(Mutex<BTreeMap<&'static str, Series>>);

/// The latest spikes of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Oldest first, one a second at most, and never none.
    pub samples: VecDeque<Sample>,
    /// The longest ever, in milliseconds.
    pub longest_ms: u64,
}

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub at_s: i64,
    /// How long it lasted, in milliseconds.
    pub ms: u64,
}

/// What is learnt from the spikes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Mean in milliseconds.
    pub mean_ms: u64,
    /// Mean distance from the mean, in milliseconds.
    pub deviation_ms: u64,
    /// Seconds since the oldest one, at least 1.
    pub period_s: i64,
}

/// Samples that a series keeps (LATENCY_TS_LEN, Redis 7.2).
const SAMPLES_MAX: usize = 160;

impl Spikes {
    /// Notes a spike of `event`.
    pub fn note(&self, event: &'static str, at_s: i64, ms: u64) {
        let mut events = self.0.lock();
        let series = events.entry(event).or_default();
        series.longest_ms = series.longest_ms.max(ms);
        match series.samples.back_mut() {
            Some(latest) if latest.at_s == at_s => latest.ms = latest.ms.max(ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { at_s, ms });
            }
        }
    }

    /// The series of an event, if it had a spike.
    #[must_use]
    pub fn of(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        let events = self.0.lock();
        let found = events.iter().find(|(name, _)| name.as_bytes() == event);
        found.map(|(name, series)| (*name, series.clone()))
    }

    /// All series by the name of their event.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        let events = self.0.lock();
        events
            .iter()
            .map(|(name, series)| (*name, series.clone()))
            .collect()
    }

    /// Forgets an event, whatever the case of its name; how many were forgotten.
    pub fn forget(&self, event: &[u8]) -> usize {
        let mut events = self.0.lock();
        let before = events.len();
        events.retain(|name, _| !name.as_bytes().eq_ignore_ascii_case(event));
        before - events.len()
    }

    /// Forgets all events; how many were forgotten.
    pub fn forget_all(&self) -> usize {
        std::mem::take(&mut *self.0.lock()).len()
    }
}

impl Series {
    /// The shortest and the longest of the samples, in milliseconds.
    #[must_use]
    pub fn bounds_ms(&self) -> (u64, u64) {
        let lengths = || self.samples.iter().map(|sample| sample.ms);
        (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0))
    }

    /// What is learnt from the samples at `now_s` (analyzeLatencyForEvent, Redis 7.2).
    #[must_use]
    pub fn summary(&self, now_s: i64) -> Summary {
        let count = self.samples.len().max(1) as u64;
        let mean_ms = self.samples.iter().map(|sample| sample.ms).sum::<u64>() / count;
        let off = |sample: &Sample| sample.ms.abs_diff(mean_ms);
        let oldest_s = self.samples.front().map_or(now_s, |sample| sample.at_s);
        Summary {
            mean_ms,
            deviation_ms: self.samples.iter().map(off).sum::<u64>() / count,
            period_s: (now_s - oldest_s).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_one_sample_and_a_series_is_bounded() {
        let spikes = Spikes::default();
        for (at_s, ms) in [(1, 10), (1, 30), (1, 20), (2, 5)] {
            spikes.note("command", at_s, ms);
        }
        let (_, series) = spikes.of(b"command").expect("it had spikes");
        let samples: Vec<_> = series.samples.iter().map(|s| (s.at_s, s.ms)).collect();
        assert_eq!(samples, [(1, 30), (2, 5)]);
        assert_eq!((series.longest_ms, series.bounds_ms()), (30, (5, 30)));
        let summary = Summary {
            mean_ms: 17,
            deviation_ms: 12,
            period_s: 9,
        };
        assert_eq!(series.summary(10), summary);
        (3..1000).for_each(|at_s| spikes.note("command", at_s, 1));
        let (_, series) = spikes.of(b"command").expect("it had spikes");
        assert_eq!(series.samples.len(), SAMPLES_MAX);
        assert_eq!(series.longest_ms, 30);
        assert_eq!(spikes.forget(b"COMMAND"), 1);
        assert_eq!(spikes.forget_all(), 0);
    }
}
