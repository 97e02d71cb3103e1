//! Changing lists elsewhere than at their ends.

use crate::keys::{KeyFlags, KeySpec};
use crate::span::{position, span};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use store::List;
use store::list::{End, Side};

pub(super) const LINSERT: DataCommand = DataCommand {
    name: "linsert",
    group: Group::List,
    since: "2.2.0",
    summary: "Adds an element before or after the first one that is equal to a pivot.",
    complexity: "O(N), N being the elements before the pivot",
    arity: Arity::Exact(5),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::LINEAR),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(linsert),
};
fn linsert(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let side = args
        .one_of(&[("after", Side::After), ("before", Side::Before)])
        .ok_or(CommandError::Syntax)?;
    let (pivot, element) = (args.bytes()?, args.bytes()?);
    args.finish()?;
    let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    if !list.insert(&ctx.call.settings.tuning, pivot, side, element) {
        return Ok(Reply::Integer(-1));
    }
    let len = list.len();
    list.commit("linsert", 1);
    Ok(len.into())
}

pub(super) const LREM: DataCommand = DataCommand {
    name: "lrem",
    group: Group::List,
    since: "1.0.0",
    summary: "Removes elements that are equal to a value, from the head on, or from the tail if the count is negative.",
    complexity: "O(N+M), N being the elements of the list and M those removed",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::WRITE.union(Flags::LINEAR),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lrem),
};
fn lrem(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, count, element) = (args.key()?, args.int()?, args.bytes()?);
    args.finish()?;
    let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let from = if count < 0 { End::Tail } else { End::Head };
    let limit = match count.unsigned_abs() {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let removed = list.remove_equal(&ctx.call.settings.tuning, element, from, limit);
    if removed > 0 {
        list.commit("lrem", removed as u64);
    }
    Ok(removed.into())
}

pub(super) const LSET: DataCommand = DataCommand {
    name: "lset",
    group: Group::List,
    since: "1.0.0",
    summary: "Puts a value in the place of the element at an index.",
    complexity: "O(N), N being the blocks of elements passed over on the way",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lset),
};
fn lset(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    // Redis looks the key up before it reads the index.
    let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
        return Err(CommandError::NoSuchKey);
    };
    let (index, element) = (args.int()?, args.bytes()?);
    args.finish()?;
    // No list is so long: the list must see an index beyond its end too, for it makes room for the element first.
    let index = position(index, list.len()).unwrap_or(usize::MAX);
    if !list.set(&ctx.call.settings.tuning, index, element) {
        return Err(CommandError::IndexOutOfRange);
    }
    list.commit("lset", 1);
    Ok(Reply::Ok)
}

pub(super) const LTRIM: DataCommand = DataCommand {
    name: "ltrim",
    group: Group::List,
    since: "1.0.0",
    summary: "Removes all elements but those from one index to another.",
    complexity: "O(N), N being the elements removed",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(ltrim),
};
fn ltrim(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, start, stop) = (args.key()?, args.int()?, args.int()?);
    args.finish()?;
    let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
        return Ok(Reply::Ok);
    };
    let kept = span(start, stop, list.len());
    let removed = list.len() - kept.len();
    if ctx.call.is_long(removed) {
        return Ok(Reply::Elsewhere);
    }
    list.trim(&ctx.call.settings.tuning, kept.start, kept.len());
    list.commit("ltrim", removed as u64);
    Ok(Reply::Ok)
}
