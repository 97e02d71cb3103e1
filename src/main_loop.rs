//! The main thread: it accepts, runs cron, acts on signals, and ends the server's threads in order.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use config::directive;
use engine::{Executor, Taker};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use crate::cron::{self, Cron};
use crate::links;
use crate::net::handshake::Handshakers;
use crate::net::listen::{Kind, ListenRequest, Listener, Plan};
use crate::net::{Shared, accept, balance::Balance};
use crate::process::words;
use crate::server::Server;
use crate::shutdown::{self, ShutdownHow, Stage};

/// What is started before the main thread.
pub(crate) struct Threads {
    pub(crate) workers: Vec<JoinHandle<()>>,
    pub(crate) lanes: Vec<JoinHandle<()>>,
    pub(crate) handshakes: Vec<JoinHandle<()>>,
    pub(crate) links: Vec<JoinHandle<()>>,
    pub(crate) snapshots: JoinHandle<()>,
    /// That which writes the append-only file.
    pub(crate) aof: Option<JoinHandle<()>>,
    pub(crate) garbage: JoinHandle<()>,
}

/// Threads that call the engine beside workers and lanes: the main thread's cron, the links, and the last one, which runs
/// what an append-only file says.
pub(crate) const OTHER_CALLERS: usize = 1 + links::THREADS + 1;

/// The signals that the process acts on.
pub(crate) struct OsSignals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl OsSignals {
    pub(crate) fn new(runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.term.recv() => Caught::Term,
            _ = self.int.recv() => Caught::Int,
            _ = self.hup.recv() => Caught::Hup,
        }
    }
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caught {
    Term,
    Int,
    Hup,
}

/// The main thread: it accepts, runs cron, and ends the server.
pub(crate) struct MainLoop {
    pub(crate) shared: Arc<Shared>,
    pub(crate) handshakers: Arc<Handshakers>,
    pub(crate) requests: UnboundedReceiver<ListenRequest>,
    pub(crate) accepting: JoinSet<()>,
    pub(crate) accepting_by_kind: Vec<(Kind, AbortHandle)>,
    pub(crate) threads: Threads,
    pub(crate) pid_file: Option<PathBuf>,
}

impl MainLoop {
    pub(crate) fn run(
        mut self,
        runtime: &Runtime,
        listeners: Vec<(Kind, Vec<Listener>)>,
        signals: Option<OsSignals>,
    ) {
        let unix_sockets = unix_sockets(&listeners);
        runtime.block_on(async {
            for (kind, listeners) in listeners {
                self.accept_on(kind, listeners);
            }
            self.serve(signals).await;
            self.stop_listening(None).await;
        });
        self.end(&unix_sockets);
    }

    fn accept_on(&mut self, kind: Kind, listeners: Vec<Listener>) {
        for listener in listeners {
            let shared = Arc::clone(&self.shared);
            let handshakers = Arc::clone(&self.handshakers);
            let task = accept::run(listener, kind, shared, handshakers);
            let handle = self.accepting.spawn(task);
            self.accepting_by_kind.push((kind, handle));
        }
    }

    /// Closes the listening sockets of a kind, or all.
    async fn stop_listening(&mut self, kind: Option<Kind>) {
        let of_kind = |other: &Kind| kind.is_none_or(|kind| kind == *other);
        let (ending, staying): (Vec<_>, Vec<_>) = std::mem::take(&mut self.accepting_by_kind)
            .into_iter()
            .partition(|(other, _)| of_kind(other));
        self.accepting_by_kind = staying;
        for (_, task) in &ending {
            task.abort();
        }
        // A socket is closed when its task is gone, not before.
        while ending.iter().any(|(_, task)| !task.is_finished()) {
            let _ended = self.accepting.join_next().await;
        }
    }

    /// Replaces listening sockets, and puts the old ones back when that fails.
    async fn listen(&mut self, request: ListenRequest) {
        let ListenRequest {
            wanted,
            before,
            answer,
        } = request;
        let result = self.replace(&wanted).await;
        if result.is_err() && self.replace(&before).await.is_err() {
            warn!("Failed to restore the old listening sockets");
        }
        // Whoever asked may have gone.
        let _ = answer.send(result);
    }

    async fn replace(&mut self, plans: &[Plan]) -> Result<(), Kind> {
        for plan in plans {
            self.stop_listening(Some(plan.kind)).await;
        }
        for plan in plans {
            let listeners = plan.open()?;
            self.accept_on(plan.kind, listeners);
        }
        Ok(())
    }

