//! Unions, intersections and differences of sorted sets and sets.

use super::put;
use super::scores::Scores;
use crate::keys::{KeyFlags, KeySpec};
use crate::space::ReadSpace;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    Value, WriteCtx,
};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use store::{Item, Set, Tuning, ZSet, object_of};

pub(super) const ZDIFF: DataCommand = DataCommand {
    name: "zdiff",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Returns the members of the first of several sorted sets or sets that are in none of the others.",
    complexity: "O(L+N*log(N)), L being the members of all of them and N those of the first",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::MOVABLEKEYS
        .union(Flags::READONLY)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zdiff),
};
fn zdiff(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    show(ctx, args, Operation::Difference, "zdiff")
}

pub(super) const ZINTER: DataCommand = DataCommand {
    name: "zinter",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Returns the members that several sorted sets or sets have in common.",
    complexity: "O(N*K)+O(M*log(M)), N being the members of the smallest of K and M those of the result",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::MOVABLEKEYS
        .union(Flags::READONLY)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zinter),
};
fn zinter(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    show(ctx, args, Operation::Intersection, "zinter")
}

pub(super) const ZUNION: DataCommand = DataCommand {
    name: "zunion",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Returns the members of several sorted sets or sets together.",
    complexity: "O(N)+O(M*log(M)), N being the members of all of them and M those of the result",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::MOVABLEKEYS
        .union(Flags::READONLY)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zunion),
};
fn zunion(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    show(ctx, args, Operation::Union, "zunion")
}

pub(super) const ZDIFFSTORE: DataCommand = DataCommand {
    name: "zdiffstore",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Stores the members of the first of several sorted sets or sets that are in none of the others.",
    complexity: "O(L+N*log(N)), L being the members of all of them and N those of the first",
    arity: Arity::AtLeast(4),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 2),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zdiffstore),
};
fn zdiffstore(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(ctx, args, Operation::Difference, "zdiffstore")
}

pub(super) const ZINTERSTORE: DataCommand = DataCommand {
    name: "zinterstore",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Stores the members that several sorted sets or sets have in common.",
    complexity: "O(N*K)+O(M*log(M)), N being the members of the smallest of K and M those of the result",
    arity: Arity::AtLeast(4),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 2),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zinterstore),
};
fn zinterstore(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(ctx, args, Operation::Intersection, "zinterstore")
}

pub(super) const ZUNIONSTORE: DataCommand = DataCommand {
    name: "zunionstore",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Stores the members of several sorted sets or sets together.",
    complexity: "O(N)+O(M*log(M)), N being the members of all of them and M those of the result",
    arity: Arity::AtLeast(4),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 2),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zunionstore),
};
fn zunionstore(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(ctx, args, Operation::Union, "zunionstore")
}

pub(super) const ZINTERCARD: DataCommand = DataCommand {
    name: "zintercard",
    group: Group::SortedSet,
    since: "7.0.0",
    summary: "Counts the members that several sorted sets or sets have in common.",
    complexity: "O(N*K), N being the members of the smallest of K",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::MOVABLEKEYS
        .union(Flags::READONLY)
        .union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zintercard),
};
fn zintercard(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let keys = input_keys(&mut args, "zintercard")?;
    visit(&mut ctx.space, keys)?;
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() < 2 || !args.flag("limit") {
            return Err(CommandError::Syntax);
        }
        limit = args.count(0, CommandError::LimitNegative)?;
    }
    let sources = Inputs::plain(keys).sources(&ctx.space)?;
    let mut count = 0;
    intersect(&sources, Aggregate::Sum, |_, _| {
        count += 1;
        count != limit
    });
    Ok(count.into())
}

/// What is made of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// How the scores of a member that several inputs have become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

/// The keys that a call reads, their weights, and how scores become one.
#[derive(Debug)]
struct Inputs<'a> {
    keys: &'a [&'a [u8]],
    /// A factor for each key; none for factors of 1.
    weights: SmallVec<[f64; 8]>,
    aggregate: Aggregate,
    with_scores: bool,
}

/// A member of a result and its score.
type Scored<'a> = (Cow<'a, [u8]>, f64);

/// One input: its members, and the factor of their scores.
#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    members: Members<'a>,
    weight: f64,
}

