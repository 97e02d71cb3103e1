//! The one place that executes commands: locks, admission, call, effects, transactions, walks, counters.
//!
//! A thread has an [`Executor`]; a connection has a [`Session`] and hands it, with the words of a call, to the executor of
//! the thread it is on. [`Step`] says what the connection does next. Nothing here opens a socket, spawns a task or reads
//! the clock; the layer above implements [`Host`] and drives the steps.

mod acks;
mod admission;
mod blocking;
pub mod clients;
mod engine;
mod errors;
mod eviction;
mod executor;
pub mod failpoint;
mod gate;
mod handler;
mod holding;
mod host;
mod inbox;
pub mod keyspace;
mod latency;
pub mod loading;
mod locks;
pub mod observe;
pub mod pubsub;
mod registry;
mod session;
mod session_ctx;
pub mod snapshot;
mod stats;
mod tracking;
pub mod transaction;
mod walk;
mod world;

pub use acks::Acks;
pub use blocking::{Awaited, Blocked, Parting, Waiter};
pub use engine::{Engine, Layout};
pub use eviction::{Eviction, EvictionRules, Population, Rank};
pub use executor::{Executor, ExpireProgress, PREFETCH_MAX, Past, Step, Wait};
pub use gate::Gate;
pub use handler::{EngineCommand, Flow, Handler, HostRequest};
pub use holding::{HoldFn, Holding};
pub use host::{Host, Trusted};
pub use inbox::Inbox;
pub use latency::LatencySum;
pub use locks::{Held, Locks, ShardSet, ShardWait, Taker};
pub use registry::{Registry, RenameError, Row};
pub use session::{Feed, ReplyMode, Session};
pub use session_ctx::SessionCtx;
pub use stats::{CallStats, Counter, ExpiryStats, Stats, ThreadStats};
pub use tracking::{
    PrefixOverlap, Tracking, TrackingCounts, TrackingInfo, TrackingMode, TrackingWish,
};
pub use walk::{Filter, Walk};
pub use world::{Pause, PauseScope, Role, World};

/// Every command of this crate.
#[must_use]
pub fn commands() -> Vec<&'static EngineCommand> {
    [keyspace::COMMANDS, pubsub::COMMANDS, transaction::COMMANDS].concat()
}
