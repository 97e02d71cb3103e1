//! Taking the members with the lowest or the highest scores.
//!
//! The core answers `None` where there is nothing to take, so that commands that wait can share it.

use super::scores::Scores;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Guard, Handler, Reply,
    WriteCtx,
};
use bytes::Bytes;
use resp::Writer;
use store::ZSet;
use store::list::End;

pub(super) const ZPOPMIN: DataCommand = DataCommand {
    name: "zpopmin",
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes and returns the members with the lowest scores; the sorted set goes with its last member.",
    complexity: "O(log(N)*M), N being the members of the sorted set and M those removed",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zpopmin),
};
fn zpopmin(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(ctx, args, End::Head)
}

pub(super) const ZPOPMAX: DataCommand = DataCommand {
    name: "zpopmax",
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes and returns the members with the highest scores; the sorted set goes with its last member.",
    complexity: "O(log(N)*M), N being the members of the sorted set and M those removed",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zpopmax),
};
fn zpopmax(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(ctx, args, End::Tail)
}

fn pop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>, end: End) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::Syntax);
    }
    // Without a count the reply is flat in RESP3 too.
    let (count, scores) = if args.is_empty() {
        (1, Scores::Flat)
    } else {
        let count = args.count(0, CommandError::MustBePositive)?;
        (count, Scores::with_scores(ctx.out.proto()))
    };
    let Some(zset) = ctx.space.entry::<ZSet>(key)?.existing() else {
        return Ok(Reply::EmptyArray);
    };
    let taken = count.min(zset.len());
    if taken == 0 {
        return Ok(Reply::EmptyArray);
    }
    if ctx.call.is_long(taken) {
        return Ok(Reply::Elsewhere);
    }
    scores.open(&mut ctx.out, taken);
    take(&mut ctx.out, zset, end, taken, scores);
    Ok(Reply::Written)
}

pub(super) const ZMPOP: DataCommand = DataCommand {
    name: "zmpop",
    group: Group::SortedSet,
    since: "7.0.0",
    summary: "Removes and returns members with the lowest or the highest scores of the first of several sorted sets that exists.",
    complexity: "O(K)+O(M*log(N)), K being the keys, N the members of the sorted set and M those removed",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::counted(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::MOVABLEKEYS.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(zmpop),
};
fn zmpop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (keys, end, count) = zmpop_words(&mut args)?;
    Ok(pop_first(ctx, keys, end, count)?.unwrap_or(Reply::NilArray))
}

/// The words `numkeys key [key ...] MIN|MAX [COUNT count]`: the keys, the end and the count.
pub(crate) fn zmpop_words<'a>(
    args: &mut Args<'a>,
) -> Result<(&'a [&'a [u8]], End, usize), CommandError> {
    let numkeys = args.count(1, CommandError::NumkeysNotPositive)?;
    let keys = args.take(numkeys)?;
    let end = args
        .one_of(&[("min", End::Head), ("max", End::Tail)])
        .ok_or(CommandError::Syntax)?;
    let mut count = 1;
    if args.len() > 1 && args.flag("count") {
        count = args.count(1, CommandError::CountNotPositive)?;
    }
    args.finish()?;
    Ok((keys, end, count))
}

/// Takes the member at `end` of the first of `keys` that exists, and replies with the key's name, the member and its score;
/// `None` when none of them exists. The log gets ZPOPMIN or ZPOPMAX of that key.
pub(super) fn pop_named(
    ctx: &mut WriteCtx<'_>,
    keys: &[&[u8]],
    end: End,
) -> Result<Option<Reply>, CommandError> {
    for key in keys {
        let Some(zset) = ctx.space.entry::<ZSet>(key)?.existing() else {
            continue;
        };
        ctx.out.array(3);
        ctx.out.bulk(key);
        take(&mut ctx.out, zset, end, 1, Scores::Flat);
        ctx.effects()
            .log(|| [pop_word(end), Bytes::copy_from_slice(key)]);
        return Ok(Some(Reply::Written));
    }
    Ok(None)
}

/// The command that takes members at `end`.
fn pop_word(end: End) -> Bytes {
    Bytes::from_static(match end {
        End::Head => b"ZPOPMIN",
        End::Tail => b"ZPOPMAX",
    })
}

/// Takes up to `count` members at `end` of the first of `keys` that exists, and replies with its name and an array of pairs;
/// `None` when none of them exists. The log gets ZPOPMIN or ZPOPMAX with the number taken, as from Redis 7.2.
pub(crate) fn pop_first(
    ctx: &mut WriteCtx<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
) -> Result<Option<Reply>, CommandError> {
    for key in keys {
        let Some(zset) = ctx.space.entry::<ZSet>(key)?.existing() else {
            continue;
        };
        let taken = count.min(zset.len());
        if ctx.call.is_long(taken) {
            return Ok(Some(Reply::Elsewhere));
        }
        ctx.out.array(2);
        ctx.out.bulk(key);
        ctx.out.array(taken);
        take(&mut ctx.out, zset, end, taken, Scores::Paired);
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

/// Takes `count` members, which are there, at `end`, and writes them, without the array around them.
fn take(
    out: &mut Writer<'_>,
    mut zset: Guard<'_, '_, ZSet>,
    end: End,
    count: usize,
    scores: Scores,
) {
    let ranks = match end {
        End::Head => 0..count,
        End::Tail => zset.len() - count..zset.len(),
    };
    zset.range(end, ranks.clone())
        .for_each(|(member, score)| scores.member(out, member, score));
    zset.remove_ranks(ranks, |_, _| {});
    zset.commit(
        match end {
            End::Head => "zpopmin",
            End::Tail => "zpopmax",
        },
        count as u64,
    );
}
