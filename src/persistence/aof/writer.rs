//! The thread that writes the log into the append-only file.
//!
//! 1. It reads the log by cursor and writes what it has read with no lock held. What is not for the file (questions to
//!    replicas, published messages) it leaves out.
//! 2. `always`: what was written is brought to the disk before the gate lets replies pass: all connections that wait share
//!    one write. Else the gate follows the writes, and is open while another thread brings them to the disk, as in Redis
//!    7.2, which does not wait for a write either then.
//! 3. At a cut the file changes: the bytes before it belong to the old file, those behind it to the new one. The cut says so
//!    with every shard held, before there is anything behind it.
//! 4. When the disk fails, `always` ends the server; else writes are refused until what is left could be written.

mod sync;
mod translate;

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use bytes::Bytes;
use config::choices::AppendFsync;
use log::Reader;
use tracing::{info, warn};

use self::sync::Syncer;
use self::translate::Translation;
use super::Aof;
use crate::net::Shared;
use crate::persistence::disk::DiskFile;
use crate::process::words;

/// What the thread is told.
pub(super) enum Order {
    /// Write what this reader reads into this file.
    Begin(Beginning),
    /// From now on replies wait for the file. Answered when they do.
    HoldBack(SyncSender<()>),
    /// Write everything that is there and bring it to the disk. Answered when it is.
    Settle(SyncSender<Result<(), String>>),
    /// Do that and close the file. Answered when it is closed.
    Stop(SyncSender<()>),
    /// Drop the file, of which nothing is wanted any more. Answered when it is closed.
    Drop(SyncSender<()>),
    /// End.
    End,
}

/// A file to be written.
pub(super) struct Beginning {
    pub(super) reader: Reader,
    pub(super) file: Box<dyn DiskFile>,
    /// Its bytes.
    pub(super) size: u64,
    /// The database that the log has selected where the reader begins, if it does not say so itself.
    pub(super) db: Option<u16>,
}

/// The file changes at this place of the log.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) at: u64,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) db: Option<u16>,
}

/// The thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    waker: Waker,
    syncer: Syncer,
    current: Option<Current>,
    /// Whether replies wait for the file.
    holds_back: bool,
    failure: Option<Failure>,
    /// When an error was last entered into the log of the process, in Unix seconds.
    told_s: i64,
}

/// The file that is being written.
struct Current {
    reader: Reader,
    file: Arc<dyn DiskFile>,
    /// Its bytes.
    size: u64,
    /// Of those, the bytes that are on disk or on their way.
    synced_size: u64,
    translation: Translation,
    /// What is to be written.
    pending: Vec<u8>,
    /// The offset of the log up to which everything is written.
    written: u64,
    /// When it was last brought to the disk, on the monotonic clock.
    synced_ns: u64,
    /// While the file before this one is being brought to the disk, until when nothing is written into this one.
    held_until_ns: Option<u64>,
}

/// Writing has failed.
struct Failure {
    /// When to try again, on the monotonic clock.
    retry_ns: u64,
}

/// Wakes the thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Bytes of the log read at a time.
const READ_MAX: usize = 1 << 20;
/// Room for what is to be written that is kept.
const PENDING_KEPT: usize = 64 << 10;
/// Seconds between two lines about the same trouble (AOF_WRITE_LOG_ERROR_RATE, Redis 7.2).
const TOLD_APART_S: i64 = 30;
/// Nanoseconds until a write that failed is tried again.
const RETRY_NS: u64 = 100_000_000;
/// Nanoseconds from one time that a file is brought to the disk to the next.
const SYNC_EVERY_NS: u64 = 1_000_000_000;
/// Nanoseconds for which nothing is written into a file because the one before it is not on disk yet.
const HELD_MAX_NS: u64 = 1_000_000_000;

impl Writer {
    /// The thread's state. It must be made on the thread.
    pub(super) fn new(shared: Arc<Shared>, orders: Receiver<Order>) -> io::Result<Self> {
        let thread = std::thread::current();
        Ok(Self {
            syncer: Syncer::start(Arc::clone(&shared), thread.clone())?,
            shared,
            orders,
            waker: Waker::from(Arc::new(Unpark(thread))),
            current: None,
            holds_back: false,
            failure: None,
            told_s: 0,
        })
    }

    /// Runs until it is told to end.
    pub(super) fn run(mut self) {
        loop {
            match self.orders.try_recv() {
                Ok(Order::End) | Err(TryRecvError::Disconnected) => break,
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => {
                    if !self.work() {
                        self.sleep();
                    }
                }
            }
        }
        self.stop();
        self.syncer.end();
    }

