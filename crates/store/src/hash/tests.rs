//! Hashes against the map of the standard library, and where they change their form.

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
        hash.iter(ALL_LIVE).count() == model.len()
            && hash
                .iter(ALL_LIVE)
                .all(|(field, value)| known(field, value))
    );
    assert_eq!(
        hash.random(&mut random, ALL_LIVE).is_some(),
        !model.is_empty()
    );
    let mut count = 0;
    hash.draw(5, &mut random, ALL_LIVE, |field, value| {
        count += usize::from(known(field, value))
    });
    assert_eq!(count, if model.is_empty() { 0 } else { 5 });
    for wanted in [0, 1, model.len() / 4, model.len(), model.len() + 3] {
        let mut seen = std::collections::HashSet::new();
        hash.sample(wanted, &mut random, ALL_LIVE, |field, value| {
            assert!(known(field, value) && seen.insert(field.to_vec()))
        });
        assert_eq!(seen.len(), wanted.min(model.len()));
    }
    let (mut cursor, mut seen) = (0, HashMap::new());
    loop {
        cursor = hash.scan(cursor, 3, ALL_LIVE, |field, value| {
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
                prop_assert_eq!(hash.remove(&field, ALL_LIVE), model.remove(&field).is_some());
            } else {
                prop_assert_eq!(hash.set(&tuning, &field, &value), model.insert(field.clone(), value).is_none());
            }
            prop_assert_eq!(hash.get(&field, ALL_LIVE).map(|value| value.to_vec()), model.get(&field).cloned());
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
    (0..9).for_each(|index| assert!(hash.remove(format!("field{index}").as_bytes(), ALL_LIVE)));
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

/// What a hash should hold: values with deadlines.
type Model = HashMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn alive(deadline: Option<i64>, now: i64) -> bool {
    deadline.is_none_or(|deadline| deadline >= now)
}

#[derive(Debug, Clone)]
enum Step {
    Set(Vec<u8>, FieldExpiry),
    Expire(Vec<u8>, i64),
    Persist(Vec<u8>),
    Remove(Vec<u8>),
    Pass(i64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let field = || (0u8..20).prop_map(|number| vec![b'f', number]);
    let ttl = || prop_oneof![0..2_000_i64, 0..10_000_000_i64];
    prop_oneof![
        (
            field(),
            prop_oneof![
                Just(FieldExpiry::None),
                Just(FieldExpiry::Keep),
                ttl().prop_map(FieldExpiry::At),
            ]
        )
            .prop_map(|(field, expiry)| Step::Set(field, expiry)),
        (field(), ttl()).prop_map(|(field, ttl)| Step::Expire(field, ttl)),
        field().prop_map(Step::Persist),
        field().prop_map(Step::Remove),
        (prop_oneof![0..300_i64, 0..100_000_i64], 0..30_usize)
            .prop_map(|(time, budget)| Step::Pass(time, budget)),
    ]
}

/// Takes one step on both; times to live count from now.
fn apply(tuning: &Tuning, hash: &mut Hash, model: &mut Model, now: &mut i64, step: Step) {
    let lives = |model: &Model, field: &[u8], now: i64| {
        model
            .get(field)
            .is_some_and(|(_, deadline)| alive(*deadline, now))
    };
    match step {
        Step::Set(field, expiry) => {
            let existed = lives(model, &field, *now);
            let expiry = match expiry {
                FieldExpiry::At(ttl) => FieldExpiry::At(*now + ttl),
                other => other,
            };
            let deadline = match expiry {
                FieldExpiry::At(deadline) => Some(deadline),
                FieldExpiry::Keep if existed => model[&field].1,
                _ => None,
            };
            assert_eq!(hash.set_at(tuning, &field, b"v", expiry, *now), !existed);
            model.insert(field, (b"v".to_vec(), deadline));
        }
        Step::Expire(field, ttl) => {
            let existed = lives(model, &field, *now);
            assert_eq!(hash.expire_at(tuning, &field, *now + ttl, *now), existed);
            if existed {
                model.get_mut(&field).unwrap().1 = Some(*now + ttl);
            }
        }
        Step::Persist(field) => {
            let had = lives(model, &field, *now) && model[&field].1.is_some();
            assert_eq!(hash.persist(&field, *now), had);
            if had {
                model.get_mut(&field).unwrap().1 = None;
            }
        }
        Step::Remove(field) => {
            let existed = lives(model, &field, *now);
            assert_eq!(hash.remove(&field, *now), existed);
            if existed {
                model.remove(&field);
            }
        }
        Step::Pass(time, budget) => {
            *now += time;
            let count = hash.expire(*now, budget, |field| {
                let (_, deadline) = model.remove(field).expect("the field is there once");
                assert!(!alive(deadline, *now));
            });
            assert!(count <= budget);
        }
    }
}

proptest! {
    #[test]
    fn fields_live_until_their_deadline(steps in prop::collection::vec(step(), 0..200), seed in any::<u64>()) {
        let (tuning, mut hash, mut model, mut now) = (tuning(), Hash::new(), Model::new(), 1_000_000);
        for step in steps {
            apply(&tuning, &mut hash, &mut model, &mut now, step);
            let volatile = model.values().filter(|(_, deadline)| deadline.is_some()).count();
            prop_assert_eq!((hash.len(), hash.volatile()), (model.len(), volatile));
            for (field, (_, deadline)) in &model {
                let shown = alive(*deadline, now);
                prop_assert_eq!(hash.get(field, now).is_some(), shown);
                prop_assert_eq!(hash.deadline(field, now), shown.then_some(*deadline));
            }
            // The index calls no later than a narrow tick behind a deadline.
            let first = model.values().filter_map(|(_, deadline)| *deadline).min();
            prop_assert!(first.is_none_or(|first| hash.next_due().unwrap() <= first.max(now) + 128));
        }
        let living: HashMap<_, _> = model
            .into_iter()
            .filter(|(_, (_, deadline))| alive(*deadline, now))
            .map(|(field, (value, _))| (field, value))
            .collect();
        hash.expire(now, usize::MAX, |field| assert!(!living.contains_key(field)));
        let left = living.len();
        let shown: HashMap<_, _> = hash.iter(now).map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(&shown, &living);
        let mut random = random(seed);
        for wanted in [1, left / 4, left + 3] {
            let mut seen = std::collections::HashSet::new();
            hash.sample(wanted, &mut random, now, |field, _| {
                assert!(shown.contains_key(&field.to_vec()) && seen.insert(field.to_vec()));
            });
            prop_assert!(seen.len() <= wanted);
        }
        hash.scan(0, 1_000, now, |field, _| assert!(shown.contains_key(&field.to_vec())));
    }
}

#[test]
fn a_table_is_plain_again_when_its_last_deadline_goes() {
    let tuning = tuning();
    let mut hash = Hash::new();
    for field in [b"a", b"b", b"c", b"d"] {
        hash.set(&tuning, field, b"1");
    }
    assert!(!hash.expire_at(&tuning, b"none", 5_000, 1_000));
    assert_eq!(hash.encoding(), Encoding::Listpack);
    for field in [b"a", b"b", b"c", b"d"] {
        assert!(hash.expire_at(&tuning, field, 5_000, 1_000));
    }
    assert_eq!((hash.encoding(), hash.volatile()), (Encoding::Hashtable, 4));
    assert!(hash.persist(b"a", 1_000) && !hash.persist(b"a", 1_000));
    assert!(!hash.set(&tuning, b"b", b"2"));
    assert!(hash.remove(b"c", 1_000));
    assert_eq!((hash.volatile(), hash.next_due().is_some()), (1, true));
    assert_eq!(hash.expire(5_200, 10, |field| assert_eq!(field, b"d")), 1);
    assert_eq!((hash.volatile(), hash.next_due(), hash.len()), (0, None, 2));
    assert!(matches!(hash.form, Form::Table(_)));
}

#[test]
fn one_volatile_field_of_a_thousand_costs_little() {
    let tuning = Tuning::default();
    let mut plain = Hash::new();
    for index in 0..100_000 {
        plain.set(
            &tuning,
            format!("field:{index:09}").as_bytes(),
            b"value:0123456",
        );
    }
    let mut volatile = plain.clone();
    for index in (0..100_000).step_by(1_000) {
        let field = format!("field:{index:09}");
        let deadline = 1_000_000 + index * 7_919_333 % 86_400_000;
        assert!(volatile.expire_at(&tuning, field.as_bytes(), deadline, 1_000_000));
    }
    let (before, after) = (plain.memory(usize::MAX), volatile.memory(usize::MAX));
    assert!(after * 100 < before * 103, "{before} and {after} bytes");
}

#[test]
fn a_small_hash_with_a_volatile_field_is_small() {
    let tuning = Tuning::default();
    let mut hash = Hash::new();
    hash.set(&tuning, b"a", b"1");
    hash.set_at(&tuning, b"b", b"2", FieldExpiry::At(2_000_000), 1_000_000);
    let bytes = hash.memory(usize::MAX);
    assert!(bytes < 320, "{bytes}");
}
