//! Owns the hash table of the keyspace, of sets, hashes and sorted sets: linear hashing over one-cache-line buckets.

mod bucket;
mod place;
mod seed;
#[cfg(test)]
mod tests;
mod walk;

use std::mem::replace;

use entry::{Entry, Member, Pair, Scored, Thin};

use self::bucket::{Bucket, Chain, Contents, Spot};
pub use self::place::{Located, Occupied, Place, Vacant};
use self::seed::tag_of;
pub use self::seed::{Fingerprint, HashSeed, Position};
pub use self::walk::TableStats;

/// An element of a [`Table`]: one pointer wide, and known by a key.
pub trait Keyed: Thin {
    /// The bytes by which a table knows the element; they never change while it is in a table.
    fn key(&self) -> &[u8];
}

/// A hash table that never resizes as a whole: an insert splits at most one bucket, a removal merges at most one.
///
/// ```text
///  directory      chunks of up to 1,024 buckets
/// +-------+      +----------+----------+-- ... --+
/// | chunk | ---> | 64 bytes | 64 bytes |         |      a full bucket goes on in a continuation of its own
/// | chunk | ---> ...
/// +-------+
/// ```
/// With 2^d + s buckets the low d + 1 bits of a hash name a bucket; where there is none yet, the low d bits do. Bucket 2^d + s is made by
/// splitting bucket s. At six elements a bucket it takes 13 to 15 bytes an element at every size; a chunk that is being filled is lengthened
/// by a sixteenth of the table at a time, so a small table is as lean.
///
/// The table keeps no seed: hashes come from the caller's [`HashSeed`], always the same for one table.
pub struct Table<E: Thin> {
    chunks: Vec<Vec<Bucket<E>>>,
    buckets: usize,
    len: usize,
    /// Buckets that continue others.
    continuations: usize,
    /// No element has an ordinal (see [`Spot::ordinal`]) as high as this: the bound of a random choice.
    ordinal_bound: usize,
    shrinking: Shrinking,
    parity: bool,
}

/// Whether removals may merge buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shrinking {
    /// A removal merges a bucket when the table is too large.
    #[default]
    Allowed,
    /// The table keeps its size, as during a snapshot, which walks by parity.
    Suspended,
}

impl<E: Thin> Table<E> {
    /// An empty table; it allocates with its first element.
    pub const fn new() -> Self {
        Self::with_parity(false)
    }

    /// An empty table whose first bucket has this snapshot parity, which split buckets inherit.
    pub const fn with_parity(parity: bool) -> Self {
        Self {
            chunks: Vec::new(),
            buckets: 0,
            len: 0,
            continuations: 0,
            ordinal_bound: 0,
            shrinking: Shrinking::Allowed,
            parity,
        }
    }

    /// Elements in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table has no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes and frees all elements and the memory of the table.
    pub fn clear(&mut self) {
        let emptied = Self {
            shrinking: self.shrinking,
            ..Self::with_parity(self.parity)
        };
        drop(replace(self, emptied));
    }

    /// Whether removals may merge buckets from now on.
    pub fn set_shrinking(&mut self, shrinking: Shrinking) {
        self.shrinking = shrinking;
    }

    /// Bytes that the table itself holds: buckets and directory, without the elements.
    pub fn memory(&self) -> usize {
        let buckets = self.chunks.iter().map(Vec::capacity).sum::<usize>() + self.continuations;
        buckets * size_of::<Bucket<E>>() + self.chunks.capacity() * size_of::<Vec<Bucket<E>>>()
    }

