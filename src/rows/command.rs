//! COMMAND: the table of commands, described to clients.

use commands::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec, Positions, Search};
use commands::{Args, Arity, Categories, CommandError, Flags, Group};
use engine::{EngineCommand, Flow, Handler, Registry, Row, SessionCtx};
use resp::{Aggregate, Writer};
use store::glob;

use super::error::RowError;
use super::help;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&COMMAND];

const COMMAND: EngineCommand = EngineCommand {
    name: "command",
    group: Group::Server,
    since: "2.8.13",
    summary: "Describes every command.",
    complexity: "O(N) in the number of commands",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    subcommands: &[
        &COMMAND_COUNT,
        &COMMAND_DOCS,
        &COMMAND_GETKEYS,
        &COMMAND_GETKEYSANDFLAGS,
        &COMMAND_HELP,
        &COMMAND_INFO,
        &COMMAND_LIST,
    ],
    handler: Handler::Session(command),
};

fn command(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let registry = &ctx.engine.registry;
    let mut out = ctx.out();
    out.array(commands(registry).count());
    commands(registry).for_each(|row| write_info(&mut out, registry, row));
    ctx.written()
}

/// The rows that are no subcommands.
fn commands(registry: &Registry) -> impl Iterator<Item = &Row> {
    registry
        .rows()
        .iter()
        .filter(|row| row.parent.is_none() && !row.is_removed)
}

const COMMAND_COUNT: EngineCommand = EngineCommand {
    name: "count",
    group: Group::Server,
    since: "2.8.13",
    summary: "Counts the commands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(command_count),
};

fn command_count(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let count = commands(&ctx.engine.registry).count();
    Ok(commands::Reply::from(count).into())
}

const COMMAND_DOCS: EngineCommand = EngineCommand {
    name: "docs",
    group: Group::Server,
    since: "7.0.0",
    summary: "Documents commands.",
    complexity: "O(N) in the number of commands",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Session(command_docs),
};

fn command_docs(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let registry = &ctx.engine.registry;
    let rows: Vec<&Row> = if args.is_empty() {
        commands(registry).collect()
    } else {
        let names = args.rest().iter();
        names.filter_map(|name| registry.full_name(name)).collect()
    };
    let mut out = ctx.out();
    out.map(rows.len());
    for row in rows {
        write_docs(&mut out, registry, row);
    }
    ctx.written()
}

/// The full name of a command and its documentation.
fn write_docs(out: &mut Writer<'_>, registry: &Registry, row: &Row) {
    out.bulk(row.name.as_bytes());
    let texts = [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group.name()),
        ("complexity", row.complexity),
    ];
    let has_subcommands = !row.subcommands.is_empty();
    out.map(texts.len() + usize::from(has_subcommands));
    for (name, text) in texts {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    if has_subcommands {
        out.bulk(b"subcommands");
        out.map(row.subcommands.len());
        for id in &row.subcommands {
            write_docs(out, registry, registry.row(*id));
        }
    }
}

const COMMAND_GETKEYS: EngineCommand = EngineCommand {
    name: "getkeys",
    group: Group::Server,
    since: "2.8.13",
    summary: "Extracts the keys of a call.",
    complexity: "O(N) in the number of arguments",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(command_getkeys),
};

fn command_getkeys(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let (argv, positions) = keys_of_call(&ctx.engine.registry, args)?;
    let mut out = ctx.out();
    out.array(positions.len());
    for (at, _) in positions {
        out.bulk(argv.get(at).copied().unwrap_or_default());
    }
    ctx.written()
}

const COMMAND_GETKEYSANDFLAGS: EngineCommand = EngineCommand {
    name: "getkeysandflags",
    group: Group::Server,
    since: "7.0.0",
    summary: "Extracts the keys of a call, and what it does with each.",
    complexity: "O(N) in the number of arguments",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(command_getkeysandflags),
};

