//! Owns the ways over a table that do not start from a key: walks, random choice, fingerprints, bucket parity, statistics.

use entry::Thin;

use super::bucket::{Contents, Spot};
use super::seed::FINGERPRINT_BUCKET_BITS;
use super::{Fingerprint, HashSeed, Keyed, Position, Table};
use crate::random::{Random, below};

/// What DEBUG HTSTATS tells of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableStats {
    /// Elements.
    pub len: usize,
    /// Buckets, without those that continue others.
    pub buckets: usize,
    /// Buckets that continue others.
    pub continuations: usize,
    /// `chains[n]` buckets hold `n` elements, continuations included.
    pub chains: Vec<usize>,
}

/// The bucket at a position of a walk.
struct Stop {
    index: usize,
    /// Whether the position is the first of the bucket's interval.
    whole: bool,
    next: Option<Position>,
}

impl<E: Keyed> Table<E> {
    /// Shows elements from `position` on, bucket by bucket, until about `budget` of them (an empty bucket counts as one) were shown, and
    /// returns where to go on; `None` at the end.
    ///
    /// An element that stays in the table from the start to the end of a walk is shown exactly once, however the table grows or shrinks
    /// between the calls.
    pub fn scan(
        &self,
        seed: HashSeed,
        position: Position,
        budget: usize,
        mut visit: impl FnMut(&E),
    ) -> Option<Position> {
        let mut position = position;
        let mut spent = 0;
        loop {
            let stop = self.stop(position)?;
            self.look_ahead(&stop);
            let before = spent;
            for element in self.bucket(stop.index)?.elements() {
                if stop.whole || Position::of(seed.hash(element.key())) >= position {
                    visit(element);
                    spent += 1;
                }
            }
            spent = spent.max(before + 1);
            position = stop.next?;
            if spent >= budget {
                return Some(position);
            }
        }
    }

    /// As [`Table::scan`], with elements to be changed (but for their keys).
    pub fn scan_mut(
        &mut self,
        seed: HashSeed,
        position: Position,
        budget: usize,
        mut visit: impl FnMut(&mut E),
    ) -> Option<Position> {
        let mut position = position;
        let mut spent = 0;
        let mut ahead = self.bucket_after(position);
        loop {
            ahead = ahead.and_then(|position| self.prefetch_walk(position));
            let stop = self.stop(position)?;
            self.look_ahead(&stop);
            let before = spent;
            self.bucket_mut(stop.index)?.each_mut(|element| {
                if stop.whole || Position::of(seed.hash(element.key())) >= position {
                    visit(element);
                    spent += 1;
                }
            });
            spent = spent.max(before + 1);
            position = stop.next?;
            if spent >= budget {
                return Some(position);
            }
        }
    }
}