    /// The number of the bucket for a hash; meaningless while there is none.
    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        let mask = self.buckets.next_power_of_two() - 1;
        let index = hash as usize & mask;
        if index < self.buckets {
            index
        } else {
            index & (mask >> 1)
        }
    }

    /// Has the bucket for a hash brought near, for a lookup that comes soon.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(bucket) = self.bucket(self.index_of(hash)) {
            entry::prefetch(bucket);
        }
    }

    /// Has the elements brought near that a lookup of this hash will read; the bucket should be near already.
    #[inline]
    pub fn prefetch_element(&self, hash: u64) {
        if let Some(bucket) = self.bucket(self.index_of(hash)) {
            bucket.prefetch(tag_of(hash));
        }
    }

    #[inline]
    fn bucket(&self, index: usize) -> Option<&Bucket<E>> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    #[inline]
    fn bucket_mut(&mut self, index: usize) -> Option<&mut Bucket<E>> {
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    fn note(&mut self, spot: Spot, chain: Chain) {
        self.ordinal_bound = self.ordinal_bound.max(spot.ordinal() + 1);
        if chain == Chain::Longer {
            self.continuations += 1;
        }
    }

    fn remove_at(&mut self, index: usize, spot: Spot) -> Option<E> {
        let (element, chain) = self.bucket_mut(index)?.remove(spot)?;
        self.len -= 1;
        if chain == Chain::Shorter {
            self.continuations -= 1;
        }
        if self.shrinking == Shrinking::Allowed {
            self.compact(1);
        }
        Some(element)
    }

    /// Merges up to `steps` buckets while the table is too large for its elements, and tells whether it is so still.
    ///
    /// Removals do this by themselves unless suspended; afterwards it catches up.
    pub fn compact(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            if !self.is_too_large() {
                return false;
            }
            self.merge_last();
        }
        self.is_too_large()
    }

    fn is_too_large(&self) -> bool {
        match self.buckets {
            0 => false,
            1 => self.len == 0,
            more => self.len <= (more - 1) * FILL_LEAST,
        }
    }

    /// Takes the last bucket away, moving its elements to the one that it was split from.
    fn merge_last(&mut self) {
        let Some(last) = self.chunks.last_mut().and_then(Vec::pop) else {
            return;
        };
        self.buckets -= 1;
        self.continuations -= last.continuations() as usize;
        for (tag, element) in Contents::from(last) {
            let into = split_from(self.buckets);
            let bucket = self
                .bucket_mut(into)
                .expect("a bucket outlives those split from it");
            let (spot, chain) = bucket.push(tag, element);
            self.note(spot, chain);
        }
        self.give_back();
    }

    /// Frees what a merge left unused, keeping some slack so that a merge after a merge does not move a chunk each time.
    fn give_back(&mut self) {
        let step = self.step();
        let Some(chunk) = self.chunks.last_mut() else {
            return;
        };
        if chunk.is_empty() {
            self.chunks.pop();
            if self.chunks.capacity() > 2 * self.chunks.len() {
                self.chunks.shrink_to_fit();
            }
        } else if chunk.capacity() > chunk.len() + 2 * step {
            chunk.shrink_to(chunk.len() + step);
        }
        if self.buckets == 0 {
            self.ordinal_bound = 0;
        }
    }

    /// Adds an empty bucket behind the last.
    fn push_bucket(&mut self, bucket: Bucket<E>) {
        let step = self.step();
        if self.buckets.is_multiple_of(CHUNK) {
            if self.chunks.len() == self.chunks.capacity() {
                self.chunks.reserve_exact(1 + self.chunks.len() / 8);
            }
            self.chunks.push(Vec::new());
        }
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk with room was just seen to");
        if chunk.len() == chunk.capacity() {
            chunk.reserve_exact(step.min(CHUNK - chunk.len()));
        }
        chunk.push(bucket);
        self.buckets += 1;
    }

    /// By how many buckets a chunk grows at a time.
    fn step(&self) -> usize {
        (self.buckets / 16).clamp(1, CHUNK)
    }
}

