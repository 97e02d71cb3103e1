//! The order of SORT: which elements are loaded, what weighs them, and which of them are wanted.

use super::Lookups;
use super::pattern::Pattern;
use super::texts::Texts;
use crate::CommandError;
use std::cmp::Ordering;
use std::ops::Range;
use store::list::End;
use store::{Entry, Item, Kind, Object, object_of};

/// The direction of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Upwards,
    Downwards,
}

/// What the elements are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By<'a> {
    /// Themselves.
    #[default]
    Element,
    /// Nothing: they keep the order in which the value has them.
    Nothing,
    /// What belongs to them by this pattern.
    Key(Pattern<'a>),
}

/// How a value is to be sorted, and which part of it is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish<'a> {
    pub(super) order: Order,
    /// Compare bytes instead of numbers.
    pub(super) alpha: bool,
    pub(super) by: By<'a>,
    /// LIMIT: elements to pass over, and how many to return.
    pub(super) limit: Option<(i64, i64)>,
    /// The result is going to be stored.
    pub(super) stored: bool,
}

/// The elements of a value, waiting to be sorted.
#[derive(Debug)]
pub(super) struct Loaded<'a> {
    wish: Wish<'a>,
    elements: Texts,
    /// Which part of them is wanted, once sorted.
    wanted: Range<usize>,
}

/// The elements that were wanted, in their order.
#[derive(Debug, Default)]
pub(super) struct Window {
    elements: Texts,
    /// Positions in `elements`.
    order: Vec<usize>,
}

