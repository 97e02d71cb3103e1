//! Tests of the table against std's map, of its walks under growth and shrinking, of its size and its fairness.

use std::collections::{BTreeMap, HashMap, HashSet};

use entry::{Entry, Member, Pair};
use proptest::prelude::*;

use super::*;

fn seed() -> HashSeed {
    static SEED: std::sync::OnceLock<HashSeed> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| HashSeed::new(0x5eed_0fc0_1ce5_1234))
}

/// A small generator, so that a run is the same each time.
fn stream(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn name(number: usize) -> Vec<u8> {
    format!("key:{number:011}").into_bytes()
}

fn members(count: usize) -> Table<Member> {
    let mut table = Table::new();
    for number in 0..count {
        add(&mut table, number);
    }
    table
}

fn add(table: &mut Table<Member>, number: usize) {
    let key = name(number);
    let hash = seed().hash(&key);
    if let Place::Vacant(place) = table.place(hash, &key) {
        place.insert(seed(), Member::new(&key));
    }
}

fn take(table: &mut Table<Member>, number: usize) {
    let key = name(number);
    table.remove(seed().hash(&key), &key);
}

/// What must hold between the parts of a table at any time.
fn check_whole<E: Keyed>(table: &Table<E>) {
    let stats = table.stats();
    let counted: usize = stats
        .chains
        .iter()
        .enumerate()
        .map(|(count, buckets)| count * buckets)
        .sum();
    assert_eq!(
        (counted, stats.chains.iter().sum::<usize>()),
        (table.len(), stats.buckets)
    );
    let continuations: u32 = table
        .chunks
        .iter()
        .flatten()
        .map(Bucket::continuations)
        .sum();
    assert_eq!(continuations as usize, table.continuations);
    for (index, bucket) in table.chunks.iter().flatten().enumerate() {
        for element in bucket.elements() {
            assert_eq!(table.index_of(seed().hash(element.key())), index);
        }
    }
}

#[test]
fn a_bucket_is_a_cache_line_and_a_table_is_small() {
    assert_eq!(
        (
            size_of::<Bucket<Entry<String>>>(),
            align_of::<Bucket<Entry<String>>>()
        ),
        (64, 64)
    );
    assert!(size_of::<Table<Member>>() <= 72);
    assert_eq!(Table::<Member>::new().memory(), 0);
}

#[test]
fn tables_cross_threads_when_their_elements_do() {
    fn crosses<V: Send + Sync>(_: &V) {}
    crosses(&Table::<Entry<String>>::new());
}

#[test]
fn an_element_costs_13_to_15_bytes_at_every_size() {
    for count in [
        200, 500, 1_000, 6_000, 6_200, 9_000, 15_625, 30_000, 50_000, 75_000, 100_000, 150_000,
    ] {
        let table = members(count);
        let bytes = table.memory() as f64 / count as f64;
        assert!(
            (13.0..15.5).contains(&bytes),
            "{count} elements: {bytes} bytes each, {:?}",
            table.stats()
        );
    }
}

#[test]
fn removals_give_the_memory_back() {
    let mut table = members(50_000);
    for number in 1_000..50_000 {
        take(&mut table, number);
    }
    check_whole(&table);
    assert!(
        table.memory() < 22 * table.len(),
        "{} bytes",
        table.memory()
    );
    for number in 0..1_000 {
        take(&mut table, number);
    }
    assert_eq!(
        (table.len(), table.memory(), table.stats().buckets),
        (0, 0, 0)
    );
    add(&mut table, 1);
    assert_eq!(table.len(), 1);
}

#[test]
fn suspended_shrinking_is_caught_up_with_later() {
    let mut table = members(10_000);
    table.set_shrinking(Shrinking::Suspended);
    let buckets = table.stats().buckets;
    for number in 10..10_000 {
        take(&mut table, number);
    }
    assert_eq!(table.stats().buckets, buckets);
    table.set_shrinking(Shrinking::Allowed);
    while table.compact(7) {}
    check_whole(&table);
    assert!(table.stats().buckets <= 4);
    assert!((0..10).all(|number| {
        table
            .find(seed().hash(&name(number)), &name(number))
            .is_some()
    }));
}

#[test]
fn random_choice_is_uniform() {
    const COUNT: usize = 100;
    const DRAWS: usize = 20_000;
    let mut random = stream(7);
    let table = members(COUNT);
    let mut drawn = HashMap::new();
    for _ in 0..DRAWS {
        *drawn
            .entry(table.random(&mut random).unwrap().bytes().to_vec())
            .or_insert(0_usize) += 1;
    }
    let expected = (DRAWS / COUNT) as f64;
    let chi: f64 = (0..COUNT)
        .map(|number| {
            let times = drawn.get(&name(number)).copied().unwrap_or(0) as f64;
            (times - expected).powi(2) / expected
        })
        .sum();
    assert!(
        chi < 149.0,
        "chi square {chi} at 99 degrees of freedom: less likely than one in a thousand"
    );
}

#[test]
fn random_choice_reaches_all_of_a_sparse_table() {
    let mut random = stream(8);
    let mut table = members(50_000);
    table.set_shrinking(Shrinking::Suspended);
    for number in 3..50_000 {
        take(&mut table, number);
    }
    let drawn: HashSet<_> = (0..200)
        .map(|_| table.random(&mut random).unwrap().bytes().to_vec())
        .collect();
    assert_eq!(drawn.len(), 3);
    while table.take_random(&mut random).is_some() {}
    assert!(table.is_empty() && table.random(&mut random).is_none());
}

#[test]
fn drain_gives_every_element() {
    let table = members(5_000);
    let drained: HashSet<_> = table
        .into_iter()
        .map(|member| member.bytes().to_vec())
        .collect();
    assert_eq!(drained.len(), 5_000);
    let mut table = members(100);
    table.clear();
    assert_eq!(
        (table.len(), table.memory(), table.iter().count()),
        (0, 0, 0)
    );
}

#[test]
fn fingerprints_find_their_element_and_few_others() {
    let mut table = members(20_000);
    let mut shown = 0;
    for number in 0..20_000 {
        let fingerprint = Fingerprint::of(seed().hash(&name(number)));
        let mut found = false;
        table.visit_fingerprint(fingerprint, |member| {
            shown += 1;
            found |= member.bytes() == name(number);
        });
        assert!(found);
    }
    assert!(shown < 21_500, "{shown} elements shown for 20,000");
    for number in 0..20_000 {
        let fingerprint = Fingerprint::of(seed().hash(&name(number)));
        let taken = table.take_fingerprint(fingerprint, |member| member.bytes() == name(number));
        assert_eq!(taken.unwrap().bytes(), name(number));
    }
    assert!(table.is_empty());
}

#[test]
fn split_buckets_inherit_parity_and_walks_by_bucket_meet_all() {
    let mut table = members(1_000);
    let mut position = Some(Position::START);
    let mut met = 0;
    while let Some(here) = position {
        assert!(!table.bucket_parity(here.hash()));
        table.set_bucket_parity(here.hash(), true);
        met += table.bucket_elements(here.hash()).count();
        position = table.bucket_after(here);
    }
    assert_eq!(met, 1_000);
    table.set_shrinking(Shrinking::Suspended);
    for number in 1_000..5_000 {
        assert!(table.bucket_parity(seed().hash(&name(number))));
        add(&mut table, number);
    }
    assert!(Table::<Member>::with_parity(true).bucket_parity(0));
}

#[test]
fn positions_survive_a_cursor() {
    let position = Position::of(seed().hash(b"key"));
    assert_eq!(Position::from_bits(position.bits()), position);
    assert_eq!(Position::of(position.hash()), position);
    assert!(position.bits() < 1 << 42);
}

#[derive(Debug, Clone)]
enum Step {
    Replace(u16, u8),
    Place(u16, u8),
    Change(u16, u8),
    Remove(u16),
    RemoveRandom(u64),
    Compact,
    Scan,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..400_u16;
    prop_oneof![
        4 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Replace(key, value)),
        4 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Place(key, value)),
        1 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Change(key, value)),
        4 => key().prop_map(Step::Remove),
        1 => any::<u64>().prop_map(Step::RemoveRandom),
        1 => Just(Step::Compact),
        1 => Just(Step::Scan),
    ]
}

