//! A shard: one slice of the key space in all databases, with what watches it.

use crate::db::Db;
use crate::waiters::Waiters;
use crate::watch::Watchers;

/// One slice of the key space in all databases. It lies under one lock.
#[derive(Debug)]
pub struct Shard {
    dbs: Box<[Db]>,
    /// Who watches which key.
    pub watchers: Watchers,
    /// Who waits for which key.
    pub waiters: Waiters,
}

impl Shard {
    /// A shard with so many empty databases.
    #[must_use]
    pub fn new(databases: u16) -> Self {
        Self {
            dbs: (0..databases).map(|_| Db::default()).collect(),
            watchers: Watchers::default(),
            waiters: Waiters::default(),
        }
    }

    /// How many databases there are.
    #[must_use]
    pub fn databases(&self) -> u16 {
        self.dbs.len() as u16
    }

    /// A database, by a number that the caller has checked.
    #[inline]
    #[must_use]
    pub fn db(&self, db: u16) -> &Db {
        &self.dbs[usize::from(db)]
    }

    /// A database, to be changed.
    #[inline]
    pub fn db_mut(&mut self, db: u16) -> &mut Db {
        &mut self.dbs[usize::from(db)]
    }

    /// Exchanges two databases (SWAPDB).
    pub fn swap_dbs(&mut self, a: u16, b: u16) {
        self.dbs.swap(usize::from(a), usize::from(b));
    }

    /// Takes a database out and leaves an empty one.
    pub fn take_db(&mut self, db: u16) -> Db {
        std::mem::take(self.db_mut(db))
    }
}
