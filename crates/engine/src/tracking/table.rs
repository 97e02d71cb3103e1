//! The table of records: the trackers that may have a copy of a key.

use ::commands::Rng;
use indexmap::IndexMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// The trackers that may have a copy of a key, by key. Keys of all databases share it, as in Redis.
#[derive(Debug, Default)]
pub(super) struct Table {
    holders: IndexMap<Arc<[u8]>, Holders>,
    items: usize,
}

/// Numbers of trackers.
pub(super) type Holders = SmallVec<[u64; 2]>;

impl Table {
    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    /// The trackers of all keys together.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Adds a tracker that `key` does not have; the key as the table keeps it.
    pub(super) fn add(&mut self, key: &[u8], number: u64) -> Arc<[u8]> {
        self.items += 1;
        if let Some((at, kept, holders)) = self.holders.get_full_mut(key) {
            debug_assert!(!holders.contains(&number), "{at}");
            holders.push(number);
            return Arc::clone(kept);
        }
        let kept: Arc<[u8]> = key.into();
        let holders = std::iter::once(number).collect();
        self.holders.insert(Arc::clone(&kept), holders);
        kept
    }

    /// Takes a tracker of `key` out.
    pub(super) fn remove(&mut self, key: &[u8], number: u64) {
        let Some((at, _, holders)) = self.holders.get_full_mut(key) else {
            return;
        };
        if let Some(place) = holders.iter().position(|holder| *holder == number) {
            holders.swap_remove(place);
            self.items -= 1;
        }
        if holders.is_empty() {
            self.holders.swap_remove_index(at);
        }
    }

    /// Takes a key out, with its trackers.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Holders> {
        let holders = self.holders.swap_remove(key)?;
        self.items -= holders.len();
        Some(holders)
    }

    /// A key chosen at random.
    pub(super) fn random(&self, rng: &mut Rng) -> Option<Arc<[u8]>> {
        let at = rng.below(self.holders.len() as u64);
        let (key, _) = self.holders.get_index(usize::try_from(at).ok()?)?;
        Some(Arc::clone(key))
    }
}
