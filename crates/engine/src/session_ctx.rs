//! What a session command sees.

use crate::engine::Engine;
use crate::handler::Flow;
use crate::session::Session;
use crate::world::World;
use commands::{CommandError, Now, Reply, Rng};
use resp::{Output, Writer};

/// The context of a command that concerns the session or the server. No shard is held.
#[derive(Debug)]
pub struct SessionCtx<'a> {
    /// The session that calls.
    pub session: &'a mut Session,
    /// The engine.
    pub engine: &'a Engine,
    /// The world of this call.
    pub world: &'a World,
    /// When the call runs.
    pub now: Now,
    /// Random numbers.
    pub rng: &'a mut Rng,
    /// Whether the call is part of EXEC.
    pub in_exec: bool,
    /// Whether the call runs on a lane, where it may wait for others as long as it holds nothing.
    pub on_lane: bool,
    /// Where replies go that CLIENT REPLY drops.
    pub(crate) muted: &'a mut Output,
}

impl SessionCtx<'_> {
    /// Where the reply goes.
    pub fn out(&mut self) -> Writer<'_> {
        self.session.writer(self.muted)
    }

    /// Where messages go that are no replies, such as confirmations of subscriptions: CLIENT REPLY does not concern them.
    pub fn messages(&mut self) -> Writer<'_> {
        Writer::new(&mut self.session.out, self.session.proto)
    }

    /// Says that an argument, counted from behind the command's name, is shown neither to MONITOR nor in the command log.
    pub fn hide(&mut self, argument: usize) {
        self.session.secrets.extend(u16::try_from(argument));
    }

    /// Ends with a reply that has been written.
    pub fn written(&self) -> Result<Flow, CommandError> {
        Ok(Flow::Reply(Reply::Written))
    }

    /// The server's own state, when it is a `T`.
    #[must_use]
    pub fn host<T: 'static>(&self) -> Option<&T> {
        let host: &dyn std::any::Any = &*self.engine.host;
        host.downcast_ref()
    }
}
