//! The replication log: what was executed, as RESP words in shared immutable blocks that any number of readers follow by cursor.
//!
//! ```text
//!  start                                                     end
//!    | block | block | large unit, by reference | block | tail |
//!            ^ reader                               ^ reader
//! ```
//!
//! 1. An offset is the number of bytes before a place, since the history began: `end` is what INFO calls `master_repl_offset`.
//! 2. Units are appended by whoever holds the shards that they are about, each in one piece, so that the order of the log is
//!    an order of execution. The mutex of the log is held for a copy of a few bytes: a large unit is taken over whole.
//! 3. Blocks are kept for the backlog, whose size is set, and beyond it for the slowest [`Reader`].
//! 4. Readers that sleep are woken by [`Log::wake`], which appenders call once they hold no lock any more.

mod log;
mod reader;
mod unit;

pub use log::{Extent, Log};
pub use reader::Reader;
pub use unit::{Framing, Unit};
