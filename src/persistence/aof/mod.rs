//! The append-only file: loading it, writing it, rewriting it, as Redis 7.2 lays it out.
//!
//! 1. At the start the files that the manifest names are loaded in order (`load`), while clients are answered -LOADING.
//! 2. From then on a thread of its own writes what the log says (`writer`), and replies wait for it at the engine's gate.
//! 3. A rewrite (`rewrite`) is a snapshot: at its cut the writer goes on in a new file, and when the snapshot is whole it
//!    takes the place of everything before. Nothing is forked and nothing written twice.
//! 4. Lock order: the state here, then the rotation. No shard is waited for while the state is locked.

mod check;
mod load;
mod manifest;
mod rewrite;
mod writer;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

use config::choices::AppendFsync;
use config::{Config, directive};
use engine::Engine;
use parking_lot::Mutex;
use tracing::{info, warn};

pub use self::check::check;
pub(crate) use self::load::{load_at_start, reload};
use self::manifest::Manifest;
pub(crate) use self::rewrite::{Asked, ask_rewrite, look_at_size};
use self::writer::{Beginning, Order, Rotation, Writer};
use crate::net::Shared;
use crate::persistence::disk::{Disk, DiskFile};
use crate::process::words;
use crate::server::Server;

/// The append-only file of a server.
#[derive(Debug)]
pub struct Aof {
    state: Mutex<State>,
    /// Where the writer is to change the file.
    rotation: Mutex<Option<Rotation>>,
    orders: Sender<Order>,
    /// Who has to be woken for an order.
    writer: OnceLock<Thread>,
    /// What the writer takes from; taken when it starts.
    receiver: Mutex<Option<Receiver<Order>>>,
    /// The offset of the log up to which it is on disk.
    synced: AtomicU64,
    /// Whether that counts: it has a base.
    has_base: AtomicBool,
    /// What it is written to.
    disk: Arc<dyn Disk>,
    settings: Settings,
    /// What INFO shows.
    pub figures: Figures,
}

/// What is to be known to change the files.
#[derive(Debug, Default)]
struct State {
    stage: Stage,
    manifest: Manifest,
    /// The rewrite that counts; one of another number was given up.
    rewrite: u64,
    /// Why writing and bringing to the disk fail.
    write_error: Option<Arc<str>>,
    sync_error: Option<Arc<str>>,
    limit: rewrite::Limit,
}

/// Whether there is an append-only file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is none.
    #[default]
    Off,
    /// A rewrite is to make its base: until that has ended, what happens goes into a temporary file.
    AwaitsRewrite,
    /// There is.
    On,
}

/// What the writer reads of the configuration.
#[derive(Debug, Default)]
struct Settings {
    policy: AtomicU8,
    no_sync_on_rewrite: AtomicBool,
    timestamps: AtomicBool,
    /// DEBUG AOF-FLUSH-SLEEP: microseconds before each write.
    flush_delay_us: AtomicU64,
}

/// What became of it, for INFO and for the decisions that depend on it. Times are in Unix seconds.
#[derive(Debug)]
pub struct Figures {
    /// Whether there is one.
    pub enabled: AtomicBool,
    /// Bytes of the base and of the increments but for the last one.
    settled_size: AtomicU64,
    /// Bytes of the last increment.
    increment_size: AtomicU64,
    /// Bytes of all files when the last rewrite ended, or of the base at the start.
    pub base_size: AtomicU64,
    /// Files that are being brought to the disk.
    pub pending_syncs: AtomicU64,
    /// Writes that did not wait for that any longer.
    pub delayed_syncs: AtomicU64,
    /// The offset of the log up to which everything is written.
    written: AtomicU64,
    /// Whether writing fails.
    pub write_failed: AtomicBool,
    /// Whether a rewrite is under way.
    pub rewriting: AtomicBool,
    /// Whether one is to follow as soon as it can.
    pub scheduled: AtomicBool,
    /// When the one under way began.
    pub started_s: AtomicI64,
    /// How many seconds the last one took; -1 when there was none.
    pub seconds: AtomicI64,
    /// Whether the last one failed.
    pub rewrite_failed: AtomicBool,
    /// Rewrites so far.
    pub rewrites: AtomicU64,
    /// Failed ones since one succeeded.
    pub failures: AtomicU64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            enabled: AtomicBool::default(),
            settled_size: AtomicU64::default(),
            increment_size: AtomicU64::default(),
            base_size: AtomicU64::default(),
            pending_syncs: AtomicU64::default(),
            delayed_syncs: AtomicU64::default(),
            written: AtomicU64::default(),
            write_failed: AtomicBool::default(),
            rewriting: AtomicBool::default(),
            scheduled: AtomicBool::default(),
            started_s: AtomicI64::default(),
            seconds: AtomicI64::new(-1),
            rewrite_failed: AtomicBool::default(),
            rewrites: AtomicU64::default(),
            failures: AtomicU64::default(),
        }
    }
}

