//! The dataset on disk: loading it, saving it, and what INFO tells of both.

pub mod aof;
mod check;
pub mod disk;
mod load;
mod reload;
mod save;
mod schedule;
mod stream;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use config::composite::SavePoint;
use config::{Config, directive};
use engine::Host;
use parking_lot::{Mutex, RwLock};

pub use self::aof::Aof;
pub use self::check::check_file;
use self::disk::Disk;
pub(crate) use self::load::FileError;
pub(crate) use self::load::{is_loaded_at_start, load_at_start};
use self::reload::begin_loading;
pub(crate) use self::reload::{Reload, reload};
pub(crate) use self::save::{SaveError, begin_in_background, save_at_end, save_now};
pub(crate) use self::schedule::look_at_save_points;
pub(crate) use self::stream::{StreamForm, write_stream};
use crate::net::Shared;
use crate::server::Server;

/// What became of loading and saving, for INFO and for the decisions that depend on it; and the thread that does both.
#[derive(Debug)]
pub struct Persistence {
    /// The load under way, or the last one.
    pub load: LoadFigures,
    /// The save under way, and the last one.
    pub save: SaveFigures,
    /// The append-only file.
    pub aof: Aof,
    /// Snapshots in the background so far: for files, rewrites and replicas. Redis forks for each.
    pub(crate) background_snapshots: AtomicU64,
    /// What it is written to.
    pub(crate) disk: Arc<dyn Disk>,
    /// `key-load-delay` and `rdb-key-save-delay`, for tests.
    pub(crate) delays: Delays,
    /// `save`, which cron reads often.
    save_points: RwLock<Vec<SavePoint>>,
    /// The file that is being written, to be removed when the process ends at once.
    temporary: Mutex<Option<PathBuf>>,
    jobs: mpsc::Sender<Job>,
}

/// What the thread for snapshots does.
pub(crate) enum Job {
    /// This.
    Run(Box<dyn FnOnce(&Shared) + Send>),
    /// Nothing more.
    End,
}

/// How far the load under way has come, and what the last one came to.
#[derive(Debug, Default)]
pub struct LoadFigures {
    /// When the load under way began, in Unix seconds; 0 when there is none.
    pub started_s: AtomicI64,
    /// Bytes to be loaded.
    pub total: AtomicU64,
    /// Bytes loaded.
    pub loaded: AtomicU64,
    /// Memory that the writer of the file had used.
    pub writer_memory: AtomicU64,
    /// Keys that the last load passed over because their time was over.
    pub last_expired: AtomicU64,
    /// Keys that the last load put into the keyspace.
    pub last_loaded: AtomicU64,
}

/// How saving goes. Times are in Unix seconds.
#[derive(Debug, Default)]
pub struct SaveFigures {
    /// Whether BGSAVE or a save point has begun a save that has not ended.
    pub in_background: AtomicBool,
    /// Whether another BGSAVE is to follow as soon as it can.
    pub scheduled: AtomicBool,
    /// When the save in the background began.
    pub started_s: AtomicI64,
    /// When the last one in the background was tried.
    pub tried_s: AtomicI64,
    /// When the dataset was last saved.
    pub saved_s: AtomicI64,
    /// How many seconds the last save in the background took; -1 when there was none.
    pub seconds: AtomicI64,
    /// Whether the last save in the background failed.
    pub failed: AtomicBool,
    /// Saves so far.
    pub count: AtomicU64,
    /// Changes ever made that the last save contains; see `ThreadStats::dirty`.
    pub changes: AtomicU64,
    /// Bytes that writes handed over to the last snapshot before they changed them.
    pub handed_over: AtomicU64,
}

/// Delays that tests ask for, in microseconds a key; a negative number is one microsecond every so many keys.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    pub(crate) load: AtomicI64,
    pub(crate) save: AtomicI64,
}

impl LoadFigures {
    /// Whether a load is under way.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.started_s.load(Relaxed) != 0
    }
}

