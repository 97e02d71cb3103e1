//! Loading: the keys of an RDB stream on their way into the keyspace.
//!
//! Entries are built without a lock and put into their shards in batches, every shard held for some tens of microseconds
//! at a time, so that connections are served meanwhile: [`crate::World::loading`] refuses them what needs the keys.

use crate::engine::Engine;
use crate::locks::{Held, ShardSet, Taker};
use persist::{Checksums, RdbError, RdbItem, RdbReader, Record, Sanitize, Verified};
use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use store::item::Spelling;
use store::{AccessPolicy, Entry, Object, Shard, Tuning};

/// On what terms an RDB stream is loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoadTerms {
    /// What becomes of keys whose time is over.
    pub expired: Expired,
    /// What becomes of keys that are there already.
    pub present: Present,
    /// How closely packed values are looked at.
    pub sanitize: Sanitize,
    /// Whether the checksum at the end is compared.
    pub checksums: Checksums,
    /// Bytes of the stream, if they are known: what it says of the number of its keys is believed as far as they reach.
    pub size: Option<u64>,
}

/// What becomes of keys whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// They are passed over: on a primary.
    Skip,
    /// They are kept: on a replica, which waits for its primary to delete them, and before an append-only file.
    Keep,
}

/// What becomes of keys that are there already, or come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// The stream is refused.
    Refuse,
    /// The new value replaces the old one (DEBUG RELOAD MERGE).
    Replace,
}

/// Who follows a load. All of it is called without a lock.
pub trait LoadObserver {
    /// A fact about the file or its writer, `ctime` for instance.
    fn aux(&mut self, _name: &[u8], _value: &[u8]) {}

    /// A key without elements was passed over.
    fn empty_key(&mut self, _key: &[u8]) {}

    /// A key whose time is over was passed over.
    fn expired_key(&mut self, _db: u16, _key: &[u8]) {}

    /// The source of a function library.
    ///
    /// # Errors
    /// Why it cannot be taken, which ends the load.
    fn function(&mut self, _source: &[u8]) -> Result<(), String> {
        Err("The RDB file contains a function library, and functions are not available".to_owned())
    }

    /// A key was read. [`Pace::Flush`] makes it visible at once.
    fn key(&mut self) -> Pace {
        Pace::Batch
    }

    /// A batch is in the keyspace; `Break` ends the load with [`LoadError::Aborted`].
    fn progress(&mut self, _progress: LoadProgress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Whether keys gather before they are put into the keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They gather.
    Batch,
    /// What has gathered is put in now.
    Flush,
}

/// How far a load has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes read.
    pub bytes: u64,
    /// Keys put into the keyspace.
    pub keys: u64,
    /// Keys passed over because their time was over.
    pub expired: u64,
    /// Keys passed over because they had no elements.
    pub empty: u64,
}

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// Bytes and keys.
    pub progress: LoadProgress,
    /// The version of the stream.
    pub version: u16,
    /// What came of the checksum.
    pub verified: Verified,
}

/// Why a stream could not be loaded. What was read before stays in the keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The stream is damaged, ends too early, or cannot be read here.
    Rdb(RdbError),
    /// A key comes twice, or was there before.
    Duplicate {
        /// The key.
        key: Box<[u8]>,
        /// Its database.
        db: u16,
        /// Bytes read up to there.
        offset: u64,
    },
    /// A database number that this server does not have.
    Database {
        /// The number.
        number: u64,
        /// Databases that this server has.
        databases: u16,
        /// Bytes read up to there.
        offset: u64,
    },
    /// The observer could not take a function library.
    Function {
        /// Why.
        reason: String,
        /// Bytes read up to there.
        offset: u64,
    },
    /// The observer ended the load.
    Aborted,
}

/// The least that a key takes in a stream: its type, two lengths, and a byte each.
const KEY_BYTES_MIN: u64 = 5;
/// So many keys are believed in where the size of the stream is not known: the room takes some ten megabytes.
const KEYS_BELIEVED: u64 = 1 << 20;
/// Keys that gather before they are put into the keyspace.
const BATCH_KEYS: usize = 256;
/// Keys whose buckets are on their way to the processor while one is put in.
const AHEAD: usize = 16;
/// Bytes read after which they are put in although they are fewer.
const BATCH_BYTES: u64 = 256 << 10;