    fn aof(&self) -> &Aof {
        &self.shared.server.persistence.aof
    }

    fn obey(&mut self, order: Order) {
        // Whoever waits for an answer may have gone.
        match order {
            Order::Begin(beginning) => self.begin(beginning),
            Order::HoldBack(done) => {
                // The log of the process says what is wrong.
                let _ = self.settle();
                self.holds_back = true;
                let engine = &self.shared.engine;
                let passed = self.passed();
                engine.hold_replies_back(Some(passed));
                self.let_pass();
                let _ = done.send(());
            }
            Order::Settle(done) => {
                let _ = done.send(self.settle());
            }
            Order::Stop(done) => {
                self.stop();
                let _ = done.send(());
            }
            Order::Drop(done) => {
                self.release();
                let _ = done.send(());
            }
            Order::End => {}
        }
    }

    fn begin(&mut self, beginning: Beginning) {
        let Beginning {
            reader,
            file,
            size,
            db,
        } = beginning;
        let written = reader.at();
        self.syncer.drain();
        self.aof().synced.store(written, Relaxed);
        self.current = Some(Current {
            translation: Translation::new(written, db),
            reader,
            file: Arc::from(file),
            size,
            synced_size: size,
            pending: Vec::new(),
            written,
            synced_ns: self.shared.server.clock.now().monotonic_ns,
            held_until_ns: None,
        });
        self.recover();
        self.show();
    }

    /// Reads, writes and brings to the disk what there is; whether there may be more.
    fn work(&mut self) -> bool {
        if self.current.is_none() || self.is_patient() {
            return false;
        }
        let took = self.take();
        let wrote = !self.is_held() && self.write();
        let rotated = wrote && self.rotate();
        self.sync();
        self.let_pass();
        rotated || took && wrote
    }

    /// Whether a write that failed is not to be tried again yet.
    fn is_patient(&self) -> bool {
        let now_ns = self.shared.server.clock.now().monotonic_ns;
        let failure = self.failure.as_ref();
        failure.is_some_and(|failure| now_ns < failure.retry_ns)
    }

    /// Whether nothing is to be written yet, for after a power cut a file cannot be loaded when one before it lacks its end.
    fn is_held(&mut self) -> bool {
        let now_ns = self.shared.server.clock.now().monotonic_ns;
        let is_busy = self.syncer.is_busy();
        let Some(current) = &mut self.current else {
            return false;
        };
        let held_until_ns = &mut current.held_until_ns;
        *held_until_ns = held_until_ns.filter(|until_ns| is_busy && now_ns < *until_ns);
        held_until_ns.is_some()
    }

    /// Takes what the log has; whether there was anything.
    fn take(&mut self) -> bool {
        let aof = &self.shared.server.persistence.aof;
        let Some(current) = &mut self.current else {
            return false;
        };
        if !current.pending.is_empty() {
            return true;
        }
        let mut pieces: Vec<Bytes> = Vec::new();
        current.reader.read(READ_MAX, &mut pieces);
        for piece in &pieces {
            current.translation.feed(piece);
        }
        // Looked at after reading: what was read may lie behind a cut that was made meanwhile.
        let cut = aof.rotation.lock().as_ref().map(|rotation| rotation.at);
        let stamp = aof
            .settings
            .timestamps
            .load(Relaxed)
            .then(|| self.shared.server.now_s());
        current
            .translation
            .translate(cut, stamp, &mut current.pending);
        !pieces.is_empty()
    }

