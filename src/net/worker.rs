//! A worker: a thread that reads, decrypts, executes, encrypts and writes for its own connections.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Engine, Executor, Taker};
use tokio::runtime::{Builder, Runtime, RuntimeMetrics};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use crate::net::Shared;
use crate::net::connection::{Parked, serve};
use crate::server::{Server, Traffic};
use crate::shutdown::Stage;

/// A worker as the other threads see it.
#[derive(Debug)]
pub(crate) struct WorkerHandle {
    sender: UnboundedSender<Parked>,
    load: Arc<Load>,
}

/// What a worker does, and what it is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Connections that it has.
    pub(crate) connections: AtomicUsize,
    /// Connections that had a turn since the balance was last looked at.
    pub(crate) active: AtomicUsize,
    /// Connections that it is to give away, as they come by, and to whom: see [`Load::shed`].
    shed: AtomicU64,
    metrics: OnceLock<RuntimeMetrics>,
}

/// What belongs to a worker's thread alone.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) executor: Executor,
    /// Where plain bytes are read to and requests are parsed. Twice what is read at once: a TLS session may hold a record
    /// more, and a partial request comes first.
    pub(crate) scratch: Box<[u8]>,
    /// Where encrypted bytes are read to.
    pub(crate) cipher: Box<[u8]>,
    server: Arc<Server>,
    index: usize,
    load: Arc<Load>,
}

/// Bytes that are read at once.
const READ_MAX: usize = 64 * 1024;

/// A worker that has not started yet.
#[derive(Debug)]
pub(crate) struct Seat {
    receiver: UnboundedReceiver<Parked>,
    load: Arc<Load>,
    index: usize,
}

/// The seat and the handle of worker number `index`.
pub(crate) fn prepare(index: usize) -> (Seat, WorkerHandle) {
    let (sender, receiver) = unbounded_channel();
    let load = Arc::<Load>::default();
    let seat = Seat {
        receiver,
        load: Arc::clone(&load),
        index,
    };
    (seat, WorkerHandle { sender, load })
}

impl Seat {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread or no event queue left.
    pub(crate) fn start(self, shared: Arc<Shared>, seed: u64) -> io::Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let _first = self.load.metrics.set(runtime.metrics());
        std::thread::Builder::new()
            .name(format!("worker-{}", self.index))
            .spawn(move || self.run(&runtime, shared, seed))
    }

    fn run(mut self, runtime: &Runtime, shared: Arc<Shared>, seed: u64) {
        let worker = Worker::new(
            Arc::clone(&shared.engine),
            Arc::clone(&shared.server),
            self.index,
            Arc::clone(&self.load),
            seed,
        );
        let worker = Rc::new(RefCell::new(worker));
        let mut stage = shared.server.shutdown.watch();
        let connections = LocalSet::new();
        runtime.block_on(connections.run_until(async {
            let mut ended = std::pin::pin!(stage.wait_for(|stage| *stage == Stage::Ending));
            loop {
                tokio::select! {
                    biased;
                    _ = &mut ended => return,
                    arrived = self.receiver.recv() => {
                        let Some(parked) = arrived else { return };
                        tokio::task::spawn_local(serve(parked, Rc::clone(&worker), Arc::clone(&shared)));
                    }
                }
            }
        }));
    }
}

impl Worker {
    fn new(
        engine: Arc<Engine>,
        server: Arc<Server>,
        index: usize,
        load: Arc<Load>,
        seed: u64,
    ) -> Self {
        Self {
            executor: Executor::new(engine, index, Taker::Worker, seed),
            scratch: vec![0; 2 * READ_MAX].into(),
            cipher: vec![0; READ_MAX].into(),
            server,
            index,
            load,
        }
    }

    /// The worker's own counters.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.server.traffic[self.index]
    }

    /// Runs of cron so far.
    pub(crate) fn cron_runs(&self) -> u64 {
        self.server.cron_runs.load(Relaxed)
    }

    /// Where the connection that has its turn is to move, if it is to.
    #[inline]
    pub(crate) fn sheds(&self) -> Option<usize> {
        let shed = self.load.shed.load(Relaxed);
        if shed == 0 {
            None
        } else {
            self.load.take_shed()
        }
    }

    /// A connection has its first turn since the time moved on.
    pub(crate) fn is_active(&self) {
        self.load.active.fetch_add(1, Relaxed);
    }

    /// A connection has ended here.
    pub(crate) fn left(&self) {
        self.load.connections.fetch_sub(1, Relaxed);
    }
}

impl WorkerHandle {
    /// Gives the worker a connection.
    pub(crate) fn send(&self, parked: Parked) {
        self.load.connections.fetch_add(1, Relaxed);
        // A worker that has ended drops it, which closes it: the server is ending.
        let _ = self.sender.send(parked);
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }
}

impl Load {
    /// Has the worker give `count` connections to worker `target`, those that have their turn first.
    pub(crate) fn shed(&self, count: u32, target: usize) {
        let target = u32::try_from(target).unwrap_or(0);
        self.shed
            .store(u64::from(count) << 32 | u64::from(target), Relaxed);
    }

    #[cold]
    fn take_shed(&self) -> Option<usize> {
        let taken = self.shed.fetch_update(Relaxed, Relaxed, |shed| {
            let (count, target) = (shed >> 32, shed & u64::from(u32::MAX));
            let left = count.checked_sub(1)?;
            Some(if left == 0 { 0 } else { left << 32 | target })
        });
        let target = taken.ok()? & u64::from(u32::MAX);
        self.connections.fetch_sub(1, Relaxed);
        usize::try_from(target).ok()
    }

    /// How long the worker has been doing something since it started.
    pub(crate) fn busy(&self) -> Duration {
        let metrics = self.metrics.get();
        metrics.map_or(Duration::ZERO, |metrics| {
            metrics.worker_total_busy_duration(0)
        })
    }
}
