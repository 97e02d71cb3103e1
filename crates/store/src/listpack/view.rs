//! Reading a listpack: walks in both directions, seeking, finding, drawing at random.

use super::codec::{decode, entry_before};
use super::{COUNT_UNKNOWN, HEADER};
use crate::item::{Item, Needle};
use crate::random::{Random, below};

/// Where an entry begins: an offset into the bytes, good until the listpack changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub(super) usize);

impl Place {
    /// The place of the first element, if there is one.
    pub const FIRST: Self = Self(HEADER);
}

/// The bytes of a listpack, to read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// A view of `bytes`, which may be any bytes: whatever is malformed reads as the end.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes in Redis' format.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The element at `place` and the place after it; `None` at the end.
    #[inline]
    pub fn entry(&self, place: Place) -> Option<(Item<'a>, Place)> {
        let (item, next) = decode(self.bytes, place.0)?;
        (next < self.bytes.len()).then_some((item, Place(next)))
    }

    /// The element at `place`.
    pub fn item(&self, place: Place) -> Option<Item<'a>> {
        Some(self.entry(place)?.0)
    }

    /// The place before `place`, which may be [`View::end`].
    pub fn before(&self, place: Place) -> Option<Place> {
        entry_before(self.bytes, HEADER, place.0).map(Place)
    }

    /// The place of the end mark, after the last element.
    pub fn end(&self) -> Place {
        Place(self.bytes.len().saturating_sub(1).max(HEADER))
    }

    /// Number of elements: from the header, or by a walk when the header does not know.
    pub fn len(&self) -> usize {
        match self.header_count() {
            COUNT_UNKNOWN => self.count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of the element number `index`, counted from the head.
    pub fn seek_forward(&self, index: usize) -> Option<Place> {
        let mut place = Place::FIRST;
        for _ in 0..index {
            place = self.entry(place)?.1;
        }
        self.entry(place).map(|_| place)
    }

    /// The place of the element number `index`, counted from the nearer end.
    pub fn seek(&self, index: usize) -> Option<Place> {
        let count = usize::from(self.header_count());
        if self.header_count() == COUNT_UNKNOWN || index < count / 2 {
            return self.seek_forward(index);
        }
        let mut place = self.end();
        for _ in index..count {
            place = self.before(place)?;
        }
        self.entry(place).map(|_| place)
    }

    /// The first element equal to `needle` among every `stride`-th element from `from` on: its place.
    pub fn find(&self, needle: &[u8], stride: usize, from: Place) -> Option<Place> {
        let needle = Needle::new(needle);
        let mut place = from;
        loop {
            let (item, mut next) = self.entry(place)?;
            if needle.matches(item) {
                return Some(place);
            }
            for _ in 1..stride {
                next = self.entry(next)?.1;
            }
            place = next;
        }
    }

    /// The places and elements, from both ends.
    pub fn entries(&self) -> Entries<'a> {
        Entries {
            view: *self,
            front: Place::FIRST,
            back: self.end(),
        }
    }

    /// The places and elements from `from` on, from both ends.
    pub fn entries_from(&self, from: Place) -> Entries<'a> {
        Entries {
            view: *self,
            front: from,
            back: self.end(),
        }
    }

    /// The places and elements before `to`, from both ends.
    pub fn entries_before(&self, to: Place) -> Entries<'a> {
        Entries {
            view: *self,
            front: Place::FIRST,
            back: to,
        }
    }

    /// The elements, from both ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Item<'a>> + use<'a> {
        self.entries().map(|(_, item)| item)
    }

    /// The elements two by two: fields and values, members and scores.
    pub fn pairs(&self) -> Pairs<'a> {
        Pairs {
            entries: self.entries(),
        }
    }

    /// Draws `count` of the elements whose index is a multiple of `stride`, each time from all of them, and hands the drawn one and those up to the next
    /// multiple to `draw` (for a hash, stride 2: field and value). O(elements + count log count). Nothing happens on an empty listpack.
    pub fn draw<'b>(
        &'b self,
        count: usize,
        stride: usize,
        random: Random<'_>,
        mut draw: impl FnMut(Place),
    ) where
        'a: 'b,
    {
        let groups = self.len() / stride;
        if groups == 0 || count == 0 {
            return;
        }
        let mut picks: Vec<(usize, usize)> = (0..count)
            .map(|order| (below(random, groups), order))
            .collect();
        picks.sort_unstable();
        let mut places = vec![Place::FIRST; count];
        let mut groups = self
            .entries()
            .map(|(place, _)| place)
            .step_by(stride)
            .enumerate();
        let mut current = groups.next();
        for (group, order) in picks {
            while let Some((index, _)) = current
                && index < group
            {
                current = groups.next();
            }
            if let (Some((_, place)), Some(slot)) = (current, places.get_mut(order)) {
                *slot = place;
            }
        }
        places.into_iter().for_each(&mut draw);
    }

    /// Draws up to `count` different elements among those whose index is a multiple of `stride`, in the order in which they lie.
    pub fn draw_unique(
        &self,
        count: usize,
        stride: usize,
        random: Random<'_>,
        mut draw: impl FnMut(Place),
    ) {
        let mut remaining = self.len() / stride;
        let mut wanted = count.min(remaining);
        for (place, _) in self.entries().step_by(stride) {
            if wanted == 0 || remaining == 0 {
                return;
            }
            // Taking each group with probability wanted/remaining gives every subset the same chance.
            if below(random, remaining) < wanted {
                draw(place);
                wanted -= 1;
            }
            remaining -= 1;
        }
    }

    pub(super) fn header_count(&self) -> u16 {
        self.bytes
            .get(4..HEADER)
            .map_or(0, |count| u16::from_le_bytes([count[0], count[1]]))
    }

    pub(super) fn count(&self) -> usize {
        self.entries().count()
    }

    pub(super) fn entry_bytes(&self) -> &'a [u8] {
        self.entry_bytes_from(Place::FIRST)
    }

    pub(super) fn entry_bytes_from(&self, from: Place) -> &'a [u8] {
        self.bytes.get(from.0..self.end().0).unwrap_or_default()
    }
}

/// Places and elements of a listpack between two places, from both ends.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    view: View<'a>,
    front: Place,
    back: Place,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Place, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.front.0 >= self.back.0 {
            return None;
        }
        let place = self.front;
        let Some((item, next)) = self.view.entry(place) else {
            self.front = self.back;
            return None;
        };
        self.front = next;
        Some((place, item))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front.0 >= self.back.0 {
            return None;
        }
        let place = self
            .view
            .before(self.back)
            .filter(|place| place.0 >= self.front.0);
        let Some((place, item)) = place.and_then(|place| Some((place, self.view.item(place)?)))
        else {
            self.back = self.front;
            return None;
        };
        self.back = place;
        Some((place, item))
    }
}

/// Elements of a listpack two by two, from both ends.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    entries: Entries<'a>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, first) = self.entries.next()?;
        let (_, second) = self.entries.next()?;
        Some((first, second))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (_, second) = self.entries.next_back()?;
        let (_, first) = self.entries.next_back()?;
        Some((first, second))
    }
}
