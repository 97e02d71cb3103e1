//! The only place that reads clocks: one monotonic reading a call, and the distance from it to Unix time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use commands::Now;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The clock of a server.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// Unix time in microseconds at `start`, as the system's clock has it since the last [`Clock::resync`].
    unix_us_at_start: AtomicI64,
    /// What of the time since `start` counts: all bits, or none of a clock that stands. A mask, for a reading is to cost no
    /// branch.
    flow: u64,
    /// Nanoseconds by which it was moved on.
    ahead_ns: AtomicU64,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self::new(u64::MAX)
    }

    /// A clock that stands, and moves when it is told to, for tests.
    #[must_use]
    pub fn standing() -> Self {
        Self::new(0)
    }

    fn new(flow: u64) -> Self {
        let clock = Self {
            start: monotonic(),
            unix_us_at_start: AtomicI64::new(unix_us()),
            flow,
            ahead_ns: AtomicU64::new(0),
        };
        clock.resync();
        clock
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.ahead_ns.fetch_add(ns, Relaxed);
    }

    /// The time, at the cost of one reading.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Now {
        let elapsed = monotonic().duration_since(self.start);
        let elapsed_ns = elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos());
        let monotonic_ns = (elapsed_ns & self.flow) + self.ahead_ns.load(Relaxed);
        let elapsed_us = (monotonic_ns / 1000) as i64;
        Now {
            unix_us: self.unix_us_at_start.load(Relaxed) + elapsed_us,
            monotonic_ns,
        }
    }

    /// Follows the system's clock, should somebody have set it. Cron calls this.
    pub fn resync(&self) {
        if self.flow == 0 {
            return;
        }
        let elapsed_us = monotonic().duration_since(self.start).as_micros() as i64;
        self.unix_us_at_start.store(unix_us() - elapsed_us, Relaxed);
    }
}

/// A moment of the monotonic clock, for deadlines.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
#[inline]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Unix time in microseconds, from the system.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub(crate) fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}

/// The clock as rustls reads it, for the dates of certificates and the age of tickets.
#[derive(Debug)]
pub(crate) struct CertificateTime(pub(crate) Arc<Clock>);

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let unix_us = u64::try_from(self.0.now().unix_us).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_micros(unix_us)))
    }
}
