//! Rewriting the append-only file: a snapshot takes the place of everything that led to it.
//!
//! 1. A new increment is opened and named in the manifest. While the file awaits its first base it is a temporary one,
//!    named when the base is whole.
//! 2. At the cut the writer is told where in the log the new increment begins.
//! 3. The snapshot is written beside, brought to the disk, and named; the manifest then names it and what follows it, and
//!    nothing else. A crash at any point leaves files that belong together.
//! 4. A rewrite that was given up meanwhile (CONFIG SET appendonly no) changes nothing.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use config::{Config, directive};
use engine::Engine;
use engine::snapshot::{Busy, Snapshot, SnapshotError};
use persist::{Checksums, CommandWriter, RdbItem, RdbReader, Sanitize, Value};
use store::ValueRef;
use store::item::Spelling;
use tracing::{info, warn};

use super::manifest::{BaseFormat, Manifest, Unstored};
use super::{Aof, Beginning, Names, Order, Rotation, Stage, State};
use crate::net::Shared;
use crate::persistence::disk::{Disk, DiskFile};
use crate::persistence::save::{StreamKind, Unwritten, write_file, write_snapshot};
use crate::process::words;
use crate::server::Server;

/// What came of BGREWRITEAOF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Started,
    Scheduled,
    /// One is under way.
    InProgress,
}

/// How long automatic rewrites wait after others that failed.
#[derive(Debug, Default)]
pub(super) struct Limit {
    minutes: i64,
    /// When the next one may be tried, in Unix seconds.
    until_s: i64,
}

/// Why a rewrite came to nothing.
enum Failed {
    /// It was given up.
    GivenUp,
    /// Another snapshot came first.
    Busy,
    /// Something went wrong; the log has said it.
    Error,
}

/// What the cut noted.
struct Cut {
    snapshot: Snapshot,
    stage: Stage,
}

/// Failures in a row from which on rewrites wait (AOF_REWRITE_LIMITE_THRESHOLD, Redis 7.2).
const FAILURES_FREE: u64 = 3;
/// Minutes of such a wait at most.
const LIMIT_MINUTES_MAX: i64 = 60;

impl Limit {
    /// Whether a rewrite has to wait (aofRewriteLimited, Redis 7.2).
    fn holds(&mut self, failures: u64, now_s: i64) -> bool {
        if failures < FAILURES_FREE {
            *self = Self::default();
            return false;
        }
        if self.until_s != 0 {
            if now_s < self.until_s {
                return true;
            }
            self.until_s = 0;
            return false;
        }
        self.minutes = (self.minutes * 2).clamp(1, LIMIT_MINUTES_MAX);
        self.until_s = now_s + self.minutes * 60;
        warn!(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} minutes",
            self.minutes
        );
        true
    }
}

/// How the base is to be written.
pub(super) fn format(config: &Config) -> BaseFormat {
    if config.read(directive::AOF_USE_RDB_PREAMBLE) {
        BaseFormat::Rdb
    } else {
        BaseFormat::Commands
    }
}

/// BGREWRITEAOF. In a transaction it is put off.
pub(crate) fn ask_rewrite(server: &Server, engine: &Engine, in_exec: bool) -> Asked {
    let figures = &server.persistence.aof.figures;
    if figures.rewriting.load(Relaxed) {
        return Asked::InProgress;
    }
    if engine.snapshots.progress().is_some() || in_exec {
        figures.scheduled.store(true, Relaxed);
        // Who asks himself need not wait because others have failed.
        figures.failures.store(0, Relaxed);
        return Asked::Scheduled;
    }
    start(server);
    Asked::Started
}

/// Begins a rewrite that is due: one that was scheduled, or because the file has grown.
pub(crate) fn look_at_size(server: &Server, engine: &Engine) {
    let aof = &server.persistence.aof;
    let figures = &aof.figures;
    if figures.rewriting.load(Relaxed) || engine.snapshots.progress().is_some() {
        return;
    }
    let scheduled = figures.scheduled.load(Relaxed);
    let growth = growth_percent(server);
    if !scheduled && growth.is_none() {
        return;
    }
    let failures = figures.failures.load(Relaxed);
    if aof.state.lock().limit.holds(failures, server.now_s()) {
        return;
    }
    if let Some(growth) = growth.filter(|_| !scheduled) {
        info!("Starting automatic rewriting of AOF on {growth}% growth");
    }
    start(server);
}

