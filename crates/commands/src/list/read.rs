//! Reading lists.

use crate::keys::{KeyFlags, KeySpec};
use crate::span::{position, span};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteItem,
};
use resp::Aggregate;
use store::List;
use store::list::{End, Search};

pub(super) const LINDEX: DataCommand = DataCommand {
    name: "lindex",
    group: Group::List,
    since: "1.0.0",
    summary: "Returns the element of a list at an index, counted from the head, or from the tail if negative.",
    complexity: "O(N), N being the blocks of elements passed over on the way",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(lindex),
};
fn lindex(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    // Redis looks the key up before it reads the index.
    let Some(list) = ctx.space.value::<List>(key)? else {
        return Ok(Reply::Nil);
    };
    let index = args.int()?;
    args.finish()?;
    match position(index, list.len()).and_then(|index| list.get(index)) {
        None => Ok(Reply::Nil),
        Some(item) => {
            ctx.out.item(item);
            Ok(Reply::Written)
        }
    }
}

pub(super) const LLEN: DataCommand = DataCommand {
    name: "llen",
    group: Group::List,
    since: "1.0.0",
    summary: "Returns the number of elements of a list.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(llen),
};
fn llen(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    args.finish()?;
    Ok(ctx.space.value::<List>(key)?.map_or(0, List::len).into())
}

pub(super) const LRANGE: DataCommand = DataCommand {
    name: "lrange",
    group: Group::List,
    since: "1.0.0",
    summary: "Returns the elements of a list from one index to another.",
    complexity: "O(S+N), S being the blocks of elements passed over on the way and N the elements returned",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(lrange),
};
fn lrange(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, start, stop) = (args.key()?, args.int()?, args.int()?);
    args.finish()?;
    let Some(list) = ctx.space.value::<List>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    let span = span(start, stop, list.len());
    if ctx.call.is_long(span.len()) {
        return Ok(Reply::Elsewhere);
    }
    ctx.out.array(span.len());
    list.range(End::Head, span.start, span.len())
        .for_each(|item| ctx.out.item(item));
    Ok(Reply::Written)
}

pub(super) const LPOS: DataCommand = DataCommand {
    name: "lpos",
    group: Group::List,
    since: "6.0.6",
    summary: "Returns the indexes of the elements of a list that are equal to a value.",
    complexity: "O(N), N being the elements compared",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::LINEAR),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(lpos),
};
fn lpos(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, element) = (args.key()?, args.bytes()?);
    let (search, counted) = search(args)?;
    let Some(list) = ctx.space.value::<List>(key)? else {
        return Ok(if counted == Counted::Yes {
            Reply::EmptyArray
        } else {
            Reply::Nil
        });
    };
    let mut found = 0;
    match counted {
        Counted::No => {
            let mut first = None;
            list.positions(element, search, |index| first = Some(index));
            Ok(first.map_or(Reply::Nil, Reply::from))
        }
        Counted::Yes => {
            let array = ctx.out.begin();
            list.positions(element, search, |index| {
                ctx.out.integer(i64::try_from(index).unwrap_or(i64::MAX));
                found += 1;
            });
            ctx.out.finish(array, Aggregate::Array, found);
            Ok(Reply::Written)
        }
    }
}

/// Whether COUNT was given: then the reply is an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

/// The options RANK, COUNT and MAXLEN of LPOS.
fn search(mut args: Args<'_>) -> Result<(Search, Counted), CommandError> {
    let mut search = Search {
        from: End::Head,
        skip: 0,
        count: 1,
        max_len: usize::MAX,
    };
    let mut counted = Counted::No;
    let unless_zero = |count: usize| if count == 0 { usize::MAX } else { count };
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(CommandError::Syntax);
        }
        if args.flag("rank") {
            let rank = args.signed_count()?;
            if rank == 0 {
                return Err(CommandError::PositionRankZero);
            }
            search.from = if rank < 0 { End::Tail } else { End::Head };
            search.skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
        } else if args.flag("count") {
            search.count = unless_zero(args.count(0, CommandError::PositionCountNegative)?);
            counted = Counted::Yes;
        } else if args.flag("maxlen") {
            search.max_len = unless_zero(args.count(0, CommandError::PositionMaxlenNegative)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok((search, counted))
}