fn command_getkeysandflags(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let (argv, positions) = keys_of_call(&ctx.engine.registry, args)?;
    let mut out = ctx.out();
    out.array(positions.len());
    for (at, flags) in positions {
        out.array(2);
        out.bulk(argv.get(at).copied().unwrap_or_default());
        // What the table leaves open is settled for a given call.
        write_key_flags(
            &mut out,
            flags - KeyFlags::VARIABLE_FLAGS - KeyFlags::INCOMPLETE,
        );
    }
    ctx.written()
}

/// A call and where its keys are (getKeysSubcommandImpl, Redis 7.2).
fn keys_of_call<'a>(
    registry: &Registry,
    mut args: Args<'a>,
) -> Result<(&'a [&'a [u8]], Positions), CommandError> {
    let argv = args.rest();
    let row = registry.find(argv).map_err(|_| RowError::NoSuchCommand)?;
    if !row.has_keys() {
        return Err(RowError::NoKeys.into());
    }
    if !row.arity.admits(argv.len()) {
        return Err(RowError::CommandArity.into());
    }
    let mut positions = Positions::new();
    if row.key_positions(argv, &mut positions) == Search::Malformed {
        positions.clear();
    }
    if positions.is_empty() && !row.flags.contains(Flags::NO_MANDATORY_KEYS) {
        return Err(RowError::CommandArguments.into());
    }
    Ok((argv, positions))
}

const COMMAND_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "5.0.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(command_help),
};

fn command_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "COMMAND", HELP)
}

const HELP: help::Lines = &[
    ("(no subcommand)", &["Describe every command."]),
    ("COUNT", &["The number of commands."]),
    (
        "DOCS [<command-name> ...]",
        &["Documentation of these commands, or of all."],
    ),
    ("GETKEYS <full-command>", &["The keys of a call."]),
    (
        "GETKEYSANDFLAGS <full-command>",
        &["The keys of a call, and what it does with each."],
    ),
    (
        "INFO [<command-name> ...]",
        &["Describe these commands, or all."],
    ),
    (
        "LIST [FILTERBY (MODULE <module-name>|ACLCAT <cat>|PATTERN <pattern>)]",
        &["The names of all commands, or of those that the filter lets through."],
    ),
];

const COMMAND_INFO: EngineCommand = EngineCommand {
    name: "info",
    group: Group::Server,
    since: "2.8.13",
    summary: "Describes commands.",
    complexity: "O(N) in the number of commands",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Session(command_info),
};

fn command_info(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    if args.is_empty() {
        return command(ctx, args);
    }
    let registry = &ctx.engine.registry;
    let names = args.rest();
    let mut out = ctx.out();
    out.array(names.len());
    for name in names {
        match registry.full_name(name) {
            Some(row) => write_info(&mut out, registry, row),
            None => out.null(),
        }
    }
    ctx.written()
}

fn write_info(out: &mut Writer<'_>, registry: &Registry, row: &Row) {
    let (first, last, step) = row.legacy_range();
    out.array(10);
    out.bulk(row.name.as_bytes());
    out.integer(row.arity.as_integer());
    write_names(out, row.flags.names());
    out.integer(first);
    out.integer(last);
    out.integer(step);
    out.set(row.categories.names().count());
    for name in row.categories.names() {
        out.simple(format!("@{name}").as_bytes());
    }
    out.set(row.tips.len());
    for tip in row.tips {
        out.bulk(tip.as_bytes());
    }
    out.set(row.keys.len());
    for spec in row.keys {
        write_key_spec(out, spec);
    }
    if row.subcommands.is_empty() {
        out.set(0);
    } else {
        out.array(row.subcommands.len());
    }
    for id in &row.subcommands {
        write_info(out, registry, registry.row(*id));
    }
}

fn write_names(out: &mut Writer<'_>, names: impl Iterator<Item = &'static str>) {
    let begun = out.begin();
    let mut count = 0;
    for name in names {
        out.simple(name.as_bytes());
        count += 1;
    }
    out.finish(begun, Aggregate::Set, count);
}

