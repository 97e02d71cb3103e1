//! A snapshot as an RDB stream, whoever it is for: a file, the base of an append-only file, replicas.

use std::io::Write;

use config::choices::MaxmemoryPolicy;
use config::{Config, directive};
use engine::Engine;
use engine::snapshot::{Snapshot, SnapshotError, SnapshotObserver};
use persist::{Checksums, Compression, FileInfo, RdbVersion, RdbWriter};
use replication::Place;
use store::AccessPolicy;

/// What a stream says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamForm {
    /// The form of its values.
    pub(crate) version: RdbVersion,
    /// The place in the replication log from which one who has loaded it can go on, and the database selected there.
    pub(crate) place: Option<(Place, i64)>,
    /// Whether it is the base of an append-only file.
    pub(crate) aof_base: bool,
}

/// Writes a snapshot as a whole RDB stream: header, keys, end.
///
/// # Errors
/// [`SnapshotError`]. What was written until then is of no use.
pub(crate) fn write_stream<W: Write>(
    engine: &Engine,
    config: &Config,
    snapshot: Snapshot,
    out: W,
    form: StreamForm,
    observer: &mut impl SnapshotObserver,
) -> Result<W, SnapshotError> {
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
    let id = form.place.map(|(place, _)| place.id.to_string());
    let info = FileInfo {
        redis_version: config::REDIS_VERSION,
        created: snapshot.now().unix_us.div_euclid(1_000_000),
        used_memory: alloc::used_memory() as u64,
        replication: form
            .place
            .zip(id.as_deref())
            .map(|((place, stream_db), id)| persist::Replication {
                stream_db,
                id,
                offset: i64::try_from(place.offset).unwrap_or(i64::MAX),
            }),
        aof_base: form.aof_base,
    };
    let begun = RdbWriter::new(out, form.version, compression, checksums).and_then(|mut rdb| {
        rdb.info(&info)?;
        Ok(rdb)
    });
    let mut rdb = match begun {
        Ok(rdb) => rdb,
        Err(error) => {
            snapshot.give_up(engine);
            return Err(SnapshotError::Io(error));
        }
    };
    let access = access(config, engine.world().settings.access);
    snapshot.run(engine, &mut rdb, access, observer)?;
    rdb.finish().map_err(SnapshotError::Io)
}

/// What of the use of keys is written: what the policy of eviction looks at (rdbSaveKeyValuePair, Redis 7.2).
fn access(config: &Config, policy: AccessPolicy) -> Option<AccessPolicy> {
    match config.read(directive::MAXMEMORY_POLICY) {
        MaxmemoryPolicy::AllkeysLru
        | MaxmemoryPolicy::VolatileLru
        | MaxmemoryPolicy::AllkeysLfu
        | MaxmemoryPolicy::VolatileLfu => Some(policy),
        _ => None,
    }
}
