//! What happens by itself, several times a second: time, rates, idle clients, the end of a pause, changed certificates.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use engine::clients::{Client, flag};
use tracing::{debug, info, warn};

use crate::client_info;
use crate::net::Shared;
use crate::net::connection::BUFFERS_KEPT_MS;
use crate::persistence;
use crate::settings;

/// The work of cron and what it remembers between two runs.
#[derive(Debug, Default)]
pub(crate) struct Cron {
    clients_seen_ms: i64,
    reply_peaks_seen_ms: i64,
    rates_taken_ms: i64,
    certificates_seen_ms: Option<i64>,
}

/// Rates of the last 1.6 seconds, as INFO's `instantaneous_*` shows them.
#[derive(Debug, Default)]
pub struct Rates {
    /// Commands.
    pub commands: Rate,
    /// Bytes read.
    pub input: Rate,
    /// Bytes written.
    pub output: Rate,
    /// Turns of the loop that runs cron.
    pub cycles: Rate,
    /// Microseconds spent in them.
    pub cycle_us: Rate,
}

/// How fast a counter rises.
#[derive(Debug, Default)]
pub struct Rate {
    samples: [u64; SAMPLES],
    next: usize,
    last: Option<(i64, u64)>,
}

/// Samples that a rate is the mean of (STATS_METRIC_SAMPLES, Redis 7.2).
const SAMPLES: usize = 16;
/// Milliseconds between two samples.
const SAMPLES_APART_MS: i64 = 100;
/// Milliseconds between two looks at all clients.
const CLIENTS_APART_MS: i64 = 250;
/// Milliseconds between two runs at most, however low `hz` is.
const PERIOD_MS_MAX: u64 = 100;

impl Rate {
    fn sample(&mut self, now_ms: i64, count: u64) {
        if let Some((then_ms, before)) = self.last {
            let elapsed_ms = u64::try_from(now_ms - then_ms).unwrap_or(0).max(1);
            let per_second = count.saturating_sub(before).saturating_mul(1000) / elapsed_ms;
            if let Some(place) = self.samples.get_mut(self.next) {
                *place = per_second;
            }
            self.next = (self.next + 1) % SAMPLES;
        }
        self.last = Some((now_ms, count));
    }

    /// The mean a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / SAMPLES as u64
    }
}

/// Milliseconds between two runs of cron.
pub(crate) fn period_ms(hz: u64) -> u64 {
    (1000 / hz.max(1)).clamp(1, PERIOD_MS_MAX)
}

impl Cron {
    /// One run.
    pub(crate) fn run(&mut self, shared: &Shared) {
        let server = &shared.server;
        server.clock.resync();
        let now = server.clock.now();
        let now_ms = now.ms();
        shared.set_now_ms(now_ms);
        let _used = alloc::note_peak();
        if now_ms - self.rates_taken_ms >= SAMPLES_APART_MS {
            self.rates_taken_ms = now_ms;
            take_rates(shared, now_ms);
        }
        end_pause(shared, now_ms);
        persistence::look_at_save_points(shared);
        persistence::aof::look_at_size(server, &shared.engine);
        let waiting_max = server.limits.pubsub_output.hard.load(Relaxed);
        let waiting_max = usize::try_from(waiting_max).unwrap_or(usize::MAX);
        shared.engine.pubsub.limit_waiting(waiting_max);
        end_monitoring(shared);
        self.look_at_certificates(shared, now_ms);
        if !server.cron_is_paused.load(Relaxed) {
            server.cron_runs.fetch_add(1, Relaxed);
            server.migrations.close_idle(now_ms);
            if now_ms - self.clients_seen_ms >= CLIENTS_APART_MS {
                self.clients_seen_ms = now_ms;
                look_at_clients(shared, now_ms);
                self.forget_reply_peaks(shared, now_ms);
            }
        }
        let spent_us = (server.clock.now().monotonic_ns - now.monotonic_ns) / 1000;
        server.event_loop.cycles.fetch_add(1, Relaxed);
        let add = |counter: &AtomicU64| counter.fetch_add(spent_us, Relaxed);
        add(&server.event_loop.duration_us);
        add(&server.event_loop.cron_us);
        server.event_loop.latest_us.store(spent_us, Relaxed);
        server.event_loop.longest_us.fetch_max(spent_us, Relaxed);
    }

    /// Forgets how much connections had to send at once, so that it shows only what was lately.
    fn forget_reply_peaks(&mut self, shared: &Shared, now_ms: i64) {
        let kept_ms = shared.server.reply_peaks_kept_ms.load(Relaxed);
        if kept_ms < 0 || now_ms - self.reply_peaks_seen_ms < kept_ms {
            return;
        }
        self.reply_peaks_seen_ms = now_ms;
        for client in shared.engine.clients.all() {
            client.shown.out_peak.store(0, Relaxed);
        }
    }

