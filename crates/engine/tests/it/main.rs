//! What the engine does around commands, through the dispatcher.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod evict;
mod eviction_quality;
mod expire;
mod keyspace;
mod loading;
mod log;
mod pubsub;
mod snapshot;
mod transaction;
mod watch;
