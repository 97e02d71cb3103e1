//! Saving the dataset: a snapshot written to a temporary file, made durable, and put in the place of the old one.

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::Duration;

use config::{Config, directive};
use engine::snapshot::{Busy, Snapshot, SnapshotError, SnapshotObserver};
use engine::{Engine, Holding};
use tracing::{info, warn};

use super::disk::{Disk, DiskFile};
use super::stream::{StreamForm, write_stream};
use super::{delay, rdb_path};
use crate::net::Shared;
use crate::process::words;
use crate::server::Server;

/// Why the dataset was not saved. The log has said it.
#[derive(Debug)]
pub(crate) enum SaveError {
    /// Somebody aborted it.
    Aborted,
    /// The file could not be written.
    Failed,
}

/// Begins to save the dataset as it is now, with every shard held (BGSAVE). The thread for snapshots writes it.
pub(crate) fn begin_in_background(held: &mut Holding<'_>) -> Result<(), Busy> {
    let snapshot = Snapshot::begin_holding(held)?;
    let changes = changes(held.engine);
    let server = crate::rows::host(held.engine);
    note_start(server);
    server.persistence.submit(move |shared| {
        finish_in_background(shared, |shared| write(shared, snapshot, changes));
    });
    Ok(())
}

/// Saves the dataset in the background, from the thread for snapshots: save points, and saves that were scheduled.
pub(super) fn save_in_background(shared: &Shared) {
    note_start(&shared.server);
    finish_in_background(shared, save_now);
}

/// Saves the dataset as it is now and waits until that is done. For the thread for snapshots.
pub(crate) fn save_now(shared: &Shared) -> Result<(), SaveError> {
    let engine = &shared.engine;
    save_begun(shared, || Snapshot::begin(engine, || changes(engine)))
}

/// As [`save_now`], and from that instant on every command waits, even after a failure, until the caller changes the world
/// back.
pub(super) fn save_frozen(shared: &Shared) -> Result<(), SaveError> {
    let engine = &shared.engine;
    save_begun(shared, || {
        Snapshot::begin_frozen(engine, || changes(engine))
    })
}

/// What is noted at the cut, with every shard held: the place in the replication log, and the changes made so far.
fn changes(engine: &Engine) -> u64 {
    crate::rows::host(engine).replication.note_cut(engine);
    engine.stats.sum(|thread| &thread.dirty)
}

/// Writes the snapshot that `begin` takes once no other one, of replication, is in the way.
fn save_begun(
    shared: &Shared,
    begin: impl Fn() -> Result<(Snapshot, u64), Busy>,
) -> Result<(), SaveError> {
    /// How long to wait for the other one at a time.
    const AGAIN: Duration = Duration::from_millis(1);
    let (snapshot, changes) = loop {
        match begin() {
            Ok(begun) => break begun,
            Err(Busy) => std::thread::sleep(AGAIN),
        }
    };
    write(shared, snapshot, changes)?;
    note_health(&shared.server, &shared.engine, Health::Sound);
    Ok(())
}

/// Saves the dataset before the server ends; whether the server may end. With `force` it may whatever comes of the save. Every
/// command waits from the beginning of the save on, and goes on doing so.
pub(crate) fn save_at_end(shared: &Shared, force: bool) -> Result<(), ()> {
    info!("Saving the final RDB snapshot before exiting.");
    let server = &shared.server;
    server
        .supervision
        .notify("STATUS=Saving the final RDB snapshot\n");
    if save_frozen(shared).is_ok() {
        return Ok(());
    }
    if force {
        warn!("Error trying to save the DB. Exit anyway.");
        return Ok(());
    }
    warn!("Error trying to save the DB, can't exit.");
    server
        .supervision
        .notify("STATUS=Error trying to save the DB, can't exit.\n");
    Err(())
}

/// What the last save says of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    Failing,
}

/// Remembers whether saving works, and has writes refused or admitted accordingly (`stop-writes-on-bgsave-error`).
fn note_health(server: &Server, engine: &Engine, health: Health) {
    let failing = health == Health::Failing;
    if server.persistence.save.failed.swap(failing, Relaxed) != failing {
        engine.change_world(|world| world.save_failed = failing);
    }
}

fn note_start(server: &Server) {
    let now_s = server.now_s();
    server.persistence.note_background_snapshot();
    let save = &server.persistence.save;
    save.in_background.store(true, Relaxed);
    save.scheduled.store(false, Relaxed);
    save.started_s.store(now_s, Relaxed);
    save.tried_s.store(now_s, Relaxed);
    info!("Background saving started by pid {}", std::process::id());
}

