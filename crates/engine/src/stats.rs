//! Counters of calls, one block a thread, summed when somebody asks.

use crate::latency::{Latency, LatencySum};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All counters of the process.
#[derive(Debug)]
pub struct Stats {
    threads: Box<[ThreadStats]>,
    /// What active expiry does.
    pub expiry: ExpiryStats,
}

/// The counters that one thread writes and every thread may read.
#[derive(Debug)]
#[repr(align(128))]
pub struct ThreadStats {
    /// Calls, by the number of their row.
    pub calls: Box<[CallStats]>,
    /// Calls in all.
    pub commands: Counter,
    /// The most calls that were made between two looks at the sockets.
    pub batch_max: Counter,
    /// Changes of the dataset.
    pub dirty: Counter,
    /// Keys that were deleted because they had expired.
    pub expired: Counter,
    /// Keys that were deleted to make room.
    pub evicted: Counter,
    /// Fields of hashes that were deleted because they had expired.
    pub expired_fields: Counter,
    /// Reads that found their key.
    pub hits: Counter,
    /// Reads that did not.
    pub misses: Counter,
    /// Error replies.
    pub errors: Counter,
    /// Unexpected error replies: of calls that were admitted but failed.
    pub failed: Counter,
}

/// The counters of one command.
#[derive(Debug, Default)]
pub struct CallStats {
    /// Calls that ran.
    pub calls: Counter,
    /// Time they took in nanoseconds.
    pub ns: Counter,
    /// Calls that admission refused.
    pub rejected: Counter,
    /// Calls that answered with an error.
    pub failed: Counter,
    /// How long they took.
    pub(crate) latency: Latency,
}

/// What active expiry does, for INFO stats.
#[derive(Debug, Default)]
pub struct ExpiryStats {
    ns: AtomicU64,
    capped: AtomicU64,
    /// Share of the volatile keys that had expired, in millionths: a running average.
    stale_millionths: AtomicU64,
    /// Share of the hashes with volatile fields that had expired ones: likewise.
    stale_hash_millionths: AtomicU64,
}

/// How many of those that may expire have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    pub(crate) expired: u64,
    pub(crate) volatile: u64,
}

impl Share {
    /// Moves a running average in millionths; the new figure weighs a twentieth, as in Redis.
    fn weigh_in(self, average: &AtomicU64) {
        let current = self.expired.saturating_mul(1_000_000) / self.volatile.max(1);
        let before = average.load(Relaxed);
        average.store((before * 19 + current.min(1_000_000)) / 20, Relaxed);
    }
}

/// A counter with one writer: its thread. Reading it elsewhere is exact once that thread is quiet.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Raises the count to `n` if it is lower. Only the owning thread may call this.
    #[inline]
    pub fn raise(&self, n: u64) {
        if self.0.load(Relaxed) < n {
            self.0.store(n, Relaxed);
        }
    }

    /// Adds `n`. Only the owning thread may call this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes back what was added. Only the owning thread may call this.
    pub fn take_back(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Back to zero (CONFIG RESETSTAT).
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

impl ExpiryStats {
    /// Time spent, in milliseconds (`expire_cycle_cpu_milliseconds`).
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.ns.load(Relaxed) / 1_000_000
    }

    /// Cycles that ran out of time (`expired_time_cap_reached_count`).
    #[must_use]
    pub fn capped(&self) -> u64 {
        self.capped.load(Relaxed)
    }

    /// Which part of the volatile keys has expired without having been deleted, in percent (`expired_stale_perc`).
    #[must_use]
    pub fn stale_percent(&self) -> f64 {
        self.stale_millionths.load(Relaxed) as f64 / 10_000.0
    }

    /// Which part of the hashes with volatile fields has expired ones, in percent (`expired_keys_with_volatile_items_stale_perc`, Valkey 9).
    #[must_use]
    pub fn stale_hash_percent(&self) -> f64 {
        self.stale_hash_millionths.load(Relaxed) as f64 / 10_000.0
    }

    /// Counts the time of a step.
    pub(crate) fn add_ns(&self, ns: u64) {
        self.ns.fetch_add(ns, Relaxed);
    }

    /// Counts a cycle that found so many of the volatile keys and of the hashes with volatile fields expired; `capped` when its
    /// time was up before its end.
    pub(crate) fn add_cycle(&self, keys: Share, hashes: Share, capped: bool) {
        self.capped.fetch_add(u64::from(capped), Relaxed);
        keys.weigh_in(&self.stale_millionths);
        hashes.weigh_in(&self.stale_hash_millionths);
    }

    fn reset(&self) {
        for counter in [
            &self.ns,
            &self.capped,
            &self.stale_millionths,
            &self.stale_hash_millionths,
        ] {
            counter.store(0, Relaxed);
        }
    }
}

