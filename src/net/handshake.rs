//! TLS handshakes: on threads of their own, of low priority, a bounded number at a time, each with a deadline from accept on.
//!
//! A newcomer costs no place among the handshakes until its first bytes are there, nor does one that is slow keep its
//! place. Of those that wait for a place the newest comes first, so that a storm of reconnects makes progress: the
//! oldest have likely given up.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::clients::Peer;
use parking_lot::Mutex;
use tls::{Kind, PeerIdentity, Side};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, trace};

use crate::net::connection::Parked;
use crate::net::stream::Socket;
use crate::net::{Complaint, Shared};
use crate::process;
use crate::shutdown::Stage;

/// A connection that was accepted on a TLS port.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) socket: std::net::TcpStream,
    pub(crate) peer: Peer,
    pub(crate) is_local: bool,
    pub(crate) deadline: Instant,
}

/// The handshake threads, as the accepting thread sees them.
#[derive(Debug)]
pub(crate) struct Handshakers {
    threads: Box<[UnboundedSender<Newcomer>]>,
    next: AtomicUsize,
}

/// Handshakes that a thread works on at a time.
const HANDSHAKES_MAX: usize = 64;
/// Newcomers that are known at a time, silent ones included, however many descriptors there are: beyond that the oldest is
/// dropped.
const NEWCOMERS_MAX: u64 = 4096;
/// The part of the process' descriptors that newcomers may take: the others are for clients.
const DESCRIPTORS_PART: u64 = 4;
/// How long a handshake keeps its place: one that takes longer waits for its peer, which costs nothing.
const PLACE_KEPT: Duration = Duration::from_millis(500);
/// The priority of the threads, in the kernel's terms.
const NICE: i32 = 10;
/// How long a refused peer has for reading why.
const FAREWELL: Duration = Duration::from_secs(1);

/// Threads for so many cores.
pub(crate) fn count_for(cores: usize) -> usize {
    (cores / 4).max(1)
}

impl Handshakers {
    /// The handshake threads and the receivers that [`start`] is given.
    pub(crate) fn new(count: usize) -> (Self, Vec<UnboundedReceiver<Newcomer>>) {
        let (threads, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| unbounded_channel()).unzip();
        let handshakers = Self {
            threads: threads.into(),
            next: AtomicUsize::new(0),
        };
        (handshakers, receivers)
    }

    /// Takes a newcomer. It is never waited for.
    pub(crate) fn take(&self, newcomer: Newcomer) {
        let turn = self.next.fetch_add(1, Relaxed) % self.threads.len().max(1);
        if let Some(thread) = self.threads.get(turn) {
            // A thread that has ended drops it: the server is ending.
            let _ = thread.send(newcomer);
        }
    }
}

/// Starts one of `threads` handshake threads.
///
/// # Errors
/// The system has no thread or no event queue left.
pub(crate) fn start(
    mut arrivals: UnboundedReceiver<Newcomer>,
    shared: Arc<Shared>,
    threads: u64,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let most = (process::descriptors_max() / DESCRIPTORS_PART).min(NEWCOMERS_MAX) / threads.max(1);
    let newcomers_max = usize::try_from(most).unwrap_or(1).max(1);
    std::thread::Builder::new()
        .name("handshake".to_owned())
        .spawn(move || {
            // On Linux priorities are a thread's own.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                debug!("Handshakes run at normal priority: {error}");
            }
            let mut stage = shared.server.shutdown.watch();
            runtime.block_on(async {
                let mut ended = pin!(stage.wait_for(|stage| *stage == Stage::Ending));
                let mut crowd = Crowd::new(newcomers_max);
                loop {
                    tokio::select! {
                        biased;
                        _ = &mut ended => return,
                        arrived = arrivals.recv() => {
                            let Some(newcomer) = arrived else { return };
                            crowd.join(newcomer, &shared);
                        }
                        Some(_) = crowd.tasks.join_next() => {}
                    }
                }
            });
        })
}

/// All newcomers of a thread.
struct Crowd {
    newcomers_max: usize,
    tasks: JoinSet<()>,
    /// In order of arrival; those that are done go when they come to the front.
    order: VecDeque<AbortHandle>,
    gate: Arc<Gate>,
}

