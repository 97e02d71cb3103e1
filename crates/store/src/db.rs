//! The keys of one database within one shard: the table of entries, the index of their expiry, and that of hashes whose fields expire.

use std::sync::Arc;

use crate::cut::PreImages;
use crate::encoding::Kind;
use crate::expiry::{ExpiryIndex, recount};
use crate::hash::Hash;
use crate::object::Object;
use crate::random::Random;
use crate::string::NewString;
use crate::table::{Fingerprint, HashSeed, Located, Position, Table};
use entry::{Entry, ValueRef};

/// The keys of one database within one shard.
#[derive(Debug, Default)]
pub struct Db {
    table: Table<Entry<Object>>,
    expiry: ExpiryIndex,
    volatile: usize,
    /// There since the first hash with a volatile field.
    hashes: Option<Box<VolatileHashes>>,
    /// The parity of entries that no snapshot waits for. **Invariant**: without `cut` all entries have it.
    parity: bool,
    cut: Option<Cut>,
}

/// The hashes with volatile fields. Each has a record under the time at which its own index wants to be looked at.
#[derive(Debug, Default)]
struct VolatileHashes {
    index: ExpiryIndex,
    count: usize,
}

/// The snapshot that is taken of a database.
#[derive(Clone, Debug)]
struct Cut {
    images: Arc<dyn PreImages>,
    /// The number of the database at the cut.
    db: u16,
}

/// Where an entry is; see [`Db::locate`].
pub type Spot = Located;

impl Db {
    /// How many keys there are, expired ones that nobody has met included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many keys have a time to live.
    #[must_use]
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// How many keys hold a hash with volatile fields.
    #[must_use]
    pub fn volatile_hashes(&self) -> usize {
        self.hashes.as_ref().map_or(0, |hashes| hashes.count)
    }

    /// The table of entries, for walks.
    #[must_use]
    pub fn table(&self) -> &Table<Entry<Object>> {
        &self.table
    }

    /// The expiry index, for the cycle of active expiry.
    pub fn expiry_index(&mut self) -> &mut ExpiryIndex {
        &mut self.expiry
    }

