//! SLOWLOG and COMMANDLOG: the latest calls that took long, came as a large request or had a large reply.

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::observe::Kind;
use engine::{EngineCommand, Flow, Handler, SessionCtx};

use super::error::RowError;
use super::help;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&COMMANDLOG, &SLOWLOG];

const COMMANDLOG: EngineCommand = EngineCommand {
    name: "commandlog",
    group: Group::Server,
    since: "8.1.0",
    summary: "Holds the commands about the command log.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &COMMANDLOG_GET,
        &COMMANDLOG_HELP,
        &COMMANDLOG_LEN,
        &COMMANDLOG_RESET,
    ],
    handler: Handler::Container,
};

const COMMANDLOG_GET: EngineCommand = EngineCommand {
    name: "get",
    group: Group::Server,
    since: "8.1.0",
    summary: "Shows the latest calls that were slow or large.",
    complexity: "O(N) in the number of entries shown",
    arity: Arity::Exact(4),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(commandlog_get),
};

fn commandlog_get(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let count = entry_count(&mut args)?;
    let kind = kind(&mut args)?;
    write_entries(ctx, kind, count)
}

const COMMANDLOG_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "8.1.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(commandlog_help),
};

fn commandlog_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "COMMANDLOG", COMMANDLOG_LINES)
}

const COMMANDLOG_LINES: help::Lines = &[
    (
        "GET <count> <type>",
        &[
            "The newest entries of a type (-1 means all), each with:",
            "id, time, figure, arguments, address of the client, its name",
            "The type is one of:",
            "* SLOW: the figure is a time in microseconds.",
            "* LARGE-REQUEST, LARGE-REPLY: the figure is a size in bytes.",
        ],
    ),
    ("LEN <type>", &["How many entries of a type there are."]),
    ("RESET <type>", &["Forget the entries of a type."]),
];

const COMMANDLOG_LEN: EngineCommand = EngineCommand {
    name: "len",
    group: Group::Server,
    since: "8.1.0",
    summary: "Tells how many calls a command log holds.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    subcommands: &[],
    handler: Handler::Session(commandlog_len),
};

fn commandlog_len(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let kind = kind(&mut args)?;
    Ok(Reply::from(ctx.engine.command_log.len(kind, &ctx.world.observed)).into())
}

const COMMANDLOG_RESET: EngineCommand = EngineCommand {
    name: "reset",
    group: Group::Server,
    since: "8.1.0",
    summary: "Empties a command log.",
    complexity: "O(N) in the number of entries",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(commandlog_reset),
};

fn commandlog_reset(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    ctx.engine.command_log.clear(kind(&mut args)?);
    Ok(Reply::Ok.into())
}

const SLOWLOG: EngineCommand = EngineCommand {
    name: "slowlog",
    group: Group::Server,
    since: "2.2.12",
    summary: "Holds the commands about the slow log.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[&SLOWLOG_GET, &SLOWLOG_HELP, &SLOWLOG_LEN, &SLOWLOG_RESET],
    handler: Handler::Container,
};

const SLOWLOG_GET: EngineCommand = EngineCommand {
    name: "get",
    group: Group::Server,
    since: "2.2.12",
    summary: "Shows the latest slow calls.",
    complexity: "O(N) in the number of entries shown",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(slowlog_get),
};

fn slowlog_get(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let count = match args.len() {
        0 => 10,
        1 => entry_count(&mut args)?,
        _ => {
            let given = b"get".as_slice().into();
            let container = "SLOWLOG";
            return Err(RowError::Subcommand { given, container }.into());
        }
    };
    write_entries(ctx, Kind::Slow, count)
}

const SLOWLOG_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "6.2.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(slowlog_help),
};

fn slowlog_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "SLOWLOG", SLOWLOG_LINES)
}

const SLOWLOG_LINES: help::Lines = &[
    (
        "GET [<count>]",
        &[
            "The newest entries (10 unless told, -1 means all), each with:",
            "id, time, microseconds taken, arguments, address of the client, its name",
        ],
    ),
    ("LEN", &["How many entries there are."]),
    ("RESET", &["Forget all entries."]),
];

const SLOWLOG_LEN: EngineCommand = EngineCommand {
    name: "len",
    group: Group::Server,
    since: "2.2.12",
    summary: "Tells how many calls the slow log holds.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    subcommands: &[],
    handler: Handler::Session(slowlog_len),
};

fn slowlog_len(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Reply::from(ctx.engine.command_log.len(Kind::Slow, &ctx.world.observed)).into())
}

const SLOWLOG_RESET: EngineCommand = EngineCommand {
    name: "reset",
    group: Group::Server,
    since: "2.2.12",
    summary: "Empties the slow log.",
    complexity: "O(N) in the number of entries",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(slowlog_reset),
};

fn slowlog_reset(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    ctx.engine.command_log.clear(Kind::Slow);
    Ok(Reply::Ok.into())
}

fn kind(args: &mut Args<'_>) -> Result<Kind, CommandError> {
    let kinds = [
        ("slow", Kind::Slow),
        ("large-request", Kind::LargeRequest),
        ("large-reply", Kind::LargeReply),
    ];
    args.one_of(&kinds)
        .ok_or_else(|| RowError::CommandLogKind.into())
}

/// How many entries are asked for; -1 means all.
fn entry_count(args: &mut Args<'_>) -> Result<usize, CommandError> {
    match args.int_or(RowError::CommandLogCount.into())? {
        -1 => Ok(usize::MAX),
        count => usize::try_from(count).map_err(|_| RowError::CommandLogCount.into()),
    }
}

fn write_entries(ctx: &mut SessionCtx<'_>, kind: Kind, count: usize) -> Result<Flow, CommandError> {
    let log = &ctx.engine.command_log;
    let entries = log.newest(kind, &ctx.world.observed, count);
    let mut out = ctx.out();
    out.array(entries.len());
    for entry in entries {
        out.array(6);
        out.integer(entry.id as i64);
        out.integer(entry.at_s);
        out.integer(i64::try_from(entry.figure).unwrap_or(i64::MAX));
        out.array(entry.words.len());
        entry.words.iter().for_each(|word| out.bulk(word));
        out.bulk(entry.addr.as_bytes());
        out.bulk(&entry.name);
    }
    ctx.written()
}
