//! Putting a string at a key, on conditions and with a time to live; and deleting it on a condition.

use super::lifetime::{self, Clock, Lifetime};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    Reply, WriteCtx, WriteItem,
};
use bytes::Bytes;
use store::StringValue;

pub(super) const DELIFEQ: DataCommand = DataCommand {
    name: "delifeq",
    group: Group::String,
    since: "9.0.0",
    summary: "Deletes a key if the string there is the given one.",
    complexity: "O(N) in the length of the string compared",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RM.union(KeyFlags::DELETE), 1)],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(delifeq),
};

fn delifeq(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, expected) = (args.key()?, args.bytes()?);
    let slot = ctx.space.string_slot(key);
    let equal = slot.string()?.is_some_and(|string| string == *expected);
    if equal {
        slot.delete();
        ctx.effects()
            .log(|| [Bytes::from_static(b"DEL"), Bytes::copy_from_slice(key)]);
    }
    Ok(Reply::from(equal))
}

pub(super) const GETSET: DataCommand = DataCommand {
    name: "getset",
    group: Group::String,
    since: "1.0.0",
    summary: "Puts a string at a key and returns the one that was there.",
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
    handler: Handler::Write(getset),
};

fn getset(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.bytes()?);
    let mut slot = ctx.space.read_string_slot(key);
    let reply = match slot.entry() {
        None => Reply::Nil,
        Some(entry) => ctx.out.string_of(entry)?,
    };
    slot.put(StringValue::Given(value), Expiry::None);
    slot.commit(EventClass::STRING, "set", 1);
    ctx.effects()
        .log(|| [b"SET", key, value].map(Bytes::copy_from_slice));
    Ok(reply)
}

pub(super) const PSETEX: DataCommand = DataCommand {
    name: "psetex",
    group: Group::String,
    since: "2.6.0",
    summary: "Puts a string at a key that expires after so many milliseconds.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(psetex),
};

fn psetex(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_for(ctx, args, Clock::Px, "psetex")
}

pub(super) const SET: DataCommand = DataCommand {
    name: "set",
    group: Group::String,
    since: "1.0.0",
    summary: "Puts a string at a key, whatever it holds; with conditions, a time to live, and the string that was there as options.",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(
        KeyFlags::RW
            .union(KeyFlags::ACCESS)
            .union(KeyFlags::UPDATE)
            .union(KeyFlags::VARIABLE_FLAGS),
        1,
    )
    .varying(set_key_flags)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(set),
};

/// With GET the old value is read as well (setGetKeys, Redis 7.0).
fn set_key_flags(argv: &[&[u8]]) -> KeyFlags {
    let options = argv.get(3..).unwrap_or_default();
    if options.iter().any(|word| word.eq_ignore_ascii_case(b"GET")) {
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE)
    } else {
        KeyFlags::OW.union(KeyFlags::UPDATE)
    }
}

fn set(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.bytes()?);
    if args.is_empty() {
        let mut slot = ctx.space.string_slot(key);
        slot.put(StringValue::Given(value), Expiry::None);
        slot.commit(EventClass::STRING, "set", 1);
        return Ok(Reply::Ok);
    }
    let words = args.peek_all();
    let options = Options::parse(args)?;
    let expiry = options.lifetime.expiry(ctx.call.now.ms(), "set")?;
    let (done, reply) = set_if(ctx, key, value, &options, expiry)?;
    if done {
        log_set(ctx, key, value, words, &options, expiry);
    }
    Ok(reply)
}

pub(super) const SETEX: DataCommand = DataCommand {
    name: "setex",
    group: Group::String,
    since: "2.0.0",
    summary: "Puts a string at a key that expires after so many seconds.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(setex),
};

fn setex(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_for(ctx, args, Clock::Ex, "setex")
}

pub(super) const SETNX: DataCommand = DataCommand {
    name: "setnx",
    group: Group::String,
    since: "1.0.0",
    summary: "Puts a string at a key if the key is absent.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::OW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(setnx),
};

fn setnx(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.bytes()?);
    let mut slot = ctx.space.string_slot(key);
    let absent = !slot.exists();
    if absent {
        slot.put(StringValue::Given(value), Expiry::None);
        slot.commit(EventClass::STRING, "set", 1);
    }
    Ok(Reply::from(absent))
}

/// On what SET depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition<'a> {
    /// Nothing.
    Always,
    /// NX: the key is absent.
    Absent,
    /// XX: the key exists.
    Present,
    /// IFEQ: the key holds this string.
    Equal(&'a [u8]),
}

