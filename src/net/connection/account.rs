//! What a connection holds, what it may hold, and what the others see of that.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::BytesMut;
use engine::clients::flag;
use tracing::{debug, warn};

use super::{CARRY_MAX, Ending, State};
use crate::net::Shared;
use crate::net::worker::Worker;
use crate::settings::OutputBounds;
use crate::{client_info, client_memory};

/// Output that is sent before more requests run.
pub(super) const OUTPUT_FLUSH: usize = 256 * 1024;

/// Output that is not counted against `client-output-buffer-limit`: Redis' fixed reply buffer.
const OUTPUT_FREE: usize = 16 * 1024;

/// Output beyond that is counted in blocks of this size, begun ones as a whole: those in which Redis keeps it.
const OUTPUT_BLOCK: u64 = 20 * 1024;

/// From this length on Redis reads an argument into a buffer of its own (PROTO_MBULK_BIG_ARG).
const LARGE_ARGUMENT: usize = 32 * 1024;

/// Milliseconds after which the buffers of an idle connection are given back.
pub(crate) const BUFFERS_KEPT_MS: i64 = 2000;

impl State {
    /// Looks at what others told the connection, and at what time asks of it.
    pub(super) fn look_around(&mut self, cx: &Context<'_>, shared: &Shared) -> Option<Ending> {
        let client = &self.session.client;
        client.inbox.register(cx.waker());
        if client.inbox.is_killed() {
            if client.inbox.is_overfull() {
                self.say_over_output_limit(shared);
            }
            return Some(Ending::Killed);
        }
        self.session.take_mail(&shared.engine);
        let client = &self.session.client;
        let now_ms = shared.now_ms();
        if now_ms - client.shown.last_ms.load(Relaxed) > BUFFERS_KEPT_MS {
            self.release();
        }
        if !self.session.out.is_empty() && self.is_over_output_limit(shared, now_ms) {
            return Some(Ending::Killed);
        }
        None
    }

    /// Puts messages of others behind the output.
    pub(super) fn take_mail(&mut self, shared: &Shared) {
        if self.session.client.inbox.waiting() > 0 {
            self.session.take_mail(&shared.engine);
            self.touch(shared);
        }
    }

    /// Whether what the output reveals may be seen; if not, the task is woken when it may.
    pub(super) fn poll_gate(&mut self, cx: &Context<'_>, shared: &Shared) -> Poll<()> {
        shared.engine.poll_gate(&mut self.session.reveals, cx)
    }

