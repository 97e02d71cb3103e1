//! Owns the bucket: one cache line of tags and elements, continued by further buckets when it overflows.

use std::iter::successors;

use entry::{Link, Taken, Thin};

use super::Keyed;

/// Elements of a bucket without a continuation.
pub(super) const SLOTS: usize = 7;
/// The slot that holds the continuation when there is one.
const LAST: usize = SLOTS - 1;
/// The byte of `tags` that belongs to the bucket itself.
const META: usize = 7;
/// Meta bit: the last slot holds a continuation, and all slots before it are taken.
const CONTINUED: u8 = 1;
/// Meta bit: snapshot parity.
const PARITY: u8 = 2;

/// One cache line:
///
/// ```text
///  0        7      8                           56
/// +--------+------+------+------+-- ... --+------+
/// | 7 tags | meta | slot | slot |         | slot, or the continuation |
/// +--------+------+------+------+-- ... --+------+
/// ```
/// A tag of zero is a free slot. Of a chain only the last bucket has free slots, and it holds at least two elements unless it is the first.
#[repr(C, align(64))]
pub(super) struct Bucket<E: Thin> {
    tags: [u8; 8],
    slots: [Link<E, Self>; SLOTS],
}

/// Where in a chain an element lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    depth: u32,
    slot: u32,
}

/// Whether an operation changed the number of continuations of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    Same,
    Longer,
    Shorter,
}

impl<E: Thin> Bucket<E> {
    pub(super) fn new(parity: bool) -> Self {
        Self {
            tags: [0, 0, 0, 0, 0, 0, 0, if parity { PARITY } else { 0 }],
            slots: [const { Link::EMPTY }; SLOTS],
        }
    }

    pub(super) fn parity(&self) -> bool {
        self.tags[META] & PARITY != 0
    }

    pub(super) fn set_parity(&mut self, parity: bool) {
        self.tags[META] = (self.tags[META] & !PARITY) | if parity { PARITY } else { 0 };
    }

    /// The element with this key.
    #[inline]
    pub(super) fn find(&self, tag: u8, key: &[u8]) -> Option<&E>
    where
        E: Keyed,
    {
        let mut bucket = self;
        loop {
            for slot in bucket.tagged(tag) {
                if let Some(element) = bucket.slots[slot].as_element()
                    && element.key() == key
                {
                    return Some(element);
                }
            }
            bucket = bucket.next()?;
        }
    }

    /// Has the elements brought near that have this tag.
    #[inline]
    pub(super) fn prefetch(&self, tag: u8) {
        for slot in self.tagged(tag) {
            self.slots[slot].prefetch();
        }
    }

    /// Has all elements brought near, and the continuation, but not its elements.
    #[inline]
    pub(super) fn prefetch_all(&self) {
        let filled = self.slots.iter().filter(|link| !link.is_empty());
        filled.for_each(Link::prefetch);
    }

    /// Where the first element is that has this tag and passes `test`.
    #[inline]
    pub(super) fn spot(&self, tag: u8, mut test: impl FnMut(&E) -> bool) -> Option<Spot> {
        let mut bucket = self;
        let mut depth = 0;
        loop {
            for slot in bucket.tagged(tag) {
                if bucket.slots[slot].as_element().is_some_and(&mut test) {
                    return Some(Spot {
                        depth,
                        slot: slot as u32,
                    });
                }
            }
            bucket = bucket.next()?;
            depth += 1;
        }
    }

    /// The element at a spot, if there is one.
    #[inline]
    pub(super) fn at(&self, spot: Spot) -> Option<&E> {
        let mut bucket = self;
        for _ in 0..spot.depth {
            bucket = bucket.next()?;
        }
        bucket.slots.get(spot.slot as usize)?.as_element()
    }

