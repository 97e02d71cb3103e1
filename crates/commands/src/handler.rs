//! What runs a data command, and what it answers with.

use crate::args::Args;
use crate::context::{ReadCtx, WriteCtx};
use crate::error::CommandError;

/// What runs a data command. The type says what it may touch.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// Reads the keys; gets no mutable entry.
    Read(fn(&mut ReadCtx<'_>, Args<'_>) -> Result<Reply, CommandError>),
    /// Changes the keys.
    Write(fn(&mut WriteCtx<'_>, Args<'_>) -> Result<Reply, CommandError>),
    /// A container of subcommands; never runs itself.
    Container,
}

/// A data command's row in the table.
pub type DataCommand = crate::command::Command<Handler>;

/// A reply that needs no building, or the word that it has been written to `ctx.out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The handler has written its reply.
    Written,
    /// The handler has only looked: the call is long ([`crate::Call::is_long`]) and is to be run again in a lane.
    Elsewhere,
    /// Nothing is there yet: the client waits as [`crate::BlockOn`] in the effects says, and the call is run again then.
    Block,
    /// `+OK`.
    Ok,
    /// Null bulk: `$-1` in RESP2, `_` in RESP3.
    Nil,
    /// Null array: `*-1` in RESP2, `_` in RESP3.
    NilArray,
    /// An empty array.
    EmptyArray,
    /// An integer.
    Integer(i64),
    /// A simple string.
    Simple(&'static str),
}

impl From<bool> for Reply {
    /// `:1` or `:0`.
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<usize> for Reply {
    /// A count as an integer reply.
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
