//! Sets: an intset while all members are integers and few, a listpack while members are few and short, a table of members above.
//!
//! The ways between the forms are those of Redis 7.2 (`setTypeAddAux`): an intset that has grown too long becomes a table even if a listpack could still
//! hold it; one that meets a member that is no integer becomes a listpack if that may hold them all.

use entry::Member;

use crate::dict::Dict;
use crate::encoding::Encoding;
use crate::intset::{INTSET_MAX, Intset};
use crate::item::{Item, Spelling};
use crate::listpack::{Listpack, Place, View};
use crate::random::{Random, below};
use crate::table::Table;
use crate::tuning::Tuning;

/// A set of byte strings.
#[derive(Clone, Debug)]
pub struct Set {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Intset(Intset),
    Packed(Listpack),
    Table(Box<Dict<Member>>),
}

impl Set {
    /// An empty set without a guess of what will be in it: an intset.
    pub fn new() -> Self {
        Self {
            form: Form::Intset(Intset::new()),
        }
    }

    /// An empty set in the form that suits `first`, its first member to be, and about `count` members in all (`setTypeCreate`).
    pub fn sized(tuning: &Tuning, first: Item<'_>, count: usize) -> Self {
        let form = if count <= tuning.set_max_intset_entries && first.integer().is_some() {
            Form::Intset(Intset::new())
        } else if count <= tuning.set_max_listpack_entries {
            Form::Packed(Listpack::new())
        } else {
            Form::Table(Box::new(Dict::new(tuning.seed)))
        };
        Self { form }
    }

    /// An empty set in the listpack form: what integers and other members are collected in that may become an intset in the end (SINTERSTORE).
    pub fn packed() -> Self {
        Self {
            form: Form::Packed(Listpack::new()),
        }
    }

    /// The set of an intset from an RDB file; a table at once when it has too many integers.
    pub fn from_intset(tuning: &Tuning, intset: Intset) -> Self {
        let mut set = Self {
            form: Form::Intset(intset),
        };
        set.expect(tuning, set.len());
        set
    }

