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
    /// The offset of the log behind the last write, as long as somebody wants to know.
    pub written: u64,
}

impl Shard {
    /// A shard with so many empty databases.
    #[must_use]
    pub fn new(databases: u16) -> Self {
        Self {
            dbs: (0..databases).map(|_| Db::default()).collect(),
            watchers: Watchers::default(),
            waiters: Waiters::default(),
            written: 0,
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

    /// Empties a database. Returns what it had, to be freed, unless a snapshot took it over.
    pub fn flush(&mut self, db: u16) -> Option<Db> {
        self.db_mut(db).flush()
    }

    /// The database that had this number at the cut of the snapshot being taken.
    pub fn db_of_cut(&mut self, number: u16) -> Option<&mut Db> {
        self.dbs
            .iter_mut()
            .find(|db| db.cut_number() == Some(number))
    }
}