fn apply(table: &mut Table<Pair>, model: &mut BTreeMap<Vec<u8>, u8>, step: &Step) {
    let key_of = |number: u16| name(usize::from(number));
    match *step {
        Step::Replace(number, value) => {
            let key = key_of(number);
            let old = table.replace(seed(), seed().hash(&key), Pair::new(&key, &[value]));
            assert_eq!(old.map(|pair| pair.value()[0]), model.insert(key, value));
        }
        Step::Place(number, value) => {
            let key = key_of(number);
            match table.place(seed().hash(&key), &key) {
                Place::Occupied(mut place) => {
                    assert_eq!(Some(&place.element().value()[0]), model.get(&key));
                    place.replace(Pair::new(&key, &[value]));
                    place.into_mut().set_value(&[value]);
                }
                Place::Vacant(place) => {
                    assert!(!model.contains_key(&key));
                    place
                        .insert(seed(), Pair::new(&key, b"long before"))
                        .set_value(&[value]);
                }
            }
            model.insert(key, value);
        }
        Step::Change(number, value) => {
            let key = key_of(number);
            let found = table
                .find_mut(seed().hash(&key), &key)
                .map(|pair| pair.set_value(&[value]));
            assert_eq!(
                found.is_some(),
                model.get_mut(&key).map(|old| *old = value).is_some()
            );
        }
        Step::Remove(number) => {
            let key = key_of(number);
            let removed = table.remove(seed().hash(&key), &key);
            assert_eq!(removed.map(|pair| pair.value()[0]), model.remove(&key));
        }
        Step::RemoveRandom(state) => {
            let removed = table.take_random(&mut stream(state));
            assert_eq!(removed.is_none(), model.is_empty());
            if let Some(pair) = removed {
                assert_eq!(model.remove(pair.field()), Some(pair.value()[0]));
            }
        }
        Step::Compact => assert!(!table.compact(0)),
        Step::Scan => {
            let mut shown = Vec::new();
            assert_eq!(
                table.scan(seed(), Position::START, usize::MAX, |pair| shown
                    .push(pair.field().to_vec())),
                None
            );
            shown.sort();
            assert!(shown.iter().eq(model.keys()));
        }
    }
}

