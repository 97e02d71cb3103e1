//! Sockets: listening, accepting, handshakes, and the workers that read, execute and answer.

pub(crate) mod accept;
pub(crate) mod balance;
pub(crate) mod connection;
pub(crate) mod handshake;
pub(crate) mod lane;
pub(crate) mod listen;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use dashmap::DashMap;
use engine::Engine;
use event_listener::{EventListener, Listener};
use tokio::sync::{Semaphore, oneshot};
use tracing::{info, trace};

use crate::net::connection::Parked;
use crate::net::lane::Lanes;
use crate::net::worker::WorkerHandle;
use crate::process;
use crate::server::Server;

/// What every thread of the network side shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: Arc<Server>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) workers: Box<[WorkerHandle]>,
    pub(crate) lanes: Lanes,
    /// Unix milliseconds as cron last saw them: for what may be a tick late.
    coarse_ms: AtomicI64,
    /// The worker that takes new connections when they are packed.
    pub(crate) preferred: AtomicUsize,
    /// The worker that took the last new connection when they are spread.
    last_spread: AtomicUsize,
    complaints: DashMap<Complaint, i64>,
    /// Refused peers that are told why at a time; more are just closed.
    farewells: Arc<Semaphore>,
    /// Bytes in use from which on memory is scarce.
    scarce_from: usize,
}

/// What the log says once in a while, not once a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Complaint {
    /// A ClientHello on a plaintext port.
    TlsOnPlaintextPort,
    /// A failed handshake.
    Handshake(::tls::Cause),
}

/// Milliseconds for which a complaint of the same kind is left out of the log.
const COMPLAINTS_APART_MS: i64 = 10_000;

/// Refused peers that are told why at a time.
const FAREWELLS_MAX: usize = 256;
/// How long a lane sleeps at a time.
const BLOCKED_AT_MOST: Duration = Duration::from_millis(100);

impl Shared {
    pub(crate) fn new(
        server: Arc<Server>,
        engine: Arc<Engine>,
        workers: Box<[WorkerHandle]>,
        lanes: Lanes,
    ) -> Self {
        let now_ms = server.clock.now().ms();
        Self {
            server,
            engine,
            workers,
            lanes,
            coarse_ms: AtomicI64::new(now_ms),
            preferred: AtomicUsize::new(0),
            last_spread: AtomicUsize::new(0),
            complaints: DashMap::new(),
            farewells: Arc::new(Semaphore::new(FAREWELLS_MAX)),
            scarce_from: process::main_memory() / 2,
        }
    }

    /// Whether so much of the machine's memory is in use that peers who do not read must wait.
    pub(crate) fn is_memory_scarce(&self) -> bool {
        alloc::used_memory() > self.scarce_from
    }

    /// Unix milliseconds, a tick of cron late at most.
    pub(crate) fn now_ms(&self) -> i64 {
        self.coarse_ms.load(Relaxed)
    }

    /// Cron brings the time.
    pub(crate) fn set_now_ms(&self, now_ms: i64) {
        self.coarse_ms.store(now_ms, Relaxed);
    }

    /// Has the thread for snapshots run something, and waits for what it comes to.
    pub(crate) async fn on_snapshot_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let (answer, done) = oneshot::channel();
        self.server.persistence.submit(move |shared| {
            // Whoever asked may have gone.
            let _ = answer.send(job(shared));
        });
        match done.await {
            Ok(answer) => answer,
            // The server is ending, and whoever asked with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives a new connection to the worker whose turn it is.
    pub(crate) fn place(&self, parked: Parked) {
        let target = if self.server.limits.spreads.load(Relaxed) {
            self.last_spread.fetch_add(1, Relaxed) % self.workers.len().max(1)
        } else {
            self.preferred.load(Relaxed)
        };
        self.send_to_worker(target, parked);
    }

    /// Gives a connection to a worker.
    pub(crate) fn send_to_worker(&self, target: usize, parked: Parked) {
        if let Some(worker) = self.workers.get(target) {
            worker.send(parked);
        }
    }

    /// Blocks this thread until the world changes, until this Unix time in milliseconds, or for a while. For lanes, which
    /// look between whether the server is ending.
    pub(crate) fn block_until(&self, changed: EventListener, until_ms: Option<i64>) {
        let left = until_ms.map_or(BLOCKED_AT_MOST, |until_ms| {
            let left_ms = until_ms - self.server.clock.now().ms();
            Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
        });
        let _changed_or_over = changed.wait_timeout(left.min(BLOCKED_AT_MOST));
    }

    /// Logs what a peer did wrong, with its address, the reason and the remedy; the same cause only now and then.
    pub(crate) fn say_once(&self, what: Complaint, address: &str, reason: &str, remedy: &str) {
        let now_ms = self.now_ms();
        let mut last_ms = self.complaints.entry(what).or_insert(i64::MIN / 2);
        if now_ms - *last_ms < COMPLAINTS_APART_MS {
            trace!("{address}: {reason}");
            return;
        }
        *last_ms = now_ms;
        drop(last_ms);
        info!("Refused {address}: {reason}; {remedy}");
    }
}
