//! MONITOR: a connection sees every call that the server runs.

use std::sync::Arc;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::clients::flag;
use engine::{EngineCommand, Flow, Handler, SessionCtx};

use super::error::RowError;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&MONITOR];

const MONITOR: EngineCommand = EngineCommand {
    name: "monitor",
    group: Group::Server,
    since: "1.0.0",
    summary: "Shows every call that the server runs.",
    complexity: "O(N) in the number of connections that monitor, for each call",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(monitor),
};

/// Asking again changes nothing, and is not even answered (monitorCommand, Redis 7.2).
fn monitor(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.in_exec {
        return Err(RowError::MonitorInTransaction.into());
    }
    if ctx.session.client.has_flag(flag::MONITOR) {
        return ctx.written();
    }
    Ok(Flow::everything(|held| {
        let client = Arc::clone(&held.session.client);
        held.engine.monitors.join(&client);
        held.change_world(|world| world.monitored = true);
        Ok(Reply::Ok)
    }))
}
