//! The listpack: a sequence of short strings and integers in one run of bytes, byte for byte as Redis lays it out (DUMP and RDB carry it as it is).
//!
//! ```text
//! +----------------------+--------------------+---------+-----+---------+------+
//! | total bytes (u32 LE) | elements (u16 LE)  | entry 0 | ... | entry n | 0xff |
//! +----------------------+--------------------+---------+-----+---------+------+
//! ```
//! The element count says 65535 for "that many or more: walk and count". Strings that spell an integer are kept as integers.
//!
//! Bytes that came from outside may be wrong in any way: every read checks, a malformed entry ends the walk, nothing panics.

mod buffer;
mod codec;
mod validate;
mod view;

pub use buffer::{Buffer, Roomy};
pub use validate::{Depth, validate, validate_unique};
pub use view::{Entries, Pairs, Place, View};

use entry::Blob;

use crate::item::Item;
use codec::{END, Encoded};

/// Bytes of the header.
pub const HEADER: usize = 6;
/// Bytes of the total length, at the head of the header.
const LENGTH: usize = 4;
/// Bytes of a listpack without elements.
pub const EMPTY: usize = HEADER + 1;

const COUNT_UNKNOWN: u16 = u16::MAX;
/// No listpack of a hash, set or sorted set grows beyond this (`lpSafeToAdd`, Redis 6.2.7); it becomes a table before.
const SAFE: usize = 1 << 30;

/// A listpack that owns its bytes: in a [`Blob`] without slack, or in a [`Roomy`] buffer that grows at both ends.
#[derive(Clone, Debug)]
pub struct Listpack<B = Blob> {
    buffer: B,
}

impl<B: Buffer> Listpack<B> {
    /// A listpack without elements.
    pub fn new() -> Self {
        let mut buffer = B::with_len(EMPTY);
        buffer.tail_mut()[EMPTY - 5] = END;
        Self { buffer }
    }