impl<E: Thin> Table<E> {
    /// The elements, in the order of the buckets.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.chunks
            .iter()
            .flatten()
            .flat_map(|bucket| bucket.elements())
    }

    /// A uniformly chosen element.
    pub fn random(&self, random: Random<'_>) -> Option<&E> {
        let (index, spot) = self.random_spot(random)?;
        self.bucket(index)?.at(spot)
    }

    /// Removes a uniformly chosen element.
    pub fn take_random(&mut self, random: Random<'_>) -> Option<E> {
        let (index, spot) = self.random_spot(random)?;
        self.remove_at(index, spot)
    }

    /// Shows the elements that may have the hash of this fingerprint: those that have, and a few others.
    pub fn visit_fingerprint(&self, fingerprint: Fingerprint, mut visit: impl FnMut(&E)) {
        for index in self.candidates(fingerprint) {
            if let Some(bucket) = self.bucket(index) {
                bucket
                    .elements_tagged(fingerprint.tag())
                    .for_each(&mut visit);
            }
        }
    }

    /// Removes the first element with this fingerprint that passes `test`.
    pub fn take_fingerprint(
        &mut self,
        fingerprint: Fingerprint,
        mut test: impl FnMut(&E) -> bool,
    ) -> Option<E> {
        let (index, spot) = self.candidates(fingerprint).find_map(|index| {
            let spot = self.bucket(index)?.spot(fingerprint.tag(), &mut test)?;
            Some((index, spot))
        })?;
        self.remove_at(index, spot)
    }

    /// The elements of the bucket of a hash: what shares one parity with it.
    pub fn bucket_elements(&self, hash: u64) -> impl Iterator<Item = &E> {
        self.bucket(self.index_of(hash))
            .into_iter()
            .flat_map(|bucket| bucket.elements())
    }

    /// The snapshot parity of the bucket of a hash; that of the table while it has none.
    pub fn bucket_parity(&self, hash: u64) -> bool {
        self.bucket(self.index_of(hash))
            .map_or(self.parity, |bucket| bucket.parity())
    }

    /// Sets the snapshot parity of the bucket of a hash.
    pub fn set_bucket_parity(&mut self, hash: u64, parity: bool) {
        let index = self.index_of(hash);
        match self.bucket_mut(index) {
            Some(bucket) => bucket.set_parity(parity),
            None => self.parity = parity,
        }
    }

    /// The parity of a bucket made where there is none: that of all buckets, unless they differ just now.
    pub fn parity(&self) -> bool {
        self.parity
    }

    /// Sets the parity of a bucket made where there is none; all buckets have it already.
    pub fn set_parity(&mut self, parity: bool) {
        self.parity = parity;
    }

    /// Whether there is no bucket.
    pub fn is_unallocated(&self) -> bool {
        self.buckets == 0
    }

    /// Where the bucket after the one at `position` begins: walks by bucket go so, reaching it by [`Position::hash`].
    pub fn bucket_after(&self, position: Position) -> Option<Position> {
        self.stop(position)?.next
    }

    /// Has the elements brought near that a walk meets at `position`, and the bucket after that, which it returns: each of them
    /// is a wait for memory of its own.
    #[inline]
    pub(crate) fn prefetch_walk(&self, position: Position) -> Option<Position> {
        if let Some(bucket) = self.bucket(self.index_of(position.hash())) {
            bucket.prefetch_all();
        }
        let after = self.bucket_after(position)?;
        self.prefetch_bucket(after.hash());
        Some(after)
    }

    /// Counts what DEBUG HTSTATS shows; visits every bucket.
    pub fn stats(&self) -> TableStats {
        let mut chains = Vec::new();
        for bucket in self.chunks.iter().flatten() {
            let count = bucket.count();
            if chains.len() <= count {
                chains.resize(count + 1, 0);
            }
            chains[count] += 1;
        }
        TableStats {
            len: self.len,
            buckets: self.buckets,
            continuations: self.continuations,
            chains,
        }
    }

    /// Has the elements of the next bucket brought near, and the bucket after it: a walk waits for memory otherwise, for one
    /// element after the other.
    #[inline]
    fn look_ahead(&self, stop: &Stop) {
        let Some(next) = stop.next.and_then(|next| self.stop(next)) else {
            return;
        };
        if let Some(bucket) = self.bucket(next.index) {
            bucket.prefetch_all();
        }
        if let Some(after) = next.next {
            self.prefetch_bucket(after.hash());
        }
    }

    fn stop(&self, position: Position) -> Option<Stop> {
        if self.buckets == 0 {
            return None;
        }
        let index = self.index_of(position.hash());
        let start = Position::of(index as u64);
        let next = start.after(1 << (Position::BITS - self.depth(index)));
        Some(Stop {
            index,
            whole: start == position,
            next,
        })
    }

    /// How many low bits of a hash choose this bucket.
    fn depth(&self, index: usize) -> u32 {
        let depth = self.buckets.ilog2();
        let unsplit = 1 << depth;
        if index >= unsplit || index + unsplit < self.buckets {
            depth + 1
        } else {
            depth
        }
    }

    /// A uniform bucket and a uniform ordinal in it, again and again until an element is there: every element is as likely. A table that
    /// lost nearly all its elements while it must not shrink is not worth that many attempts; there the next element in order is taken.
    fn random_spot(&self, random: Random<'_>) -> Option<(usize, Spot)> {
        if self.is_empty() {
            return None;
        }
        for _ in 0..RANDOM_ATTEMPTS {
            let index = below(random, self.buckets);
            let spots = Spot::from_ordinal(below(random, self.ordinal_bound));
            let bucket = self.bucket(index)?;
            if let Some(spot) = spots.into_iter().find(|&spot| bucket.at(spot).is_some()) {
                return Some((index, spot));
            }
        }
        let start = below(random, self.buckets);
        let (index, count) = (start..self.buckets)
            .chain(0..start)
            .map(|index| (index, self.bucket(index).map_or(0, |bucket| bucket.count())))
            .find(|&(_, count)| count > 0)?;
        let chosen = below(random, count);
        let taken = |spot: &Spot| {
            self.bucket(index)
                .is_some_and(|bucket| bucket.at(*spot).is_some())
        };
        let spot = (0..self.ordinal_bound)
            .filter_map(|ordinal| Spot::from_ordinal(ordinal).into_iter().find(&taken))
            .nth(chosen)?;
        Some((index, spot))
    }

    fn candidates(&self, fingerprint: Fingerprint) -> impl Iterator<Item = usize> + use<E> {
        let first = self.index_of(fingerprint.bucket_bits());
        (first..self.buckets).step_by(1 << FINGERPRINT_BUCKET_BITS)
    }
}

impl<E: Thin> IntoIterator for Table<E> {
    type Item = E;
    type IntoIter = Drain<E>;

    fn into_iter(self) -> Drain<E> {
        Drain {
            chunks: self.chunks,
            bucket: None,
        }
    }
}

/// The elements of a table, by value; memory is given back chunk by chunk as they go.
pub struct Drain<E: Thin> {
    chunks: Vec<Vec<super::Bucket<E>>>,
    bucket: Option<Contents<E>>,
}

impl<E: Thin> Iterator for Drain<E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        loop {
            if let Some((_, element)) = self.bucket.as_mut().and_then(Iterator::next) {
                return Some(element);
            }
            let chunk = self.chunks.last_mut()?;
            match chunk.pop() {
                Some(bucket) => self.bucket = Some(Contents::from(bucket)),
                None => drop(self.chunks.pop()),
            }
        }
    }
}

/// Attempts at a uniform choice: in a table at its usual load one in five succeeds, so all fail once in 10^12 times.
const RANDOM_ATTEMPTS: usize = 128;
