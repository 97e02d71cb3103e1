//! Hashes: a listpack of fields and values while small, a table of pairs above; never back, as in Redis 7.2.

use entry::Pair;

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
}

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

    /// Number of fields.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.len() / 2,
            Form::Table(dict) => dict.len(),
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
            Form::Table(_) => Encoding::Hashtable,
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match &self.form {
            Form::Packed(pack) => {
                let view = pack.view();
                let (_, value) = view.entry(view.find(field, 2, Place::FIRST)?)?;
                view.item(value)
            }
            Form::Table(dict) => dict.find(field).map(|pair| Item::Bytes(pair.value())),
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

    /// Sets a field; true when it is new.
    pub fn set(&mut self, tuning: &Tuning, field: &[u8], value: &[u8]) -> bool {
        if let Form::Packed(pack) = &self.form
            && (field.len().max(value.len()) > tuning.hash_max_listpack_value
                || !pack.fits(field.len() + value.len()))
        {
            self.become_table(tuning);
        }
        let created = match &mut self.form {
            Form::Packed(pack) => set_packed(pack, field, value),
            Form::Table(dict) => set_in_table(dict, field, value),
        };
        if created
            && matches!(self.form, Form::Packed(_))
            && self.len() > tuning.hash_max_listpack_entries
        {
            self.become_table(tuning);
        }
        created
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(pack) => {
                let found = pack.view().find(field, 2, Place::FIRST);
                found.is_some_and(|place| pack.remove(place, 2) > 0)
            }
            Form::Table(dict) => dict.remove(field).is_some(),
        }
    }

    /// All fields and values.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        let (packed, dict) = match &self.form {
            Form::Packed(pack) => (Some(pack.view().pairs()), None),
            Form::Table(dict) => (None, Some(dict.table.iter().map(items))),
        };
        packed
            .into_iter()
            .flatten()
            .chain(dict.into_iter().flatten())
    }

    /// One of the fields with its value, each as likely as another.
    pub fn random(&self, random: Random<'_>) -> Option<(Item<'_>, Item<'_>)> {
        match &self.form {
            Form::Packed(pack) => {
                let view = pack.view();
                pair_at(view, view.seek(2 * below(random, self.len()))?)
            }
            Form::Table(dict) => dict.table.random(random).map(items),
        }
    }

    /// Shows `count` fields with their values, each drawn from all: some may come again.
    pub fn draw(
        &self,
        count: usize,
        random: Random<'_>,
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Table(dict) => {
                for pair in (0..count).map_while(|_| dict.table.random(random)) {
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
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw_unique(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Table(dict) => dict.sample(count, random, |pair| {
                visit(Item::Bytes(pair.field()), Item::Bytes(pair.value()))
            }),
        }
    }

    /// Shows about `count` fields from the cursor on, and returns where to go on: 0 at the end, always below 2^53. The packed form shows everything.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
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
        }
    }

    /// Bytes on the heap, estimated from `samples` fields.
    pub fn memory(&self, samples: usize) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Table(dict) => dict.memory(samples, Pair::memory),
        }
    }

    /// How many separate blocks freeing the hash gives back.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Table(dict) => dict.len(),
        }
    }

    /// Fields and values in Redis' format, in the packed form.
    pub fn listpack(&self) -> Option<View<'_>> {
        match &self.form {
            Form::Packed(pack) => Some(pack.view()),
            Form::Table(_) => None,
        }
    }

    /// The table, in the table form.
    pub fn table(&self) -> Option<&Table<Pair>> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Table(dict) => Some(&dict.table),
        }
    }

    /// The table, to be walked by a snapshot, which marks buckets.
    pub fn table_mut(&mut self) -> Option<&mut Table<Pair>> {
        match &mut self.form {
            Form::Packed(_) => None,
            Form::Table(dict) => Some(&mut dict.table),
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
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{element, random, requested};

    fn tuning() -> Tuning {
        Tuning {
            hash_max_listpack_entries: 8,
            hash_max_listpack_value: 12,
            ..Tuning::default()
        }
    }

    fn agrees(hash: &Hash, model: &HashMap<Vec<u8>, Vec<u8>>, seed: u64) {
        let mut random = random(seed);
        let known = |field: Item<'_>, value: Item<'_>| {
            model
                .get(&field.to_vec())
                .is_some_and(|other| value == other[..])
        };
        assert_eq!(hash.len(), model.len());
        assert!(
            hash.iter().count() == model.len()
                && hash.iter().all(|(field, value)| known(field, value))
        );
        assert_eq!(hash.random(&mut random).is_some(), !model.is_empty());
        let mut count = 0;
        hash.draw(5, &mut random, |field, value| {
            count += usize::from(known(field, value))
        });
        assert_eq!(count, if model.is_empty() { 0 } else { 5 });
        for wanted in [0, 1, model.len() / 4, model.len(), model.len() + 3] {
            let mut seen = std::collections::HashSet::new();
            hash.sample(wanted, &mut random, |field, value| {
                assert!(known(field, value) && seen.insert(field.to_vec()))
            });
            assert_eq!(seen.len(), wanted.min(model.len()));
        }
        let (mut cursor, mut seen) = (0, HashMap::new());
        loop {
            cursor = hash.scan(cursor, 3, |field, value| {
                assert!(seen.insert(field.to_vec(), value.to_vec()).is_none())
            });
            assert!(cursor < 1 << 53);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(&seen, model);
    }

    proptest! {
        #[test]
        fn a_hash_is_a_map(steps in prop::collection::vec((0u8..4, element(), element()), 0..120), seed in any::<u64>()) {
            let (tuning, mut hash, mut model) = (tuning(), Hash::new(), HashMap::new());
            for (step, field, value) in steps {
                if step == 0 {
                    prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                } else {
                    prop_assert_eq!(hash.set(&tuning, &field, &value), model.insert(field.clone(), value).is_none());
                }
                prop_assert_eq!(hash.get(&field).map(|value| value.to_vec()), model.get(&field).cloned());
            }
            agrees(&hash, &model, seed);
            agrees(&hash.clone(), &model, seed);
        }
    }

    #[test]
    fn the_table_comes_where_redis_makes_it() {
        let tuning = tuning();
        let mut hash = Hash::new();
        for index in 0..8 {
            hash.set(&tuning, format!("field{index}").as_bytes(), b"123456789012");
        }
        assert_eq!(hash.encoding(), Encoding::Listpack);
        hash.set(&tuning, b"field0", b"12");
        assert_eq!(hash.encoding(), Encoding::Listpack);
        let mut longer = hash.clone();
        longer.set(&tuning, b"field0", b"1234567890123");
        assert_eq!(longer.encoding(), Encoding::Hashtable);
        hash.set(&tuning, b"field8", b"");
        assert_eq!(hash.encoding(), Encoding::Hashtable);
        (0..9).for_each(|index| assert!(hash.remove(format!("field{index}").as_bytes())));
        assert_eq!((hash.len(), hash.encoding()), (0, Encoding::Hashtable));

        // Eighteen arguments are expected to be nine fields, even if all are one.
        let mut hash = Hash::new();
        hash.prepare(&tuning, [&b"a"[..]; 16].into_iter());
        assert_eq!(hash.encoding(), Encoding::Listpack);
        hash.prepare(&tuning, [&b"a"[..]; 18].into_iter());
        assert_eq!(hash.encoding(), Encoding::Hashtable);
    }

    #[test]
    fn a_field_takes_fewer_than_62_bytes() {
        let tuning = Tuning::default();
        let mut hash = Hash::new();
        for index in 0..100_000 {
            hash.set(
                &tuning,
                format!("field:{index:09}").as_bytes(),
                format!("value:{index:09}").as_bytes(),
            );
        }
        let Form::Table(dict) = &hash.form else {
            panic!("100,000 fields are packed")
        };
        let each = requested(dict, Pair::memory);
        assert!(each < 62.0, "{each}");
    }
}
