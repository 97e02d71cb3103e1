//! Scores, ranks and counts, and walking a sorted set by cursor.

use super::bounds::{Bounds, By};
use crate::keys::{KeyFlags, KeySpec};
use crate::scan::ScanOptions;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteItem, scan_cursor,
};
use resp::number::{format_double, format_double_17};
use store::list::End;
use store::{Encoding, ZSet};

pub(super) const ZCARD: DataCommand = DataCommand {
    name: "zcard",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Returns the number of members.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zcard),
};
fn zcard(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    args.finish()?;
    Ok(ctx.space.value::<ZSet>(key)?.map_or(0, ZSet::len).into())
}

pub(super) const ZCOUNT: DataCommand = DataCommand {
    name: "zcount",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Counts the members whose scores lie between two numbers.",
    complexity: "O(log(N)), N being the members of the sorted set",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zcount),
};
fn zcount(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    count(ctx, args, By::Score)
}

pub(super) const ZLEXCOUNT: DataCommand = DataCommand {
    name: "zlexcount",
    group: Group::SortedSet,
    since: "2.8.9",
    summary: "Counts the members between two others in the order of their bytes, all scores being equal.",
    complexity: "O(log(N)), N being the members of the sorted set",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zlexcount),
};
fn zlexcount(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    count(ctx, args, By::Member)
}

fn count(ctx: &mut ReadCtx<'_>, mut args: Args<'_>, by: By) -> Result<Reply, CommandError> {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    args.finish()?;
    let bounds = Bounds::parse(by, min, max)?;
    let count = ctx
        .space
        .value::<ZSet>(key)?
        .map_or(0, |zset| bounds.ranks(zset, End::Head).len());
    Ok(count.into())
}

pub(super) const ZSCORE: DataCommand = DataCommand {
    name: "zscore",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Returns the score of a member.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zscore),
};
fn zscore(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.bytes()?);
    args.finish()?;
    let zset = ctx.space.value::<ZSet>(key)?;
    match zset.and_then(|zset| zset.score(member)) {
        None => Ok(Reply::Nil),
        Some(score) => {
            ctx.out.double(score);
            Ok(Reply::Written)
        }
    }
}

pub(super) const ZMSCORE: DataCommand = DataCommand {
    name: "zmscore",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Returns the scores of several members.",
    complexity: "O(N), N being the members asked for",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zmscore),
};
fn zmscore(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, members) = (args.key()?, args.rest());
    let zset = ctx.space.value::<ZSet>(key)?;
    ctx.out.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            None => ctx.out.null(),
            Some(score) => ctx.out.double(score),
        }
    }
    Ok(Reply::Written)
}

pub(super) const ZRANK: DataCommand = DataCommand {
    name: "zrank",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Returns the rank of a member, counted from the lowest score.",
    complexity: "O(log(N)), N being the members of the sorted set",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrank),
};
fn zrank(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    rank(ctx, args, End::Head, "zrank")
}

pub(super) const ZREVRANK: DataCommand = DataCommand {
    name: "zrevrank",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Returns the rank of a member, counted from the highest score.",
    complexity: "O(log(N)), N being the members of the sorted set",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(zrevrank),
};
fn zrevrank(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    rank(ctx, args, End::Tail, "zrevrank")
}

fn rank(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    from: End,
    command: &'static str,
) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.bytes()?);
    if args.len() > 1 {
        return Err(CommandError::Arity(command.into()));
    }
    let with_score = args.flag("withscore");
    args.finish()?;
    let found = ctx
        .space
        .value::<ZSet>(key)?
        .and_then(|zset| Some((zset.rank(member)?, zset.len())));
    let Some(((lowest, score), len)) = found else {
        return Ok(if with_score {
            Reply::NilArray
        } else {
            Reply::Nil
        });
    };
    let rank = match from {
        End::Head => lowest,
        End::Tail => len - 1 - lowest,
    };
    if !with_score {
        return Ok(rank.into());
    }
    ctx.out.array(2);
    ctx.out.integer(i64::try_from(rank).unwrap_or(i64::MAX));
    ctx.out.double(score);
    Ok(Reply::Written)
}

pub(super) const ZSCAN: DataCommand = DataCommand {
    name: "zscan",
    group: Group::SortedSet,
    since: "2.8.0",
    summary: "Returns some members with their scores, and a cursor at which to go on.",
    complexity: "O(1) for each call, O(N) for a whole walk",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(zscan),
};
fn zscan(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, cursor) = (args.key()?, scan_cursor(args.bytes()?)?);
    let Some(zset) = ctx.space.value::<ZSet>(key)? else {
        let none = ctx.out.begin();
        ctx.out.finish_scan(none, 0, 0);
        return Ok(Reply::Written);
    };
    let options = ScanOptions::parse(args)?;
    if ctx.call.is_long(options.count.min(zset.len())) {
        return Ok(Reply::Elsewhere);
    }
    // Redis 7.2 shows the scores of a small set as every reply does, those of a large one with 17 digits.
    let spell = match zset.encoding() {
        Encoding::Skiplist => format_double_17,
        _ => format_double,
    };
    let found = ctx.out.begin();
    let mut shown = 0;
    let next = zset.scan(cursor, options.count, |member, score| {
        if options.shows(member) {
            ctx.out.item(member);
            ctx.out.bulk(&spell(score));
            shown += 2;
        }
    });
    ctx.out.finish_scan(found, next, shown);
    Ok(Reply::Written)
}
