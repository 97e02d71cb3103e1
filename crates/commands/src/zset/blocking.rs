//! Taking members of sorted sets, and waiting for one where there is none.

use super::pop::{pop_first, pop_named, zmpop_words};
use crate::keys::{ALL_BUT_TIMEOUT, KeyFlags, KeySpec};
use crate::{
    Args, Arity, BlockOn, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply,
    WriteCtx,
};
use store::Kind;
use store::list::End;

pub(super) const BZMPOP: DataCommand = DataCommand {
    name: "bzmpop",
    group: Group::SortedSet,
    since: "7.0.0",
    summary: "Removes and returns members with the lowest or the highest scores of the first of several sorted sets that exists; waits for one where there is none.",
    complexity: "O(K)+O(M*log(N)), K being the keys, N the members of the sorted set and M those removed",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::counted(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        2,
    )],
    flags: Flags::BLOCKING
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(bzmpop),
};
fn bzmpop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let timeout = args.bytes()?;
    let (keys, end, count) = zmpop_words(&mut args)?;
    let timeout_ms = Args::new(&[timeout]).timeout()?;
    match pop_first(ctx, keys, end, count)? {
        Some(reply) => Ok(reply),
        None => Ok(ctx.block(BlockOn::keys(Kind::ZSet, keys, timeout_ms))),
    }
}

pub(super) const BZPOPMAX: DataCommand = DataCommand {
    name: "bzpopmax",
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes and returns the member with the highest score of the first of several sorted sets that exists; waits for one where there is none.",
    complexity: "O(K)+O(log(N)), K being the keys and N the members of the sorted set",
    arity: Arity::AtLeast(3),
    keys: ALL_BUT_TIMEOUT,
    flags: Flags::BLOCKING.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(bzpopmax),
};
fn bzpopmax(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop_or_wait(ctx, args, End::Tail)
}

pub(super) const BZPOPMIN: DataCommand = DataCommand {
    name: "bzpopmin",
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes and returns the member with the lowest score of the first of several sorted sets that exists; waits for one where there is none.",
    complexity: "O(K)+O(log(N)), K being the keys and N the members of the sorted set",
    arity: Arity::AtLeast(3),
    keys: ALL_BUT_TIMEOUT,
    flags: Flags::BLOCKING.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(bzpopmin),
};
fn bzpopmin(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop_or_wait(ctx, args, End::Head)
}

fn pop_or_wait(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    end: End,
) -> Result<Reply, CommandError> {
    let keys = args.take(args.len().saturating_sub(1))?;
    let timeout_ms = args.timeout()?;
    match pop_named(ctx, keys, end)? {
        Some(reply) => Ok(reply),
        None => Ok(ctx.block(BlockOn::keys(Kind::ZSet, keys, timeout_ms))),
    }
}
