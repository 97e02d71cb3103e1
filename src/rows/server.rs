//! TIME and SHUTDOWN.

use std::sync::Arc;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::{EngineCommand, Flow, Handler, SessionCtx};
use tracing::info;

use super::error::RowError;
use super::server;
use crate::shutdown::{self, ShutdownHow};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&SHUTDOWN, &TIME];

const SHUTDOWN: EngineCommand = EngineCommand {
    name: "shutdown",
    group: Group::Server,
    since: "1.0.0",
    summary: "Ends the server.",
    complexity: "O(N) in the number of keys when the dataset is saved",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::ALLOW_BUSY)
        .union(Flags::LOADING)
        .union(Flags::NO_MULTI)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(end),
};

fn end(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (mut save, mut no_save, mut now, mut force, mut abort) =
        (false, false, false, false, false);
    while !args.is_empty() {
        let known = [
            ("NOSAVE", &mut no_save),
            ("SAVE", &mut save),
            ("NOW", &mut now),
            ("FORCE", &mut force),
            ("ABORT", &mut abort),
        ];
        let given = known.into_iter().find(|(name, _)| args.flag(name));
        let (_, option) = given.ok_or(CommandError::Syntax)?;
        *option = true;
    }
    if (abort && (save || no_save || now || force)) || (save && no_save) {
        return Err(CommandError::Syntax);
    }
    if abort {
        if !server(ctx).shutdown.abort() {
            return Err(RowError::NoShutdown.into());
        }
        ctx.engine.blocked.release(shutdown::FAILED);
        info!("Shutdown manually aborted.");
        return Ok(Reply::Ok.into());
    }
    let how = ShutdownHow {
        save: (save || no_save).then_some(save),
        now,
        force,
    };
    let shutdown = Arc::clone(&server(ctx).shutdown);
    Ok(Flow::Await(Box::new(move || shutdown.ask(how))))
}

const TIME: EngineCommand = EngineCommand {
    name: "time",
    group: Group::Server,
    since: "2.6.0",
    summary: "Tells the time of the server.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(time),
};

fn time(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let unix_us = ctx.now.unix_us;
    let mut out = ctx.out();
    out.array(2);
    out.bulk_integer(unix_us.div_euclid(1_000_000));
    out.bulk_integer(unix_us.rem_euclid(1_000_000));
    ctx.written()
}
