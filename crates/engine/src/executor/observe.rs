//! The executor's part in observing calls: whose time runs, what was slow or large, and what monitors see.

use super::{Executor, Local};
use crate::blocking::Waiter;
use crate::clients::Client;
use crate::engine::Engine;
use crate::handler::Handler;
use crate::observe::{Kind, Origin, Secrets, Sizes, Thresholds, shown};
use crate::registry::Row;
use crate::session::Session;
use crate::transaction::Queued;
use commands::{Flags, Now};

/// A call that took long and is to be entered into the log by whoever has its words.
#[derive(Debug)]
pub(super) struct SlowCall {
    ago: Ago,
    row: u16,
    ns: u64,
    /// When it ended, in Unix seconds.
    at_s: i64,
    /// What must not be shown of it, when another session command has run since.
    secrets: Option<Secrets>,
}

/// Which call of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ago {
    /// The last one.
    Last,
    /// The one before that.
    Previous,
}

/// A call that has run, with its words.
#[derive(Clone, Copy, Debug)]
pub enum Past<'a> {
    /// The last one; how large its request was and its reply, if it has ended.
    Last(&'a [&'a [u8]], Option<Sizes>),
    /// The one before that.
    Previous(&'a [&'a [u8]]),
}

impl Executor {
    /// From where on calls are entered into logs.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.local.world.observed
    }

    /// Whether the last call of a session, which was so large if it has ended, is to be entered into a log, or the one
    /// before that. Then [`Executor::enter`] wants their words.
    #[must_use]
    pub fn is_remarkable(&self, sizes: Option<Sizes>) -> bool {
        let is_large = |sizes| self.thresholds().are_reached(sizes);
        !self.local.slow.is_empty() || sizes.is_some_and(is_large)
    }

    /// Enters a call of `session` into the logs that it belongs in.
    pub fn enter(&mut self, session: &Session, past: Past<'_>) {
        let Self { engine, local } = self;
        let (ago, argv) = match past {
            Past::Last(argv, _) => (Ago::Last, argv),
            Past::Previous(argv) => (Ago::Previous, argv),
        };
        if let Some(at) = local.slow.iter().position(|slow| slow.ago == ago) {
            let slow = local.slow.remove(at);
            local.log_slow(engine, session, &slow, argv);
        }
        if let Past::Last(argv, Some(sizes)) = past
            && local.ran
        {
            let row = engine.registry.row(session.last_name.2);
            local.log_sizes(engine, session, row, argv, sizes);
        }
    }

    /// Forgets what was slow and has not been entered: the next session's calls are others.
    pub fn forget_slow(&mut self) {
        self.local.slow.clear();
    }
}

