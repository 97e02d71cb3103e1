//! Sorted sets against a map and a sorted vector, over both forms and the way between them.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::testing::{element, random, requested};

type Model = BTreeMap<Vec<u8>, f64>;

fn tuning() -> Tuning {
    Tuning {
        zset_max_listpack_entries: 8,
        zset_max_listpack_value: 12,
        ..Tuning::default()
    }
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-3i32..3).prop_map(f64::from),
        2 => (-6i32..6).prop_map(|half| f64::from(half) / 2.0),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-0.0),
        1 => any::<f64>().prop_filter("no NaN", |score| !score.is_nan()),
    ]
}

fn sorted(model: &Model) -> Vec<(Vec<u8>, f64)> {
    let mut pairs: Vec<_> = model
        .iter()
        .map(|(member, &score)| (member.clone(), score))
        .collect();
    pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    pairs
}

fn read(members: Members<'_>) -> Vec<(Vec<u8>, f64)> {
    members
        .map(|(member, score)| (member.to_vec(), score))
        .collect()
}

fn agrees(zset: &ZSet, model: &Model, seed: u64) {
    let (pairs, mut random) = (sorted(model), random(seed));
    assert_eq!(zset.len(), pairs.len());
    assert_eq!(read(zset.iter()), pairs);
    for (rank, (member, score)) in pairs.iter().enumerate() {
        assert_eq!(zset.rank(member), Some((rank, *score)));
        let end = pairs.len().min(rank + 4);
        assert_eq!(
            read(zset.range(End::Head, rank..rank + 4)),
            pairs[rank..end]
        );
        let mut down = pairs[rank..end].to_vec();
        down.reverse();
        assert_eq!(read(zset.range(End::Tail, rank..rank + 4)), down);
    }
    assert_eq!(
        zset.range(End::Tail, pairs.len()..pairs.len() + 2).count(),
        0
    );
    let known = |member: Item<'_>, score: f64| model.get(&member.to_vec()) == Some(&score);
    assert_eq!(
        zset.random(&mut random)
            .is_some_and(|(member, score)| known(member, score)),
        !model.is_empty()
    );
    let mut count = 0;
    zset.draw(5, &mut random, |member, score| {
        count += usize::from(known(member, score))
    });
    assert_eq!(count, if model.is_empty() { 0 } else { 5 });
    for wanted in [0, 1, model.len() / 4, model.len() + 3] {
        let mut seen = HashSet::new();
        zset.sample(wanted, &mut random, |member, score| {
            assert!(known(member, score) && seen.insert(member.to_vec()))
        });
        assert_eq!(seen.len(), wanted.min(model.len()));
    }
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = zset.scan(cursor, 3, |member, score| {
            assert!(seen.insert(member.to_vec(), score).is_none())
        });
        assert!(cursor < 1 << 53);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&seen, model);
}

fn bound(score: f64, exclusive: bool) -> ScoreBound {
    if exclusive {
        ScoreBound::Exclusive(score)
    } else {
        ScoreBound::Inclusive(score)
    }
}

fn apply(
    zset: &mut ZSet,
    model: &mut Model,
    tuning: &Tuning,
    step: u8,
    member: Vec<u8>,
    score: f64,
) {
    match step {
        0 => assert_eq!(zset.remove(&member), model.remove(&member)),
        1 => {
            let (end, pairs) = (
                if score > 0.0 { End::Head } else { End::Tail },
                sorted(model),
            );
            let expected = if end == End::Head {
                pairs.first()
            } else {
                pairs.last()
            }
            .cloned();
            assert_eq!(
                zset.pop(end, |member, score| (member.to_vec(), score)),
                expected
            );
            expected
                .into_iter()
                .for_each(|(member, _)| assert!(model.remove(&member).is_some()));
        }
        2 => {
            let (start, mut gone) = (member.len() % 4, Vec::new());
            zset.remove_ranks(start..start + 2, |member, score| {
                gone.push((member.to_vec(), score))
            });
            let pairs = sorted(model);
            assert_eq!(
                gone,
                pairs
                    .get(start..pairs.len().min(start + 2))
                    .unwrap_or_default()
            );
            gone.into_iter()
                .for_each(|(member, _)| assert!(model.remove(&member).is_some()));
        }
        3 => {
            // ZADD GT
            let present = model.get(&member).copied();
            let outcome = zset.update(tuning, &member, |present| {
                present
                    .is_none_or(|present| score > present)
                    .then_some(score)
            });
            let changes = present.is_none_or(|present| score > present);
            assert_eq!(outcome == Outcome::Unchanged, !changes);
            if changes {
                model.insert(member, score);
            }
        }
        _ => {
            let expected = match model.get(&member) {
                None => Outcome::Added,
                Some(&present) if present == score => Outcome::Unchanged,
                Some(_) => Outcome::Updated,
            };
            assert_eq!(zset.insert(tuning, &member, score), expected);
            model.insert(member, score);
        }
    }
}

