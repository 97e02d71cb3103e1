//! Append-only files: commands, one after the other, as a client would send them.
//!
//! ```text
//! #TS:1700000000\r\n                          an annotation, of which the time is the only one known
//! *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n   a command
//! ```
//!
//! [`AofReader`] reads them from any bytes; [`CommandWriter`] spells a dataset that way.

mod reader;
mod writer;

pub use reader::{AofError, AofItem, AofReader, AofReason, Words};
pub use writer::CommandWriter;
