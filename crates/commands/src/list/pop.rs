//! Taking elements from the ends of lists, and moving them to other lists.
//!
//! The cores are functions that answer `None` where there is nothing to take, so that commands that wait can share them.

use super::{end, popped, pushed};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Guard, Handler, Reply,
    WriteCtx, WriteItem,
};
use bytes::Bytes;
use resp::Writer;
use smallvec::SmallVec;
use store::list::End;
use store::{List, Tuning};

pub(super) const LPOP: DataCommand = DataCommand {
    name: "lpop",
    group: Group::List,
    since: "1.0.0",
    summary: "Removes and returns elements at the head of a list; the list goes with its last element.",
    complexity: "O(N), N being the elements removed",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lpop),
};
fn lpop(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(ctx, args, End::Head, "lpop")
}

pub(super) const RPOP: DataCommand = DataCommand {
    name: "rpop",
    group: Group::List,
    since: "1.0.0",
    summary: "Removes and returns elements at the tail of a list; the list goes with its last element.",
    complexity: "O(N), N being the elements removed",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(rpop),
};
fn rpop(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(ctx, args, End::Tail, "rpop")
}

fn pop(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    end: End,
    command: &'static str,
) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.is_empty() {
        return Ok(pop_one(ctx, key, end)?.unwrap_or(Reply::Nil));
    }
    if args.len() > 1 {
        return Err(CommandError::Arity(command.into()));
    }
    let count = args.count(0, CommandError::MustBePositive)?;
    let Some(list) = ctx.space.entry::<List>(key)?.existing() else {
        return Ok(Reply::NilArray);
    };
    let taken = count.min(list.len());
    if taken == 0 {
        return Ok(Reply::EmptyArray);
    }
    if ctx.call.is_long(taken) {
        return Ok(Reply::Elsewhere);
    }
    take(&mut ctx.out, &ctx.call.settings.tuning, list, end, taken);
    Ok(Reply::Written)
}

pub(super) const LMPOP: DataCommand = DataCommand {
    name: "lmpop",
    group: Group::List,
    since: "7.0.0",
    summary: "Removes and returns elements of the first of several lists that exists; the list goes with its last element.",
    complexity: "O(N+M), N being the keys and M the elements removed",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::counted(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::MOVABLEKEYS.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lmpop),
};
fn lmpop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (keys, end, count) = lmpop_words(&mut args)?;
    Ok(pop_first(ctx, keys, end, count)?.unwrap_or(Reply::NilArray))
}

/// The words `numkeys key [key ...] LEFT|RIGHT [COUNT count]`: the keys, the end and the count.
pub(crate) fn lmpop_words<'a>(
    args: &mut Args<'a>,
) -> Result<(&'a [&'a [u8]], End, usize), CommandError> {
    let numkeys = args.count(1, CommandError::NumkeysNotPositive)?;
    let (keys, end) = (args.take(numkeys)?, end(args)?);
    let mut count = 1;
    if args.len() > 1 && args.flag("count") {
        count = args.count(1, CommandError::CountNotPositive)?;
    }
    args.finish()?;
    Ok((keys, end, count))
}

pub(super) const LMOVE: DataCommand = DataCommand {
    name: "lmove",
    group: Group::List,
    since: "6.2.0",
    summary: "Takes an element from an end of one list, adds it at an end of another, and returns it.",
    complexity: "O(1)",
    arity: Arity::Exact(5),
    keys: SOURCE_AND_DESTINATION,
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(lmove),
};
fn lmove(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (end(&mut args)?, end(&mut args)?);
    args.finish()?;
    Ok(move_one(ctx, source, destination, from, to)?.unwrap_or(Reply::Nil))
}

pub(super) const RPOPLPUSH: DataCommand = DataCommand {
    name: "rpoplpush",
    group: Group::List,
    since: "1.2.0",
    summary: "Takes the last element of one list, adds it at the head of another, and returns it.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: SOURCE_AND_DESTINATION,
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(rpoplpush),
};
fn rpoplpush(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (source, destination) = (args.key()?, args.key()?);
    args.finish()?;
    Ok(move_one(ctx, source, destination, End::Tail, End::Head)?.unwrap_or(Reply::Nil))
}

