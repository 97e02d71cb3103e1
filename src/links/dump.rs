//! The dataset as it was at one instant, as an RDB stream for replicas.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use engine::snapshot::{Busy, Snapshot, SnapshotError, SnapshotObserver};
use log::Reader;
use persist::RdbVersion;
use replication::Place;

use crate::net::Shared;
use crate::persistence::{self, StreamForm, write_stream};
use crate::shutdown::Stage;

/// A cut that is to be written.
pub(super) struct Dump {
    snapshot: Snapshot,
    form: StreamForm,
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
        shared.server.persistence.note_background_snapshot();
        let needed = snapshot.version();
        if needed > readable && needed == RdbVersion::V80 {
            snapshot.give_up(engine);
            return Err(io::Error::other(
                "fields of hashes have deadlines, which a replica does not know: it must be a Cuirass or Valkey 9",
            ));
        }
        let form = StreamForm {
            version: needed.min(readable),
            place: places.first().map(|(place, _)| (*place, stream_db)),
            aof_base: false,
        };
        let dump = Self { snapshot, form };
        Ok((dump, places))
    }

    /// The database that the stream has selected at its place.
    pub(super) fn stream_db(&self) -> u16 {
        let db = self.form.place.map(|(_, db)| db);
        db.and_then(|db| u16::try_from(db).ok()).unwrap_or(0)
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of `out`; and the snapshot may be aborted.
    pub(super) fn write<W: io::Write>(self, shared: &Shared, out: W) -> io::Result<W> {
        let config = shared.server.config.read().clone();
        let mut observer = Observer { shared, keys: 0 };
        let written = write_stream(
            &shared.engine,
            &config,
            self.snapshot,
            out,
            self.form,
            &mut observer,
        );
        written.map_err(|error| match error {
            SnapshotError::Io(error) => error,
            error @ SnapshotError::Aborted => io::Error::other(error.to_string()),
        })
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
        let snapshots = &self.shared.engine.snapshots;
        persistence::delay(asked, self.keys, || {
            !is_ending(self.shared) && !snapshots.is_aborting()
        });
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
