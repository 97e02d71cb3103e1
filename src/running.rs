//! A server's life: what is started in which order, the main thread's loop, and the end in order.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use commands::Rng;
use config::{Config, ConfigError, Declaration, Reason, directive};
use engine::{Engine, Executor, Layout, Taker, World};
use parking_lot::{Mutex, RwLock};
use rustls::time_provider::TimeProvider;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use crate::clock::{CertificateTime, Clock};
use crate::crash;
use crate::cron::{self, Cron};
use crate::links;
use crate::log::Log;
use crate::net::handshake::{self, Handshakers};
use crate::net::lane::{self, Lanes};
use crate::net::listen::{Kind, ListenRequest, Listener, Plan};
use crate::net::worker::{self, WorkerHandle};
use crate::net::{Shared, accept, balance::Balance};
use crate::persistence::disk::Disk;
use crate::persistence::{self, Persistence};
use crate::process::{Supervision, words};
use crate::replication::Replication;
use crate::server::{Garbage, REPLY_PEAKS_KEPT_MS, Server};
use crate::settings::{self, Limits};
use crate::shutdown::{self, Shutdown, ShutdownHow, Stage};

/// What a server is started with.
#[derive(Debug)]
pub struct Launch {
    /// The configuration.
    pub config: Config,
    /// The file it came from.
    pub config_file: Option<PathBuf>,
    /// The program's path.
    pub executable: PathBuf,
    /// The log of the process, if it is the server's own.
    pub log: Option<Arc<Log>>,
    /// Who watches over the process.
    pub supervision: Supervision,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// The time.
    pub clock: Arc<Clock>,
    /// What the dataset is written to.
    pub disk: Arc<dyn Disk>,
    /// Sockets that listen already, beside those of the configuration.
    pub sockets: Vec<(Kind, std::net::TcpListener)>,
    /// Whether SIGTERM, SIGINT and SIGHUP are this server's.
    pub signals: Signals,
}

/// Whose the process' signals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// The server's.
    Own,
    /// Somebody else's: several servers live in one process.
    Leave,
}

