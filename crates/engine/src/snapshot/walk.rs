//! The run of a snapshot: the sink first, then the tables, in steps that hold one shard for some 20 us.

use super::batch::Batch;
use super::sink::{Arrived, Found, OpenedFacts, SAMPLES, Sink};
use super::{Counts, SnapshotError, SnapshotObserver};
use crate::engine::Engine;
use crate::locks::{Held, ShardSet, Taker};
use persist::{Access, Collection, KeyFacts, RdbWriter};
use std::io::{self, Write};
use std::ops::ControlFlow;
use store::table::Position;
use store::{AccessPolicy, Entry, Item, Object, Pieces, Tail, ValueRef};

/// A run under way.
pub(super) struct Walker<'r, W, O> {
    engine: &'r Engine,
    sink: &'r Sink,
    out: &'r mut RdbWriter<W>,
    access: Option<AccessPolicy>,
    /// The instant of the cut.
    now_ms: i64,
    observer: &'r mut O,
    /// The database that the file has selected.
    selected: Option<u16>,
    /// Databases that the file has announced with their sizes.
    announced: Vec<Option<Counts>>,
    batch: Batch,
    pieces: Pieces,
    failure: Option<io::Error>,
}

/// Bytes that a step copies out.
const STEP_BYTES: usize = 64 << 10;
/// Nanoseconds that a step holds its shard.
const STEP_NS: u64 = 20_000;
/// Entries after which a step looks at the clock.
const CHUNK: usize = 16;
/// Elements of an opened value that a step copies out, within some 20 us.
const PIECES: usize = 256;

impl<'r, W: Write, O: SnapshotObserver> Walker<'r, W, O> {
    pub(super) fn new(
        engine: &'r Engine,
        sink: &'r Sink,
        out: &'r mut RdbWriter<W>,
        access: Option<AccessPolicy>,
        now_ms: i64,
        observer: &'r mut O,
    ) -> Self {
        Self {
            engine,
            sink,
            out,
            access,
            now_ms,
            observer,
            selected: None,
            announced: Vec::new(),
            batch: Batch::default(),
            pieces: Pieces::default(),
            failure: None,
        }
    }

    /// Delivers everything, or marks it as delivered after the run was aborted.
    pub(super) fn walk(&mut self, counts: &[Counts]) {
        self.announced = counts.iter().copied().map(Some).collect();
        let numbers = (0_u16..).zip(counts);
        for (number, _) in numbers.filter(|(_, counts)| counts.keys > 0) {
            for shard in 0..self.engine.locks.count() as u16 {
                self.walk_table(number, shard);
            }
        }
        self.drain();
    }

    pub(super) fn into_result(self) -> Result<(), SnapshotError> {
        match self.failure {
            Some(error) => Err(SnapshotError::Io(error)),
            None if self.sink.is_aborted() => Err(SnapshotError::Aborted),
            None => Ok(()),
        }
    }

    /// Walks one table: of the database that had this number at the cut, in this shard.
    fn walk_table(&mut self, number: u16, shard: u16) {
        let mut next = Some(Position::START);
        while let Some(position) = next {
            self.drain();
            next = self.step(number, shard, position);
            self.write_batch(number);
        }
    }

    /// Copies entries out from `position` on; where to go on.
    fn step(&mut self, number: u16, shard: u16, position: Position) -> Option<Position> {
        let (engine, is_marking) = (self.engine, self.sink.is_aborted());
        let mut held = take(engine, shard);
        let started = engine.host.now();
        let mut shards = held.shards();
        let (_, shard) = shards.first_mut()?;
        // A flushed table went to the sink whole.
        let db = shard.db_of_cut(number)?;
        let mut next = Some(position);
        while let Some(position) = next {
            let batch = &mut self.batch;
            next = db.walk_cut(engine.seed, position, CHUNK, |entry| {
                if !is_marking {
                    batch.push(entry);
                }
            });
            let spent_ns = engine.host.now().monotonic_ns - started.monotonic_ns;
            if self.batch.size() >= STEP_BYTES || spent_ns >= STEP_NS {
                break;
            }
        }
        next
    }