impl Crowd {
    fn new(newcomers_max: usize) -> Self {
        Self {
            newcomers_max,
            tasks: JoinSet::new(),
            order: VecDeque::new(),
            gate: Arc::default(),
        }
    }

    fn join(&mut self, newcomer: Newcomer, shared: &Arc<Shared>) {
        while self.order.front().is_some_and(AbortHandle::is_finished) {
            self.order.pop_front();
        }
        if self.tasks.len() >= self.newcomers_max
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
            shared.server.handshakes.failed.fetch_add(1, Relaxed);
        }
        let counted = InFlight::new(Arc::clone(shared));
        let gate = Arc::clone(&self.gate);
        let task = self.tasks.spawn(receive(newcomer, gate, counted));
        self.order.push_back(task);
    }
}

/// Counts a newcomer for as long as it lives.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn new(shared: Arc<Shared>) -> Self {
        shared.server.handshakes.in_flight.fetch_add(1, Relaxed);
        Self(shared)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.server.handshakes.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Lets so many pass at a time, the newest first.
#[derive(Debug)]
struct Gate(Mutex<Places>);

#[derive(Debug)]
struct Places {
    free: usize,
    waiting: Vec<oneshot::Sender<Place>>,
}

/// A place among the handshakes; it is free again when this is dropped.
#[derive(Debug)]
struct Place {
    /// Empty once the place was handed on.
    gate: Option<Arc<Gate>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Mutex::new(Places {
            free: HANDSHAKES_MAX,
            waiting: Vec::new(),
        }))
    }
}

impl Gate {
    async fn enter(self: Arc<Self>) -> Option<Place> {
        let receiver = {
            let mut places = self.0.lock();
            if places.free > 0 {
                places.free -= 1;
                drop(places);
                return Some(Place { gate: Some(self) });
            }
            let (sender, receiver) = oneshot::channel();
            places.waiting.push(sender);
            receiver
        };
        receiver.await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(mut gate) = self.gate.take() else {
            return;
        };
        loop {
            let newest = {
                let mut places = gate.0.lock();
                let newest = places.waiting.pop();
                if newest.is_none() {
                    places.free += 1;
                }
                newest
            };
            let Some(newest) = newest else { return };
            let Err(mut place) = newest.send(Self { gate: Some(gate) }) else {
                return;
            };
            // It has given up: the next one, then.
            let Some(back) = place.gate.take() else {
                return;
            };
            gate = back;
        }
    }
}

/// Sees a newcomer through its handshake to a worker, or to the door.
async fn receive(newcomer: Newcomer, gate: Arc<Gate>, counted: InFlight) {
    let shared = &counted.0;
    let deadline = tokio::time::Instant::from_std(newcomer.deadline);
    let address = newcomer.peer.addr.clone();
    let outcome = tokio::time::timeout_at(deadline, shake_hands(newcomer, gate, shared)).await;
    let error = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(_elapsed) => io::ErrorKind::TimedOut.into(),
    };
    shared.server.handshakes.failed.fetch_add(1, Relaxed);
    let why = tls::explain_io(&error, Side::Server);
    if matches!(
        why.cause,
        tls::Cause::Eof | tls::Cause::Reset | tls::Cause::TimedOut
    ) {
        debug!(
            "TLS handshake with {address} failed: {}; {}",
            why.reason, why.remedy
        );
        return;
    }
    shared.say_once(
        Complaint::Handshake(why.cause),
        &address,
        &why.reason,
        why.remedy,
    );
}

