//! String commands: arguments and replies.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx, WriteItem,
};
use bytes::Bytes;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[&GET, &GETDEL];

const GET: DataCommand = DataCommand {
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

const GETDEL: DataCommand = DataCommand {
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
    let Some(entry) = ctx.space.read(key) else {
        return Ok(Reply::Nil);
    };
    let reply = ctx.out.string_of(entry)?;
    ctx.space.delete(key);
    ctx.space.commit(key, EventClass::GENERIC, "del", 1);
    ctx.effects()
        .log(|| [Bytes::from_static(b"DEL"), Bytes::copy_from_slice(key)]);
    Ok(reply)
}
