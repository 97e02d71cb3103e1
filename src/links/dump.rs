//! The dataset as it was at one instant, as an RDB stream for replicas.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use config::choices::MaxmemoryPolicy;
use config::directive;
use engine::snapshot::{Busy, Snapshot, SnapshotError, SnapshotObserver};
use log::Reader;
use persist::{Checksums, Compression, FileInfo, RdbVersion, RdbWriter};
use replication::Place;

use crate::net::Shared;
use crate::persistence;
use crate::server::Stage;

/// A cut that is to be written.
pub(super) struct Dump {
    snapshot: Snapshot,
    version: RdbVersion,
    place: Option<Place>,
    stream_db: i64,
}

/// How long it is until another look at whether the snapshot under way has ended.
const PAUSE: Duration = Duration::from_millis(20);

impl Dump {
    /// Takes the cut once no other snapshot is under way; the places of so many replicas are of the same instant.
    ///
    /// # Errors
    /// The dataset cannot be told in a form that the replicas read, or the server is ending.
    pub(super) fn begin(
        shared: &Shared,
        replicas: usize,
        readable: RdbVersion,
    ) -> io::Result<(Self, Vec<(Place, Reader)>)> {
        let (engine, replication) = (&*shared.engine, &shared.server.replication);
        let places = || -> (Vec<_>, i64) {
            let places = (0..replicas).map(|_| replication.place_of_cut(engine));
            (places.collect(), replication.stream_db(engine))
        };
        let (snapshot, (places, stream_db)) = loop {
            match Snapshot::begin(engine, places) {
                Ok(begun) => break begun,
                Err(Busy) if is_ending(shared) => {
                    return Err(io::Error::other("the server is ending"));
                }
                Err(Busy) => std::thread::sleep(PAUSE),
            }
        };
        let needed = snapshot.version();
        if needed > readable && needed == RdbVersion::V80 {
            snapshot.give_up(engine);
            return Err(io::Error::other(
                "fields of hashes have deadlines, which a replica does not know: it must be a Cuirass or Valkey 9",
            ));
        }
        let dump = Self {
            version: needed.min(readable),
            place: places.first().map(|(place, _)| *place),
            snapshot,
            stream_db,
        };
        Ok((dump, places))
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of `out`; and the snapshot may be aborted.
    pub(super) fn write<W: io::Write>(self, shared: &Shared, out: W) -> io::Result<W> {
        let server = &shared.server;
        let (compression, checksums, is_access_kept) = {
            let config = server.config.read();
            let compression = if config.read(directive::RDBCOMPRESSION) {
                Compression::Lzf
            } else {
                Compression::None
            };
            let checksums = if config.read(directive::RDBCHECKSUM) {
                Checksums::Verify
            } else {
                Checksums::Ignore
            };
            let policy = config.read(directive::MAXMEMORY_POLICY);
            (
                compression,
                checksums,
                policy != MaxmemoryPolicy::NoEviction,
            )
        };
        let id = self.place.map(|place| place.id.to_string());
        let info = FileInfo {
            redis_version: config::REDIS_VERSION,
            created: self.snapshot.now().unix_us.div_euclid(1_000_000),
            used_memory: alloc::used_memory() as u64,
            replication: self
                .place
                .zip(id.as_deref())
                .map(|(place, id)| persist::Replication {
                    stream_db: self.stream_db,
                    id,
                    offset: i64::try_from(place.offset).unwrap_or(i64::MAX),
                }),
            aof_base: false,
        };
        let begun =
            RdbWriter::new(out, self.version, compression, checksums).and_then(|mut rdb| {
                rdb.info(&info)?;
                Ok(rdb)
            });
        let mut rdb = match begun {
            Ok(rdb) => rdb,
            Err(error) => {
                self.snapshot.give_up(&shared.engine);
                return Err(error);
            }
        };
        let access = is_access_kept.then(|| shared.engine.world().settings.access);
        let mut observer = Observer { shared, keys: 0 };
        let ran = self
            .snapshot
            .run(&shared.engine, &mut rdb, access, &mut observer);
        ran.map_err(|error| match error {
            SnapshotError::Io(error) => error,
            error @ SnapshotError::Aborted => io::Error::other(error.to_string()),
        })?;
        rdb.finish()
    }
}

/// Follows the writing: the end of the server, and the delay that tests ask for.
struct Observer<'s> {
    shared: &'s Shared,
    keys: u64,
}

impl SnapshotObserver for Observer<'_> {
    fn key(&mut self) -> ControlFlow<()> {
        self.keys += 1;
        let asked = &self.shared.server.persistence.delays.save;
        persistence::delay(asked, self.keys, || !is_ending(self.shared));
        if self.keys.is_multiple_of(LOOK_EVERY) && is_ending(self.shared) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Keys after which it looks whether the server is ending.
const LOOK_EVERY: u64 = 1024;

fn is_ending(shared: &Shared) -> bool {
    *shared.server.shutdown.watch().borrow() > Stage::Running
}
