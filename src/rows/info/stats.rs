//! INFO persistence, stats and debug.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use engine::pubsub::Topic;
use engine::snapshot::SnapshotProgress;

use super::View;
use super::report::Report;
use crate::server::Traffic;

/// INFO persistence.
pub(super) fn persistence(report: &mut Report, view: &View<'_>) {
    let load = &view.server.persistence.load;
    report.field("loading", u8::from(view.engine.world().loading));
    report.field("async_loading", u8::from(view.engine.world().async_loading));
    saving(report, view);
    report.field(
        "rdb_last_load_keys_expired",
        load.last_expired.load(Relaxed),
    );
    report.field("rdb_last_load_keys_loaded", load.last_loaded.load(Relaxed));
    append_only(report, view);
    if load.is_loading() {
        loading(report, view);
    }
}

/// What the save under way has come to, and what became of the last one.
fn saving(report: &mut Report, view: &View<'_>) {
    let save = &view.server.persistence.save;
    let progress = view.engine.snapshots.progress();
    let SnapshotProgress {
        keys,
        done,
        handed_over,
        ..
    } = progress.unwrap_or_default();
    report.field("current_cow_peak", handed_over);
    report.field("current_cow_size", handed_over);
    report.field("current_cow_size_age", 0);
    let percent = done as f64 * 100.0 / keys.max(1) as f64;
    report.fraction("current_fork_perc", percent);
    report.field("current_save_keys_processed", done);
    report.field("current_save_keys_total", keys);
    let changes = view.engine.stats.sum(|thread| &thread.dirty);
    report.field(
        "rdb_changes_since_last_save",
        changes.saturating_sub(save.changes.load(Relaxed)),
    );
    let in_background = save.in_background.load(Relaxed);
    let rewriting = view.server.persistence.aof.figures.rewriting.load(Relaxed);
    let for_replicas = view.server.replication.makes_snapshot.load(Relaxed);
    let in_progress = in_background || for_replicas || progress.is_some() && !rewriting;
    report.field("rdb_bgsave_in_progress", u8::from(in_progress));
    report.field("rdb_last_save_time", save.saved_s.load(Relaxed));
    report.field("rdb_last_bgsave_status", status(save.failed.load(Relaxed)));
    report.field("rdb_last_bgsave_time_sec", save.seconds.load(Relaxed));
    let current_s = seconds_of(view, in_background, &save.started_s);
    report.field("rdb_current_bgsave_time_sec", current_s);
    report.field("rdb_saves", save.count.load(Relaxed));
    report.field("rdb_last_cow_size", save.handed_over.load(Relaxed));
}

fn status(failed: bool) -> &'static str {
    if failed { "err" } else { "ok" }
}

/// How long what began then has been under way, in seconds; -1 when it is not.
fn seconds_of(view: &View<'_>, is_under_way: bool, started_s: &AtomicI64) -> i64 {
    if is_under_way {
        view.now.unix_us.div_euclid(1_000_000) - started_s.load(Relaxed)
    } else {
        -1
    }
}

/// What became of the append-only file and of its rewrites.
fn append_only(report: &mut Report, view: &View<'_>) {
    let figures = &view.server.persistence.aof.figures;
    let enabled = figures.enabled.load(Relaxed);
    let rewriting = figures.rewriting.load(Relaxed);
    let scheduled = u8::from(figures.scheduled.load(Relaxed));
    report.field("aof_enabled", u8::from(enabled));
    report.field("aof_rewrite_in_progress", u8::from(rewriting));
    report.field("aof_rewrite_scheduled", scheduled);
    report.field("aof_last_rewrite_time_sec", figures.seconds.load(Relaxed));
    let current_s = seconds_of(view, rewriting, &figures.started_s);
    report.field("aof_current_rewrite_time_sec", current_s);
    let failed = figures.rewrite_failed.load(Relaxed);
    report.field("aof_last_bgrewrite_status", status(failed));
    report.field("aof_rewrites", figures.rewrites.load(Relaxed));
    let failures = figures.failures.load(Relaxed);
    report.field("aof_rewrites_consecutive_failures", failures);
    let failed = figures.write_failed.load(Relaxed);
    report.field("aof_last_write_status", status(failed));
    report.zeros(&[
        "aof_last_cow_size",
        "module_fork_in_progress",
        "module_fork_last_cow_size",
    ]);
    if enabled {
        report.field("aof_current_size", figures.current_size());
        report.field("aof_base_size", figures.base_size.load(Relaxed));
        report.field("aof_pending_rewrite", scheduled);
        let behind = view.server.persistence.aof.behind(view.engine);
        report.field("aof_buffer_length", behind);
        let pending = figures.pending_syncs.load(Relaxed);
        report.field("aof_pending_bio_fsync", pending);
        let delayed = figures.delayed_syncs.load(Relaxed);
        report.field("aof_delayed_fsync", delayed);
    }
}

