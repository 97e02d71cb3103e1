//! A client's connection: reads, parses in place, executes, and writes once a batch.
//!
//! 1. A turn reads into the worker's scratch, runs the requests in it where they lie, and flushes once. Only a partial
//!    request is kept, in the connection's own buffer; a large one is read directly into that.
//! 2. A call that cannot run at once (a busy shard, a pause, a lane) leaves its request at the front of that buffer, and is
//!    called again from there.
//! 3. Between two turns a connection is a value, [`Parked`], which may go to another thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use engine::clients::Client;
use engine::{Executor, HostRequest, Session, Step, Wait};
use resp::{Limits, Parse, Parser, ProtocolError, Trust};
use smallvec::SmallVec;
use tracing::{debug, warn};

use crate::client_info;
use crate::net::Shared;
use crate::net::stream::{Room, Socket, Stream};
use crate::net::worker::Worker;
use crate::settings::OutputBounds;

/// A connection on its worker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    state: Box<State>,
}

/// A connection on its way between two threads.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) socket: Socket,
    pub(crate) state: Box<State>,
}

/// All of a connection but its stream.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) session: Session,
    parser: Parser,
    /// A partial request, or requests that could not run yet.
    input: BytesMut,
    /// How many more bytes the partial request lacks at least.
    needed: usize,
    /// `input` may hold a whole request: look before reading.
    has_request: bool,
    /// Nothing has been read yet.
    is_new: bool,
    /// Since when the output has been over the soft limit, in Unix milliseconds.
    over_soft_since_ms: Option<i64>,
    /// What the client is charged for reading, beside its own buffer.
    read_room: usize,
    /// When the first request of this turn ran, on the monotonic clock.
    turn_started_ns: Option<u64>,
    /// When it last had a turn, as cron has the time.
    turn_ms: i64,
    /// The run of cron at which `input` was last more than half full.
    full_at_run: u64,
}

/// What a turn ended with.
#[derive(Debug)]
enum Turn {
    Wait(Wait),
    Yield,
    Lane,
    Freeze(u64),
    Host(HostRequest),
    Move(usize),
    End(Ending),
}

/// Why a connection ends.
#[derive(Debug)]
enum Ending {
    /// The peer closed it.
    Closed,
    /// The socket, or TLS, failed.
    Failed(io::Error),
    /// CLIENT KILL, `timeout`, or a limit: nothing more is sent.
    Killed,
    /// What is in the output is the last that is sent.
    AfterReply,
}

/// Why a run of requests stopped.
#[derive(Debug)]
enum Stop {
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

/// Requests that one turn runs.
const BATCH_REQUESTS: usize = 1000;
/// Nanoseconds that one turn runs.
const BATCH_NS: u64 = 1_000_000;
/// A partial request up to this length is completed in the worker's scratch.
const CARRY_MAX: usize = 16 * 1024;
/// Room that is made at once for a large request; after that the room doubles.
const RESERVE_MAX: usize = 4 << 20;
/// Output that is sent before more requests run.
const OUTPUT_FLUSH: usize = 256 * 1024;
/// Output of a peer that does not read above which no more requests of it are read.
const OUTPUT_STOP: usize = 16 << 20;
/// Output that is not counted against `client-output-buffer-limit`: Redis' fixed reply buffer.
const OUTPUT_FREE: usize = 16 * 1024;
/// Milliseconds after which the buffers of an idle connection are given back.
pub(crate) const BUFFERS_KEPT_MS: i64 = 2000;
/// What an active client is charged for reading: its share of the worker's scratch, as much as Redis gives a client.
const READ_ROOM: usize = 20 * 1024;

impl Parked {
    /// A connection that has just been accepted, or whose handshake is done.
    pub(crate) fn new(socket: Socket, session: Session) -> Self {
        let state = State {
            session,
            parser: Parser::default(),
            input: BytesMut::new(),
            needed: 1,
            has_request: false,
            is_new: true,
            over_soft_since_ms: None,
            read_room: 0,
            turn_started_ns: None,
            turn_ms: 0,
            full_at_run: 0,
        };
        Self {
            socket,
            state: Box::new(state),
        }
    }
}

/// Serves a connection on this worker until it ends or moves away.
pub(crate) async fn serve(parked: Parked, worker: Rc<RefCell<Worker>>, shared: Arc<Shared>) {
    let Parked { socket, state } = parked;
    let stream = match socket.join() {
        Ok(stream) => stream,
        Err(error) => {
            debug!("Error registering fd event for the new client connection: {error}");
            return state.leave(&worker, &shared).await;
        }
    };
    let shown = &state.session.client.shown;
    shown.tls_mem.store(stream.tls_memory() as u64, Relaxed);
    let _if_it_panics = Departure {
        shared: &shared,
        client: Arc::clone(&state.session.client),
    };
    let mut connection = Connection { stream, state };
    loop {
        let turn = poll_fn(|cx| connection.poll_turn(cx, &mut worker.borrow_mut(), &shared)).await;
        match turn {
            Turn::Yield => tokio::task::yield_now().await,
            Turn::Wait(wait) => {
                if let Some(ending) = connection.wait(wait, &worker, &shared).await {
                    return connection.end(ending, &worker, &shared).await;
                }
            }
            Turn::Lane => {
                let Connection { stream, state } = connection;
                let (state, step) = shared.lanes.call(state).await;
                connection = Connection { stream, state };
                if let Some(ending) = connection.after_lane(step, &shared).await {
                    return connection.end(ending, &worker, &shared).await;
                }
            }
            Turn::Freeze(us) => connection = connection.freeze(us, &shared).await,
            Turn::Host(request) => connection.ask_host(request, &shared).await,
            Turn::Move(target) => return connection.move_to(target, &worker, &shared).await,
            Turn::End(ending) => return connection.end(ending, &worker, &shared).await,
        }
    }
}

/// Takes a client back whose task panics, so that it does not count for ever.
struct Departure<'a> {
    shared: &'a Shared,
    client: Arc<Client>,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.engine.clients.remove(self.client.id);
            self.shared.server.connected.fetch_sub(1, Relaxed);
        }
    }
}

