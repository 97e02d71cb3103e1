//! What one session is subscribed to.

use super::Topic;
use bytes::Bytes;
use std::collections::BTreeSet;

/// What one session is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_topic: [BTreeSet<Bytes>; 3],
    /// Bytes of all names.
    bytes: usize,
}

impl Subscriptions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_topic.iter().all(BTreeSet::is_empty)
    }

    /// Channels and patterns together, as confirmations count them.
    #[must_use]
    pub fn channels_and_patterns(&self) -> usize {
        self.of(Topic::Channel).len() + self.of(Topic::Pattern).len()
    }

    /// Shard channels.
    #[must_use]
    pub fn shard_channels(&self) -> usize {
        self.of(Topic::ShardChannel).len()
    }

    pub(super) fn of(&self, topic: Topic) -> &BTreeSet<Bytes> {
        &self.by_topic[topic as usize]
    }

    /// Adds a name; whether it is new.
    pub(super) fn insert(&mut self, topic: Topic, name: Bytes) -> bool {
        let length = name.len();
        let is_new = self.by_topic[topic as usize].insert(name);
        if is_new {
            self.bytes += length;
        }
        is_new
    }

    /// Takes a name out; whether it was there.
    pub(super) fn remove(&mut self, topic: Topic, name: &Bytes) -> bool {
        let was_there = self.by_topic[topic as usize].remove(name);
        if was_there {
            self.bytes -= name.len();
        }
        was_there
    }

    /// Bytes that all names take, here and in the lists of subscribers.
    pub(super) fn memory(&self) -> usize {
        let names: usize = self.by_topic.iter().map(BTreeSet::len).sum();
        names * SUBSCRIPTION_BYTES + self.bytes
    }
}

/// Bytes of a subscription beside the name.
const SUBSCRIPTION_BYTES: usize = 128;
