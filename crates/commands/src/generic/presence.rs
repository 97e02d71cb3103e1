//! Whether keys exist and of what type they are: DEL, UNLINK, EXISTS, TYPE, TOUCH.

use crate::keys::{KeyFlags, KeySpec};
use crate::space::Lookup;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx,
};

pub(super) const DEL: DataCommand = DataCommand {
    name: "del",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Deletes keys.",
    complexity: "O(1) a key; large values are freed in the background",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RM.union(KeyFlags::DELETE),
        1,
        -1,
        1,
    )],
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Write(del),
};

fn del(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let mut deleted = 0;
    for key in args.rest() {
        if ctx.space.delete(key) {
            ctx.space.commit(key, EventClass::GENERIC, "del", 1);
            deleted += 1;
        }
    }
    Ok(Reply::Integer(deleted))
}

pub(super) const UNLINK: DataCommand = DataCommand {
    name: "unlink",
    group: Group::Generic,
    since: "4.0.0",
    summary: "Deletes keys and leaves freeing their values to the background.",
    complexity: "O(1) a key",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RM.union(KeyFlags::DELETE),
        1,
        -1,
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Write(del),
};

pub(super) const EXISTS: DataCommand = DataCommand {
    name: "exists",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Counts how many of the given keys exist.",
    complexity: "O(1) a key",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(KeyFlags::RO, 1, -1, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Read(exists),
};

fn exists(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(count_found(ctx, args, Lookup::Glance))
}

pub(super) const TOUCH: DataCommand = DataCommand {
    name: "touch",
    group: Group::Generic,
    since: "3.2.1",
    summary: "Notes an access to keys and counts how many of them exist.",
    complexity: "O(1) a key",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(KeyFlags::RO, 1, -1, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Read(touch),
};

fn touch(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(count_found(ctx, args, Lookup::Touch))
}

/// How many of the keys exist; one that is named twice counts twice.
fn count_found(ctx: &mut ReadCtx<'_>, mut args: Args<'_>, lookup: Lookup) -> Reply {
    let keys = args.rest().iter();
    Reply::from(
        keys.filter(|key| ctx.space.read_as(key, lookup).is_some())
            .count(),
    )
}

pub(super) const TYPE: DataCommand = DataCommand {
    name: "type",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Names the type of the value at a key.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(kind),
};

fn kind(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let entry = ctx.space.read_as(args.key()?, Lookup::Glance);
    Ok(Reply::Simple(
        entry.map_or("none", |entry| store::kind_of(entry).name()),
    ))
}
