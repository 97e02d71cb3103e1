//! What the engine needs of the server around it.

use crate::engine::Engine;
use commands::Now;
use std::any::Any;
use std::time::Duration;

/// Where commands come from that are expected to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// The primary that is followed.
    Primary,
    /// An append-only file.
    File,
    /// A replica, which has nothing to say but how far it is.
    Replica,
}

/// The server around the engine: the clock, and a place where slow destruction may happen.
///
/// Rows of the server reach their own state through it: `ctx.host` is `Any`.
pub trait Host: Any + Send + Sync + std::fmt::Debug {
    /// The clock, read once a call.
    fn now(&self) -> Now;

    /// Bytes allocated by the process, as INFO's `used_memory` counts them.
    fn used_memory(&self) -> u64;

    /// Bytes that the calling thread has allocated more than it has released, or less, since it started: cheap, for it is
    /// asked at every call while there is a limit.
    fn thread_memory(&self) -> i64;

    /// Whether something is on its way to be freed by [`Host::drop_later`].
    fn is_freeing(&self) -> bool;

    /// Drops something that may take long, off the calling thread.
    fn drop_later(&self, garbage: Box<dyn Any + Send>);

    /// FLUSHALL has emptied the dataset; every shard is held. Whether the client's answer has to wait for
    /// [`crate::HostRequest::Saved`].
    fn emptied(&self) -> bool {
        false
    }

    /// A command of such a source has failed with this error; `None` when nothing is known by its name. Shards may be held.
    fn unexpected_error(&self, engine: &Engine, of: Trusted, error: &str, command: Option<&str>) {
        let _ = (engine, of, error, command);
    }

    /// Stops the calling thread for so many microseconds (DEBUG SLEEP inside a transaction).
    fn sleep(&self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }
}
