//! Sorted sets: a listpack of members and scores while small, a table with an ordered tree above ("skiplist" to OBJECT ENCODING).
//!
//! Everything that names a part of the order does so by ranks, counted from the lowest: ranges of scores and members turn into ranks in O(log n), and ranks
//! into members in O(log n), so that LIMIT offsets, counts and removals cost no walk. No score is ever NaN.

mod packed;
mod range;

pub use range::{LexBound, LexRange, ScoreBound, ScoreRange};

use std::ops::Range;

use entry::Scored;

use crate::btree::{Tree, Walk};
use crate::dict::Dict;
use crate::encoding::Encoding;
use crate::item::{Item, Spelling};
use crate::list::End;
use crate::listpack::{Listpack, Pairs, Place, View};
use crate::random::{Random, below};
use crate::table::{self, Table};
use crate::tuning::Tuning;

/// A set of byte strings, each with a score, in the order of (score, bytes).
#[derive(Clone, Debug)]
pub struct ZSet {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(Listpack),
    Sorted(Box<Sorted>),
}

/// Each member is one block with two handles: one in the table, one in the tree.
#[derive(Debug)]
struct Sorted {
    dict: Dict<Scored>,
    tree: Tree,
}

/// What [`ZSet::update`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The member is new.
    Added,
    /// The member had another score.
    Updated,
    /// Nothing changed.
    Unchanged,
}

impl ZSet {
    /// A sorted set without members.
    pub fn new() -> Self {
        Self {
            form: Form::Packed(Listpack::new()),
        }
    }

    /// An empty sorted set in the form that suits about `count` members of about `len` bytes (`zsetTypeCreate`).
    pub fn sized(tuning: &Tuning, count: usize, len: usize) -> Self {
        let mut zset = Self::new();
        if count > tuning.zset_max_listpack_entries || len > tuning.zset_max_listpack_value {
            zset.become_sorted(tuning);
        }
        zset
    }