fn write_key_flags(out: &mut Writer<'_>, flags: KeyFlags) {
    write_names(out, flags.names());
}

fn write_key_spec(out: &mut Writer<'_>, spec: &KeySpec) {
    out.map(3);
    out.bulk(b"flags");
    write_key_flags(out, spec.flags);
    out.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Index(index) => write_search(out, "index", &[("index", index as i64)]),
        BeginSearch::Keyword { word, from } => {
            open_search(out, "keyword", 2);
            out.bulk(b"keyword");
            out.bulk(word.as_bytes());
            out.bulk(b"startfrom");
            out.integer(i64::from(from));
        }
        BeginSearch::Rule(_) => write_search(out, "unknown", &[]),
    }
    out.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => write_search(
            out,
            "range",
            &[
                ("lastkey", i64::from(last)),
                ("keystep", step as i64),
                ("limit", limit as i64),
            ],
        ),
        FindKeys::KeyNum { count, first, step } => write_search(
            out,
            "keynum",
            &[
                ("keynumidx", count as i64),
                ("firstkey", first as i64),
                ("keystep", step as i64),
            ],
        ),
        FindKeys::Unknown => write_search(out, "unknown", &[]),
    }
}

fn write_search(out: &mut Writer<'_>, kind: &str, numbers: &[(&str, i64)]) {
    open_search(out, kind, numbers.len());
    for (name, number) in numbers {
        out.bulk(name.as_bytes());
        out.integer(*number);
    }
}

/// A map of the kind of a search and its specification, of which `pairs` pairs follow.
fn open_search(out: &mut Writer<'_>, kind: &str, pairs: usize) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(kind.as_bytes());
    out.bulk(b"spec");
    out.map(pairs);
}

const COMMAND_LIST: EngineCommand = EngineCommand {
    name: "list",
    group: Group::Server,
    since: "7.0.0",
    summary: "Names commands.",
    complexity: "O(N) in the number of commands and subcommands",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Session(command_list),
};

fn command_list(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let filter = ListFilter::parse(&mut args)?;
    let registry = &ctx.engine.registry;
    let names: Vec<&str> = registry
        .rows()
        .iter()
        .filter(|row| !is_removed(registry, row) && filter.admits(row))
        .map(|row| &*row.name)
        .collect();
    let mut out = ctx.out();
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name.as_bytes()));
    ctx.written()
}

fn is_removed(registry: &Registry, row: &Row) -> bool {
    row.is_removed
        || row
            .parent
            .is_some_and(|parent| registry.row(parent).is_removed)
}

/// Which commands COMMAND LIST names.
#[derive(Debug)]
enum ListFilter {
    All,
    /// Those of a module: there are none.
    Module,
    /// Those of a category; none when the category does not exist.
    Category(Option<Categories>),
    /// Those whose full names match, whatever the case.
    Pattern(Vec<u8>),
}

impl ListFilter {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.is_empty() {
            return Ok(Self::All);
        }
        let (true, 2) = (args.flag("FILTERBY"), args.len()) else {
            return Err(CommandError::Syntax);
        };
        if args.flag("MODULE") {
            Ok(Self::Module)
        } else if args.flag("ACLCAT") {
            let wanted = args.bytes()?;
            let named =
                |(_, name): &&(Categories, &str)| wanted.eq_ignore_ascii_case(name.as_bytes());
            let found = Categories::NAMES.iter().find(named);
            Ok(Self::Category(found.map(|(category, _)| *category)))
        } else if args.flag("PATTERN") {
            Ok(Self::Pattern(args.bytes()?.to_ascii_lowercase()))
        } else {
            Err(CommandError::Syntax)
        }
    }

    fn admits(&self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(category) => {
                category.is_some_and(|category| row.categories.contains(category))
            }
            Self::Pattern(pattern) => glob::matches(pattern, row.name.as_bytes()),
        }
    }
}