impl Connection {
    /// Reads and runs until there is nothing to read, or something out of the ordinary is to be done.
    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        worker: &mut Worker,
        shared: &Shared,
    ) -> Poll<Turn> {
        let Self { stream, state } = self;
        if let Some(ending) = state.look_around(cx, shared) {
            return Poll::Ready(Turn::End(ending));
        }
        if let Some(target) = worker.sheds() {
            return Poll::Ready(Turn::Move(target));
        }
        if state.turn_ms != shared.now_ms() {
            state.turn_ms = shared.now_ms();
            worker.is_active();
        }
        state.turn_started_ns = None;
        let mut turn = None;
        loop {
            state.take_mail();
            let before = state.session.out.len();
            let flushed = stream.poll_flush(cx, &mut state.session.out);
            let left = state.session.out.len();
            if before > left {
                worker.traffic().output.add((before - left) as u64);
                worker.traffic().writes.add(1);
            }
            state.publish(worker);
            match flushed {
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Turn::End(Ending::Failed(error)));
                }
                Poll::Pending if left > OUTPUT_STOP && turn.is_none() => return Poll::Pending,
                _ => {}
            }
            if let Some(turn) = turn.take() {
                return Poll::Ready(turn);
            }
            let stop = if state.has_request {
                state.run_own(worker, shared)
            } else {
                match ready!(state.poll_fill(cx, stream, worker, shared)) {
                    Ok(stop) => stop,
                    Err(ending) => return Poll::Ready(Turn::End(ending)),
                }
            };
            turn = state.after_run(stop, worker, shared);
            if let Some(killed @ Turn::End(Ending::Killed)) = turn {
                return Poll::Ready(killed);
            }
        }
    }

    /// Waits until a call may be tried again. The peer may go away meanwhile.
    async fn wait(
        &mut self,
        wait: Wait,
        worker: &RefCell<Worker>,
        shared: &Shared,
    ) -> Option<Ending> {
        match wait {
            Wait::Shard(freed) => {
                freed.await;
                None
            }
            Wait::Reply { deadline_ms } => {
                let mut deadline =
                    std::pin::pin!(tokio::time::sleep(time_until(deadline_ms, shared)));
                poll_fn(|cx| {
                    let over = deadline.as_mut().poll(cx).is_ready();
                    let peer = self.poll_watch_peer(cx, &mut worker.borrow_mut(), shared);
                    if over || Executor::is_settled(&self.state.session) {
                        return Poll::Ready(None);
                    }
                    peer.map(Some)
                })
                .await
            }
            Wait::World { changed, until_ms } => {
                let left = time_until(until_ms, shared);
                let mut changed = std::pin::pin!(tokio::time::timeout(left, changed));
                poll_fn(|cx| {
                    if changed.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    self.poll_watch_peer(cx, &mut worker.borrow_mut(), shared)
                        .map(Some)
                })
                .await
            }
        }
    }

    /// Resolves when the peer is gone or the client is killed. Reads a little ahead meanwhile, as Redis does.
    fn poll_watch_peer(
        &mut self,
        cx: &mut Context<'_>,
        worker: &mut Worker,
        shared: &Shared,
    ) -> Poll<Ending> {
        let Self { stream, state } = self;
        if let Some(ending) = state.look_around(cx, shared) {
            return Poll::Ready(ending);
        }
        state.take_mail();
        if let Poll::Ready(Err(error)) = stream.poll_flush(cx, &mut state.session.out) {
            return Poll::Ready(Ending::Failed(error));
        }
        while state.input.len() < AHEAD_MAX {
            state.input.reserve(AHEAD_STEP);
            let mut room = Room::Own(&mut state.input);
            match ready!(stream.poll_read(cx, &mut room, &mut worker.cipher)) {
                Ok(0) => return Poll::Ready(Ending::Closed),
                Ok(count) => worker.traffic().input.add(count as u64),
                Err(error) => return Poll::Ready(Ending::Failed(error)),
            }
        }
        Poll::Pending
    }

    /// Goes on after a lane has run the call.
    async fn after_lane(&self, step: Step, shared: &Shared) -> Option<Ending> {
        match step {
            Step::Close => Some(Ending::AfterReply),
            Step::Host(request) => {
                self.ask_host(request, shared).await;
                None
            }
            _ => None,
        }
    }

    /// DEBUG SLEEP: sleeps, then lets a lane end the freeze, for that takes every shard.
    async fn freeze(self, us: u64, shared: &Shared) -> Self {
        tokio::time::sleep(Duration::from_micros(us)).await;
        let Self { stream, state } = self;
        let state = shared.lanes.thaw(state).await;
        Self { stream, state }
    }

    /// SHUTDOWN: the connection ends with the server, without an answer.
    async fn ask_host(&self, request: HostRequest, shared: &Shared) {
        match request {
            HostRequest::Shutdown { .. } => {
                shared.server.ask_shutdown();
                std::future::pending().await
            }
        }
    }

    async fn move_to(self, target: usize, worker: &RefCell<Worker>, shared: &Shared) {
        let Self { stream, state } = self;
        match stream.part() {
            Ok(socket) => shared.send_to_worker(target, Parked { socket, state }),
            Err(error) => {
                debug!("Error moving a client connection: {error}");
                state.leave(worker, shared).await;
            }
        }
    }

    /// Ends the connection: sends what is to be sent, closes, and takes everything back that it holds.
    async fn end(mut self, ending: Ending, worker: &RefCell<Worker>, shared: &Shared) {
        let Self { stream, state } = &mut self;
        match &ending {
            Ending::Closed => state.say(shared, "Client closed connection"),
            Ending::Failed(error) => {
                debug!("Reading from client: {error} {}", state.info(shared));
            }
            Ending::Killed => {}
            Ending::AfterReply => {
                let sent = poll_fn(|cx| {
                    if state.look_around(cx, shared).is_some() {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                    }
                    stream.poll_flush(cx, &mut state.session.out)
                });
                if sent.await.is_ok() {
                    poll_fn(|cx| {
                        let _as_far_as_it_goes = stream.poll_shutdown(cx);
                        // What the peer sent meanwhile, left unread, would turn the close into a reset that overtakes the reply.
                        let worker = &mut *worker.borrow_mut();
                        let mut room = Room::Scratch(&mut worker.scratch, 0);
                        let _dropped = stream.poll_read(cx, &mut room, &mut worker.cipher);
                        Poll::Ready(())
                    })
                    .await;
                }
            }
        }
        let Self { stream, state } = self;
        drop(stream);
        state.leave(worker, shared).await;
    }
}

