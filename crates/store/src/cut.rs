//! What a snapshot asks of the store: the dataset as it was at the cut goes out before it changes.
//!
//! 1. Every entry has a parity bit, and every [`crate::Db`] a parity. At a cut the parity of every database is flipped: from
//!    then on an entry of the other parity is one that has not been delivered.
//! 2. Whoever changes, replaces or removes such an entry first delivers it and flips its bit; so does the walk of the
//!    snapshot with each entry that it meets. New entries are born with the parity of their database. So each entry of the
//!    cut is delivered once, and nothing else is.
//! 3. What is replaced or removed is handed over without a copy. What is changed in place is copied first, unless it is a
//!    large table ([`crate::Object::is_divisible`]): that is *opened*, and from then on delivers bucket by bucket, by the
//!    parity of its buckets.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use entry::{Entry, Member, Pair, Scored};

use crate::db::Db;
use crate::object::Object;
use crate::table::Keyed;

/// Takes what changes would lose of the dataset as it was at the cut. All of it is called with the shard held.
pub trait PreImages: Debug + Send + Sync {
    /// An entry of a database, by its number at the cut, as it was then.
    fn keep(&self, db: u16, entry: Entry<Object>);

    /// The value of this entry, which is divisible, begins to deliver in pieces.
    fn open(&self, db: u16, entry: &Entry<Object>) -> Opening;

    /// An opened value now lies at this key of this database.
    fn moved(&self, id: u64, db: u16, key: &[u8]);

    /// An opened value was removed from the keyspace; here it is.
    fn removed(&self, id: u64, object: Object);

    /// A database was emptied; here is all it had, delivered or not.
    fn flushed(&self, db: u16, keys: Db);
}

/// What an opened value knows of its snapshot.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its number within the snapshot.
    pub id: u64,
    /// Bytes that wait to be taken by the snapshot, those of others included.
    pub waiting: Arc<AtomicUsize>,
}

/// Elements of opened values on their way into the snapshot, in one block of bytes.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<(u32, Tail<u32>)>,
}

/// What an element has beside the bytes that it is known by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tail<T> {
    /// Nothing: a member of a set.
    None,
    /// A value, and when it expires, in Unix milliseconds: a field of a hash.
    Value(T, Option<i64>),
    /// A score: a member of a sorted set.
    Score(f64),
}

/// An element of a table that can be delivered in pieces.
pub(crate) trait Divisible: Keyed {
    fn tail(&self) -> Tail<&[u8]>;
}

impl Divisible for Member {
    fn tail(&self) -> Tail<&[u8]> {
        Tail::None
    }
}

impl Divisible for Pair {
    fn tail(&self) -> Tail<&[u8]> {
        Tail::Value(self.value(), self.expiry())
    }
}

impl Divisible for Scored {
    fn tail(&self) -> Tail<&[u8]> {
        Tail::Score(self.score())
    }
}

impl Pieces {
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that they take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<(u32, Tail<u32>)>()
    }

    /// Removes all, keeping the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds all of `other`, which is empty after that.
    pub fn append(&mut self, other: &mut Self) {
        self.bytes.append(&mut other.bytes);
        self.ends.append(&mut other.ends);
    }

    /// The elements, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Tail<&[u8]>)> {
        let mut rest = &self.bytes[..];
        self.ends.iter().map(move |(key, tail)| {
            let key = split(&mut rest, *key);
            let tail = match *tail {
                Tail::None => Tail::None,
                Tail::Value(len, expiry) => Tail::Value(split(&mut rest, len), expiry),
                Tail::Score(score) => Tail::Score(score),
            };
            (key, tail)
        })
    }

    fn push(&mut self, element: &impl Divisible) {
        let key = element.key();
        self.bytes.extend_from_slice(key);
        let tail = match element.tail() {
            Tail::None => Tail::None,
            Tail::Score(score) => Tail::Score(score),
            Tail::Value(value, expiry) => {
                self.bytes.extend_from_slice(value);
                Tail::Value(value.len() as u32, expiry)
            }
        };
        self.ends.push((key.len() as u32, tail));
    }
}

/// The first `len` bytes, which are there: each length belongs to bytes that were pushed with it.
fn split<'a>(rest: &mut &'a [u8], len: u32) -> &'a [u8] {
    let (first, others) = rest.split_at_checked(len as usize).unwrap_or((rest, &[]));
    *rest = others;
    first
}

/// What an opened table remembers until it has delivered everything.
#[derive(Debug)]
pub(crate) struct Opened {
    opening: Opening,
    /// The parity of buckets that have been delivered.
    pub(crate) delivered: bool,
    /// What writers had to deliver: it waits for the walk.
    waiting: Pieces,
}

impl Opened {
    pub(crate) fn new(opening: Opening, delivered: bool) -> Self {
        Self {
            opening,
            delivered,
            waiting: Pieces::default(),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.opening.id
    }

    /// Keeps the elements of a bucket that is going to change.
    pub(crate) fn keep<'e, E: Divisible + 'e>(&mut self, elements: impl Iterator<Item = &'e E>) {
        let before = self.waiting.memory();
        elements.for_each(|element| self.waiting.push(element));
        let grown = self.waiting.memory() - before;
        self.opening.waiting.fetch_add(grown, Relaxed);
    }

    /// Moves what waits to `out`.
    pub(crate) fn take_waiting(&mut self, out: &mut Pieces) {
        let memory = self.waiting.memory();
        self.opening.waiting.fetch_sub(memory, Relaxed);
        out.append(&mut self.waiting);
        self.waiting = Pieces::default();
    }
}

impl Pieces {
    /// Adds the elements of a bucket that the walk is at.
    pub(crate) fn extend<'e, E: Divisible + 'e>(&mut self, elements: impl Iterator<Item = &'e E>) {
        elements.for_each(|element| self.push(element));
    }
}
