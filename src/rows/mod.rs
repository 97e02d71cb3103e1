//! The server's own rows of the command table: what concerns connections, configuration and the process.

mod client;
mod command;
mod command_log;
mod config;
mod connection;
mod debug;
mod error;
mod help;
mod info;
mod latency;
mod lolwut;
mod memory;
mod migrate;
mod monitor;
mod passwords;
mod persistence;
mod replication;
mod server;

pub(crate) use self::error::RowError;
pub(crate) use self::info::report;

use engine::clients::Peer;
use engine::{Engine, EngineCommand, SessionCtx};

use crate::Server;

/// Every row of this layer.
#[must_use]
pub fn all() -> Vec<&'static EngineCommand> {
    [
        connection::COMMANDS,
        client::COMMANDS,
        command::COMMANDS,
        command_log::COMMANDS,
        config::COMMANDS,
        debug::COMMANDS,
        info::COMMANDS,
        latency::COMMANDS,
        lolwut::COMMANDS,
        memory::COMMANDS,
        migrate::COMMANDS,
        persistence::COMMANDS,
        replication::COMMANDS,
        monitor::COMMANDS,
        server::COMMANDS,
    ]
    .concat()
}

/// The server that a session's engine runs in.
fn server<'a>(ctx: &SessionCtx<'a>) -> &'a Server {
    host(ctx.engine)
}

/// The server that an engine runs in.
pub(crate) fn host(engine: &Engine) -> &Server {
    let host: &dyn std::any::Any = &*engine.host;
    host.downcast_ref()
        .expect("the rows of the server run inside of it alone")
}

/// Whether a connection comes from this machine (connIsLocal, Redis 7.2).
fn is_local(peer: &Peer) -> bool {
    peer.unix || peer.addr.starts_with("127.") || peer.addr.starts_with("[::1]:")
}