/// Writes a save in the background and notes what became of it.
fn finish_in_background(shared: &Shared, write: impl FnOnce(&Shared) -> Result<(), SaveError>) {
    let server = &shared.server;
    let save = &server.persistence.save;
    match write(shared) {
        Ok(()) => {
            info!("Background saving terminated with success");
            note_health(server, &shared.engine, Health::Sound);
        }
        // Whoever aborts has a reason that says nothing of the disk.
        Err(SaveError::Aborted) => warn!("Background saving terminated by an abort"),
        Err(SaveError::Failed) => {
            warn!("Background saving error");
            note_health(server, &shared.engine, Health::Failing);
        }
    }
    let seconds = server.now_s() - save.started_s.load(Relaxed);
    save.seconds.store(seconds, Relaxed);
    save.in_background.store(false, Relaxed);
}

/// Writes a snapshot in the place of the old file. It contains so many of the changes ever made.
fn write(shared: &Shared, snapshot: Snapshot, changes: u64) -> Result<(), SaveError> {
    let server = &shared.server;
    let save = &server.persistence.save;
    save.count.fetch_add(1, Relaxed);
    let config = server.config.read().clone();
    let disk = &*server.persistence.disk;
    let directory = config.read(directive::DIR).to_path_buf();
    let temporary = directory.join(format!("temp-{}.rdb", std::process::id()));
    *server.persistence.temporary.lock() = Some(temporary.clone());
    let written = write_temporary(shared, &config, snapshot, &temporary)
        .and_then(|()| put_in_place(disk, &temporary, &rdb_path(&config), &directory));
    server.persistence.remove_temporary();
    written?;
    info!("DB saved on disk");
    save.changes.store(changes, Relaxed);
    save.saved_s.store(server.now_s(), Relaxed);
    Ok(())
}

fn write_temporary(
    shared: &Shared,
    config: &Config,
    snapshot: Snapshot,
    path: &Path,
) -> Result<(), SaveError> {
    let incremental = config.read(directive::RDB_SAVE_INCREMENTAL_FSYNC);
    let written = write_file(shared, snapshot, path, incremental, |snapshot, out| {
        write_snapshot(shared, config, snapshot, out, StreamKind::File)
    });
    written.map_err(|unwritten| match unwritten {
        Unwritten::NotOpened(error) => {
            warn!(
                "Failed opening the temp RDB file {} (in server root dir {}) for saving: {}",
                shown_name(path),
                shown_directory(path),
                words(&error)
            );
            SaveError::Failed
        }
        Unwritten::Broken(SnapshotError::Aborted) => SaveError::Aborted,
        Unwritten::Broken(SnapshotError::Io(error)) => {
            warn!("Write error while saving DB to the disk: {}", words(&error));
            SaveError::Failed
        }
    })
}

/// Why a snapshot is not in its file.
pub(super) enum Unwritten {
    /// There is no file.
    NotOpened(io::Error),
    /// What is in the file is of no use.
    Broken(SnapshotError),
}

/// Has `write` write a snapshot into a new file, and brings it to the disk, `incremental` bit by bit.
pub(super) fn write_file(
    shared: &Shared,
    snapshot: Snapshot,
    path: &Path,
    incremental: bool,
    write: impl FnOnce(Snapshot, Syncing) -> Result<Syncing, SnapshotError>,
) -> Result<(), Unwritten> {
    let file = match shared.server.persistence.disk.create(path) {
        Ok(file) => file,
        Err(error) => {
            snapshot.give_up(&shared.engine);
            return Err(Unwritten::NotOpened(error));
        }
    };
    let written = write(snapshot, Syncing::new(file, incremental));
    let synced = written.and_then(|out| out.sync().map_err(SnapshotError::Io));
    synced.map_err(Unwritten::Broken)
}

/// Writes a snapshot as a whole RDB stream: header, keys, end.
pub(super) fn write_snapshot<W: Write>(
    shared: &Shared,
    config: &Config,
    snapshot: Snapshot,
    out: W,
    kind: StreamKind,
) -> Result<W, SnapshotError> {
    let server = &shared.server;
    let form = StreamForm {
        version: snapshot.version(),
        place: server
            .replication
            .cut()
            .filter(|_| kind == StreamKind::File),
        aof_base: kind == StreamKind::AofBase,
    };
    let mut observer = Observer {
        server,
        engine: &shared.engine,
        keys: 0,
    };
    write_stream(&shared.engine, config, snapshot, out, form, &mut observer)
}