    fn write_batch(&mut self, number: u16) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.drain(|copy| {
            // What the copy shares with the value is kept from being freed when that changes.
            let shared = match copy.value {
                ValueRef::Boxed(object) => object.memory(SAMPLES),
                ValueRef::Bytes(_) | ValueRef::Integer(_) => 0,
            };
            self.sink.retain(shared);
            self.write(number, copy.key, copy.value, copy.expiry, copy.access);
            self.sink.release(shared);
        });
        self.batch = batch;
        self.ease();
    }

    /// Writes all that waits in the sink, opened values included.
    fn drain(&mut self) {
        loop {
            let arrived = self.sink.take_arrived();
            if !arrived.is_empty() {
                self.write_arrived(arrived);
            } else if let Some(opened) = self.sink.some_opened() {
                self.write_opened(&opened);
            } else {
                return;
            }
        }
    }

    fn write_arrived(&mut self, arrived: Arrived) {
        for kept in arrived.entries {
            self.write_entry(kept.db, &kept.entry);
            drop(kept.entry);
            self.release(kept.waiting);
        }
        for (number, keys) in arrived.flushed {
            for entry in keys.into_undelivered() {
                self.write_entry(number, &entry);
            }
            self.sink.release_flushed();
            self.release(0);
        }
    }

    fn write_entry(&mut self, number: u16, entry: &Entry<Object>) {
        let (expiry, access) = (entry.expiry(), entry.access());
        self.write(number, entry.key(), entry.value(), expiry, access);
    }

    /// So many bytes wait no more.
    fn release(&self, bytes: usize) {
        self.sink.release(bytes);
        self.ease();
    }

    /// Lets calls go on that wait for room in the sink.
    fn ease(&self) {
        if self.sink.ease(self.engine) {
            self.engine.wake_waiting();
        }
    }

    /// Writes a value that is delivered in pieces, step by step.
    fn write_opened(&mut self, opened: &OpenedFacts) {
        let facts = KeyFacts {
            expiry: opened.expiry,
            access: self.access_of(opened.access),
        };
        self.attempt(opened.db, |out| {
            out.begin(&opened.key, opened.collection, &facts)
        });
        let mut next = Some(Position::START);
        let mut removed: Option<Object> = None;
        let mut delivered = 0;
        while let Some(position) = next {
            if removed.is_none() {
                match self.sink.find(opened.id) {
                    None => break,
                    Some(Found::Removed(object)) => removed = Some(object),
                    Some(Found::Live { db, key }) => {
                        let stepped = self.step_opened(opened.id, db, &key, position);
                        // Moved meanwhile: look again.
                        next = stepped.unwrap_or(Some(position));
                    }
                }
            }
            if let Some(object) = &mut removed {
                next = object.deliver(position, PIECES, &mut self.pieces);
            }
            delivered += self.pieces.len();
            self.write_pieces(opened);
        }
        let waiting = self.sink.close(opened.id);
        debug_assert_eq!(
            delivered,
            opened.collection.count(),
            "a value delivers what it had at the cut"
        );
        if delivered != opened.collection.count() {
            self.attempt(opened.db, |_| {
                Err(io::Error::other("a value was not delivered whole"))
            });
        }
        self.count_key();
        if let Some(object) = removed {
            self.engine.host.drop_later(Box::new(object));
        }
        self.release(waiting);
    }

    /// Copies elements out of the opened value at `key`; `None` when it is not there any more.
    fn step_opened(
        &mut self,
        id: u64,
        db: u16,
        key: &[u8],
        position: Position,
    ) -> Option<Option<Position>> {
        let engine = self.engine;
        let mut held = take(engine, engine.locks.shard_of(key));
        let mut shards = held.shards();
        let (_, shard) = shards.first_mut()?;
        let object = shard
            .db_of_cut(db)?
            .opened_mut(id, engine.seed.hash(key), key)?;
        Some(object.deliver(position, PIECES, &mut self.pieces))
    }

    fn write_pieces(&mut self, opened: &OpenedFacts) {
        let mut pieces = std::mem::take(&mut self.pieces);
        for block in pieces.drain() {
            self.attempt(opened.db, |out| {
                block
                    .iter()
                    .try_for_each(|(key, tail)| write_piece(out, opened.collection, key, tail))
            });
            let waiting = block.waiting();
            drop(block);
            self.release(waiting);
        }
        self.pieces = pieces;
    }

    fn write(
        &mut self,
        number: u16,
        key: &[u8],
        value: ValueRef<'_, Object>,
        expiry: Option<i64>,
        access: u32,
    ) {
        let facts = KeyFacts {
            expiry,
            access: self.access_of(access),
        };
        self.attempt(number, |out| out.record(key, value, &facts));
        self.count_key();
    }

    fn count_key(&mut self) {
        if self.sink.is_aborted() {
            return;
        }
        self.sink.count_done();
        if self.observer.key() == ControlFlow::Break(()) {
            self.sink.abort();
        }
    }

    /// Writes something into a database, unless nothing is written any more.
    fn attempt(&mut self, number: u16, write: impl FnOnce(&mut RdbWriter<W>) -> io::Result<()>) {
        if self.sink.is_aborted() {
            return;
        }
        let written = self.select(number).and_then(|()| write(self.out));
        if let Err(error) = written {
            self.failure = Some(error);
            self.sink.abort();
        }
    }

    fn select(&mut self, number: u16) -> io::Result<()> {
        if self.selected == Some(number) {
            return Ok(());
        }
        self.selected = Some(number);
        let announced = self.announced.get_mut(usize::from(number));
        match announced.and_then(Option::take) {
            Some(counts) => self
                .out
                .select(u64::from(number), counts.keys, counts.volatile),
            None => self.out.select_again(u64::from(number)),
        }
    }

    fn access_of(&self, access: u32) -> Access {
        match self.access {
            None => Access::Untold,
            Some(policy @ AccessPolicy::Lru) => {
                Access::Idle(policy.idle_ms(access, self.now_ms) / 1000)
            }
            Some(policy @ AccessPolicy::Lfu { .. }) => {
                let counter = policy.frequency(access, self.now_ms);
                Access::Frequency(u8::try_from(counter).unwrap_or(u8::MAX))
            }
        }
    }
}

/// Writes an element of the value that was begun.
fn write_piece<W: Write>(
    out: &mut RdbWriter<W>,
    collection: Collection,
    key: &[u8],
    tail: Tail<&[u8]>,
) -> io::Result<()> {
    let key = Item::Bytes(key);
    match (tail, collection) {
        (Tail::None, _) => out.member(key),
        (Tail::Score(score), _) => out.scored(key, score),
        (Tail::Value(value, expiry), Collection::VolatileHash(_)) => {
            out.volatile_field(key, Item::Bytes(value), expiry)
        }
        (Tail::Value(value, _), _) => out.field(key, Item::Bytes(value)),
    }
}

/// One shard, after those connections that wait for it just now, and those that have waited too long.
fn take(engine: &Engine, shard: u16) -> Held<'_> {
    engine.locks.give_way(shard);
    let shards = ShardSet::one(shard);
    loop {
        match engine.locks.acquire(&shards, Taker::Lane) {
            Ok(held) => return held,
            Err(busy) => engine.locks.wait(busy, Taker::Lane).block(),
        }
    }
}
