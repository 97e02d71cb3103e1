//! Adding elements at the ends of a list.

use super::pushed;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use store::List;
use store::list::End;

/// What becomes of a push to a key that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// A new list.
    Create,
    /// Nothing.
    Leave,
}

pub(super) const LPUSH: DataCommand = DataCommand {
    name: "lpush",
    group: Group::List,
    since: "1.0.0",
    summary: "Adds elements at the head of a list, one after the other; creates the list if there is none.",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lpush),
};
fn lpush(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(ctx, args, End::Head, Missing::Create)
}

pub(super) const LPUSHX: DataCommand = DataCommand {
    name: "lpushx",
    group: Group::List,
    since: "2.2.0",
    summary: "Adds elements at the head of a list, one after the other, if the list exists.",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lpushx),
};
fn lpushx(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(ctx, args, End::Head, Missing::Leave)
}

pub(super) const RPUSH: DataCommand = DataCommand {
    name: "rpush",
    group: Group::List,
    since: "1.0.0",
    summary: "Adds elements at the tail of a list, one after the other; creates the list if there is none.",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(rpush),
};
fn rpush(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(ctx, args, End::Tail, Missing::Create)
}

pub(super) const RPUSHX: DataCommand = DataCommand {
    name: "rpushx",
    group: Group::List,
    since: "2.2.0",
    summary: "Adds elements at the tail of a list, one after the other, if the list exists.",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(rpushx),
};
fn rpushx(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(ctx, args, End::Tail, Missing::Leave)
}

fn push(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    end: End,
    missing: Missing,
) -> Result<Reply, CommandError> {
    let (key, elements) = (args.key()?, args.rest());
    let slot = ctx.space.entry::<List>(key)?;
    if missing == Missing::Leave && !slot.exists() {
        return Ok(Reply::Integer(0));
    }
    let mut list = slot.or_default();
    let value = &mut *list;
    value.push_all(&ctx.call.settings.tuning, end, elements.iter().copied());
    let len = value.len();
    list.commit(pushed(end), elements.len() as u64);
    Ok(len.into())
}
