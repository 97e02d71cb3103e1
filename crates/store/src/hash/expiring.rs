//! The table of a hash some of whose fields have deadlines, with the index that finds those whose time is over.

use std::collections::HashSet;

use entry::Pair;

use crate::dict::Dict;
use crate::expiry::{ExpiryIndex, recount, tick_of};
use crate::hash::FieldExpiry;
use crate::random::{Random, below};
use crate::table::{Fingerprint, Place};

/// Pairs with and without deadlines.
#[derive(Debug)]
pub(super) struct Expiring {
    pub(super) dict: Dict<Pair>,
    index: Index,
    /// Fields with a deadline.
    volatile: usize,
    /// When the index of hashes looks at this one; `i64::MAX` when it has not been told.
    announced_ms: i64,
}

/// What finds the fields whose time is over.
#[derive(Clone, Debug)]
enum Index {
    /// Looking at all of them, at this time: there are [`FEW`] at most.
    Scan {
        /// `i64::MAX` for never.
        due_ms: i64,
    },
    /// Records of the volatile ones. Once there, it stays.
    Records(Box<ExpiryIndex>),
}

/// Whether the deadline of a field has not passed: it may just have come.
pub(super) fn lives(pair: &Pair, now_ms: i64) -> bool {
    pair.expiry().is_none_or(|deadline| deadline >= now_ms)
}

impl Expiring {
    pub(super) fn new(dict: Dict<Pair>) -> Self {
        Self {
            dict,
            index: Index::Scan { due_ms: i64::MAX },
            volatile: 0,
            announced_ms: i64::MAX,
        }
    }

    pub(super) fn volatile(&self) -> usize {
        self.volatile
    }

    /// The pairs, for a hash without deadlines.
    pub(super) fn take_dict(&mut self) -> Dict<Pair> {
        let seed = self.dict.seed();
        std::mem::replace(&mut self.dict, Dict::new(seed))
    }

    pub(super) fn next_due(&self) -> Option<i64> {
        match &self.index {
            Index::Scan { due_ms } => (*due_ms < i64::MAX).then_some(*due_ms),
            Index::Records(index) => index.next_due(),
        }
    }

    pub(super) fn announce(&mut self) -> Option<i64> {
        let due = self.next_due().filter(|due| *due < self.announced_ms)?;
        self.announced_ms = due;
        Some(due)
    }

    pub(super) fn forget_announced(&mut self) {
        self.announced_ms = i64::MAX;
    }

    pub(super) fn find(&self, field: &[u8], now_ms: i64) -> Option<&Pair> {
        self.dict.find(field).filter(|pair| lives(pair, now_ms))
    }

    pub(super) fn living(&self, now_ms: i64) -> impl Iterator<Item = &Pair> {
        self.dict
            .table()
            .iter()
            .filter(move |pair| lives(pair, now_ms))
    }

