//! Commands on the entries of a stream: its length, ranges of it, deletion, and what it remembers of its past.

use super::{
    READ_KEY, SHORTENED_KEY, StreamError, UPDATED_KEY, note, range_end, range_start, strict_id,
    strict_ids, write_entries,
};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use store::Stream;
use store::stream::{Direction, StreamId};

pub(super) const XLEN: DataCommand = DataCommand {
    name: "xlen",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns the number of entries of a stream.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(xlen),
};

fn xlen(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let stream = ctx.space.value::<Stream>(args.key()?)?;
    Ok(stream.map_or(Reply::Integer(0), |stream| stream.len().into()))
}

pub(super) const XRANGE: DataCommand = DataCommand {
    name: "xrange",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns the entries of a stream within a range of ids, the oldest first.",
    complexity: "O(log(S)+N), S the entries of the stream, N those returned",
    arity: Arity::AtLeast(4),
    keys: READ_KEY,
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(xrange),
};

fn xrange(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    range(ctx, args, Direction::Forward)
}

pub(super) const XREVRANGE: DataCommand = DataCommand {
    name: "xrevrange",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns the entries of a stream within a range of ids, the newest first.",
    complexity: "O(log(S)+N), S the entries of the stream, N those returned",
    arity: Arity::AtLeast(4),
    keys: READ_KEY,
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(xrevrange),
};

fn xrevrange(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    range(ctx, args, Direction::Backward)
}

fn range(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    direction: Direction,
) -> Result<Reply, CommandError> {
    let (key, from, to) = (args.key()?, args.bytes()?, args.bytes()?);
    let (start, end) = match direction {
        Direction::Forward => (from, to),
        Direction::Backward => (to, from),
    };
    let (start, end) = (range_start(start)?, range_end(end)?);
    let mut count = usize::MAX;
    while !args.is_empty() {
        if args.len() < 2 || !args.flag("count") {
            return Err(CommandError::Syntax);
        }
        count = usize::try_from(args.int()?).unwrap_or(0);
    }
    let Some(stream) = ctx.space.value::<Stream>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    if count == 0 {
        return Ok(Reply::NilArray);
    }
    if ctx.call.is_long(count) && ctx.call.is_long(stream.entries.estimate(start, end)) {
        return Ok(Reply::Elsewhere);
    }
    let entries = stream.entries.range(start, end, direction);
    write_entries(&mut ctx.out, entries.take(count));
    Ok(Reply::Written)
}

pub(super) const XDEL: DataCommand = DataCommand {
    name: "xdel",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Deletes entries of a stream by their ids and returns how many there were.",
    complexity: "O(log(S)) for each id, S the entries of the stream",
    arity: Arity::AtLeast(3),
    keys: SHORTENED_KEY,
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(xdel),
};

fn xdel(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    // The ids are looked at only where there is a stream.
    let Some(mut guard) = ctx.space.entry::<Stream>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let ids = strict_ids(&mut args)?;
    let deleted = guard.entries.delete(&ids);
    if deleted > 0 {
        guard.commit("xdel", deleted);
    }
    Ok(Reply::Integer(i64::try_from(deleted).unwrap_or(i64::MAX)))
}

pub(super) const XSETID: DataCommand = DataCommand {
    name: "xsetid",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Sets the last id of a stream and what it remembers of its past; for replication and the log.",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: UPDATED_KEY,
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(xsetid),
};

fn xsetid(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, id) = (args.key()?, strict_id(args.bytes()?)?);
    let mut entries_added = None;
    let mut max_deleted_id = StreamId::MIN;
    while !args.is_empty() {
        if args.len() > 1 && args.flag("entriesadded") {
            let added = u64::try_from(args.int()?);
            entries_added = Some(added.map_err(|_| StreamError::EntriesAddedNegative)?);
        } else if args.len() > 1 && args.flag("maxdeletedid") {
            max_deleted_id = strict_id(args.bytes()?)?;
            if id < max_deleted_id {
                return Err(StreamError::SetBelowGivenDeleted.into());
            }
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let slot = ctx.space.entry::<Stream>(key)?;
    let mut guard = slot.existing().ok_or(CommandError::NoSuchKey)?;
    let entries = &mut guard.entries;
    let mut totals = entries.totals();
    if id < totals.max_deleted_id {
        return Err(StreamError::SetBelowDeleted.into());
    }
    if totals.length > 0 {
        if entries.newest_id().is_some_and(|newest| id < newest) {
            return Err(StreamError::SetBelowTop.into());
        }
        if entries_added.is_some_and(|added| totals.length > added) {
            return Err(StreamError::EntriesAddedBelowLength.into());
        }
    }
    totals.last_id = id;
    totals.entries_added = entries_added.unwrap_or(totals.entries_added);
    if max_deleted_id != StreamId::MIN {
        totals.max_deleted_id = max_deleted_id;
    }
    entries.set_totals(totals);
    drop(guard);
    note(ctx, key, "xsetid", 1);
    Ok(Reply::Ok)
}