/// Loads the RDB stream that `reader` begins with into the keyspace of `engine`.
///
/// The reader comes back with what was read from it beyond the end of the stream: on a link the stream is followed by
/// commands. It needs no buffer of its own.
///
/// # Errors
/// [`LoadError`], which names the byte. The caller decides whether what was loaded until then is dropped.
pub fn load<R: Read>(
    engine: &Engine,
    reader: R,
    terms: LoadTerms,
    observer: &mut impl LoadObserver,
) -> Result<(Loaded, R, Vec<u8>), LoadError> {
    let world = engine.world();
    let tuning: &Tuning = &world.settings.tuning;
    let mut rdb = RdbReader::new(reader, tuning, terms.sanitize, terms.checksums);
    let mut loader = Loader {
        engine,
        terms,
        access: world.settings.access,
        databases: world.settings.databases,
        now_ms: engine.host.now().ms(),
        db: 0,
        reserved: Vec::new(),
        batch: Vec::with_capacity(BATCH_KEYS),
        flushed_at: 0,
        progress: LoadProgress::default(),
    };
    loop {
        let offset = rdb.offset();
        match rdb.next_item().map_err(LoadError::Rdb)? {
            None => break,
            Some(item) => {
                if loader.take(item, offset, observer)? == Pace::Flush {
                    loader.flush(rdb.offset(), observer)?;
                }
            }
        }
    }
    loader.flush(rdb.offset(), observer)?;
    loader.fit();
    let loaded = Loaded {
        progress: loader.progress,
        version: rdb.version().unwrap_or_default(),
        verified: rdb.verified().unwrap_or(Verified::Unchecked),
    };
    let (reader, ahead) = rdb.into_parts();
    Ok((loaded, reader, ahead))
}

/// A load under way.
struct Loader<'e> {
    engine: &'e Engine,
    terms: LoadTerms,
    access: AccessPolicy,
    databases: u16,
    now_ms: i64,
    /// The database that the stream has selected.
    db: u16,
    /// Databases in which room was made.
    reserved: Vec<u16>,
    batch: Vec<Gathered>,
    /// Bytes read when the last batch was put in.
    flushed_at: u64,
    progress: LoadProgress,
}

/// An entry on its way into its shard.
struct Gathered {
    entry: Entry<Object>,
    hash: u64,
    shard: u16,
    db: u16,
}

