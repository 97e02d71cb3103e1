//! A table together with the seed that it hashes with: the long form of hashes, sets and sorted sets.

use std::collections::HashSet;
use std::mem::size_of;

use crate::encoding::scaled;
use crate::random::{Random, below};
use crate::table::{HashSeed, Keyed, Place, Position, Table};

/// A table that knows its seed.
#[derive(Debug)]
pub(crate) struct Dict<E: Keyed> {
    pub(crate) table: Table<E>,
    seed: HashSeed,
}

impl<E: Keyed> Dict<E> {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self {
            table: Table::new(),
            seed,
        }
    }

    pub(crate) fn seed(&self) -> HashSeed {
        self.seed
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
        self.table.place(self.seed.hash(key), key)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<E> {
        self.table.remove(self.seed.hash(key), key)
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

impl<E: Keyed + Clone> Clone for Dict<E> {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.seed);
        for element in self.table.iter() {
            copy.table
                .insert(self.seed, self.seed.hash(element.key()), element.clone());
        }
        copy
    }
}