proptest! {
    #[test]
    fn a_sorted_set_is_a_sorted_map(steps in prop::collection::vec((0u8..9, element(), score()), 0..120), seed in any::<u64>()) {
        let (tuning, mut zset, mut model) = (tuning(), ZSet::new(), Model::new());
        for (step, member, score) in steps {
            apply(&mut zset, &mut model, &tuning, step, member.clone(), score);
            prop_assert_eq!(zset.score(&member), model.get(&member).copied());
            prop_assert_eq!(zset.insert(&tuning, &member, f64::NAN), Outcome::Unchanged);
        }
        agrees(&zset, &model, seed);
        let mut copy = zset.clone();
        copy.compact(&tuning);
        agrees(&copy, &model, seed);
    }

    #[test]
    fn ranges_of_scores_are_ranks(members in prop::collection::vec((element(), score()), 0..40), min in score(), max in score(), exclusive in any::<(bool, bool)>()) {
        let (tuning, mut zset, mut model) = (tuning(), ZSet::new(), Model::new());
        let range = ScoreRange { min: bound(min, exclusive.0), max: bound(max, exclusive.1) };
        for (member, score) in members {
            zset.insert(&tuning, &member, score);
            model.insert(member, score);
            let inside: Vec<_> = sorted(&model).into_iter().filter(|&(_, score)| range.contains(score)).collect();
            prop_assert_eq!(read(zset.range(End::Head, zset.score_ranks(&range))), inside);
        }
        prop_assert_eq!(zset.score_ranks(&ScoreRange::ALL), 0..model.len());
    }

    #[test]
    fn ranges_of_members_are_ranks(members in prop::collection::vec(element(), 0..40), min in element(), max in element(), way in any::<(bool, bool)>()) {
        let (tuning, mut zset, mut model) = (tuning(), ZSet::new(), Model::new());
        let bound = |member, exclusive| if exclusive { LexBound::Exclusive(member) } else { LexBound::Inclusive(member) };
        let range = LexRange { min: bound(&min, way.0), max: bound(&max, way.1) };
        let (lower, upper) = (LexRange { min: LexBound::Lowest, ..range }, LexRange { max: LexBound::Highest, ..range });
        for member in members {
            zset.insert(&tuning, &member, 1.0);
            model.insert(member, 1.0);
            for range in [range, lower, upper] {
                let inside: Vec<_> = sorted(&model).into_iter().filter(|(member, _)| range.contains(member)).collect();
                prop_assert_eq!(read(zset.range(End::Head, zset.lex_ranks(&range))), inside);
            }
        }
        for (min, max, all) in [(LexBound::Lowest, LexBound::Highest, true), (LexBound::Highest, LexBound::Lowest, false), (LexBound::Highest, LexBound::Highest, false)] {
            prop_assert_eq!(zset.lex_ranks(&LexRange { min, max }).len(), if all { model.len() } else { 0 });
        }
    }
}

#[test]
fn forms_change_where_redis_changes_them() {
    let tuning = tuning();
    let mut zset = ZSet::sized(&tuning, 8, 12);
    for index in 0..8 {
        zset.insert(&tuning, format!("member{index}").as_bytes(), 0.5);
    }
    zset.insert(&tuning, b"member0", 3.0);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    zset.insert(&tuning, b"member8", 0.0);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    zset.remove(b"member8");
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    zset.compact(&tuning);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    let mut longer = ZSet::new();
    longer.insert(&tuning, b"1234567890123", 0.0);
    assert_eq!((longer.len(), longer.encoding()), (1, Encoding::Skiplist));
    longer.compact(&tuning);
    assert_eq!(longer.encoding(), Encoding::Skiplist);
    assert_eq!(ZSet::sized(&tuning, 9, 0).encoding(), Encoding::Skiplist);
    assert_eq!(ZSet::sized(&tuning, 0, 13).encoding(), Encoding::Skiplist);
}

#[test]
fn a_member_that_is_refused_leaves_the_form_alone() {
    let tuning = tuning();
    let mut zset = ZSet::new();
    assert_eq!(
        zset.update(&tuning, b"a member that is too long to be packed", |_| None),
        Outcome::Unchanged
    );
    assert_eq!((zset.len(), zset.encoding()), (0, Encoding::Listpack));
}

#[test]
fn a_member_takes_fewer_than_85_bytes() {
    let tuning = Tuning::default();
    let (mut zset, mut random) = (ZSet::new(), random(1));
    for index in 0..100_000 {
        zset.insert(
            &tuning,
            format!("member:{index:08}").as_bytes(),
            (random() >> 20) as f64,
        );
    }
    let Form::Sorted(long) = &zset.form else {
        panic!("100,000 members are packed")
    };
    let each = requested(&long.dict, Scored::memory) + long.tree.memory() as f64 / 100_000.0;
    assert!(each < 85.0, "{each}");
}