impl<E: Keyed> Table<E> {
    /// The element with this key, whose hash the caller computed.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<&E> {
        self.bucket(self.index_of(hash))?.find(tag_of(hash), key)
    }

    /// The element with this key, to be changed (but for its key).
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut E> {
        let index = self.index_of(hash);
        let bucket = self.bucket_mut(index)?;
        let spot = bucket.spot(tag_of(hash), |element| element.key() == key)?;
        bucket.at_mut(spot)
    }

    /// The place of a key, taken or free: to look first and act after, without hashing or probing again.
    #[inline]
    pub fn place(&mut self, hash: u64, key: &[u8]) -> Place<'_, E> {
        let index = self.index_of(hash);
        let spot = self
            .bucket(index)
            .and_then(|bucket| bucket.spot(tag_of(hash), |element| element.key() == key));
        match spot {
            Some(spot) => Place::Occupied(Occupied::new(self, index, spot)),
            None => Place::Vacant(Vacant::new(self, hash)),
        }
    }

    /// Makes all buckets now that `len` elements need: splitting one after another as they come costs a look at every key.
    pub fn reserve(&mut self, seed: HashSeed, len: usize) {
        while self.buckets * FILL < len {
            self.split_next(seed);
        }
    }

    /// Adds an element whose key the caller knows to be absent.
    pub fn insert(&mut self, seed: HashSeed, hash: u64, element: E) -> &mut E {
        if self.len >= self.buckets * FILL {
            self.split_next(seed);
        }
        self.len += 1;
        let index = self.index_of(hash);
        let bucket = self.bucket_mut(index).expect("a split table has buckets");
        let (spot, chain) = bucket.push(tag_of(hash), element);
        self.note(spot, chain);
        self.bucket_mut(index)
            .and_then(|bucket| bucket.at_mut(spot))
            .expect("the element was just put there")
    }

    /// Adds an element, or puts it in the place of the one with the same key, which is returned.
    pub fn replace(&mut self, seed: HashSeed, hash: u64, element: E) -> Option<E> {
        match self.find_mut(hash, element.key()) {
            Some(found) => Some(replace(found, element)),
            None => {
                self.insert(seed, hash, element);
                None
            }
        }
    }

    /// Removes the element with this key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<E> {
        match self.place(hash, key) {
            Place::Occupied(place) => Some(place.remove()),
            Place::Vacant(_) => None,
        }
    }

    /// Adds a bucket, with those elements of the bucket that it is split from whose hashes belong there.
    fn split_next(&mut self, seed: HashSeed) {
        let next = self.buckets;
        let Some(source) = (next > 0)
            .then(|| split_from(next))
            .and_then(|from| self.bucket_mut(from))
        else {
            self.push_bucket(Bucket::new(self.parity));
            return;
        };
        let parity = source.parity();
        let whole = replace(source, Bucket::new(parity));
        self.continuations -= whole.continuations() as usize;
        let mut halves = [Bucket::new(parity), Bucket::new(parity)];
        let depth = next.ilog2();
        for (tag, element) in Contents::from(whole) {
            let half = (seed.hash(element.key()) >> depth) as usize & 1;
            let (spot, chain) = halves[half].push(tag, element);
            self.note(spot, chain);
        }
        let [staying, leaving] = halves;
        if let Some(source) = self.bucket_mut(split_from(next)) {
            *source = staying;
        }
        self.push_bucket(leaving);
    }
}

/// The bucket from which bucket `index`, above zero, is split: its number without the highest bit.
fn split_from(index: usize) -> usize {
    index - (1 << index.ilog2())
}

impl<E: Thin> Default for Table<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Thin> std::fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len)
            .field("buckets", &self.buckets)
            .finish_non_exhaustive()
    }
}

impl<T> Keyed for Entry<T> {
    #[inline]
    fn key(&self) -> &[u8] {
        Self::key(self)
    }
}

impl Keyed for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        self.bytes()
    }
}

impl Keyed for Pair {
    #[inline]
    fn key(&self) -> &[u8] {
        self.field()
    }
}

impl Keyed for Scored {
    #[inline]
    fn key(&self) -> &[u8] {
        self.member()
    }
}

/// Buckets of a full chunk.
const CHUNK: usize = 1024;
/// Elements a bucket at which an insert splits one.
const FILL: usize = 6;
/// Elements a bucket at which a removal merges one.
const FILL_LEAST: usize = 4;
