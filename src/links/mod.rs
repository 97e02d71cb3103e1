//! Replication's sockets: a thread that serves replicas, and one that follows the primary.
//!
//! 1. PSYNC moves a connection here from its worker. It reads the log by a cursor of its own, and is woken by whoever
//!    appends only when it sleeps.
//! 2. Snapshots for replicas are made on a thread of their own, one at a time ([`desk`]), and sent from here.
//! 3. The link to the primary runs what it reads through an executor of its own, as one more caller of the engine.

mod desk;
mod dial;
mod dump;
mod follow;
mod gather;
mod receive;
mod serve;
mod supervise;

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Engine, Executor, Held, ShardSet, Taker};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use self::desk::Desk;
use self::follow::Link;
use self::supervise::Supervisor;
use crate::net::Shared;
use crate::net::connection::Parked;
use crate::shutdown::Stage;

/// Threads that this module starts; each calls the engine.
pub(crate) const THREADS: usize = 2;

/// How often the links are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long the links to replicas may take to send the last of the log.
const PARTING: Duration = Duration::from_secs(1);

/// Starts the threads, as the engine's threads number `first` and the next one.
///
/// # Errors
/// The system has no thread or no event queue left.
pub(crate) fn start(
    shared: &Arc<Shared>,
    arrivals: UnboundedReceiver<Parked>,
    first: usize,
    seeds: [u64; THREADS],
) -> io::Result<Vec<JoinHandle<()>>> {
    let [of_replicas, of_primary] = seeds;
    let (runtime, here) = (runtime()?, Arc::clone(shared));
    let executor = Executor::new(Arc::clone(&shared.engine), first, Taker::Lane, of_replicas);
    let replicas = std::thread::Builder::new()
        .name("replicas".to_owned())
        .spawn(move || serve_replicas(&runtime, here, arrivals, executor))?;
    let (runtime, here) = (self::runtime()?, Arc::clone(shared));
    let executor = Executor::new(
        Arc::clone(&shared.engine),
        first + 1,
        Taker::Lane,
        of_primary,
    );
    let primary = std::thread::Builder::new()
        .name("primary".to_owned())
        .spawn(move || follow_primary(&runtime, here, executor))?;
    Ok(vec![replicas, primary])
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

fn serve_replicas(
    runtime: &Runtime,
    shared: Arc<Shared>,
    mut arrivals: UnboundedReceiver<Parked>,
    executor: Executor,
) {
    let desk = Rc::new(Desk::new(Arc::clone(&shared), executor));
    let mut stage = shared.server.shutdown.watch();
    let links = LocalSet::new();
    runtime.block_on(links.run_until(async {
        let mut ended = pin!(stage.wait_for(|stage| *stage == Stage::Ending));
        let mut ticks = tokio::time::interval(TICK);
        let mut supervisor = Supervisor::default();
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => break,
                arrived = arrivals.recv() => {
                    let Some(parked) = arrived else { return };
                    tokio::task::spawn_local(serve::serve(parked, Rc::clone(&desk)));
                }
                _ = ticks.tick() => {
                    supervisor.run(&shared).await;
                    desk.run();
                }
            }
        }
        desk.close();
    }));
    // Whatever is left to do after that is of no use to anybody any more.
    let _as_far_as_it_goes = runtime.block_on(async { tokio::time::timeout(PARTING, links).await });
}

fn follow_primary(runtime: &Runtime, shared: Arc<Shared>, executor: Executor) {
    let mut stage = shared.server.shutdown.watch();
    runtime.block_on(async {
        let ended = pin!(stage.wait_for(|stage| *stage == Stage::Ending));
        let mut link = Link::new(shared, executor);
        tokio::select! {
            biased;
            _ = ended => {}
            () = link.run() => {}
        }
    });
}

/// Runs `act` with every shard held, without blocking the thread while one is busy.
pub(crate) async fn with_everything<T>(engine: &Engine, act: impl FnOnce(&mut Held<'_>) -> T) -> T {
    loop {
        let busy = match engine.locks.acquire(&ShardSet::All, Taker::Lane) {
            Ok(mut held) => return act(&mut held),
            Err(busy) => busy,
        };
        engine.locks.wait(busy, Taker::Lane).await;
    }
}