#[derive(Clone, Copy, Debug)]
enum Members<'a> {
    /// Of a key that does not exist.
    None,
    Set(&'a Set),
    ZSet(&'a ZSet),
}

fn show(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    operation: Operation,
    command: &'static str,
) -> Result<Reply, CommandError> {
    let keys = input_keys(&mut args, command)?;
    visit(&mut ctx.space, keys)?;
    let inputs = Inputs::parse(&mut args, keys, operation, Purpose::Show)?;
    let result = operation.apply(&inputs.sources(&ctx.space)?, inputs.aggregate);
    let scores = if inputs.with_scores {
        Scores::with_scores(ctx.out.proto())
    } else {
        Scores::Hidden
    };
    scores.open(&mut ctx.out, result.len());
    for (member, score) in &result {
        scores.member(&mut ctx.out, Item::Bytes(member), *score);
    }
    Ok(Reply::Written)
}

fn store(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    operation: Operation,
    command: &'static str,
) -> Result<Reply, CommandError> {
    let destination = args.key()?;
    let keys = input_keys(&mut args, command)?;
    let mut space = ctx.space.reading();
    visit(&mut space, keys)?;
    let inputs = Inputs::parse(&mut args, keys, operation, Purpose::Store)?;
    let result = operation.apply(&inputs.sources(&space)?, inputs.aggregate);
    let zset = build(&ctx.call.settings.tuning, &result);
    Ok(put(ctx, destination, zset, command))
}

/// The sorted set of members that stand in its order.
fn build(tuning: &Tuning, members: &[Scored<'_>]) -> ZSet {
    let longest = members.iter().map(|(member, _)| member.len()).max();
    let mut zset = ZSet::sized(tuning, members.len(), longest.unwrap_or(0));
    for (member, score) in members {
        zset.insert(tuning, member, *score);
    }
    zset
}

/// The words `numkeys key [key ...]`.
fn input_keys<'a>(
    args: &mut Args<'a>,
    command: &'static str,
) -> Result<&'a [&'a [u8]], CommandError> {
    match args.int()? {
        ..1 => Err(CommandError::NoInputKey(command)),
        numkeys => args.take(usize::try_from(numkeys).unwrap_or(usize::MAX)),
    }
}

/// Looks the inputs up, as Redis does before it reads the options: WRONGTYPE comes before their errors.
fn visit(space: &mut ReadSpace<'_>, keys: &[&[u8]]) -> Result<(), CommandError> {
    for key in keys {
        if let Some(entry) = space.read(key) {
            let object = object_of(entry);
            let fits = object.and_then(ZSet::of).is_some() || object.and_then(Set::of).is_some();
            if !fits {
                return Err(CommandError::WrongType);
            }
        }
    }
    Ok(())
}

/// What becomes of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Show,
    Store,
}

impl<'a> Inputs<'a> {
    fn plain(keys: &'a [&'a [u8]]) -> Self {
        Self {
            keys,
            weights: SmallVec::new(),
            aggregate: Aggregate::Sum,
            with_scores: false,
        }
    }

    /// Reads the options behind the keys.
    fn parse(
        args: &mut Args<'a>,
        keys: &'a [&'a [u8]],
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Self, CommandError> {
        let mut inputs = Self::plain(keys);
        let scored = operation != Operation::Difference;
        while !args.is_empty() {
            if scored && args.len() > keys.len() && args.flag("weights") {
                inputs.weights = args
                    .take(keys.len())?
                    .iter()
                    .map(|word| {
                        resp::number::parse_double(word).ok_or(CommandError::WeightNotFloat)
                    })
                    .collect::<Result<_, _>>()?;
            } else if scored && args.len() > 1 && args.flag("aggregate") {
                inputs.aggregate = args
                    .one_of(&[
                        ("sum", Aggregate::Sum),
                        ("min", Aggregate::Min),
                        ("max", Aggregate::Max),
                    ])
                    .ok_or(CommandError::Syntax)?;
            } else if purpose == Purpose::Show && args.flag("withscores") {
                inputs.with_scores = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(inputs)
    }

    /// The inputs themselves, in the order of the keys, which have been visited.
    fn sources<'s>(
        &self,
        space: &'s ReadSpace<'_>,
    ) -> Result<SmallVec<[Source<'s>; 8]>, CommandError> {
        let source = |(at, key): (usize, &&[u8])| {
            let object = space.peek(key).and_then(object_of);
            let members = match (object.and_then(ZSet::of), object.and_then(Set::of)) {
                (Some(zset), _) => Members::ZSet(zset),
                (None, Some(set)) => Members::Set(set),
                (None, None) if object.is_some() => return Err(CommandError::WrongType),
                (None, None) => Members::None,
            };
            Ok(Source {
                members,
                weight: self.weights.get(at).copied().unwrap_or(1.0),
            })
        };
        self.keys.iter().enumerate().map(source).collect()
    }
}

impl<'a> Source<'a> {
    fn len(&self) -> usize {
        match self.members {
            Members::None => 0,
            Members::Set(set) => set.len(),
            Members::ZSet(zset) => zset.len(),
        }
    }