    /// Runs until somebody asks for the end.
    async fn serve(&mut self, mut signals: Option<OsSignals>) {
        let mut ending: Option<Preparing> = None;
        let mut cron = Cron::default();
        let mut balance = Balance::default();
        let mut caller = self.caller();
        let mut deleting = false;
        let mut next_run = tokio::time::Instant::now();
        loop {
            let signal = async {
                match &mut signals {
                    Some(signals) => signals.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.shared.server.shutdown.asked(), if ending.is_none() => {
                    ending = Some(Box::pin(shutdown::prepare(Arc::clone(&self.shared))));
                }
                outcome = prepared(&mut ending), if ending.is_some() => {
                    if outcome.is_ok() {
                        break;
                    }
                    ending = None;
                }
                () = tokio::time::sleep_until(next_run) => {
                    let hz = self.shared.server.limits.hz.load(Relaxed);
                    next_run = tokio::time::Instant::now() + Duration::from_millis(cron::period_ms(hz));
                    self.heed_signals();
                    cron.run(&self.shared);
                    balance.run(&self.shared);
                    deleting = delete_keys(&mut caller);
                }
                Some(request) = self.requests.recv() => self.listen(request).await,
                caught = signal => self.act_on(caught),
                () = tokio::task::yield_now(), if deleting => {
                    deleting = delete_keys(&mut caller);
                }
            }
        }
        self.shared.server.shutdown.advance(Stage::Asked);
        if let Some(signals) = signals {
            insist(signals, Arc::clone(&self.shared.server));
        }
    }

    /// Ends the server because a signal has asked for it, unless SHUTDOWN ABORT came first.
    fn heed_signals(&self) {
        let server = &self.shared.server;
        if !server.cron_is_paused.load(Relaxed) {
            server.shutdown.heed_signal();
        }
    }

    /// The main thread's own caller of the engine: active expiry, and eviction that no call has time for.
    fn caller(&self) -> Executor {
        let engine = Arc::clone(&self.shared.engine);
        let thread = engine.stats.threads() - OTHER_CALLERS;
        Executor::new(engine, thread, Taker::Worker, 0)
    }

    fn act_on(&self, caught: Caught) {
        let server = &self.shared.server;
        let (name, flags) = match caught {
            Caught::Term => ("SIGTERM", directive::SHUTDOWN_ON_SIGTERM),
            Caught::Int => ("SIGINT", directive::SHUTDOWN_ON_SIGINT),
            Caught::Hup => {
                match server.reload_tls() {
                    Ok(()) => info!("Received SIGHUP: TLS certificates were read again"),
                    Err(error) => {
                        warn!("Received SIGHUP, but the TLS certificates cannot be used: {error}")
                    }
                }
                return;
            }
        };
        let how = ShutdownHow::from(server.config.read().read(flags));
        let is_first = server.shutdown.signal(how);
        if caught == Caught::Int && !is_first {
            exit_at_once(server);
        }
        if server.persistence.load.is_loading() {
            warn!("Received shutdown signal during loading, scheduling shutdown.");
        } else {
            warn!("Received {name} scheduling shutdown...");
        }
    }

    /// Ends everything in order.
    fn end(self, unix_sockets: &[PathBuf]) {
        let server = &self.shared.server;
        self.shared.lanes.close();
        join(self.threads.lanes);
        server.shutdown.advance(Stage::Ending);
        join(self.threads.links);
        join(self.threads.handshakes);
        join(self.threads.workers);
        server.persistence.end();
        join(vec![self.threads.snapshots]);
        server.persistence.aof.end();
        join(self.threads.aof.into_iter().collect());
        if let Some(file) = &self.pid_file {
            info!("Removing the pid file.");
            let _never_mind = fs::remove_file(file);
        }
        for file in unix_sockets {
            info!("Removing the unix socket file.");
            if let Err(error) = fs::remove_file(file) {
                warn!("Error removing the unix socket file: {}", words(&error));
            }
        }
        warn!("Redis is now ready to exit, bye bye...");
        // It ends once the last sender, the server, is gone: not waited for.
        drop(self.threads.garbage);
    }
}

/// A step of what deletes keys by itself; whether there is more to do.
fn delete_keys(caller: &mut Executor) -> bool {
    let evicting = caller.evict_step();
    caller.expire_step().more || evicting
}

/// A second SIGINT during the end means at once.
fn insist(mut signals: OsSignals, server: Arc<Server>) {
    let _runs_until_the_end =
        std::thread::Builder::new()
            .name("insist".to_owned())
            .spawn(move || {
                let Ok(runtime) = Builder::new_current_thread().build() else {
                    return;
                };
                runtime.block_on(async {
                    while signals.next().await != Caught::Int {}
                    exit_at_once(&server);
                });
            });
}

fn exit_at_once(server: &Server) {
    warn!("You insist... exiting now.");
    server.persistence.remove_temporary();
    std::process::exit(1);
}

/// Preparations of the end.
type Preparing = Pin<Box<dyn Future<Output = Result<(), ()>>>>;

/// What the preparations of the end come to.
async fn prepared(ending: &mut Option<Preparing>) -> Result<(), ()> {
    match ending {
        Some(preparing) => preparing.await,
        None => std::future::pending().await,
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            warn!("A thread has panicked");
        }
    }
}

fn unix_sockets(listeners: &[(Kind, Vec<Listener>)]) -> Vec<PathBuf> {
    let all = listeners.iter().flat_map(|(_, listeners)| listeners);
    all.filter_map(|listener| match listener {
        Listener::Unix(_, path) => Some(path.clone()),
        Listener::Tcp(_) => None,
    })
    .collect()
}
