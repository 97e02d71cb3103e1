//! Ranges of sorted sets: ZRANGE, the commands it has replaced, and ZRANGESTORE.

use super::bounds::{Bounds, By};
use super::put;
use super::scores::Scores;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use std::ops::Range;
use store::ZSet;
use store::list::End;

pub(super) const ZRANGE: DataCommand = DataCommand {
    name: "zrange",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Returns the members in a range of ranks, of scores or of members.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrange),
};
fn zrange(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let query = Query::parse(&mut args, None, None, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZRANGEBYLEX: DataCommand = DataCommand {
    name: "zrangebylex",
    group: Group::SortedSet,
    since: "2.8.9",
    summary: "Returns the members between two others in the order of their bytes, all scores being equal.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrangebylex),
};
fn zrangebylex(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (by, from) = (Some(By::Member), Some(End::Head));
    let query = Query::parse(&mut args, by, from, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZRANGEBYSCORE: DataCommand = DataCommand {
    name: "zrangebyscore",
    group: Group::SortedSet,
    since: "1.0.5",
    summary: "Returns the members whose scores lie between two numbers.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrangebyscore),
};
fn zrangebyscore(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (by, from) = (Some(By::Score), Some(End::Head));
    let query = Query::parse(&mut args, by, from, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZREVRANGE: DataCommand = DataCommand {
    name: "zrevrange",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Returns the members from one rank to another, the highest score first.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrevrange),
};
fn zrevrange(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (by, from) = (Some(By::Rank), Some(End::Tail));
    let query = Query::parse(&mut args, by, from, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZREVRANGEBYLEX: DataCommand = DataCommand {
    name: "zrevrangebylex",
    group: Group::SortedSet,
    since: "2.8.9",
    summary: "Returns the members between two others in the reverse order of their bytes, all scores being equal.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrevrangebylex),
};
fn zrevrangebylex(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (by, from) = (Some(By::Member), Some(End::Tail));
    let query = Query::parse(&mut args, by, from, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZREVRANGEBYSCORE: DataCommand = DataCommand {
    name: "zrevrangebyscore",
    group: Group::SortedSet,
    since: "2.2.0",
    summary: "Returns the members whose scores lie between two numbers, the highest score first.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrevrangebyscore),
};
fn zrevrangebyscore(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (by, from) = (Some(By::Score), Some(End::Tail));
    let query = Query::parse(&mut args, by, from, WithScores::Allowed)?;
    show(ctx, &query)
}

pub(super) const ZRANGESTORE: DataCommand = DataCommand {
    name: "zrangestore",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Stores the members in a range of a sorted set, with their scores, as another sorted set.",
    complexity: "O(log(N)+M), N being the members of the source and M those stored",
    arity: Arity::AtLeast(5),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 2),
    ],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::LINEAR),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zrangestore),
};
fn zrangestore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let destination = args.key()?;
    let query = Query::parse(&mut args, None, None, WithScores::Refused)?;
    let tuning = &ctx.call.settings.tuning;
    let mut stored = ZSet::new();
    if let Some(zset) = ctx.space.read_value::<ZSet>(query.key)? {
        let ranks = query.ranks(zset);
        stored = ZSet::sized(tuning, ranks.len(), 0);
        for (member, score) in zset.range(End::Head, ranks) {
            stored.insert(tuning, member.as_bytes(&mut Default::default()), score);
        }
    }
    Ok(put(ctx, destination, stored, "zrangestore"))
}

/// Whether the option WITHSCORES exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithScores {
    Allowed,
    Refused,
}

/// The words `key min max [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    key: &'a [u8],
    bounds: Bounds<'a>,
    /// The end of the order at which the members begin.
    from: End,
    offset: i64,
    limit: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the words; what the command's name says already (`by`, `from`) is no option then (zrangeGenericCommand,
    /// Redis 7.2).
    fn parse(
        args: &mut Args<'a>,
        mut by: Option<By>,
        mut from: Option<End>,
        scores: WithScores,
    ) -> Result<Self, CommandError> {
        let (key, first, second) = (args.key()?, args.bytes()?, args.bytes()?);
        let (mut offset, mut limit, mut with_scores) = (0, -1, false);
        while !args.is_empty() {
            if scores == WithScores::Allowed && args.flag("withscores") {
                with_scores = true;
            } else if args.len() > 2 && args.flag("limit") {
                (offset, limit) = (args.int()?, args.int()?);
            } else if from.is_none() && args.flag("rev") {
                from = Some(End::Tail);
            } else if by.is_none() && args.flag("bylex") {
                by = Some(By::Member);
            } else if by.is_none() && args.flag("byscore") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, from) = (by.unwrap_or(By::Rank), from.unwrap_or(End::Head));
        if limit != -1 && by == By::Rank {
            return Err(CommandError::LimitByRank);
        }
        if with_scores && by == By::Member {
            return Err(CommandError::ScoresByMember);
        }
        // Scores and members are given from where the reply begins, ranks count from there anyhow.
        let (min, max) = if from == End::Tail && by != By::Rank {
            (second, first)
        } else {
            (first, second)
        };
        Ok(Self {
            key,
            bounds: Bounds::parse(by, min, max)?,
            from,
            offset,
            limit,
            with_scores,
        })
    }

    /// The ranks, counted from the lowest, of the members asked for.
    fn ranks(&self, zset: &ZSet) -> Range<usize> {
        let all = self.bounds.ranks(zset, self.from);
        if matches!(self.bounds, Bounds::Ranks { .. }) {
            return all;
        }
        // A negative offset passes over everything, a negative limit takes all.
        let skip =
            usize::try_from(self.offset).map_or_else(|_| all.len(), |offset| offset.min(all.len()));
        let left = all.len() - skip;
        let count = usize::try_from(self.limit).map_or(left, |limit| limit.min(left));
        let start = match self.from {
            End::Head => all.start + skip,
            End::Tail => all.end - skip - count,
        };
        start..start + count
    }
}

/// Replies with the members asked for.
fn show(ctx: &mut ReadCtx<'_>, query: &Query<'_>) -> Result<Reply, CommandError> {
    let Some(zset) = ctx.space.value::<ZSet>(query.key)? else {
        return Ok(Reply::EmptyArray);
    };
    let ranks = query.ranks(zset);
    if ctx.call.is_long(ranks.len()) {
        return Ok(Reply::Elsewhere);
    }
    let scores = if query.with_scores {
        Scores::with_scores(ctx.out.proto())
    } else {
        Scores::Hidden
    };
    scores.open(&mut ctx.out, ranks.len());
    zset.range(query.from, ranks)
        .for_each(|(member, score)| scores.member(&mut ctx.out, member, score));
    Ok(Reply::Written)
}
