//! Times to live: EXPIRE and its siblings, TTL and its siblings, PERSIST.

use crate::keys::{KeyFlags, KeySpec};
use crate::space::Lookup;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx,
};
use bitflags::bitflags;
use bytes::Bytes;

/// How a deadline is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// What a deadline is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// From now on: a time to live.
    Now,
    /// From the beginning of 1970: a point in time.
    Epoch,
}

bitflags! {
    /// On what condition a deadline is set.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Condition: u8 {
        /// The key has none.
        const NX = 1;
        /// The key has one.
        const XX = 1 << 1;
        /// It is later than the one that the key has.
        const GT = 1 << 2;
        /// It is earlier than the one that the key has, if any.
        const LT = 1 << 3;
    }
}

/// The row of a command that sets a deadline.
const fn setter(
    name: &'static str,
    since: &'static str,
    summary: &'static str,
    run: fn(&mut WriteCtx<'_>, Args<'_>) -> Result<Reply, CommandError>,
) -> DataCommand {
    DataCommand {
        name,
        group: Group::Generic,
        since,
        summary,
        complexity: "O(1)",
        arity: Arity::AtLeast(3),
        keys: CHANGED_KEY,
        flags: Flags::FAST.union(Flags::WRITE),
        categories: Categories::KEYSPACE,
        tips: &[],
        subcommands: &[],
        handler: Handler::Write(run),
    }
}

/// The row of a command that tells a deadline.
const fn teller(
    name: &'static str,
    since: &'static str,
    summary: &'static str,
    tips: &'static [&'static str],
    run: fn(&mut ReadCtx<'_>, Args<'_>) -> Result<Reply, CommandError>,
) -> DataCommand {
    DataCommand {
        name,
        group: Group::Generic,
        since,
        summary,
        complexity: "O(1)",
        arity: Arity::Exact(2),
        keys: READ_KEY,
        flags: Flags::FAST.union(Flags::READONLY),
        categories: Categories::KEYSPACE,
        tips,
        subcommands: &[],
        handler: Handler::Read(run),
    }
}

pub(super) const EXPIRE: DataCommand = setter(
    "expire",
    "1.0.0",
    "Sets the time to live of a key in seconds.",
    |ctx, args| set_deadline(ctx, args, "expire", Origin::Now, Unit::Seconds),
);

pub(super) const PEXPIRE: DataCommand = setter(
    "pexpire",
    "2.6.0",
    "Sets the time to live of a key in milliseconds.",
    |ctx, args| set_deadline(ctx, args, "pexpire", Origin::Now, Unit::Milliseconds),
);

pub(super) const EXPIREAT: DataCommand = setter(
    "expireat",
    "1.2.0",
    "Lets a key expire at a Unix time in seconds.",
    |ctx, args| set_deadline(ctx, args, "expireat", Origin::Epoch, Unit::Seconds),
);

pub(super) const PEXPIREAT: DataCommand = setter(
    "pexpireat",
    "2.6.0",
    "Lets a key expire at a Unix time in milliseconds.",
    |ctx, args| set_deadline(ctx, args, "pexpireat", Origin::Epoch, Unit::Milliseconds),
);

/// The four commands that set a deadline (expireGenericCommand, Redis 7.2): options are judged before the number.
fn set_deadline(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    command: &'static str,
    origin: Origin,
    unit: Unit,
) -> Result<Reply, CommandError> {
    let (key, mut time) = (args.key()?, Args::new(args.take(1)?));
    let options = args.rest();
    let condition = condition(options)?;
    let now_ms = ctx.call.now.ms();
    let deadline =
        deadline(time.int()?, origin, unit, now_ms).ok_or(CommandError::InvalidExpire(command))?;
    let Some(entry) = ctx.space.find(key) else {
        return Ok(Reply::from(false));
    };
    if !condition.admits(entry.expiry(), deadline) {
        return Ok(Reply::from(false));
    }
    if deadline <= ctx.space.past() {
        expire_at_once(ctx, key);
    } else {
        ctx.space.set_expiry(key, Some(deadline));
        ctx.space.commit(key, EventClass::GENERIC, "expire", 1);
        let as_given = (origin, unit) == (Origin::Epoch, Unit::Milliseconds);
        if !as_given {
            log_deadline(ctx, key, deadline, options);
        }
    }
    Ok(Reply::from(true))
}

/// The log gets the point in time, whichever way it was given.
fn log_deadline(ctx: &mut WriteCtx<'_>, key: &[u8], deadline: i64, options: &[&[u8]]) {
    ctx.effects().log_words(|| {
        let mut words = vec![
            Bytes::from_static(b"PEXPIREAT"),
            Bytes::copy_from_slice(key),
            Bytes::from(deadline.to_string()),
        ];
        words.extend(options.iter().map(|word| Bytes::copy_from_slice(word)));
        words
    });
}