/// The options of SET.
#[derive(Debug)]
struct Options<'a> {
    condition: Condition<'a>,
    returns_old: bool,
    lifetime: Lifetime<'a>,
}

impl<'a> Options<'a> {
    /// Reads all of them. As in Redis an option may be repeated; IFEQ, which is Valkey's, may not.
    fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self {
            condition: Condition::Always,
            returns_old: false,
            lifetime: Lifetime::Unsaid,
        };
        while !args.is_empty() {
            if options.lifetime.read(&mut args, "KEEPTTL")? {
                continue;
            }
            if args.flag("GET") {
                options.returns_old = true;
                continue;
            }
            let condition = if args.flag("NX") {
                Condition::Absent
            } else if args.flag("XX") {
                Condition::Present
            } else if args.flag("IFEQ") {
                Condition::Equal(args.bytes()?)
            } else {
                return Err(CommandError::Syntax);
            };
            let repeated =
                options.condition == condition && !matches!(condition, Condition::Equal(_));
            if options.condition != Condition::Always && !repeated {
                return Err(CommandError::Syntax);
            }
            options.condition = condition;
        }
        Ok(options)
    }
}

/// Puts the string if the condition holds; whether it did, and the reply.
fn set_if(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    value: &[u8],
    options: &Options<'_>,
    expiry: Expiry,
) -> Result<(bool, Reply), CommandError> {
    let mut slot = if options.returns_old {
        ctx.space.read_string_slot(key)
    } else {
        ctx.space.string_slot(key)
    };
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Absent => !slot.exists(),
        Condition::Present => slot.exists(),
        Condition::Equal(expected) => slot.string()?.is_some_and(|string| string == *expected),
    };
    let old = match slot.entry() {
        Some(entry) if options.returns_old => ctx.out.string_of(entry)?,
        _ => Reply::Nil,
    };
    if !holds {
        return Ok((false, old));
    }
    slot.put(StringValue::Given(value), expiry);
    slot.commit(EventClass::STRING, "set", 1);
    if matches!(expiry, Expiry::At(_)) {
        ctx.space.event(key, EventClass::GENERIC, "expire");
    }
    let reply = if options.returns_old { old } else { Reply::Ok };
    Ok((true, reply))
}

/// SETEX and PSETEX: the number stands before the string.
fn set_for(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    clock: Clock,
    command: &'static str,
) -> Result<Reply, CommandError> {
    let (key, number, value) = (args.key()?, args.bytes()?, args.bytes()?);
    let deadline = clock.deadline(number, ctx.call.now.ms(), command)?;
    let mut slot = ctx.space.string_slot(key);
    slot.put(StringValue::Given(value), Expiry::At(deadline));
    slot.commit(EventClass::STRING, "set", 1);
    ctx.space.event(key, EventClass::GENERIC, "expire");
    log_deadline(ctx, key, value, deadline);
    Ok(Reply::Ok)
}

/// What the log gets for a SET with options: a relative time becomes absolute, and what served only the reply or was
/// decided here goes (setGenericCommand, Redis 7.2). PXAT stays as it is.
fn log_set(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    value: &[u8],
    options_words: &[&[u8]],
    options: &Options<'_>,
    expiry: Expiry,
) {
    match (options.lifetime, expiry) {
        (Lifetime::Given(Clock::PxAt, _), _) => {}
        (_, Expiry::At(deadline)) => log_deadline(ctx, key, value, deadline),
        _ if options.returns_old || matches!(options.condition, Condition::Equal(_)) => {
            ctx.effects().log_words(|| {
                let mut words: Vec<&[u8]> = vec![b"SET", key, value];
                let mut rest = options_words.iter();
                while let Some(word) = rest.next() {
                    if word.eq_ignore_ascii_case(b"IFEQ") {
                        rest.next();
                    } else if !word.eq_ignore_ascii_case(b"GET") {
                        words.push(word);
                    }
                }
                words.into_iter().map(Bytes::copy_from_slice).collect()
            });
        }
        _ => {}
    }
}

fn log_deadline(ctx: &mut WriteCtx<'_>, key: &[u8], value: &[u8], deadline: i64) {
    ctx.effects().log(|| {
        [
            Bytes::from_static(b"SET"),
            Bytes::copy_from_slice(key),
            Bytes::copy_from_slice(value),
            Bytes::from_static(b"PXAT"),
            lifetime::word(deadline),
        ]
    });
}