    /// Sets a field; true when it is new or the one there has expired.
    pub(super) fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        expiry: FieldExpiry,
        now_ms: i64,
    ) -> bool {
        let seed = self.dict.seed();
        let hash = seed.hash(field);
        let at = match expiry {
            FieldExpiry::At(deadline_ms) => Some(deadline_ms),
            FieldExpiry::None | FieldExpiry::Keep => None,
        };
        match self.dict.place_of(hash, field) {
            Place::Vacant(place) => {
                place.insert(seed, Pair::with_expiry(field, value, at));
                self.note(hash, None, at, now_ms);
                true
            }
            Place::Occupied(mut place) => {
                let pair = place.element_mut();
                let (before, lived) = (pair.expiry(), lives(pair, now_ms));
                let after = match expiry {
                    FieldExpiry::Keep if lived => before,
                    _ => at,
                };
                if before.is_some() == after.is_some() {
                    pair.set_value(value);
                    pair.set_expiry(after);
                } else {
                    *pair = Pair::with_expiry(field, value, after);
                }
                self.note(hash, before, after, now_ms);
                !lived
            }
        }
    }

    /// Sets or takes away the deadline of a field, if that is there.
    pub(super) fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>, now_ms: i64) {
        let hash = self.dict.seed().hash(field);
        if let Place::Occupied(mut place) = self.dict.place_of(hash, field) {
            let pair = place.element_mut();
            let before = pair.expiry();
            pair.set_expiry(expiry);
            self.note(hash, before, expiry, now_ms);
        }
    }

    /// Removes a field that lives; whether there was one.
    pub(super) fn remove(&mut self, field: &[u8], now_ms: i64) -> bool {
        self.find(field, now_ms).is_some() && self.drop_field(field)
    }

    /// Looks at up to `budget` fields that are due and removes those whose deadline has passed; how many there were.
    pub(super) fn expire(
        &mut self,
        now_ms: i64,
        budget: usize,
        removed: &mut impl FnMut(&[u8]),
    ) -> usize {
        let mut fields: Vec<Box<[u8]>> = Vec::new();
        let Self { dict, index, .. } = self;
        match index {
            Index::Scan { due_ms } if *due_ms > now_ms => {}
            Index::Scan { due_ms } => {
                *due_ms = i64::MAX;
                for pair in dict.table().iter() {
                    let Some(deadline_ms) = pair.expiry() else {
                        continue;
                    };
                    if deadline_ms >= now_ms {
                        *due_ms = tick_of(deadline_ms, now_ms).min(*due_ms);
                    } else if fields.len() < budget {
                        fields.push(pair.field().into());
                    } else {
                        *due_ms = now_ms;
                    }
                }
            }
            Index::Records(index) => {
                for record in (0..budget)
                    .map_while(|_| index.due(now_ms))
                    .collect::<Vec<_>>()
                {
                    dict.table()
                        .visit_fingerprint(record, |pair| match pair.expiry() {
                            Some(deadline) if deadline < now_ms => fields.push(pair.field().into()),
                            Some(deadline) => index.arm(record, deadline, now_ms),
                            None => {}
                        });
                }
            }
        }
        // Two records may name the same field.
        fields.retain(|field| self.drop_field(field));
        fields.iter().for_each(|field| removed(field));
        fields.len()
    }

    /// A field that lives, each as likely as another, unless a hundred in turn have expired.
    pub(super) fn random(&self, random: Random<'_>, now_ms: i64) -> Option<&Pair> {
        (0..RANDOM_TRIES)
            .map_while(|_| self.dict.table().random(random))
            .find(|pair| lives(pair, now_ms))
    }

    /// Shows up to `count` different fields that live, each subset as likely as another.
    pub(super) fn sample(
        &self,
        count: usize,
        random: Random<'_>,
        now_ms: i64,
        visit: impl FnMut(&Pair),
    ) {
        if count > self.dict.len() / 3 {
            self.sample_in_one_pass(count, random, now_ms)
                .into_iter()
                .for_each(visit);
            return;
        }
        let (mut seen, mut visit) = (HashSet::with_capacity(count), visit);
        while seen.len() < count
            && let Some(pair) = self.random(random, now_ms)
        {
            if seen.insert(pair.field()) {
                visit(pair);
            }
        }
    }

    pub(super) fn memory(&self, samples: usize) -> usize {
        size_of::<Self>() - size_of::<Dict<Pair>>()
            + self.dict.memory(samples, Pair::memory)
            + match &self.index {
                Index::Scan { .. } => 0,
                Index::Records(index) => size_of::<ExpiryIndex>() + index.memory(),
            }
    }

    /// The first `count` that live, each later one in the place of one of them with the chance that it has among those seen so far.
    fn sample_in_one_pass(&self, count: usize, random: Random<'_>, now_ms: i64) -> Vec<&Pair> {
        let mut chosen = Vec::with_capacity(count.min(self.dict.len()));
        for (seen, pair) in self.living(now_ms).enumerate() {
            if chosen.len() < count {
                chosen.push(pair);
            } else if let Some(place) = chosen.get_mut(below(random, seen + 1)) {
                *place = pair;
            }
        }
        chosen
    }

    fn drop_field(&mut self, field: &[u8]) -> bool {
        let Some(pair) = self.dict.remove(field) else {
            return false;
        };
        self.volatile -= usize::from(pair.expiry().is_some());
        true
    }

    /// Keeps count and index when the deadline of a field changes.
    fn note(&mut self, hash: u64, before: Option<i64>, after: Option<i64>, now_ms: i64) {
        if let Some(deadline) = recount(&mut self.volatile, before, after) {
            match &mut self.index {
                Index::Scan { due_ms } => *due_ms = tick_of(deadline, now_ms).min(*due_ms),
                Index::Records(index) => index.arm(Fingerprint::of(hash), deadline, now_ms),
            }
        }
        match &mut self.index {
            Index::Scan { .. } if self.dict.len() > FEW => self.make_records(now_ms),
            Index::Records(index) if index.is_overgrown(self.volatile) => {
                sweep(&self.dict, index, now_ms);
            }
            Index::Scan { .. } | Index::Records(_) => {}
        }
    }

    fn make_records(&mut self, now_ms: i64) {
        let seed = self.dict.seed();
        let mut index = ExpiryIndex::new();
        for pair in self.dict.table().iter() {
            if let Some(deadline_ms) = pair.expiry() {
                let hash = seed.hash(pair.field());
                index.arm(Fingerprint::of(hash), deadline_ms, now_ms);
            }
        }
        self.index = Index::Records(Box::new(index));
    }
}

fn sweep(dict: &Dict<Pair>, index: &mut ExpiryIndex, now_ms: i64) {
    index.sweep(SWEPT, now_ms, |record| {
        let mut earliest: Option<i64> = None;
        dict.table().visit_fingerprint(record, |pair| {
            earliest = [earliest, pair.expiry()].into_iter().flatten().min();
        });
        earliest
    });
}

impl Clone for Expiring {
    /// A copy that no index of hashes has been told of.
    fn clone(&self) -> Self {
        Self {
            dict: self.dict.clone(),
            index: self.index.clone(),
            volatile: self.volatile,
            announced_ms: i64::MAX,
        }
    }
}

/// Expired fields in turn after which a random draw gives up.
const RANDOM_TRIES: usize = 100;
/// Fields up to which looking at all of them is as good as an index, which would take several times their room.
const FEW: usize = if cfg!(test) { 8 } else { 64 };
/// Records that a change of an overgrown index checks.
const SWEPT: usize = 4;
