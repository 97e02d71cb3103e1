//! Consumer groups: how far each has read, what it has handed out and to whom.

use std::collections::BTreeMap;

use super::StreamId;
use super::by_id::{ById, Keyed};

/// The groups of a stream, by name.
pub type Groups = BTreeMap<Box<[u8]>, Group>;

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The id of the last entry handed out with `>`.
    pub last_id: StreamId,
    /// How many of the entries ever added it has read; `None` when nobody can tell.
    pub entries_read: Option<i64>,
    pending: ById<Pending>,
    consumers: Vec<Option<Consumer>>,
    /// The consumers by name.
    order: Vec<ConsumerId>,
}

/// An entry that was handed out and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: StreamId,
    /// Unix time of the last delivery in milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// Who has it.
    pub owner: ConsumerId,
}

/// A consumer within its group, for as long as it is not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// Unix time in milliseconds when it last tried to read or claim.
    pub seen_ms: i64,
    /// Unix time in milliseconds when it last got an entry.
    pub active_ms: Option<i64>,
    pending: ById<StreamId>,
}

impl ConsumerId {
    /// Nobody: the owner of an entry while a file is being loaded, until its consumer is read.
    pub const NOBODY: Self = Self(u32::MAX);
}

impl Keyed for Pending {
    fn id(&self) -> StreamId {
        self.id
    }
}

impl Group {
    /// A group that has read up to `last_id`.
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Self {
        Self {
            last_id,
            entries_read,
            pending: ById::new(),
            consumers: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Number of pending entries.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The pending entry of this id.
    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(id).copied()
    }

    /// The pending entry of the lowest id.
    pub fn first_pending(&self) -> Option<Pending> {
        self.pending.first().copied()
    }

    /// The pending entry of the highest id.
    pub fn last_pending(&self) -> Option<Pending> {
        self.pending.last().copied()
    }

    /// The pending entries from `start` on.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = Pending> {
        self.pending.iter_from(start).copied()
    }

    /// Hands an entry to a consumer: it is pending as `pending` says from here on, whoever had it before.
    pub fn assign(&mut self, pending: Pending) {
        let id = pending.id;
        let before = match self.pending.get_mut(id) {
            Some(known) => Some(std::mem::replace(known, pending).owner),
            None => {
                self.pending.insert(pending);
                None
            }
        };
        if before == Some(pending.owner) {
            return;
        }
        if let Some(consumer) = before.and_then(|owner| self.consumer_mut(owner)) {
            consumer.pending.remove(id);
        }
        if let Some(consumer) = self.consumer_mut(pending.owner) {
            consumer.pending.insert(id);
        }
    }

    /// Counts another delivery of a pending entry to its owner.
    pub fn redeliver(&mut self, id: StreamId, now_ms: i64) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.delivered_ms = now_ms;
            pending.deliveries = pending.deliveries.wrapping_add(1);
        }
    }

    /// Forgets a pending entry; whether it was pending.
    pub fn release(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else {
            return false;
        };
        if let Some(consumer) = self.consumer_mut(pending.owner) {
            consumer.pending.remove(id);
        }
        true
    }

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.order.len()
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.order
            .iter()
            .filter_map(|&id| Some((id, self.consumer(id)?)))
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        let index = self.position(name).ok()?;
        self.order.get(index).copied()
    }

    /// A consumer.
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(id.0 as usize)?.as_ref()
    }

    /// A consumer, to be changed.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.get_mut(id.0 as usize)?.as_mut()
    }

    /// A new consumer, seen just now; `None` when there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerId> {
        let index = self.position(name).err()?;
        let consumer = Some(Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: ById::new(),
        });
        let free = if self.order.len() < self.consumers.len() {
            self.consumers.iter().position(Option::is_none)
        } else {
            None
        };
        let slot = free.unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() - 1
        });
        self.consumers[slot] = consumer;
        let id = ConsumerId(slot as u32);
        self.order.insert(index, id);
        Some(id)
    }

    /// Removes the consumer of this name and forgets what it had pending. Returns how much that was; `None` when there is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let index = self.position(name).ok()?;
        let id = self.order.remove(index);
        let consumer = self.consumers.get_mut(id.0 as usize)?.take()?;
        for &id in consumer.pending.iter_from(StreamId::MIN) {
            self.pending.remove(id);
        }
        Some(consumer.pending_len())
    }

    /// Takes in what an RDB file says is pending, before its consumers; false when there is an entry of this id already.
    pub fn restore_pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) -> bool {
        self.pending.insert(Pending {
            id,
            delivered_ms,
            deliveries,
            owner: ConsumerId::NOBODY,
        })
    }

    /// Gives a pending entry that was restored to its consumer; false when there is none of this id, or somebody has it.
    pub fn restore_owner(&mut self, id: StreamId, owner: ConsumerId) -> bool {
        match self.pending.get_mut(id) {
            Some(pending) if pending.owner == ConsumerId::NOBODY => pending.owner = owner,
            _ => return false,
        }
        self.consumer_mut(owner)
            .is_some_and(|consumer| consumer.pending.insert(id))
    }

    /// Whether every pending entry belongs to a consumer: what a deep look at an RDB file asks for.
    pub fn is_owned(&self) -> bool {
        self.pending
            .iter_from(StreamId::MIN)
            .all(|pending| pending.owner != ConsumerId::NOBODY)
    }

    pub(super) fn memory(&self) -> usize {
        let consumers = self.consumers.iter().flatten();
        size_of::<Self>()
            + self.pending.heap_bytes()
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.order.capacity() * size_of::<ConsumerId>()
            + consumers
                .map(|consumer| consumer.name.len() + consumer.pending.heap_bytes())
                .sum::<usize>()
    }

    /// How many separate blocks freeing it gives back.
    pub(super) fn blocks(&self) -> usize {
        let consumers = self.consumers.iter().flatten();
        1 + self.pending.blocks()
            + consumers
                .map(|consumer| 1 + consumer.pending.blocks())
                .sum::<usize>()
    }

    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.order
            .binary_search_by(|&id| self.consumer(id).map_or(&[][..], Consumer::name).cmp(name))
    }
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Number of entries that it has pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of the entries that it has pending, from `start` on.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.iter_from(start).copied()
    }
}