    /// The element at a spot, to be changed, if there is one.
    #[inline]
    pub(super) fn at_mut(&mut self, spot: Spot) -> Option<&mut E> {
        let slot = spot.slot as usize;
        self.nth_mut(spot.depth)?
            .slots
            .get_mut(slot)?
            .as_element_mut()
    }

    /// Adds an element and tells where it went.
    pub(super) fn push(&mut self, tag: u8, element: E) -> (Spot, Chain) {
        let mut bucket = self;
        let mut depth = 0;
        while bucket.tags[META] & CONTINUED != 0 {
            bucket = bucket.slots[LAST]
                .as_bucket_mut()
                .expect("a continued bucket ends in its continuation");
            depth += 1;
        }
        if let Some(slot) = bucket.free_slot() {
            bucket.put(slot, tag, element);
            return (
                Spot {
                    depth,
                    slot: slot as u32,
                },
                Chain::Same,
            );
        }
        let mut continuation = Box::new(Self::new(bucket.parity()));
        let (displaced_tag, displaced) = bucket
            .take(LAST)
            .expect("a bucket without a free slot is full");
        continuation.put(0, displaced_tag, displaced);
        continuation.put(1, tag, element);
        bucket.slots[LAST] = Link::bucket(continuation);
        bucket.tags[META] |= CONTINUED;
        (
            Spot {
                depth: depth + 1,
                slot: 1,
            },
            Chain::Longer,
        )
    }

    /// Removes the element at a spot, filling the gap from the end of the chain.
    pub(super) fn remove(&mut self, spot: Spot) -> Option<(E, Chain)> {
        let slot = spot.slot as usize;
        let last = self.continuations();
        if last == spot.depth {
            let (_, element) = self.nth_mut(last)?.take(slot)?;
            return Some((element, self.settle(last)));
        }
        let (tag, filler) = self.nth_mut(last)?.take_any()?;
        let chain = self.settle(last);
        let bucket = self.nth_mut(spot.depth)?;
        bucket.tags[slot] = tag;
        let element = std::mem::replace(bucket.slots.get_mut(slot)?.as_element_mut()?, filler);
        Some((element, chain))
    }

    /// How many buckets follow the first.
    pub(super) fn continuations(&self) -> u32 {
        self.chain().count() as u32 - 1
    }

    /// Elements in the chain.
    pub(super) fn count(&self) -> usize {
        self.chain().map(Self::own_count).sum()
    }

    /// The elements of the chain.
    pub(super) fn elements(&self) -> impl Iterator<Item = &E> {
        self.chain()
            .flat_map(|bucket| bucket.slots.iter().filter_map(Link::as_element))
    }

    /// The elements of the chain that have this tag.
    pub(super) fn elements_tagged(&self, tag: u8) -> impl Iterator<Item = &E> {
        self.chain().flat_map(move |bucket| {
            bucket
                .tagged(tag)
                .filter_map(|slot| bucket.slots[slot].as_element())
        })
    }

