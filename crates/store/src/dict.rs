//! A table together with the seed that it hashes with: the long form of hashes, sets and sorted sets.

use std::collections::HashSet;
use std::mem::size_of;

use crate::cut::{Divisible, Opened, Opening, Pieces};
use crate::encoding::scaled;
use crate::random::{Random, below};
use crate::table::{Fingerprint, HashSeed, Keyed, Place, Position, Shrinking, Table};

/// A table that knows its seed.
#[derive(Debug)]
pub(crate) struct Dict<E: Keyed> {
    table: Table<E>,
    seed: HashSeed,
    /// While a snapshot takes it bucket by bucket. **Invariant**: without it all buckets have the parity of the table.
    opened: Option<Box<Opened>>,
}

impl<E: Divisible> Dict<E> {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self {
            table: Table::new(),
            seed,
            opened: None,
        }
    }

    pub(crate) fn seed(&self) -> HashSeed {
        self.seed
    }

    /// The table, to be read: what changes it has to tell a snapshot first.
    pub(crate) fn table(&self) -> &Table<E> {
        &self.table
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<&E> {
        self.table.find(self.seed.hash(key), key)
    }

    #[inline]
    pub(crate) fn place(&mut self, key: &[u8]) -> Place<'_, E> {
        self.place_of(self.seed.hash(key), key)
    }

    /// As [`Dict::place`], by a hash computed before.
    #[inline]
    pub(crate) fn place_of(&mut self, hash: u64, key: &[u8]) -> Place<'_, E> {
        self.keep(hash);
        self.table.place(hash, key)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<E> {
        let hash = self.seed.hash(key);
        self.keep(hash);
        self.table.remove(hash, key)
    }

    /// Removes a uniformly chosen element.
    pub(crate) fn take_random(&mut self, random: Random<'_>) -> Option<E> {
        if self.opened.is_none() {
            return self.table.take_random(random);
        }
        let hash = self.seed.hash(self.table.random(random)?.key());
        self.keep(hash);
        let fingerprint = Fingerprint::of(hash);
        let seed = self.seed;
        self.table
            .take_fingerprint(fingerprint, |element| seed.hash(element.key()) == hash)
    }

    /// Adds `element` unless its key is there; whether it was added.
    pub(crate) fn add(&mut self, key: &[u8], element: impl FnOnce() -> E) -> bool {
        let seed = self.seed;
        match self.place(key) {
            Place::Occupied(_) => false,
            Place::Vacant(vacant) => {
                vacant.insert(seed, element());
                true
            }
        }
    }

    /// Shows up to `count` different elements, each subset as likely as another.
    pub(crate) fn sample(&self, count: usize, random: Random<'_>, mut visit: impl FnMut(&E)) {
        let len = self.len();
        if count > len / 3 {
            // One pass: each element is taken with the chance that what is still wanted has among what is left.
            let (mut wanted, mut left) = (count, len);
            for element in self.table.iter() {
                if below(random, left) < wanted {
                    visit(element);
                    wanted -= 1;
                }
                left -= 1;
            }
            return;
        }
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count
            && let Some(element) = self.table.random(random)
        {
            if seen.insert(element.key()) {
                visit(element);
            }
        }
    }

    /// Shows about `count` elements from the cursor on and returns the next cursor, 0 at the end; cursors are below 2^53.
    pub(crate) fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(&E)) -> u64 {
        let next = self
            .table
            .scan(self.seed, Position::from_bits(cursor), count.max(1), visit);
        next.map_or(0, Position::bits)
    }

    /// Begins to deliver bucket by bucket.
    pub(crate) fn open(&mut self, opening: Opening) {
        let delivered = !self.table.parity();
        self.table.set_shrinking(Shrinking::Suspended);
        self.opened = Some(Box::new(Opened::new(opening, delivered)));
    }

    /// The number of the opening, while it is opened.
    pub(crate) fn opening(&self) -> Option<u64> {
        self.opened.as_ref().map(|opened| opened.id())
    }

    /// Delivers what writers kept, and about `budget` elements of the buckets from `position` on; where to go on, `None`
    /// when everything has been delivered.
    pub(crate) fn deliver(
        &mut self,
        position: Position,
        budget: usize,
        out: &mut Pieces,
    ) -> Option<Position> {
        let opened = self.opened.as_mut()?;
        opened.take_waiting(out);
        let (delivered, mut spent) = (opened.delivered, 0);
        let mut next = (!self.table.is_unallocated()).then_some(position);
        let mut ahead = next.and_then(|position| self.table.bucket_after(position));
        while let Some(position) = next
            && spent < budget
        {
            ahead = ahead.and_then(|position| self.table.prefetch_walk(position));
            let (hash, before) = (position.hash(), out.len());
            if self.table.bucket_parity(hash) != delivered {
                out.extend(self.table.bucket_elements(hash));
                self.table.set_bucket_parity(hash, delivered);
            }
            // A bucket without anything to deliver takes time, too.
            spent += (out.len() - before).max(1);
            next = self.table.bucket_after(position);
        }
        if next.is_none() {
            self.table.set_parity(delivered);
            self.table.set_shrinking(Shrinking::Allowed);
            self.opened = None;
        }
        next
    }

    /// Keeps the bucket of a hash, which is going to change, for the snapshot that has not taken it yet.
    #[inline]
    fn keep(&mut self, hash: u64) {
        if let Some(opened) = &mut self.opened
            && self.table.bucket_parity(hash) != opened.delivered
        {
            opened.keep(self.table.bucket_elements(hash));
            self.table.set_bucket_parity(hash, opened.delivered);
        }
    }

    /// Bytes on the heap, estimated from `samples` elements of which `element` tells the bytes.
    pub(crate) fn memory(&self, samples: usize, element: impl Fn(&E) -> usize) -> usize {
        let sampled = self
            .table
            .iter()
            .take(samples.max(1))
            .fold((0, 0), |(count, bytes), one| {
                (count + 1, bytes + element(one))
            });
        size_of::<Self>() + self.table.memory() + scaled(sampled, self.len())
    }
}

impl<E: Divisible + Clone> Clone for Dict<E> {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.seed);
        for element in self.table.iter() {
            copy.table
                .insert(self.seed, self.seed.hash(element.key()), element.clone());
        }
        copy
    }
}