    /// The score of a member, not weighted; those of a set have 1.
    fn score(&self, member: Item<'_>) -> Option<f64> {
        match self.members {
            Members::None => None,
            Members::Set(set) => set.contains(member).then_some(1.0),
            Members::ZSet(zset) => zset.score(member.as_bytes(&mut Default::default())),
        }
    }

    /// Shows all members with their scores, not weighted, until `visit` says no.
    fn each(&self, mut visit: impl FnMut(Item<'a>, f64) -> bool) {
        match self.members {
            Members::None => {}
            Members::Set(set) => {
                set.iter().all(|member| visit(member, 1.0));
            }
            Members::ZSet(zset) => {
                zset.iter().all(|(member, score)| visit(member, score));
            }
        }
    }

    /// A weighted score. Zero times infinity counts as 0, as in Redis.
    fn weighted(&self, score: f64) -> f64 {
        let score = self.weight * score;
        if score.is_nan() { 0.0 } else { score }
    }
}

impl Aggregate {
    /// Of two scores, one. Infinities that cancel one another count as 0, as in Redis.
    fn of(self, score: f64, other: f64) -> f64 {
        match self {
            Self::Sum if (score + other).is_nan() => 0.0,
            Self::Sum => score + other,
            Self::Min if other < score => other,
            Self::Max if other > score => other,
            Self::Min | Self::Max => score,
        }
    }
}

impl Operation {
    /// The result, in the order of a sorted set.
    fn apply<'a>(self, sources: &[Source<'a>], aggregate: Aggregate) -> Vec<Scored<'a>> {
        let mut result = match self {
            Self::Union => unite(sources, aggregate),
            Self::Intersection => {
                let mut common = Vec::new();
                intersect(sources, aggregate, |member, score| {
                    common.push((member.to_bytes(), score));
                    true
                });
                common
            }
            Self::Difference => subtract(sources),
        };
        result.sort_unstable_by(|(member, score), (other, other_score)| {
            let by_score = score.partial_cmp(other_score);
            by_score
                .unwrap_or(std::cmp::Ordering::Equal)
                .then_with(|| member.cmp(other))
        });
        result
    }
}

/// The sources from the smallest to the largest: sums of floating-point numbers depend on the order, and this is Redis'.
fn by_size<'a>(sources: &[Source<'a>]) -> SmallVec<[Source<'a>; 8]> {
    let mut sorted = SmallVec::from_slice(sources);
    sorted.sort_by_key(Source::len);
    sorted
}

fn unite<'a>(sources: &[Source<'a>], aggregate: Aggregate) -> Vec<Scored<'a>> {
    let sources = by_size(sources);
    let largest = sources.last().map_or(0, Source::len);
    let mut scores = HashMap::<Cow<'a, [u8]>, f64>::with_capacity(largest);
    for source in sources {
        source.each(|member, score| {
            let score = source.weighted(score);
            match scores.entry(member.to_bytes()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(score);
                }
                Entry::Occupied(mut present) => {
                    *present.get_mut() = aggregate.of(*present.get(), score);
                }
            }
            true
        });
    }
    scores.into_iter().collect()
}

/// Shows the members that all sources have, until `visit` says no.
fn intersect<'a>(
    sources: &[Source<'a>],
    aggregate: Aggregate,
    mut visit: impl FnMut(Item<'a>, f64) -> bool,
) {
    let sources = by_size(sources);
    let Some((smallest, others)) = sources.split_first() else {
        return;
    };
    smallest.each(|member, score| {
        let common = others
            .iter()
            .try_fold(smallest.weighted(score), |total, other| {
                let score = other.score(member)? * other.weight;
                Some(aggregate.of(total, score))
            });
        common.is_none_or(|total| visit(member, total))
    });
}

/// The members of the first source that no other has.
fn subtract<'a>(sources: &[Source<'a>]) -> Vec<Scored<'a>> {
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    let mut left = Vec::new();
    let all: usize = sources.iter().map(Source::len).sum();
    // Looking every member up in the others costs more than looking theirs up here, if those are few.
    if first.len().saturating_mul(sources.len()) / 2 <= all {
        first.each(|member, score| {
            if others.iter().all(|other| other.score(member).is_none()) {
                left.push((member.to_bytes(), score));
            }
            true
        });
        return left;
    }
    let mut gone = std::collections::HashSet::new();
    for other in others {
        other.each(|member, _| {
            if first.score(member).is_some() {
                gone.insert(member.to_bytes());
            }
            true
        });
    }
    first.each(|member, score| {
        let member = member.to_bytes();
        if !gone.contains(&member) {
            left.push((member, score));
        }
        true
    });
    left
}
