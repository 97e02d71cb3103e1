//! INFO commandstats, errorstats and latencystats.

use config::directive;
use engine::Row;

use super::View;
use super::report::Report;

/// A line for each command and subcommand that was called.
pub(super) fn calls(report: &mut Report, view: &View<'_>) {
    for row in view.engine.registry.rows() {
        let [calls, ns, rejected, failed] = view.engine.stats.of_command(row.id);
        if calls == 0 && rejected == 0 && failed == 0 {
            continue;
        }
        let us = ns / 1000;
        let us_per_call = if calls == 0 {
            0.0
        } else {
            us as f64 / calls as f64
        };
        report.field(
            format_args!("cmdstat_{}", row.name),
            format_args!(
                "calls={calls},usec={us},usec_per_call={us_per_call:.2},rejected_calls={rejected},failed_calls={failed}"
            ),
        );
    }
}

/// A line for each code of error that was answered.
pub(super) fn errors(report: &mut Report, view: &View<'_>) {
    for (code, count) in view.engine.errors.counts() {
        report.field(
            format_args!("errorstat_{}", safe(&code)),
            format_args!("count={count}"),
        );
    }
}

/// A name without what would break the lines of INFO (getSafeInfoString, Redis 7.2).
fn safe(name: &str) -> String {
    name.replace(['#', ':', '\n', '\r'], "_")
}

/// The percentiles of the time that each command took, in microseconds.
pub(super) fn latencies(report: &mut Report, view: &View<'_>) {
    let config = view.server.config.read();
    if !config.read(directive::LATENCY_TRACKING) {
        return;
    }
    let percentiles = config.read(directive::LATENCY_TRACKING_INFO_PERCENTILES);
    let line = |row: &Row| {
        let latency = view.engine.stats.latency(row.id)?;
        let shown = percentiles.iter().map(|percentile| {
            let us = latency.percentile_ns(*percentile) as f64 / 1000.0;
            format!("p{percentile}={us:.3}")
        });
        Some(shown.collect::<Vec<_>>().join(","))
    };
    for row in view.engine.registry.rows() {
        if let Some(line) = line(row) {
            report.field(format_args!("latency_percentiles_usec_{}", row.name), line);
        }
    }
}
