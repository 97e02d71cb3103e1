//! The dataset on disk: loading it, saving it, and what INFO tells of both.

mod load;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use config::{Config, directive};

pub(crate) use self::load::load_at_start;

/// What became of loading and saving, for INFO and for the decisions that depend on it.
#[derive(Debug, Default)]
pub struct Persistence {
    /// The load under way, or the last one.
    pub load: LoadFigures,
    /// `key-load-delay` and `rdb-key-save-delay`, for tests.
    pub(crate) delays: Delays,
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

impl Delays {
    /// Takes the values of a configuration.
    pub(crate) fn update(&self, config: &Config) {
        let delays = [
            (&self.load, directive::KEY_LOAD_DELAY),
            (&self.save, directive::RDB_KEY_SAVE_DELAY),
        ];
        for (place, key) in delays {
            place.store(config.read(key), Relaxed);
        }
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

/// Where the snapshot file is.
pub(crate) fn rdb_path(config: &Config) -> PathBuf {
    let name = config.read(directive::DBFILENAME);
    config.read(directive::DIR).join(config::typed::path(name))
}