/// By how much the file has grown, if that is too much.
fn growth_percent(server: &Server) -> Option<u64> {
    let aof = &server.persistence.aof;
    let config = server.config.read();
    let percent = config.read(directive::AUTO_AOF_REWRITE_PERCENTAGE);
    let percent = u64::try_from(percent).ok().filter(|percent| *percent > 0)?;
    let size = aof.figures.current_size();
    if size <= config.read(directive::AUTO_AOF_REWRITE_MIN_SIZE)
        || aof.state.lock().stage != Stage::On
    {
        return None;
    }
    let base = aof.figures.base_size.load(Relaxed).max(1);
    let growth = (size.saturating_mul(100) / base).saturating_sub(100);
    (growth >= percent).then_some(growth)
}

/// Has the thread for snapshots rewrite it.
fn start(server: &Server) {
    let aof = &server.persistence.aof;
    let figures = &aof.figures;
    figures.rewriting.store(true, Relaxed);
    figures.scheduled.store(false, Relaxed);
    figures.started_s.store(server.now_s(), Relaxed);
    let token = {
        let mut state = aof.state.lock();
        state.rewrite += 1;
        state.rewrite
    };
    server.persistence.submit(move |shared| run(shared, token));
}

/// CONFIG SET appendonly yes, and the end of a synchronisation that had turned it off.
pub(super) fn turn_on(server: &Server, engine: &Engine, in_exec: bool) -> Result<(), ()> {
    let aof = &server.persistence.aof;
    let names = Names::of(&server.config.read());
    let temporary = names.path(&names.temporary_increment());
    let possible = names.make_directory(&*aof.disk).and_then(|()| {
        aof.disk.create(&temporary).inspect_err(|error| {
            let name = names.temporary_increment();
            warn!(
                "Can't open the append-only file {}: {}",
                String::from_utf8_lossy(&name),
                words(error)
            );
        })
    });
    if possible.is_err() {
        warn!(
            "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error."
        );
        return Err(());
    }
    let figures = &aof.figures;
    let rewriting = figures.rewriting.load(Relaxed);
    aof.state.lock().stage = Stage::AwaitsRewrite;
    figures.enabled.store(true, Relaxed);
    aof.tell_waiting(engine);
    if engine.snapshots.progress().is_some() && !rewriting {
        figures.scheduled.store(true, Relaxed);
        info!(
            "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible."
        );
    } else if in_exec {
        figures.scheduled.store(true, Relaxed);
        info!(
            "AOF was enabled during a transaction. An AOF background was scheduled to start when possible."
        );
    } else {
        if rewriting {
            info!(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now."
            );
            engine.snapshots.abort();
        }
        start(server);
    }
    Ok(())
}

/// The rewrite of this number, on the thread for snapshots.
fn run(shared: &Shared, token: u64) {
    let server = &shared.server;
    let aof = &server.persistence.aof;
    let figures = &aof.figures;
    if aof.state.lock().rewrite != token {
        return end(server, token, false);
    }
    let config = server.config.read().clone();
    let names = Names::of(&config);
    let outcome = rewrite(shared, &config, &names, token);
    let temporary = temporary_base(&config);
    // It is not there when all went well.
    let _ = aof.disk.remove(&temporary);
    let mut again = false;
    match outcome {
        Ok(()) => {
            figures.rewrite_failed.store(false, Relaxed);
            figures.failures.store(0, Relaxed);
        }
        Err(failed) => {
            match failed {
                Failed::GivenUp => warn!("Background AOF rewrite terminated by signal 10"),
                Failed::Busy => again = true,
                Failed::Error => {
                    warn!("Background AOF rewrite terminated with error");
                    figures.rewrite_failed.store(true, Relaxed);
                    figures.failures.fetch_add(1, Relaxed);
                }
            }
            let (stage, current) = {
                let state = aof.state.lock();
                (state.stage, state.rewrite)
            };
            // Somebody else has aborted the snapshot, whom the rewrite does not concern.
            again |= matches!(failed, Failed::GivenUp) && current == token;
            if stage == Stage::AwaitsRewrite && current == token {
                aof.order_and_wait(Order::Drop);
                remove_temporary_increment(aof, &names);
                again = true;
            }
        }
    }
    end(server, token, again);
}

fn end(server: &Server, token: u64, again: bool) {
    let aof = &server.persistence.aof;
    let figures = &aof.figures;
    let seconds = server.now_s() - figures.started_s.load(Relaxed);
    let state = aof.state.lock();
    // Unless another one has begun since, or this one was given up.
    if state.rewrite == token || state.stage == Stage::Off {
        figures.seconds.store(seconds, Relaxed);
        figures.rewriting.store(false, Relaxed);
        if again {
            figures.scheduled.store(true, Relaxed);
        }
    }
}

