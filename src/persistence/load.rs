//! Loading the snapshot file: at the start, and again when DEBUG RELOAD asks for it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use config::{Config, directive};
use engine::Engine;
use engine::loading::{
    Expired, LoadError, LoadObserver, LoadProgress, LoadTerms, Loaded, Pace, Present, load,
};
use log::{Framing, Unit};
use persist::{Checksums, RdbError, Reason};
use replication::{Place, ReplicationId};
use tracing::{debug, info, warn};

use super::aof;
use super::{LoadFigures, delay, rdb_path};
use crate::net::Shared;
use crate::process::words;
use crate::server::Server;
use crate::shutdown::Stage;

/// Why the snapshot file could not be loaded.
#[derive(Debug)]
pub(crate) enum FileError {
    /// There is none.
    Missing,
    /// It cannot be opened.
    Open(io::Error),
    /// It cannot be used.
    Load(LoadError),
}

/// Empty keys that the log names.
const EMPTY_KEYS_NAMED: u64 = 10;

/// Loads the dataset into the empty keyspace of a server that starts: from the append-only file if one is wanted, else from
/// the snapshot file if there is one. Whether the server may go on: it was not told to end meanwhile.
///
/// # Errors
/// What the log says last.
pub(crate) fn load_at_start(shared: &Shared) -> Result<bool, String> {
    let (server, engine) = (&shared.server, &shared.engine);
    let from_commands = server.config.read().read(directive::APPENDONLY);
    let goes_on = if from_commands {
        aof::load_at_start(shared)?
    } else {
        load_file_at_start(server, engine)?
    };
    if goes_on {
        engine.change_world(|world| world.loading = false);
    }
    Ok(goes_on)
}

/// Whether clients have to wait for [`load_at_start`]: not where there is nothing to load and nothing to be written yet.
pub(crate) fn is_loaded_at_start(config: &Config) -> bool {
    config.read(directive::APPENDONLY) || rdb_path(config).exists()
}

fn load_file_at_start(server: &Server, engine: &Engine) -> Result<bool, String> {
    let path = rdb_path(&server.config.read());
    let started = server.clock.now();
    let result = load_file(server, engine, &path, Present::Refuse);
    match result {
        Ok((_, place)) => {
            resume(server, engine, place);
            let ns = server.clock.now().monotonic_ns - started.monotonic_ns;
            info!("DB loaded from disk: {:.3} seconds", ns as f64 / 1e9);
        }
        Err(FileError::Missing) => {}
        Err(FileError::Load(LoadError::Aborted)) => return Ok(false),
        Err(error) => {
            explain(&error, &path);
            if let FileError::Load(_) = error {
                warn!("Terminating server after rdb file reading failure.");
            }
            let text = "Fatal error loading the DB, check server logs. Exiting.";
            warn!("{text}");
            return Err(text.to_owned());
        }
    }
    Ok(true)
}

/// Goes on in the replication log where the file was written, if it says where that is, so that replicas, and the primary of a
/// replica, need no full synchronisation after a restart. Replicas still have the keys that were passed over, and are told to
/// delete them.
fn resume(server: &Server, engine: &Engine, place: WrittenPlace) {
    let (Some(id), Some(offset), Some(db)) = (place.id, place.offset, place.db) else {
        return;
    };
    let backlog = server.backlog_size();
    let (mut deletions, place) = (place.deletions, Place { id, offset });
    engine.change_world(|world| {
        let replication = &server.replication;
        replication.resume_from_file(engine, world, place, db, backlog);
        engine.log.append(&mut deletions, Framing::Loose);
    });
}

/// Loads a snapshot file. The world says already that a load is under way.
///
/// # Errors
/// [`FileError`]; what was loaded until then stays.
pub(crate) fn load_file(
    server: &Server,
    engine: &Engine,
    path: &Path,
    present: Present,
) -> Result<(Loaded, WrittenPlace), FileError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        _ => FileError::Open(error),
    })?;
    let total = file.metadata().map_or(0, |metadata| metadata.len());
    let figures = &server.persistence.load;
    figures.begin(server, total);
    let source = Source {
        before: 0,
        size: Some(total),
        // A replica waits for its primary's word, and so do its own replicas.
        expired: if engine.world().is_replica() {
            Expired::Keep
        } else {
            Expired::Skip
        },
        present,
    };
    let result = load_stream(server, engine, file, source);
    figures.started_s.store(0, Relaxed);
    let streamed = result.map_err(FileError::Load)?;
    Ok((streamed.loaded, streamed.place))
}

/// What a snapshot is loaded from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// Bytes of what was loaded before, of the same load.
    pub(super) before: u64,
    /// Its own bytes, if they are known.
    pub(super) size: Option<u64>,
    /// What becomes of keys whose time is over.
    pub(super) expired: Expired,
    /// What becomes of keys that are there already.
    pub(super) present: Present,
}

impl LoadFigures {
    /// A load of so many bytes begins.
    pub(super) fn begin(&self, server: &Server, total: u64) {
        for (place, value) in [
            (&self.total, total),
            (&self.loaded, 0),
            (&self.writer_memory, 0),
        ] {
            place.store(value, Relaxed);
        }
        self.started_s.store(server.now_s().max(1), Relaxed);
    }
}

/// A snapshot that was loaded.
pub(super) struct Streamed<R> {
    pub(super) loaded: Loaded,
    /// Where in the replication log it was written, if it says so.
    place: WrittenPlace,
    /// What it was read from, and what was read beyond its end.
    pub(super) source: R,
    pub(super) ahead: Vec<u8>,
}