impl Figures {
    /// Bytes of all files that would be loaded.
    #[must_use]
    pub fn current_size(&self) -> u64 {
        self.settled_size.load(Relaxed) + self.increment_size.load(Relaxed)
    }
}

impl Settings {
    fn policy(&self) -> AppendFsync {
        match self.policy.load(Relaxed) {
            ALWAYS => AppendFsync::Always,
            NEVER => AppendFsync::No,
            _ => AppendFsync::Everysec,
        }
    }
}

const ALWAYS: u8 = 1;
const NEVER: u8 = 2;

/// Where the files are.
#[derive(Debug)]
struct Names {
    /// The directory.
    directory: PathBuf,
    /// Its name, as the log shows it.
    shown: String,
    /// What their names begin with.
    basename: Vec<u8>,
}

impl Names {
    fn of(config: &Config) -> Self {
        let name: &[u8] = config.read(directive::APPENDDIRNAME);
        Self {
            directory: config.read(directive::DIR).join(OsStr::from_bytes(name)),
            shown: String::from_utf8_lossy(name).into_owned(),
            basename: config.read(directive::APPENDFILENAME).to_vec(),
        }
    }

    /// Makes the directory if it is missing, so that it is there after a power cut, too. The log says what fails.
    fn make_directory(&self, disk: &dyn Disk) -> io::Result<()> {
        let made = match disk.create_directory(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_directory = self.directory.is_dir();
                let not_one = || io::Error::from_raw_os_error(nix::libc::ENOTDIR);
                if is_directory { Ok(()) } else { Err(not_one()) }
            }
            made => made,
        };
        // Whoever made it may have come to an end before this.
        let parent = self.directory.parent();
        let synced =
            made.and_then(|()| parent.map_or(Ok(()), |parent| disk.sync_directory(parent)));
        synced.inspect_err(|error| {
            warn!(
                "Can't open or create append-only dir {}: {}",
                self.shown,
                words(error)
            );
        })
    }

    /// The path of a file within the directory.
    fn path(&self, name: &[u8]) -> PathBuf {
        self.directory.join(OsStr::from_bytes(name))
    }

    /// The name of the increment that is written while the first base is made.
    fn temporary_increment(&self) -> Vec<u8> {
        [b"temp-", self.basename.as_slice(), b".incr"].concat()
    }
}