fn remove_temporary_increment(aof: &Aof, names: &Names) {
    let name = names.temporary_increment();
    info!(
        "Removing the temp incr aof file {} in the background",
        String::from_utf8_lossy(&name)
    );
    // It is written anew by the next rewrite in any case.
    let _ = aof.disk.remove(&names.path(&name));
}

fn rewrite(shared: &Shared, config: &Config, names: &Names, token: u64) -> Result<(), Failed> {
    let (server, engine) = (&shared.server, &shared.engine);
    let aof = &server.persistence.aof;
    names
        .make_directory(&*aof.disk)
        .map_err(|_| Failed::Error)?;
    if engine.snapshots.progress().is_some() {
        return Err(Failed::Busy);
    }
    let cut = cut(shared, names, token)?;
    aof.wake();
    aof.figures.rewrites.fetch_add(1, Relaxed);
    server.persistence.note_background_snapshot();
    info!(
        "Background append only file rewriting started by pid {}",
        std::process::id()
    );
    let temporary = temporary_base(config);
    let format = format(config);
    write_base(shared, config, cut.snapshot, &temporary, format)?;
    let name = temporary.file_name().unwrap_or_default().display();
    info!("Successfully created the temporary AOF base file {name}");
    info!("Background AOF rewrite terminated with success");
    put_in_place(aof, config, names, token, format)?;
    info!("Background AOF rewrite finished successfully");
    if cut.stage == Stage::AwaitsRewrite {
        aof.has_base.store(true, Relaxed);
        aof.order_and_wait(Order::HoldBack);
        aof.tell_waiting(engine);
    }
    Ok(())
}

/// Opens the new increment and takes the cut at which it begins.
fn cut(shared: &Shared, names: &Names, token: u64) -> Result<Cut, Failed> {
    let engine = &shared.engine;
    let aof = &shared.server.persistence.aof;
    let stage = aof.state.lock().stage;
    let (name, file) = match stage {
        Stage::Off => {
            let begun = Snapshot::begin(engine, || ());
            let (snapshot, ()) = begun.map_err(|Busy| Failed::Busy)?;
            return Ok(Cut { snapshot, stage });
        }
        Stage::AwaitsRewrite => {
            let name = names.temporary_increment();
            let file = create(aof, names, &name)?;
            (name, file)
        }
        Stage::On => open_increment(aof, names)?,
    };
    info!(
        "Creating AOF incr file {} on background rewrite",
        String::from_utf8_lossy(&name)
    );
    if stage == Stage::AwaitsRewrite {
        engine.change_world(|world| world.log_to_file(true));
    }
    // One of them runs, and no shard is free before it has: nothing is behind the cut yet.
    let mut file = Some(file);
    let begun = Snapshot::begin(engine, || {
        let (at, db) = (engine.log.end(), engine.log.db());
        let file = file.take()?;
        if stage == Stage::On {
            *aof.rotation.lock() = Some(Rotation { at, file, db });
            return None;
        }
        let (reader, _) = engine.log.reader_at_end();
        Some(Beginning {
            reader,
            file,
            size: 0,
            db,
        })
    });
    let (snapshot, beginning) = begun.map_err(|Busy| Failed::Busy)?;
    let state = aof.state.lock();
    if state.rewrite != token {
        drop(state);
        snapshot.give_up(engine);
        return Err(Failed::GivenUp);
    }
    // Under the lock, so that whoever turns it off tells the writer after this.
    if let Some(beginning) = beginning {
        aof.order(Order::Begin(beginning));
    }
    Ok(Cut { snapshot, stage })
}

fn create(aof: &Aof, names: &Names, name: &[u8]) -> Result<Box<dyn DiskFile>, Failed> {
    aof.disk.create(&names.path(name)).map_err(|error| {
        warn!(
            "Can't open the append-only file {}: {}",
            String::from_utf8_lossy(name),
            words(&error)
        );
        Failed::Error
    })
}

/// Opens the next increment and names it in the manifest.
fn open_increment(aof: &Aof, names: &Names) -> Result<(Vec<u8>, Box<dyn DiskFile>), Failed> {
    // Locked all the while, so that no manifest takes the place of a later one.
    let mut state = aof.state.lock();
    let mut manifest = state.manifest.clone();
    let part = manifest.next_increment(&names.basename);
    let file = create(aof, names, &part.name)?;
    let stored = manifest.store(&*aof.disk, &names.directory, &names.basename);
    stored.map_err(|_| Failed::Error)?;
    state.manifest = manifest;
    // What the last increment had counts among what came before.
    let figures = &aof.figures;
    let last = figures.increment_size.load(Relaxed);
    figures.settled_size.fetch_add(last, Relaxed);
    Ok((part.name, file))
}

