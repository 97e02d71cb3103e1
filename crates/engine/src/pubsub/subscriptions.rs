//! What one session is subscribed to.

use super::Topic;
use bytes::Bytes;
use std::collections::BTreeSet;

/// What one session is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_topic: [BTreeSet<Bytes>; 3],
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

    pub(super) fn of_mut(&mut self, topic: Topic) -> &mut BTreeSet<Bytes> {
        &mut self.by_topic[topic as usize]
    }
}
