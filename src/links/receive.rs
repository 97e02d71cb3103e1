//! Taking over the primary's dataset: the snapshot is received into a file or straight into the keyspace.
//!
//! 1. `repl-diskless-load disabled` writes a file first and loads it then; the old dataset is there until that begins.
//! 2. `flush-before-load`, and `on-empty-db` where there is nothing to lose, load from the socket.
//! 3. `swapdb` loads from the socket into a keyspace beside, and exchanges the two in one instant.
//! 4. A load runs on a thread of its own. It ends when its source does, and leaves nothing half-done visible.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use config::choices::DisklessLoad;
use config::directive;
use engine::loading::{Expired, LoadObserver, LoadProgress, LoadTerms, Pace, Present, load};
use engine::{Engine, Layout, World, keyspace};
use persist::Checksums;
use replication::{Place, SnapshotEnd, Transfer, TransferForm};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::dial::Uplink;
use super::follow::{Link, LinkError, periodic};
use crate::net::Shared;
use crate::persistence;
use crate::replication::{LinkPhase, Target, random_id};

/// What snapshot is to come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Snapshot {
    /// That of this place.
    At(Place),
    /// That of this place, over a connection of its own: nothing comes behind it.
    Apart(SnapshotEnd),
    /// That of no place that the primary would know again (SYNC).
    Nowhere,
}

/// A load that was begun.
#[derive(Debug)]
pub(super) struct Loading(oneshot::Receiver<Result<u16, String>>);

impl Loading {
    /// Waits until it has ended, which it does soon once its source has.
    pub(super) async fn end(self) {
        let _whatever_it_came_to = self.0.await;
    }
}

/// How the snapshot gets into the keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    File,
    Socket,
    Beside,
}

/// Pieces that wait for the loader before the socket does.
const PIECES: usize = 16;
/// Room that is made for a read.
const ROOM: usize = 64 * 1024;
/// How long it is until another look at whether an aborted snapshot has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the primary is shown that we live while a load keeps us busy.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

impl Link {
    /// Receives and loads the snapshot; what came behind it is the beginning of the stream.
    pub(super) async fn synchronise(
        &mut self,
        target: &Target,
        uplink: &mut Uplink,
        ahead: BytesMut,
        snapshot: Snapshot,
    ) -> Result<BytesMut, LinkError> {
        let now_ms = self.now_ms();
        self.update(target, |upstream| {
            upstream.phase = LinkPhase::Sync;
            upstream.received = 0;
            upstream.total = None;
            upstream.piece_ms = now_ms;
        });
        let mut transfer = Transfer::new(&ahead);
        self.await_preamble(target, uplink, &mut transfer).await?;
        let way = self.way();
        let into = match (way, transfer.form()) {
            (Way::File, _) => "to disk",
            _ => "to parser",
        };
        let total = match transfer.form() {
            Some(TransferForm::Sized(total)) => {
                info!("MASTER <-> REPLICA sync: receiving {total} bytes from master {into}");
                Some(total)
            }
            _ => {
                info!(
                    "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF {into}"
                );
                None
            }
        };
        self.update(target, |upstream| upstream.total = total);
        let db = match way {
            Way::File => {
                self.through_file(target, uplink, &mut transfer, snapshot)
                    .await?
            }
            Way::Socket | Way::Beside => {
                self.through_socket(target, uplink, &mut transfer, snapshot, way)
                    .await?
            }
        };
        self.db = db;
        info!("MASTER <-> REPLICA sync: Finished with success");
        Ok(transfer.into_rest())
    }

    /// How the snapshot is to be loaded.
    fn way(&self) -> Way {
        match self
            .shared
            .server
            .config
            .read()
            .read(directive::REPL_DISKLESS_LOAD)
        {
            DisklessLoad::Disabled => Way::File,
            DisklessLoad::Swapdb => Way::Beside,
            DisklessLoad::FlushBeforeLoad => Way::Socket,
            DisklessLoad::OnEmptyDb if is_empty(&self.shared.engine) => Way::Socket,
            DisklessLoad::OnEmptyDb => Way::File,
        }
    }

