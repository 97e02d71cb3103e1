//! Sorted set commands: arguments and replies. The structure itself is [`store::ZSet`].

mod add;
mod blocking;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scores;

pub(crate) use add::{Options as AddOptions, add_members};

use crate::{DataCommand, EventClass, Expiry, Reply, WriteCtx};
use store::{Object, ZSet};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &blocking::BZMPOP,
    &blocking::BZPOPMAX,
    &blocking::BZPOPMIN,
    &add::ZADD,
    &read::ZCARD,
    &read::ZCOUNT,
    &combine::ZDIFF,
    &combine::ZDIFFSTORE,
    &add::ZINCRBY,
    &combine::ZINTER,
    &combine::ZINTERCARD,
    &combine::ZINTERSTORE,
    &read::ZLEXCOUNT,
    &pop::ZMPOP,
    &read::ZMSCORE,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &random::ZRANDMEMBER,
    &range::ZRANGE,
    &range::ZRANGEBYLEX,
    &range::ZRANGEBYSCORE,
    &range::ZRANGESTORE,
    &read::ZRANK,
    &remove::ZREM,
    &remove::ZREMRANGEBYLEX,
    &remove::ZREMRANGEBYRANK,
    &remove::ZREMRANGEBYSCORE,
    &range::ZREVRANGE,
    &range::ZREVRANGEBYLEX,
    &range::ZREVRANGEBYSCORE,
    &read::ZREVRANK,
    &read::ZSCAN,
    &read::ZSCORE,
    &combine::ZUNION,
    &combine::ZUNIONSTORE,
];

/// Puts a sorted set made by a command at `key` in place of whatever is there, or deletes the key when it has no member; replies
/// with the number of members. It counts as one change either way, as in Redis 7.2.
pub(crate) fn put(ctx: &mut WriteCtx<'_>, key: &[u8], zset: ZSet, event: &'static str) -> Reply {
    let len = zset.len();
    if len > 0 {
        ctx.space.put_object(key, Object::ZSet(zset), Expiry::None);
        ctx.space.commit(key, EventClass::ZSET, event, 1);
    } else if ctx.space.delete(key) {
        ctx.space.commit(key, EventClass::GENERIC, "del", 1);
    }
    len.into()
}
