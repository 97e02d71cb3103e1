//! Owns the place of a key: what a lookup found, so that acting on it probes no second time.

use std::mem::replace;

use super::bucket::Spot;
use super::{HashSeed, Keyed, Table, tag_of};

/// What a lookup found.
#[derive(Debug)]
pub enum Place<'a, E: Keyed> {
    /// The key is there.
    Occupied(Occupied<'a, E>),
    /// The key is not there.
    Vacant(Vacant<'a, E>),
}

/// The place of an element that is there.
#[derive(Debug)]
pub struct Occupied<'a, E: Keyed> {
    table: &'a mut Table<E>,
    index: usize,
    spot: Spot,
}

/// The place where an element would be.
#[derive(Debug)]
pub struct Vacant<'a, E: Keyed> {
    table: &'a mut Table<E>,
    hash: u64,
}

impl<'a, E: Keyed> Occupied<'a, E> {
    pub(super) fn new(table: &'a mut Table<E>, index: usize, spot: Spot) -> Self {
        Self { table, index, spot }
    }

    /// The element.
    #[inline]
    pub fn element(&self) -> &E {
        self.table
            .bucket(self.index)
            .and_then(|bucket| bucket.at(self.spot))
            .expect(FOUND)
    }

    /// The element, to be changed (but for its key).
    #[inline]
    pub fn element_mut(&mut self) -> &mut E {
        self.table
            .bucket_mut(self.index)
            .and_then(|bucket| bucket.at_mut(self.spot))
            .expect(FOUND)
    }

    /// The element, for as long as the table is borrowed.
    #[inline]
    pub fn into_mut(self) -> &'a mut E {
        self.table
            .bucket_mut(self.index)
            .and_then(|bucket| bucket.at_mut(self.spot))
            .expect(FOUND)
    }

    /// Puts an element of the same key in its place and returns the old one.
    pub fn replace(&mut self, element: E) -> E {
        debug_assert!(
            self.element().key() == element.key(),
            "a place belongs to one key"
        );
        replace(self.element_mut(), element)
    }

    /// Removes the element.
    pub fn remove(self) -> E {
        self.table.remove_at(self.index, self.spot).expect(FOUND)
    }
}

impl<'a, E: Keyed> Vacant<'a, E> {
    pub(super) fn new(table: &'a mut Table<E>, hash: u64) -> Self {
        Self { table, hash }
    }

    /// Adds the element that was looked for.
    pub fn insert(self, seed: HashSeed, element: E) -> &'a mut E {
        self.table.insert(seed, self.hash, element)
    }
}

/// Where an element is, as a value that borrows nothing.
///
/// It holds until the table is next changed; after that it may name another element or none.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    index: usize,
    spot: Spot,
}

impl<E: Keyed> Table<E> {
    /// Where the element with this key is.
    #[inline]
    pub fn locate(&self, hash: u64, key: &[u8]) -> Option<Located> {
        let index = self.index_of(hash);
        let spot = self
            .bucket(index)?
            .spot(tag_of(hash), |element| element.key() == key)?;
        Some(Located { index, spot })
    }

    /// The element at a place found before.
    #[inline]
    pub fn at(&self, located: Located) -> Option<&E> {
        self.bucket(located.index)?.at(located.spot)
    }

    /// The element at a place found before, to be changed (but for its key).
    #[inline]
    pub fn at_mut(&mut self, located: Located) -> Option<&mut E> {
        self.bucket_mut(located.index)?.at_mut(located.spot)
    }
}

const FOUND: &str = "the table is borrowed since the element was found";
