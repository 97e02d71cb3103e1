//! The entries of a stream: nodes in the order of their ids, and what is remembered of entries that are gone.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Mark, Node, NodeEntries};
use super::{Entry, StreamId, radix};
use crate::listpack::{Depth, View};
use crate::tuning::Tuning;

/// The entries of a stream.
///
/// Nodes are shared with clones and copied when one side changes them, so a snapshot of a long stream costs its spine alone.
#[derive(Clone, Debug, Default)]
pub struct EntryLog {
    nodes: VecDeque<Slot>,
    totals: Totals,
}

/// What a stream knows of itself beside its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries that are there.
    pub length: u64,
    /// The id of the first of them; 0-0 when there is none.
    pub first_id: StreamId,
    /// The highest id that any entry had, or that XSETID set.
    pub last_id: StreamId,
    /// The highest id of an entry that XDEL deleted; 0-0 when none was.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    /// The id of the node's first entry, to which the ids inside refer.
    master: StreamId,
    node: Arc<Node>,
}

/// What a trim leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many of the newest entries.
    Newest(u64),
    /// The entries from this id on.
    From(StreamId),
}

/// How closely a trim keeps to its aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `=`: exactly.
    Exact,
    /// `~`: as far as whole nodes go, and at most so many entries; 0 for no limit.
    WholeNodes(u64),
}

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// Entries within a range of ids.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    nodes: &'a VecDeque<Slot>,
    /// The index of the node after the current one in the direction of the walk.
    next_node: Option<usize>,
    current: Option<NodeEntries<'a>>,
    start: StreamId,
    end: StreamId,
    direction: Direction,
}

/// Bytes of fields and values that one entry may have, and the most that `stream-node-max-bytes` can allow a node.
pub const NODE_BYTES_MAX: usize = 1 << 30;

impl Totals {
    /// How many entries, counted from the first ever added, came up to and including the one of this id
    /// (`streamEstimateDistanceFromFirstEverEntry`, Redis 7.2); `None` when deletions or an id that no entry has forbid to tell.
    pub fn entries_up_to(&self, id: StreamId) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let added = self.entries_added as i64;
        if id == self.last_id || self.length == 0 && id < self.last_id {
            return Some(added);
        }
        let fragmented =
            self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id;
        if id > self.last_id || fragmented || id > self.first_id {
            return None;
        }
        let before_first = added.wrapping_sub(self.length as i64);
        Some(before_first + i64::from(id == self.first_id))
    }

    /// Whether an entry with this id or a higher one may have been deleted while older ones are still there.
    pub fn may_have_gap_from(&self, id: StreamId) -> bool {
        self.length > 0
            && self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && id <= self.max_deleted_id
    }
}

impl EntryLog {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.totals.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is remembered of the stream.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Sets what is remembered: XSETID, and a file being loaded.
    pub fn set_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    /// Adds an entry of fields, each followed by its value. `id` is above the last one ([`super::NewId::after`]), and the words together are of at most
    /// [`NODE_BYTES_MAX`] bytes.
    pub fn append(&mut self, tuning: &Tuning, id: StreamId, pairs: &[&[u8]]) {
        let bytes = pairs.iter().map(|word| word.len()).sum();
        match self.nodes.back_mut() {
            Some(slot) if admits(tuning, &slot.node, bytes) => {
                Arc::make_mut(&mut slot.node).append(slot.master, id, pairs);
            }
            _ => self.push_slot(Slot {
                master: id,
                node: Arc::new(Node::new(pairs)),
            }),
        }
        self.totals.length += 1;
        self.totals.entries_added = self.totals.entries_added.wrapping_add(1);
        self.totals.last_id = id;
        if self.totals.length == 1 {
            self.totals.first_id = id;
        }
    }

    /// Deletes the entry of this id; whether it was there. The totals but the length are brought up to date by [`EntryLog::note_deleted`].
    fn remove(&mut self, id: StreamId) -> bool {
        let Some(index) = self.node_of(id) else {
            return false;
        };
        let slot = &mut self.nodes[index];
        let found = slot
            .node
            .entries(slot.master)
            .take_while(|raw| raw.entry.id <= id)
            .find(|raw| raw.entry.id == id && !raw.is_deleted);
        let Some(mark) = found.map(|raw| raw.mark()) else {
            return false;
        };
        if slot.node.live() <= 1 {
            self.nodes.remove(index);
        } else {
            Arc::make_mut(&mut slot.node).mark_deleted(&[mark]);
        }
        self.totals.length = self.totals.length.saturating_sub(1);
        true
    }

