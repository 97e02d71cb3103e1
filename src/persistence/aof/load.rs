//! Loading the append-only file: at the start, and again when DEBUG LOADAOF asks for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use config::directive;
use engine::clients::{Client, Peer};
use engine::loading::{Expired, LoadError, Present};
use engine::{Executor, Session, Step, Taker, Wait};
use persist::{AofError, AofItem, AofReader, Words};
use tracing::{info, warn};

use super::Names;
use super::manifest::{Manifest, Part, manifest_name};
use crate::net::Shared;
use crate::persistence::disk::Disk;
use crate::persistence::load::{Source, explain, load_stream};
use crate::persistence::{FileError, delay};
use crate::process::words;
use crate::server::Server;
use crate::shutdown::Stage as ServerStage;

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loaded {
    /// There was nothing to load.
    Nothing,
    /// All of it.
    Whole,
    /// All but an end that was cut off.
    CutOff,
}

/// What may be missing at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing: what other files say goes on from there.
    Followed,
    /// What was not on disk yet when the power went: nothing follows. Files behind it may have been made, and are empty.
    Last,
}

/// Why the file cannot be loaded. The log has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// It cannot be read, or is no append-only file.
    Unusable,
    /// The server was told to end meanwhile.
    Ended,
}

/// Commands between two looks at whether the server is to end.
const LOOK_EVERY: u64 = 1024;

/// Loads the append-only file of a server that starts, and begins to write it; whether the server may go on: it was not
/// told to end meanwhile.
///
/// # Errors
/// It cannot be used; the last line of the log says why.
pub(crate) fn load_at_start(shared: &Shared) -> Result<bool, String> {
    let server = &shared.server;
    let aof = &server.persistence.aof;
    let unusable = |()| "The append-only file cannot be used, check server logs.".to_owned();
    let names = Names::of(&server.config.read());
    let manifest = read_manifest(&names).map_err(unusable)?;
    let manifest = upgrade(&*aof.disk, &names, manifest).map_err(unusable)?;
    aof.state.lock().manifest = manifest.clone();
    let started = server.clock.now();
    match load_parts(shared, &names, &manifest) {
        Ok(Loaded::Nothing) => {}
        Ok(Loaded::Whole | Loaded::CutOff) => {
            let ns = server.clock.now().monotonic_ns - started.monotonic_ns;
            info!(
                "DB loaded from append only file: {:.3} seconds",
                ns as f64 / 1e9
            );
        }
        Err(Refused::Ended) => return Ok(false),
        Err(Refused::Unusable) => return Err(unusable(())),
    }
    aof.open_at_start(shared).map_err(unusable)?;
    Ok(true)
}

/// Drops the dataset and loads it from the append-only file again (DEBUG LOADAOF). For a thread that holds no shard.
///
/// # Errors
/// The error reply.
pub(crate) fn reload(shared: &Shared) -> Result<(), &'static str> {
    const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
    let server = &shared.server;
    let aof = &server.persistence.aof;
    if aof.synced().is_some() && aof.settle().is_err() {
        return Err(FAILED);
    }
    let names = Names::of(&server.config.read());
    let manifest = match aof.synced() {
        Some(_) => aof.state.lock().manifest.clone(),
        None => read_manifest(&names).map_err(|()| FAILED)?,
    };
    crate::persistence::begin_loading(&shared.engine, shared.engine.take_everything_whole(), true);
    let loaded = load_parts(shared, &names, &manifest);
    shared.engine.change_world(|world| world.loading = false);
    match loaded {
        Ok(_) => {
            info!("Append Only File loaded by DEBUG LOADAOF");
            Ok(())
        }
        Err(_) => Err(FAILED),
    }
}

/// Reads the manifest, if there is one.
fn read_manifest(names: &Names) -> Result<Manifest, ()> {
    let path = names.path(&manifest_name(&names.basename));
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
        Err(error) => {
            warn!(
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                path.display(),
                words(&error)
            );
            return Err(());
        }
    };
    Manifest::parse(&text).map_err(|error| {
        warn!("*** FATAL AOF MANIFEST FILE ERROR ***");
        error.to_string().lines().for_each(|line| warn!("{line}"));
    })
}

