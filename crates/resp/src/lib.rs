//! RESP2, RESP3 and inline commands: incremental parsing and encoding.
//!
//! Requests are parsed by [`Parser`], which borrows: it yields ranges into the caller's buffer and copies no argument.

#![warn(clippy::indexing_slicing)]

mod inline;
pub mod number;
mod protocol_error;
mod request;

pub use inline::split_words;
pub use protocol_error::ProtocolError;
pub use request::{ArgRange, Limits, Parse, Parser, Request, Trust};