    async fn await_preamble(
        &self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
    ) -> Result<(), LinkError> {
        loop {
            // A piece that is there already is taken when the loader is ready for it.
            if transfer.form().is_some() {
                return Ok(());
            }
            transfer.read_form().map_err(LinkError::Transfer)?;
            if transfer.form().is_none() {
                self.read(target, uplink, transfer).await?;
            }
        }
    }

    /// Reads what has arrived of the snapshot.
    async fn read(
        &self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
    ) -> Result<(), LinkError> {
        let buffer = transfer.buffer();
        buffer.reserve(ROOM);
        let read = uplink.read_buf(buffer);
        match self.in_time(LinkPhase::Sync, read).await? {
            Ok(0) => Err(LinkError::Io(
                "I/O error trying to sync with MASTER: connection lost",
                io::ErrorKind::UnexpectedEof.into(),
            )),
            Err(error) => Err(LinkError::Io("trying to sync with MASTER", error)),
            Ok(count) => {
                self.shared
                    .server
                    .replication
                    .counters
                    .input
                    .fetch_add(count as u64, Relaxed);
                let (now_ms, taken) = (self.now_ms(), transfer.taken());
                self.update(target, |upstream| {
                    upstream.heard_ms = now_ms;
                    upstream.piece_ms = now_ms;
                    upstream.received = taken;
                });
                Ok(())
            }
        }
    }

    /// Receives into a file, then loads that.
    async fn through_file(
        &mut self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
        snapshot: Snapshot,
    ) -> Result<u16, LinkError> {
        let path = persistence::rdb_path(&self.shared.server.config.read());
        let temporary = temporary_beside(&path, self.now_ms());
        let received = self
            .receive_file(target, uplink, transfer, &temporary)
            .await;
        if let Err(error) = received {
            let _not_there_perhaps = fs::remove_file(&temporary);
            return Err(error);
        }
        let failed = |error: io::Error| {
            LinkError::Load(format!(
                "Failed trying to rename the temp DB into {} in MASTER <-> REPLICA synchronization: {error}",
                path.display()
            ))
        };
        fs::rename(&temporary, &path).map_err(failed)?;
        let directory = path.parent().map(File::open).transpose();
        let synced = directory.and_then(|directory| directory.map_or(Ok(()), |it| it.sync_all()));
        synced.map_err(|error| {
            LinkError::Load(format!(
                "Failed trying to sync DB directory {} in MASTER <-> REPLICA synchronization: {error}",
                path.display()
            ))
        })?;
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let job = Job::new(&self.shared, target.epoch, snapshot, Way::File, length);
        let (done, loading) = oneshot::channel();
        job.start(file, done)?;
        self.await_loaded(uplink, loading).await
    }

    async fn receive_file(
        &self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
        temporary: &Path,
    ) -> Result<(), LinkError> {
        let failed = |error: io::Error| {
            LinkError::Load(format!(
                "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization: {error}"
            ))
        };
        let mut file = File::create(temporary).map_err(failed)?;
        loop {
            while let Some(piece) = transfer.next_piece().map_err(LinkError::Transfer)? {
                file.write_all(&piece).map_err(failed)?;
            }
            if transfer.is_done() {
                return file.sync_all().map_err(failed);
            }
            self.read(target, uplink, transfer).await?;
        }
    }