async fn shake_hands(newcomer: Newcomer, gate: Arc<Gate>, shared: &Arc<Shared>) -> io::Result<()> {
    let Newcomer {
        socket,
        mut peer,
        is_local,
        ..
    } = newcomer;
    let mut stream = TcpStream::from_std(socket)?;
    let mut first = [0; 16];
    let count = stream.peek(&mut first).await?;
    if count == 0 {
        trace!("{} connected and closed", peer.addr);
        return Ok(());
    }
    let first = first.get(..count).unwrap_or_default();
    if is_welcome_plaintext(first, shared) {
        return hand_over(stream, peer, is_local, shared, plain_socket).await;
    }
    if let Some(answer) = answer_to_plaintext(first, &peer, shared) {
        shared.server.handshakes.failed.fetch_add(1, Relaxed);
        see_off(&mut stream, answer).await;
        return Ok(());
    }
    let Some(tls) = shared.server.tls.current().server.clone() else {
        return Ok(());
    };
    let Some(place) = gate.enter().await else {
        return Err(io::ErrorKind::TimedOut.into());
    };
    let mut handshake = pin!(TlsAcceptor::from(tls.config).accept(stream));
    let stream = match tokio::time::timeout(PLACE_KEPT, &mut handshake).await {
        Ok(done) => done?,
        Err(_slow) => {
            drop(place);
            handshake.await?
        }
    };
    let identity = PeerIdentity::of(stream.get_ref().1);
    let negotiated = identity.map(|identity| identity.negotiated);
    let handshakes = &shared.server.handshakes;
    handshakes.done.fetch_add(1, Relaxed);
    if negotiated.is_some_and(|negotiated| negotiated.resumed) {
        handshakes.resumed.fetch_add(1, Relaxed);
    }
    peer.tls = negotiated.map(|agreed| format!("{}:{}", agreed.version, agreed.cipher));
    hand_over(stream, peer, is_local, shared, tls_socket).await
}

/// Whether these are the first bytes of a client in plaintext that the TLS port takes (`transit-encryption-mode preferred`).
fn is_welcome_plaintext(first: &[u8], shared: &Shared) -> bool {
    shared.server.limits.takes_plaintext.load(Relaxed)
        && first.first() != Some(&TLS_RECORD)
        && matches!(tls::sniff(first), Kind::PlainResp | Kind::Incomplete)
}

/// Gives an established stream to a worker as what `into_socket` makes of it, or tells the client through it why not.
async fn hand_over<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    peer: Peer,
    is_local: bool,
    shared: &Shared,
    into_socket: impl FnOnce(S) -> io::Result<Socket>,
) -> io::Result<()> {
    if let Err(refusal) = shared.admit(is_local) {
        see_off(&mut stream, refusal.text()).await;
        return Ok(());
    }
    let socket = into_socket(stream).inspect_err(|_| {
        shared.server.connected.fetch_sub(1, Relaxed);
    })?;
    shared.place(Parked::new(socket, shared.session(peer)));
    Ok(())
}

fn plain_socket(stream: TcpStream) -> io::Result<Socket> {
    Ok(Socket::Tcp(stream.into_std()?))
}

fn tls_socket(stream: TlsStream<TcpStream>) -> io::Result<Socket> {
    let (stream, tls) = stream.into_inner();
    Ok(Socket::Tls(stream.into_std()?, Box::new(tls)))
}

/// What a peer that speaks no TLS is told; `None` for one that may. The log says so once.
fn answer_to_plaintext(first: &[u8], peer: &Peer, shared: &Shared) -> Option<&'static [u8]> {
    let kind = match tls::sniff(first) {
        Kind::Incomplete if first.first() == Some(&TLS_RECORD) => Kind::Tls,
        Kind::Incomplete => Kind::PlainResp,
        kind => kind,
    };
    let why = tls::explain_plaintext(kind)?;
    shared.say_once(
        Complaint::Handshake(why.cause),
        &peer.addr,
        &why.reason,
        why.remedy,
    );
    Some(match kind {
        Kind::Http => tls::HTTP_ON_TLS_PORT,
        Kind::PlainResp => tls::RESP_ON_TLS_PORT,
        _ => b"",
    })
}

/// The first byte of a TLS record with a ClientHello.
const TLS_RECORD: u8 = 22;

/// Tells a peer something, then waits a little for it to close: bytes of its own left unread would turn our close into a
/// reset that overtakes the answer.
pub(crate) async fn see_off<S>(stream: &mut S, answer: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let farewell = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        let mut dropped = [0; 1024];
        while stream.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    let _best_effort = tokio::time::timeout(FAREWELL, farewell).await;
}
