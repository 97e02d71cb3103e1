//! Removing members by name and by range.

use super::bounds::{Bounds, By};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use store::ZSet;
use store::list::End;

pub(super) const ZREM: DataCommand = DataCommand {
    name: "zrem",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Removes members; the sorted set goes with its last one.",
    complexity: "O(M*log(N)), N being the members of the sorted set and M those removed",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zrem),
};
fn zrem(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, members) = (args.key()?, args.rest());
    let Some(mut zset) = ctx.space.entry::<ZSet>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let removed = members
        .iter()
        .filter(|member| zset.remove(member).is_some())
        .count();
    if removed > 0 {
        zset.commit("zrem", removed as u64);
    }
    Ok(removed.into())
}

pub(super) const ZREMRANGEBYLEX: DataCommand = DataCommand {
    name: "zremrangebylex",
    group: Group::SortedSet,
    since: "2.8.9",
    summary: "Removes the members between two others in the order of their bytes, all scores being equal.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zremrangebylex),
};
fn zremrangebylex(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    remove_range(ctx, args, By::Member, "zremrangebylex")
}

pub(super) const ZREMRANGEBYRANK: DataCommand = DataCommand {
    name: "zremrangebyrank",
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Removes the members from one rank to another.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zremrangebyrank),
};
fn zremrangebyrank(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    remove_range(ctx, args, By::Rank, "zremrangebyrank")
}

pub(super) const ZREMRANGEBYSCORE: DataCommand = DataCommand {
    name: "zremrangebyscore",
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Removes the members whose scores lie between two numbers.",
    complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zremrangebyscore),
};
fn zremrangebyscore(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    remove_range(ctx, args, By::Score, "zremrangebyscore")
}

fn remove_range(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    by: By,
    event: &'static str,
) -> Result<Reply, CommandError> {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    args.finish()?;
    let bounds = Bounds::parse(by, min, max)?;
    let Some(mut zset) = ctx.space.entry::<ZSet>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let ranks = bounds.ranks(&zset, End::Head);
    let removed = ranks.len();
    if ctx.call.is_long(removed) {
        return Ok(Reply::Elsewhere);
    }
    if removed > 0 {
        zset.remove_ranks(ranks, |_, _| {});
        zset.commit(event, removed as u64);
    }
    Ok(removed.into())
}