fn temporary_base(config: &Config) -> std::path::PathBuf {
    let name = format!("temp-rewriteaof-bg-{}.aof", std::process::id());
    config.read(directive::DIR).join(name)
}

/// Writes the base of a server that starts without files.
pub(super) fn write_first_base(shared: &Shared, config: &Config, path: &Path) -> Result<(), ()> {
    let begun = Snapshot::begin(&shared.engine, || ());
    let (snapshot, ()) = begun.map_err(|Busy| ())?;
    let temporary = temporary_base(config);
    let written = write_base(shared, config, snapshot, &temporary, format(config));
    written.map_err(|_| ())?;
    let disk = &*shared.server.persistence.disk;
    disk.rename(&temporary, path).map_err(|error| {
        warn!(
            "Error moving temp append only file on the final destination: {}",
            words(&error)
        );
    })
}

/// Writes a snapshot and brings it to the disk.
fn write_base(
    shared: &Shared,
    config: &Config,
    snapshot: Snapshot,
    path: &Path,
    format: BaseFormat,
) -> Result<(), Failed> {
    let incremental = config.read(directive::AOF_REWRITE_INCREMENTAL_FSYNC);
    let written = write_file(
        shared,
        snapshot,
        path,
        incremental,
        |snapshot, out| match format {
            BaseFormat::Rdb => write_snapshot(shared, config, snapshot, out, StreamKind::AofBase),
            BaseFormat::Commands => write_commands(shared, config, snapshot, out),
        },
    );
    written.map_err(|unwritten| match unwritten {
        Unwritten::NotOpened(error) => {
            warn!(
                "Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): {}",
                words(&error)
            );
            Failed::Error
        }
        Unwritten::Broken(SnapshotError::Aborted) => Failed::GivenUp,
        Unwritten::Broken(SnapshotError::Io(error)) => {
            warn!(
                "Write error writing append only file on disk: {}",
                words(&error)
            );
            Failed::Error
        }
    })
}

/// Writes a snapshot as commands: its stream is read on another thread and spelled there.
fn write_commands<W: Write + Send>(
    shared: &Shared,
    config: &Config,
    snapshot: Snapshot,
    out: W,
) -> Result<W, SnapshotError> {
    let (source, target) = match io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => {
            snapshot.give_up(&shared.engine);
            return Err(SnapshotError::Io(error));
        }
    };
    let now_s = snapshot.now().unix_us.div_euclid(1_000_000);
    let stamp = config
        .read(directive::AOF_TIMESTAMP_ENABLED)
        .then_some(now_s);
    let tuning = shared.engine.world().settings.tuning.clone();
    std::thread::scope(|scope| {
        let speller = scope.spawn(move || {
            let rdb = RdbReader::new(source, &tuning, Sanitize::Framing, Checksums::Ignore);
            spell(rdb, out, stamp)
        });
        let target = BufWriter::new(target);
        let written = write_snapshot(shared, config, snapshot, target, StreamKind::AofBase);
        let flushed = written.and_then(|mut target| target.flush().map_err(SnapshotError::Io));
        let spelled = match speller.join() {
            Ok(spelled) => spelled.map_err(SnapshotError::Io),
            Err(_) => Err(SnapshotError::Io(io::ErrorKind::Other.into())),
        };
        // An abort shows at both ends; a full disk at the far one first.
        match flushed {
            Err(SnapshotError::Aborted) => Err(SnapshotError::Aborted),
            Ok(()) | Err(SnapshotError::Io(_)) => spelled,
        }
    })
}

fn spell<W: Write>(
    mut rdb: RdbReader<'_, io::PipeReader>,
    out: W,
    stamp: Option<i64>,
) -> io::Result<W> {
    let mut writer = CommandWriter::new(BufWriter::new(out));
    if let Some(now_s) = stamp {
        writer.timestamp(now_s)?;
    }
    while let Some(item) = rdb.next_item().map_err(io::Error::other)? {
        match item {
            RdbItem::Record(record) => {
                let value = match &record.value {
                    Value::Bytes(bytes) => ValueRef::Bytes(bytes),
                    Value::Integer(integer) => ValueRef::Integer(*integer),
                    Value::Object(object) => ValueRef::Boxed(object),
                };
                writer.record(record.db, record.key, &value, record.expiry)?;
            }
            RdbItem::Function(code) => {
                writer.function(code.as_bytes(&mut Spelling::default()))?;
            }
            RdbItem::Aux { .. }
            | RdbItem::SelectDb(_)
            | RdbItem::Resize { .. }
            | RdbItem::EmptyKey(_) => {}
        }
    }
    writer
        .finish()?
        .into_inner()
        .map_err(|error| error.into_error())
}