impl Persistence {
    /// Nothing loaded or saved yet, in a server that starts at this Unix time in seconds; and what its thread takes from.
    pub(crate) fn new(
        config: &Config,
        disk: Arc<dyn Disk>,
        now_s: i64,
    ) -> (Self, mpsc::Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel();
        let persistence = Self {
            load: LoadFigures::default(),
            save: SaveFigures::default(),
            background_snapshots: AtomicU64::default(),
            aof: Aof::new(config, Arc::clone(&disk)),
            disk,
            delays: Delays::default(),
            save_points: RwLock::default(),
            temporary: Mutex::default(),
            jobs,
        };
        persistence.save.saved_s.store(now_s, Relaxed);
        persistence.save.seconds.store(-1, Relaxed);
        persistence.update(config);
        (persistence, receiver)
    }

    /// Takes the values of a configuration.
    pub(crate) fn update(&self, config: &Config) {
        let delays = [
            (&self.delays.load, directive::KEY_LOAD_DELAY),
            (&self.delays.save, directive::RDB_KEY_SAVE_DELAY),
        ];
        for (place, key) in delays {
            place.store(config.read(key), Relaxed);
        }
        let save_points = config.read(directive::SAVE).to_vec();
        *self.save_points.write() = save_points;
        self.aof.update(config);
    }

    /// Whether there are save points, so that the dataset is saved when the server ends, and when it was emptied.
    pub(crate) fn has_save_points(&self) -> bool {
        !self.save_points.read().is_empty()
    }

    /// Has the thread for snapshots run something, after what it was told before.
    pub(crate) fn submit(&self, job: impl FnOnce(&Shared) + Send + 'static) {
        // Without its thread the server is ending.
        let _ = self.jobs.send(Job::Run(Box::new(job)));
    }

    /// Lets the thread for snapshots end.
    pub(crate) fn end(&self) {
        let _ = self.jobs.send(Job::End);
    }

    /// A snapshot in the background begins.
    pub(crate) fn note_background_snapshot(&self) {
        self.background_snapshots.fetch_add(1, Relaxed);
    }

    /// Removes the file that is being written: the process ends at once.
    pub(crate) fn remove_temporary(&self) {
        if let Some(path) = self.temporary.lock().take() {
            // Nothing more can be done about a file that cannot be removed.
            let _ = self.disk.remove(&path);
        }
    }
}

/// What the thread for snapshots runs.
pub(crate) fn run_jobs(shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    while let Ok(Job::Run(job)) = jobs.recv() {
        job(shared);
    }
}

/// Sleeps the delay of one key, the `nth`, as long as it stays asked for and `goes_on` says so; whether there was any.
pub(crate) fn delay(delay_us: &AtomicI64, nth: u64, goes_on: impl Fn() -> bool) -> bool {
    /// How long a sleep is before the delay is looked at again.
    const SLICE_US: u64 = 10_000;
    let wanted = delay_us.load(Relaxed);
    if wanted == 0 {
        return false;
    }
    let mut left_us = match u64::try_from(wanted) {
        Ok(us) => us,
        Err(_) => u64::from(nth.is_multiple_of(wanted.unsigned_abs())),
    };
    while left_us > 0 && goes_on() && delay_us.load(Relaxed) == wanted {
        let slice_us = left_us.min(SLICE_US);
        std::thread::sleep(Duration::from_micros(slice_us));
        left_us -= slice_us;
    }
    true
}

/// Whether a snapshot file that was made for a synchronisation is to go: nothing else keeps the dataset on disk
/// (`rdb-del-sync-files`).
pub(crate) fn drops_sync_files(config: &Config) -> bool {
    config.read(directive::RDB_DEL_SYNC_FILES)
        && config.read(directive::SAVE).is_empty()
        && !config.read(directive::APPENDONLY)
}

/// Removes the snapshot file; its blocks are given back in the background, for that may take long. Whether it was there.
pub(crate) fn remove_rdb(server: &Server) -> bool {
    let path = rdb_path(&server.config.read());
    let open = File::open(&path);
    let removed = fs::remove_file(&path).is_ok();
    server.drop_later(Box::new(open));
    removed
}

/// Where the snapshot file is.
pub(crate) fn rdb_path(config: &Config) -> PathBuf {
    let name = config.read(directive::DBFILENAME);
    config.read(directive::DIR).join(config::typed::path(name))
}