/// Moves a file of the old style, which lay where the directory lies, into it (aofUpgradePrepare, Redis 7.2).
fn upgrade(disk: &dyn Disk, names: &Names, mut manifest: Manifest) -> Result<Manifest, ()> {
    let Some(parent) = names.directory.parent() else {
        return Ok(manifest);
    };
    let basename = OsStr::from_bytes(&names.basename);
    let old = parent.join(basename);
    let moved = names.path(&names.basename);
    let was_begun = manifest.increments.is_empty()
        && manifest
            .base
            .as_ref()
            .is_some_and(|base| base.name == names.basename && !moved.exists());
    let wanted = !names.directory.is_dir() || manifest.is_empty() || was_begun;
    if !wanted || !old.is_file() {
        return Ok(manifest);
    }
    names.make_directory(disk).map_err(drop)?;
    manifest.adopt(&names.basename);
    manifest
        .store(disk, &names.directory, &names.basename)
        .map_err(drop)?;
    disk.rename(&old, &moved).map_err(|error| {
        warn!(
            "Error trying to move the old AOF file {} into dir {}: {}",
            basename.display(),
            names.shown,
            words(&error)
        );
    })?;
    info!(
        "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
        basename.display(),
        names.shown
    );
    Ok(manifest)
}

/// Loads all files in order.
fn load_parts(shared: &Shared, names: &Names, manifest: &Manifest) -> Result<Loaded, Refused> {
    let mut sizes = Vec::new();
    for part in manifest.parts() {
        let size = fs::metadata(part.path(&names.directory)).map_err(|error| {
            warn!(
                "Unable to obtain the AOF file {} length. stat: {}",
                part.shown(),
                words(&error)
            );
            Refused::Unusable
        })?;
        sizes.push(size.len());
    }
    let total: u64 = sizes.iter().sum();
    if total == 0 {
        return Ok(Loaded::Nothing);
    }
    let figures = &shared.server.persistence.load;
    figures.begin(&shared.server, total);
    let mut replay = Replay::new(shared);
    let loaded = replay.parts(names, manifest, &sizes);
    figures.started_s.store(0, Relaxed);
    let loaded = loaded?;
    let aof = &shared.server.persistence.aof.figures;
    let last = sizes
        .last()
        .copied()
        .filter(|_| !manifest.increments.is_empty());
    let last = last.unwrap_or(0);
    if !aof.enabled.load(Relaxed) {
        aof.settled_size.store(total - last, Relaxed);
        aof.increment_size.store(last, Relaxed);
        let base = sizes.first().copied().filter(|_| manifest.base.is_some());
        aof.base_size.store(base.unwrap_or(0), Relaxed);
    }
    Ok(loaded)
}

/// Runs what files say.
struct Replay<'s> {
    shared: &'s Shared,
    executor: Executor,
    /// Bytes of the files before the present one.
    before: u64,
}

/// Where a file may be cut off.
struct Progress {
    /// The end of the last command that ran whole, or was put into a transaction.
    valid_up_to: u64,
    /// That of the last one before MULTI.
    before_multi: u64,
    commands: u64,
}

/// Why a file was not read to its end.
enum Stop {
    CutOff(u64),
    Damaged(AofError),
    Unknown(Vec<u8>),
    Ended,
}

impl<'s> Replay<'s> {
    fn new(shared: &'s Shared) -> Self {
        let engine = Arc::clone(&shared.engine);
        let thread = engine.stats.threads() - 1;
        Self {
            shared,
            executor: Executor::new(engine, thread, Taker::Lane, 0),
            before: 0,
        }
    }

    /// Loads all files, of these sizes.
    fn parts(
        &mut self,
        names: &Names,
        manifest: &Manifest,
        sizes: &[u64],
    ) -> Result<Loaded, Refused> {
        let last = sizes.iter().rposition(|size| *size > 0).unwrap_or(0);
        let server = &self.shared.server;
        let mut result = Loaded::Whole;
        for (at, part) in manifest.parts().enumerate() {
            let started = server.clock.now();
            let is_base = at == 0 && manifest.base.is_some();
            let tail = if at < last {
                Tail::Followed
            } else {
                Tail::Last
            };
            let loaded = self.part(names, part, tail)?;
            if loaded != Loaded::Nothing {
                let ns = server.clock.now().monotonic_ns - started.monotonic_ns;
                let kind = if is_base { "base" } else { "incr" };
                info!(
                    "DB loaded from {kind} file {}: {:.3} seconds",
                    part.shown(),
                    ns as f64 / 1e9
                );
                result = loaded;
            }
        }
        Ok(result)
    }