    /// Deletes the entries of these ids, as XDEL does. Returns how many there were.
    pub fn delete(&mut self, ids: &[StreamId]) -> u64 {
        let (mut deleted, mut lost_first) = (0, false);
        for &id in ids {
            if self.remove(id) {
                lost_first |= id == self.totals.first_id;
                self.totals.max_deleted_id = self.totals.max_deleted_id.max(id);
                deleted += 1;
            }
        }
        if lost_first || self.totals.length == 0 {
            self.find_first();
        }
        deleted
    }

    /// Removes entries from the head on. Returns how many.
    pub fn trim(&mut self, keep: Keep, precision: Precision) -> u64 {
        let mut removed = 0;
        while let Some(slot) = self.nodes.front() {
            let live = slot.node.live();
            let length = self.totals.length;
            if matches!(keep, Keep::Newest(count) if length <= count)
                || matches!(precision, Precision::WholeNodes(limit) if limit > 0 && removed + live > limit)
            {
                break;
            }
            let whole = match keep {
                Keep::Newest(count) => length.saturating_sub(live) >= count,
                Keep::From(id) => slot.last_id() < id,
            };
            if whole {
                self.nodes.pop_front();
                self.totals.length = length.saturating_sub(live);
                removed += live;
                continue;
            }
            if precision == Precision::Exact {
                removed += self.trim_front_node(keep);
            }
            break;
        }
        if removed > 0 || self.totals.length == 0 {
            self.find_first();
        }
        if self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
        removed
    }

    /// Marks entries of the first node as deleted until `keep` holds. Returns how many.
    fn trim_front_node(&mut self, keep: Keep) -> u64 {
        let length = self.totals.length;
        let Some(slot) = self.nodes.front_mut() else {
            return 0;
        };
        let mut marks: SmallVec<[Mark; 8]> = SmallVec::new();
        for raw in slot.node.entries(slot.master) {
            let done = match keep {
                Keep::Newest(count) => length.saturating_sub(marks.len() as u64) <= count,
                Keep::From(id) => raw.entry.id >= id,
            };
            if done {
                break;
            }
            if !raw.is_deleted {
                marks.push(raw.mark());
            }
        }
        if !marks.is_empty() {
            Arc::make_mut(&mut slot.node).mark_deleted(&marks);
        }
        self.totals.length = length.saturating_sub(marks.len() as u64);
        marks.len() as u64
    }