    /// The entry of `key`, expired or not.
    #[inline]
    #[must_use]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&Entry<Object>> {
        self.table.find(hash, key)
    }

    /// Has the bucket near the processor that looking up a key of this hash reads first.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.prefetch_bucket(hash);
    }

    /// Has the entry near the processor that looking up a key of this hash reads once it has the bucket.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.table.prefetch_element(hash);
    }

    /// Where the entry of `key` is. It holds until the next insertion or removal.
    #[inline]
    #[must_use]
    pub fn locate(&self, hash: u64, key: &[u8]) -> Option<Spot> {
        self.table.locate(hash, key)
    }

    /// The entry at a place found before.
    ///
    /// # Panics
    /// When the table was changed since, so that nothing is there.
    #[inline]
    #[must_use]
    pub fn at(&self, spot: Spot) -> &Entry<Object> {
        self.table
            .at(spot)
            .expect("a spot is used before the table changes")
    }

    /// The entry at a place found before, to be changed but for its expiry.
    ///
    /// # Panics
    /// When the table was changed since, so that nothing is there.
    #[inline]
    pub fn at_mut(&mut self, spot: Spot) -> &mut Entry<Object> {
        let entry = self
            .table
            .at_mut(spot)
            .expect("a spot is used before the table changes");
        if let Some(cut) = &self.cut
            && entry.parity() != self.parity
        {
            cut.keep(entry, self.parity);
        }
        entry
    }

    /// Notes an access to the entry at a place found before, which no snapshot has to know of.
    ///
    /// # Panics
    /// As [`Db::at`].
    #[inline]
    pub fn note_access(&mut self, spot: Spot, access: impl FnOnce(u32) -> u32) {
        let entry = self
            .table
            .at_mut(spot)
            .expect("a spot is used before the table changes");
        entry.set_access(access(entry.access()));
    }

    /// Adds an entry for `key`, which is absent, and says where it is.
    ///
    /// # Panics
    /// When `entry` is not that of `key`, so that it is not found.
    pub fn insert(
        &mut self,
        seed: HashSeed,
        (hash, key): (u64, &[u8]),
        entry: Entry<Object>,
        now_ms: i64,
    ) -> Spot {
        self.add(seed, hash, entry, now_ms);
        self.locate(hash, key).expect("an inserted entry is found")
    }

    /// Puts an entry at its key. Returns what was there and is to be freed, unless a snapshot took it over; `None` when there
    /// was nothing.
    pub fn put(
        &mut self,
        seed: HashSeed,
        hash: u64,
        mut entry: Entry<Object>,
        now_ms: i64,
    ) -> Option<Gone> {
        if let Some(cut) = &self.cut {
            cut.note_arrival(&entry);
        }
        let Some(spot) = self.locate(hash, entry.key()) else {
            self.add(seed, hash, entry, now_ms);
            return None;
        };
        entry.set_parity(self.parity);
        let after = entry.expiry();
        let place = self
            .table
            .at_mut(spot)
            .expect("a spot is used before the table changes");
        let replaced = std::mem::replace(place, entry);
        self.note_expiry(hash, replaced.expiry(), after, now_ms);
        self.forget_fields(&replaced);
        self.announce_fields(spot, hash);
        Some(self.gone(replaced))
    }

    /// Adds a string at a key that is absent.
    pub fn add_string(
        &mut self,
        seed: HashSeed,
        hash: u64,
        key: &[u8],
        string: &NewString<'_>,
        now_ms: i64,
    ) {
        let entry = string.entry(key);
        let expiry = entry.expiry();
        self.adopt(seed, hash, entry);
        self.note_expiry(hash, None, expiry, now_ms);
    }

    /// Puts a string in place of the value at `spot`, whose key has this hash. An inline string or integer is overwritten
    /// in its own block; any other value's entry is returned, to be freed.
    ///
    /// # Panics
    /// As [`Db::at`].
    pub fn overwrite(
        &mut self,
        spot: Spot,
        hash: u64,
        string: &NewString<'_>,
        now_ms: i64,
    ) -> Option<Gone> {
        let entry = self
            .table
            .at_mut(spot)
            .expect("a spot is used before the table changes");
        let before = entry.expiry();
        let in_place = self.cut.is_none() || entry.parity() == self.parity;
        let old = match entry.value() {
            ValueRef::Bytes(_) | ValueRef::Integer(_) if in_place => {
                string.overwrite(entry);
                None
            }
            _ => {
                let mut new = string.entry(entry.key());
                new.set_parity(self.parity);
                Some(std::mem::replace(entry, new))
            }
        };
        self.note_expiry(hash, before, string.expiry, now_ms);
        let old = old?;
        self.forget_fields(&old);
        Some(self.gone(old))
    }

    /// Deletes the entry of `key`. Returns what is to be freed, unless a snapshot took it over; `None` when there was none.
    pub fn delete(&mut self, hash: u64, key: &[u8]) -> Option<Gone> {
        let entry = self.table.remove(hash, key)?;
        if entry.expiry().is_some() {
            self.volatile -= 1;
        }
        self.forget_fields(&entry);
        Some(self.gone(entry))
    }

    /// Takes the entry of `key` out, to be put at another key or into another database by [`Db::put`]; to be dropped only
    /// where there is no snapshot.
    pub fn take(&mut self, hash: u64, key: &[u8]) -> Option<Entry<Object>> {
        let mut entry = self.table.remove(hash, key)?;
        if entry.expiry().is_some() {
            self.volatile -= 1;
        }
        self.forget_fields(&entry);
        if let Some(cut) = &self.cut
            && entry.parity() != self.parity
        {
            cut.keep(&mut entry, self.parity);
        }
        Some(entry)
    }

    /// Changes when the entry of `key` expires; whether there is one.
    pub fn set_expiry(&mut self, hash: u64, key: &[u8], expiry: Option<i64>, now_ms: i64) -> bool {
        let spot = self.locate(hash, key);
        if let Some(spot) = spot {
            self.set_expiry_at(spot, hash, expiry, now_ms);
        }
        spot.is_some()
    }

    /// Changes when the entry at `spot`, whose key has this hash, expires.
    ///
    /// # Panics
    /// As [`Db::at`].
    pub fn set_expiry_at(&mut self, spot: Spot, hash: u64, expiry: Option<i64>, now_ms: i64) {
        let entry = self.at_mut(spot);
        let before = entry.expiry();
        entry.set_expiry(expiry);
        self.note_expiry(hash, before, expiry, now_ms);
    }

    /// The deadline of `key`, when it has one and lives.
    #[must_use]
    pub fn expiry_of(&self, hash: u64, key: &[u8], now_ms: i64) -> Option<i64> {
        self.get(hash, key)
            .and_then(Entry::expiry)
            .filter(|deadline| *deadline >= now_ms)
    }

    /// Takes up to `budget` records that have come due out of the expiry index and calls `expired` with the key of each
    /// element whose time is over; the other elements are armed anew. Returns how many records there were.
    ///
    /// The caller deletes those keys before it releases the shard: they have no record any more. A key may be named
    /// twice.
    pub fn due(&mut self, now_ms: i64, budget: usize, mut expired: impl FnMut(&[u8])) -> usize {
        let Self { table, expiry, .. } = self;
        for taken in 0..budget {
            let Some(record) = expiry.due(now_ms) else {
                return taken;
            };
            table.visit_fingerprint(record, |entry| match entry.expiry() {
                Some(deadline) if deadline < now_ms => expired(entry.key()),
                Some(deadline) => expiry.arm(record, deadline, now_ms),
                None => {}
            });
        }
        budget
    }

    /// Tells the index of hashes what became of the fields of the hash at `spot`, whose key has this hash; `had_volatile` says whether any had a
    /// deadline before. To be called when they may have changed in place.
    ///
    /// # Panics
    /// As [`Db::at`].
    pub fn note_fields(&mut self, spot: Spot, hash: u64, had_volatile: bool) {
        let Some(value) = hash_of_mut(self.at_mut(spot)) else {
            return;
        };
        let (volatile, due) = (value.volatile() > 0, value.announce());
        if !volatile && self.hashes.is_none() {
            return;
        }
        let hashes = self.hashes.get_or_insert_default();
        hashes.count += usize::from(volatile);
        hashes.count -= usize::from(had_volatile);
        if let Some(due_ms) = due {
            hashes.index.arm_at(Fingerprint::of(hash), due_ms);
        }
    }

    /// Takes up to `budget` records that have come due out of the index of hashes and calls `due` with the key of each hash. Returns how many
    /// records there were.
    ///
    /// The caller hands each key to [`Db::expire_fields`] before it releases the shard: it has no record any more. A key may be named twice.
    pub fn due_hashes(&mut self, now_ms: i64, budget: usize, mut due: impl FnMut(&[u8])) -> usize {
        let Some(hashes) = &mut self.hashes else {
            return 0;
        };
        for taken in 0..budget {
            let Some(record) = hashes.index.due(now_ms) else {
                return taken;
            };
            self.table.visit_fingerprint(record, |entry| {
                if hash_of(entry).is_some_and(|hash| hash.volatile() > 0) {
                    due(entry.key());
                }
            });
        }
        budget
    }

    /// Looks at up to `budget` due fields of the hash at `spot`, whose key has this hash, removes the expired ones, shows each to `removed`, and sees
    /// that the hash is looked at again when the next are due; at once when there are more. The last field's hash stays, empty. Returns how many there were.
    ///
    /// # Panics
    /// As [`Db::at`].
    pub fn expire_fields(
        &mut self,
        spot: Spot,
        hash: u64,
        now_ms: i64,
        budget: usize,
        removed: impl FnMut(&[u8]),
    ) -> usize {
        let Some(value) = hash_of_mut(self.at_mut(spot)) else {
            return 0;
        };
        let had_volatile = value.volatile() > 0;
        let count = value.expire(now_ms, budget, removed);
        value.forget_announced();
        self.note_fields(spot, hash, had_volatile);
        count
    }

    /// Checks up to `budget` records of each index and drops those that were left behind, when there are many; whether there still are.
    pub fn sweep_expiry(&mut self, now_ms: i64, budget: usize) -> bool {
        let Self {
            table,
            expiry,
            volatile,
            hashes,
            ..
        } = self;
        let keys_left = sweep(table, expiry, *volatile, now_ms, budget, Entry::expiry);
        let hashes_left = hashes.as_mut().is_some_and(|hashes| {
            let VolatileHashes { index, count } = &mut **hashes;
            // A record comes due no later than the hash announced.
            let due = |entry: &Entry<Object>| hash_of(entry)?.next_due().map(|due_ms| due_ms - 1);
            sweep(table, index, *count, now_ms, budget, due)
        });
        keys_left || hashes_left
    }

    /// The deadline of some volatile key, as a sample of how long keys live; `None` when there is none, and sometimes
    /// when the index remembers a key that is gone.
    pub fn sample_deadline(&self, random: Random<'_>) -> Option<i64> {
        let fingerprint = self.expiry.sample(random)?;
        let mut found = None;
        self.table.visit_fingerprint(fingerprint, |entry| {
            found = found.or_else(|| entry.expiry())
        });
        found
    }

    /// Shows keys chosen at random, about `wanted` of them or a few more, or all where there are fewer. A key may be shown
    /// twice.
    pub fn sample_keys(
        &self,
        wanted: usize,
        random: Random<'_>,
        mut visit: impl FnMut(&Entry<Object>),
    ) {
        if self.len() <= wanted {
            return self.table.iter().for_each(visit);
        }
        let mut shown = 0;
        for _ in 0..wanted * BUCKETS_A_SAMPLE {
            for entry in self.table.bucket_elements(random()) {
                visit(entry);
                shown += 1;
            }
            if shown >= wanted {
                break;
            }
        }
    }

    /// As [`Db::sample_keys`], of the keys that have a time to live.
    pub fn sample_volatile(
        &self,
        wanted: usize,
        random: Random<'_>,
        mut visit: impl FnMut(&Entry<Object>),
    ) {
        let mut shown = 0;
        let mut show = |entry: &Entry<Object>| {
            if entry.expiry().is_some() {
                visit(entry);
                shown += 1;
            }
        };
        if self.volatile * COMMON_FROM >= self.len() {
            self.sample_keys(
                wanted * self.len() / self.volatile.max(1),
                random,
                &mut show,
            );
        } else {
            for _ in 0..wanted {
                if let Some(record) = self.expiry.sample(random) {
                    self.table.visit_fingerprint(record, &mut show);
                }
            }
        }
        if shown == 0 {
            self.soonest(1, visit);
        }
    }

    /// Shows keys with a time to live, about `wanted` of them, those first whose time is over soonest.
    pub fn soonest(&self, wanted: usize, mut visit: impl FnMut(&Entry<Object>)) {
        let mut shown = 0;
        for record in self.expiry.earliest() {
            if shown >= wanted {
                break;
            }
            self.table.visit_fingerprint(record, |entry| {
                if entry.expiry().is_some() {
                    visit(entry);
                    shown += 1;
                }
            });
        }
    }

    /// The entry whose key has this hash.
    #[must_use]
    pub fn of_hash(&self, seed: HashSeed, hash: u64) -> Option<&Entry<Object>> {
        self.table
            .bucket_elements(hash)
            .find(|entry| seed.hash(entry.key()) == hash)
    }

    /// Begins a snapshot of this database, which has this number: every entry is one that it waits for.
    pub fn begin_cut(&mut self, db: u16, images: &Arc<dyn PreImages>) {
        self.parity = !self.parity;
        let images = Arc::clone(images);
        self.cut = Some(Cut { images, db });
    }

    /// Ends a snapshot that has walked all of this database.
    pub fn end_cut(&mut self) {
        self.cut = None;
    }

    /// The number that the database had at the cut, while a snapshot is taken.
    #[must_use]
    pub fn cut_number(&self) -> Option<u16> {
        self.cut.as_ref().map(|cut| cut.db)
    }

    /// Shows the snapshot about `budget` entries from `position` on, and those that it waits for are delivered: small ones
    /// are visited, and large ones opened. Where to go on; `None` at the end.
    pub fn walk_cut(
        &mut self,
        seed: HashSeed,
        position: Position,
        budget: usize,
        mut visit: impl FnMut(&Entry<Object>),
    ) -> Option<Position> {
        let Self {
            table, parity, cut, ..
        } = self;
        let cut = cut.as_ref()?;
        table.scan_mut(seed, position, budget, |entry| {
            if entry.parity() == *parity {
                return;
            }
            if object_of(entry).is_some_and(Object::is_divisible) {
                cut.keep(entry, *parity);
            } else {
                visit(entry);
                entry.set_parity(*parity);
            }
        })
    }

    /// The value that has this opening, when `key` has it.
    pub fn opened_mut(&mut self, id: u64, hash: u64, key: &[u8]) -> Option<&mut Object> {
        let object = object_of_mut(self.table.find_mut(hash, key)?)?;
        (object.opening() == Some(id)).then_some(object)
    }

    /// Takes the value that has this opening out of a database that was flushed.
    pub fn take_opened(&mut self, id: u64, hash: u64, key: &[u8]) -> Option<Object> {
        self.opened_mut(id, hash, key)?;
        self.table.remove(hash, key)?.into_boxed().ok()
    }

    /// Empties the database. Returns what it had, to be freed, unless a snapshot took it over.
    pub fn flush(&mut self) -> Option<Self> {
        let empty = Self {
            parity: self.parity,
            cut: self.cut.clone(),
            ..Self::default()
        };
        let flushed = std::mem::replace(self, empty);
        match &self.cut {
            None => Some(flushed),
            Some(cut) => {
                cut.images.flushed(cut.db, flushed);
                None
            }
        }
    }

    /// Of a flushed database, what a snapshot waits for.
    pub fn into_undelivered(self) -> impl Iterator<Item = Entry<Object>> {
        let parity = self.parity;
        self.table
            .into_iter()
            .filter(move |entry| entry.parity() != parity)
    }

    /// What is to be freed of an entry that was taken out or replaced: nothing, when a snapshot needs it.
    #[inline]
    fn gone(&self, entry: Entry<Object>) -> Gone {
        match &self.cut {
            None => Gone(Some(entry)),
            Some(cut) => Gone(cut.hand_over(entry, self.parity)),
        }
    }

    /// Makes room for so many keys at once.
    pub fn reserve(&mut self, seed: HashSeed, keys: usize) {
        self.table.reserve(seed, keys);
    }

    /// Gives back room that was made for keys which did not come.
    pub fn fit(&mut self) {
        self.table.compact(usize::MAX);
    }

    /// Bytes held by the table and the index, without the entries.
    #[must_use]
    pub fn overhead(&self) -> usize {
        let hashes = self.hashes.as_ref().map_or(0, |hashes| {
            size_of::<VolatileHashes>() + hashes.index.memory()
        });
        self.table.memory() + self.expiry.memory() + hashes
    }

    fn add(&mut self, seed: HashSeed, hash: u64, mut entry: Entry<Object>, now_ms: i64) {
        let expiry = entry.expiry();
        let due = hash_of_mut(&mut entry).and_then(announced_anew);
        self.adopt(seed, hash, entry);
        self.note_expiry(hash, None, expiry, now_ms);
        if let Some(due_ms) = due {
            self.count_hash(hash, due_ms);
        }
    }

    /// Puts an entry into the table, as one that no snapshot waits for.
    #[inline]
    fn adopt(&mut self, seed: HashSeed, hash: u64, mut entry: Entry<Object>) {
        if entry.parity() != self.parity {
            entry.set_parity(self.parity);
        }
        self.table.insert(seed, hash, entry);
    }

    /// Counts the hash that was put at `spot`, when it has volatile fields.
    fn announce_fields(&mut self, spot: Spot, hash: u64) {
        if let Some(due_ms) = hash_of_mut(self.at_mut(spot)).and_then(announced_anew) {
            self.count_hash(hash, due_ms);
        }
    }

    fn count_hash(&mut self, hash: u64, due_ms: i64) {
        let hashes = self.hashes.get_or_insert_default();
        hashes.count += 1;
        hashes.index.arm_at(Fingerprint::of(hash), due_ms);
    }

    /// Uncounts an entry that was taken out, when it is a hash with volatile fields. Its record stays until it is due.
    fn forget_fields(&mut self, entry: &Entry<Object>) {
        if let Some(hashes) = &mut self.hashes
            && hash_of(entry).is_some_and(|hash| hash.volatile() > 0)
        {
            hashes.count -= 1;
        }
    }

    /// Keeps count and index of the volatile keys when a deadline changes.
    fn note_expiry(&mut self, hash: u64, before: Option<i64>, after: Option<i64>, now_ms: i64) {
        if let Some(deadline) = recount(&mut self.volatile, before, after) {
            self.expiry.arm(Fingerprint::of(hash), deadline, now_ms);
        }
    }
}

