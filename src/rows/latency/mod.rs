//! LATENCY: spikes by what caused them, what may help against them, and how the times are distributed that commands took.

mod doctor;
mod graph;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::{EngineCommand, Flow, Handler, Row, SessionCtx};

use super::error::RowError;
use super::{help, server};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&LATENCY];

const LATENCY: EngineCommand = EngineCommand {
    name: "latency",
    group: Group::Server,
    since: "2.8.13",
    summary: "Holds the commands about latency.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &LATENCY_DOCTOR,
        &LATENCY_GRAPH,
        &LATENCY_HELP,
        &LATENCY_HISTOGRAM,
        &LATENCY_HISTORY,
        &LATENCY_LATEST,
        &LATENCY_RESET,
    ],
    handler: Handler::Container,
};

const LATENCY_DOCTOR: EngineCommand = EngineCommand {
    name: "doctor",
    group: Group::Server,
    since: "2.8.13",
    summary: "Explains what is known of latency and what may help.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(latency_doctor),
};

fn latency_doctor(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let report = doctor::report(&doctor::Findings {
        events: ctx.engine.spikes.all(),
        thresholds: &ctx.world.observed,
        hz: server(ctx)
            .limits
            .hz
            .load(std::sync::atomic::Ordering::Relaxed),
        has_huge_pages: doctor::has_huge_pages(),
        now_s: now_s(ctx),
    });
    ctx.out().verbatim(*b"txt", report.as_bytes());
    ctx.written()
}

const LATENCY_GRAPH: EngineCommand = EngineCommand {
    name: "graph",
    group: Group::Server,
    since: "2.8.13",
    summary: "Draws the spikes of an event.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(latency_graph),
};

fn latency_graph(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let event = args.bytes()?;
    let found = ctx.engine.spikes.of(event);
    let (name, series) = found.ok_or_else(|| RowError::NoSamples(event.into()))?;
    let graph = graph::draw(name, &series, now_s(ctx));
    ctx.out().verbatim(*b"txt", graph.as_bytes());
    ctx.written()
}

const LATENCY_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "2.8.13",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(latency_help),
};

fn latency_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "LATENCY", HELP)
}

const HELP: help::Lines = &[
    ("DOCTOR", &["What is known of latency, and what may help."]),
    ("GRAPH <event>", &["A drawing of the spikes of an event."]),
    ("HISTORY <event>", &["The latest spikes of an event."]),
    ("LATEST", &["The latest spike of each event."]),
    (
        "RESET [<event> ...]",
        &["Forget the spikes of some events, or of all."],
    ),
    (
        "HISTOGRAM [COMMAND ...]",
        &["How many calls of some commands, or of all, took at most how long."],
    ),
];

const LATENCY_HISTOGRAM: EngineCommand = EngineCommand {
    name: "histogram",
    group: Group::Server,
    since: "7.0.0",
    summary: "Shows how the times are distributed that commands took.",
    complexity: "O(N) in the number of commands",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(latency_histogram),
};

fn latency_histogram(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let registry = &ctx.engine.registry;
    let rows: Vec<&Row> = if args.is_empty() {
        registry.rows().iter().collect()
    } else {
        let named = args
            .rest()
            .iter()
            .filter_map(|name| registry.full_name(name));
        named
            .flat_map(|row| {
                let subcommands = row.subcommands.iter().map(|id| registry.row(*id));
                std::iter::once(row).chain(subcommands)
            })
            .collect()
    };
    let histograms: Vec<_> = rows
        .into_iter()
        .filter_map(|row| Some((row, ctx.engine.stats.latency(row.id)?)))
        .collect();
    let mut out = ctx.out();
    out.map(histograms.len());
    for (row, latency) in histograms {
        let steps = latency.steps();
        out.bulk(row.name.as_bytes());
        out.map(2);
        out.bulk(b"calls");
        out.integer(latency.calls() as i64);
        out.bulk(b"histogram_usec");
        out.map(steps.len());
        for (us, calls) in steps {
            out.integer(us as i64);
            out.integer(calls as i64);
        }
    }
    ctx.written()
}

const LATENCY_HISTORY: EngineCommand = EngineCommand {
    name: "history",
    group: Group::Server,
    since: "2.8.13",
    summary: "Shows the latest spikes of an event.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(latency_history),
};

fn latency_history(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let found = ctx.engine.spikes.of(args.bytes()?);
    let samples = found.map(|(_, series)| series.samples).unwrap_or_default();
    let mut out = ctx.out();
    out.array(samples.len());
    for sample in samples {
        out.array(2);
        out.integer(sample.at_s);
        out.integer(sample.ms as i64);
    }
    ctx.written()
}

const LATENCY_LATEST: EngineCommand = EngineCommand {
    name: "latest",
    group: Group::Server,
    since: "2.8.13",
    summary: "Shows the latest spike of each event.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(latency_latest),
};

fn latency_latest(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let events = ctx.engine.spikes.all();
    let latest: Vec<_> = events
        .iter()
        .filter_map(|(name, series)| Some((name, series, series.samples.back()?)))
        .collect();
    let mut out = ctx.out();
    out.array(latest.len());
    for (name, series, sample) in latest {
        out.array(4);
        out.bulk(name.as_bytes());
        out.integer(sample.at_s);
        out.integer(sample.ms as i64);
        out.integer(series.longest_ms as i64);
    }
    ctx.written()
}

const LATENCY_RESET: EngineCommand = EngineCommand {
    name: "reset",
    group: Group::Server,
    since: "2.8.13",
    summary: "Forgets the spikes of some events, or of all.",
    complexity: "O(1)",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Session(latency_reset),
};

fn latency_reset(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let spikes = &ctx.engine.spikes;
    let forgotten = if args.is_empty() {
        spikes.forget_all()
    } else {
        args.rest().iter().map(|event| spikes.forget(event)).sum()
    };
    Ok(Reply::from(forgotten).into())
}

fn now_s(ctx: &SessionCtx<'_>) -> i64 {
    ctx.now.unix_us.div_euclid(1_000_000)
}
