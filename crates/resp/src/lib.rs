//! RESP2, RESP3 and inline commands: incremental parsing and encoding.
//!
//! Requests are parsed by [`Parser`], which borrows: it yields ranges into the caller's buffer and copies no argument. Replies are
//! encoded by [`Writer`] into an [`Output`], which holds large values by reference.

#![warn(clippy::indexing_slicing)]

mod call;
mod inline;
pub mod number;
mod output;
mod protocol_error;
mod reply;
mod request;
mod writer;

pub use call::encode_call;
pub use inline::split_words;
pub use output::{Deferred, Mark, Output};
pub use protocol_error::ProtocolError;
pub use reply::{ReplyError, ReplyParser, Value};
pub use request::{ArgRange, Limits, Parse, Parser, Request, Trust};
pub use writer::{Aggregate, Proto, Writer};
