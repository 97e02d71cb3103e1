//! From bytes to calls: reading into the worker's scratch or a buffer of one's own, parsing in place, and running.

use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use engine::{Executor, Step, Wait};
use resp::{Limits, Parse, ProtocolError, Trust};
use smallvec::SmallVec;
use tracing::debug;

use super::run::{BATCH_NS, Ended};
use super::{CARRY_MAX, Ending, State, Turn};
use crate::net::stream::{Room, Stream};
use crate::net::worker::Worker;
use crate::net::{Complaint, Shared};

/// Why a run of requests stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The rest is no whole request.
    Incomplete,
    /// Others should have their turn.
    Budget,
    /// There is much to send.
    Output,
    /// A call did not end.
    Step(Step),
    /// The peer does not speak the protocol.
    Violation(ProtocolError),
}

/// Room that is made at once for a large request; after that the room doubles.
const RESERVE_MAX: usize = 4 << 20;

/// What an active client is charged for reading: its share of the worker's scratch, as much as Redis gives a client.
const READ_ROOM: usize = 20 * 1024;

impl State {
    /// Reads once and runs what was read.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        worker: &mut Worker,
        shared: &Shared,
    ) -> Poll<Result<Stop, Ending>> {
        let carry = self.input.len();
        if carry + self.needed > CARRY_MAX {
            return self.poll_fill_own(cx, stream, worker, shared);
        }
        let mut room = Room::Scratch(&mut worker.scratch, carry);
        let count = match ready!(stream.poll_read(cx, &mut room, &mut worker.cipher)) {
            Ok(0) => return Poll::Ready(Err(Ending::Closed)),
            Ok(count) => count,
            Err(error) => return Poll::Ready(Err(Ending::Failed(error))),
        };
        let traffic = worker.traffic();
        traffic.input.add(count as u64);
        traffic.reads.add(1);
        let Some(data) = worker.scratch.get_mut(..carry + count) else {
            return Poll::Ready(Err(Ending::Closed));
        };
        if let Some(front) = data.get_mut(..carry) {
            front.copy_from_slice(&self.input);
            self.input.clear();
        }
        if self.is_new {
            self.is_new = false;
            if let Some(ending) = self.refuse_tls(data, stream, shared) {
                return Poll::Ready(Err(ending));
            }
        }
        let (consumed, stop) = self.run(&mut worker.executor, shared, data);
        let rest = data.get(consumed..).unwrap_or_default();
        if !rest.is_empty() {
            self.keep(rest);
        }
        Poll::Ready(Ok(stop))
    }

    /// Reads a large request into the connection's own buffer.
    pub(super) fn poll_fill_own(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        worker: &mut Worker,
        shared: &Shared,
    ) -> Poll<Result<Stop, Ending>> {
        // Not before there is something to read: an idle client's room is taken away from it.
        ready!(stream.poll_readable(cx)).map_err(Ending::Failed)?;
        self.make_room(shared);
        let mut room = Room::Own(&mut self.input);
        let count = match ready!(stream.poll_read(cx, &mut room, &mut worker.cipher)) {
            Ok(0) => return Poll::Ready(Err(Ending::Closed)),
            Ok(count) => count,
            Err(error) => return Poll::Ready(Err(Ending::Failed(error))),
        };
        worker.traffic().input.add(count as u64);
        worker.traffic().reads.add(1);
        self.touch(shared);
        if self.input.len() as u64 > shared.server.limits.input_max.load(Relaxed) {
            return Poll::Ready(Err(self.over_input_limit(shared)));
        }
        Poll::Ready(Ok(self.run_own(worker, shared)))
    }

    /// Takes the start of a request over from the worker's scratch. Of a large one the buffer is as large as the request, however
    /// much of it has come, so that what a client is charged does not depend on that.
    fn keep(&mut self, rest: &[u8]) {
        if rest.len() + self.needed > CARRY_MAX {
            self.input = BytesMut::with_capacity(rest.len() + self.room_for(rest.len()));
        }
        self.input.extend_from_slice(rest);
    }

    /// How much room is made behind that many bytes of a request for what it lacks.
    fn room_for(&self, received: usize) -> usize {
        self.needed.min(received.max(RESERVE_MAX))
    }

    /// Makes room in the connection's own buffer for what a large request lacks.
    pub(super) fn make_room(&mut self, shared: &Shared) {
        self.input.reserve(self.room_for(self.input.len()));
        self.full_at_run = shared.server.cron_runs.load(Relaxed);
    }

    /// Runs requests that lie in the connection's own buffer.
    pub(super) fn run_own(&mut self, worker: &mut Worker, shared: &Shared) -> Stop {
        let input = std::mem::take(&mut self.input);
        let (consumed, stop) = self.run(&mut worker.executor, shared, &input);
        self.put_back(input, consumed);
        stop
    }

    /// What the connection does after a run: go on, or end the turn with something once the output is flushed.
    pub(super) fn after_run(
        &mut self,
        stop: Stop,
        worker: &Worker,
        shared: &Shared,
    ) -> Option<Turn> {
        self.has_request = !matches!(stop, Stop::Incomplete);
        self.read_room = READ_ROOM;
        let last_ms = worker.executor.latest().ms();
        self.session.client.shown.last_ms.store(last_ms, Relaxed);
        match stop {
            Stop::Incomplete => {
                if self.input.len() + self.needed > CARRY_MAX {
                    self.make_room(shared);
                }
                None
            }
            Stop::Budget => Some(Turn::Yield),
            Stop::Output if self.is_over_output_limit(shared, last_ms) => {
                Some(Turn::End(Ending::Killed))
            }
            Stop::Output => {
                let latest_ns = worker.executor.latest().monotonic_ns;
                let started_ns = self.turn_started_ns.unwrap_or(latest_ns);
                (latest_ns.saturating_sub(started_ns) > BATCH_NS).then_some(Turn::Yield)
            }
            Stop::Violation(violation) => {
                self.refuse(violation, shared);
                Some(Turn::End(Ending::AfterReply))
            }
            Stop::Step(step) => match step {
                Step::Done => None,
                Step::Close => Some(Turn::End(Ending::AfterReply)),
                Step::Wait(wait) => Some(Turn::Wait(wait)),
                Step::Yield => Some(Turn::Yield),
                Step::Lane => Some(Turn::Lane),
                Step::Freeze(us) => Some(Turn::Freeze(us)),
                Step::Host(request) => Some(Turn::Host(request)),
            },
        }
    }

    /// Calls the request at the front of the buffer again, on a lane, and waits there as long as it takes.
    pub(crate) fn run_on_lane(&mut self, executor: &mut Executor, shared: &Shared) -> Step {
        let input = std::mem::take(&mut self.input);
        let limits = Limits {
            bulk_max: shared.server.limits.bulk_max.load(Relaxed),
            trust: Trust::Primary,
        };
        let mut consumed = 0;
        let mut step = Step::Done;
        let out_before = self.session.out.len();
        if let Ok(Parse::Frame(length)) = self.parser.parse(&input, &limits) {
            let argv: SmallVec<[&[u8]; 16]> = self.parser.request(&input).iter().collect();
            step = loop {
                match executor.call(&mut self.session, &argv) {
                    Step::Wait(Wait::Shard(freed)) => freed.block(),
                    Step::Wait(_) if shared.lanes.are_closed() => break Step::Close,
                    Step::Wait(Wait::World { changed, until_ms }) => {
                        shared.block_until(changed, until_ms);
                    }
                    Step::Yield | Step::Lane => std::thread::yield_now(),
                    step => break step,
                }
            };
            // A call that waits for keys is called again by the connection.
            if !matches!(step, Step::Wait(_)) {
                consumed = length;
            }
        }
        executor.end_batch();
        let ended = (consumed > 0).then(|| Ended {
            request: consumed,
            reply: self.session.out.len().saturating_sub(out_before),
        });
        self.observe(executor, &input, [0, 0], ended);
        self.put_back(input, consumed);
        step
    }

    /// Keeps what is left of the buffer. Room is kept too: what an advance passes over is no longer counted as such.
    fn put_back(&mut self, mut input: BytesMut, consumed: usize) {
        if consumed == input.len() {
            input.clear();
        } else {
            input.advance(consumed);
        }
        self.input = input;
    }

    /// Answers a violation of the protocol.
    pub(super) fn refuse(&mut self, violation: ProtocolError, shared: &Shared) {
        debug!(
            "Protocol error ({violation}) from client: {}.",
            self.info(shared)
        );
        let message = violation.message();
        let out = &mut self.session.out;
        out.push(b"-ERR ");
        out.push(&message);
        out.push(b"\r\n");
    }

    /// Answers a ClientHello that came to a plaintext port.
    pub(super) fn refuse_tls(
        &mut self,
        data: &[u8],
        stream: &Stream,
        shared: &Shared,
    ) -> Option<Ending> {
        if data.first() != Some(&TLS_RECORD) || matches!(stream, Stream::Tls(_)) {
            return None;
        }
        if !matches!(tls::sniff(data), tls::Kind::Tls | tls::Kind::Incomplete) {
            return None;
        }
        shared.say_once(
            Complaint::TlsOnPlaintextPort,
            &self.session.client.peer.addr,
            "a client spoke TLS to a plaintext port",
            "connect to the TLS port ('tls-port'), or without TLS",
        );
        self.session.out.push(&tls::ALERT_HANDSHAKE_FAILURE);
        Some(Ending::AfterReply)
    }
}

/// The first byte of a TLS record with a ClientHello.
const TLS_RECORD: u8 = 22;