proptest! {
    #[test]
    fn tables_behave_as_maps(steps in prop::collection::vec(step(), 0..900)) {
        let mut table = Table::new();
        let mut model = BTreeMap::new();
        for step in &steps {
            apply(&mut table, &mut model, step);
            prop_assert_eq!(table.len(), model.len());
        }
        check_whole(&table);
        let mut all: Vec<_> = table.iter().map(|pair| (pair.field().to_vec(), pair.value()[0])).collect();
        all.sort();
        prop_assert!(all.into_iter().eq(model));
    }

    /// Elements 0..stay are there throughout; others come and go between the steps of the walk.
    #[test]
    fn walks_show_what_stays_exactly_once(
        stay in 0..300_usize,
        budget in 1..40_usize,
        changes in prop::collection::vec((0..2_000_usize, 0..2_000_usize), 1..30),
    ) {
        let mut table = members(stay);
        let mut shown = HashMap::new();
        let mut position = Some(Position::START);
        let mut changes = changes.iter().cycle();
        let mut coming = true;
        while let Some(here) = position {
            position = table.scan_mut(seed(), here, budget, |member| {
                *shown.entry(member.bytes().to_vec()).or_insert(0) += 1;
            });
            let &(first, second) = changes.next().unwrap();
            for number in first.min(second)..first.max(second) {
                if coming {
                    add(&mut table, 10_000 + number);
                } else {
                    take(&mut table, 10_000 + number);
                }
            }
            coming = !coming;
        }
        for number in 0..stay {
            prop_assert_eq!(shown.get(&name(number)), Some(&1));
        }
    }

    /// Chains far longer than hashing makes them.
    #[test]
    fn chains_keep_their_elements(steps in prop::collection::vec((0..60_u8, any::<bool>()), 0..300)) {
        let mut bucket = Bucket::new(true);
        let mut model = HashSet::new();
        for (number, coming) in steps {
            let tag = number % 5 + 1;
            let spot = bucket.spot(tag, |member: &Member| member.bytes() == [number]);
            prop_assert_eq!(spot.is_some(), model.contains(&number));
            let before = bucket.continuations();
            let chain = match spot {
                None if coming => {
                    model.insert(number);
                    let (spot, chain) = bucket.push(tag, Member::new(&[number]));
                    prop_assert_eq!(bucket.at(spot).unwrap().bytes(), [number]);
                    prop_assert!(Spot::from_ordinal(spot.ordinal()).contains(&spot));
                    chain
                }
                Some(spot) if !coming => {
                    model.remove(&number);
                    let (member, chain) = bucket.remove(spot).unwrap();
                    prop_assert_eq!(member.bytes(), [number]);
                    chain
                }
                _ => Chain::Same,
            };
            let expected = match chain {
                Chain::Same => before,
                Chain::Longer => before + 1,
                Chain::Shorter => before - 1,
            };
            prop_assert_eq!(bucket.continuations(), expected);
            prop_assert_eq!(bucket.count(), model.len());
            prop_assert_eq!(bucket.elements().count(), model.len());
        }
        prop_assert!(bucket.parity());
        prop_assert!(model.iter().all(|number| bucket.find(number % 5 + 1, &[*number]).is_some()));
        prop_assert_eq!(Contents::from(bucket).map(|(_, member)| member.bytes()[0]).collect::<HashSet<_>>(), model);
    }
}