    /// Writes what was taken; whether nothing is left.
    fn write(&mut self) -> bool {
        let aof = &self.shared.server.persistence.aof;
        let Some(current) = &mut self.current else {
            return true;
        };
        if current.pending.is_empty() {
            current.written = current.translation.taken();
            aof.figures.written.store(current.written, Relaxed);
            return true;
        }
        let delay_us = aof.settings.flush_delay_us.load(Relaxed);
        if delay_us > 0 {
            std::thread::sleep(Duration::from_micros(delay_us));
        }
        let started_ns = self.shared.server.clock.now().monotonic_ns;
        if self.syncer.is_late(started_ns) {
            aof.figures.delayed_syncs.fetch_add(1, Relaxed);
            info!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis."
            );
        }
        let written = write_whole(&*current.file, current.size, &mut current.pending);
        current.size += written.bytes;
        let spent_ns = self.shared.server.clock.now().monotonic_ns - started_ns;
        let situation = if self.syncer.is_busy() {
            "aof-write-pending-fsync"
        } else if self.shared.engine.snapshots.progress().is_some() {
            "aof-write-active-child"
        } else {
            "aof-write-alone"
        };
        for event in [situation, "aof-write"] {
            self.note_latency(event, spent_ns);
        }
        match written.error {
            None => {
                if let Some(current) = &mut self.current {
                    current.written = current.translation.taken();
                    current.pending.shrink_to(PENDING_KEPT);
                }
                self.recover();
                self.show();
                true
            }
            Some(error) => {
                self.fail(&error, written.left);
                false
            }
        }
    }

    fn note_latency(&self, event: &'static str, spent_ns: u64) {
        let server = &self.shared.server;
        self.shared
            .engine
            .note_latency(event, spent_ns, server.now_s());
    }

    /// Changes the file if the cut is reached; whether it was.
    fn rotate(&mut self) -> bool {
        let Some(current) = &mut self.current else {
            return false;
        };
        let aof = &self.shared.server.persistence.aof;
        let rotation = aof
            .rotation
            .lock()
            .take_if(|rotation| rotation.at <= current.translation.taken());
        let Some(Rotation { file, db, .. }) = rotation else {
            return false;
        };
        let old = mem::replace(&mut current.file, Arc::from(file));
        let (written, unsynced) = (current.written, current.size > current.synced_size);
        (current.size, current.synced_size) = (0, 0);
        current.translation.restart(db);
        match aof.settings.policy() {
            AppendFsync::Always if unsynced => self.sync_now(&*old, written),
            // Brought to the disk like the file that is being written, and then closed.
            AppendFsync::Everysec | AppendFsync::No if unsynced => {
                let now_ns = self.shared.server.clock.now().monotonic_ns;
                current.held_until_ns = Some(now_ns + HELD_MAX_NS);
                self.syncer.push(old, written);
            }
            _ => {}
        }
        self.show();
        true
    }

    /// Brings to the disk what is to be there by now.
    fn sync(&mut self) {
        let (server, engine) = (&self.shared.server, &self.shared.engine);
        let settings = &server.persistence.aof.settings;
        let Some(current) = &mut self.current else {
            return;
        };
        let rewriting = || engine.snapshots.progress().is_some();
        let has_failed = self.syncer.has_failed();
        if current.size == current.synced_size && !has_failed {
            // What came since was not for the file.
            let written = current.written;
            let aof = &server.persistence.aof;
            if !self.syncer.is_busy() && aof.synced.load(Relaxed) < written {
                aof.note_synced(engine, written);
            }
            return;
        }
        if settings.no_sync_on_rewrite.load(Relaxed) && rewriting() {
            return;
        }
        let now_ns = server.clock.now().monotonic_ns;
        let is_due = now_ns - current.synced_ns >= SYNC_EVERY_NS && !self.syncer.is_busy();
        match settings.policy() {
            AppendFsync::Always => {
                let (file, written) = (Arc::clone(&current.file), current.written);
                current.synced_size = current.size;
                current.synced_ns = now_ns;
                self.sync_now(&*file, written);
            }
            AppendFsync::Everysec | AppendFsync::No
                if is_due && (has_failed || settings.policy() == AppendFsync::Everysec) =>
            {
                current.synced_size = current.size;
                current.synced_ns = now_ns;
                let (file, written) = (Arc::clone(&current.file), current.written);
                self.syncer.push(file, written);
            }
            AppendFsync::Everysec | AppendFsync::No => {}
        }
    }

    fn sync_now(&self, file: &dyn DiskFile, written: u64) {
        let clock = &self.shared.server.clock;
        let started_ns = clock.now().monotonic_ns;
        if let Err(error) = file.sync() {
            warn!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. Exiting...",
                words(&error)
            );
            std::process::exit(1);
        }
        self.note_latency("aof-fsync-always", clock.now().monotonic_ns - started_ns);
        self.forget_sync_failure();
        self.aof().note_synced(&self.shared.engine, written);
    }

    /// Bringing files to the disk works again, or does not matter any more.
    fn forget_sync_failure(&self) {
        if self.syncer.take_failure() {
            self.aof().note_sync_error(&self.shared.engine, None);
        }
    }

    /// The offset up to which replies may reveal what was written.
    fn passed(&self) -> u64 {
        let Some(current) = &self.current else {
            return u64::MAX;
        };
        let is_strict = self.aof().settings.policy() == AppendFsync::Always;
        if self.failure.is_some() || self.syncer.is_busy() && !is_strict {
            return u64::MAX;
        }
        current.written
    }

    /// Lets replies pass.
    fn let_pass(&self) {
        if self.holds_back {
            self.shared.engine.gate.pass(self.passed());
        }
    }

    /// Writing has failed.
    fn fail(&mut self, error: &io::Error, left: Option<io::Error>) {
        let server = &self.shared.server;
        let now_s = server.now_s();
        if now_s - self.told_s > TOLD_APART_S {
            self.told_s = now_s;
            warn!("Error writing to the AOF file: {}", words(error));
            if let Some(error) = left {
                warn!(
                    "Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: {}",
                    words(&error)
                );
            }
        }
        if self.aof().settings.policy() == AppendFsync::Always {
            warn!(
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
            );
            std::process::exit(1);
        }
        let retry_ns = server.clock.now().monotonic_ns + RETRY_NS;
        self.failure = Some(Failure { retry_ns });
        self.aof()
            .note_write_error(&self.shared.engine, Some(words(error)));
    }

    /// Writing works.
    fn recover(&mut self) {
        if self.failure.take().is_some() {
            info!("AOF write error looks solved, Redis can write again.");
            self.aof().note_write_error(&self.shared.engine, None);
        }
    }

    /// Writes everything that is there and brings it to the disk.
    fn settle(&mut self) -> Result<(), String> {
        while self.work() || self.is_held() {
            self.syncer.drain();
        }
        self.syncer.drain();
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        if self.failure.is_some() {
            return Err("it cannot be written".to_owned());
        }
        current.file.sync().map_err(|error| words(&error))?;
        current.synced_size = current.size;
        current.synced_ns = self.shared.server.clock.now().monotonic_ns;
        let written = current.written;
        self.aof().note_synced(&self.shared.engine, written);
        self.let_pass();
        Ok(())
    }

    fn stop(&mut self) {
        if self.current.is_some()
            && let Err(error) = self.settle()
        {
            warn!("Fail to fsync the AOF file: {error}");
        }
        self.release();
    }

    fn release(&mut self) {
        self.syncer.drain();
        self.current = None;
        self.failure = None;
        self.aof().rotation.lock().take();
        self.aof().note_write_error(&self.shared.engine, None);
        self.forget_sync_failure();
        if mem::take(&mut self.holds_back) {
            self.shared.engine.hold_replies_back(None);
        }
        self.show();
    }

    /// Lets INFO know.
    fn show(&self) {
        let figures = &self.aof().figures;
        let size = self.current.as_ref().map_or(0, |current| current.size);
        figures.increment_size.store(size, Relaxed);
        let written = self.current.as_ref().map(|current| current.written);
        figures.written.store(written.unwrap_or(u64::MAX), Relaxed);
    }

    fn sleep(&mut self) {
        if let Some(current) = &mut self.current
            && self.failure.is_none()
        {
            let mut pieces = Vec::new();
            let cx = Context::from_waker(&self.waker);
            if current
                .reader
                .poll_read(&cx, READ_MAX, &mut pieces)
                .is_ready()
            {
                for piece in &pieces {
                    current.translation.feed(piece);
                }
                return;
            }
            let policy = self.shared.server.persistence.aof.settings.policy();
            let is_synced = current.size == current.synced_size || policy == AppendFsync::No;
            if is_synced && current.held_until_ns.is_none() && !self.syncer.has_failed() {
                return std::thread::park();
            }
        }
        match self.current {
            None => std::thread::park(),
            // The second is over, or the write is to be tried again.
            Some(_) => std::thread::park_timeout(Duration::from_nanos(RETRY_NS)),
        }
    }
}

/// What a write came to.
struct Written {
    /// Bytes that are in the file now.
    bytes: u64,
    error: Option<io::Error>,
    /// Why a part that was written before the error could not be taken back.
    left: Option<io::Error>,
}

/// Appends `pending` to a file of so many bytes, whole or not at all: `pending` is what is left.
fn write_whole(file: &dyn DiskFile, size: u64, pending: &mut Vec<u8>) -> Written {
    let mut done = 0;
    let error = loop {
        let rest = pending.get(done..).unwrap_or_default();
        if rest.is_empty() {
            pending.clear();
            return Written {
                bytes: done as u64,
                error: None,
                left: None,
            };
        }
        match file.append(rest) {
            Ok(0) => break io::ErrorKind::WriteZero.into(),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    let left = if done > 0 {
        file.truncate(size).err()
    } else {
        None
    };
    if left.is_some() {
        pending.drain(..done);
    } else {
        done = 0;
    }
    Written {
        bytes: done as u64,
        error: Some(error),
        left,
    }
}
