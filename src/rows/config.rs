//! CONFIG: reading, changing and writing the configuration, and setting counters back.

use std::io::Write;
use std::path::Path;

use ::config::{Circumstances, Extent, SetError, Users, directive};
use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::{EngineCommand, Flow, Handler, SessionCtx};
use tracing::{info, warn};

use super::error::RowError;
use super::{help, is_local, server};
use crate::server::ConfigPlace;
use crate::{client_memory, process};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&CONFIG];

const CONFIG: EngineCommand = EngineCommand {
    name: "config",
    group: Group::Server,
    since: "2.0.0",
    summary: "Holds the commands about the configuration.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &CONFIG_GET,
        &CONFIG_HELP,
        &CONFIG_RESETSTAT,
        &CONFIG_REWRITE,
        &CONFIG_SET,
    ],
    handler: Handler::Container,
};

const CONFIG_GET: EngineCommand = EngineCommand {
    name: "get",
    group: Group::Server,
    since: "2.0.0",
    summary: "Shows directives and their values.",
    complexity: "O(N) in the number of directives",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(config_get),
};

fn config_get(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let found = server(ctx).config.read().get(args.rest());
    let mut out = ctx.out();
    out.map(found.len());
    for (name, value) in found {
        out.bulk(&name);
        out.bulk(&value);
    }
    ctx.written()
}

const CONFIG_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Server,
    since: "5.0.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(config_help),
};

fn config_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "CONFIG", HELP)
}

const HELP: help::Lines = &[
    (
        "GET <pattern>",
        &["The directives whose names match, and their values."],
    ),
    ("SET <directive> <value>", &["Change directives."]),
    ("RESETSTAT", &["Set the counters that INFO shows back."]),
    ("REWRITE", &["Write the configuration into its file."]),
];

const CONFIG_RESETSTAT: EngineCommand = EngineCommand {
    name: "resetstat",
    group: Group::Server,
    since: "2.0.0",
    summary: "Sets the counters that INFO shows back.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(config_resetstat),
};

fn config_resetstat(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    ctx.engine.stats.reset();
    ctx.engine.eviction.reset();
    ctx.engine.errors.reset();
    server(ctx).reset_counters();
    Ok(Reply::Ok.into())
}

const CONFIG_REWRITE: EngineCommand = EngineCommand {
    name: "rewrite",
    group: Group::Server,
    since: "2.8.0",
    summary: "Writes the configuration into its file.",
    complexity: "O(N) in the number of directives",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(config_rewrite),
};

fn config_rewrite(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    rewrite(ctx, Extent::Needed)
}

/// Writes the configuration, or what of it a file needs to say, into its file.
pub(super) fn rewrite(ctx: &SessionCtx<'_>, extent: Extent) -> Result<Flow, CommandError> {
    let server = server(ctx);
    let Some(file) = &server.config_file else {
        return Err(RowError::NoConfigFile.into());
    };
    let old = match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    };
    let write = |old: Vec<u8>| {
        let config = server.config.read().clone();
        let declared = config.declarations().users.iter();
        let users: Vec<Vec<u8>> = declared.map(|user| user.words.join(&b' ')).collect();
        let text = config.rewrite(&old, Users::Listed(&users), extent);
        replace(file, &text)
    };
    match old.and_then(write) {
        Ok(()) => {
            info!("CONFIG REWRITE executed with success.");
            Ok(Reply::Ok.into())
        }
        Err(error) => {
            let words = process::words(&error);
            warn!("CONFIG REWRITE failed: {words}");
            Err(RowError::Rewrite(words).into())
        }
    }
}

/// Puts a file in the place of another at once: whoever reads it sees the old or the new one, whole.
fn replace(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = std::fs::File::create(&temporary).and_then(|mut new| {
        new.write_all(text)?;
        if let Ok(old) = std::fs::metadata(file) {
            new.set_permissions(old.permissions())?;
        }
        new.sync_all()?;
        std::fs::rename(&temporary, file)
    });
    if written.is_err() {
        // Nothing more can be done about a file that cannot be removed.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

const CONFIG_SET: EngineCommand = EngineCommand {
    name: "set",
    group: Group::Server,
    since: "2.0.0",
    summary: "Changes directives, all of them or none.",
    complexity: "O(N) in the number of directives given",
    arity: Arity::AtLeast(4),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING)
        .union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(config_set),
};

/// What needs the system, such as opening sockets and reading certificates, is done first, with no shard held; the world
/// follows with all of them held.
fn config_set(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (pairs, []) = args.rest().as_chunks() else {
        return Err(CommandError::Syntax);
    };
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    for (at, (name, _)) in pairs.iter().enumerate() {
        if directive::find(name).is_some_and(|spelling| spelling.id.row().sensitive) {
            ctx.hide(2 * at + 1);
        }
    }
    let circumstances = Circumstances {
        loading: ctx.world.loading || ctx.world.async_loading,
        local: is_local(&ctx.session.client.peer),
    };
    let place = ConfigPlace {
        engine: ctx.engine,
        in_exec: ctx.in_exec,
    };
    let done = server(ctx).set_config(&pairs, circumstances, place);
    if done.is_ok() {
        client_memory::charge_all(ctx.engine, server(ctx), ctx.now.ms());
    }
    let answer = match done {
        Ok(()) => Ok(Reply::Ok),
        Err(SetError::Loading) => Err(CommandError::Loading),
        Err(error) => Err(RowError::ConfigSet(error.to_string()).into()),
    };
    Ok(Flow::everything(move |held| {
        let server = super::host(held.engine);
        // Somebody who changes the configuration just now brings the world up to date after that.
        if let Some(config) = server.config.try_read() {
            let now_ms = held.now.ms();
            held.change_world(|world| {
                crate::settings::update_world(world, &config);
                world.lacks_replicas = server.replication.lacks_replicas(&config, now_ms);
            });
        }
        answer.clone()
    }))
}