/// Takes the element at `end` of the list at `key` and replies with it; `None` when there is no list.
pub(crate) fn pop_one(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    end: End,
) -> Result<Option<Reply>, CommandError> {
    let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
        return Ok(None);
    };
    let out = &mut ctx.out;
    list.pop(&ctx.call.settings.tuning, end, |item| out.item(item));
    list.commit(popped(end), 1);
    Ok(Some(Reply::Written))
}

/// Takes the element at `end` of the first of `keys` that exists, and replies with the key's name and the element; `None` when
/// none of them exists. The log gets LPOP or RPOP of that key.
pub(super) fn pop_named(
    ctx: &mut WriteCtx<'_>,
    keys: &[&[u8]],
    end: End,
) -> Result<Option<Reply>, CommandError> {
    for key in keys {
        let Some(mut list) = ctx.space.entry::<List>(key)?.existing() else {
            continue;
        };
        let out = &mut ctx.out;
        out.array(2);
        out.bulk(key);
        list.pop(&ctx.call.settings.tuning, end, |item| out.item(item));
        list.commit(popped(end), 1);
        ctx.effects()
            .log(|| [pop_word(end), Bytes::copy_from_slice(key)]);
        return Ok(Some(Reply::Written));
    }
    Ok(None)
}

/// The command that takes elements at `end`.
fn pop_word(end: End) -> Bytes {
    Bytes::from_static(match end {
        End::Head => b"LPOP",
        End::Tail => b"RPOP",
    })
}

/// Takes up to `count` elements at `end` of the first of `keys` that exists, and replies with its name and an array of them;
/// `None` when none of them exists. The log gets LPOP or RPOP with the number taken, as from Redis 7.2.
pub(crate) fn pop_first(
    ctx: &mut WriteCtx<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
) -> Result<Option<Reply>, CommandError> {
    for key in keys {
        let Some(list) = ctx.space.entry::<List>(key)?.existing() else {
            continue;
        };
        let taken = count.min(list.len());
        if ctx.call.is_long(taken) {
            return Ok(Some(Reply::Elsewhere));
        }
        ctx.out.array(2);
        ctx.out.bulk(key);
        take(&mut ctx.out, &ctx.call.settings.tuning, list, end, taken);
        ctx.effects().log(|| {
            [
                pop_word(end),
                Bytes::copy_from_slice(key),
                taken.to_string().into(),
            ]
        });
        return Ok(Some(Reply::Written));
    }
    Ok(None)
}

/// Takes the element at `from` of the list at `source`, adds it at `to` of the list at `destination`, and replies with it;
/// `None` when there is no source.
///
/// The events come in Redis' order: the push first, then the pop, then the end of an emptied source.
pub(crate) fn move_one(
    ctx: &mut WriteCtx<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<Option<Reply>, CommandError> {
    let (tuning, out) = (&ctx.call.settings.tuning, &mut ctx.out);
    let Some(mut list) = ctx.space.entry::<List>(source)?.existing() else {
        return Ok(None);
    };
    if source == destination {
        list.rotate(tuning, from, to, |item| out.item(item));
        list.event(pushed(to));
        list.commit(popped(from), 1);
        return Ok(Some(Reply::Written));
    }
    let mut element = SmallVec::<[u8; 128]>::new();
    if let Some(item) = list.peek(from) {
        element.extend_from_slice(item.as_bytes(&mut Default::default()));
    }
    drop(list);

    let mut target = ctx.space.entry::<List>(destination)?.or_default();
    target.push(tuning, to, &element);
    target.commit(pushed(to), 0);
    if let Some(mut list) = ctx.space.entry::<List>(source)?.existing() {
        list.pop_many(tuning, from, 1);
        list.commit(popped(from), 1);
    }
    ctx.out.bulk(&element);
    Ok(Some(Reply::Written))
}

/// Takes `count` elements, which are there, at `end` of a list, and replies with an array of them.
fn take(
    out: &mut Writer<'_>,
    tuning: &Tuning,
    mut list: Guard<'_, '_, List>,
    end: End,
    count: usize,
) {
    out.array(count);
    list.items(end, count).for_each(|item| out.item(item));
    list.pop_many(tuning, end, count);
    list.commit(popped(end), count as u64);
}

/// The keys of LMOVE, RPOPLPUSH and those that wait.
pub(super) const SOURCE_AND_DESTINATION: &[KeySpec] = &[
    KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    ),
    KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 2),
];