/// How long it is until a Unix time in milliseconds; long for none.
fn time_until(deadline_ms: Option<i64>, shared: &Shared) -> Duration {
    let left_ms = deadline_ms.map(|deadline| deadline - shared.server.clock.now().ms());
    left_ms.map_or(FOREVER, |left| {
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    })
}

/// How long a wait without an end lasts.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// Bytes that are read ahead of a call that waits.
const AHEAD_MAX: usize = 64 * 1024;
/// Room that is made for them at a time.
const AHEAD_STEP: usize = 4 * 1024;

impl State {
    /// Looks at what others told the connection, and at what time asks of it.
    fn look_around(&mut self, cx: &Context<'_>, shared: &Shared) -> Option<Ending> {
        let client = &self.session.client;
        client.inbox.register(cx.waker());
        if client.inbox.is_killed() {
            if client.inbox.is_overfull() {
                self.say_over_output_limit(shared);
            }
            return Some(Ending::Killed);
        }
        client.inbox.drain_into(&mut self.session.out);
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
    fn take_mail(&mut self) {
        let Session { client, out, .. } = &mut self.session;
        client.inbox.drain_into(out);
    }

    /// Gives back what an idle connection need not hold.
    fn release(&mut self) {
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

    /// Reads once and runs what was read.
    fn poll_fill(
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
            self.input.extend_from_slice(rest);
        }
        Poll::Ready(Ok(stop))
    }

    /// Reads a large request into the connection's own buffer.
    fn poll_fill_own(
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

    /// Makes room in the connection's own buffer for what a large request lacks.
    fn make_room(&mut self, shared: &Shared) {
        let room = self.needed.min(self.input.len().max(RESERVE_MAX));
        self.input.reserve(room);
        self.full_at_run = shared.server.cron_runs.load(Relaxed);
    }

    /// Runs requests that lie in the connection's own buffer.
    fn run_own(&mut self, worker: &mut Worker, shared: &Shared) -> Stop {
        let mut input = std::mem::take(&mut self.input);
        let (consumed, stop) = self.run(&mut worker.executor, shared, &input);
        input.advance(consumed);
        self.input = input;
        stop
    }

    /// Runs the requests at the start of `data`: how many bytes they took, and why no more ran.
    fn run(&mut self, executor: &mut Executor, shared: &Shared, data: &[u8]) -> (usize, Stop) {
        let limits = &shared.server.limits;
        let bulk_max = limits.bulk_max.load(Relaxed);
        let output_max = watermark(self.output_bounds(shared));
        self.session
            .client
            .shown
            .qbuf
            .store(data.len() as u64, Relaxed);
        let (mut at, mut requests) = (0, 0);
        let stop = loop {
            let rest = data.get(at..).unwrap_or_default();
            let trust = if self.session.authenticated {
                Trust::Authenticated
            } else {
                Trust::Unauthenticated
            };
            let length = match self.parser.parse(rest, &Limits { bulk_max, trust }) {
                Ok(Parse::Frame(length)) => length,
                Ok(Parse::Skip(length)) => {
                    at += length;
                    continue;
                }
                Ok(Parse::Incomplete { needed }) => {
                    self.needed = needed;
                    break Stop::Incomplete;
                }
                Err(violation) => break Stop::Violation(violation),
            };
            let request = self.parser.request(rest);
            let argv: SmallVec<[&[u8]; 16]> = request.iter().collect();
            match executor.call(&mut self.session, &argv) {
                Step::Done => at += length,
                step @ (Step::Freeze(_) | Step::Host(_) | Step::Close) => {
                    at += length;
                    break Stop::Step(step);
                }
                step => break Stop::Step(step),
            }
            requests += 1;
            if self.session.out.len() >= output_max {
                break Stop::Output;
            }
            let latest_ns = executor.latest().monotonic_ns;
            let started_ns = *self.turn_started_ns.get_or_insert(latest_ns);
            if requests == BATCH_REQUESTS || latest_ns.saturating_sub(started_ns) > BATCH_NS {
                break Stop::Budget;
            }
        };
        executor.end_batch();
        (at, stop)
    }

    /// What the connection does after a run: go on, or end the turn with something once the output is flushed.
    fn after_run(&mut self, stop: Stop, worker: &Worker, shared: &Shared) -> Option<Turn> {
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
            Stop::Output => self
                .is_over_output_limit(shared, last_ms)
                .then_some(Turn::End(Ending::Killed)),
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
        self.input = input;
        self.input.advance(consumed);
        step
    }

    /// Tells the others what the connection holds.
    fn publish(&mut self, worker: &Worker) {
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
        let used = self.input.len();
        let room = self.input.capacity().max(self.read_room);
        shown.qbuf.store(used as u64, Relaxed);
        shown.qbuf_free.store((room - used) as u64, Relaxed);
    }

    /// Notes that the client is there, where no call does.
    fn touch(&self, shared: &Shared) {
        let shown = &self.session.client.shown;
        shown.last_ms.store(shared.now_ms(), Relaxed);
    }

    /// How much the client may leave unread, by its class.
    fn output_bounds<'s>(&self, shared: &'s Shared) -> &'s OutputBounds {
        let limits = &shared.server.limits;
        if self.session.subscriptions.is_empty() {
            &limits.output
        } else {
            &limits.pubsub_output
        }
    }

