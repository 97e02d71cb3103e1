//! Members drawn at random.

use super::scores::Scores;
use crate::draw::portions;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteItem,
};
use store::ZSet;

pub(super) const ZRANDMEMBER: DataCommand = DataCommand {
    name: "zrandmember",
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Returns one random member, or several: different ones for a positive count, each drawn from all for a negative one.",
    complexity: "O(N), N being the members returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::SORTEDSET,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(zrandmember),
};
fn zrandmember(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.is_empty() {
        return one(ctx, key);
    }
    let count = args.signed_count()?;
    let with_scores = args.flag("withscores");
    args.finish()?;
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    let scores = if with_scores {
        Scores::with_scores(ctx.out.proto())
    } else {
        Scores::Hidden
    };
    several(ctx, key, count, scores)
}

fn one(ctx: &mut ReadCtx<'_>, key: &[u8]) -> Result<Reply, CommandError> {
    let zset = ctx.space.value::<ZSet>(key)?;
    let rng = &mut ctx.call.rng;
    match zset.and_then(|zset| zset.random(&mut || rng.next_u64())) {
        None => Ok(Reply::Nil),
        Some((member, _)) => {
            ctx.out.item(member);
            Ok(Reply::Written)
        }
    }
}

fn several(
    ctx: &mut ReadCtx<'_>,
    key: &[u8],
    count: i64,
    scores: Scores,
) -> Result<Reply, CommandError> {
    let Some(zset) = ctx.space.value::<ZSet>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    let (size, wanted) = (
        zset.len(),
        usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    );
    let shown = if count < 0 { wanted } else { wanted.min(size) };
    if ctx.call.is_long(shown) {
        return Ok(Reply::Elsewhere);
    }
    let (rng, out) = (&mut ctx.call.rng, &mut ctx.out);
    scores.open(out, shown);
    if count < 0 {
        for portion in portions(shown) {
            if out.is_full() {
                break;
            }
            zset.draw(portion, &mut || rng.next_u64(), |member, score| {
                scores.member(out, member, score);
            });
        }
    } else if shown == size {
        zset.iter()
            .for_each(|(member, score)| scores.member(out, member, score));
    } else {
        zset.sample(shown, &mut || rng.next_u64(), |member, score| {
            scores.member(out, member, score);
        });
    }
    Ok(Reply::Written)
}
