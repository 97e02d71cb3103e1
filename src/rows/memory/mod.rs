//! MEMORY: what memory is used for.

pub(super) mod figures;

use commands::keys::{KeyFlags, KeySpec};
use commands::{Args, Arity, Categories, CommandError, Flags, Group, ReadCtx, Reply};
use engine::{EngineCommand, Flow, Handler, SessionCtx};
use store::object_of;

use super::help;
use figures::Figures;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&MEMORY];

const MEMORY: EngineCommand = EngineCommand {
    name: "memory",
    group: Group::Server,
    since: "4.0.0",
    summary: "Holds the commands about memory.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &MEMORY_DOCTOR,
        &MEMORY_HELP,
        &MEMORY_MALLOC_STATS,
        &MEMORY_PURGE,
        &MEMORY_STATS,
        &MEMORY_USAGE,
    ],
    handler: Handler::Container,
};

const MEMORY_DOCTOR: EngineCommand = EngineCommand {
    name: "doctor",
    group: Group::Server,
    since: "4.0.0",
    summary: "Looks for trouble with memory.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::EVERYTHING.union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(memory_doctor),
};

fn memory_doctor(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let mut figures = Figures::of_process(ctx.engine);
    let clients = ctx.engine.clients.len() as u64;
    Ok(Flow::everything(move |held| {
        figures.look_at_databases(held);
        let report = diagnose(&figures, clients);
        held.out().verbatim(*b"txt", report.as_bytes());
        Ok(Reply::Written)
    }))
}

/// What MEMORY DOCTOR says; it looks for what Redis' looks for (getMemoryDoctorReport, Redis 7.2).
fn diagnose(figures: &Figures, clients: u64) -> String {
    /// Below this a ratio says nothing.
    const SMALL: u64 = 5 << 20;
    /// Bytes below which an excess does no harm.
    const HARMLESS: i64 = 10 << 20;
    /// Bytes of a connection that are a lot.
    const CLIENT_LARGE: u64 = 200 << 10;
    if figures.used < SMALL {
        return "Less than 5 MB are in use: too little for a diagnosis.\n".to_owned();
    }
    let exceeds = |(times, bytes): (f64, i64), limit: f64| times > limit && bytes > HARMLESS;
    let findings = [
        (
            figures.peak as f64 / figures.used as f64 > 1.5,
            "Peak: more than 1.5 times of what is in use now was in use once. The allocator may not have given all of it \
             back, which shows as fragmentation. It will be used again; MEMORY PURGE may give some of it back.",
        ),
        (
            exceeds(figures.fragmentation(), 1.4),
            "Resident: the process has more than 1.4 times of what is in use in main memory. After a peak that is \
             harmless; without one, memory is fragmented.",
        ),
        (
            exceeds(figures.allocator_fragmentation(), 1.1),
            "Fragmentation: the allocator holds more than 1.1 times of what is in use. MEMORY PURGE may help.",
        ),
        (
            exceeds(figures.resident_overhead(), 1.1),
            "Overhead: more than 1.1 times of what the allocator holds is in main memory. Code, stacks and libraries \
             take it.",
        ),
        (
            figures.clients.checked_div(clients).unwrap_or(0) > CLIENT_LARGE,
            "Connections: they hold more than 200 kB each on average. Look for large replies or pipelines and for slow \
             readers in CLIENT LIST.",
        ),
    ];
    let found: Vec<&str> = findings
        .iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, text)| *text)
        .collect();
    if found.is_empty() {
        "Nothing is wrong with the use of memory.\n".to_owned()
    } else {
        format!("* {}\n", found.join("\n* "))
    }
}

const MEMORY_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "4.0.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(memory_help),
};

fn memory_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "MEMORY", HELP)
}

const HELP: help::Lines = &[
    ("DOCTOR", &["Look for trouble with memory."]),
    ("MALLOC-STATS", &["What the allocator says."]),
    ("PURGE", &["Give unused memory back to the system."]),
    ("STATS", &["What memory is used for."]),
    (
        "USAGE <key> [SAMPLES <count>]",
        &[
            "The bytes of a key and its value, estimated from so many elements",
            "(default: 5, 0 for all).",
        ],
    ),
];

const MEMORY_MALLOC_STATS: EngineCommand = EngineCommand {
    name: "malloc-stats",
    group: Group::Server,
    since: "4.0.0",
    summary: "Shows what the allocator says.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::SYSTEM,
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(memory_malloc_stats),
};

fn memory_malloc_stats(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let figures = Figures::of_process(ctx.engine);
    let text = format!(
        "allocator: {ALLOCATOR}\nin use: {}\npeak: {}\ncommitted: {}\nresident: {}\n",
        figures.used, figures.peak, figures.committed, figures.resident
    );
    ctx.out().verbatim(*b"txt", text.as_bytes());
    ctx.written()
}

