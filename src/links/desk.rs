//! Where replicas wait for a snapshot, and where snapshots for them are begun.
//!
//! 1. A replica that needs everything waits here. With `repl-diskless-sync` the snapshot is begun a while after the first
//!    one came (`repl-diskless-sync-delay`), so that others can share it; from a file it is begun at once.
//! 2. The cut is one instant for all who wait: each gets the place of the log and a reader from there on.
//! 3. One is made at a time. Who comes later waits for the next one.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use config::{Config, directive};
use engine::{Executor, Session, World};
use log::Reader;
use persist::RdbVersion;
use replication::Place;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::dump::Dump;
use super::supervise;
use crate::net::Shared;
use crate::persistence;
use crate::replication::{Follower, Phase, Psync};

/// The desk of the links thread.
pub(super) struct Desk {
    pub(super) shared: Arc<Shared>,
    executor: RefCell<Executor>,
    waiting: RefCell<Vec<Applicant>>,
    /// Whether a snapshot is being made.
    is_busy: Arc<AtomicBool>,
    /// Whether it is being written into a file.
    makes_file: Arc<AtomicBool>,
    /// Whether the links are to end.
    is_ending: Cell<bool>,
}

/// A replica that waits.
struct Applicant {
    follower: Arc<Follower>,
    since_ms: i64,
    /// Whether it understands a snapshot of unknown length.
    takes_stream: bool,
    start: oneshot::Sender<Start>,
}

impl Applicant {
    /// The newest form of snapshots that it reads: that of Redis 7.0, unless it says that it is newer.
    fn version(&self) -> RdbVersion {
        let conf = self.follower.conf.lock();
        match conf.version {
            Some((9.., _)) => RdbVersion::V80,
            Some((8, _) | (7, 2..)) => RdbVersion::V11,
            // Some Valkeys tell their version over their other connection only.
            None if conf.rdb_channel => RdbVersion::V11,
            _ => RdbVersion::V10,
        }
    }
}

/// The beginning of a replica's snapshot.
#[derive(Debug)]
pub(super) struct Start {
    /// The place in the history that the snapshot is of.
    pub(super) place: Place,
    /// The database that the stream has selected there.
    pub(super) db: u16,
    /// What comes after it.
    pub(super) reader: Reader,
    pub(super) body: Body,
}

/// How the snapshot comes.
#[derive(Debug)]
pub(super) enum Body {
    /// In pieces, as it is made; an empty one is the end.
    Stream {
        mark: [u8; 40],
        pieces: mpsc::Receiver<Bytes>,
    },
    /// As a file, once it is made.
    File(oneshot::Receiver<(File, u64)>),
}

/// Pieces that wait for a replica before the maker of the snapshot does.
const PIECES: usize = 16;
/// Bytes of a piece, about and at least.
const PIECE: usize = 64 * 1024;
const PIECE_MIN: usize = PIECE / 2;

impl Desk {
    pub(super) fn new(shared: Arc<Shared>, executor: Executor) -> Self {
        Self {
            shared,
            executor: RefCell::new(executor),
            waiting: RefCell::default(),
            is_busy: Arc::default(),
            makes_file: Arc::default(),
            is_ending: Cell::new(false),
        }
    }

    /// Has all links send what their sockets take, and end.
    pub(super) fn close(&self) {
        self.is_ending.set(true);
        for follower in self.shared.server.replication.followers.all() {
            follower.client.inbox.wake();
        }
    }

    /// Whether the links are to end.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// A replica waits for a snapshot.
    pub(super) fn join(&self, follower: &Arc<Follower>, asked: &Psync) -> oneshot::Receiver<Start> {
        let (start, receiver) = oneshot::channel();
        let takes_stream = {
            let conf = follower.conf.lock();
            conf.capabilities.eof && (*asked != Psync::Old || conf.rdb_channel)
        };
        self.waiting.borrow_mut().push(Applicant {
            follower: Arc::clone(follower),
            since_ms: self.shared.server.clock.now().ms(),
            takes_stream,
            start,
        });
        self.shared
            .server
            .replication
            .counters
            .full
            .fetch_add(1, Relaxed);
        self.run();
        receiver
    }

    /// Gives up a file that no replica waits for any more, unless it is one that save points would have made.
    fn give_up_unwanted(&self) {
        let server = &self.shared.server;
        if !self.makes_file.load(Relaxed) || server.persistence.has_save_points() {
            return;
        }
        let all = server.replication.followers.all();
        let waits = |phase| matches!(phase, Phase::Waiting | Phase::Saving);
        if !all.iter().any(|follower| waits(follower.phase())) {
            let _aborted = self.shared.engine.snapshots.abort();
        }
    }