    /// Shows each element of the chain, to be changed.
    pub(super) fn each_mut(&mut self, mut visit: impl FnMut(&mut E)) {
        let mut next = Some(self);
        while let Some(bucket) = next {
            let (last, rest) = bucket.slots.split_last_mut().expect("a bucket has slots");
            rest.iter_mut()
                .filter_map(Link::as_element_mut)
                .for_each(&mut visit);
            last.as_element_mut().into_iter().for_each(&mut visit);
            next = last.as_bucket_mut();
        }
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |bucket| bucket.next())
    }

    #[inline]
    fn next(&self) -> Option<&Self> {
        if self.tags[META] & CONTINUED == 0 {
            return None;
        }
        self.slots[LAST].as_bucket()
    }

    fn nth_mut(&mut self, depth: u32) -> Option<&mut Self> {
        let mut bucket = self;
        for _ in 0..depth {
            bucket = bucket.slots[LAST].as_bucket_mut()?;
        }
        Some(bucket)
    }

    /// Dissolves the last bucket of a chain if one element is left in it: that goes back to where the continuation hangs.
    fn settle(&mut self, last: u32) -> Chain {
        let Some(before) = last.checked_sub(1).and_then(|depth| self.nth_mut(depth)) else {
            return Chain::Same;
        };
        if before.slots[LAST]
            .as_bucket()
            .is_none_or(|bucket| bucket.own_count() > 1)
        {
            return Chain::Same;
        }
        let Taken::Bucket(mut dissolved) = before.slots[LAST].take() else {
            return Chain::Same;
        };
        before.tags[META] &= !CONTINUED;
        if let Some((tag, element)) = dissolved.take_any() {
            before.put(LAST, tag, element);
        }
        Chain::Shorter
    }

    fn put(&mut self, slot: usize, tag: u8, element: E) {
        self.tags[slot] = tag;
        self.slots[slot] = Link::element(element);
    }

    fn take(&mut self, slot: usize) -> Option<(u8, E)> {
        let Taken::Element(element) = self.slots.get_mut(slot)?.take() else {
            return None;
        };
        Some((std::mem::take(&mut self.tags[slot]), element))
    }

    fn take_any(&mut self) -> Option<(u8, E)> {
        let slot = self.tags[..SLOTS].iter().rposition(|&tag| tag != 0)?;
        self.take(slot)
    }

    fn own_count(&self) -> usize {
        self.tags[..SLOTS].iter().filter(|&&tag| tag != 0).count()
    }

    /// A slot that can be filled; only of a bucket without a continuation.
    fn free_slot(&self) -> Option<usize> {
        self.tagged(0).next()
    }

    /// The slots with this tag, and rarely one more without it, behind a true one.
    #[inline]
    fn tagged(&self, tag: u8) -> Tagged {
        let differences = u64::from_le_bytes(self.tags) ^ (LOW_BITS * u64::from(tag));
        // The classic test for zero bytes: exact for the lowest; a borrow from it may also report a byte of one above it.
        let zeros = differences.wrapping_sub(LOW_BITS) & !differences & HIGH_BITS;
        Tagged(zeros & (u64::MAX >> u8::BITS))
    }
}

/// Slots as set high bits of bytes.
struct Tagged(u64);

impl Iterator for Tagged {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() / u8::BITS;
        self.0 &= self.0 - 1;
        Some(slot as usize)
    }
}

impl Spot {
    /// The `ordinal`-th spot of a chain. Elements of a chain have different ordinals: the last slot shares one with the first of the
    /// continuation that would take its place.
    pub(super) fn from_ordinal(ordinal: usize) -> [Self; 2] {
        let (depth, slot) = ((ordinal / LAST) as u32, (ordinal % LAST) as u32);
        let last_before = Self {
            depth: depth.wrapping_sub(1),
            slot: LAST as u32,
        };
        [
            Self { depth, slot },
            if slot == 0 && depth > 0 {
                last_before
            } else {
                Self { depth, slot }
            },
        ]
    }

    pub(super) fn ordinal(self) -> usize {
        self.depth as usize * LAST + self.slot as usize
    }
}

/// The elements of a chain with their tags, by value.
pub(super) struct Contents<E: Thin> {
    bucket: Bucket<E>,
    slot: usize,
}

impl<E: Thin> From<Bucket<E>> for Contents<E> {
    fn from(bucket: Bucket<E>) -> Self {
        Self { bucket, slot: 0 }
    }
}

impl<E: Thin> Iterator for Contents<E> {
    type Item = (u8, E);

    fn next(&mut self) -> Option<(u8, E)> {
        loop {
            let slot = self.slot;
            let taken = self.bucket.slots.get_mut(slot)?.take();
            self.slot += 1;
            match taken {
                Taken::Element(element) => return Some((self.bucket.tags[slot], element)),
                Taken::Bucket(next) => *self = Self::from(*next),
                Taken::Empty => {}
            }
        }
    }
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = LOW_BITS << 7;
