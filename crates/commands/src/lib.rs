//! Command, context and effect types, and every data command.
//!
//! A data command is a [`DataCommand`] constant with its handler under it, in the file of its family. A handler is a plain
//! function over a context and the call's words: it parses all of them, looks its keys up, acts, commits and replies. It
//! sees no socket, lock, clock or task.

mod args;
pub mod bitmap;
mod command;
mod context;
mod draw;
pub mod dump;
mod effects;
mod error;
pub mod generic;
pub mod geo;
mod handler;
pub mod hash;
mod help;
pub mod hyperloglog;
pub mod keys;
pub mod list;
mod scan;
pub mod set;
mod space;
pub mod span;
pub mod stream;
pub mod string;
mod write_item;
pub mod zset;

pub use args::{Args, scan_cursor};
pub use command::{Arity, Categories, Command, Flags, Group};
pub use context::{Call, Dumping, Now, ReadCtx, Rng, Settings, WriteCtx};
pub use draw::{Draw, portions};
pub use effects::{Audience, BlockOn, Cause, Changed, Effects, EventClass, KeyEvent, Logged};
pub use error::{CommandError, printable};
pub use handler::{DataCommand, Handler, Reply};
pub use help::write_help;
pub use scan::ScanOptions;
pub use space::{
    Expiry, Guard, ManyShards, OnExpired, ReadSpace, Shards, Slot, Space, StringSlot, Value,
    WriteSpace,
};
pub use write_item::WriteItem;

/// Every data command, family by family.
#[must_use]
pub fn all() -> Vec<&'static DataCommand> {
    [
        bitmap::COMMANDS,
        dump::COMMANDS,
        generic::COMMANDS,
        geo::COMMANDS,
        hash::COMMANDS,
        hyperloglog::COMMANDS,
        list::COMMANDS,
        set::COMMANDS,
        stream::COMMANDS,
        string::COMMANDS,
        zset::COMMANDS,
    ]
    .concat()
}