/// What was taken out of the keyspace, for good.
#[derive(Debug)]
#[must_use = "what may take long to free is freed in the background"]
pub struct Gone(Option<Entry<Object>>);

impl Gone {
    /// The value to be freed, when it has allocations of its own and no snapshot took it over.
    #[must_use]
    pub fn into_object(self) -> Option<Object> {
        self.0?.into_boxed().ok()
    }
}

impl Cut {
    /// Lets the snapshot keep an entry that it waits for before it changes.
    #[cold]
    fn keep(&self, entry: &mut Entry<Object>, parity: bool) {
        if object_of(entry).is_some_and(Object::is_divisible) {
            let opening = self.images.open(self.db, entry);
            if let Some(object) = object_of_mut(entry) {
                object.open(opening);
            }
        } else {
            self.images.keep(self.db, entry.clone());
        }
        entry.set_parity(parity);
    }

    /// Gives the snapshot an entry that has been taken out, if it needs it.
    #[cold]
    fn hand_over(&self, entry: Entry<Object>, parity: bool) -> Option<Entry<Object>> {
        if entry.parity() != parity {
            self.images.keep(self.db, entry);
            return None;
        }
        let Some(id) = object_of(&entry).and_then(Object::opening) else {
            return Some(entry);
        };
        if let Ok(object) = entry.into_boxed() {
            self.images.removed(id, object);
        }
        None
    }

