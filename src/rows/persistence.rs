//! SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE.

use std::sync::atomic::Ordering::Relaxed;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::{EngineCommand, Flow, Handler, Holding, HostRequest, SessionCtx};
use tracing::info;

use super::error::RowError;
use super::{host, server};
use crate::persistence::aof::{Asked, ask_rewrite};
use crate::persistence::begin_in_background;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&BGREWRITEAOF, &BGSAVE, &LASTSAVE, &SAVE];

const BGREWRITEAOF: EngineCommand = EngineCommand {
    name: "bgrewriteaof",
    group: Group::Server,
    since: "1.0.0",
    summary: "Begins to rewrite the append-only file in the background.",
    complexity: "O(1); the rest is done in the background",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_ASYNC_LOADING),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(bgrewriteaof),
};

fn bgrewriteaof(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    match ask_rewrite(server(ctx), ctx.engine, ctx.in_exec) {
        Asked::Started => Ok(Reply::Simple("Background append only file rewriting started").into()),
        Asked::Scheduled => {
            Ok(Reply::Simple("Background append only file rewriting scheduled").into())
        }
        Asked::InProgress => Err(RowError::RewriteInProgress.into()),
    }
}

const SAVE: EngineCommand = EngineCommand {
    name: "save",
    group: Group::Server,
    since: "1.0.0",
    summary: "Saves the dataset and answers when that is done.",
    complexity: "O(N) in the number of keys; other clients go on meanwhile",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::NO_MULTI),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(save),
};

fn save(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.engine.snapshots.progress().is_some() {
        return Err(RowError::SaveInProgress.into());
    }
    Ok(Flow::Host(HostRequest::Save))
}

const BGSAVE: EngineCommand = EngineCommand {
    name: "bgsave",
    group: Group::Server,
    since: "1.0.0",
    summary: "Begins to save the dataset in the background.",
    complexity: "O(1); the rest is done in the background",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::EVERYTHING),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(bgsave),
};

/// What BGSAVE is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Now,
    /// SCHEDULE: as soon as nothing else is in the way.
    Scheduled,
    /// CANCEL (Valkey 8.1).
    Cancel,
}

fn bgsave(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let request = match args.one_of(&[
        ("SCHEDULE", Request::Scheduled),
        ("CANCEL", Request::Cancel),
    ]) {
        Some(request) => request,
        None => Request::Now,
    };
    args.finish()?;
    if request == Request::Cancel {
        return cancel(ctx);
    }
    let in_exec = ctx.in_exec;
    Ok(Flow::everything(move |held| start(held, in_exec)))
}

/// Begins a save; inside of EXEC that is left to cron, as in Redis.
fn start(held: &mut Holding<'_>, in_exec: bool) -> Result<Reply, CommandError> {
    let save = &host(held.engine).persistence.save;
    let is_busy = save.in_background.load(Relaxed) || held.engine.snapshots.progress().is_some();
    if is_busy {
        return Err(RowError::SaveInProgress.into());
    }
    if in_exec {
        save.scheduled.store(true, Relaxed);
        return Ok(Reply::Simple("Background saving scheduled"));
    }
    match begin_in_background(held) {
        Ok(()) => Ok(Reply::Simple("Background saving started")),
        Err(_) => Err(RowError::SaveInProgress.into()),
    }
}

fn cancel(ctx: &SessionCtx<'_>) -> Result<Flow, CommandError> {
    let save = &server(ctx).persistence.save;
    if save.in_background.load(Relaxed) {
        info!("Background saving will be aborted due to user request");
        ctx.engine.snapshots.abort();
        return Ok(Reply::Simple("Background saving cancelled").into());
    }
    if save.scheduled.swap(false, Relaxed) {
        info!("Scheduled background saving will be cancelled due to user request");
        return Ok(Reply::Simple("Scheduled background saving cancelled").into());
    }
    Err(RowError::NothingToCancel.into())
}

const LASTSAVE: EngineCommand = EngineCommand {
    name: "lastsave",
    group: Group::Server,
    since: "1.0.0",
    summary: "Tells when the dataset was last saved, in Unix seconds.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::ADMIN.union(Categories::DANGEROUS),
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(lastsave),
};

fn lastsave(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let saved_s = server(ctx).persistence.save.saved_s.load(Relaxed);
    Ok(Reply::Integer(saved_s).into())
}