/// A deadline that has passed is a deletion, and is logged as one.
fn expire_at_once(ctx: &mut WriteCtx<'_>, key: &[u8]) {
    ctx.space.delete(key);
    ctx.space.commit(key, EventClass::GENERIC, "del", 1);
    let word: &'static [u8] = if ctx.call.settings.lazy_expire {
        b"UNLINK"
    } else {
        b"DEL"
    };
    ctx.effects()
        .log(|| [Bytes::from_static(word), Bytes::copy_from_slice(key)]);
}

/// The Unix time in milliseconds that a number means; `None` when it has none.
fn deadline(number: i64, origin: Origin, unit: Unit, now_ms: i64) -> Option<i64> {
    let ms = match unit {
        Unit::Seconds => number.checked_mul(1000)?,
        Unit::Milliseconds => number,
    };
    match origin {
        Origin::Now => ms.checked_add(now_ms),
        Origin::Epoch => Some(ms),
    }
}

/// The options behind the time (parseExtendedExpireArgumentsOrReply, Redis 7.2).
pub(crate) fn condition(options: &[&[u8]]) -> Result<Condition, CommandError> {
    const CHOICES: &[(&str, Condition)] = &[
        ("NX", Condition::NX),
        ("XX", Condition::XX),
        ("GT", Condition::GT),
        ("LT", Condition::LT),
    ];
    let mut condition = Condition::empty();
    let mut options = Args::new(options);
    while let Some(option) = options.peek() {
        condition |= options
            .one_of(CHOICES)
            .ok_or_else(|| CommandError::UnsupportedOption(option.into()))?;
    }
    let others = Condition::XX | Condition::GT | Condition::LT;
    if condition.contains(Condition::NX) && condition.intersects(others) {
        return Err(CommandError::ExpireNxOthers);
    }
    if condition.contains(Condition::GT | Condition::LT) {
        return Err(CommandError::ExpireGtLt);
    }
    Ok(condition)
}

impl Condition {
    /// Whether a key, or a field of a hash, with the deadline `current` may get `new`; what has none lives for ever.
    pub(crate) fn admits(self, current: Option<i64>, new: i64) -> bool {
        let refused = (self.contains(Self::NX) && current.is_some())
            || (self.contains(Self::XX) && current.is_none())
            || (self.contains(Self::GT) && current.is_none_or(|current| new <= current))
            || (self.contains(Self::LT) && current.is_some_and(|current| new >= current));
        !refused
    }
}

pub(super) const TTL: DataCommand = teller(
    "ttl",
    "1.0.0",
    "Returns the time to live of a key in seconds.",
    &["nondeterministic_output"],
    |ctx, args| tell_deadline(ctx, args, Origin::Now, Unit::Seconds),
);

pub(super) const PTTL: DataCommand = teller(
    "pttl",
    "2.6.0",
    "Returns the time to live of a key in milliseconds.",
    &["nondeterministic_output"],
    |ctx, args| tell_deadline(ctx, args, Origin::Now, Unit::Milliseconds),
);

pub(super) const EXPIRETIME: DataCommand = teller(
    "expiretime",
    "7.0.0",
    "Returns when a key expires, as a Unix time in seconds.",
    &[],
    |ctx, args| tell_deadline(ctx, args, Origin::Epoch, Unit::Seconds),
);

pub(super) const PEXPIRETIME: DataCommand = teller(
    "pexpiretime",
    "7.0.0",
    "Returns when a key expires, as a Unix time in milliseconds.",
    &[],
    |ctx, args| tell_deadline(ctx, args, Origin::Epoch, Unit::Milliseconds),
);

/// The four commands that tell a deadline (ttlGenericCommand, Redis 7.2): -2 without a key, -1 without a deadline;
/// seconds are rounded to the nearest.
fn tell_deadline(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    origin: Origin,
    unit: Unit,
) -> Result<Reply, CommandError> {
    let Some(entry) = ctx.space.read_as(args.key()?, Lookup::Glance) else {
        return Ok(Reply::Integer(NO_KEY));
    };
    let Some(deadline) = entry.expiry() else {
        return Ok(Reply::Integer(NO_DEADLINE));
    };
    let ms = match origin {
        Origin::Now => (deadline - ctx.call.now.ms()).max(0),
        Origin::Epoch => deadline,
    };
    Ok(Reply::Integer(match unit {
        Unit::Seconds => ms.saturating_add(500) / 1000,
        Unit::Milliseconds => ms,
    }))
}

pub(super) const PERSIST: DataCommand = DataCommand {
    name: "persist",
    group: Group::Generic,
    since: "2.2.0",
    summary: "Takes the time to live from a key, so that it does not expire.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: CHANGED_KEY,
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(persist),
};

fn persist(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let volatile = ctx
        .space
        .find(key)
        .is_some_and(|entry| entry.expiry().is_some());
    if volatile {
        ctx.space.set_expiry(key, None);
        ctx.space.commit(key, EventClass::GENERIC, "persist", 1);
    }
    Ok(Reply::from(volatile))
}

const NO_KEY: i64 = -2;
const NO_DEADLINE: i64 = -1;

const CHANGED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)];
const READ_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)];