/// Why a server does not start. All but the first has been logged as well.
#[derive(Debug)]
pub enum StartError {
    /// The system lacks something.
    System(io::Error),
    /// The configuration asks for something that does not exist.
    Config(ConfigError),
    /// The TLS configuration cannot be used.
    Tls(tls::TlsError),
    /// A port cannot be listened on, or there is none to listen on.
    Listen(String),
    /// The dataset cannot be loaded.
    Load(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::Config(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Listen(text) | Self::Load(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A server that runs. Dropping it lets it run on.
#[derive(Debug)]
pub struct RunningServer {
    server: Arc<Server>,
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    addresses: Vec<(Kind, SocketAddr)>,
    kinds: Vec<&'static str>,
    main: JoinHandle<()>,
}

impl RunningServer {
    /// Where it listened when it started.
    #[must_use]
    pub fn addresses(&self) -> &[(Kind, SocketAddr)] {
        &self.addresses
    }

    /// The first address of a kind.
    #[must_use]
    pub fn address(&self, kind: Kind) -> Option<SocketAddr> {
        let mut of_kind = self.addresses.iter().filter(|(other, _)| *other == kind);
        of_kind.next().map(|(_, address)| *address)
    }

    /// What it accepts, each kind once, as the log names it.
    #[must_use]
    pub fn kinds(&self) -> &[&'static str] {
        &self.kinds
    }

    /// The server's state.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Its engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Has all connections of one worker move to another when they have their turn, as the balance does.
    pub fn move_connections(&self, from: usize, to: usize) {
        if let Some(worker) = self.shared.workers.get(from) {
            worker.load().shed(u32::MAX, to);
        }
        if let Some(worker) = self.shared.workers.get(to) {
            worker.load().shed(0, 0);
        }
    }

    /// Reads the dataset while clients are served that do not need it.
    fn load(self) -> Result<Self, StartError> {
        match persistence::load_at_start(&self.shared) {
            Ok(_) => Ok(self),
            Err(text) => {
                if self.server.log.is_some() {
                    // Nothing is to stand behind the reason in the log, and nothing has happened that is to be saved.
                    std::process::exit(1);
                }
                self.shutdown();
                Err(StartError::Load(text))
            }
        }
    }

    /// Whether it was told to end, perhaps before it was ready.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.server.shutdown.watch().borrow() > Stage::Running
    }

    /// Ends it in order, without waiting for replicas, and waits until it has ended.
    pub fn shutdown(self) {
        self.server.shutdown.ask(ShutdownHow {
            now: true,
            ..ShutdownHow::default()
        });
        self.wait();
    }

    /// Waits until it has ended.
    pub fn wait(self) {
        if self.main.join().is_err() {
            warn!("The main thread has panicked");
        }
    }
}

/// What is started before the main thread.
struct Threads {
    workers: Vec<JoinHandle<()>>,
    lanes: Vec<JoinHandle<()>>,
    handshakes: Vec<JoinHandle<()>>,
    links: Vec<JoinHandle<()>>,
    snapshots: JoinHandle<()>,
    /// That which writes the append-only file.
    aof: Option<JoinHandle<()>>,
    garbage: JoinHandle<()>,
}

/// Threads that call the engine beside workers and lanes: the main thread's cron, the links, and the last one, which runs
/// what an append-only file says.
const OTHER_CALLERS: usize = 1 + links::THREADS + 1;

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then, but for threads that end by themselves.
    pub fn start(launch: Launch) -> Result<RunningServer, StartError> {
        let Launch {
            config,
            config_file,
            executable,
            log,
            supervision,
            pid_file,
            clock,
            disk,
            sockets,
            signals,
        } = launch;
        let random = Random::new()?;
        let has_tls_socket = sockets.iter().any(|(kind, _)| *kind == Kind::Tls);
        let tls = build_tls(&config, &clock, has_tls_socket)?;
        let listeners = open_listeners(&config, sockets)?;
        let workers = usize::try_from(config.read(directive::IO_THREADS)).unwrap_or(1);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (listen_requests, requests) = unbounded_channel();
        let (garbage, collect) = Garbage::new();
        let limits = Limits::default();
        limits.update(&config);
        let mut world = World::default();
        settings::update_world(&mut world, &config);
        let (replication, followers) = Replication::new(&config);
        world.role = replication.first_role();
        world.loading = persistence::is_loaded_at_start(&config);
        let now_s = clock.now().unix_us.div_euclid(1_000_000);
        let (persistence, jobs) = Persistence::new(&config, disk, now_s);
        let server = Arc::new(Self {
            started: clock.now(),
            clock,
            config: RwLock::new(config),
            config_file,
            executable,
            run_id: random.hex(),
            replication,
            startup_memory: AtomicU64::new(0),
            limits,
            tls,
            has_tls_socket,
            counters: Default::default(),
            persistence,
            migrations: Default::default(),
            handshakes: Default::default(),
            traffic: (0..workers).map(|_| Default::default()).collect(),
            rates: Mutex::default(),
            cron_is_paused: AtomicBool::new(false),
            cron_runs: AtomicU64::new(0),
            evicting: Default::default(),
            reply_peaks_kept_ms: AtomicI64::new(REPLY_PEAKS_KEPT_MS),
            event_loop: Default::default(),
            log,
            supervision,
            changing: Mutex::default(),
            connected: AtomicUsize::new(0),
            listen_requests,
            shutdown: Arc::new(Shutdown::new()),
            garbage,
        });
        let lanes = lane::count_for(cores);
        let layout = Layout {
            shards: Layout::shards_for(workers),
            databases: world.settings.databases,
            threads: workers + lanes + OTHER_CALLERS,
            seed: store::HashSeed::new(random.next()),
        };
        let host = Arc::clone(&server) as Arc<dyn engine::Host>;
        let rows = [engine::commands(), crate::rows::all()].concat();
        let mut engine = Engine::new(layout, world, host, &commands::all(), &rows);
        rename_commands(&mut engine, &server.config.read())?;
        let engine = Arc::new(engine);
        let (seats, handles): (Vec<_>, Vec<WorkerHandle>) =
            (0..workers).map(worker::prepare).unzip();
        let shared = Arc::new(Shared::new(
            Arc::clone(&server),
            Arc::clone(&engine),
            handles.into(),
            Lanes::default(),
        ));
        let (handshakers, arrivals) = Handshakers::new(handshake::count_for(cores));
        let mut threads = Threads {
            workers: Vec::new(),
            lanes: Vec::new(),
            handshakes: Vec::new(),
            links: Vec::new(),
            snapshots: start_snapshot_thread(&shared, jobs)?,
            aof: server.persistence.aof.start_writer(&shared)?,
            garbage: std::thread::Builder::new()
                .name("lazy-free".to_owned())
                .spawn(collect)?,
        };
        for seat in seats {
            let worker = seat.start(Arc::clone(&shared), random.next())?;
            threads.workers.push(worker);
        }
        for lane in 0..lanes {
            let lane = shared
                .lanes
                .start(Arc::clone(&shared), workers + lane, random.next())?;
            threads.lanes.push(lane);
        }
        let seeds = [random.next(), random.next()];
        threads.links = links::start(&shared, followers, workers + lanes + 1, seeds)?;
        let count = arrivals.len() as u64;
        for arrivals in arrivals {
            let thread = handshake::start(arrivals, Arc::clone(&shared), count)?;
            threads.handshakes.push(thread);
        }
        let addresses = addresses(&listeners);
        let kinds = listeners.iter().map(|(kind, _)| kind.name()).collect();
        let main = Main {
            shared: Arc::clone(&shared),
            handshakers: Arc::new(handshakers),
            requests,
            accepting: JoinSet::new(),
            accepting_by_kind: Vec::new(),
            threads,
            pid_file,
        };
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let signals = match signals {
            Signals::Own => {
                crash::watch_for_abort(&engine)?;
                Some(OsSignals::new(&runtime)?)
            }
            Signals::Leave => None,
        };
        let main = std::thread::Builder::new()
            .name("main-loop".to_owned())
            .spawn(move || main.run(&runtime, listeners, signals))?;
        let used = alloc::note_peak() as u64;
        server.startup_memory.store(used, Relaxed);
        info!("Server initialized");
        let running = RunningServer {
            server,
            engine,
            shared,
            addresses,
            kinds,
            main,
        };
        running.load()
    }
}

/// Starts the thread that writes and reads the dataset.
fn start_snapshot_thread(
    shared: &Arc<Shared>,
    jobs: mpsc::Receiver<persistence::Job>,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("snapshot".to_owned())
        .spawn(move || persistence::run_jobs(&shared, &jobs))
}

/// Gives commands the names that `rename-command` says.
fn rename_commands(engine: &mut Engine, config: &Config) -> Result<(), StartError> {
    for Declaration { words, place } in &config.declarations().renames {
        let [name, new] = words.as_slice() else {
            continue;
        };
        engine.registry.rename(name, new).map_err(|error| {
            let reason = Reason::Rule(error.text());
            StartError::Config(ConfigError::Line(Box::new(place.clone()), reason))
        })?;
    }
    Ok(())
}

fn build_tls(
    config: &Config,
    clock: &Arc<Clock>,
    has_tls_socket: bool,
) -> Result<tls::Holder, StartError> {
    let mut settings = settings::tls(config);
    settings.listens |= has_tls_socket;
    let time: Arc<dyn TimeProvider> = Arc::new(CertificateTime(Arc::clone(clock)));
    let active = tls::Active::build(&settings, &time).map_err(|error| {
        warn!("{error}");
        warn!("Failed to configure TLS. Check logs for more info.");
        StartError::Tls(error)
    })?;
    for warning in &active.warnings {
        warn!("{warning}");
    }
    Ok(tls::Holder::new(active))
}

fn open_listeners(
    config: &Config,
    sockets: Vec<(Kind, std::net::TcpListener)>,
) -> Result<Vec<(Kind, Vec<Listener>)>, StartError> {
    let refuse = |text: String| {
        warn!("{text}");
        StartError::Listen(text)
    };
    let mut all = Vec::new();
    for kind in [Kind::Tcp, Kind::Tls, Kind::Unix] {
        let plan = kind.plan(config);
        if !plan.is_on() {
            continue;
        }
        let opened = plan.open().map_err(|kind| {
            refuse(format!(
                "Failed listening on port {} ({}), aborting.",
                plan.port,
                kind.name()
            ))
        })?;
        all.push((kind, opened));
    }
    for (kind, socket) in sockets {
        socket.set_nonblocking(true)?;
        all.push((kind, vec![Listener::Tcp(socket)]));
    }
    if all.iter().all(|(_, listeners)| listeners.is_empty()) {
        return Err(refuse(
            "Configured to not listen anywhere, exiting.".to_owned(),
        ));
    }
    Ok(all)
}

fn addresses(listeners: &[(Kind, Vec<Listener>)]) -> Vec<(Kind, SocketAddr)> {
    let all = listeners
        .iter()
        .flat_map(|(kind, listeners)| listeners.iter().map(|listener| (*kind, listener)));
    all.filter_map(|(kind, listener)| match listener {
        Listener::Tcp(listener) => Some((kind, listener.local_addr().ok()?)),
        Listener::Unix(..) => None,
    })
    .collect()
}

/// Secret random numbers for the start.
struct Random(&'static dyn rustls::crypto::SecureRandom);

impl Random {
    fn new() -> io::Result<Self> {
        let random = Self(rustls::crypto::aws_lc_rs::default_provider().secure_random);
        let mut probe = [0];
        let works = random.0.fill(&mut probe);
        works.map_err(|_| io::Error::other("the system has no random numbers"))?;
        Ok(random)
    }

    fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        // It worked a moment ago, and what is left of it would do in its place.
        let _ = self.0.fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    /// 40 hexadecimal digits.
    fn hex(&self) -> String {
        let mut rng = Rng::new(self.next());
        let words = [self.next(), self.next(), rng.next_u64() ^ self.next()];
        let mut text: String = words.iter().map(|word| format!("{word:016x}")).collect();
        text.truncate(40);
        text
    }
}

/// The signals that the process acts on.
struct OsSignals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl OsSignals {
    fn new(runtime: &Runtime) -> io::Result<Self> {
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
struct Main {
    shared: Arc<Shared>,
    handshakers: Arc<Handshakers>,
    requests: UnboundedReceiver<ListenRequest>,
    accepting: JoinSet<()>,
    accepting_by_kind: Vec<(Kind, AbortHandle)>,
    threads: Threads,
    pid_file: Option<PathBuf>,
}

impl Main {
    fn run(
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
