//! INFO server, clients and replication.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use config::directive;
use store::AccessPolicy;

use super::View;
use super::report::Report;

pub(super) fn server(report: &mut Report, view: &View<'_>) {
    let server = view.server;
    let config = server.config.read();
    report.field("redis_version", config::REDIS_VERSION);
    report.field("server_name", "cuirass");
    report.field("cuirass_version", env!("CARGO_PKG_VERSION"));
    report.field("redis_git_sha1", "00000000");
    report.field("redis_git_dirty", 0);
    report.field("redis_mode", "standalone");
    report.field("os", &view.system.os);
    report.field("arch_bits", usize::BITS);
    report.field("monotonic_clock", "POSIX clock_gettime");
    report.field("multiplexing_api", "epoll");
    report.field("process_id", std::process::id());
    report.field("process_supervised", server.supervision.name());
    report.field("run_id", &server.run_id);
    let (port, tls_port) = (
        config.read(directive::PORT),
        config.read(directive::TLS_PORT),
    );
    report.field("tcp_port", if port == 0 { tls_port } else { port });
    report.field("server_time_usec", view.now.unix_us);
    let uptime_s = (view.now.monotonic_ns - server.started.monotonic_ns) / 1_000_000_000;
    report.field("uptime_in_seconds", uptime_s);
    report.field("uptime_in_days", uptime_s / (24 * 60 * 60));
    report.field("hz", server.limits.hz.load(Relaxed));
    report.field("configured_hz", config.read(directive::HZ));
    report.field("lru_clock", AccessPolicy::Lru.fresh(view.now.ms()));
    report.field("executable", server.executable.display());
    let file = server.config_file.as_deref().map(Path::display);
    match file {
        Some(file) => report.field("config_file", file),
        None => report.field("config_file", ""),
    }
    report.field("io_threads_active", usize::from(server.traffic.len() > 1));
    if let Some(deadline_ms) = server.shutdown.deadline_ms() {
        report.field("shutdown_in_milliseconds", deadline_ms - view.now.ms());
    }
    let addresses: String = config
        .read(directive::BIND)
        .iter()
        .map(|address| format!(",bind={}", String::from_utf8_lossy(address)))
        .collect();
    let unix = config
        .read(directive::UNIXSOCKET)
        .map(String::from_utf8_lossy);
    let listeners = [
        (port != 0).then(|| format!("name=tcp{addresses},port={port}")),
        unix.map(|path| format!("name=unix,bind={path}")),
        (tls_port != 0).then(|| format!("name=tls{addresses},port={tls_port}")),
    ];
    for (number, listener) in listeners.into_iter().flatten().enumerate() {
        report.field(format_args!("listener{number}"), listener);
    }
}

pub(super) fn clients(report: &mut Report, view: &View<'_>) {
    let server = view.server;
    let replicas = server.replication.followers.all().len();
    let connected = view.engine.clients.len().saturating_sub(replicas);
    report.field("connected_clients", connected);
    report.field("cluster_connections", 0);
    report.field("maxclients", server.limits.clients_max.load(Relaxed));
    let recent = |of: fn(&crate::server::Traffic) -> u64| server.traffic.iter().map(of).max();
    let input = recent(|traffic| traffic.recent_max.0.load(Relaxed));
    let output = recent(|traffic| traffic.recent_max.1.load(Relaxed));
    report.field("client_recent_max_input_buffer", input.unwrap_or(0));
    report.field("client_recent_max_output_buffer", output.unwrap_or(0));
    report.field(
        "blocked_clients",
        view.engine.clients.blocked.load(Relaxed).max(0),
    );
    report.field(
        "tracking_clients",
        view.engine.pubsub.tracking_counts().clients,
    );
    let awaited = view.engine.blocked.awaited();
    report.field("clients_in_timeout_table", awaited.with_deadline);
    report.field("total_blocking_keys", awaited.keys);
    report.field("total_blocking_keys_on_nokey", awaited.keys_on_deletion);
}