/// Puts a file that was written in the place of the old one, so that it is there after a crash.
fn put_in_place(
    disk: &dyn Disk,
    temporary: &Path,
    target: &Path,
    directory: &Path,
) -> Result<(), SaveError> {
    if let Err(error) = disk.rename(temporary, target) {
        warn!(
            "Error moving temp DB file {} on the final destination {} (in server root dir {}): {}",
            shown_name(temporary),
            shown_name(target),
            directory.display(),
            words(&error)
        );
        return Err(SaveError::Failed);
    }
    disk.sync_directory(directory).map_err(|error| {
        warn!(
            "Failed to fsync directory while saving DB: {}",
            words(&error)
        );
        SaveError::Failed
    })
}

fn shown_name(path: &Path) -> impl fmt::Display {
    path.file_name().unwrap_or_default().display()
}

fn shown_directory(path: &Path) -> impl fmt::Display {
    path.parent().unwrap_or(path).display()
}

/// A file that is brought to the disk bit by bit, so that the last of it does not take long. A thread of its own waits for the
/// disk meanwhile: what calls change while the run of a snapshot stands still has to be kept in memory.
pub(super) struct Syncing {
    file: Arc<dyn DiskFile>,
    /// Bytes after which to do so.
    every: u64,
    unsynced: u64,
    syncer: Option<Syncer>,
}

/// The thread that waits for the disk; it ends with its file.
struct Syncer {
    /// Asks for what has been written until then; holds one request.
    requests: SyncSender<()>,
    /// The first error; the thread has ended then.
    failure: Receiver<io::Error>,
}

/// Bytes that are brought to the disk at a time (REDIS_AUTOSYNC_BYTES, Redis 7.2).
const SYNC_BYTES: u64 = 4 << 20;
/// Times as many that may be written before the disk is waited for.
const BEHIND_MAX: u64 = 8;

impl Syncing {
    /// So written, `incremental` bit by bit.
    pub(super) fn new(file: Box<dyn DiskFile>, incremental: bool) -> Self {
        Self {
            file: Arc::from(file),
            every: if incremental { SYNC_BYTES } else { u64::MAX },
            unsynced: 0,
            syncer: None,
        }
    }

    /// Has what was written brought to the disk, unless that is being done; waits if it lags far behind.
    fn sync_behind(&mut self) -> io::Result<()> {
        let syncer = match &self.syncer {
            Some(syncer) => syncer,
            None => self.syncer.insert(Syncer::start(Arc::clone(&self.file))?),
        };
        let asked = if self.unsynced / self.every < BEHIND_MAX {
            syncer.requests.try_send(())
        } else {
            syncer.requests.send(()).map_err(TrySendError::from)
        };
        match asked {
            Ok(()) => self.unsynced = 0,
            Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => {
                let failure = syncer.failure.recv();
                return Err(failure.unwrap_or_else(|_| io::Error::other("the disk is gone")));
            }
        }
        Ok(())
    }

    /// Brings all of it to the disk.
    pub(super) fn sync(self) -> io::Result<()> {
        if let Some(Syncer { requests, failure }) = self.syncer {
            drop(requests);
            // The disk tells of an error once: it is not to be lost with the thread.
            if let Ok(error) = failure.recv() {
                return Err(error);
            }
        }
        self.file.sync()
    }
}

impl Syncer {
    fn start(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let (requests, asked) = mpsc::sync_channel(1);
        let (fail, failure) = mpsc::channel();
        let run = move || {
            if let Err(error) = asked.iter().try_for_each(|()| file.sync()) {
                let _unheard = fail.send(error);
            }
        };
        std::thread::Builder::new()
            .name("rdb-sync".into())
            .spawn(run)?;
        Ok(Self { requests, failure })
    }
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKind {
    /// A file of its own.
    File,
    /// The base of an append-only file.
    AofBase,
}

impl Write for Syncing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.append(bytes)?;
        self.unsynced += written as u64;
        if self.unsynced >= self.every {
            self.sync_behind()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Follows a save: the delay that tests ask for, and what INFO shows.
struct Observer<'s> {
    server: &'s Server,
    engine: &'s Engine,
    keys: u64,
}

impl SnapshotObserver for Observer<'_> {
    fn key(&mut self) -> ControlFlow<()> {
        /// Keys between two looks at what was handed over.
        const LOOK: u64 = 64;
        self.keys += 1;
        let snapshots = &self.engine.snapshots;
        let persistence = &self.server.persistence;
        let delayed = delay(&persistence.delays.save, self.keys, || {
            !snapshots.is_aborting()
        });
        if (delayed || self.keys.is_multiple_of(LOOK))
            && let Some(progress) = snapshots.progress()
        {
            let handed_over = &persistence.save.handed_over;
            handed_over.store(progress.handed_over, Relaxed);
        }
        ControlFlow::Continue(())
    }
}