    /// Begins a snapshot if it is time.
    pub(super) fn run(&self) {
        self.give_up_unwanted();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|applicant| !applicant.start.is_closed());
        if waiting.is_empty() || self.is_busy.load(Relaxed) {
            return;
        }
        let (diskless, delay_s, enough) = {
            let config = self.shared.server.config.read();
            let enough = config.read(directive::REPL_DISKLESS_SYNC_MAX_REPLICAS);
            (
                config.read(directive::REPL_DISKLESS_SYNC),
                config.read(directive::REPL_DISKLESS_SYNC_DELAY),
                usize::try_from(enough).unwrap_or(0),
            )
        };
        let diskless = diskless && waiting.iter().all(|applicant| applicant.takes_stream);
        let now_ms = self.shared.server.clock.now().ms();
        let first_ms = waiting.iter().map(|applicant| applicant.since_ms).min();
        let waited_ms = now_ms - first_ms.unwrap_or(now_ms);
        let is_time = !diskless
            || waited_ms >= delay_s.saturating_mul(1000)
            || (enough > 0 && waiting.len() >= enough);
        if is_time {
            let applicants = std::mem::take(&mut *waiting);
            drop(waiting);
            self.begin(applicants, diskless);
        }
    }

    fn begin(&self, applicants: Vec<Applicant>, diskless: bool) {
        let target = if diskless { "replicas sockets" } else { "disk" };
        info!("Starting BGSAVE for SYNC with target: {target}");
        self.is_busy.store(true, Relaxed);
        let (shared, is_busy) = (Arc::clone(&self.shared), Arc::clone(&self.is_busy));
        let makes_file = Arc::clone(&self.makes_file);
        let made = std::thread::Builder::new()
            .name("full-sync".to_owned())
            .spawn(move || {
                let made = if diskless {
                    send_to_all(&shared, applicants)
                } else {
                    make_file(&shared, applicants, &makes_file)
                };
                match made {
                    Ok(()) => info!("Background snapshot for replicas terminated with success"),
                    Err(error) => warn!("Background snapshot for replicas failed: {error}"),
                }
                shared
                    .server
                    .replication
                    .makes_snapshot
                    .store(false, Relaxed);
                is_busy.store(false, Relaxed);
            });
        if let Err(error) = made {
            warn!("Can't make a snapshot for replicas: {error}");
            self.is_busy.store(false, Relaxed);
        }
    }

    /// A replica has told how far it is.
    pub(super) fn acknowledge(&self, follower: &Follower, offset: u64, durable: Option<u64>) {
        let before = follower.acknowledged.fetch_max(offset, Relaxed);
        follower
            .acknowledged_ms
            .store(self.shared.server.clock.now().ms(), Relaxed);
        if !follower.has_acknowledged.swap(true, Relaxed) {
            follower.client.inbox.wake();
        }
        if follower.phase() == Phase::Loading {
            follower.set_phase(Phase::Online);
            info!("Synchronization with replica {} succeeded", follower.name());
            let shared = Arc::clone(&self.shared);
            tokio::task::spawn_local(async move {
                supervise::count_good(&shared, shared.server.clock.now().ms()).await;
            });
        }
        let offset = offset.max(before);
        self.shared
            .engine
            .acks
            .note(&self.shared.engine, follower.client.id, offset, durable);
    }

    /// Looks anew at whether enough replicas keep up.
    pub(super) async fn replicas_changed(&self) {
        let now_ms = self.shared.server.clock.now().ms();
        supervise::count_good(&self.shared, now_ms).await;
    }

    /// Takes everything back that the session of an ended connection left in the shards.
    pub(super) async fn part(&self, session: &mut Session) {
        loop {
            let wait = self.executor.borrow_mut().part(session);
            match wait {
                Some(wait) => wait.await,
                None => break,
            }
        }
    }
}

/// Takes the cut: every replica's place, and what is to be written.
fn cut(shared: &Shared, applicants: &[Applicant]) -> io::Result<(Dump, Vec<(Place, Reader)>)> {
    let (engine, replication) = (&shared.engine, &shared.server.replication);
    let size = shared.server.backlog_size();
    engine.change_world(|world: &mut World| replication.open_backlog(engine, world, size));
    let versions = applicants.iter().map(|applicant| applicant.version());
    let version = versions.min().unwrap_or_default();
    let begun = Dump::begin(shared, applicants.len(), version)?;
    replication.makes_snapshot.store(true, Relaxed);
    Ok(begun)
}

