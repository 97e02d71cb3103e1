//! Hashes: a listpack of fields and values while small, a table of pairs above; never back, as in Redis 7.2.
//!
//! A field may have a deadline (Valkey 9). A hash with such a field is a table with an index of them, [`Expiring`]; a plain table again when the
//! last one is gone. A field whose deadline has passed stays until it is overwritten or [`Hash::expire`] takes it, but nothing shows it: who reads
//! says what time it is, and [`ALL_LIVE`] when every field is to be seen.

mod expiring;

use entry::Pair;

use self::expiring::Expiring;
use crate::dict::Dict;
use crate::encoding::Encoding;
use crate::item::{Item, Spelling};
use crate::listpack::{Listpack, Place, View};
use crate::random::{Random, below};
use crate::table::{self, Table};
use crate::tuning::Tuning;

/// A map from fields to values, both byte strings.
#[derive(Clone, Debug)]
pub struct Hash {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(Listpack),
    Table(Box<Dict<Pair>>),
    Expiring(Box<Expiring>),
}

/// What becomes of a field's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldExpiry {
    /// It loses any.
    None,
    /// It keeps the one it has, unless that has passed.
    Keep,
    /// It gets this one, in Unix milliseconds.
    At(i64),
}

/// The time at which no deadline has passed.
pub const ALL_LIVE: i64 = i64::MIN;

impl Hash {
    /// A hash without fields.
    pub fn new() -> Self {
        Self {
            form: Form::Packed(Listpack::new()),
        }
    }

    /// The hash of a listpack of fields and values from an RDB file; a table at once when it has too many (`rdbLoadObject`). Fields that come twice count once
    /// there, the first time.
    pub fn from_listpack(tuning: &Tuning, pack: Listpack) -> Self {
        let mut hash = Self {
            form: Form::Packed(pack),
        };
        if hash.len() > tuning.hash_max_listpack_entries {
            hash.become_table(tuning);
        }
        hash
    }