    /// Tells the snapshot where an opened value is now.
    #[cold]
    fn note_arrival(&self, entry: &Entry<Object>) {
        if let Some(id) = object_of(entry).and_then(Object::opening) {
            self.images.moved(id, self.db, entry.key());
        }
    }
}

/// Whether the time of an entry is over at `now_ms`: its deadline has passed, not merely come (keyIsExpired, Redis 7.2).
#[inline]
#[must_use]
pub fn is_expired(entry: &Entry<Object>, now_ms: i64) -> bool {
    entry.expiry().is_some_and(|deadline| deadline < now_ms)
}

/// Checks up to `budget` records of an index over `volatile` entries, when it is overgrown; whether it still is.
fn sweep(
    table: &Table<Entry<Object>>,
    index: &mut ExpiryIndex,
    volatile: usize,
    now_ms: i64,
    budget: usize,
    deadline_of: impl Fn(&Entry<Object>) -> Option<i64>,
) -> bool {
    if !index.is_overgrown(volatile) {
        return false;
    }
    index.sweep(budget, now_ms, |record| {
        let mut earliest: Option<i64> = None;
        table.visit_fingerprint(record, |entry| {
            earliest = [earliest, deadline_of(entry)].into_iter().flatten().min();
        });
        earliest
    });
    index.is_overgrown(volatile)
}

