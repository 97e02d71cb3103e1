//! What is observed of calls beside their counters: the command log, MONITOR, and spikes of latency.
//!
//! 1. Nothing of it costs a call that nobody is to hear of. A call's end is read where the next one starts; only when the
//!    time in between reaches [`Thresholds::slow_ns`] is anything looked at.
//! 2. The words of a slow call are no longer at hand then. The connection, which still has the bytes of the request, enters
//!    it ([`crate::Executor::take_slow`]); a transaction, which has its queued words, does so itself.
//! 3. Words that are secret are named by the handler that takes them ([`crate::SessionCtx::hide`]), and shown to nobody.

mod command_log;
mod monitors;
mod spikes;

pub use self::command_log::{CommandLog, Entry, Kind};
pub use self::monitors::{Monitors, Origin};
pub use self::spikes::{Sample, Series, Spikes, Summary};

use smallvec::SmallVec;

/// From where on calls are entered into logs.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Microseconds from which on a call is slow (`slowlog-log-slower-than`); `None` for no log.
    pub slow_us: Option<u64>,
    /// Bytes from which on a request is large (`commandlog-request-larger-than`).
    pub request_bytes: Option<u64>,
    /// Bytes from which on a reply is large (`commandlog-reply-larger-than`).
    pub reply_bytes: Option<u64>,
    /// How many entries each kind of log keeps, by [`Kind`].
    pub kept: [usize; 3],
    /// Milliseconds from which on latency is a spike (`latency-monitor-threshold`); `None` when spikes are not noted.
    pub spike_ms: Option<u64>,
    slow_ns: u64,
}

/// How large a call was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Bytes of the request.
    pub request: u64,
    /// Bytes of the reply.
    pub reply: u64,
}

/// Which arguments of a call are secret, counted from behind the command's name.
pub type Secrets = SmallVec<[u16; 4]>;

impl Default for Thresholds {
    fn default() -> Self {
        let sizes = Some(1 << 20);
        Self::new([Some(10_000), sizes, sizes], [128; 3], None)
    }
}

impl Thresholds {
    /// Thresholds: of the logs and how many entries they keep, each by [`Kind`], and of spikes.
    #[must_use]
    pub fn new(logs: [Option<u64>; 3], kept: [usize; 3], spike_ms: Option<u64>) -> Self {
        let [slow_us, request_bytes, reply_bytes] = logs;
        let log_ns = slow_us.map(|us| us.saturating_mul(1000));
        let spike_ns = spike_ms.map(|ms| ms.saturating_mul(1_000_000));
        Self {
            slow_us,
            request_bytes,
            reply_bytes,
            kept,
            spike_ms,
            slow_ns: log_ns.into_iter().chain(spike_ns).min().unwrap_or(u64::MAX),
        }
    }

    /// Nanoseconds from which on a call's time is of interest to anybody.
    #[inline]
    #[must_use]
    pub fn slow_ns(&self) -> u64 {
        self.slow_ns
    }

    /// The threshold of a kind of log.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Slow => self.slow_us,
            Kind::LargeRequest => self.request_bytes,
            Kind::LargeReply => self.reply_bytes,
        }
        .filter(|_| self.kept[kind as usize] > 0)
    }

    /// Whether a call of these sizes is entered into a log.
    #[must_use]
    pub fn are_reached(&self, sizes: Sizes) -> bool {
        self.wants(Kind::LargeRequest, sizes.request) || self.wants(Kind::LargeReply, sizes.reply)
    }

    /// Whether a call with this figure is entered into the log of `kind`.
    #[must_use]
    pub fn wants(&self, kind: Kind, figure: u64) -> bool {
        self.of(kind).is_some_and(|least| figure >= least)
    }
}

/// The words of a call as others may see them; those that are secret are replaced.
pub(crate) fn shown<'w>(
    argv: &'w [&'w [u8]],
    name_words: usize,
    secrets: &'w [u16],
) -> impl Iterator<Item = &'w [u8]> {
    argv.iter().enumerate().map(move |(at, word)| {
        let is_secret = at.checked_sub(name_words).is_some_and(|argument| {
            secrets
                .iter()
                .any(|secret| usize::from(*secret) == argument)
        });
        if is_secret { REDACTED } else { *word }
    })
}

const REDACTED: &[u8] = b"(redacted)";
