//! A sequence sorted by stream id, in chunks that clones share: what the lists of pending entries are kept in.

use std::collections::VecDeque;
use std::sync::Arc;

use super::StreamId;

/// Something that a stream id names.
pub(super) trait Keyed: Clone {
    fn id(&self) -> StreamId;
}

impl Keyed for StreamId {
    fn id(&self) -> StreamId {
        *self
    }
}

/// Items in the order of their ids, each id once.
///
/// Ids mostly come in at the tail and go at the head; a chunk is filled to the brim when they do. Chunks are copied when a clone shares them.
#[derive(Clone, Debug)]
pub(super) struct ById<T> {
    chunks: VecDeque<Chunk<T>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    /// The id of the first item, so that seeking touches no chunk on its way.
    first: StreamId,
    items: Arc<Vec<T>>,
}

/// Where an item is, or would go.
#[derive(Clone, Copy, Debug)]
struct Spot {
    chunk: usize,
    item: usize,
}

const CHUNK_MAX: usize = 128;
/// A chunk below this length is joined with a neighbour if the two then leave room.
const CHUNK_FEW: usize = 32;

impl<T: Keyed> ById<T> {
    pub(super) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.chunks.front()?.items.first()
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.chunks.back()?.items.last()
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&T> {
        let spot = self.find(id).ok()?;
        self.chunks.get(spot.chunk)?.items.get(spot.item)
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut T> {
        let spot = self.find(id).ok()?;
        Arc::make_mut(&mut self.chunks.get_mut(spot.chunk)?.items).get_mut(spot.item)
    }

    /// Adds an item unless there is one of its id; whether it was added.
    pub(super) fn insert(&mut self, item: T) -> bool {
        let Err(spot) = self.find(item.id()) else {
            return false;
        };
        self.len += 1;
        let count = self.chunks.len();
        match self.chunks.get_mut(spot.chunk) {
            Some(chunk) if chunk.items.len() < CHUNK_MAX => chunk.insert(spot.item, item),
            Some(chunk) if spot.chunk + 1 < count || spot.item < chunk.items.len() => {
                let rest = Arc::make_mut(&mut chunk.items).split_off(CHUNK_MAX / 2);
                match spot.item.checked_sub(CHUNK_MAX / 2) {
                    None => {
                        chunk.insert(spot.item, item);
                        self.insert_chunk(spot.chunk + 1, rest);
                    }
                    Some(index) => {
                        let mut rest = rest;
                        rest.insert(index, item);
                        self.insert_chunk(spot.chunk + 1, rest);
                    }
                }
            }
            _ => self.insert_chunk(count, vec![item]),
        }
        true
    }

    /// Takes out the item of this id.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<T> {
        let spot = self.find(id).ok()?;
        let chunk = self.chunks.get_mut(spot.chunk)?;
        let items = Arc::make_mut(&mut chunk.items);
        let removed = items.remove(spot.item);
        self.len -= 1;
        match items.first() {
            None => {
                self.chunks.remove(spot.chunk);
            }
            Some(first) => {
                chunk.first = first.id();
                if items.len() < CHUNK_FEW {
                    self.join(spot.chunk);
                }
            }
        }
        Some(removed)
    }

    /// The items from `id` on.
    pub(super) fn iter_from(&self, id: StreamId) -> impl Iterator<Item = &T> + Clone {
        let spot = self.find(id).unwrap_or_else(|spot| spot);
        self.chunks
            .range(spot.chunk.min(self.chunks.len())..)
            .flat_map(|chunk| chunk.items.iter())
            .skip(spot.item)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let bytes = |chunk: &Chunk<T>| 40 + chunk.items.capacity() * size_of::<T>();
        self.chunks.capacity() * size_of::<Chunk<T>>()
            + self.chunks.iter().map(bytes).sum::<usize>()
    }

    /// How many separate blocks freeing it gives back.
    pub(super) fn blocks(&self) -> usize {
        self.chunks.len()
    }

    fn find(&self, id: StreamId) -> Result<Spot, Spot> {
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.first <= id)
            .saturating_sub(1);
        let items = self.chunks.get(chunk).map_or(&[][..], |chunk| &chunk.items);
        items
            .binary_search_by_key(&id, Keyed::id)
            .map(|item| Spot { chunk, item })
            .map_err(|item| Spot { chunk, item })
    }

    fn insert_chunk(&mut self, index: usize, items: Vec<T>) {
        if let Some(first) = items.first().map(Keyed::id) {
            let items = Arc::new(items);
            self.chunks.insert(index, Chunk { first, items });
        }
    }

    /// Joins a short chunk with the one before or after it, or at least gives back the room that it does not need.
    fn join(&mut self, index: usize) {
        let len = |index: usize| self.chunks.get(index).map(|chunk| chunk.items.len());
        let fits = |other: Option<usize>| other.is_some_and(|other| other + CHUNK_FEW < CHUNK_MAX);
        let left = if fits(len(index + 1)) {
            Some(index)
        } else {
            index.checked_sub(1).filter(|&left| fits(len(left)))
        };
        if let Some(left) = left {
            if let Some(right) = self.chunks.remove(left + 1)
                && let Some(chunk) = self.chunks.get_mut(left)
            {
                Arc::make_mut(&mut chunk.items).extend_from_slice(&right.items);
            }
        } else if let Some(chunk) = self.chunks.get_mut(index)
            && chunk.items.capacity() > 2 * CHUNK_FEW
        {
            Arc::make_mut(&mut chunk.items).shrink_to(CHUNK_FEW);
        }
    }
}

impl<T: Keyed> Chunk<T> {
    fn insert(&mut self, index: usize, item: T) {
        let items = Arc::make_mut(&mut self.items);
        if index == 0 {
            self.first = item.id();
        }
        items.insert(index, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_behaves_as_a_sorted_set() {
        let mut random = crate::testing::random(7);
        let (mut by_id, mut model) = (ById::new(), BTreeSet::new());
        let mut shared = Vec::new();
        for step in 0..20_000u64 {
            let id = StreamId::new(random() % 700, random() % 3);
            // First it grows, then it shrinks.
            if random() % 20_000 > step {
                assert_eq!(by_id.insert(id), model.insert(id));
            } else {
                assert_eq!(by_id.remove(id).is_some(), model.remove(&id));
            }
            if step % 1000 == 0 {
                assert!(by_id.iter_from(StreamId::MIN).eq(model.iter()));
                assert!(by_id.iter_from(id).eq(model.range(id..)));
                shared.push((by_id.clone(), model.clone()));
            }
            assert_eq!(by_id.len(), model.len());
            assert_eq!(by_id.first(), model.first());
            assert_eq!(by_id.last(), model.last());
            assert_eq!(by_id.get(id).is_some(), model.contains(&id));
        }
        for (by_id, model) in shared {
            assert!(by_id.iter_from(StreamId::MIN).eq(model.iter()));
        }
    }

    #[test]
    fn ids_in_order_fill_their_chunks() {
        let mut by_id = ById::new();
        for ms in 0..10_000 {
            by_id.insert(StreamId::new(ms, 0));
        }
        assert_eq!(by_id.blocks(), 10_000usize.div_ceil(CHUNK_MAX));
        for ms in 0..10_000 {
            by_id.remove(StreamId::new(ms, 0));
        }
        assert_eq!((by_id.blocks(), by_id.len()), (0, 0));
    }
}