    /// Waits for a load, and shows the primary meanwhile that we live.
    async fn await_loaded(
        &mut self,
        uplink: &mut Uplink,
        loading: oneshot::Receiver<Result<u16, String>>,
    ) -> Result<u16, LinkError> {
        let mut signs = periodic(SIGN_OF_LIFE);
        let Loading(loading) = self.loading.insert(Loading(loading));
        let result = loop {
            tokio::select! {
                result = &mut *loading => break result,
                _ = signs.tick() => {
                    let _it_shows_later = uplink.write_all(b"\n").await;
                    let _it_shows_later = uplink.flush().await;
                }
            }
        };
        self.loading = None;
        match result {
            Ok(Ok(db)) => Ok(db),
            Ok(Err(text)) => Err(LinkError::Load(text)),
            Err(_gone) => Err(LinkError::Load("the load ended without a word".to_owned())),
        }
    }

    /// Loads what arrives as it arrives.
    async fn through_socket(
        &mut self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
        snapshot: Snapshot,
        way: Way,
    ) -> Result<u16, LinkError> {
        let total = match transfer.form() {
            Some(TransferForm::Sized(total)) => total,
            _ => 0,
        };
        let job = Job::new(&self.shared, target.epoch, snapshot, way, total);
        let (pieces, source) = mpsc::channel(PIECES);
        let (done, loading) = oneshot::channel();
        job.start(Pieces::new(source), done)?;
        self.loading = Some(Loading(loading));
        let fed = self.feed(target, uplink, transfer, pieces).await;
        let Some(Loading(loading)) = self.loading.take() else {
            return Err(LinkError::Replaced);
        };
        match fed {
            Ok(()) => self.await_loaded(uplink, loading).await,
            Err(error) => {
                // The load fails for lack of bytes: its own error says nothing that this one does not.
                Loading(loading).end().await;
                Err(error)
            }
        }
    }

    async fn feed(
        &self,
        target: &Target,
        uplink: &mut Uplink,
        transfer: &mut Transfer,
        pieces: mpsc::Sender<Bytes>,
    ) -> Result<(), LinkError> {
        let mut signs = periodic(SIGN_OF_LIFE);
        loop {
            while let Some(piece) = transfer.next_piece().map_err(LinkError::Transfer)? {
                let mut sending = std::pin::pin!(pieces.send(piece));
                loop {
                    tokio::select! {
                        biased;
                        // A loader that has given up says why itself.
                        sent = &mut sending => match sent {
                            Ok(()) => break,
                            Err(_) => return Ok(()),
                        },
                        _ = signs.tick() => {
                            let _it_shows_later = uplink.write_all(b"\n").await;
                            let _it_shows_later = uplink.flush().await;
                        }
                    }
                }
            }
            if transfer.is_done() {
                // An empty piece is the end of a snapshot that has come whole.
                let _given_up_perhaps = pieces.send(Bytes::new()).await;
                return Ok(());
            }
            self.read(target, uplink, transfer).await?;
        }
    }
}

fn temporary_beside(path: &Path, now_ms: i64) -> PathBuf {
    let name = format!("temp-{}.{}.rdb", now_ms / 1000, std::process::id());
    path.parent()
        .map_or_else(|| PathBuf::from(&name), |dir| dir.join(&name))
}

fn is_empty(engine: &Engine) -> bool {
    let mut held = engine.take_everything();
    let shards = held.shards();
    shards
        .iter()
        .all(|(_, shard)| (0..shard.databases()).all(|db| shard.db(db).is_empty()))
}

/// Pieces of the snapshot as a reader.
struct Pieces {
    source: mpsc::Receiver<Bytes>,
    piece: Bytes,
    over: bool,
}