impl Loader<'_> {
    fn take(
        &mut self,
        item: RdbItem<'_>,
        offset: u64,
        observer: &mut impl LoadObserver,
    ) -> Result<Pace, LoadError> {
        match item {
            RdbItem::Record(record) => return Ok(self.gather(record, offset, observer)),
            RdbItem::Aux { name, value } => {
                observer.aux(name, value.as_bytes(&mut Spelling::default()));
            }
            RdbItem::SelectDb(number) => {
                let db = u16::try_from(number).ok().filter(|db| *db < self.databases);
                self.db = db.ok_or(LoadError::Database {
                    number,
                    databases: self.databases,
                    offset,
                })?;
            }
            RdbItem::Resize { keys, .. } => self.reserve(keys),
            RdbItem::Function(source) => observer
                .function(source.as_bytes(&mut Spelling::default()))
                .map_err(|reason| LoadError::Function { reason, offset })?,
            RdbItem::EmptyKey(key) => {
                self.progress.empty += 1;
                observer.empty_key(key);
            }
        }
        Ok(Pace::Batch)
    }

    /// Makes room for the keys that the stream announces.
    fn reserve(&mut self, keys: u64) {
        let believed = match self.terms.size {
            Some(size) => size / KEY_BYTES_MIN,
            None => KEYS_BELIEVED,
        };
        let shards = self.engine.locks.count();
        let keys = usize::try_from(keys.min(believed)).unwrap_or(0) / shards;
        for shard in 0..shards as u16 {
            let mut held = take(self.engine, &ShardSet::one(shard));
            for (_, shard) in held.shards() {
                let db = shard.db_mut(self.db);
                db.reserve(self.engine.seed, db.len() + keys);
            }
        }
        self.reserved.push(self.db);
    }

    /// Gives back the room that was made for keys which did not come.
    fn fit(&self) {
        for shard in 0..self.engine.locks.count() as u16 {
            let mut held = take(self.engine, &ShardSet::one(shard));
            for (_, shard) in held.shards() {
                (self.reserved.iter()).for_each(|db| shard.db_mut(*db).fit());
            }
        }
    }

    fn gather(
        &mut self,
        record: Record<'_>,
        offset: u64,
        observer: &mut impl LoadObserver,
    ) -> Pace {
        let expired = record.expiry.is_some_and(|deadline| deadline < self.now_ms);
        if expired && self.terms.expired == Expired::Skip {
            self.progress.expired += 1;
            observer.expired_key(self.db, record.key);
            return observer.key();
        }
        let (idle, frequency) = (record.idle_seconds, record.frequency);
        let mut entry = record.value.into_entry(record.key, record.expiry);
        entry.set_access(self.access.restored(idle, frequency, self.now_ms));
        self.batch.push(Gathered {
            hash: self.engine.seed.hash(record.key),
            shard: self.engine.locks.shard_of(record.key),
            db: self.db,
            entry,
        });
        let full =
            self.batch.len() >= BATCH_KEYS || offset.saturating_sub(self.flushed_at) >= BATCH_BYTES;
        match observer.key() {
            Pace::Batch if !full => Pace::Batch,
            _ => Pace::Flush,
        }
    }

    /// Puts what has gathered into the keyspace.
    fn flush(&mut self, offset: u64, observer: &mut impl LoadObserver) -> Result<(), LoadError> {
        self.flushed_at = offset;
        let mut held = take(self.engine, &ShardSet::All);
        let mut shards = held.shards();
        let (seed, now_ms, terms) = (self.engine.seed, self.now_ms, self.terms);
        let mut batch = std::mem::take(&mut self.batch);
        let near = |shards: &[(u16, &mut Shard)], gathered: Option<&Gathered>| {
            if let Some(Gathered {
                hash, shard, db, ..
            }) = gathered
                && let Some((_, shard)) = shards.get(usize::from(*shard))
            {
                shard.db(*db).prefetch_bucket(*hash);
            }
        };
        (batch.iter().take(AHEAD)).for_each(|gathered| near(&shards, Some(gathered)));
        // From the end, so that what lies ahead stays in place.
        batch.reverse();
        while let Some(gathered) = batch.pop() {
            near(
                &shards,
                batch.len().checked_sub(AHEAD).and_then(|at| batch.get(at)),
            );
            let Gathered {
                entry,
                hash,
                shard,
                db,
            } = gathered;
            let Some((_, shard)) = shards.get_mut(usize::from(shard)) else {
                continue;
            };
            let keys = shard.db_mut(db);
            if keys.put(seed, hash, entry, now_ms).is_some() && terms.present == Present::Refuse {
                let entry = keys.of_hash(seed, hash);
                let key = entry.map(Entry::key).unwrap_or_default().into();
                return Err(LoadError::Duplicate { key, db, offset });
            }
            self.progress.keys += 1;
        }
        self.batch = batch;
        drop(shards);
        drop(held);
        self.progress.bytes = offset;
        match observer.progress(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(LoadError::Aborted),
        }
    }
}

/// These shards, after those connections that have waited too long for one.
fn take<'e>(engine: &'e Engine, shards: &ShardSet) -> Held<'e> {
    loop {
        match engine.locks.acquire(shards, Taker::Lane) {
            Ok(held) => return held,
            Err(busy) => engine.locks.wait(busy, Taker::Worker).block(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rdb(error) => write!(f, "{error}"),
            Self::Duplicate { key, db, offset } => write!(
                f,
                "RDB has duplicated key '{}' in DB {db} (at byte {offset})",
                key.escape_ascii()
            ),
            Self::Database {
                number,
                databases,
                offset,
            } => write!(
                f,
                "The RDB file has keys of database {number}, and this server is configured to handle {databases} \
                 databases (at byte {offset})"
            ),
            Self::Function { reason, offset } => write!(f, "{reason} (at byte {offset})"),
            Self::Aborted => f.write_str("Loading was ended before the end of the data"),
        }
    }
}

impl std::error::Error for LoadError {}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("db", &self.db)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
