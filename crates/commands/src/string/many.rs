//! Strings at several keys in one call.

use super::lifetime::{self, Lifetime};
use crate::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    ReadCtx, Reply, WriteCtx, WriteItem,
};
use bytes::Bytes;
use store::StringValue;

pub(super) const MGET: DataCommand = DataCommand {
    name: "mget",
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the strings at several keys.",
    complexity: "O(N) in the number of keys",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RO.union(KeyFlags::ACCESS),
        1,
        -1,
        1,
    )],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::STRING,
    tips: &["request_policy:multi_shard"],
    subcommands: &[],
    handler: Handler::Read(mget),
};

fn mget(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let keys = args.rest();
    ctx.out.array(keys.len());
    for key in keys {
        let written = ctx
            .space
            .read(key)
            .map(|entry| ctx.out.string_of(entry).is_ok());
        if written != Some(true) {
            ctx.out.null();
        }
    }
    Ok(Reply::Written)
}

pub(super) const MSET: DataCommand = DataCommand {
    name: "mset",
    group: Group::String,
    since: "1.0.1",
    summary: "Puts a string at each of several keys.",
    complexity: "O(N) in the number of keys",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(
        KeyFlags::OW.union(KeyFlags::UPDATE),
        1,
        -1,
        2,
    )],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    subcommands: &[],
    handler: Handler::Write(mset),
};

fn mset(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let pairs = pairs(&mut args, "mset")?;
    put_all(ctx, pairs, Expiry::None);
    Ok(Reply::Ok)
}

pub(super) const MSETEX: DataCommand = DataCommand {
    name: "msetex",
    group: Group::String,
    since: "9.1.0",
    summary: "Puts a string at each of several keys, all with the same time to live, on condition that none or all of them exist.",
    complexity: "O(N) in the number of keys",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec {
        flags: KeyFlags::OW.union(KeyFlags::UPDATE),
        begin: BeginSearch::Index(1),
        find: FindKeys::KeyNum {
            count: 0,
            first: 1,
            step: 2,
        },
        vary: None,
    }],
    flags: Flags::DENYOOM.union(Flags::MOVABLEKEYS).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    subcommands: &[],
    handler: Handler::Write(msetex),
};

fn msetex(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let count = args.int_in(1..=i64::MAX, CommandError::NumkeysNotPositive)?;
    let words = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(2))
        .ok_or(CommandError::Syntax)?;
    let (pairs, _) = args.take(words)?.as_chunks::<2>();
    let (mut existence, mut lifetime) = (None, Lifetime::Unsaid);
    while !args.is_empty() {
        if lifetime.read(&mut args, "KEEPTTL")? {
            continue;
        }
        let said = args.one_of(&[("NX", Existence::None), ("XX", Existence::All)]);
        if said.is_none() || existence.is_some_and(|before| Some(before) != said) {
            return Err(CommandError::Syntax);
        }
        existence = said;
    }
    let expiry = lifetime.expiry(ctx.call.now.ms(), "msetex")?;
    if !existence.is_none_or(|existence| existence.holds(ctx, pairs)) {
        return Ok(Reply::Integer(0));
    }
    put_all(ctx, pairs, expiry);
    if let Expiry::At(deadline) = expiry {
        ctx.effects().log_words(|| {
            let mut words = vec![Bytes::from_static(b"MSETEX"), lifetime::word(count)];
            words.extend(
                pairs
                    .as_flattened()
                    .iter()
                    .map(|word| Bytes::copy_from_slice(word)),
            );
            words.extend([Bytes::from_static(b"PXAT"), lifetime::word(deadline)]);
            words
        });
    }
    Ok(Reply::Integer(1))
}

pub(super) const MSETNX: DataCommand = DataCommand {
    name: "msetnx",
    group: Group::String,
    since: "1.0.1",
    summary: "Puts a string at each of several keys if none of them exists.",
    complexity: "O(N) in the number of keys",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(
        KeyFlags::OW.union(KeyFlags::INSERT),
        1,
        -1,
        2,
    )],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(msetnx),
};

fn msetnx(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let pairs = pairs(&mut args, "msetnx")?;
    let holds = Existence::None.holds(ctx, pairs);
    if holds {
        put_all(ctx, pairs, Expiry::None);
    }
    Ok(Reply::from(holds))
}

/// A key and the string to be put there.
type Pair<'a> = [&'a [u8]; 2];

/// How many of the keys have to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existence {
    /// NX: not one.
    None,
    /// XX: all of them.
    All,
}

impl Existence {
    fn holds(self, ctx: &mut WriteCtx<'_>, pairs: &[Pair<'_>]) -> bool {
        pairs.iter().all(|[key, _]| {
            let exists = ctx.space.find(key).is_some();
            exists == (self == Self::All)
        })
    }
}

/// All words as pairs; the arity error of `command` when one is left over.
fn pairs<'a>(args: &mut Args<'a>, command: &'static str) -> Result<&'a [Pair<'a>], CommandError> {
    match args.rest().as_chunks::<2>() {
        (pairs, []) => Ok(pairs),
        _ => Err(CommandError::Arity(command.into())),
    }
}

fn put_all(ctx: &mut WriteCtx<'_>, pairs: &[Pair<'_>], expiry: Expiry) {
    for [key, value] in pairs {
        let mut slot = ctx.space.string_slot(key);
        slot.put(StringValue::Given(value), expiry);
        slot.commit(EventClass::STRING, "set", 1);
        if matches!(expiry, Expiry::At(_)) {
            ctx.space.event(key, EventClass::GENERIC, "expire");
        }
    }
}