impl<'a> Wish<'a> {
    /// Copies the elements of a value that are needed for the result; WRONGTYPE when it has none.
    pub(super) fn load(self, entry: &Entry<Object>) -> Result<Loaded<'a>, CommandError> {
        let object = object_of(entry).ok_or(CommandError::WrongType)?;
        let wish = self.made_repeatable(object.kind());
        let wanted = wish.wanted(object.len());
        let unsorted = wish.by == By::Nothing;
        let (from, ranks) = match (wish.order, unsorted) {
            (Order::Downwards, true) => (End::Tail, mirrored(&wanted, object.len())),
            (_, true) => (End::Head, wanted.clone()),
            (_, false) => (End::Head, 0..object.len()),
        };
        let mut elements = Texts::with_capacity(ranks.len());
        match object {
            Object::List(list) => {
                let start = match from {
                    End::Head => ranks.start,
                    End::Tail => ranks.end.saturating_sub(1),
                };
                list.range(from, start, ranks.len())
                    .for_each(|item| elements.push(item));
            }
            Object::ZSet(zset) => zset
                .range(from, ranks)
                .for_each(|(member, _)| elements.push(member)),
            // The order of a set means nothing, nor does its reverse.
            Object::Set(set) if unsorted => set
                .iter()
                .skip(wanted.start)
                .take(wanted.len())
                .for_each(|member| elements.push(member)),
            Object::Set(set) => set.iter().for_each(|member| elements.push(member)),
            Object::String(_) | Object::Hash(_) | Object::Stream(_) => {
                return Err(CommandError::WrongType);
            }
        }
        let wanted = if unsorted { 0..elements.len() } else { wanted };
        Ok(Loaded {
            wish,
            elements,
            wanted,
        })
    }

    /// A set that is stored unsorted would differ from replica to replica, so it is sorted after all.
    fn made_repeatable(self, kind: Kind) -> Self {
        if self.by == By::Nothing && kind == Kind::Set && self.stored {
            Self {
                alpha: true,
                by: By::Element,
                ..self
            }
        } else {
            self
        }
    }

    /// The part of `len` sorted elements that LIMIT asks for; a negative count means all.
    fn wanted(&self, len: usize) -> Range<usize> {
        let (skip, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(skip.max(0)).unwrap_or(usize::MAX).min(len);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

/// The same range counted from the other end.
fn mirrored(range: &Range<usize>, len: usize) -> Range<usize> {
    len - range.end..len - range.start
}

impl Loaded<'_> {
    /// Sorts the elements and keeps those that are wanted.
    pub(super) fn ranked(self, space: &mut impl Lookups) -> Result<Window, CommandError> {
        let elements = &self.elements;
        let order = match (self.wish.by, self.wish.alpha) {
            (By::Nothing, _) => (0..elements.len()).collect(),
            (By::Element, true) => self.chosen(vec![(); elements.len()], |(), ()| Ordering::Equal),
            (_, false) => {
                let scores = self.scores(space)?;
                self.chosen(scores, |a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal))
            }
            (By::Key(pattern), true) => {
                let (weights, texts) = weights(&pattern, elements, space);
                let text = |at: &Option<usize>| at.map(|at| texts.get(at));
                self.chosen(weights, |a, b| text(a).cmp(&text(b)))
            }
        };
        Ok(Window {
            elements: self.elements,
            order,
        })
    }

    /// The number that each element is sorted by. One that belongs to no element weighs 0.
    fn scores(&self, space: &mut impl Lookups) -> Result<Vec<f64>, CommandError> {
        let scores: Vec<Option<f64>> = match self.wish.by {
            By::Key(pattern) => self
                .elements
                .iter()
                .map(|element| pattern.find(space, element, |item| item.map_or(Some(0.0), number)))
                .collect(),
            By::Element | By::Nothing => self.elements.iter().map(number_of).collect(),
        };
        // Every element was looked up before the first error shows, as in Redis.
        let scores: Option<Vec<f64>> = scores.into_iter().collect();
        scores.ok_or(CommandError::NotDoubles)
    }

    /// The positions of the wanted elements, sorted by weight; of equal weight, by their bytes when they are sorted by
    /// number or by themselves, and by position.
    fn chosen<W>(&self, weights: Vec<W>, by_weight: impl Fn(&W, &W) -> Ordering) -> Vec<usize> {
        let by_bytes = !(self.wish.alpha && matches!(self.wish.by, By::Key(_)));
        let compare = |(weight_a, a): &(W, usize), (weight_b, b): &(W, usize)| {
            let mut ordering = by_weight(weight_a, weight_b);
            if by_bytes {
                let bytes = || self.elements.get(*a).cmp(self.elements.get(*b));
                ordering = ordering.then_with(bytes);
            }
            if self.wish.order == Order::Downwards {
                ordering = ordering.reverse();
            }
            ordering.then_with(|| a.cmp(b))
        };
        let mut rows: Vec<(W, usize)> = weights.into_iter().zip(0..).collect();
        let Range { start, end } = self.wanted.clone();
        if end < rows.len() {
            rows.select_nth_unstable_by(end, compare);
            rows.truncate(end);
        }
        rows.sort_unstable_by(compare);
        rows.into_iter().skip(start).map(|(_, at)| at).collect()
    }
}

/// What belongs to each element by `pattern`, as positions in the texts.
fn weights(
    pattern: &Pattern<'_>,
    elements: &Texts,
    space: &mut impl Lookups,
) -> (Vec<Option<usize>>, Texts) {
    let mut texts = Texts::with_capacity(elements.len());
    let weights = elements
        .iter()
        .map(|element| {
            pattern.find(space, element, |item| {
                texts.push(item?);
                Some(texts.len() - 1)
            })
        })
        .collect();
    (weights, texts)
}

fn number(item: Item<'_>) -> Option<f64> {
    match item {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Redis sorts integers as doubles"
        )]
        Item::Integer(integer) => Some(integer as f64),
        Item::Bytes(text) => number_of(text),
    }
}

/// The number that C's `strtod` reads from the whole of `text`, which ends with a zero byte, if not before: blanks may come
/// first, and no text at all is 0.
fn number_of(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next()?;
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    resp::number::parse_double(text.get(start..)?)
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.order.iter().map(|at| self.elements.get(*at))
    }
}