impl Stats {
    /// Counters for `threads` threads and `commands` rows.
    #[must_use]
    pub fn new(threads: usize, commands: usize) -> Self {
        let thread = || ThreadStats {
            calls: (0..commands).map(|_| CallStats::default()).collect(),
            commands: Counter::default(),
            batch_max: Counter::default(),
            dirty: Counter::default(),
            expired: Counter::default(),
            evicted: Counter::default(),
            expired_fields: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            errors: Counter::default(),
            failed: Counter::default(),
        };
        Self {
            threads: (0..threads).map(|_| thread()).collect(),
            expiry: ExpiryStats::default(),
        }
    }

    /// How many threads count.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// The block of one thread.
    #[must_use]
    pub fn thread(&self, index: usize) -> &ThreadStats {
        &self.threads[index]
    }

    /// One counter, summed over all threads.
    pub fn sum(&self, counter: impl Fn(&ThreadStats) -> &Counter) -> u64 {
        self.threads
            .iter()
            .map(|thread| counter(thread).value())
            .fold(0, u64::wrapping_add)
    }

    /// The most that one thread counted.
    pub fn most(&self, counter: impl Fn(&ThreadStats) -> &Counter) -> u64 {
        let values = self.threads.iter().map(|thread| counter(thread).value());
        values.max().unwrap_or(0)
    }

    /// The counters of one command, summed: calls, nanoseconds, rejected, failed.
    #[must_use]
    pub fn of_command(&self, id: u16) -> [u64; 4] {
        let call = |thread: &'_ ThreadStats| -> [u64; 4] {
            let call = &thread.calls[usize::from(id)];
            [
                call.calls.value(),
                call.ns.value(),
                call.rejected.value(),
                call.failed.value(),
            ]
        };
        self.threads.iter().map(call).fold([0; 4], |sum, one| {
            std::array::from_fn(|i| sum[i].wrapping_add(one[i]))
        })
    }

    /// How long the calls of one command took; `None` when none was timed.
    #[must_use]
    pub fn latency(&self, id: u16) -> Option<LatencySum> {
        let calls = self
            .threads
            .iter()
            .filter_map(|thread| thread.calls.get(usize::from(id)));
        LatencySum::of(calls.map(|call| &call.latency))
    }

    /// Nanoseconds that all calls took together.
    #[must_use]
    pub fn command_ns(&self) -> u64 {
        let calls = self.threads.iter().flat_map(|thread| &thread.calls);
        calls.map(|call| call.ns.value()).fold(0, u64::wrapping_add)
    }

    /// Sets every counter that CONFIG RESETSTAT names to zero.
    pub fn reset(&self) {
        self.expiry.reset();
        for thread in &self.threads {
            for counter in [
                &thread.commands,
                &thread.batch_max,
                &thread.expired,
                &thread.evicted,
                &thread.expired_fields,
                &thread.hits,
                &thread.misses,
                &thread.errors,
                &thread.failed,
            ] {
                counter.reset();
            }
            for call in &thread.calls {
                [&call.calls, &call.ns, &call.rejected, &call.failed]
                    .into_iter()
                    .for_each(Counter::reset);
                call.latency.reset();
            }
        }
    }
}
