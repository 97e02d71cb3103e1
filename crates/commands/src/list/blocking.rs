//! Taking elements from lists, and waiting for one where there is none.

use super::end;
use super::pop::{SOURCE_AND_DESTINATION, lmpop_words, move_one, pop_first, pop_named};
use crate::keys::{ALL_BUT_TIMEOUT, KeyFlags, KeySpec};
use crate::{
    Args, Arity, BlockOn, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply,
    WriteCtx,
};
use bytes::Bytes;
use store::Kind;
use store::list::End;

pub(super) const BLMOVE: DataCommand = DataCommand {
    name: "blmove",
    group: Group::List,
    since: "6.2.0",
    summary: "Takes an element from an end of one list, adds it at an end of another, and returns it; waits for one where there is none.",
    complexity: "O(1)",
    arity: Arity::Exact(6),
    keys: SOURCE_AND_DESTINATION,
    flags: Flags::BLOCKING.union(Flags::DENYOOM).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(blmove),
};
fn blmove(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let words = args.peek_all();
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (end(&mut args)?, end(&mut args)?);
    let timeout_ms = args.timeout()?;
    args.finish()?;
    if let Some(reply) = move_one(ctx, source, destination, from, to)? {
        ctx.effects().log_words(|| {
            let words = words.iter().take(4);
            std::iter::once(Bytes::from_static(b"LMOVE"))
                .chain(words.map(|word| Bytes::copy_from_slice(word)))
                .collect()
        });
        return Ok(reply);
    }
    Ok(wait_for_source(ctx, source, timeout_ms))
}

pub(super) const BLMPOP: DataCommand = DataCommand {
    name: "blmpop",
    group: Group::List,
    since: "7.0.0",
    summary: "Removes and returns elements of the first of several lists that exists; waits for one where there is none.",
    complexity: "O(N+M), N being the keys and M the elements removed",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::counted(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        2,
    )],
    flags: Flags::BLOCKING
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::RANGED),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(blmpop),
};
fn blmpop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let timeout = args.bytes()?;
    let (keys, end, count) = lmpop_words(&mut args)?;
    let timeout_ms = Args::new(&[timeout]).timeout()?;
    match pop_first(ctx, keys, end, count)? {
        Some(reply) => Ok(reply),
        None => Ok(ctx.block(BlockOn::keys(Kind::List, keys, timeout_ms))),
    }
}

pub(super) const BLPOP: DataCommand = DataCommand {
    name: "blpop",
    group: Group::List,
    since: "2.0.0",
    summary: "Removes and returns the first element of the first of several lists that exists; waits for one where there is none.",
    complexity: "O(N), N being the keys",
    arity: Arity::AtLeast(3),
    keys: ALL_BUT_TIMEOUT,
    flags: Flags::BLOCKING.union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(blpop),
};
fn blpop(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop_or_wait(ctx, args, End::Head)
}

pub(super) const BRPOP: DataCommand = DataCommand {
    name: "brpop",
    group: Group::List,
    since: "2.0.0",
    summary: "Removes and returns the last element of the first of several lists that exists; waits for one where there is none.",
    complexity: "O(N), N being the keys",
    arity: Arity::AtLeast(3),
    keys: ALL_BUT_TIMEOUT,
    flags: Flags::BLOCKING.union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(brpop),
};
fn brpop(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop_or_wait(ctx, args, End::Tail)
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
        None => Ok(ctx.block(BlockOn::keys(Kind::List, keys, timeout_ms))),
    }
}

pub(super) const BRPOPLPUSH: DataCommand = DataCommand {
    name: "brpoplpush",
    group: Group::List,
    since: "2.2.0",
    summary: "Takes the last element of one list, adds it at the head of another, and returns it; waits for one where there is none.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: SOURCE_AND_DESTINATION,
    flags: Flags::BLOCKING.union(Flags::DENYOOM).union(Flags::WRITE),
    categories: Categories::LIST,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(brpoplpush),
};
fn brpoplpush(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (source, destination) = (args.key()?, args.key()?);
    let timeout_ms = args.timeout()?;
    args.finish()?;
    if let Some(reply) = move_one(ctx, source, destination, End::Tail, End::Head)? {
        ctx.effects().log(|| {
            [
                Bytes::from_static(b"RPOPLPUSH"),
                Bytes::copy_from_slice(source),
                Bytes::copy_from_slice(destination),
            ]
        });
        return Ok(reply);
    }
    Ok(wait_for_source(ctx, source, timeout_ms))
}

/// Waits for something to move. Where that is not allowed the reply is another than at the timeout (blmoveGenericCommand and
/// replyToBlockedClientTimedOut, Redis 7.2).
fn wait_for_source(ctx: &mut WriteCtx<'_>, source: &[u8], timeout_ms: Option<i64>) -> Reply {
    if !ctx.call.may_block {
        return Reply::Nil;
    }
    ctx.block(BlockOn::keys(Kind::List, &[source], timeout_ms))
}