/// Loads the snapshot that `reader` begins with; the reader comes back with what was read beyond it.
///
/// # Errors
/// [`LoadError`]; what was loaded until then stays.
pub(super) fn load_stream<R: Read>(
    server: &Server,
    engine: &Engine,
    reader: R,
    source: Source,
) -> Result<Streamed<R>, LoadError> {
    let terms = LoadTerms {
        expired: source.expired,
        present: source.present,
        sanitize: engine.world().settings.dumping.sanitize.of_trusted(),
        checksums: checksums(server, engine),
        size: source.size,
    };
    let mut observer = Observer {
        server,
        now_s: server.now_s(),
        before: source.before,
        keys: 0,
        empty: 0,
        place: Default::default(),
    };
    let (loaded, source, ahead) = load(engine, reader, terms, &mut observer)?;
    let place = std::mem::take(&mut observer.place);
    let figures = &server.persistence.load;
    let LoadProgress {
        keys,
        expired,
        empty,
        ..
    } = loaded.progress;
    figures.last_loaded.store(keys, Relaxed);
    figures.last_expired.store(expired, Relaxed);
    let empty = match empty {
        0 => ".".to_owned(),
        empty => format!(", empty keys skipped: {empty}."),
    };
    info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}{empty}");
    Ok(Streamed {
        loaded,
        place,
        source,
        ahead,
    })
}

/// Says in the log what is wrong with the snapshot file, and where.
pub(crate) fn explain(error: &FileError, path: &Path) {
    let path = path.display();
    match error {
        FileError::Missing => warn!("There is no RDB file {path}"),
        FileError::Open(error) => warn!(
            "Fatal error: can't open the RDB file {path} for reading: {}",
            words(error)
        ),
        FileError::Load(LoadError::Rdb(error)) => {
            warn!("{}", error.reason);
            let RdbError { offset, reason } = error;
            let what = match reason {
                Reason::Checksum { .. } => "RDB CRC error".to_owned(),
                reason => reason.to_string(),
            };
            warn!("Internal error in RDB reading offset {offset} of {path} -> {what}");
        }
        FileError::Load(error) => warn!("Internal error in RDB reading {path} -> {error}"),
    }
}

/// Whether the checksum of a file is compared: `rdbchecksum`, unless DEBUG SET-SKIP-CHECKSUM-VALIDATION says otherwise.
fn checksums(server: &Server, engine: &Engine) -> Checksums {
    if server.config.read().read(directive::RDBCHECKSUM) {
        engine.world().settings.dumping.checksums
    } else {
        Checksums::Ignore
    }
}

/// Follows a load: the log, INFO, the end of the server, and the delays that tests ask for.
struct Observer<'s> {
    server: &'s Server,
    now_s: i64,
    /// Bytes of what was loaded before.
    before: u64,
    keys: u64,
    empty: u64,
    /// What the file says of its place in the replication log.
    place: WrittenPlace,
}

/// A place in the replication log as a file has it.
#[derive(Debug, Default)]
pub(crate) struct WrittenPlace {
    id: Option<ReplicationId>,
    offset: Option<u64>,
    db: Option<u16>,
    /// Deletions of the keys that were passed over, as the log is to have them.
    deletions: Unit,
}

impl Observer<'_> {
    fn goes_on(&self) -> bool {
        *self.server.shutdown.watch().borrow() == Stage::Running
    }
}

impl LoadObserver for Observer<'_> {
    fn aux(&mut self, name: &[u8], value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let number = text.parse::<i64>().unwrap_or(0);
        match name {
            b"redis-ver" | b"valkey-ver" => info!("Loading RDB produced by version {text}"),
            b"ctime" => info!("RDB age {} seconds", (self.now_s - number).max(0)),
            b"used-mem" => {
                let bytes = u64::try_from(number).unwrap_or(0);
                let megabytes = bytes as f64 / (1 << 20) as f64;
                info!("RDB memory usage when created {megabytes:.2} Mb");
                let figures = &self.server.persistence.load;
                figures.writer_memory.store(bytes, Relaxed);
            }
            b"repl-id" => self.place.id = ReplicationId::parse(value),
            b"repl-offset" => self.place.offset = u64::try_from(number).ok(),
            b"repl-stream-db" => self.place.db = u16::try_from(number).ok(),
            b"aof-base" if number != 0 => info!("RDB is base AOF"),
            _ => debug!(
                "RDB field '{}' is passed over",
                String::from_utf8_lossy(name)
            ),
        }
    }

    fn empty_key(&mut self, key: &[u8]) {
        self.empty += 1;
        if self.empty <= EMPTY_KEYS_NAMED {
            info!("rdbLoadObject skipping empty key: {}", key.escape_ascii());
        }
    }

    fn expired_key(&mut self, db: u16, key: &[u8]) {
        // A file that does not say where it was written is followed by nobody.
        if self.place.id.is_none() {
            return;
        }
        let words: [&[u8]; 2] = [b"DEL", key];
        self.place.deletions.command(db, words.into_iter());
    }

    fn key(&mut self) -> Pace {
        self.keys += 1;
        let asked = &self.server.persistence.delays.load;
        if delay(asked, self.keys, || self.goes_on()) {
            Pace::Flush
        } else {
            Pace::Batch
        }
    }

    fn progress(&mut self, progress: LoadProgress) -> ControlFlow<()> {
        let figures = &self.server.persistence.load;
        figures.loaded.store(self.before + progress.bytes, Relaxed);
        if self.goes_on() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}