fn hash_of(entry: &Entry<Object>) -> Option<&Hash> {
    match object_of(entry) {
        Some(Object::Hash(hash)) => Some(hash),
        _ => None,
    }
}

fn hash_of_mut(entry: &mut Entry<Object>) -> Option<&mut Hash> {
    match object_of_mut(entry) {
        Some(Object::Hash(hash)) => Some(hash),
        _ => None,
    }
}

/// When to look at the fields of a hash that comes to a key; what it announced elsewhere does not count.
fn announced_anew(hash: &mut Hash) -> Option<i64> {
    hash.forget_announced();
    hash.announce()
}

/// The value of an entry that is no inline string or integer.
#[must_use]
pub fn object_of(entry: &Entry<Object>) -> Option<&Object> {
    match entry.value() {
        ValueRef::Boxed(object) => Some(object),
        ValueRef::Bytes(_) | ValueRef::Integer(_) => None,
    }
}

/// As [`object_of`], to be changed.
pub fn object_of_mut(entry: &mut Entry<Object>) -> Option<&mut Object> {
    entry.boxed_mut()
}

/// An entry for a value of its own allocation.
#[must_use]
pub fn entry_of_object(key: &[u8], object: Object, expiry: Option<i64>) -> Entry<Object> {
    Entry::boxed(key, STRING, object, expiry)
}

/// The type of an entry's value.
#[must_use]
pub fn kind_of(entry: &Entry<Object>) -> Kind {
    object_of(entry).map_or(Kind::String, Object::kind)
}

/// How many elements an entry's value has; 1 for a string.
#[must_use]
pub fn cardinality(entry: &Entry<Object>) -> usize {
    object_of(entry).map_or(1, Object::len)
}

const STRING: u8 = entry::KIND_STRING;
/// Buckets that are looked into for a key that is wanted: most hold several.
const BUCKETS_A_SAMPLE: usize = 4;
/// Where at least one key in so many has a time to live, such keys are found by looking at keys.
const COMMON_FROM: usize = 8;
