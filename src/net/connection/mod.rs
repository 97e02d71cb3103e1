//! A client's connection: reads, parses in place, executes, and writes once a batch.
//!
//! 1. A turn reads into the worker's scratch, runs the requests in it where they lie, and flushes once. Only a partial
//!    request is kept, in the connection's own buffer; a large one is read directly into that.
//! 2. A call that cannot run at once (a busy shard, a pause, a lane) leaves its request at the front of that buffer, and is
//!    called again from there.
//! 3. Between two turns a connection is a value, [`Parked`], which may go to another thread.

mod account;
mod requests;
mod run;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use commands::{CommandError, Reply};
use engine::clients::Client;
use engine::{Executor, HostRequest, Session, Step, Wait};
use resp::Parser;
use tracing::debug;

pub(crate) use self::account::BUFFERS_KEPT_MS;
use crate::net::Shared;
use crate::net::stream::{Room, Socket, Stream};
use crate::net::worker::Worker;
use crate::persistence::{self, Reload, SaveError};
use crate::rows::RowError;

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

/// A partial request up to this length is completed in the worker's scratch.
const CARRY_MAX: usize = 16 * 1024;
/// Output of a peer that does not read above which no more requests of it are read when memory is scarce.
const OUTPUT_STOP: usize = 16 << 20;

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

impl State {
    /// What was read and has not run.
    pub(crate) fn take_input(&mut self) -> BytesMut {
        std::mem::take(&mut self.input)
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
                if let Some(ending) = connection.after_lane(step, &worker, &shared).await {
                    return connection.end(ending, &worker, &shared).await;
                }
            }
            Turn::Freeze(us) => connection = connection.freeze(us, &shared).await,
            Turn::Host(HostRequest::Follow) => return connection.join_links(&worker, &shared),
            Turn::Host(request) => {
                if let Some(ending) = connection.ask_host(request, &worker, &shared).await {
                    return connection.end(ending, &worker, &shared).await;
                }
            }
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
            state.take_mail(shared);
            if state.poll_gate(cx, shared).is_pending() {
                // Nothing more is run meanwhile, so that the replies of one turn at most wait for the disk.
                return turn.take().map_or(Poll::Pending, Poll::Ready);
            }
            let before = state.session.out.len();
            let flushed = stream.poll_flush(cx, &mut state.session.out);
            let left = state.session.out.len();
            if before > left {
                worker.traffic().output.add((before - left) as u64);
                worker.traffic().writes.add(1);
            }
            let may_go_on = state.publish(worker, shared, before);
            match flushed {
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Turn::End(Ending::Failed(error)));
                }
                _ if !may_go_on => return Poll::Ready(Turn::End(Ending::Killed)),
                // A peer may send a long pipeline before it reads anything: to wait for it to read would be to wait for ever.
                Poll::Pending
                    if left > OUTPUT_STOP && turn.is_none() && shared.is_memory_scarce() =>
                {
                    return Poll::Pending;
                }
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
        state.take_mail(shared);
        if state.poll_gate(cx, shared).is_pending() {
            return Poll::Pending;
        }
        let before = state.session.out.len();
        if let Poll::Ready(Err(error)) = stream.poll_flush(cx, &mut state.session.out) {
            return Poll::Ready(Ending::Failed(error));
        }
        if !state.publish(worker, shared, before) {
            return Poll::Ready(Ending::Killed);
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
    async fn after_lane(
        &mut self,
        step: Step,
        worker: &RefCell<Worker>,
        shared: &Shared,
    ) -> Option<Ending> {
        match step {
            Step::Close => Some(Ending::AfterReply),
            Step::Host(request) => self.ask_host(request, worker, shared).await,
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

    /// Has the server around the engine do something, and answers when that is done.
    async fn ask_host(
        &mut self,
        request: HostRequest,
        worker: &RefCell<Worker>,
        shared: &Shared,
    ) -> Option<Ending> {
        let result = match request {
            // PSYNC runs on workers alone, which take its connection to the links.
            HostRequest::Follow => return None,
            HostRequest::Save => {
                let done = shared.on_snapshot_thread(persistence::save_now).await;
                done.map_err(|_: SaveError| RowError::SaveFailed)
            }
            HostRequest::Saved => {
                shared.on_snapshot_thread(|_| ()).await;
                Ok(())
            }
            HostRequest::LoadAof => {
                let done = shared.on_snapshot_thread(persistence::aof::reload).await;
                done.map_err(RowError::Reload)
            }
            HostRequest::Reload {
                present,
                flush,
                save,
            } => {
                let what = Reload {
                    present,
                    flush,
                    save,
                };
                let done = shared
                    .on_snapshot_thread(move |shared| persistence::reload(shared, what))
                    .await;
                done.map_err(RowError::Reload)
            }
        };
        let result = result.map(|()| Reply::Ok).map_err(CommandError::from);
        let session = &mut self.state.session;
        match worker.borrow_mut().executor.answer(session, result) {
            Step::Close => Some(Ending::AfterReply),
            _ => None,
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

    /// PSYNC: the connection goes on as a replica's on the links thread.
    fn join_links(self, worker: &RefCell<Worker>, shared: &Shared) {
        let Self { stream, state } = self;
        worker.borrow().left();
        let client = Arc::clone(&state.session.client);
        let parked = stream.part().map(|socket| Parked { socket, state });
        let sent = parked.map(|parked| shared.server.replication.arrivals.send(parked));
        if !matches!(sent, Ok(Ok(()))) {
            debug!("Error moving the connection of a replica");
            shared.server.replication.followers.forget(client.id);
            shared.engine.clients.remove(client.id);
            shared.server.connected.fetch_sub(1, Relaxed);
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
                    ready!(state.poll_gate(cx, shared));
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
