//! Broadcasts: the prefixes that connections listen to, and the changes to be sent at the end of a batch.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All prefixes, and what has changed under each.
#[derive(Debug, Default)]
pub(super) struct Broadcast {
    by_prefix: HashMap<Bytes, Prefix>,
    /// How many prefixes there are of each length: a key is looked up once for each, not compared with every prefix.
    lengths: BTreeMap<usize, usize>,
    /// Prefixes under which something has changed, in the order in which they are sent.
    pending: BTreeSet<Bytes>,
}

/// Who listens to a prefix, and what has changed under it.
#[derive(Debug, Default)]
struct Prefix {
    numbers: BTreeSet<u64>,
    changes: Changes,
}

/// Changed keys in ascending order, each with the connection that changed it last, if it was one.
pub(super) type Changes = BTreeMap<Bytes, Option<u64>>;

impl Broadcast {
    /// How many different prefixes there are.
    pub(super) fn len(&self) -> usize {
        self.by_prefix.len()
    }

    /// Tracker `number` listens to a prefix.
    pub(super) fn join(&mut self, prefix: &Bytes, number: u64) {
        let entry = self.by_prefix.entry(prefix.clone()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            Prefix::default()
        });
        entry.numbers.insert(number);
    }

    /// Tracker `number` does not listen to a prefix any more.
    pub(super) fn leave(&mut self, prefix: &Bytes, number: u64) {
        let Some(entry) = self.by_prefix.get_mut(prefix) else {
            return;
        };
        entry.numbers.remove(&number);
        if !entry.numbers.is_empty() {
            return;
        }
        self.by_prefix.remove(prefix);
        self.pending.remove(prefix);
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
    }

    /// Notes under all its prefixes that `author`, if it was a connection, changed a key.
    pub(super) fn note(&mut self, key: &Bytes, author: Option<u64>) {
        for length in self.lengths.range(..=key.len()).map(|(length, _)| *length) {
            let start = key.slice(..length);
            if let Some(prefix) = self.by_prefix.get_mut(&start) {
                prefix.changes.insert(key.clone(), author);
                self.pending.insert(start);
            }
        }
    }

    /// Whether there is something to send.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Hands what has changed, prefix by prefix, to `send` with those who listen.
    pub(super) fn send(&mut self, mut send: impl FnMut(&BTreeSet<u64>, &Changes)) {
        for prefix in std::mem::take(&mut self.pending) {
            if let Some(prefix) = self.by_prefix.get_mut(&prefix) {
                send(&prefix.numbers, &std::mem::take(&mut prefix.changes));
            }
        }
    }
}