impl Aof {
    /// One that is not on yet.
    pub(crate) fn new(config: &Config, disk: Arc<dyn Disk>) -> Self {
        let (orders, receiver) = channel();
        let aof = Self {
            state: Mutex::default(),
            rotation: Mutex::default(),
            orders,
            writer: OnceLock::new(),
            receiver: Mutex::new(Some(receiver)),
            synced: AtomicU64::new(0),
            has_base: AtomicBool::new(false),
            disk,
            settings: Settings::default(),
            figures: Figures::default(),
        };
        aof.update(config);
        aof
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start_writer(&self, shared: &Arc<Shared>) -> io::Result<Option<JoinHandle<()>>> {
        let Some(receiver) = self.receiver.lock().take() else {
            return Ok(None);
        };
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("aof".to_owned())
            .spawn(move || match Writer::new(shared, receiver) {
                Ok(writer) => writer.run(),
                Err(error) => warn!("The append-only file has no thread: {error}"),
            })?;
        // There is one thread, so that this is the first.
        let _ = self.writer.set(thread.thread().clone());
        Ok(Some(thread))
    }

    /// Takes the values of a configuration.
    pub(crate) fn update(&self, config: &Config) {
        let policy = match config.read(directive::APPENDFSYNC) {
            AppendFsync::Always => ALWAYS,
            AppendFsync::No => NEVER,
            AppendFsync::Everysec => 0,
        };
        let settings = &self.settings;
        settings.policy.store(policy, Relaxed);
        let no_sync = config.read(directive::NO_APPENDFSYNC_ON_REWRITE);
        settings.no_sync_on_rewrite.store(no_sync, Relaxed);
        let timestamps = config.read(directive::AOF_TIMESTAMP_ENABLED);
        settings.timestamps.store(timestamps, Relaxed);
        rewrite::delete_history(self, config);
        self.wake();
    }

    /// DEBUG AOF-FLUSH-SLEEP: lets each write wait so many microseconds.
    pub(crate) fn delay_writes(&self, us: u64) {
        self.settings.flush_delay_us.store(us, Relaxed);
    }

    /// The offset of the log up to which it is on disk; `None` without an append-only file.
    #[must_use]
    pub fn synced(&self) -> Option<u64> {
        let counts = self.has_base.load(Relaxed);
        let synced = || if counts { self.synced.load(Relaxed) } else { 0 };
        self.figures.enabled.load(Relaxed).then(synced)
    }

    /// Bytes of the log that have not been written yet.
    #[must_use]
    pub fn behind(&self, engine: &Engine) -> u64 {
        let written = self.figures.written.load(Relaxed);
        engine.log.end().saturating_sub(written)
    }

    /// Whether a rewrite is yet to make its base.
    pub(crate) fn awaits_base(&self) -> bool {
        self.state.lock().stage == Stage::AwaitsRewrite
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn order(&self, order: Order) {
        // Without its thread the server is ending.
        let _ = self.orders.send(order);
        self.wake();
    }

    /// Gives the writer an order that it answers; `None` when the server is ending.
    fn order_and_wait<T>(
        &self,
        order: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Order,
    ) -> Option<T> {
        let (answer, done) = sync_channel(1);
        self.order(order(answer));
        done.recv().ok()
    }

    /// Writes everything that is there and brings it to the disk: before the server ends, and before the file is read. Not
    /// for a thread that holds a shard.
    pub(crate) fn settle(&self) -> Result<(), String> {
        self.order_and_wait(Order::Settle).unwrap_or(Ok(()))
    }

    /// Lets the writer end.
    pub(crate) fn end(&self) {
        self.order(Order::End);
    }

    /// So much of the log is on disk.
    fn note_synced(&self, engine: &Engine, written: u64) {
        self.synced.fetch_max(written, Relaxed);
        self.tell_waiting(engine);
    }

    /// Answers those who wait for the disk (WAITAOF).
    fn tell_waiting(&self, engine: &Engine) {
        engine.acks.note_local(engine, self.synced());
    }

    fn note_write_error(&self, engine: &Engine, error: Option<String>) {
        self.note_error(engine, error, |state| &mut state.write_error);
    }

    fn note_sync_error(&self, engine: &Engine, error: Option<String>) {
        self.note_error(engine, error, |state| &mut state.sync_error);
    }

    /// Has writes refused as long as the disk fails.
    fn note_error(
        &self,
        engine: &Engine,
        error: Option<String>,
        place: impl FnOnce(&mut State) -> &mut Option<Arc<str>>,
    ) {
        let mut state = self.state.lock();
        let place = place(&mut state);
        if place.as_deref() == error.as_deref() {
            return;
        }
        *place = error.map(Arc::from);
        self.figures
            .write_failed
            .store(state.write_error.is_some(), Relaxed);
        let shown = state
            .write_error
            .clone()
            .or_else(|| state.sync_error.clone());
        drop(state);
        engine.change_world(|world| world.aof_error = shown);
    }

    /// Goes on if it was turned off for the dataset of a primary, and is wanted. For a thread that holds no shard.
    pub(crate) fn resume(&self, server: &Server, engine: &Engine) {
        let wanted = server.config.read().read(directive::APPENDONLY);
        let is_off = self.state.lock().stage == Stage::Off;
        if wanted && is_off {
            // The log says what fails.
            let _ = rewrite::turn_on(server, engine, false);
        }
    }

    /// CONFIG SET appendonly: begins or ends to write it. Not for a thread that holds a shard.
    ///
    /// # Errors
    /// It cannot be turned on; the log says why.
    pub(crate) fn turn(
        &self,
        server: &Server,
        engine: &Engine,
        on: bool,
        in_exec: bool,
    ) -> Result<(), ()> {
        let stage = self.state.lock().stage;
        match (on, stage) {
            (true, Stage::Off) => {}
            (false, Stage::AwaitsRewrite | Stage::On) => {
                self.turn_off(engine);
                return Ok(());
            }
            _ => return Ok(()),
        }
        rewrite::turn_on(server, engine, in_exec)
    }

    /// Ends to write it: at once, with everything on disk that is there.
    pub(crate) fn turn_off(&self, engine: &Engine) {
        {
            let mut state = self.state.lock();
            if state.stage == Stage::Off {
                return;
            }
            state.stage = Stage::Off;
            state.rewrite += 1;
        }
        let figures = &self.figures;
        figures.enabled.store(false, Relaxed);
        self.has_base.store(false, Relaxed);
        self.tell_waiting(engine);
        figures.scheduled.store(false, Relaxed);
        if figures.rewriting.load(Relaxed) {
            info!("Killing running AOF rewrite child: {}", std::process::id());
            engine.snapshots.abort();
        }
        engine.change_world(|world| world.log_to_file(false));
        self.order_and_wait(Order::Stop);
    }

    /// Opens the last increment, or makes the first files, when everything is loaded. The log says what fails.
    fn open_at_start(&self, shared: &Shared) -> Result<(), ()> {
        let server = &shared.server;
        let config = server.config.read().clone();
        let names = Names::of(&config);
        names.make_directory(&*self.disk).map_err(drop)?;
        let mut manifest = self.state.lock().manifest.clone();
        if manifest.is_empty() {
            let format = rewrite::format(&config);
            let base = manifest.next_base(&names.basename, format);
            rewrite::write_first_base(shared, &config, &base.path(&names.directory))?;
            info!("Creating AOF base file {} on server start", base.shown());
        }
        let exists = !manifest.increments.is_empty();
        let part = match manifest.increments.last() {
            Some(last) => last.clone(),
            None => manifest.next_increment(&names.basename),
        };
        let path = part.path(&names.directory);
        let file = self.disk.open(&path);
        let file = file.map_err(|error| {
            warn!(
                "Can't open the append-only file {}: {}",
                part.shown(),
                words(&error)
            );
        })?;
        manifest
            .store(&*self.disk, &names.directory, &names.basename)
            .map_err(drop)?;
        let what = if exists { "Opening" } else { "Creating" };
        info!("{what} AOF incr file {} on server start", part.shown());
        self.state.lock().manifest = manifest;
        self.begin(shared, file, Stage::On);
        rewrite::delete_history(self, &config);
        Ok(())
    }

    /// Has the writer write what is appended from now on; nobody executes anything yet.
    fn begin(&self, shared: &Shared, file: Box<dyn DiskFile>, stage: Stage) {
        let engine = &shared.engine;
        let size = file.length().unwrap_or(0);
        self.state.lock().stage = stage;
        self.figures.enabled.store(true, Relaxed);
        self.has_base.store(true, Relaxed);
        engine.change_world(|world| world.log_to_file(true));
        let (reader, _) = engine.log.reader_at_end();
        self.order(Order::Begin(Beginning {
            reader,
            file,
            size,
            db: None,
        }));
        self.order_and_wait(Order::HoldBack);
    }
}