    /// The sorted set of a listpack from an RDB file; the long form at once when it has too many members. Members that come twice count once there.
    pub fn from_listpack(tuning: &Tuning, pack: Listpack) -> Self {
        let mut zset = Self {
            form: Form::Packed(pack),
        };
        zset.expect(tuning, zset.len());
        zset
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.len() / 2,
            Form::Sorted(sorted) => sorted.dict.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The form, under OBJECT ENCODING's name.
    pub fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Packed(_) => Encoding::Listpack,
            Form::Sorted(_) => Encoding::Skiplist,
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(pack) => packed::find(pack.view(), member).map(|(_, score)| score),
            Form::Sorted(sorted) => sorted.dict.find(member).map(Scored::score),
        }
    }

    /// Takes the long form if about `count` members are expected and that is too many (`zsetTypeMaybeConvert`).
    pub fn expect(&mut self, tuning: &Tuning, count: usize) {
        if count > tuning.zset_max_listpack_entries {
            self.become_sorted(tuning);
        }
    }

    /// Adds a member or changes its score. A score that is NaN changes nothing.
    pub fn insert(&mut self, tuning: &Tuning, member: &[u8], score: f64) -> Outcome {
        self.update(tuning, member, |_| Some(score))
    }

    /// Looks a member up and gives it the score that `decide` makes of its present one; nothing changes for `None` and for NaN. One lookup, whatever
    /// conditions ZADD and ZINCRBY have.
    pub fn update(
        &mut self,
        tuning: &Tuning,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Outcome {
        let mut decide = Some(decide);
        let mut decided = None;
        if let Form::Packed(pack) = &mut self.form {
            let found = packed::find(pack.view(), member);
            let present = found.map(|(_, score)| score);
            let Some(score) = decide.take().and_then(|decide| new_score(decide, present)) else {
                return Outcome::Unchanged;
            };
            if let Some((place, _)) = found {
                pack.remove(place, 2);
                packed::insert(pack, member, score);
                return Outcome::Updated;
            }
            if pack.len() / 2 < tuning.zset_max_listpack_entries
                && member.len() <= tuning.zset_max_listpack_value
                && pack.fits(member.len())
            {
                packed::insert(pack, member, score);
                return Outcome::Added;
            }
            self.become_sorted(tuning);
            decided = Some(score);
        }
        let Form::Sorted(sorted) = &mut self.form else {
            return Outcome::Unchanged;
        };
        sorted.update(member, |present| match decide.take() {
            Some(decide) => new_score(decide, present),
            None => decided,
        })
    }

    /// Removes a member; its score, if it was there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(pack) => {
                let (place, score) = packed::find(pack.view(), member)?;
                pack.remove(place, 2);
                Some(score)
            }
            Form::Sorted(sorted) => {
                let scored = sorted.dict.remove(member)?;
                sorted.tree.remove(scored.score(), member);
                Some(scored.score())
            }
        }
    }

    /// The rank of a member, counted from the lowest, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.form {
            Form::Packed(pack) => packed::rank(pack.view(), member),
            Form::Sorted(sorted) => {
                let score = sorted.dict.find(member)?.score();
                Some((sorted.tree.rank(score, member), score))
            }
        }
    }

    /// The ranks of the members whose score is in the range; O(log n). Its length is ZCOUNT's answer.
    pub fn score_ranks(&self, range: &ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        match &self.form {
            Form::Packed(pack) => packed::ranks(
                pack.view(),
                |_, score| range.is_above(score),
                |_, score| range.is_below(score),
            ),
            Form::Sorted(sorted) => {
                let start = sorted.tree.partition(|score, _| range.is_above(score));
                start
                    ..sorted
                        .tree
                        .partition(|score, _| !range.is_below(score))
                        .max(start)
            }
        }
    }

    /// The ranks of the members that are in the range; O(log n). It has a meaning when all scores are equal. Its length is ZLEXCOUNT's answer.
    pub fn lex_ranks(&self, range: &LexRange<'_>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        match &self.form {
            Form::Packed(pack) => {
                let above =
                    |member: Item<'_>, _| range.is_above(member.as_bytes(&mut Spelling::default()));
                packed::ranks(pack.view(), above, |member, _| {
                    range.is_below(member.as_bytes(&mut Spelling::default()))
                })
            }
            Form::Sorted(sorted) => {
                let start = sorted
                    .tree
                    .partition(|_, scored| range.is_above(scored.member()));
                start
                    ..sorted
                        .tree
                        .partition(|_, scored| !range.is_below(scored.member()))
                        .max(start)
            }
        }
    }

    /// Members and scores of the given ranks: upwards from [`End::Head`], downwards from [`End::Tail`]. Ranks that are not there are left out.
    pub fn range(&self, from: End, ranks: Range<usize>) -> Members<'_> {
        let ranks = ranks.start..ranks.end.min(self.len());
        let count = ranks.len();
        let start = if from == End::Head {
            ranks.start
        } else {
            ranks.end.saturating_sub(1)
        };
        match &self.form {
            Form::Packed(pack) => {
                let mut pairs = pack.view().pairs();
                let skip = if from == End::Head {
                    start
                } else {
                    self.len().saturating_sub(ranks.end)
                };
                if let Some(last) = skip.checked_sub(1) {
                    // The pairs passed over are read all the same: a packed set is short.
                    match from {
                        End::Head => pairs.nth(last),
                        End::Tail => pairs.nth_back(last),
                    };
                }
                Members::Packed {
                    pairs,
                    from,
                    left: count,
                }
            }
            Form::Sorted(sorted) => Members::Sorted(sorted.tree.walk(from, start, count)),
        }
    }

    /// All members and scores, upwards.
    pub fn iter(&self) -> Members<'_> {
        self.range(End::Head, 0..self.len())
    }

    /// Removes the members of the given ranks and shows each to `removed`, upwards.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut removed: impl FnMut(Item<'_>, f64)) {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return;
        }
        match &mut self.form {
            Form::Packed(pack) => {
                let gone = packed::pairs(pack.view())
                    .skip(ranks.start)
                    .take(ranks.len());
                gone.for_each(|(member, score)| removed(member, score));
                pack.remove_range(2 * ranks.start, 2 * ranks.len());
            }
            Form::Sorted(sorted) => {
                let Sorted { dict, tree } = &mut **sorted;
                tree.drain(ranks.start, ranks.len(), |scored| {
                    dict.remove(scored.member());
                    removed(Item::Bytes(scored.member()), scored.score());
                });
            }
        }
    }

    /// Removes the member at `end` and shows it to `take`.
    pub fn pop<R>(&mut self, end: End, take: impl FnOnce(Item<'_>, f64) -> R) -> Option<R> {
        let last = self.len().checked_sub(1)?;
        let rank = if end == End::Head { 0 } else { last };
        let (mut take, mut taken) = (Some(take), None);
        self.remove_ranks(rank..rank + 1, |member, score| {
            taken = take.take().map(|take| take(member, score))
        });
        taken
    }

    /// One of the members, each as likely as another.
    pub fn random(&self, random: Random<'_>) -> Option<(Item<'_>, f64)> {
        match &self.form {
            Form::Packed(pack) => pair_at(
                pack.view(),
                pack.view().seek(2 * below(random, self.len()))?,
            ),
            Form::Sorted(sorted) => sorted.dict.table().random(random).map(shown),
        }
    }

    /// Shows `count` members, each drawn from all: some may come again.
    pub fn draw(&self, count: usize, random: Random<'_>, mut visit: impl FnMut(Item<'_>, f64)) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Sorted(sorted) => {
                for scored in (0..count).map_while(|_| sorted.dict.table().random(random)) {
                    visit(Item::Bytes(scored.member()), scored.score());
                }
            }
        }
    }

    /// Shows up to `count` different members.
    pub fn sample(&self, count: usize, random: Random<'_>, mut visit: impl FnMut(Item<'_>, f64)) {
        match &self.form {
            Form::Packed(pack) => pack.view().draw_unique(count, 2, random, |place| {
                show(pack.view(), place, &mut visit)
            }),
            Form::Sorted(sorted) => sorted.dict.sample(count, random, |scored| {
                visit(Item::Bytes(scored.member()), scored.score())
            }),
        }
    }

    /// Shows about `count` members from the cursor on, and returns where to go on: 0 at the end, always below 2^53. The packed form shows everything.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>, f64)) -> u64 {
        match &self.form {
            Form::Packed(pack) => {
                packed::pairs(pack.view()).for_each(|(member, score)| visit(member, score));
                0
            }
            Form::Sorted(sorted) => sorted.dict.scan(cursor, count, |scored| {
                visit(Item::Bytes(scored.member()), scored.score())
            }),
        }
    }

    /// Takes the packed form if that may hold all members: what ZUNIONSTORE and its kin do with their result (`zsetConvertToListpackIfNeeded`).
    pub fn compact(&mut self, tuning: &Tuning) {
        let Form::Sorted(sorted) = &self.form else {
            return;
        };
        if sorted.dict.len() > tuning.zset_max_listpack_entries {
            return;
        }
        let mut pack = Listpack::new();
        for scored in sorted.tree.iter() {
            if scored.member().len() > tuning.zset_max_listpack_value
                || !pack.fits(scored.member().len())
            {
                return;
            }
            packed::insert(&mut pack, scored.member(), scored.score());
        }
        self.form = Form::Packed(pack);
    }

    /// Bytes on the heap, estimated from `samples` members.
    pub fn memory(&self, samples: usize) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Sorted(sorted) => {
                size_of::<Sorted>()
                    + sorted.tree.memory()
                    + sorted.dict.memory(samples, Scored::memory)
            }
        }
    }

    /// How many separate blocks freeing the sorted set gives back.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Sorted(sorted) => sorted.dict.len(),
        }
    }

    /// Members and scores in Redis' format, in the packed form.
    pub fn listpack(&self) -> Option<View<'_>> {
        match &self.form {
            Form::Packed(pack) => Some(pack.view()),
            Form::Sorted(_) => None,
        }
    }

    /// The table of members, in the long form.
    pub fn table(&self) -> Option<&Table<Scored>> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Sorted(sorted) => Some(sorted.dict.table()),
        }
    }

    /// The table with its seed, in the long form.
    pub(crate) fn dict(&self) -> Option<&Dict<Scored>> {
        match &self.form {
            Form::Sorted(sorted) => Some(&sorted.dict),
            _ => None,
        }
    }

    /// As above, for a snapshot.
    pub(crate) fn dict_mut(&mut self) -> Option<&mut Dict<Scored>> {
        match &mut self.form {
            Form::Sorted(sorted) => Some(&mut sorted.dict),
            _ => None,
        }
    }

    fn become_sorted(&mut self, tuning: &Tuning) {
        let Form::Packed(pack) = &self.form else {
            return;
        };
        let mut sorted = Sorted {
            dict: Dict::new(tuning.seed),
            tree: Tree::new(),
        };
        for (member, score) in packed::pairs(pack.view()) {
            sorted.update(member.as_bytes(&mut Spelling::default()), |present| {
                present.is_none().then_some(score)
            });
        }
        self.form = Form::Sorted(Box::new(sorted));
    }
}