    /// Whether the peer reads so slowly that it is to be closed (`client-output-buffer-limit`).
    fn is_over_output_limit(&mut self, shared: &Shared, now_ms: i64) -> bool {
        let bounds = self.output_bounds(shared);
        let used = self.session.out.len().saturating_sub(OUTPUT_FREE) as u64;
        let over = |limit: u64| limit > 0 && used >= limit;
        let is_over_soft = over(bounds.soft.load(Relaxed));
        let since = self
            .over_soft_since_ms
            .filter(|_| is_over_soft)
            .or_else(|| is_over_soft.then_some(now_ms));
        self.over_soft_since_ms = since;
        let soft_ms = i64::try_from(bounds.soft_ms.load(Relaxed)).unwrap_or(i64::MAX);
        let too_long = since.is_some_and(|since| now_ms - since > soft_ms);
        if !too_long && !over(bounds.hard.load(Relaxed)) {
            return false;
        }
        self.say_over_output_limit(shared);
        true
    }

    fn say_over_output_limit(&self, shared: &Shared) {
        let shown = &self.session.client.shown;
        shown.out.store(self.session.out.len() as u64, Relaxed);
        warn!(
            "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
            self.info(shared)
        );
        shared.server.counters.output_limit.fetch_add(1, Relaxed);
    }

