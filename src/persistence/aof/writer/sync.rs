//! The thread that brings files to the disk once a second, while the next writes go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{JoinHandle, Thread};

use tracing::warn;

use crate::net::Shared;
use crate::persistence::disk::DiskFile;
use crate::process::words;

/// The writer's end.
pub(super) struct Syncer {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
    busy: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
    started_ns: u64,
    shared: Arc<Shared>,
}

enum Job {
    /// Bring this file to the disk, into which the log was written up to this offset.
    Sync(Arc<dyn DiskFile>, u64),
    /// Say when everything before is done.
    Drain(std::sync::mpsc::SyncSender<()>),
    End,
}

/// Nanoseconds after which it takes long.
const LATE_NS: u64 = 2_000_000_000;

impl Syncer {
    /// Starts the thread, which wakes the writer after each file.
    pub(super) fn start(shared: Arc<Shared>, writer: Thread) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let busy = Arc::<AtomicU64>::default();
        let failed = Arc::<AtomicBool>::default();
        let (done, server) = (Arc::clone(&busy), Arc::clone(&shared));
        let fails = Arc::clone(&failed);
        let thread = std::thread::Builder::new()
            .name("aof-fsync".to_owned())
            .spawn(move || {
                for job in receiver {
                    match job {
                        Job::Sync(file, written) => {
                            let synced = sync(&server, &*file, written);
                            fails.store(synced.is_err(), Relaxed);
                            done.fetch_sub(1, AcqRel);
                            writer.unpark();
                        }
                        // The writer waits for the answer.
                        Job::Drain(answer) => {
                            let _ = answer.send(());
                        }
                        Job::End => break,
                    }
                }
            })?;
        Ok(Self {
            jobs,
            thread,
            busy,
            failed,
            started_ns: 0,
            shared,
        })
    }

    /// Has a file brought to the disk.
    pub(super) fn push(&mut self, file: Arc<dyn DiskFile>, written: u64) {
        if self.busy.fetch_add(1, AcqRel) == 0 {
            self.started_ns = self.shared.server.clock.now().monotonic_ns;
        }
        self.show();
        // The thread lives as long as this.
        let _ = self.jobs.send(Job::Sync(file, written));
    }

    /// Whether a file is being brought to the disk.
    pub(super) fn is_busy(&self) -> bool {
        self.show() > 0
    }

    /// Whether the last one could not be brought to the disk.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// As [`Syncer::has_failed`], once.
    pub(super) fn take_failure(&self) -> bool {
        self.failed.swap(false, Relaxed)
    }

    /// Whether that takes long; said once for each time.
    pub(super) fn is_late(&mut self, now_ns: u64) -> bool {
        let late = self.is_busy() && now_ns.saturating_sub(self.started_ns) > LATE_NS;
        if late {
            self.started_ns = now_ns;
        }
        late
    }

    /// Waits until everything is on the disk that was to be.
    pub(super) fn drain(&self) {
        let (answer, done) = sync_channel(1);
        if self.jobs.send(Job::Drain(answer)).is_ok() {
            // Without the thread there is nothing to wait for.
            let _ = done.recv();
        }
        self.show();
    }

    /// Ends the thread.
    pub(super) fn end(self) {
        let _ = self.jobs.send(Job::End);
        if self.thread.join().is_err() {
            warn!("A thread has panicked");
        }
    }

    fn show(&self) -> u64 {
        let busy = self.busy.load(Acquire);
        let figures = &self.shared.server.persistence.aof.figures;
        figures.pending_syncs.store(busy, Relaxed);
        busy
    }
}

/// The log of the process says what fails.
fn sync(shared: &Shared, file: &dyn DiskFile, written: u64) -> io::Result<()> {
    let aof = &shared.server.persistence.aof;
    let synced = file.sync();
    match &synced {
        Ok(()) => {
            aof.note_sync_error(&shared.engine, None);
            aof.note_synced(&shared.engine, written);
        }
        Err(error) => {
            warn!("Fail to fsync the AOF file: {}", words(error));
            aof.note_sync_error(&shared.engine, Some(words(error)));
        }
    }
    synced
}