impl Default for ZSet {
    fn default() -> Self {
        Self::new()
    }
}

impl Sorted {
    fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Outcome {
        let seed = self.dict.seed();
        match self.dict.place(member) {
            table::Place::Occupied(mut place) => {
                let present = place.element().score();
                let Some(score) = decide(Some(present)) else {
                    return Outcome::Unchanged;
                };
                let scored = Scored::new(score, member);
                place.replace(scored.clone());
                self.tree.remove(present, member);
                self.tree.insert(scored);
                Outcome::Updated
            }
            table::Place::Vacant(place) => {
                let Some(score) = decide(None) else {
                    return Outcome::Unchanged;
                };
                let scored = Scored::new(score, member);
                place.insert(seed, scored.clone());
                self.tree.insert(scored);
                Outcome::Added
            }
        }
    }
}

impl Clone for Sorted {
    /// A copy that shares no block with the original: handles are counted for the two indexes of one set, and a copy may live on another thread.
    fn clone(&self) -> Self {
        let mut copy = Self {
            dict: Dict::new(self.dict.seed()),
            tree: Tree::new(),
        };
        for scored in self.tree.iter() {
            copy.update(scored.member(), |_| Some(scored.score()));
        }
        copy
    }
}

/// Members and scores in one direction.
#[derive(Clone, Debug)]
pub enum Members<'a> {
    /// Of the packed form.
    Packed {
        /// What is left between both ends.
        pairs: Pairs<'a>,
        /// The end from which to take.
        from: End,
        /// How many are still wanted.
        left: usize,
    },
    /// Of the long form.
    Sorted(Walk<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed { pairs, from, left } => {
                *left = left.checked_sub(1)?;
                let (member, score) = match from {
                    End::Head => pairs.next(),
                    End::Tail => pairs.next_back(),
                }?;
                Some((member, packed::score_of(score)))
            }
            Self::Sorted(walk) => walk.next().map(shown),
        }
    }
}

/// The score that `decide` makes of the present one, if it is a number and another.
fn new_score(decide: impl FnOnce(Option<f64>) -> Option<f64>, present: Option<f64>) -> Option<f64> {
    decide(present).filter(|score| !score.is_nan() && Some(*score) != present)
}

fn shown(scored: &Scored) -> (Item<'_>, f64) {
    (Item::Bytes(scored.member()), scored.score())
}

fn pair_at(view: View<'_>, place: Place) -> Option<(Item<'_>, f64)> {
    let (member, score) = view.entry(place)?;
    Some((member, packed::score_of(view.item(score)?)))
}

fn show(view: View<'_>, place: Place, visit: &mut impl FnMut(Item<'_>, f64)) {
    if let Some((member, score)) = pair_at(view, place) {
        visit(member, score);
    }
}

#[cfg(test)]
mod tests;
