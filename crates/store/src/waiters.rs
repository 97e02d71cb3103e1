//! Who waits for which key (BLPOP and its siblings), as opaque numbers in order of arrival.

use std::collections::HashMap;

/// The keys of one shard that somebody waits for, in all databases.
#[derive(Debug, Default)]
pub struct Waiters {
    keys: HashMap<Box<[u8]>, Vec<Waiting>>,
}

/// One waiter's place in a key's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The database whose key is waited for.
    pub db: u16,
    /// The waiter, as whoever put it here knows it.
    pub waiter: u64,
}

impl Waiters {
    /// Whether nobody waits: the common case, which must cost nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys are waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Puts a waiter behind those who wait for `key` already.
    pub fn add(&mut self, db: u16, key: &[u8], waiter: u64) {
        let queue = self.keys.entry(key.into()).or_default();
        let waiting = Waiting { db, waiter };
        if !queue.contains(&waiting) {
            queue.push(waiting);
        }
    }

    /// Takes a waiter out of the queue of `key`.
    pub fn remove(&mut self, db: u16, key: &[u8], waiter: u64) {
        if let Some(queue) = self.keys.get_mut(key) {
            queue.retain(|waiting| *waiting != Waiting { db, waiter });
            if queue.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// Those who wait for `key` in any database, in order of arrival.
    #[must_use]
    pub fn of_key(&self, key: &[u8]) -> &[Waiting] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether somebody waits for `key` of database `db`.
    #[must_use]
    pub fn wait_for(&self, db: u16, key: &[u8]) -> bool {
        self.of_key(key).iter().any(|waiting| waiting.db == db)
    }

    /// The keys of database `db` that are waited for.
    pub fn keys_of(&self, db: u16) -> impl Iterator<Item = &[u8]> {
        let in_db = move |queue: &Vec<Waiting>| queue.iter().any(|waiting| waiting.db == db);
        self.keys
            .iter()
            .filter(move |(_, queue)| in_db(queue))
            .map(|(key, _)| &**key)
    }
}