    /// Reads changed certificate files (`tls-auto-reload-interval`).
    fn look_at_certificates(&mut self, shared: &Shared, now_ms: i64) {
        let server = &shared.server;
        let settings = settings::tls(&server.config.read());
        let interval_ms = i64::try_from(settings.auto_reload_interval_s)
            .unwrap_or(0)
            .saturating_mul(1000);
        let seen_ms = *self.certificates_seen_ms.get_or_insert(now_ms);
        if interval_ms == 0 || now_ms - seen_ms < interval_ms {
            return;
        }
        self.certificates_seen_ms = Some(now_ms);
        if !server.tls.files_changed(&settings) {
            return;
        }
        match server.reload_tls() {
            Ok(()) => info!("TLS certificates have changed and were read again"),
            Err(error) => warn!("TLS certificates have changed but cannot be used: {error}"),
        }
    }
}

fn take_rates(shared: &Shared, now_ms: i64) {
    let server = &shared.server;
    let sum = |count: fn(&crate::server::Traffic) -> u64| server.traffic.iter().map(count).sum();
    let commands = shared.engine.stats.sum(|thread| &thread.commands);
    let mut rates = server.rates.lock();
    rates.commands.sample(now_ms, commands);
    rates
        .input
        .sample(now_ms, sum(|traffic| traffic.input.value()));
    rates
        .output
        .sample(now_ms, sum(|traffic| traffic.output.value()));
    let turns = &server.event_loop;
    rates.cycles.sample(now_ms, turns.cycles.load(Relaxed));
    rates
        .cycle_us
        .sample(now_ms, turns.duration_us.load(Relaxed));
}

/// Ends a pause whose time is over, so that calls need not look at it any more.
///
/// The main thread waits for no shard: whoever connects would wait with it.
fn end_pause(shared: &Shared, now_ms: i64) {
    let is_over = |until_ms: i64| until_ms <= now_ms;
    let pause = shared.engine.world().pause;
    if pause.is_some_and(|pause| is_over(pause.until_ms)) {
        let _or_next_time = shared.engine.try_change_world(|world| {
            world.pause = world.pause.filter(|pause| !is_over(pause.until_ms));
        });
    }
}

/// Has calls look no more whether somebody monitors once nobody does.
fn end_monitoring(shared: &Shared) {
    let (engine, limits) = (&shared.engine, &shared.server.limits);
    let waiting_max = limits.output.hard.load(Relaxed);
    let waiting_max = usize::try_from(waiting_max).unwrap_or(usize::MAX);
    engine.monitors.limit_waiting(waiting_max);
    if engine.world().monitored && engine.monitors.is_empty() {
        let _or_next_time = engine.try_change_world(|world| {
            world.monitored = !engine.monitors.is_empty();
        });
    }
}

fn look_at_clients(shared: &Shared, now_ms: i64) {
    let idle_ms_max = i64::try_from(shared.server.limits.idle_ms_max.load(Relaxed)).unwrap_or(0);
    let refuses_plaintext = shared.server.limits.refuses_plaintext.load(Relaxed);
    for client in shared.engine.clients.all() {
        if refuses_plaintext && client.peer.tls.is_none() && !client.peer.unix {
            info!(
                "Closing a plaintext connection (transit-encryption-mode required): {}",
                client_info::line(&shared.engine, &client, now_ms)
            );
            client.inbox.kill();
            continue;
        }
        let idle_ms = now_ms - client.shown.last_ms.load(Relaxed);
        let waits = [flag::BLOCKED, flag::PUBSUB, flag::MONITOR]
            .into_iter()
            .any(|bit| client.has_flag(bit));
        if idle_ms_max > 0 && idle_ms > idle_ms_max && !waits {
            debug!(
                "Closing idle client {}",
                client_info::line(&shared.engine, &client, now_ms)
            );
            client.inbox.kill();
        } else if wants_a_look(&client, idle_ms) {
            client.inbox.wake();
        }
    }
}

/// Whether an idle client still holds buffers, or one that reads slowly may have come over a limit.
fn wants_a_look(client: &Client, idle_ms: i64) -> bool {
    let shown = &client.shown;
    let holds_buffers = idle_ms > BUFFERS_KEPT_MS && shown.qbuf_free.load(Relaxed) > 0;
    holds_buffers || shown.out.load(Relaxed) > 0
}
