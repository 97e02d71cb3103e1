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

use std::collections::VecDeque;
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
    /// Bytes that wait to be written into the snapshot, those of others included.
    pub waiting: Arc<AtomicUsize>,
}

/// Elements of opened values on their way into the snapshot, packed into blocks, so that they are passed on without a copy
/// and take little more than their bytes.
///
/// ```text
/// +------------------------+-----+--------------+-------+------------+     lengths: seven bits a byte, the low ones first;
/// | length of key x4, kind | key | length of    | value | deadline   |     kind: what follows the key
/// |                        |     | value        |       | or score   |
/// +------------------------+-----+--------------+-------+------------+
/// ```
#[derive(Debug, Default)]
pub struct Pieces {
    blocks: VecDeque<Block>,
    len: usize,
    memory: usize,
    counting: Counting,
}

/// A block of elements.
#[derive(Debug)]
pub struct Block {
    bytes: Vec<u8>,
    counting: Counting,
}

/// Whether pieces count as waiting for the snapshot until they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Counting {
    #[default]
    Uncounted,
    Counted,
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
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the blocks out, in the order in which the elements came.
    pub fn drain(&mut self) -> impl Iterator<Item = Block> {
        self.len = 0;
        self.memory = 0;
        self.blocks.drain(..)
    }

    /// Moves all of `other` here.
    fn append(&mut self, other: &mut Self) {
        self.blocks.append(&mut other.blocks);
        self.len += std::mem::take(&mut other.len);
        self.memory += std::mem::take(&mut other.memory);
    }

    /// Adds the elements of a bucket.
    pub(crate) fn extend<'e, E: Divisible + 'e>(&mut self, elements: impl Iterator<Item = &'e E>) {
        elements.for_each(|element| self.push(element));
    }

    fn push(&mut self, element: &impl Divisible) {
        let (key, tail) = (element.key(), element.tail());
        let value_len = match tail {
            Tail::Value(value, _) => value.len(),
            Tail::None | Tail::Score(_) => 0,
        };
        let block = self.room_for(key.len() + value_len + BESIDE_MAX);
        let kind = match tail {
            Tail::None => PLAIN,
            Tail::Value(_, None) => VALUE,
            Tail::Value(_, Some(_)) => VOLATILE,
            Tail::Score(_) => SCORED,
        };
        put_length(block, key.len() << KIND_BITS | kind);
        block.extend_from_slice(key);
        match tail {
            Tail::None => {}
            Tail::Score(score) => block.extend_from_slice(&score.to_le_bytes()),
            Tail::Value(value, expiry) => {
                put_length(block, value.len());
                block.extend_from_slice(value);
                if let Some(expiry) = expiry {
                    block.extend_from_slice(&expiry.to_le_bytes());
                }
            }
        }
        self.len += 1;
    }

    /// A block with room for `len` more bytes.
    fn room_for(&mut self, len: usize) -> &mut Vec<u8> {
        let has_room = |block: &Block| block.bytes.capacity() - block.bytes.len() >= len;
        if !self.blocks.back().is_some_and(has_room) {
            let size = len.max(self.memory.clamp(BLOCK_MIN, BLOCK_MAX));
            self.memory += size;
            self.blocks.push_back(Block {
                bytes: Vec::with_capacity(size),
                counting: self.counting,
            });
        }
        let block = self.blocks.back_mut().expect("a block was just seen to");
        &mut block.bytes
    }
}

impl Block {
    /// The elements, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Tail<&[u8]>)> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || (!rest.is_empty()).then(|| unpack(&mut rest)))
    }

    /// Bytes that count as waiting until the block is written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        match self.counting {
            Counting::Counted => self.bytes.capacity(),
            Counting::Uncounted => 0,
        }
    }
}

/// Bytes of the first block, and of those that follow, unless one element takes more.
const BLOCK_MIN: usize = 1 << 10;
const BLOCK_MAX: usize = 16 << 10;
/// What an element takes beside its bytes at most: two lengths and a deadline or score.
const BESIDE_MAX: usize = 10 + 10 + 8;
/// Bits of the kind of an element, below the length of its key.
const KIND_BITS: u32 = 2;
const PLAIN: usize = 0;
const VALUE: usize = 1;
const VOLATILE: usize = 2;
const SCORED: usize = 3;

fn put_length(block: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        block.push(length as u8 | 0x80);
        length >>= 7;
    }
    block.push(length as u8);
}

fn take_length(rest: &mut &[u8]) -> usize {
    let mut length = 0;
    let mut shift = 0;
    while let Some((&byte, others)) = rest.split_first() {
        *rest = others;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    length
}

/// The first `len` bytes, which are there: each length was packed with its bytes.
fn split<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (first, others) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = others;
    first
}

fn split_array(rest: &mut &[u8]) -> [u8; 8] {
    split(rest, 8).try_into().unwrap_or_default()
}

/// The element that `rest` begins with.
fn unpack<'a>(rest: &mut &'a [u8]) -> (&'a [u8], Tail<&'a [u8]>) {
    let head = take_length(rest);
    let key = split(rest, head >> KIND_BITS);
    let tail = match head & ((1 << KIND_BITS) - 1) {
        PLAIN => Tail::None,
        SCORED => Tail::Score(f64::from_le_bytes(split_array(rest))),
        kind => {
            let len = take_length(rest);
            let value = split(rest, len);
            let expiry = (kind == VOLATILE).then(|| i64::from_le_bytes(split_array(rest)));
            Tail::Value(value, expiry)
        }
    };
    (key, tail)
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
        let waiting = Pieces {
            counting: Counting::Counted,
            ..Pieces::default()
        };
        Self {
            opening,
            delivered,
            waiting,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.opening.id
    }

    /// Keeps the elements of a bucket that is going to change.
    pub(crate) fn keep<'e, E: Divisible + 'e>(&mut self, elements: impl Iterator<Item = &'e E>) {
        let before = self.waiting.memory;
        self.waiting.extend(elements);
        let grown = self.waiting.memory - before;
        if grown > 0 {
            self.opening.waiting.fetch_add(grown, Relaxed);
        }
    }

    /// Moves what waits to `out`, without a copy.
    pub(crate) fn take_waiting(&mut self, out: &mut Pieces) {
        out.append(&mut self.waiting);
    }
}
