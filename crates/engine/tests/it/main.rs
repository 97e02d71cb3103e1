//! What the engine does around commands, through the dispatcher.

mod expire;
mod keyspace;
mod pubsub;
mod transaction;
mod watch;