    /// The set of a listpack from an RDB file; a table at once when it has too many members. Members that come twice count once there.
    pub fn from_listpack(tuning: &Tuning, pack: Listpack) -> Self {
        let mut set = Self {
            form: Form::Packed(pack),
        };
        set.expect(tuning, set.len());
        set
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Intset(intset) => intset.len(),
            Form::Packed(pack) => pack.len(),
            Form::Table(dict) => dict.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The form, under OBJECT ENCODING's name.
    pub fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Intset(_) => Encoding::Intset,
            Form::Packed(_) => Encoding::Listpack,
            Form::Table(_) => Encoding::Hashtable,
        }
    }

    /// Whether `member` is in the set.
    pub fn contains<'a>(&self, member: impl Into<Item<'a>>) -> bool {
        let (member, mut spelling) = (member.into(), Spelling::default());
        match &self.form {
            Form::Intset(intset) => member.integer().is_some_and(|value| intset.contains(value)),
            Form::Packed(pack) => pack
                .view()
                .find(member.as_bytes(&mut spelling), 1, Place::FIRST)
                .is_some(),
            Form::Table(dict) => dict.find(member.as_bytes(&mut spelling)).is_some(),
        }
    }

    /// Becomes a table if about `count` members are expected and that is too many for the present form (`setTypeMaybeConvert`).
    pub fn expect(&mut self, tuning: &Tuning, count: usize) {
        let max = match self.form {
            Form::Intset(_) => tuning.set_max_intset_entries,
            Form::Packed(_) => tuning.set_max_listpack_entries,
            Form::Table(_) => usize::MAX,
        };
        if count > max {
            self.become_table(tuning);
        }
    }

    /// Adds a member; false when it was there.
    pub fn add<'a>(&mut self, tuning: &Tuning, member: impl Into<Item<'a>>) -> bool {
        let member = member.into();
        let mut spelling = Spelling::default();
        loop {
            match &mut self.form {
                Form::Intset(intset) => {
                    if let Some(value) = member.integer() {
                        let added = intset.add(value);
                        if added && intset.len() > tuning.set_max_intset_entries.min(INTSET_MAX) {
                            self.become_table(tuning);
                        }
                        return added;
                    }
                    if packs(intset, tuning, member.len()) {
                        self.form = Form::Packed(intset.iter().map(Item::Integer).collect());
                    } else {
                        self.become_table(tuning);
                    }
                }
                Form::Packed(pack) => {
                    if pack
                        .view()
                        .find(member.as_bytes(&mut spelling), 1, Place::FIRST)
                        .is_some()
                    {
                        return false;
                    }
                    let len = member.len();
                    if pack.len() < tuning.set_max_listpack_entries
                        && len <= tuning.set_max_listpack_value
                        && pack.fits(len)
                    {
                        pack.push_back(member);
                        return true;
                    }
                    self.become_table(tuning);
                }
                Form::Table(dict) => {
                    let bytes = member.as_bytes(&mut spelling);
                    return dict.add(bytes, || Member::new(bytes));
                }
            }
        }
    }

    /// Removes a member; whether it was there.
    pub fn remove<'a>(&mut self, member: impl Into<Item<'a>>) -> bool {
        let (member, mut spelling) = (member.into(), Spelling::default());
        match &mut self.form {
            Form::Intset(intset) => member.integer().is_some_and(|value| intset.remove(value)),
            Form::Packed(pack) => {
                let found = pack
                    .view()
                    .find(member.as_bytes(&mut spelling), 1, Place::FIRST);
                found.is_some_and(|place| pack.remove(place, 1) > 0)
            }
            Form::Table(dict) => dict.remove(member.as_bytes(&mut spelling)).is_some(),
        }
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        let (mut integers, mut packed, mut dict) = (None, None, None);
        match &self.form {
            Form::Intset(intset) => integers = Some(intset.iter().map(Item::Integer)),
            Form::Packed(pack) => packed = Some(pack.view().iter()),
            Form::Table(table) => {
                dict = Some(
                    table
                        .table()
                        .iter()
                        .map(|member| Item::Bytes(member.bytes())),
                )
            }
        }
        integers
            .into_iter()
            .flatten()
            .chain(packed.into_iter().flatten())
            .chain(dict.into_iter().flatten())
    }

    /// One of the members, each as likely as another.
    pub fn random(&self, random: Random<'_>) -> Option<Item<'_>> {
        match &self.form {
            Form::Intset(intset) => intset.random(random).map(Item::Integer),
            Form::Packed(pack) => pack
                .view()
                .item(pack.view().seek(below(random, pack.len()))?),
            Form::Table(dict) => dict
                .table()
                .random(random)
                .map(|member| Item::Bytes(member.bytes())),
        }
    }

    /// Removes one of the members, each as likely as another, and shows it to `take`.
    pub fn take_random<R>(
        &mut self,
        random: Random<'_>,
        take: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        match &mut self.form {
            Form::Intset(intset) => {
                let value = intset.random(random)?;
                intset.remove(value);
                Some(take(Item::Integer(value)))
            }
            Form::Packed(pack) => {
                let place = pack.view().seek(below(random, pack.len()))?;
                let taken = take(pack.view().item(place)?);
                pack.remove(place, 1);
                Some(taken)
            }
            Form::Table(dict) => dict
                .take_random(random)
                .map(|member| take(Item::Bytes(member.bytes()))),
        }
    }

    /// Removes up to `count` members, each choice of them as likely as another, and shows them to `visit`.
    ///
    /// Where a table loses nearly all its members the few that stay are put into a new set, which is packed again if it can be (SPOP with a count).
    pub fn take_sample(
        &mut self,
        tuning: &Tuning,
        count: usize,
        random: Random<'_>,
        mut visit: impl FnMut(Item<'_>),
    ) {
        /// A table is replaced when it keeps this many times fewer members than it loses (`SPOP_MOVE_STRATEGY_MUL`).
        const MOVE_RATIO: usize = 5;
        let mut left = self.len();
        let mut wanted = count.min(left);
        let staying = left - wanted;
        // Taking each with the chance that what is wanted has among what is left makes all choices equally likely.
        let mut takes = |item: Item<'_>, visit: &mut dyn FnMut(Item<'_>)| {
            let taken = below(random, left) < wanted;
            if taken {
                visit(item);
                wanted -= 1;
            }
            left -= 1;
            taken
        };
        match &mut self.form {
            Form::Intset(intset) => intset.retain(|value| !takes(Item::Integer(value), &mut visit)),
            Form::Packed(pack) => pack.retain(|item| !takes(item, &mut visit)),
            // An opened table is not replaced: a snapshot still needs it.
            Form::Table(dict)
                if staying.saturating_mul(MOVE_RATIO) > wanted || dict.opening().is_some() =>
            {
                while wanted > 0 && self.take_random(random, &mut visit).is_some() {
                    wanted -= 1;
                }
            }
            Form::Table(_) => {
                let mut kept = Self::packed();
                while kept.len() < staying
                    && self
                        .take_random(random, |member| kept.add(tuning, member))
                        .is_some()
                {}
                std::mem::swap(self, &mut kept);
                kept.iter().for_each(visit);
            }
        }
    }

    /// Shows `count` members, each drawn from all: some may come again.
    pub fn draw(&self, count: usize, random: Random<'_>, mut visit: impl FnMut(Item<'_>)) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw(count, 1, random, |place| {
                pack.view().item(place).into_iter().for_each(&mut visit)
            }),
            _ => (0..count)
                .map_while(|_| self.random(random))
                .for_each(visit),
        }
    }

    /// Shows up to `count` different members.
    pub fn sample(&self, count: usize, random: Random<'_>, mut visit: impl FnMut(Item<'_>)) {
        match &self.form {
            Form::Intset(intset) => {
                let (mut wanted, mut left) = (count, intset.len());
                for value in intset.iter() {
                    if below(random, left) < wanted {
                        visit(Item::Integer(value));
                        wanted -= 1;
                    }
                    left -= 1;
                }
            }
            Form::Packed(pack) => pack.view().draw_unique(count, 1, random, |place| {
                pack.view().item(place).into_iter().for_each(&mut visit)
            }),
            Form::Table(dict) => {
                dict.sample(count, random, |member| visit(Item::Bytes(member.bytes())))
            }
        }
    }

    /// Shows about `count` members from the cursor on, and returns where to go on: 0 at the end, always below 2^53. The packed forms show everything.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        match &self.form {
            Form::Table(dict) => {
                dict.scan(cursor, count, |member| visit(Item::Bytes(member.bytes())))
            }
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// Becomes an intset if all members are integers and few enough: what SINTERSTORE does with its result (`maybeConvertToIntset`).
    pub fn become_intset_if_integers(&mut self, tuning: &Tuning) {
        if matches!(self.form, Form::Intset(_))
            || self.len() > tuning.set_max_intset_entries.min(INTSET_MAX)
        {
            return;
        }
        let integers: Option<Vec<i64>> = self.iter().map(|member| member.integer()).collect();
        if let Some(integers) = integers {
            self.form = Form::Intset(integers.into_iter().collect());
        }
    }

    /// Bytes on the heap, estimated from `samples` members.
    pub fn memory(&self, samples: usize) -> usize {
        match &self.form {
            Form::Intset(intset) => intset.heap_bytes(),
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Table(dict) => dict.memory(samples, Member::memory),
        }
    }

    /// How many separate blocks freeing the set gives back.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Table(dict) => dict.len(),
            _ => 1,
        }
    }

    /// The intset, in that form.
    pub fn intset(&self) -> Option<&Intset> {
        match &self.form {
            Form::Intset(intset) => Some(intset),
            _ => None,
        }
    }

    /// The members in Redis' format, in the listpack form.
    pub fn listpack(&self) -> Option<View<'_>> {
        match &self.form {
            Form::Packed(pack) => Some(pack.view()),
            _ => None,
        }
    }

    /// The table, in the table form.
    pub fn table(&self) -> Option<&Table<Member>> {
        match &self.form {
            Form::Table(dict) => Some(dict.table()),
            _ => None,
        }
    }

    /// The table with its seed, in the long form.
    pub(crate) fn dict(&self) -> Option<&Dict<Member>> {
        match &self.form {
            Form::Table(dict) => Some(dict),
            _ => None,
        }
    }

    /// As above, for a snapshot.
    pub(crate) fn dict_mut(&mut self) -> Option<&mut Dict<Member>> {
        match &mut self.form {
            Form::Table(dict) => Some(dict),
            _ => None,
        }
    }

    fn become_table(&mut self, tuning: &Tuning) {
        if matches!(self.form, Form::Table(_)) {
            return;
        }
        let mut dict = Dict::new(tuning.seed);
        for member in self.iter() {
            let mut spelling = Spelling::default();
            let bytes = member.as_bytes(&mut spelling);
            dict.add(bytes, || Member::new(bytes));
        }
        self.form = Form::Table(Box::new(dict));
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a listpack may hold the integers of `intset` and one more member of `len` bytes.
fn packs(intset: &Intset, tuning: &Tuning, len: usize) -> bool {
    let ends = [
        intset.get(0),
        intset
            .len()
            .checked_sub(1)
            .and_then(|last| intset.get(last)),
    ];
    let longest = ends
        .into_iter()
        .flatten()
        .map(|value| Item::Integer(value).len())
        .max()
        .unwrap_or(0);
    // An integer takes ten bytes in a listpack at most, so the 1 GB that a listpack may have is out of reach of any sensible number of entries.
    intset.len() < tuning.set_max_listpack_entries
        && len.max(longest) <= tuning.set_max_listpack_value
        && Listpack::<entry::Blob>::new().fits(10 * intset.len() + len)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{element, random, requested};

    fn tuning() -> Tuning {
        Tuning {
            set_max_intset_entries: 5,
            set_max_listpack_entries: 8,
            set_max_listpack_value: 10,
            ..Tuning::default()
        }
    }

    fn agrees(set: &Set, model: &HashSet<Vec<u8>>, seed: u64) {
        let mut random = random(seed);
        let known = |member: Item<'_>| model.contains(&member.to_vec());
        assert_eq!(set.len(), model.len());
        assert!(set.iter().count() == model.len() && set.iter().all(known));
        assert_eq!(
            set.random(&mut random).is_some_and(known),
            !model.is_empty()
        );
        let mut count = 0;
        set.draw(5, &mut random, |member| count += usize::from(known(member)));
        assert_eq!(count, if model.is_empty() { 0 } else { 5 });
        for wanted in [0, 1, model.len() / 4, model.len(), model.len() + 3] {
            let mut seen = HashSet::new();
            set.sample(wanted, &mut random, |member| {
                assert!(known(member) && seen.insert(member.to_vec()))
            });
            assert_eq!(seen.len(), wanted.min(model.len()));
        }
        for wanted in [
            0,
            1,
            model.len() / 4,
            model.len() - model.len() / 8,
            model.len() + 3,
        ] {
            let (mut rest, mut taken) = (set.clone(), HashSet::new());
            rest.take_sample(&tuning(), wanted, &mut random, |member| {
                assert!(taken.insert(member.to_vec()))
            });
            assert_eq!(taken.len(), wanted.min(model.len()));
            let rest: HashSet<_> = rest.iter().map(|member| member.to_vec()).collect();
            assert_eq!(&(&rest | &taken), model);
            assert!(rest.is_disjoint(&taken));
        }
        let (mut cursor, mut seen) = (0, HashSet::new());
        loop {
            cursor = set.scan(cursor, 3, |member| assert!(seen.insert(member.to_vec())));
            assert!(cursor < 1 << 53);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(&seen, model);
    }

    proptest! {
        #[test]
        fn a_set_is_a_set(steps in prop::collection::vec((0u8..5, element()), 0..80), seed in any::<u64>()) {
            let (tuning, mut set, mut model) = (tuning(), Set::new(), HashSet::new());
            let mut random = random(seed);
            for (step, member) in steps {
                match step {
                    0 => prop_assert_eq!(set.remove(&member[..]), model.remove(&member)),
                    1 => {
                        let taken = set.take_random(&mut random, |member| member.to_vec());
                        prop_assert_eq!(taken.as_ref().is_some_and(|member| model.remove(member)), taken.is_some());
                    }
                    _ => prop_assert_eq!(set.add(&tuning, &member[..]), model.insert(member.clone())),
                }
                prop_assert_eq!(set.contains(&member[..]), model.contains(&member));
            }
            agrees(&set, &model, seed);
            let mut copy = set.clone();
            copy.become_intset_if_integers(&tuning);
            agrees(&copy, &model, seed);
        }
    }

    fn of(tuning: &Tuning, members: &[&str]) -> Set {
        let mut set = Set::sized(tuning, Item::Bytes(members[0].as_bytes()), 1);
        for member in members {
            set.add(tuning, member.as_bytes());
        }
        set
    }

    #[test]
    fn forms_change_where_redis_changes_them() {
        let tuning = tuning();
        assert_eq!(
            of(&tuning, &["1", "2", "3", "4", "5"]).encoding(),
            Encoding::Intset
        );
        assert_eq!(
            of(&tuning, &["1", "2", "3", "4", "5", "6"]).encoding(),
            Encoding::Hashtable
        );
        assert_eq!(of(&tuning, &["1", "2", "a"]).encoding(), Encoding::Listpack);
        assert_eq!(
            of(&tuning, &["1", "2", "longer than ten"]).encoding(),
            Encoding::Hashtable
        );
        assert_eq!(
            of(&tuning, &["12345678901", "a"]).encoding(),
            Encoding::Hashtable
        );
        assert_eq!(
            of(&tuning, &["a", "b", "c", "d", "e", "f", "g", "h"]).encoding(),
            Encoding::Listpack
        );
        assert_eq!(
            of(&tuning, &["a", "b", "c", "d", "e", "f", "g", "h", "h"]).encoding(),
            Encoding::Listpack
        );
        assert_eq!(
            of(&tuning, &["a", "b", "c", "d", "e", "f", "g", "h", "i"]).encoding(),
            Encoding::Hashtable
        );
        assert_eq!(
            Set::sized(&tuning, Item::Bytes(b"1"), 6).encoding(),
            Encoding::Listpack
        );
        assert_eq!(
            Set::sized(&tuning, Item::Bytes(b"a"), 9).encoding(),
            Encoding::Hashtable
        );
        let mut set = of(&tuning, &["a", "1"]);
        set.remove(&b"a"[..]);
        set.become_intset_if_integers(&tuning);
        assert_eq!(set.encoding(), Encoding::Intset);
        set.expect(&tuning, 6);
        assert_eq!(set.encoding(), Encoding::Hashtable);
    }

    #[test]
    fn a_member_takes_fewer_than_48_bytes() {
        let tuning = Tuning::default();
        let mut set = Set::new();
        for index in 0..100_000 {
            set.add(&tuning, format!("member:{index:08}").as_bytes());
        }
        let Form::Table(dict) = &set.form else {
            panic!("100,000 members are packed")
        };
        let each = requested(dict, Member::memory);
        assert!(each < 48.0, "{each}");
    }
}