/// The allocator of the process.
pub(super) const ALLOCATOR: &str = "mimalloc";

const MEMORY_PURGE: EngineCommand = EngineCommand {
    name: "purge",
    group: Group::Server,
    since: "4.0.0",
    summary: "Gives unused memory back to the system.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(memory_purge),
};

fn memory_purge(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    alloc::collect();
    Ok(Reply::Ok.into())
}

const MEMORY_STATS: EngineCommand = EngineCommand {
    name: "stats",
    group: Group::Server,
    since: "4.0.0",
    summary: "Shows what memory is used for.",
    complexity: "O(1) in the number of keys",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::EVERYTHING.union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(memory_stats),
};

fn memory_stats(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let mut figures = Figures::of_process(ctx.engine);
    let backlog = ctx.engine.log.extent().backlog;
    Ok(Flow::everything(move |held| {
        figures.look_at_databases(held);
        write_stats(&mut held.out(), &figures, backlog);
        Ok(Reply::Written)
    }))
}

/// A figure of MEMORY STATS.
enum Figure {
    Bytes(u64),
    Difference(i64),
    Fraction(f64),
}

fn write_stats(out: &mut resp::Writer<'_>, figures: &Figures, backlog: u64) {
    use Figure::{Bytes, Difference, Fraction};
    let before = [
        ("peak.allocated", figures.peak),
        ("total.allocated", figures.used),
        ("startup.allocated", figures.startup),
        ("replication.backlog", backlog),
        ("clients.slaves", figures.replicas),
        ("clients.normal", figures.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
    ];
    let (allocator, resident, total) = (
        figures.allocator_fragmentation(),
        figures.resident_overhead(),
        figures.fragmentation(),
    );
    let after = [
        ("overhead.total", Bytes(figures.overhead())),
        ("keys.count", Bytes(figures.keys())),
        ("keys.bytes-per-key", Bytes(figures.bytes_per_key())),
        ("dataset.bytes", Bytes(figures.dataset())),
        ("dataset.percentage", Fraction(figures.dataset_percent())),
        ("peak.percentage", Fraction(figures.peak_percent())),
        ("allocator.allocated", Bytes(figures.used)),
        ("allocator.active", Bytes(figures.committed)),
        ("allocator.resident", Bytes(figures.committed)),
        ("allocator-fragmentation.ratio", Fraction(allocator.0)),
        ("allocator-fragmentation.bytes", Difference(allocator.1)),
        ("allocator-rss.ratio", Fraction(1.0)),
        ("allocator-rss.bytes", Bytes(0)),
        ("rss-overhead.ratio", Fraction(resident.0)),
        ("rss-overhead.bytes", Difference(resident.1)),
        ("fragmentation", Fraction(total.0)),
        ("fragmentation.bytes", Difference(total.1)),
    ];
    out.map(before.len() + figures.databases.len() + after.len());
    for (name, bytes) in before {
        out.bulk(name.as_bytes());
        out.integer(bytes as i64);
    }
    for database in &figures.databases {
        out.bulk(format!("db.{}", database.number).as_bytes());
        out.map(3);
        out.bulk(b"overhead.hashtable.main");
        out.integer(database.table as i64);
        out.bulk(b"overhead.hashtable.expires");
        out.integer(database.expiry as i64);
        out.bulk(b"overhead.hashtable.slot-to-keys");
        out.integer(0);
    }
    for (name, figure) in after {
        out.bulk(name.as_bytes());
        match figure {
            Bytes(bytes) => out.integer(bytes as i64),
            Difference(bytes) => out.integer(bytes),
            Fraction(fraction) => out.double(fraction),
        }
    }
}

const MEMORY_USAGE: EngineCommand = EngineCommand {
    name: "usage",
    group: Group::Server,
    since: "4.0.0",
    summary: "Estimates the bytes of a key and its value.",
    complexity: "O(N) in the number of samples",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO, 2)],
    flags: Flags::READONLY,
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(memory_usage),
};

fn memory_usage(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    /// OBJ_COMPUTE_SIZE_DEF_SAMPLES, Redis 7.2.
    const SAMPLES: usize = 5;
    let key = args.key()?;
    let mut samples = SAMPLES;
    while !args.is_empty() {
        if !args.flag("SAMPLES") || args.is_empty() {
            return Err(CommandError::Syntax);
        }
        samples = match args.int()? {
            0 => usize::MAX,
            count => usize::try_from(count).map_err(|_| CommandError::Syntax)?,
        };
    }
    let Some(entry) = ctx.space.peek(key) else {
        return Ok(Reply::Nil);
    };
    let value = object_of(entry).map_or(0, |object| object.memory(samples));
    Ok(Reply::from(entry.memory() + value + TABLE_SHARE))
}

/// Bytes of the table that a key takes on average: a 64-byte bucket holds seven keys and is six sevenths full.
const TABLE_SHARE: usize = 12;
