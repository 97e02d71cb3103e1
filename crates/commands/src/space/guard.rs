//! A key's slot for a value of one type, and the guard through which the value is changed and committed.

use super::{Space, Value, discard};
use crate::effects::EventClass;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use store::{Object, Spot, object_of, object_of_mut};

/// Where a value of type `T` is or may be put.
#[derive(Debug)]
pub struct Slot<'s, 'a, T: Value> {
    space: &'s mut Space<'a>,
    key: &'s [u8],
    spot: Option<Spot>,
    volatile: bool,
    value: PhantomData<T>,
}

/// A value of type `T` at a key, to be changed.
///
/// [`Guard::commit`] ends the change. A value that is empty when the guard goes is removed with its key (but for a stream), so that a
/// handler that fails after it made an empty value leaves nothing behind.
#[derive(Debug)]
pub struct Guard<'s, 'a, T: Value> {
    space: &'s mut Space<'a>,
    key: &'s [u8],
    spot: Spot,
    /// Whether the value had volatile elements when the shard last knew.
    volatile: bool,
    /// What a commit found the value to be, which nothing changes any more.
    left: Option<Left>,
    value: PhantomData<T>,
}

/// What a change left of a value.
#[derive(Clone, Copy, Debug)]
struct Left {
    vanishes: bool,
    volatile: bool,
}

impl<'s, 'a, T: Value> Slot<'s, 'a, T> {
    pub(super) fn new(
        space: &'s mut Space<'a>,
        key: &'s [u8],
        spot: Option<Spot>,
        volatile: bool,
    ) -> Self {
        Self {
            space,
            key,
            spot,
            volatile,
            value: PhantomData,
        }
    }

    /// The value, when there is one.
    #[must_use]
    pub fn existing(self) -> Option<Guard<'s, 'a, T>> {
        let Self {
            space,
            key,
            spot,
            volatile,
            ..
        } = self;
        spot.map(|spot| Guard {
            space,
            key,
            spot,
            volatile,
            left: None,
            value: PhantomData,
        })
    }

    /// Whether there is a value.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.spot.is_some()
    }

    /// The value, a new empty one where there was none.
    #[must_use]
    pub fn or_default(self) -> Guard<'s, 'a, T> {
        self.or_insert_with(T::empty)
    }

    /// The value, the one that `make` gives where there was none; `make` gives a value of type `T`, which may be empty still and has no
    /// volatile elements.
    #[must_use]
    pub fn or_insert_with(self, make: impl FnOnce() -> Object) -> Guard<'s, 'a, T> {
        let Self {
            space,
            key,
            spot,
            volatile,
            ..
        } = self;
        let spot = spot.unwrap_or_else(|| {
            let hash = space.seed.hash(key);
            let mut entry = store::entry_of_object(key, make(), None);
            entry.set_access(space.fresh_access());
            space.effects.event(EventClass::NEW, "new", space.db, key);
            space.shards.of_key_mut(key).db_mut(space.db).insert(
                space.seed,
                (hash, key),
                entry,
                space.now_ms,
            )
        });
        Guard {
            space,
            key,
            spot,
            volatile,
            left: None,
            value: PhantomData,
        }
    }
}

impl<T: Value> Guard<'_, '_, T> {
    /// Ends a change: watchers and trackers are told, the event is published, `changes` are counted; and when the value
    /// is empty now, the key goes, with the event `del`.
    pub fn commit(mut self, event: &'static str, changes: u64) {
        let (db, key) = (self.space.db, self.key);
        let left = self.left();
        let emptied = left.vanishes;
        self.left = Some(left);
        self.space.touch(db, key, !emptied);
        self.space.effects.event(T::CLASS, event, db, key);
        self.space.effects.dirty += changes;
        if emptied {
            self.space
                .effects
                .event(EventClass::GENERIC, "del", db, key);
        }
    }

    fn left(&self) -> Left {
        let value: &T = self;
        Left {
            vanishes: value.vanishes(),
            volatile: value.has_volatile(),
        }
    }

    /// Publishes an event of the key before the commit (commands with more than one).
    pub fn event(&mut self, event: &'static str) {
        let db = self.space.db;
        self.space.effects.event(T::CLASS, event, db, self.key);
    }
}

impl<T: Value> Deref for Guard<'_, '_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        let entry = self
            .space
            .shards
            .of_key(self.key)
            .db(self.space.db)
            .at(self.spot);
        object_of(entry)
            .and_then(T::of)
            .expect("the slot was checked to hold this type")
    }
}

impl<T: Value> DerefMut for Guard<'_, '_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        let entry = self
            .space
            .shards
            .of_key_mut(self.key)
            .db_mut(self.space.db)
            .at_mut(self.spot);
        object_of_mut(entry)
            .and_then(T::of_mut)
            .expect("the slot was checked to hold this type")
    }
}

impl<T: Value> Drop for Guard<'_, '_, T> {
    fn drop(&mut self) {
        let Left { vanishes, volatile } = self.left.unwrap_or_else(|| self.left());
        if volatile || self.volatile {
            self.space
                .note_fields(self.key, self.spot, std::mem::take(&mut self.volatile));
        }
        if vanishes {
            let hash = self.space.seed.hash(self.key);
            let gone = self
                .space
                .shards
                .of_key_mut(self.key)
                .db_mut(self.space.db)
                .delete(hash, self.key);
            if let Some(gone) = gone {
                discard(self.space.effects, gone);
            }
        }
    }
}
