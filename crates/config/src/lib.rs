//! The redis.conf grammar and the typed table of directives.
//!
//! Nothing here knows the server, a socket or the clock.

pub mod args;
pub mod grammar;