/// How far the load under way has come.
fn loading(report: &mut Report, view: &View<'_>) {
    let load = &view.server.persistence.load;
    let started_s = load.started_s.load(Relaxed);
    let (total, loaded) = (load.total.load(Relaxed), load.loaded.load(Relaxed));
    let elapsed_s = u64::try_from(view.now.unix_us.div_euclid(1_000_000) - started_s).unwrap_or(0);
    let eta_s = match elapsed_s.checked_mul(total.saturating_sub(loaded)) {
        Some(product) if loaded > 0 => product / loaded,
        _ => 1,
    };
    report.field("loading_start_time", started_s);
    report.field("loading_total_bytes", total);
    report.field("loading_rdb_used_mem", load.writer_memory.load(Relaxed));
    report.field("loading_loaded_bytes", loaded);
    let percent = loaded as f64 * 100.0 / total.max(1) as f64;
    report.field("loading_loaded_perc", format_args!("{percent:.2}%"));
    report.field("loading_eta_seconds", eta_s);
}

pub(super) fn stats(report: &mut Report, view: &View<'_>) {
    traffic(report, view);
    keys(report, view);
    for (name, topic) in [
        ("pubsub_channels", Topic::Channel),
        ("pubsub_patterns", Topic::Pattern),
        ("pubsubshard_channels", Topic::ShardChannel),
    ] {
        report.field(name, view.engine.pubsub.count(topic));
    }
    report.field("latest_fork_usec", 0);
    let snapshots = &view.server.persistence.background_snapshots;
    report.field("total_forks", snapshots.load(Relaxed));
    report.field("migrate_cached_sockets", view.server.migrations.len());
    report.zeros(&[
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    let tracking = view.engine.pubsub.tracking_counts();
    report.field("tracking_total_keys", tracking.keys);
    report.field("tracking_total_items", tracking.items);
    report.field("tracking_total_prefixes", tracking.prefixes);
    let unexpected = view.server.counters.unexpected.load(Relaxed);
    report.field("unexpected_error_replies", unexpected);
    let errors = view.engine.stats.sum(|thread| &thread.errors);
    report.field("total_error_replies", errors);
    report.field("dump_payload_sanitizations", 0);
    work(report, view);
    let denied = view.server.counters.denied.load(Relaxed);
    report.field("acl_access_denied_auth", denied);
    report.zeros(&[
        "acl_access_denied_cmd",
        "acl_access_denied_key",
        "acl_access_denied_channel",
    ]);
}

fn sum(view: &View<'_>, count: fn(&Traffic) -> u64) -> u64 {
    view.server.traffic.iter().map(count).sum()
}

fn traffic(report: &mut Report, view: &View<'_>) {
    let counters = &view.server.counters;
    report.field(
        "total_connections_received",
        counters.connections.load(Relaxed),
    );
    let commands = view.engine.stats.sum(|thread| &thread.commands);
    report.field("total_commands_processed", commands);
    let rates = view.server.rates.lock();
    let kilobytes = |rate: &crate::cron::Rate| rate.per_second() as f64 / 1024.0;
    report.field("instantaneous_ops_per_sec", rates.commands.per_second());
    report.field(
        "total_net_input_bytes",
        sum(view, |traffic| traffic.input.value()),
    );
    report.field(
        "total_net_output_bytes",
        sum(view, |traffic| traffic.output.value()),
    );
    let replication = &view.server.replication.counters;
    report.field(
        "total_net_repl_input_bytes",
        replication.input.load(Relaxed),
    );
    report.field(
        "total_net_repl_output_bytes",
        replication.output.load(Relaxed),
    );
    report.fraction("instantaneous_input_kbps", kilobytes(&rates.input));
    report.fraction("instantaneous_output_kbps", kilobytes(&rates.output));
    report.fraction("instantaneous_input_repl_kbps", 0.0);
    report.fraction("instantaneous_output_repl_kbps", 0.0);
    report.field("rejected_connections", counters.rejected.load(Relaxed));
    report.field("sync_full", replication.full.load(Relaxed));
    report.field("sync_partial_ok", replication.partial.load(Relaxed));
    report.field("sync_partial_err", replication.refused.load(Relaxed));
}

fn keys(report: &mut Report, view: &View<'_>) {
    let stats = &view.engine.stats;
    report.field("expired_keys", stats.sum(|thread| &thread.expired));
    report.field("expired_fields", stats.sum(|thread| &thread.expired_fields));
    report.fraction("expired_stale_perc", stats.expiry.stale_percent());
    report.fraction(
        "expired_keys_with_volatile_items_stale_perc",
        stats.expiry.stale_hash_percent(),
    );
    report.field("expired_time_cap_reached_count", stats.expiry.capped());
    report.field("expire_cycle_cpu_milliseconds", stats.expiry.ms());
    report.field("evicted_keys", stats.sum(|thread| &thread.evicted));
    let evicted_clients = view.server.counters.evicted.load(Relaxed);
    report.field("evicted_clients", evicted_clients);
    let now_ns = view.server.clock.now().monotonic_ns;
    let (total_ms, current_ms) = view.engine.eviction.exceeded_ms(now_ns);
    report.field("total_eviction_exceeded_time", total_ms);
    report.field("current_eviction_exceeded_time", current_ms);
    report.field("keyspace_hits", stats.sum(|thread| &thread.hits));
    report.field("keyspace_misses", stats.sum(|thread| &thread.misses));
}

/// Reads, writes, and turns of the loop that runs cron: workers turn only when there is something to do.
fn work(report: &mut Report, view: &View<'_>) {
    let event_loop = &view.server.event_loop;
    report.field(
        "total_reads_processed",
        sum(view, |traffic| traffic.reads.value()),
    );
    report.field(
        "total_writes_processed",
        sum(view, |traffic| traffic.writes.value()),
    );
    report.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
    ]);
    report.field("eventloop_cycles", event_loop.cycles.load(Relaxed));
    report.field(
        "eventloop_duration_sum",
        event_loop.duration_us.load(Relaxed),
    );
    report.field(
        "eventloop_duration_cmd_sum",
        view.engine.stats.command_ns() / 1000,
    );
    let rates = view.server.rates.lock();
    let cycles = rates.cycles.per_second();
    report.field("instantaneous_eventloop_cycles_per_sec", cycles);
    let us = rates.cycle_us.per_second();
    report.field(
        "instantaneous_eventloop_duration_usec",
        us.checked_div(cycles).unwrap_or(0),
    );
}

/// INFO debug, which only its name brings about.
pub(super) fn debug(report: &mut Report, view: &View<'_>) {
    let event_loop = &view.server.event_loop;
    report.field("eventloop_duration_aof_sum", 0);
    report.field(
        "eventloop_duration_cron_sum",
        event_loop.cron_us.load(Relaxed),
    );
    report.field(
        "eventloop_duration_max",
        event_loop.longest_us.load(Relaxed),
    );
    report.field(
        "eventloop_cmd_per_cycle_max",
        view.engine.stats.most(|thread| &thread.batch_max),
    );
}