    /// The entries with ids from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId, direction: Direction) -> Entries<'_> {
        let next_node = match direction {
            Direction::Forward => Some(self.node_of(start).unwrap_or(0)),
            Direction::Backward => self.node_of(end),
        };
        Entries {
            nodes: &self.nodes,
            next_node,
            current: None,
            start,
            end,
            direction,
        }
    }

    /// The entry of this id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id, Direction::Forward).next()
    }

    /// The id of the newest entry.
    pub fn newest_id(&self) -> Option<StreamId> {
        let mut entries = self.range(StreamId::MIN, StreamId::MAX, Direction::Backward);
        entries.next().map(|entry| entry.id)
    }

    /// The id of the oldest entry that a node still knows, be it deleted.
    pub fn oldest_known_id(&self) -> Option<StreamId> {
        self.nodes
            .iter()
            .find_map(|slot| Some(slot.node.entries(slot.master).next()?.entry.id))
    }

    /// About how many entries there are from `start` to `end`: what lies in the nodes between, all nodes taken as equally full.
    pub fn estimate(&self, start: StreamId, end: StreamId) -> usize {
        let before = |id| self.node_of(id).map_or(0, |index| index + 1);
        let nodes = (before(end) + 1).saturating_sub(before(start).max(1));
        let entries = self.totals.length as usize;
        (nodes.saturating_mul(entries) / self.nodes.len().max(1)).min(entries)
    }

    /// Number of nodes: `radix-tree-keys`.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes the radix tree has in which Redis would hold the nodes of this stream: `radix-tree-nodes`. O(nodes).
    pub fn radix_nodes(&self) -> usize {
        radix::node_count(self.nodes.iter().map(|slot| slot.master))
    }

    /// The nodes as RDB keeps them: the id of the master entry, and the listpack.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (StreamId, View<'_>)> {
        self.nodes
            .iter()
            .map(|slot| (slot.master, slot.node.view()))
    }

    /// Adds a node of an RDB file; the totals are set with [`EntryLog::set_totals`] after the last. False when the bytes are no node, as far as `depth`
    /// looks, or the id is not above those before it.
    pub fn push_node(&mut self, master: StreamId, bytes: &[u8], depth: Depth) -> bool {
        let in_order = self.nodes.back().is_none_or(|slot| slot.master < master);
        if !in_order || !super::validate_node(bytes, depth) {
            return false;
        }
        let Some(node) = Node::from_bytes(bytes) else {
            return false;
        };
        self.push_slot(Slot {
            master,
            node: Arc::new(node),
        });
        true
    }

    /// The id of the first entry, sought; what RDB files before version 3 of the stream format leave out.
    pub fn seek_first_id(&self) -> Option<StreamId> {
        let mut entries = self.range(StreamId::MIN, StreamId::MAX, Direction::Forward);
        entries.next().map(|entry| entry.id)
    }

    /// Bytes on the heap, estimated from the first `samples` nodes and the last one, which is not full.
    pub(super) fn memory(&self, samples: usize) -> usize {
        let bytes = |slot: &Slot| NODE_BYTES + slot.node.heap_bytes();
        let Some(last) = self.nodes.back() else {
            return 0;
        };
        let full = self.nodes.len() - 1;
        let sampled = self.nodes.iter().take(full.min(samples.max(1)));
        let (count, total) = sampled.fold((0, 0), |(count, total), slot| {
            (count + 1, total + bytes(slot))
        });
        crate::encoding::scaled((count, total), full) + bytes(last)
    }

    /// Adds a node at the tail. The spine grows by an eighth: beside the nodes it is most of what a long stream takes.
    fn push_slot(&mut self, slot: Slot) {
        if self.nodes.len() == self.nodes.capacity() {
            self.nodes.reserve_exact(self.nodes.len() / 8 + 1);
        }
        self.nodes.push_back(slot);
    }

    /// The last node whose first id is not above `id`.
    fn node_of(&self, id: StreamId) -> Option<usize> {
        self.nodes
            .partition_point(|slot| slot.master <= id)
            .checked_sub(1)
    }

    fn find_first(&mut self) {
        self.totals.first_id = self.seek_first_id().unwrap_or(StreamId::MIN);
    }
}

/// Bytes of a node beside its content: the slot in the spine, the counts of the `Arc`, and the node itself.
const NODE_BYTES: usize = size_of::<Slot>() + 16 + size_of::<Node>();

/// Whether an entry of `bytes` bytes may still go into this node.
fn admits(tuning: &Tuning, node: &Node, bytes: usize) -> bool {
    let bytes_max = match tuning.stream_node_max_bytes {
        0 => NODE_BYTES_MAX,
        limit => limit.min(NODE_BYTES_MAX),
    };
    let entries_max = tuning.stream_node_max_entries as u64;
    node.bytes() + bytes < bytes_max && (entries_max == 0 || node.total() < entries_max)
}

impl Slot {
    /// The id of the last entry, be it deleted; 0-0 when no entry can be read.
    fn last_id(&self) -> StreamId {
        let last = self.node.entries(self.master).next_back();
        last.map_or(StreamId::MIN, |raw| raw.entry.id)
    }
}

impl<'a> Entries<'a> {
    /// The node that the walk comes to.
    fn enter(&mut self) -> Option<NodeEntries<'a>> {
        let index = self.next_node?;
        let slot = self.nodes.get(index)?;
        self.next_node = match self.direction {
            Direction::Forward => Some(index + 1),
            Direction::Backward => index.checked_sub(1),
        };
        Some(slot.node.entries(slot.master))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.current.is_none() {
                self.current = Some(self.enter()?);
            }
            let node = self.current.as_mut()?;
            let raw = match self.direction {
                Direction::Forward => node.next(),
                Direction::Backward => node.next_back(),
            };
            let Some(raw) = raw else {
                self.current = None;
                continue;
            };
            let id = raw.entry.id;
            let (early, late) = match self.direction {
                Direction::Forward => (id < self.start, id > self.end),
                Direction::Backward => (id > self.end, id < self.start),
            };
            if late {
                self.next_node = None;
                self.current = None;
                return None;
            }
            if !early && !raw.is_deleted {
                return Some(raw.entry);
            }
        }
    }
}
