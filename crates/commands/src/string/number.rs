//! Strings that are numbers.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    Reply, WriteCtx,
};
use bytes::Bytes;
use resp::number::LongDouble;
use store::{Item, StringValue};

pub(super) const DECR: DataCommand = DataCommand {
    name: "decr",
    group: Group::String,
    since: "1.0.0",
    summary: "Takes one from the integer at a key, which counts as 0 where the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(decr),
};

fn decr(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    add(ctx, key, -1)
}

pub(super) const DECRBY: DataCommand = DataCommand {
    name: "decrby",
    group: Group::String,
    since: "1.0.0",
    summary: "Takes a number from the integer at a key, which counts as 0 where the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(decrby),
};

fn decrby(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, decrement) = (args.key()?, args.int()?);
    let increment = decrement
        .checked_neg()
        .ok_or(CommandError::DecrementOverflow)?;
    add(ctx, key, increment)
}

pub(super) const INCR: DataCommand = DataCommand {
    name: "incr",
    group: Group::String,
    since: "1.0.0",
    summary: "Adds one to the integer at a key, which counts as 0 where the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(incr),
};

fn incr(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    add(ctx, key, 1)
}

pub(super) const INCRBY: DataCommand = DataCommand {
    name: "incrby",
    group: Group::String,
    since: "1.0.0",
    summary: "Adds a number to the integer at a key, which counts as 0 where the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(incrby),
};

fn incrby(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, increment) = (args.key()?, args.int()?);
    add(ctx, key, increment)
}

pub(super) const INCRBYFLOAT: DataCommand = DataCommand {
    name: "incrbyfloat",
    group: Group::String,
    since: "2.6.0",
    summary: "Adds a decimal number to the number at a key, which counts as 0 where the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(incrbyfloat),
};

fn incrbyfloat(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, increment) = (args.key()?, args.bytes()?);
    let mut slot = ctx.space.string_slot(key);
    // The number at the key is judged before the argument (Redis 7.2).
    let old = match slot.string()? {
        None => Some(LongDouble::from(0)),
        Some(Item::Integer(integer)) => Some(LongDouble::from(integer)),
        Some(Item::Bytes(bytes)) => LongDouble::parse(bytes),
    };
    let sum = old
        .zip(LongDouble::parse(increment))
        .ok_or(CommandError::NotFloat)
        .and_then(|(old, increment)| {
            old.checked_add(increment)
                .ok_or(CommandError::IncrementNotFinite)
        })?
        .to_text();
    slot.put(StringValue::Text(&sum), Expiry::Keep);
    slot.commit(EventClass::STRING, "incrbyfloat", 1);
    ctx.effects()
        .log(|| [b"SET", key, &sum, b"KEEPTTL"].map(Bytes::copy_from_slice));
    ctx.out.bulk(&sum);
    Ok(Reply::Written)
}

/// Adds to the integer at a key. One that is kept as an integer is changed where it lies.
fn add(ctx: &mut WriteCtx<'_>, key: &[u8], increment: i64) -> Result<Reply, CommandError> {
    let mut slot = ctx.space.string_slot(key);
    let old = match slot.string()? {
        None => 0,
        Some(string) => string.integer().ok_or(CommandError::NotInteger)?,
    };
    let sum = old
        .checked_add(increment)
        .ok_or(CommandError::IncrementOverflow)?;
    slot.put(StringValue::Integer(sum), Expiry::Keep);
    slot.commit(EventClass::STRING, "incrby", 1);
    Ok(Reply::Integer(sum))
}
