//! Keys under another name or in another database: RENAME, RENAMENX, COPY, MOVE.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, Reply,
    WriteCtx,
};

pub(super) const RENAME: DataCommand = DataCommand {
    name: "rename",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Gives a key another name, in place of any key that has it.",
    complexity: "O(1); a large value that is replaced is freed in the background",
    arity: Arity::Exact(3),
    keys: &[
        KeySpec::one(
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
            1,
        ),
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 2),
    ],
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(rename),
};

fn rename(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    if ctx.space.find(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if from != to {
        ctx.space.find(to);
        change_name(ctx, from, to);
    }
    Ok(Reply::Ok)
}

pub(super) const RENAMENX: DataCommand = DataCommand {
    name: "renamenx",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Gives a key another name unless a key has it.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[
        KeySpec::one(
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
            1,
        ),
        KeySpec::one(KeyFlags::OW.union(KeyFlags::INSERT), 2),
    ],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(renamenx),
};

fn renamenx(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    if ctx.space.find(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if from == to || ctx.space.find(to).is_some() {
        return Ok(Reply::from(false));
    }
    change_name(ctx, from, to);
    Ok(Reply::from(true))
}

/// Renames an existing key. What is at the new name goes first, so that its place counts as a new key's.
fn change_name(ctx: &mut WriteCtx<'_>, from: &[u8], to: &[u8]) {
    let Some(entry) = ctx.space.take(from) else {
        return;
    };
    ctx.space.delete(to);
    ctx.space.put_entry(entry.rename(to));
    ctx.space.touch(from);
    ctx.space.touch(to);
    ctx.space.event(from, EventClass::GENERIC, "rename_from");
    ctx.space.event(to, EventClass::GENERIC, "rename_to");
    ctx.effects().dirty += 1;
}

pub(super) const COPY: DataCommand = DataCommand {
    name: "copy",
    group: Group::Generic,
    since: "6.2.0",
    summary: "Copies a value and its time to live to another key.",
    complexity: "O(N) in the elements of the value",
    arity: Arity::AtLeast(3),
    keys: &[
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1),
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 2),
    ],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::LINEAR),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(copy),
};

fn copy(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    let source = ctx.space.db();
    let mut target = source;
    let mut replace = false;
    while !args.is_empty() {
        if args.flag("REPLACE") {
            replace = true;
        } else if args.flag("DB") {
            target = args.db(ctx.call.settings.databases)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if source == target && from == to {
        return Err(CommandError::SameObject);
    }
    if ctx.space.read(from).is_none() {
        return Ok(Reply::from(false));
    }
    ctx.space.switch_db(target);
    if ctx.space.find(to).is_some() {
        if !replace {
            return Ok(Reply::from(false));
        }
        ctx.space.delete(to);
    }
    ctx.space.switch_db(source);
    let Some(mut copied) = ctx.space.peek(from).map(|entry| entry.clone().rename(to)) else {
        return Ok(Reply::from(false));
    };
    copied.set_access(ctx.call.settings.access.fresh(ctx.call.now.ms()));
    ctx.space.switch_db(target);
    ctx.space.put_entry(copied);
    ctx.space.commit(to, EventClass::GENERIC, "copy_to", 1);
    Ok(Reply::from(true))
}

pub(super) const MOVE: DataCommand = DataCommand {
    name: "move",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Moves a key to another database unless the key exists there.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(relocate),
};

fn relocate(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let target = args.db(ctx.call.settings.databases)?;
    let source = ctx.space.db();
    if source == target {
        return Err(CommandError::SameObject);
    }
    if ctx.space.find(key).is_none() {
        return Ok(Reply::from(false));
    }
    ctx.space.switch_db(target);
    if ctx.space.find(key).is_some() {
        return Ok(Reply::from(false));
    }
    ctx.space.switch_db(source);
    let Some(entry) = ctx.space.take(key) else {
        return Ok(Reply::from(false));
    };
    ctx.space.touch(key);
    ctx.space.switch_db(target);
    ctx.space.put_entry(entry);
    ctx.space.touch(key);
    ctx.space.switch_db(source);
    ctx.space.event(key, EventClass::GENERIC, "move_from");
    ctx.space.switch_db(target);
    ctx.space.event(key, EventClass::GENERIC, "move_to");
    ctx.effects().dirty += 1;
    Ok(Reply::from(true))
}
