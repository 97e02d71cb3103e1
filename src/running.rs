//! A server that runs: what is started in which order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;

use commands::Rng;
use config::{Config, ConfigError, Declaration, Reason, directive};
use engine::{Engine, Layout, World};
use parking_lot::{Mutex, RwLock};
use rustls::time_provider::TimeProvider;
use tokio::runtime::Builder;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::clock::{CertificateTime, Clock};
use crate::crash;
use crate::launch::{Launch, Signals, StartError};
use crate::links;
use crate::main_loop::{MainLoop, OTHER_CALLERS, OsSignals, Threads};
use crate::net::Shared;
use crate::net::handshake::{self, Handshakers};
use crate::net::lane::{self, Lanes};
use crate::net::listen::{Kind, Listener};
use crate::net::worker::{self, WorkerHandle};
use crate::persistence::{self, Persistence};
use crate::replication::Replication;
use crate::server::{Garbage, REPLY_PEAKS_KEPT_MS, Server};
use crate::settings::{self, Limits};
use crate::shutdown::{Shutdown, ShutdownHow, Stage};

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
        let main = MainLoop {
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