impl Pieces {
    fn new(source: mpsc::Receiver<Bytes>) -> Self {
        Self {
            source,
            piece: Bytes::new(),
            over: false,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.over {
            match self.source.blocking_recv() {
                Some(piece) if piece.is_empty() => self.over = true,
                Some(piece) => self.piece = piece,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = self.piece.len().min(buffer.len());
        if let Some(room) = buffer.get_mut(..count) {
            self.piece.copy_to_slice(room);
        }
        Ok(count)
    }
}

/// A load on a thread of its own.
struct Job {
    shared: Arc<Shared>,
    epoch: u64,
    snapshot: Snapshot,
    way: Way,
    length: u64,
}

impl Job {
    fn new(shared: &Arc<Shared>, epoch: u64, snapshot: Snapshot, way: Way, length: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            epoch,
            snapshot,
            way,
            length,
        }
    }

    fn start<R: Read + Send + 'static>(
        self,
        source: R,
        done: oneshot::Sender<Result<u16, String>>,
    ) -> Result<(), LinkError> {
        let spawned = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                let result = self.run(source);
                if let Err(text) = &result {
                    warn!("Failed trying to load the MASTER synchronization DB: {text}");
                }
                // Nobody waits for it when another primary is followed by now.
                let _unheard = done.send(result);
            });
        spawned
            .map(|_thread| ())
            .map_err(|error| LinkError::Load(format!("no thread for the load: {error}")))
    }

    /// Loads; the database that the stream has selected.
    fn run<R: Read>(self, source: R) -> Result<u16, String> {
        let (engine, server) = (&self.shared.engine, &self.shared.server);
        let figures = &server.persistence.load;
        figures.total.store(self.length, Relaxed);
        figures.loaded.store(0, Relaxed);
        let now_s = server.clock.now().unix_us.div_euclid(1_000_000);
        figures.started_s.store(now_s.max(1), Relaxed);
        let result = match self.way {
            Way::Beside => self.load_beside(source),
            Way::File | Way::Socket => self.load_in_place(source),
        };
        figures.started_s.store(0, Relaxed);
        if self.way == Way::File
            && persistence::drops_sync_files(&server.config.read())
            && persistence::remove_rdb(server)
        {
            info!(
                "Removing the RDB file obtained from the master. This replica has persistence disabled"
            );
        }
        if result.is_err() && self.way != Way::Beside {
            engine.change_world(|world| world.loading = false);
        }
        result
    }

    fn terms(&self) -> LoadTerms {
        let world = self.shared.engine.world();
        let config = self.shared.server.config.read();
        LoadTerms {
            expired: Expired::Keep,
            present: Present::Refuse,
            sanitize: world.settings.dumping.sanitize.of_trusted(),
            checksums: if config.read(directive::RDBCHECKSUM) {
                world.settings.dumping.checksums
            } else {
                Checksums::Ignore
            },
            size: (self.length > 0).then_some(self.length),
        }
    }

    fn load_in_place<R: Read>(&self, source: R) -> Result<u16, String> {
        let engine = &self.shared.engine;
        let aof = &self.shared.server.persistence.aof;
        // What is in the file led to another dataset. It begins anew with that of the primary.
        aof.turn_off(engine);
        info!("MASTER <-> REPLICA sync: Flushing old data");
        self.shared.server.replication.lose_place();
        self.shared.server.replication.followers.disconnect_all();
        let _aborted = engine.snapshots.abort();
        {
            let mut held = engine.take_everything();
            keyspace::clear(engine, &mut held);
            let mut world = World::clone(&engine.world());
            world.loading = true;
            engine.replace_world(&mut held, world);
        }
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        let mut observer = Observer::new(self);
        if let Err(error) = load(engine, source, self.terms(), &mut observer) {
            let mut held = engine.take_everything();
            keyspace::clear(engine, &mut held);
            return Err(error.to_string());
        }
        let mut follows = false;
        let place = self.place();
        let backlog = self.shared.server.backlog_size();
        engine.change_world(|world| {
            world.loading = false;
            follows = self
                .shared
                .server
                .replication
                .adopt(engine, world, self.epoch, place, backlog);
        });
        self.finish(follows, observer.stream_db)
    }

    /// Loads into a keyspace beside, and exchanges it with the present one.
    fn load_beside<R: Read>(&self, source: R) -> Result<u16, String> {
        let engine = &self.shared.engine;
        let world = World::clone(&engine.world());
        let layout = Layout {
            shards: engine.locks.count(),
            databases: world.settings.databases,
            threads: 1,
            seed: engine.seed,
        };
        let beside = Engine::new(layout, world, Arc::clone(&engine.host), &[], &[]);
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        let mut observer = Observer::new(self);
        // Of another history the present dataset is of no use to clients; it is kept only in case the load fails.
        let place = self.place();
        let is_same = self.shared.server.replication.history().id == place.id;
        let set = |world: &mut World, is_loading| {
            if is_same {
                world.async_loading = is_loading;
            } else {
                world.loading = is_loading;
            }
        };
        engine.change_world(|world| set(world, true));
        let loaded = load(&beside, source, self.terms(), &mut observer);
        if let Err(error) = loaded {
            engine.change_world(|world| set(world, false));
            return Err(error.to_string());
        }
        self.shared.server.persistence.aof.turn_off(engine);
        info!("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
        let backlog = self.shared.server.backlog_size();
        let mut held = loop {
            // A snapshot of what goes is of no use to anybody (killRDBChild, Redis 7.2).
            let held = engine.take_everything();
            if !engine.snapshots.abort() {
                break held;
            }
            drop(held);
            std::thread::sleep(PAUSE);
        };
        let mut world = World::clone(&engine.world());
        set(&mut world, false);
        let replication = &self.shared.server.replication;
        let follows = replication.adopt(engine, &mut world, self.epoch, place, backlog);
        if follows {
            let mut other = beside.take_everything();
            keyspace::replace(engine, &mut held, &mut other);
        }
        engine.replace_world(&mut held, world);
        drop(held);
        replication.followers.disconnect_all();
        engine.host.drop_later(Box::new(beside));
        self.finish(follows, observer.stream_db)
    }

    fn finish(&self, follows: bool, db: u16) -> Result<u16, String> {
        if !follows {
            return Err("another primary is followed by now".to_owned());
        }
        let server = &self.shared.server;
        server.persistence.aof.resume(server, &self.shared.engine);
        if matches!(self.snapshot, Snapshot::Nowhere) {
            self.shared.server.replication.lose_place();
        }
        Ok(db)
    }

    fn place(&self) -> Place {
        match self.snapshot {
            Snapshot::At(place) | Snapshot::Apart(SnapshotEnd { place, .. }) => place,
            Snapshot::Nowhere => Place {
                id: random_id(),
                offset: 0,
            },
        }
    }
}