    /// Gives back what an idle connection need not hold.
    pub(super) fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        } else if self.input.capacity() - self.input.len() > CARRY_MAX {
            self.input = BytesMut::from(&self.input[..]);
        }
        self.read_room = 0;
        self.parser.release();
        self.session.out.release();
        let shown = &self.session.client.shown;
        shown.qbuf_free.store(0, Relaxed);
        shown.qbuf.store(self.input.len() as u64, Relaxed);
        shown
            .out_mem
            .store(self.session.out.memory() as u64, Relaxed);
    }

    /// Tells the others what the connection holds, whose output was so long before it was sent. Whether it may go on.
    pub(super) fn publish(&mut self, worker: &Worker, shared: &Shared, output: usize) -> bool {
        if self.input.capacity() > CARRY_MAX && worker.cron_runs() > self.full_at_run + 1 {
            let kept = self.input.len().max(CARRY_MAX);
            let mut input = BytesMut::with_capacity(kept);
            input.extend_from_slice(&self.input);
            self.input = input;
        }
        let shown = &self.session.client.shown;
        let (out, out_mem) = (self.session.out.len(), self.session.out.memory());
        shown.out.store(out as u64, Relaxed);
        shown.out_mem.store(out_mem as u64, Relaxed);
        if output as u64 > shown.out_peak.load(Relaxed) {
            shown.out_peak.store(output as u64, Relaxed);
        }
        let used = self.input.len();
        let room = self.input.capacity().max(self.read_room);
        // As in Redis what precedes a large argument counts as arguments, not as unread.
        let read = self.parser.awaited_argument(LARGE_ARGUMENT);
        let read = read.unwrap_or(0).min(used);
        shown.argv_mem.store(read as u64, Relaxed);
        shown.qbuf.store((used - read) as u64, Relaxed);
        shown.qbuf_free.store((room - used) as u64, Relaxed);
        let Shared { engine, server, .. } = shared;
        let client = &self.session.client;
        client_memory::charge(engine, server, client, shared.now_ms());
        !client.inbox.is_killed()
    }

    /// Notes that the client is there, where no call does.
    pub(super) fn touch(&self, shared: &Shared) {
        let shown = &self.session.client.shown;
        shown.last_ms.store(shared.now_ms(), Relaxed);
    }

    /// How much the client may leave unread, by its class.
    pub(super) fn output_bounds<'s>(&self, shared: &'s Shared) -> &'s OutputBounds {
        let limits = &shared.server.limits;
        if self.session.subscriptions.is_empty() {
            &limits.output
        } else {
            &limits.pubsub_output
        }
    }

    /// Whether the peer reads so slowly that it is to be closed (`client-output-buffer-limit`).
    pub(super) fn is_over_output_limit(&mut self, shared: &Shared, now_ms: i64) -> bool {
        let bounds = self.output_bounds(shared);
        let used = self.session.out.len().saturating_sub(OUTPUT_FREE) as u64;
        let used = used.next_multiple_of(OUTPUT_BLOCK);
        let over = |limit: u64| limit > 0 && used >= limit;
        let is_over_soft = over(bounds.soft.load(Relaxed));
        let since = self
            .over_soft_since_ms
            .filter(|_| is_over_soft)
            .or_else(|| is_over_soft.then_some(now_ms));
        self.over_soft_since_ms = since;
        let soft_ms = i64::try_from(bounds.soft_ms.load(Relaxed)).unwrap_or(i64::MAX);
        let too_long = since.is_some_and(|since| now_ms - since > soft_ms);
        let is_full = self.session.out.is_full();
        if !too_long && !is_full && !over(bounds.hard.load(Relaxed)) {
            return false;
        }
        self.say_over_output_limit(shared);
        true
    }

    pub(super) fn say_over_output_limit(&self, shared: &Shared) {
        let shown = &self.session.client.shown;
        shown.out.store(self.session.out.len() as u64, Relaxed);
        warn!(
            "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
            self.info(shared)
        );
        shared.server.counters.output_limit.fetch_add(1, Relaxed);
    }

    pub(super) fn over_input_limit(&self, shared: &Shared) -> Ending {
        let start = self.input.get(..64).unwrap_or(&self.input);
        warn!(
            "Closing client that reached max query buffer length: {} (qbuf initial bytes: \"{}\")",
            self.info(shared),
            start.escape_ascii()
        );
        shared.server.counters.input_limit.fetch_add(1, Relaxed);
        Ending::Killed
    }

    pub(super) fn info(&self, shared: &Shared) -> String {
        client_info::line(&shared.engine, &self.session.client, shared.now_ms())
    }

    pub(super) fn say(&self, shared: &Shared, what: &str) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            debug!("{what} {}", self.info(shared));
        }
    }

    /// Takes everything back that the session left with the engine and the server.
    pub(super) async fn leave(mut self: Box<Self>, worker: &RefCell<Worker>, shared: &Shared) {
        loop {
            let wait = worker.borrow_mut().executor.part(&mut self.session);
            match wait {
                Some(wait) => wait.await,
                None => break,
            }
        }
        let client = &self.session.client;
        if client.has_flag(flag::TALKS) || client.has_flag(flag::REPLICA) {
            shared.server.replication.followers.forget(client.id);
        }
        shared.server.connected.fetch_sub(1, Relaxed);
        worker.borrow().left();
    }
}

/// The output in bytes at which a run of requests stops: to flush it, or because a limit may be reached.
pub(super) fn watermark(bounds: &OutputBounds) -> usize {
    [&bounds.hard, &bounds.soft]
        .into_iter()
        .map(|limit| bytes_allowed(limit.load(Relaxed)))
        .filter(|limit| *limit > 0)
        .fold(OUTPUT_FLUSH, usize::min)
}

/// The bytes of output at which a limit is reached; 0 for no limit.
fn bytes_allowed(limit: u64) -> usize {
    let Some(below) = limit.checked_sub(1) else {
        return 0;
    };
    let blocks = usize::try_from(below / OUTPUT_BLOCK * OUTPUT_BLOCK).unwrap_or(usize::MAX);
    blocks.saturating_add(OUTPUT_FREE + 1)
}

impl OutputBounds {
    /// The bytes of output that are never exceeded, whatever a call answers; 0 for no limit.
    pub(super) fn output_max(&self) -> usize {
        bytes_allowed(self.hard.load(Relaxed))
    }
}