impl Local {
    /// Notes that a call took long.
    #[cold]
    pub(super) fn note_slow(&mut self, engine: &Engine, row: u16, ns: u64, ago: Ago) {
        let row = engine.registry.row(row);
        let at_s = self.latest.unix_us.div_euclid(1_000_000);
        let event = if row.flags.contains(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        let thresholds = &self.world.observed;
        let ms = ns / 1_000_000;
        if thresholds.spike_ms.is_some_and(|least| ms >= least) {
            engine.spikes.note(event, at_s, ms);
        }
        let is_logged =
            thresholds.wants(Kind::Slow, ns / 1000) && !row.flags.contains(Flags::SKIP_SLOWLOG);
        if is_logged && self.slow.len() < SLOW_MAX {
            self.slow.push(SlowCall {
                ago,
                row: row.id,
                ns,
                at_s,
                secrets: None,
            });
        }
    }

    /// Whether spikes of latency are noted.
    pub(super) fn notes_spikes(&self) -> bool {
        self.world.observed.spike_ms.is_some()
    }

    /// Notes that something that began then, and ends now, was a spike of latency, if it was long enough.
    pub(super) fn note_spike(&self, engine: &Engine, event: &'static str, began: Option<Now>) {
        let (Some(began), Some(least)) = (began, self.world.observed.spike_ms) else {
            return;
        };
        let now = engine.host.now();
        let ms = now.monotonic_ns.saturating_sub(began.monotonic_ns) / 1_000_000;
        if ms >= least {
            let at_s = now.unix_us.div_euclid(1_000_000);
            engine.spikes.note(event, at_s, ms);
        }
    }

    /// Takes the start of a call back that is to run again, and does not count yet.
    pub(super) fn forget_start(&mut self, engine: &Engine) {
        if let Some((row, _)) = self.running.take() {
            self.uncount(engine, row);
        }
    }

    /// Takes back that a session command was called which is called anew.
    pub(super) fn forget_call(&self, engine: &Engine, session: &mut Session) {
        session.spent_ns = 0;
        self.uncount(engine, session.last_name.2);
    }

    fn uncount(&self, engine: &Engine, row: u16) {
        let stats = self.stats(engine);
        stats.calls[usize::from(row)].calls.take_back(1);
        stats.commands.take_back(1);
    }

    /// Stops the clock of the call before one that is not run, so that it is known whose time it was.
    pub(super) fn pass_over(&mut self, engine: &Engine) {
        self.ran = false;
        if self.running.is_some() {
            self.latest = engine.host.now();
            self.stop_clock(engine, self.latest.monotonic_ns, Ago::Previous);
        }
    }

    /// Stops the clock of a session command that goes on later.
    pub(super) fn suspend_clock(&mut self, engine: &Engine, session: &mut Session) {
        if let Some((_, started)) = self.running.take() {
            let now_ns = engine.host.now().monotonic_ns;
            session.spent_ns = now_ns.saturating_sub(started);
        }
    }

    /// Lets the clock of a session command go on.
    pub(super) fn resume_clock(&mut self, engine: &Engine, session: &mut Session, row: &Row) {
        self.latest = engine.host.now();
        self.ran = true;
        let spent_ns = std::mem::take(&mut session.spent_ns);
        let started = self.latest.monotonic_ns.saturating_sub(spent_ns);
        self.running = Some((row.id, started));
    }

    /// Makes the session ready for the secrets of another command; those of a slow one before it are kept with it.
    pub(super) fn keep_secrets(&mut self, engine: &Engine, session: &mut Session) {
        if session.secrets.is_empty() {
            return;
        }
        let secrets = std::mem::take(&mut session.secrets);
        let last = self.slow.last_mut();
        let theirs = last.filter(|slow| is_session_command(engine.registry.row(slow.row)));
        if let Some(slow) = theirs
            && slow.secrets.is_none()
        {
            slow.secrets = Some(secrets);
        }
    }

    /// Shows a call to those who monitor.
    #[cold]
    pub(super) fn show(&self, engine: &Engine, session: &Session, row: &Row, argv: &[&[u8]]) {
        if row.flags.intersects(UNSHOWN) {
            return;
        }
        let words = shown(argv, row.name_words(), secrets(session, row));
        let origin = Origin::Client(&session.client);
        engine.monitors.show(self.latest, session.db, origin, words);
    }

    /// Shows a call of a transaction to those who monitor, and enters it into the logs of large ones.
    pub(super) fn observe_queued(
        &self,
        engine: &Engine,
        session: &Session,
        row: &Row,
        queued: &Queued,
        out_before: usize,
    ) {
        if self.world.monitored {
            self.show(engine, session, row, &queued.words.argv());
        }
        let sizes = Sizes {
            request: queued.words.len() as u64,
            reply: session.out.len().saturating_sub(out_before) as u64,
        };
        if self.world.observed.are_reached(sizes) {
            self.log_sizes(engine, session, row, &queued.words.argv(), sizes);
        }
    }

    /// Enters the slow calls of a transaction that were noted behind the first `noted`: it is the one of `queued`.
    pub(super) fn log_slow_of_exec(
        &mut self,
        engine: &Engine,
        session: &Session,
        noted: usize,
        queued: Option<&Queued>,
    ) {
        while self.slow.len() > noted {
            let slow = self.slow.pop();
            if let (Some(slow), Some(queued)) = (slow, queued) {
                self.log_slow(engine, session, &slow, &queued.words.argv());
            }
        }
    }

    /// Counts a call that waited for keys, by now in vain or not, and took so long beside waiting.
    pub(super) fn count_waiter(&mut self, engine: &Engine, waiter: &Waiter, ns: u64) {
        let stats = self.stats(engine);
        stats.calls[usize::from(waiter.row)].calls.add(1);
        stats.commands.add(1);
        let noted = self.slow.len();
        self.count_time(engine, waiter.row, ns, Ago::Last);
        if let Some(slow) = self.slow.get(noted) {
            let argv: Vec<&[u8]> = waiter.words.iter().map(|word| &**word).collect();
            self.log(
                engine,
                Kind::Slow,
                slow.at_s,
                slow.ns / 1000,
                &waiter.client,
                &argv,
            );
            self.slow.truncate(noted);
        }
    }

    fn log_slow(&self, engine: &Engine, session: &Session, slow: &SlowCall, argv: &[&[u8]]) {
        let row = engine.registry.row(slow.row);
        let secrets = slow
            .secrets
            .as_deref()
            .unwrap_or_else(|| secrets(session, row));
        let words: Vec<&[u8]> = shown(argv, row.name_words(), secrets).collect();
        let us = slow.ns / 1000;
        self.log(engine, Kind::Slow, slow.at_s, us, &session.client, &words);
    }

    fn log_sizes(
        &self,
        engine: &Engine,
        session: &Session,
        row: &Row,
        argv: &[&[u8]],
        sizes: Sizes,
    ) {
        if row.flags.contains(Flags::SKIP_SLOWLOG) {
            return;
        }
        let words: Vec<&[u8]> = shown(argv, row.name_words(), secrets(session, row)).collect();
        let at_s = self.latest.unix_us.div_euclid(1_000_000);
        for (kind, bytes) in [
            (Kind::LargeRequest, sizes.request),
            (Kind::LargeReply, sizes.reply),
        ] {
            if self.world.observed.wants(kind, bytes) {
                self.log(engine, kind, at_s, bytes, &session.client, &words);
            }
        }
    }

    fn log(
        &self,
        engine: &Engine,
        kind: Kind,
        at_s: i64,
        figure: u64,
        client: &Client,
        words: &[&[u8]],
    ) {
        let words = words.iter().copied();
        let thresholds = &self.world.observed;
        let log = &engine.command_log;
        log.enter(kind, thresholds, at_s, figure, client, words);
    }
}

/// What must not be shown of the session's last command.
fn secrets<'s>(session: &'s Session, row: &Row) -> &'s [u16] {
    if is_session_command(row) {
        &session.secrets
    } else {
        &[]
    }
}

/// Whether calls of a row can have secrets.
fn is_session_command(row: &Row) -> bool {
    matches!(row.handler, Handler::Session(_))
}

/// Slow calls that are noted before somebody enters them into the log.
const SLOW_MAX: usize = 4;
/// Not shown to monitors (call, Redis 7.2).
const UNSHOWN: Flags = Flags::SKIP_MONITOR.union(Flags::ADMIN);
