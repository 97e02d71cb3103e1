//! The RDB format from outside: round trips, files of other servers, old forms, hostile bytes.

#![expect(
    clippy::unwrap_used,
    reason = "what makes the files of the tests fails a test by panicking"
)]

mod aof;
mod files;
mod hostile;
mod model;
mod old_forms;
mod redis_server;
mod round_trip;
