//! Streams: entries in the order of their ids, and the groups of consumers that read them.
//!
//! Entries lie in nodes, which are Redis' own listpacks, to be written to RDB files as they are. Nodes, and the chunks of the lists of pending entries, are
//! shared with clones of the stream and copied when one side changes them, so a snapshot of a long stream costs its spines alone.

mod by_id;
mod group;
mod id;
mod log;
mod node;
mod radix;
mod validate;

pub use group::{Consumer, ConsumerId, Group, Groups, Pending};
pub use id::{IdText, NewId, StreamId};
pub use log::{Direction, Entries, EntryLog, Keep, NODE_BYTES_MAX, Precision, Totals};
pub use node::{Entry, Fields};
pub use validate::validate_node;

/// A stream. Unlike other values it may be empty: its key stays.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Its entries.
    pub entries: EntryLog,
    /// Its consumer groups.
    pub groups: Groups,
}

impl Stream {
    /// A stream that never had an entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        usize::try_from(self.entries.len()).unwrap_or(usize::MAX)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, and a group to be changed beside them.
    pub fn parts(&mut self, group: &[u8]) -> Option<(&EntryLog, &mut Group)> {
        Some((&self.entries, self.groups.get_mut(group)?))
    }

    /// How many entries a group has yet to read; `None` when nobody can tell (`streamReplyWithCGLag`, Redis 7.2).
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let totals = self.entries.totals();
        if totals.entries_added == 0 {
            return Some(0);
        }
        let read = match group.entries_read {
            Some(read) if !totals.may_have_gap_from(group.last_id) => read,
            _ => totals.entries_up_to(group.last_id)?,
        };
        Some((totals.entries_added as i64).wrapping_sub(read))
    }

    /// Bytes on the heap, estimated from the first `samples` nodes.
    pub fn memory(&self, samples: usize) -> usize {
        let groups = self
            .groups
            .iter()
            .map(|(name, group)| size_of::<Box<[u8]>>() + name.len() + group.memory());
        size_of::<Self>() + self.entries.memory(samples) + groups.sum::<usize>()
    }

    /// How many separate blocks freeing the stream gives back.
    pub fn free_effort(&self) -> usize {
        self.entries.node_count() + self.groups.values().map(Group::blocks).sum::<usize>()
    }
}

impl Group {
    /// Notes that the group has read the entry `id`, which is above its last one.
    pub fn read_up_to(&mut self, id: StreamId, totals: Totals) {
        self.entries_read = match self.entries_read {
            Some(read) if !totals.may_have_gap_from(id) => Some(read.wrapping_add(1)),
            _ if totals.entries_added > 0 => totals.entries_up_to(id),
            read => read,
        };
        self.last_id = id;
    }
}

#[cfg(test)]
mod tests;