/// Names the new base, and with it what follows it.
fn put_in_place(
    aof: &Aof,
    config: &Config,
    names: &Names,
    token: u64,
    format: BaseFormat,
) -> Result<(), Failed> {
    let temporary = temporary_base(config);
    let mut state = aof.state.lock();
    if state.rewrite != token {
        return Err(Failed::GivenUp);
    }
    let mut manifest = state.manifest.clone();
    let base = manifest.next_base(&names.basename, format);
    let base_path = base.path(&names.directory);
    let name = temporary.file_name().unwrap_or_default().display();
    aof.disk.rename(&temporary, &base_path).map_err(|error| {
        warn!(
            "Error trying to rename the temporary AOF base file {name} into {}: {}",
            base_path.display(),
            words(&error)
        );
        Failed::Error
    })?;
    info!(
        "Successfully renamed the temporary AOF base file {name} into {}",
        base.shown()
    );
    if let Err(unstored) = name_files(&*aof.disk, &mut state, names, manifest) {
        if unstored == Unstored::Refused {
            // The old manifest is in force, which does not name it.
            let _ = aof.disk.remove(&base_path);
        }
        return Err(Failed::Error);
    }
    let base_size = fs::metadata(&base_path).map_or(0, |metadata| metadata.len());
    let figures = &aof.figures;
    figures.settled_size.store(base_size, Relaxed);
    figures.base_size.store(figures.current_size(), Relaxed);
    if state.stage == Stage::AwaitsRewrite {
        state.stage = Stage::On;
    }
    drop(state);
    delete_history(aof, config);
    Ok(())
}

/// Names the increment that was temporary, makes history of what the base replaces, and stores the manifest.
fn name_files(
    disk: &dyn Disk,
    state: &mut State,
    names: &Names,
    mut manifest: Manifest,
) -> Result<(), Unstored> {
    let mut renamed = None;
    if state.stage == Stage::AwaitsRewrite {
        let temporary = names.temporary_increment();
        let part = manifest.next_increment(&names.basename);
        let shown = String::from_utf8_lossy(&temporary).into_owned();
        let path = part.path(&names.directory);
        disk.rename(&names.path(&temporary), &path)
            .map_err(|error| {
                warn!(
                    "Error trying to rename the temporary AOF incr file {shown} into {}: {}",
                    path.display(),
                    words(&error)
                );
                Unstored::Refused
            })?;
        info!(
            "Successfully renamed the temporary AOF incr file {shown} into {}",
            part.shown()
        );
        renamed = Some(path);
    }
    manifest.retire_increments(usize::from(state.stage != Stage::Off));
    let stored = manifest.store(disk, &names.directory, &names.basename);
    if stored == Err(Unstored::Refused) {
        if let Some(path) = renamed {
            // Not named by the manifest that is in force.
            let _ = disk.remove(&path);
        }
    } else {
        state.manifest = manifest;
    }
    stored
}

/// Removes files that are of no use any more, and forgets them (aofDelHistoryFiles, Redis 7.2).
pub(super) fn delete_history(aof: &Aof, config: &Config) {
    let mut state = aof.state.lock();
    if state.manifest.history.is_empty() || config.read(directive::AOF_DISABLE_AUTO_GC) {
        return;
    }
    let names = Names::of(config);
    // Not as long as a manifest may come back that has them loaded.
    if aof.disk.sync_directory(&names.directory).is_err() {
        return;
    }
    for part in std::mem::take(&mut state.manifest.history) {
        info!(
            "Removing the history file {} in the background",
            part.shown()
        );
        // What cannot be removed does no harm.
        let _ = aof.disk.remove(&part.path(&names.directory));
    }
    // The log says what fails; the old manifest names files that are not loaded.
    let manifest = &state.manifest;
    let _ = manifest.store(&*aof.disk, &names.directory, &names.basename);
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn rewrites_that_fail_wait_ever_longer() {
        let mut limit = Limit::default();
        let mut now_s = 1000;
        assert!(!limit.holds(2, now_s));
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(limit.holds(3, now_s), "{minutes} minutes");
            now_s += minutes * 60;
            assert!(limit.holds(3, now_s - 1), "{minutes} minutes");
            assert!(!limit.holds(3, now_s), "{minutes} minutes");
        }
        assert!(!limit.holds(0, now_s));
        assert!(limit.holds(3, now_s));
        assert!(!limit.holds(3, now_s + 60));
    }
}