/// Makes the snapshot and hands it to all who wait as it is made.
fn send_to_all(shared: &Shared, applicants: Vec<Applicant>) -> io::Result<()> {
    let (dump, places) = cut(shared, &applicants)?;
    info!(
        "Background RDB transfer started by pid {}",
        std::process::id()
    );
    let mark: [u8; 40] = shared
        .server
        .run_id
        .as_bytes()
        .try_into()
        .map_err(|_| io::Error::other("the run id has no forty digits"))?;
    let mut fan = Fan::default();
    for (applicant, (place, reader)) in applicants.into_iter().zip(places) {
        let (sender, pieces) = mpsc::channel(PIECES);
        let body = Body::Stream { mark, pieces };
        let start = Start {
            place,
            db: dump.stream_db(),
            reader,
            body,
        };
        if applicant.start.send(start).is_ok() {
            fan.senders.push(sender);
        }
        drop(applicant.follower);
    }
    let mut out = dump.write(shared, fan)?;
    out.flush()?;
    out.end();
    Ok(())
}

/// Makes the snapshot as a file and lets all who wait read it. Whether it is at that shows in `makes_file`.
fn make_file(
    shared: &Shared,
    applicants: Vec<Applicant>,
    makes_file: &AtomicBool,
) -> io::Result<()> {
    let (dump, places) = cut(shared, &applicants)?;
    info!("Background saving started by pid {}", std::process::id());
    makes_file.store(true, Relaxed);
    let mut waiting = Vec::new();
    for (applicant, (place, reader)) in applicants.into_iter().zip(places) {
        let (made, receiver) = oneshot::channel();
        let body = Body::File(receiver);
        let start = Start {
            place,
            db: dump.stream_db(),
            reader,
            body,
        };
        if applicant.start.send(start).is_ok() {
            waiting.push(made);
        }
    }
    let path = persistence::rdb_path(&shared.server.config.read());
    let temporary = temporary_beside(&path, &shared.server.config.read());
    let result = write_file(shared, dump, &temporary, &path);
    makes_file.store(false, Relaxed);
    let length = match result {
        Ok(length) => length,
        Err(error) => {
            let _not_there_perhaps = std::fs::remove_file(&temporary);
            return Err(error);
        }
    };
    let drops = shared
        .server
        .config
        .read()
        .read(directive::RDB_DEL_SYNC_FILES);
    let has_sync_file = &shared.server.replication.has_sync_file;
    has_sync_file.store(drops, Relaxed);
    for made in waiting {
        // A replica that has gone wants it no more.
        let _gone = made.send((File::open(&path)?, length));
    }
    Ok(())
}

fn temporary_beside(path: &Path, config: &Config) -> PathBuf {
    let name = format!("temp-{}.rdb", std::process::id());
    path.parent().map_or_else(
        || config.read(directive::DIR).join(&name),
        |dir| dir.join(&name),
    )
}

fn write_file(shared: &Shared, dump: Dump, temporary: &Path, path: &Path) -> io::Result<u64> {
    let file = BufWriter::new(File::create(temporary)?);
    let file = dump.write(shared, file)?.into_inner()?;
    file.sync_all()?;
    let length = file.metadata()?.len();
    std::fs::rename(temporary, path)?;
    Ok(length)
}

/// Hands what is written to several replicas, in pieces. The slowest sets the pace.
#[derive(Default)]
struct Fan {
    senders: Vec<mpsc::Sender<Bytes>>,
    gathered: Vec<u8>,
}

impl Fan {
    fn pass_on(&mut self, piece: &Bytes) {
        self.senders
            .retain(|sender| sender.blocking_send(piece.clone()).is_ok());
    }

    /// Tells all that it was whole.
    fn end(mut self) {
        info!(
            "Diskless rdb transfer, done reading from pipe, {} replicas still up.",
            self.senders.len()
        );
        self.pass_on(&Bytes::new());
    }
}

impl Write for Fan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The writer gathers, too: what comes is mostly as large as a piece.
        if self.gathered.capacity() == 0 {
            self.gathered.reserve_exact(bytes.len().max(PIECE));
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE_MIN {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            let piece = Bytes::from(std::mem::take(&mut self.gathered));
            self.pass_on(&piece);
        }
        if self.senders.is_empty() {
            info!("Diskless rdb transfer, last replica dropped, killing fork child.");
            return Err(io::Error::other("no replica wants it any more"));
        }
        Ok(())
    }
}
