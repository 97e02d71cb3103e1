//! What runs a command of the engine or of the server, and what such a command may ask of the session.

use crate::holding::{HoldFn, Holding};
use crate::loading::Present;
use crate::locks::ShardSet;
use crate::session_ctx::SessionCtx;
use crate::walk::Walk;
use commands::{Args, Command, CommandError, ReadCtx, Reply, WriteCtx};

/// What runs a command, whichever layer it comes from.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// Reads its keys, with their shards held.
    Read(fn(&mut ReadCtx<'_>, Args<'_>) -> Result<Reply, CommandError>),
    /// Changes its keys, with their shards held.
    Write(fn(&mut WriteCtx<'_>, Args<'_>) -> Result<Reply, CommandError>),
    /// Concerns the session or the server; holds no shard.
    Session(fn(&mut SessionCtx<'_>, Args<'_>) -> Result<Flow, CommandError>),
    /// A container of subcommands; never runs itself.
    Container,
}

/// A row of the engine or of a layer above it.
pub type EngineCommand = Command<Handler>;

/// What a session command answers, or what it needs before it can.
pub enum Flow {
    /// The reply.
    Reply(Reply),
    /// Close the connection once the reply is out.
    Close(Reply),
    /// Run this with these shards held; its reply is the command's. After [`Reply::Elsewhere`] the command is called again, on a lane.
    Hold(ShardSet, HoldFn),
    /// Run the queued commands with their shards and those of the watched keys held.
    Exec,
    /// Walk the keyspace in short steps.
    Walk(Walk),
    /// Wait until so many replicas have everything that the session has written, or until the time in milliseconds is up.
    Acks {
        /// How many.
        replicas: usize,
        /// Whether it is to be on their disks (WAITAOF), and on how many of this server's own: none or one.
        durable: Option<usize>,
        /// How long; `None` for ever.
        timeout_ms: Option<i64>,
    },
    /// Run this once the session waits; it is answered when [`crate::Blocked::release`] ends the wait with an error.
    Await(Box<dyn FnOnce() + Send>),
    /// Freeze every command of every client for so many microseconds, then answer OK (DEBUG SLEEP).
    Freeze(u64),
    /// Call it again on a lane: it may take long, and holds nothing meanwhile. Not inside EXEC.
    Elsewhere,
    /// Something that only the server around the engine can do, such as ending the process.
    Host(HostRequest),
}

/// What the server around the engine is asked to do on behalf of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// PSYNC and SYNC: the connection goes on as a replica's.
    Follow,
    /// SAVE: save the dataset, then answer.
    Save,
    /// Answer OK once what [`crate::Host::emptied`] began is done.
    Saved,
    /// DEBUG LOADAOF: drop the dataset and load the append-only file, then answer.
    LoadAof,
    /// DEBUG RELOAD: save the dataset, drop it, and load it again, then answer.
    Reload {
        /// What becomes of keys that are there already (MERGE).
        present: Present,
        /// Drop what is there first (without NOFLUSH).
        flush: bool,
        /// Save it first (without NOSAVE).
        save: bool,
    },
}

impl Flow {
    /// Run `run` with every shard held.
    pub fn everything(
        run: impl FnMut(&mut Holding<'_>) -> Result<Reply, CommandError> + Send + 'static,
    ) -> Self {
        Self::Hold(ShardSet::All, Box::new(run))
    }
}

impl From<Reply> for Flow {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<commands::Handler> for Handler {
    fn from(handler: commands::Handler) -> Self {
        match handler {
            commands::Handler::Read(run) => Self::Read(run),
            commands::Handler::Write(run) => Self::Write(run),
            commands::Handler::Container => Self::Container,
        }
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(reply) => f.debug_tuple("Reply").field(reply).finish(),
            Self::Close(reply) => f.debug_tuple("Close").field(reply).finish(),
            Self::Hold(shards, _) => f.debug_tuple("Hold").field(shards).finish(),
            Self::Exec => f.write_str("Exec"),
            Self::Walk(_) => f.write_str("Walk"),
            Self::Acks { replicas, .. } => f.debug_tuple("Acks").field(replicas).finish(),
            Self::Await(_) => f.write_str("Await"),
            Self::Freeze(us) => f.debug_tuple("Freeze").field(us).finish(),
            Self::Elsewhere => f.write_str("Elsewhere"),
            Self::Host(request) => f.debug_tuple("Host").field(request).finish(),
        }
    }
}