    fn over_input_limit(&self, shared: &Shared) -> Ending {
        let start = self.input.get(..64).unwrap_or(&self.input);
        warn!(
            "Closing client that reached max query buffer length: {} (qbuf initial bytes: \"{}\")",
            self.info(shared),
            start.escape_ascii()
        );
        shared.server.counters.input_limit.fetch_add(1, Relaxed);
        Ending::Killed
    }

    /// Answers a violation of the protocol.
    fn refuse(&mut self, violation: ProtocolError, shared: &Shared) {
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
    fn refuse_tls(&mut self, data: &[u8], stream: &Stream, shared: &Shared) -> Option<Ending> {
        if data.first() != Some(&TLS_RECORD) || matches!(stream, Stream::Tls(_)) {
            return None;
        }
        if !matches!(tls::sniff(data), tls::Kind::Tls | tls::Kind::Incomplete) {
            return None;
        }
        shared.say_once(
            crate::net::Complaint::TlsOnPlaintextPort,
            &self.session.client.peer.addr,
            "a client spoke TLS to a plaintext port",
            "connect to the TLS port ('tls-port'), or without TLS",
        );
        self.session.out.push(&tls::ALERT_HANDSHAKE_FAILURE);
        Some(Ending::AfterReply)
    }

    fn info(&self, shared: &Shared) -> String {
        client_info::line(&shared.engine, &self.session.client, shared.now_ms())
    }

    fn say(&self, shared: &Shared, what: &str) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            debug!("{what} {}", self.info(shared));
        }
    }

    /// Takes everything back that the session left with the engine and the server.
    async fn leave(mut self: Box<Self>, worker: &RefCell<Worker>, shared: &Shared) {
        loop {
            let wait = worker.borrow_mut().executor.part(&mut self.session);
            match wait {
                Some(wait) => wait.await,
                None => break,
            }
        }
        shared.server.connected.fetch_sub(1, Relaxed);
        worker.borrow().left();
    }
}

/// The output in bytes at which a run of requests stops: to flush it, or because a limit may be reached.
fn watermark(bounds: &OutputBounds) -> usize {
    [&bounds.hard, &bounds.soft]
        .into_iter()
        .map(|limit| limit.load(Relaxed))
        .filter(|limit| *limit > 0)
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
        .fold(OUTPUT_FLUSH, usize::min)
}

/// The first byte of a TLS record with a ClientHello.
const TLS_RECORD: u8 = 22;
