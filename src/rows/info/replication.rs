//! INFO replication.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use config::directive;

use super::View;
use super::report::Report;
use crate::replication::{LinkPhase, Phase, Upstream};

/// INFO replication.
pub(super) fn replication(report: &mut Report, view: &View<'_>) {
    let replication = &view.server.replication;
    let extent = view.engine.log.extent();
    let upstream = replication.upstream();
    match &upstream {
        None => report.field("role", "master"),
        Some(upstream) => of_replica(report, view, upstream),
    }
    of_followers(report, view);
    let failover = replication.failover_state();
    report.field("master_failover_state", failover);
    let history = replication.history();
    report.field("master_replid", history.id);
    let (second, first_other) = history.second.map_or_else(
        || ("0".repeat(40), -1),
        |(id, first_other)| (id.to_string(), first_other as i64),
    );
    report.field("master_replid2", second);
    report.field("master_repl_offset", extent.end);
    report.field("second_repl_offset", first_other);
    report.field("repl_backlog_active", u8::from(extent.has_backlog));
    let size = view.server.backlog_size();
    report.field("repl_backlog_size", size);
    let (first, length) = if extent.has_backlog {
        (extent.start + 1, extent.end - extent.start)
    } else {
        (0, 0)
    };
    report.field("repl_backlog_first_byte_offset", first);
    report.field("repl_backlog_histlen", length);
}

fn of_replica(report: &mut Report, view: &View<'_>, upstream: &Upstream) {
    let now_ms = view.now.ms();
    let seconds = |since_ms: i64| (now_ms - since_ms).max(0) / 1000;
    let is_up = upstream.phase == LinkPhase::Connected;
    let syncs = upstream.phase == LinkPhase::Sync;
    report.field("role", "slave");
    report.field("master_host", &upstream.host);
    report.field("master_port", upstream.port);
    report.field("master_link_status", if is_up { "up" } else { "down" });
    let heard = if is_up {
        seconds(upstream.heard_ms)
    } else {
        -1
    };
    report.field("master_last_io_seconds_ago", heard);
    report.field("master_sync_in_progress", u8::from(syncs));
    let offset = view.engine.log.end().max(1);
    report.field("slave_read_repl_offset", offset + upstream.unread);
    report.field("slave_repl_offset", offset);
    let counters = &view.server.replication.counters;
    let gathered = counters.gathered.load(Relaxed);
    report.field("replicas_repl_buffer_size", gathered);
    let peak = counters.gathered_peak.load(Relaxed);
    report.field("replicas_repl_buffer_peak", peak);
    if syncs {
        let (total, read) = (upstream.total.unwrap_or(0), upstream.received);
        report.field("master_sync_total_bytes", total);
        report.field("master_sync_read_bytes", read);
        report.field("master_sync_left_bytes", total as i64 - read as i64);
        let percent = if total > 0 {
            read as f64 * 100.0 / total as f64
        } else {
            0.0
        };
        report.field("master_sync_perc", format_args!("{percent:.2}"));
        report.field(
            "master_sync_last_io_seconds_ago",
            seconds(upstream.piece_ms),
        );
    }
    if !is_up {
        let down = if upstream.down_since_ms > 0 {
            seconds(upstream.down_since_ms)
        } else {
            -1
        };
        report.field("master_link_down_since_seconds", down);
        if let Some(trouble) = &upstream.trouble {
            report.field("master_link_error", trouble);
        }
    }
    if let Some(tls) = upstream.tls.as_ref().filter(|_| is_up) {
        report.field("master_link_tls", tls);
    }
    let config = view.server.config.read();
    report.field("slave_priority", config.read(directive::REPLICA_PRIORITY));
    report.field(
        "slave_read_only",
        u8::from(config.read(directive::REPLICA_READ_ONLY)),
    );
    report.field(
        "replica_announced",
        u8::from(config.read(directive::REPLICA_ANNOUNCED)),
    );
}

fn of_followers(report: &mut Report, view: &View<'_>) {
    let now_ms = view.now.ms();
    let followers = view.server.replication.followers.all();
    report.field("connected_slaves", followers.len());
    let (wanted, lag_max_s) = {
        let config = view.server.config.read();
        let wanted = config.read(directive::MIN_REPLICAS_TO_WRITE);
        (wanted, config.read(directive::MIN_REPLICAS_MAX_LAG))
    };
    if wanted > 0 && lag_max_s > 0 {
        let good = followers
            .iter()
            .filter(|follower| follower.is_good(now_ms, lag_max_s));
        report.field("min_slaves_good_slaves", good.count());
    }
    for (number, follower) in followers.iter().enumerate() {
        let (ip, port) = follower.address();
        let phase = follower.phase();
        let lag = match phase {
            Phase::Online => (now_ms - follower.acknowledged_ms.load(Relaxed)).max(0) / 1000,
            _ => 0,
        };
        report.field(
            format_args!("slave{number}"),
            format_args!(
                "ip={ip},port={port},state={},offset={},lag={lag}{}",
                phase.name(),
                follower.acknowledged.load(Relaxed),
                Channel(follower.channel()),
            ),
        );
    }
    let waiting = view.server.replication.channels.len();
    report.field("replicas_waiting_psync", waiting);
}

/// What the line of a replica says of a connection that is one of two (Valkey 8).
struct Channel(Option<&'static str>);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(channel) => write!(f, ",type={channel}"),
            None => Ok(()),
        }
    }
}
