//! Reading a string, whole or in part, and what can be done with its key on the way.

use super::lifetime::{self, Lifetime};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx, WriteItem,
};
use bytes::Bytes;
use std::ops::Range;
use store::{Entry, Object, ValueRef};

pub(super) const GET: DataCommand = DataCommand {
    name: "get",
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the string at a key.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(get),
};

fn get(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    match ctx.space.read(key) {
        None => Ok(Reply::Nil),
        Some(entry) => ctx.out.string_of(entry),
    }
}

pub(super) const GETDEL: DataCommand = DataCommand {
    name: "getdel",
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string at a key and deletes the key.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(getdel),
};

fn getdel(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let slot = ctx.space.read_string_slot(key);
    let Some(entry) = slot.entry() else {
        return Ok(Reply::Nil);
    };
    let reply = ctx.out.string_of(entry)?;
    slot.delete();
    ctx.effects()
        .log(|| [Bytes::from_static(b"DEL"), Bytes::copy_from_slice(key)]);
    Ok(reply)
}

pub(super) const GETEX: DataCommand = DataCommand {
    name: "getex",
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string at a key and changes when the key expires.",
    complexity: "O(1)",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(getex),
};

fn getex(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut lifetime = Lifetime::Unsaid;
    while lifetime.read(&mut args, "PERSIST")? {}
    args.finish()?;
    let (now_ms, past) = (ctx.call.now.ms(), ctx.space.past());
    let mut slot = ctx.space.read_string_slot(key);
    let Some(entry) = slot.entry() else {
        return Ok(Reply::Nil);
    };
    let was_volatile = entry.expiry().is_some();
    store::string_of(entry).ok_or(CommandError::WrongType)?;
    // The number is judged after the key was found, so that an absent key answers nil whatever it is (Redis 7.2).
    let deadline = match lifetime {
        Lifetime::Given(clock, number) => Some(clock.deadline(number, now_ms, "getex")?),
        Lifetime::Unsaid | Lifetime::Plain => None,
    };
    let reply = ctx.out.string_of(entry)?;
    match (lifetime, deadline) {
        (Lifetime::Given(clock, _), Some(deadline)) if clock.is_absolute() && deadline <= past => {
            slot.delete();
            let word: &[u8] = if ctx.call.settings.lazy_expire {
                b"UNLINK"
            } else {
                b"DEL"
            };
            ctx.effects()
                .log(|| [word, key].map(Bytes::copy_from_slice));
        }
        (_, Some(deadline)) => {
            slot.set_expiry(Some(deadline));
            slot.commit(EventClass::GENERIC, "expire", 1);
            ctx.effects().log(|| {
                [
                    Bytes::from_static(b"PEXPIREAT"),
                    Bytes::copy_from_slice(key),
                    lifetime::word(deadline),
                ]
            });
        }
        (Lifetime::Plain, None) if was_volatile => {
            slot.set_expiry(None);
            slot.commit(EventClass::GENERIC, "persist", 1);
            ctx.effects()
                .log(|| [b"PERSIST", key].map(Bytes::copy_from_slice));
        }
        _ => {}
    }
    Ok(reply)
}

pub(super) const GETRANGE: DataCommand = DataCommand {
    name: "getrange",
    group: Group::String,
    since: "2.4.0",
    summary: "Returns a part of the string at a key, given by its first and last index.",
    complexity: "O(N) in the bytes returned",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(getrange),
};

fn getrange(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, first, last) = (args.key()?, args.int()?, args.int()?);
    match ctx.space.read(key) {
        None => ctx.out.bulk(b""),
        Some(entry) => part(&mut ctx.out, entry, first, last)?,
    }
    Ok(Reply::Written)
}

pub(super) const STRLEN: DataCommand = DataCommand {
    name: "strlen",
    group: Group::String,
    since: "2.2.0",
    summary: "Returns the length of the string at a key.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(strlen),
};

fn strlen(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let string = ctx.space.string(key)?;
    Ok(Reply::from(string.map_or(0, |string| string.len())))
}

pub(super) const SUBSTR: DataCommand = DataCommand {
    name: "substr",
    group: Group::String,
    since: "1.0.0",
    summary: "Returns a part of the string at a key, given by its first and last index.",
    complexity: "O(N) in the bytes returned",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(getrange),
};

/// Writes the bytes from index `first` to index `last`; a large string's by reference.
fn part(
    out: &mut resp::Writer<'_>,
    entry: &Entry<Object>,
    first: i64,
    last: i64,
) -> Result<(), CommandError> {
    if let ValueRef::Boxed(Object::String(string)) = entry.value() {
        let shared = string.share();
        let range = indexes(first, last, shared.len());
        out.bulk_bytes(&shared.slice(range));
        return Ok(());
    }
    let string = store::string_of(entry).ok_or(CommandError::WrongType)?;
    let mut spelling = Default::default();
    let bytes = string.as_bytes(&mut spelling);
    let range = indexes(first, last, bytes.len());
    out.bulk(bytes.get(range).unwrap_or_default());
    Ok(())
}

/// The bytes between two indexes of a string of `len` bytes, both included; negative ones count from the end.
fn indexes(first: i64, last: i64, len: usize) -> Range<usize> {
    let from_start = |index: i64| {
        if index >= 0 {
            usize::try_from(index).unwrap_or(usize::MAX)
        } else {
            len.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
        }
    };
    let backwards = first < 0 && last < 0 && first > last;
    let start = from_start(first).min(len);
    let end = from_start(last).saturating_add(1).min(len);
    if backwards || start >= end {
        0..0
    } else {
        start..end
    }
}