    /// Takes over `bytes` after a look at the header and the last byte; [`validate`] looks deeper. `None` when those are wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        validate(bytes, Depth::Header).then_some(())?;
        Some(Self {
            buffer: B::copied_from(bytes)?,
        })
    }

    /// The bytes in Redis' format.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// The reading side.
    #[inline]
    pub fn view(&self) -> View<'_> {
        View::new(self.buffer.bytes())
    }

    /// Number of elements: O(1) below 65535, a walk above.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.buffer.bytes().len() <= EMPTY
    }

    /// Whether elements of `add` bytes together may still be added (`lpSafeToAdd`).
    pub fn fits(&self, add: usize) -> bool {
        self.buffer.bytes().len() + add <= SAFE
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.buffer.heap_bytes()
    }

    /// Adds an element at the tail.
    pub fn push_back<'a>(&mut self, item: impl Into<Item<'a>>) {
        self.insert(self.view().end(), item);
    }

    /// Adds an element at the head.
    pub fn push_front<'a>(&mut self, item: impl Into<Item<'a>>) {
        self.insert(Place::FIRST, item);
    }

    /// Adds elements at the tail in one go; `items` is walked twice.
    pub fn push_all<'a>(&mut self, items: impl Iterator<Item = Item<'a>> + Clone) {
        let (count, bytes) = items.clone().fold((0, 0), |(count, bytes), item| {
            (count + 1, bytes + Encoded::new(item).len())
        });
        let end = self.view().end();
        let mut gap = self.buffer.splice(end.0, 0, bytes);
        for item in items {
            let encoded = Encoded::new(item);
            let (entry, rest) = std::mem::take(&mut gap).split_at_mut(encoded.len());
            encoded.write(entry);
            gap = rest;
        }
        self.count_up(count);
    }

    /// Puts an element before the one at `place`, which may be [`View::end`].
    pub fn insert<'a>(&mut self, place: Place, item: impl Into<Item<'a>>) {
        let encoded = Encoded::new(item.into());
        encoded.write(self.buffer.splice(place.0, 0, encoded.len()));
        self.count_up(1);
    }

    /// Puts two elements before the one at `place` in one move of the rest: a field and its value.
    pub fn insert_pair<'a>(
        &mut self,
        place: Place,
        first: impl Into<Item<'a>>,
        second: impl Into<Item<'a>>,
    ) {
        let (first, second) = (Encoded::new(first.into()), Encoded::new(second.into()));
        let gap = self.buffer.splice(place.0, 0, first.len() + second.len());
        let (head, tail) = gap.split_at_mut(first.len());
        first.write(head);
        second.write(tail);
        self.count_up(2);
    }

    /// Puts an element in the stead of the one at `place`. Nothing happens when there is none.
    pub fn replace<'a>(&mut self, place: Place, item: impl Into<Item<'a>>) {
        let Some((_, next)) = self.view().entry(place) else {
            return;
        };
        let encoded = Encoded::new(item.into());
        let old = next.0 - place.0;
        if encoded.len() == old {
            encoded.write(&mut self.buffer.tail_mut()[place.0 - LENGTH..next.0 - LENGTH]);
        } else {
            encoded.write(self.buffer.splice(place.0, old, encoded.len()));
        }
    }

    /// Removes up to `count` elements from `place` on; the same place then names the element after them. Returns how many there were.
    pub fn remove(&mut self, place: Place, count: usize) -> usize {
        let (mut end, mut removed) = (place, 0);
        while removed < count
            && let Some((_, next)) = self.view().entry(end)
        {
            end = next;
            removed += 1;
        }
        self.buffer.splice(place.0, end.0 - place.0, 0);
        self.count_down(removed);
        removed
    }

    /// Removes up to `count` elements from the one at `index` on.
    pub fn remove_range(&mut self, index: usize, count: usize) -> usize {
        let Some(place) = self.view().seek(index) else {
            return 0;
        };
        if index.saturating_add(count) >= self.len() {
            return self.truncate(place, index);
        }
        self.remove(place, count)
    }

    /// Removes the elements that `keep` refuses, in one pass; it is asked once for each, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(Item<'_>) -> bool) {
        let (mut from, mut kept, mut removed) = (Place::FIRST, Place::FIRST.0, 0);
        while let Some((item, next)) = self.view().entry(from) {
            if keep(item) {
                let entry = from.0 - LENGTH..next.0 - LENGTH;
                self.buffer.tail_mut().copy_within(entry, kept - LENGTH);
                kept += next.0 - from.0;
            } else {
                removed += 1;
            }
            from = next;
        }
        self.buffer.splice(kept, from.0 - kept, 0);
        self.count_down(removed);
    }

    /// Adds all elements of `other` at the tail.
    pub fn append(&mut self, other: View<'_>) {
        let entries = other.entry_bytes();
        let end = self.view().end();
        self.buffer
            .splice(end.0, 0, entries.len())
            .copy_from_slice(entries);
        self.count_up(other.len());
    }

    /// Gives away the elements from `index` on.
    pub fn split_off(&mut self, index: usize) -> Self {
        let mut rest = Self::new();
        let Some(place) = self.view().seek_forward(index) else {
            return rest;
        };
        let moved = self.len() - index;
        let entries = self.view().entry_bytes_from(place);
        rest.buffer
            .splice(HEADER, 0, entries.len())
            .copy_from_slice(entries);
        rest.count_up(moved);
        self.truncate(place, index);
        rest
    }

    /// Gives slack back to the heap.
    pub fn shrink_to_fit(&mut self) {
        self.buffer.shrink_to_fit();
    }

    /// Bytes allocated beyond the content.
    pub fn slack(&self) -> usize {
        self.buffer
            .heap_bytes()
            .saturating_sub(self.buffer.bytes().len())
    }

    /// Cuts the listpack at `place`, where the element number `index` stands. Returns how many elements went.
    fn truncate(&mut self, place: Place, index: usize) -> usize {
        let removed = self.len().saturating_sub(index);
        let end = self.view().end();
        self.buffer.splice(place.0, end.0 - place.0, 0);
        self.count_down(removed);
        removed
    }

    fn count_up(&mut self, added: usize) {
        let known = self.view().header_count();
        if known != COUNT_UNKNOWN {
            self.set_count(usize::from(known) + added);
        }
    }

    fn count_down(&mut self, removed: usize) {
        let count = match self.view().header_count() {
            COUNT_UNKNOWN => self.view().count(),
            known => usize::from(known).saturating_sub(removed),
        };
        self.set_count(count);
    }

    fn set_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.buffer.tail_mut()[..2].copy_from_slice(&count.to_le_bytes());
    }
}

impl<B: Buffer> Default for Listpack<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, B: Buffer, T: Into<Item<'a>>> Extend<T> for Listpack<B> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push_back(item);
        }
    }
}

impl<'a, B: Buffer, T: Into<Item<'a>>> FromIterator<T> for Listpack<B> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut listpack = Self::new();
        listpack.extend(items);
        listpack
    }
}

#[cfg(test)]
mod tests;
