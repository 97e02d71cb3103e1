//! The short form of a sorted set: a listpack of members and scores, in their order.
//!
//! A score that is an integer is kept as one, any other as its shortest decimal spelling.

use std::cmp::Ordering;
use std::ops::Range;

use crate::item::{Item, Spelling};
use crate::listpack::{Listpack, Place, View};

/// The score that a listpack holds at a score's place. What is no number counts as 0: it can only come from a file that was not checked.
pub(super) fn score_of(item: Item<'_>) -> f64 {
    let score = match item {
        Item::Integer(value) => value as f64,
        Item::Bytes(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0),
    };
    if score.is_nan() { 0.0 } else { score }
}

/// The place and the score of a member.
pub(super) fn find(view: View<'_>, member: &[u8]) -> Option<(Place, f64)> {
    let place = view.find(member, 2, Place::FIRST)?;
    let (_, score_place) = view.entry(place)?;
    Some((place, score_of(view.item(score_place)?)))
}

/// Members and scores, in order, from both ends.
pub(super) fn pairs(view: View<'_>) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
    view.pairs()
        .map(|(member, score)| (member, score_of(score)))
}

/// Puts a member, which is not there, at its place.
pub(super) fn insert(pack: &mut Listpack, member: &[u8], score: f64) {
    let view = pack.view();
    let mut place = view.end();
    // Members are often added in the order of their scores: the last one tells in one step.
    if pairs(view)
        .next_back()
        .is_some_and(|last| order(last, member, score) == Ordering::Greater)
    {
        let mut at = Place::FIRST;
        while let Some((item, score_place)) = view.entry(at)
            && let Some((item_score, next)) = view.entry(score_place)
        {
            if order((item, score_of(item_score)), member, score) == Ordering::Greater {
                place = at;
                break;
            }
            at = next;
        }
    }
    match integer(score) {
        Some(value) => pack.insert_pair(place, member, Item::Integer(value)),
        None => pack.insert_pair(place, member, spell(score).as_bytes()),
    }
}

/// The number of a member, its score, counted from the lowest.
pub(super) fn rank(view: View<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let needle = crate::item::Needle::new(member);
    pairs(view)
        .enumerate()
        .find_map(|(rank, (item, score))| needle.matches(item).then_some((rank, score)))
}

/// The ranks of the members for which neither `above` nor `below` holds; `above` holds for a head of the order, `below` for a tail.
pub(super) fn ranks(
    view: View<'_>,
    above: impl Fn(Item<'_>, f64) -> bool,
    below: impl Fn(Item<'_>, f64) -> bool,
) -> Range<usize> {
    let start = pairs(view)
        .take_while(|&(member, score)| above(member, score))
        .count();
    let len = pairs(view)
        .skip(start)
        .take_while(|&(member, score)| !below(member, score))
        .count();
    start..start + len
}

fn order((item, item_score): (Item<'_>, f64), member: &[u8], score: f64) -> Ordering {
    let by_score = item_score.partial_cmp(&score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| item.as_bytes(&mut Spelling::default()).cmp(member))
}

/// The score as an integer if it is one, within half the range of `i64` (`double2ll`, Redis 7.0).
fn integer(score: f64) -> Option<i64> {
    const LIMIT: f64 = (i64::MAX / 2) as f64;
    let value = score as i64;
    (score.abs() <= LIMIT && value as f64 == score).then_some(value)
}

/// The shortest spelling that reads back as the same score: 0.25, 1e+300, inf.
fn spell(score: f64) -> String {
    let text = format!("{score:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if matches!(exponent.parse(), Ok(-7..=20)) => {
            debug_assert!(!digits.is_empty());
            score.to_string()
        }
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_are_spelled_shortly() {
        for (score, text) in [
            (0.25, "0.25"),
            (-1.5, "-1.5"),
            (1e300, "1e+300"),
            (1e-10, "1e-10"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(spell(score), text);
        }
        assert_eq!(
            (
                integer(-3.0),
                integer(-0.0),
                integer(0.5),
                integer(1e18),
                integer(5e18)
            ),
            (
                Some(-3),
                Some(0),
                None,
                Some(1_000_000_000_000_000_000),
                None
            )
        );
        assert_eq!(
            (
                score_of(Item::Bytes(b"nan")),
                score_of(Item::Bytes(b"\xff"))
            ),
            (0.0, 0.0)
        );
    }

    proptest! {
        #[test]
        fn scores_come_back(score in any::<f64>()) {
            prop_assume!(!score.is_nan());
            let mut pack = Listpack::new();
            insert(&mut pack, b"m", score);
            prop_assert_eq!(find(pack.view(), b"m").map(|(_, score)| score), Some(score));
        }
    }
}