    /// Number of fields, those included whose deadline has passed (`hashTypeLength`, Valkey 9).
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.len() / 2,
            Form::Table(dict) => dict.len(),
            Form::Expiring(expiring) => expiring.dict.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The form, under OBJECT ENCODING's name.
    pub fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Packed(_) => Encoding::Listpack,
            Form::Table(_) | Form::Expiring(_) => Encoding::Hashtable,
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8], now_ms: i64) -> Option<Item<'_>> {
        match &self.form {
            Form::Packed(pack) => {
                let view = pack.view();
                let (_, value) = view.entry(view.find(field, 2, Place::FIRST)?)?;
                view.item(value)
            }
            Form::Table(dict) => dict.find(field).map(|pair| Item::Bytes(pair.value())),
            Form::Expiring(expiring) => {
                let pair = expiring.find(field, now_ms)?;
                Some(Item::Bytes(pair.value()))
            }
        }
    }

    /// The deadline of a field in Unix milliseconds, if it has one; `None` when there is no such field.
    pub fn deadline(&self, field: &[u8], now_ms: i64) -> Option<Option<i64>> {
        match &self.form {
            Form::Expiring(expiring) => expiring.find(field, now_ms).map(Pair::expiry),
            Form::Packed(_) | Form::Table(_) => self.get(field, now_ms).map(|_| None),
        }
    }

    /// How many fields have a deadline.
    pub fn volatile(&self) -> usize {
        match &self.form {
            Form::Expiring(expiring) => expiring.volatile(),
            Form::Packed(_) | Form::Table(_) => 0,
        }
    }

    /// When to look for expired fields, in Unix milliseconds: little later than the first deadline at most. `None` without deadlines.
    pub fn next_due(&self) -> Option<i64> {
        match &self.form {
            Form::Expiring(expiring) => expiring.next_due(),
            Form::Packed(_) | Form::Table(_) => None,
        }
    }

    /// Takes the table form before fields and values are set that the packed form must not take: `arguments` are all of them, in turn
    /// (`hashTypeTryConversion`). Half as many fields are expected as there are arguments, whether or not some are there already.
    pub fn prepare<'a>(&mut self, tuning: &Tuning, arguments: impl Iterator<Item = &'a [u8]>) {
        let Form::Packed(pack) = &self.form else {
            return;
        };
        let (mut count, mut bytes, mut large) = (0, 0, false);
        for argument in arguments {
            count += 1;
            bytes += argument.len();
            large |= argument.len() > tuning.hash_max_listpack_value;
        }
        if large || count / 2 > tuning.hash_max_listpack_entries || !pack.fits(bytes) {
            self.become_table(tuning);
        }
    }

    /// Takes the table form if about `count` fields are expected and that is too many for the packed one.
    pub fn expect(&mut self, tuning: &Tuning, count: usize) {
        if count > tuning.hash_max_listpack_entries {
            self.become_table(tuning);
        }
    }

    /// Sets a field, which loses its deadline; true when it is new.
    pub fn set(&mut self, tuning: &Tuning, field: &[u8], value: &[u8]) -> bool {
        self.set_at(tuning, field, value, FieldExpiry::None, ALL_LIVE)
    }

    /// Sets a field and, as `expiry` says, its deadline; true when it is new, which it also is when the one that was there has expired.
    pub fn set_at(
        &mut self,
        tuning: &Tuning,
        field: &[u8],
        value: &[u8],
        expiry: FieldExpiry,
        now_ms: i64,
    ) -> bool {
        if matches!(expiry, FieldExpiry::At(_)) {
            self.become_expiring(tuning);
        }
        if let Form::Expiring(expiring) = &mut self.form {
            let created = expiring.set(field, value, expiry, now_ms);
            self.leave_expiring();
            return created;
        }
        if let Form::Packed(pack) = &self.form
            && (field.len().max(value.len()) > tuning.hash_max_listpack_value
                || !pack.fits(field.len() + value.len()))
        {
            self.become_table(tuning);
        }
        let created = match &mut self.form {
            Form::Packed(pack) => set_packed(pack, field, value),
            Form::Table(dict) => set_in_table(dict, field, value),
            Form::Expiring(_) => false,
        };
        if created
            && matches!(self.form, Form::Packed(_))
            && self.len() > tuning.hash_max_listpack_entries
        {
            self.become_table(tuning);
        }
        created
    }

    /// Sets the deadline of a field; whether it is there. The packed form, which has no room for deadlines, becomes a table.
    pub fn expire_at(
        &mut self,
        tuning: &Tuning,
        field: &[u8],
        deadline_ms: i64,
        now_ms: i64,
    ) -> bool {
        let found = self.deadline(field, now_ms).is_some();
        if found {
            let expiring = self.become_expiring(tuning);
            expiring.set_expiry(field, Some(deadline_ms), now_ms);
        }
        found
    }

    /// Takes the deadline from a field; whether it had one.
    pub fn persist(&mut self, field: &[u8], now_ms: i64) -> bool {
        let Form::Expiring(expiring) = &mut self.form else {
            return false;
        };
        let had = expiring
            .find(field, now_ms)
            .is_some_and(|pair| pair.expiry().is_some());
        if had {
            expiring.set_expiry(field, None, now_ms);
            self.leave_expiring();
        }
        had
    }

    /// Looks at up to `budget` of the fields that are due, removes those whose deadline has passed, shows each to `removed`, and returns how many
    /// there were. There may be more as long as [`Hash::next_due`] is in the past. Costs nothing for fields that are not due.
    pub fn expire(&mut self, now_ms: i64, budget: usize, mut removed: impl FnMut(&[u8])) -> usize {
        let Form::Expiring(expiring) = &mut self.form else {
            return 0;
        };
        let count = expiring.expire(now_ms, budget, &mut removed);
        self.leave_expiring();
        count
    }

    /// When the index of hashes has to look at this one, if that is sooner than it was told before; told from then on.
    pub(crate) fn announce(&mut self) -> Option<i64> {
        match &mut self.form {
            Form::Expiring(expiring) => expiring.announce(),
            Form::Packed(_) | Form::Table(_) => None,
        }
    }

    /// Lets the hash forget what it told the index of hashes: the record is used up, or belongs to another key.
    pub(crate) fn forget_announced(&mut self) {
        if let Form::Expiring(expiring) = &mut self.form {
            expiring.forget_announced();
        }
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: &[u8], now_ms: i64) -> bool {
        match &mut self.form {
            Form::Packed(pack) => {
                let found = pack.view().find(field, 2, Place::FIRST);
                found.is_some_and(|place| pack.remove(place, 2) > 0)
            }
            Form::Table(dict) => dict.remove(field).is_some(),
            Form::Expiring(expiring) => {
                let removed = expiring.remove(field, now_ms);
                self.leave_expiring();
                removed
            }
        }
    }

    /// All fields and values.
    pub fn iter(&self, now_ms: i64) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        let (packed, dict, expiring) = match &self.form {
            Form::Packed(pack) => (Some(pack.view().pairs()), None, None),
            Form::Table(dict) => (None, Some(dict.table().iter()), None),
            Form::Expiring(expiring) => (None, None, Some(expiring.living(now_ms))),
        };
        let dict = dict.into_iter().flatten();
        let pairs = dict.chain(expiring.into_iter().flatten()).map(items);
        packed.into_iter().flatten().chain(pairs)
    }

    /// One of the fields with its value, each as likely as another. `None` too when it met only expired ones in a hundred tries
    /// (`hashTypeRandomElement`, Valkey 9).
    pub fn random(&self, random: Random<'_>, now_ms: i64) -> Option<(Item<'_>, Item<'_>)> {
        match &self.form {
            Form::Packed(pack) => {
                let view = pack.view();
                pair_at(view, view.seek(2 * below(random, self.len()))?)
            }
            Form::Table(dict) => dict.table().random(random).map(items),
            Form::Expiring(expiring) => expiring.random(random, now_ms).map(items),
        }
    }

    /// Shows `count` fields with their values, each drawn from all: some may come again. Fewer where most have expired.
    pub fn draw(
        &self,
        count: usize,
        random: Random<'_>,
        now_ms: i64,
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Table(dict) => {
                for pair in (0..count).map_while(|_| dict.table().random(random)) {
                    visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()));
                }
            }
            Form::Expiring(expiring) => {
                for pair in (0..count).map_while(|_| expiring.random(random, now_ms)) {
                    visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()));
                }
            }
        }
    }

    /// Shows up to `count` different fields with their values.
    pub fn sample(
        &self,
        count: usize,
        random: Random<'_>,
        now_ms: i64,
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw_unique(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Table(dict) => dict.sample(count, random, |pair| {
                visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()))
            }),
            Form::Expiring(expiring) => expiring.sample(count, random, now_ms, |pair| {
                visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()))
            }),
        }
    }

    /// Shows about `count` fields from the cursor on, and returns where to go on: 0 at the end, always below 2^53. The packed form shows everything.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        now_ms: i64,
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) -> u64 {
        match &self.form {
            Form::Packed(pack) => {
                pack.view()
                    .pairs()
                    .for_each(|(field, value)| visit(field, value));
                0
            }
            Form::Table(dict) => dict.scan(cursor, count, |pair| {
                visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()))
            }),
            Form::Expiring(expiring) => expiring.dict.scan(cursor, count, |pair| {
                if expiring::lives(pair, now_ms) {
                    visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()));
                }
            }),
        }
    }

    /// Bytes on the heap, estimated from `samples` fields.
    pub fn memory(&self, samples: usize) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Table(dict) => dict.memory(samples, Pair::memory),
            Form::Expiring(expiring) => expiring.memory(samples),
        }
    }

    /// How many separate blocks freeing the hash gives back.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Table(dict) => dict.len(),
            Form::Expiring(expiring) => expiring.dict.len(),
        }
    }

    /// Fields and values in Redis' format, in the packed form.
    pub fn listpack(&self) -> Option<View<'_>> {
        match &self.form {
            Form::Packed(pack) => Some(pack.view()),
            Form::Table(_) | Form::Expiring(_) => None,
        }
    }

    /// The table, in the table form.
    pub fn table(&self) -> Option<&Table<Pair>> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Table(dict) => Some(dict.table()),
            Form::Expiring(expiring) => Some(expiring.dict.table()),
        }
    }

    /// The table with its seed, in the long form.
    pub(crate) fn dict(&self) -> Option<&Dict<Pair>> {
        match &self.form {
            Form::Table(dict) => Some(dict),
            Form::Expiring(expiring) => Some(&expiring.dict),
            Form::Packed(_) => None,
        }
    }

    /// As above, for a snapshot.
    pub(crate) fn dict_mut(&mut self) -> Option<&mut Dict<Pair>> {
        match &mut self.form {
            Form::Table(dict) => Some(dict),
            Form::Expiring(expiring) => Some(&mut expiring.dict),
            Form::Packed(_) => None,
        }
    }

    fn become_table(&mut self, tuning: &Tuning) {
        let Form::Packed(pack) = &self.form else {
            return;
        };
        let mut dict = Dict::new(tuning.seed);
        for (field, value) in pack.view().pairs() {
            let (mut field_text, mut value_text) = (Spelling::default(), Spelling::default());
            let field = field.as_bytes(&mut field_text);
            dict.add(field, || Pair::new(field, value.as_bytes(&mut value_text)));
        }
        self.form = Form::Table(Box::new(dict));
    }

    /// The form in which fields have deadlines, though none has yet. [`Hash::leave_expiring`] follows where none may come.
    fn become_expiring(&mut self, tuning: &Tuning) -> &mut Expiring {
        self.become_table(tuning);
        if let Form::Table(dict) = &mut self.form {
            let dict = std::mem::replace(&mut **dict, Dict::new(tuning.seed));
            self.form = Form::Expiring(Box::new(Expiring::new(dict)));
        }
        match &mut self.form {
            Form::Expiring(expiring) => expiring,
            Form::Packed(_) | Form::Table(_) => unreachable!("the form was just made this one"),
        }
    }

    /// Becomes a plain table when no field has a deadline any more.
    fn leave_expiring(&mut self) {
        if let Form::Expiring(expiring) = &mut self.form
            && expiring.volatile() == 0
        {
            self.form = Form::Table(Box::new(expiring.take_dict()));
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

fn set_packed(pack: &mut Listpack, field: &[u8], value: &[u8]) -> bool {
    let view = pack.view();
    let value_place = view
        .find(field, 2, Place::FIRST)
        .and_then(|place| Some(view.entry(place)?.1));
    match value_place {
        Some(place) => pack.replace(place, value),
        None => pack.insert_pair(view.end(), field, value),
    }
    value_place.is_none()
}

fn set_in_table(dict: &mut Dict<Pair>, field: &[u8], value: &[u8]) -> bool {
    let seed = dict.seed();
    match dict.place(field) {
        table::Place::Occupied(mut place) => {
            place.element_mut().set_value(value);
            false
        }
        table::Place::Vacant(place) => {
            place.insert(seed, Pair::new(field, value));
            true
        }
    }
}

fn items(pair: &Pair) -> (Item<'_>, Item<'_>) {
    (Item::Bytes(pair.field()), Item::Bytes(pair.value()))
}

fn pair_at(view: View<'_>, place: Place) -> Option<(Item<'_>, Item<'_>)> {
    let (field, next) = view.entry(place)?;
    Some((field, view.item(next)?))
}

fn show(view: View<'_>, place: Place, visit: &mut impl FnMut(Item<'_>, Item<'_>)) {
    if let Some((field, value)) = pair_at(view, place) {
        visit(field, value);
    }
}

#[cfg(test)]
mod tests;