    /// Loads one file.
    fn part(&mut self, names: &Names, part: &Part, tail: Tail) -> Result<Loaded, Refused> {
        let path = part.path(&names.directory);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = opened.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                warn!(
                    "The append log file {} doesn't exist: {}",
                    part.shown(),
                    words(&error)
                );
            } else {
                warn!(
                    "Fatal error: can't open the append log file {} for reading: {}",
                    part.shown(),
                    words(&error)
                );
            }
            Refused::Unusable
        })?;
        if size == 0 {
            return Ok(Loaded::Nothing);
        }
        let is_old_style = part.name == names.basename;
        let (source, offset) = self.preamble(part, &path, file, is_old_style)?;
        let loaded = self.commands(part, &path, tail, AofReader::new(source, offset));
        self.before += size;
        loaded
    }

    /// Loads the snapshot that a file begins with, if it does; what follows, and where that begins.
    fn preamble(
        &self,
        part: &Part,
        path: &Path,
        mut file: File,
        is_old_style: bool,
    ) -> Result<(Box<dyn BufRead>, u64), Refused> {
        let mut signature = [0; 5];
        let has_one = file.read_exact(&mut signature).is_ok() && &signature == b"REDIS";
        file.seek(SeekFrom::Start(0)).map_err(|error| {
            warn!(
                "Unrecoverable error reading the append only file {}: {}",
                part.shown(),
                words(&error)
            );
            Refused::Unusable
        })?;
        if !has_one {
            return Ok((Box::new(BufReader::with_capacity(BUFFER, file)), 0));
        }
        let kind = if is_old_style {
            info!("Reading RDB preamble from AOF file...");
            "RDB preamble of the AOF file"
        } else {
            info!("Reading RDB base file on AOF loading...");
            "RDB base file"
        };
        let (server, engine) = (&self.shared.server, &self.shared.engine);
        let source = Source {
            before: self.before,
            size: file.metadata().ok().map(|metadata| metadata.len()),
            expired: Expired::Keep,
            present: Present::Refuse,
        };
        match load_stream(server, engine, file, source) {
            Ok(streamed) => {
                if is_old_style {
                    info!("Reading the remaining AOF tail...");
                }
                let offset = streamed.loaded.progress.bytes;
                let rest = io::Cursor::new(streamed.ahead).chain(streamed.source);
                Ok((Box::new(BufReader::with_capacity(BUFFER, rest)), offset))
            }
            Err(LoadError::Aborted) => Err(Refused::Ended),
            Err(error) => {
                explain(&FileError::Load(error), path);
                warn!(
                    "Error reading the {kind} {}, AOF loading aborted",
                    part.shown()
                );
                Err(Refused::Unusable)
            }
        }
    }

    /// Runs the commands of a file.
    fn commands(
        &mut self,
        part: &Part,
        path: &Path,
        tail: Tail,
        mut reader: AofReader<Box<dyn BufRead>>,
    ) -> Result<Loaded, Refused> {
        let server = &self.shared.server;
        let stop = match self.run_all(&mut reader) {
            Ok(()) => return Ok(Loaded::Whole),
            Err(stop) => stop,
        };
        let valid_up_to = match stop {
            Stop::Ended => return Err(Refused::Ended),
            Stop::Unknown(name) => {
                warn!(
                    "Unknown command '{}' reading the append only file {}",
                    String::from_utf8_lossy(&name),
                    part.shown()
                );
                return Err(Refused::Unusable);
            }
            Stop::Damaged(error) => {
                warn!("{error}");
                warn!(
                    "Bad file format reading the append only file {}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>",
                    part.shown()
                );
                return Err(Refused::Unusable);
            }
            Stop::CutOff(valid_up_to) => valid_up_to,
        };
        if server.config.read().read(directive::AOF_LOAD_TRUNCATED) {
            warn!(
                "!!! Warning: short read while loading the AOF file {}!!!",
                part.shown()
            );
            if tail == Tail::Followed {
                warn!(
                    "The AOF {} is whole up to offset {valid_up_to} only, and other files go on from its end",
                    part.shown()
                );
                warn!("Fatal error: the truncated file is not the last file");
                return Err(Refused::Unusable);
            }
            warn!(
                "!!! Truncating the AOF {} at offset {valid_up_to} !!!",
                part.shown()
            );
            match cut_off(&*server.persistence.disk, path, valid_up_to) {
                Ok(()) => {
                    warn!(
                        "AOF {} loaded anyway because aof-load-truncated is enabled",
                        part.shown()
                    );
                    return Ok(Loaded::CutOff);
                }
                Err(error) => warn!(
                    "Error truncating the AOF file {}: {}",
                    part.shown(),
                    words(&error)
                ),
            }
        }
        warn!(
            "Unexpected end of file reading the append only file {}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.",
            part.shown()
        );
        Err(Refused::Unusable)
    }

    fn run_all(&mut self, reader: &mut AofReader<Box<dyn BufRead>>) -> Result<(), Stop> {
        let mut session = session(&self.shared.server);
        let mut progress = Progress {
            valid_up_to: reader.offset(),
            before_multi: reader.offset(),
            commands: 0,
        };
        let ran = loop {
            let item = match reader.next_item() {
                Ok(item) => item,
                Err(error) if error.is_cut_off() => break Err(Stop::CutOff(progress.valid_up_to)),
                Err(error) => break Err(Stop::Damaged(error)),
            };
            match item {
                None => break Ok(()),
                Some(AofItem::Annotation(_)) => {}
                Some(AofItem::Command(words)) => {
                    if let Err(stop) = self.run(&mut session, words, &mut progress) {
                        break Err(stop);
                    }
                }
            }
            progress.valid_up_to = reader.offset();
            if progress.commands.is_multiple_of(LOOK_EVERY) && !self.goes_on(progress.valid_up_to) {
                break Err(Stop::Ended);
            }
        };
        self.executor.end_batch();
        let in_transaction = session.transaction.is_some();
        while let Some(busy) = self.executor.part(&mut session) {
            busy.block();
        }
        match ran {
            Ok(()) | Err(Stop::CutOff(_)) if in_transaction => {
                warn!("Revert incomplete MULTI/EXEC transaction in AOF file");
                Err(Stop::CutOff(progress.before_multi))
            }
            ran => ran,
        }
    }

    fn run(
        &mut self,
        session: &mut Session,
        words: Words<'_>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let argv: Vec<&[u8]> = words.iter().collect();
        let engine = &self.shared.engine;
        if engine.registry.find(&argv).is_err() {
            return Err(Stop::Unknown(words.name().to_vec()));
        }
        let was_in_transaction = session.transaction.is_some();
        replay(&mut self.executor, session, &argv);
        if !was_in_transaction && session.transaction.is_some() {
            progress.before_multi = progress.valid_up_to;
        }
        progress.commands += 1;
        let asked = &self.shared.server.persistence.delays.load;
        let server = &self.shared.server;
        delay(asked, progress.commands, || runs(server));
        Ok(())
    }

    /// Shows how far it has come; whether the server is not told to end.
    fn goes_on(&mut self, offset: u64) -> bool {
        self.executor.end_batch();
        let figures = &self.shared.server.persistence.load;
        figures.loaded.store(self.before + offset, Relaxed);
        runs(&self.shared.server)
    }
}

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Cuts a file off for good: what goes into a later file may be on disk before anything else is done to this one.
fn cut_off(disk: &dyn Disk, path: &Path, length: u64) -> io::Result<()> {
    let file = disk.open(path)?;
    file.truncate(length)?;
    file.sync()
}

fn runs(server: &Server) -> bool {
    *server.shutdown.watch().borrow() == ServerStage::Running
}

/// A session that is nobody's.
fn session(server: &Server) -> Session {
    let peer = Peer {
        addr: String::new(),
        laddr: String::new(),
        fd: -1,
        unix: false,
        tls: None,
    };
    let client = Client::new(0, peer, server.clock.now().ms());
    let mut session = Session::new(Arc::new(client), true);
    session.replays = true;
    session
}

/// Runs a call to its end, however often it has to be tried.
fn replay(executor: &mut Executor, session: &mut Session, argv: &[&[u8]]) {
    loop {
        match executor.call(session, argv) {
            Step::Wait(Wait::Shard(busy)) => busy.block(),
            Step::Wait(Wait::World { changed, .. }) => {
                use event_listener::Listener;
                changed.wait();
            }
            Step::Yield => {}
            // What remains waits for nothing here: nobody blocks, and the host is not asked.
            _ => break,
        }
    }
    session.out.clear();
}
