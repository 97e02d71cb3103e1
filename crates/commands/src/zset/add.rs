//! Adding members and changing scores.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use bitflags::bitflags;
use smallvec::SmallVec;
use store::ZSet;
use store::zset::Outcome;

bitflags! {
    /// Options of ZADD.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Options: u8 {
        /// Only members that are not there yet.
        const NX = 1;
        /// Only members that are there.
        const XX = 1 << 1;
        /// Only to a greater score.
        const GT = 1 << 2;
        /// Only to a lesser score.
        const LT = 1 << 3;
        /// The reply counts changed members too.
        const CH = 1 << 4;
        /// Scores are added to present ones.
        const INCR = 1 << 5;
    }
}

pub(super) const ZADD: DataCommand = DataCommand {
    name: "zadd",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Adds members with their scores, or changes the scores of those that are there.",
    complexity: "O(log(N)) for each member, N being the members of the sorted set",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zadd),
};
fn zadd(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut options = Options::empty();
    while let Some(option) = args.one_of(&[
        ("nx", Options::NX),
        ("xx", Options::XX),
        ("ch", Options::CH),
        ("incr", Options::INCR),
        ("gt", Options::GT),
        ("lt", Options::LT),
    ]) {
        options |= option;
    }
    let pairs = args.rest();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(pairs.len() / 2)?;
    add(ctx, key, pairs, options)
}

pub(super) const ZINCRBY: DataCommand = DataCommand {
    name: "zincrby",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Adds a number to the score of a member, which is 0 if it is not there.",
    complexity: "O(log(N)), N being the members of the sorted set",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zincrby),
};
fn zincrby(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, pair) = (args.key()?, args.take(2)?);
    args.finish()?;
    add(ctx, key, pair, Options::INCR)
}

impl Options {
    /// Refuses combinations that contradict one another.
    fn check(self, members: usize) -> Result<(), CommandError> {
        if self.contains(Self::NX | Self::XX) {
            return Err(CommandError::AddOrUpdateOnly);
        }
        let exclusive = self & (Self::NX | Self::GT | Self::LT);
        if exclusive.bits().count_ones() > 1 {
            return Err(CommandError::AddAndCompare);
        }
        if self.contains(Self::INCR) && members > 1 {
            return Err(CommandError::IncrementOfMany);
        }
        Ok(())
    }

    /// What becomes of a member whose score is `present`, for the given one.
    fn decide(self, present: Option<f64>, given: f64) -> Decision {
        let Some(present) = present else {
            return if self.contains(Self::XX) {
                Decision::Pass
            } else {
                Decision::Score(given)
            };
        };
        if self.contains(Self::NX) {
            return Decision::Pass;
        }
        let score = if self.contains(Self::INCR) {
            present + given
        } else {
            given
        };
        if score.is_nan() {
            Decision::NotANumber
        } else if (self.contains(Self::LT) && score >= present)
            || (self.contains(Self::GT) && score <= present)
        {
            Decision::Pass
        } else {
            Decision::Score(score)
        }
    }
}

/// What becomes of one member.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Decision {
    /// An option keeps it as it is.
    Pass,
    /// It gets this score, which may be the one it has.
    Score(f64),
    /// Infinities of both signs have been added.
    NotANumber,
}

/// Adds `pairs` of scores and members (zaddGenericCommand, Redis 7.2).
fn add(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    pairs: &[&[u8]],
    options: Options,
) -> Result<Reply, CommandError> {
    let members = pairs
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[score, member]| {
            let score = resp::number::parse_double(score).ok_or(CommandError::NotFloat)?;
            Ok((score, *member))
        })
        .collect::<Result<SmallVec<[(f64, &[u8]); 16]>, CommandError>>()?;
    add_members(ctx, key, &members, options)
}

/// Adds members with their scores.
pub(crate) fn add_members(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    members: &[(f64, &[u8])],
    options: Options,
) -> Result<Reply, CommandError> {
    let slot = ctx.space.entry::<ZSet>(key)?;
    let increments = options.contains(Options::INCR);
    if options.contains(Options::XX) && !slot.exists() {
        return Ok(if increments {
            Reply::Nil
        } else {
            Reply::Integer(0)
        });
    }
    let mut guard = slot.or_default();
    let (zset, tuning): (&mut ZSet, _) = (&mut guard, &ctx.call.settings.tuning);
    zset.expect(tuning, members.len());
    let (mut added, mut updated, mut last) = (0, 0, Decision::Pass);
    for (given, member) in members {
        let outcome = zset.update(tuning, member, |present| {
            last = options.decide(present, *given);
            match last {
                Decision::Score(score) => Some(score),
                Decision::Pass | Decision::NotANumber => None,
            }
        });
        match outcome {
            Outcome::Added => added += 1,
            Outcome::Updated => updated += 1,
            // Only an increment can come to this, and it has no other pair.
            Outcome::Unchanged if last == Decision::NotANumber => {
                return Err(CommandError::ScoreNotANumber);
            }
            Outcome::Unchanged => {}
        }
    }
    if added + updated > 0 {
        guard.commit(if increments { "zincr" } else { "zadd" }, added + updated);
    }
    if !increments {
        let counted = if options.contains(Options::CH) {
            added + updated
        } else {
            added
        };
        return Ok(Reply::Integer(counted.cast_signed()));
    }
    match last {
        Decision::Score(score) => {
            ctx.out.double(score);
            Ok(Reply::Written)
        }
        Decision::Pass | Decision::NotANumber => Ok(Reply::Nil),
    }
}