/// Follows a load.
struct Observer<'j> {
    job: &'j Job,
    keys: u64,
    stream_db: u16,
}

impl<'j> Observer<'j> {
    fn new(job: &'j Job) -> Self {
        let stream_db = match job.snapshot {
            Snapshot::Apart(end) => end.db,
            Snapshot::At(_) | Snapshot::Nowhere => 0,
        };
        Self {
            job,
            keys: 0,
            stream_db,
        }
    }

    fn goes_on(&self) -> bool {
        let replication = &self.job.shared.server.replication;
        replication.is_followed(self.job.epoch)
    }
}

impl LoadObserver for Observer<'_> {
    fn aux(&mut self, name: &[u8], value: &[u8]) {
        if name == b"repl-stream-db" {
            let text = String::from_utf8_lossy(value);
            self.stream_db = text.parse().unwrap_or(0);
        }
    }

    fn key(&mut self) -> Pace {
        self.keys += 1;
        let asked = &self.job.shared.server.persistence.delays.load;
        if persistence::delay(asked, self.keys, || self.goes_on()) {
            Pace::Flush
        } else {
            Pace::Batch
        }
    }

    fn progress(&mut self, progress: LoadProgress) -> ControlFlow<()> {
        let figures = &self.job.shared.server.persistence.load;
        figures.loaded.store(progress.bytes, Relaxed);
        if self.goes_on() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}
