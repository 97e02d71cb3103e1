//! Set commands: arguments and replies. The structure itself is [`store::Set`].

mod algebra;
mod random;

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    ScanOptions, WriteCtx, WriteItem, scan_cursor,
};
use resp::Writer;
use store::{Object, Set};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &SADD,
    &SCARD,
    &algebra::SDIFF,
    &algebra::SDIFFSTORE,
    &algebra::SINTER,
    &algebra::SINTERCARD,
    &algebra::SINTERSTORE,
    &SISMEMBER,
    &SMEMBERS,
    &SMISMEMBER,
    &SMOVE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &SREM,
    &SSCAN,
    &algebra::SUNION,
    &algebra::SUNIONSTORE,
];

const SADD: DataCommand = DataCommand {
    name: "sadd",
    group: Group::Set,
    since: "1.0.0",
    summary: "Adds members to a set; makes the set when the key is missing.",
    complexity: "O(N), N being the number of members named",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(sadd),
};

fn sadd(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, members) = (args.key()?, args.rest());
    let tuning = &ctx.call.settings.tuning;
    let slot = ctx.space.entry::<Set>(key)?;
    let mut set = if slot.exists() {
        let mut set = slot.or_default();
        set.expect(tuning, members.len());
        set
    } else {
        slot.or_insert_with(|| {
            let first = members.first().copied().unwrap_or_default();
            Object::Set(Set::sized(tuning, first.into(), members.len()))
        })
    };
    let into = &mut *set;
    let added = members
        .iter()
        .filter(|member| into.add(tuning, **member))
        .count();
    if added > 0 {
        set.commit("sadd", added as u64);
    }
    Ok(added.into())
}

const SCARD: DataCommand = DataCommand {
    name: "scard",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns how many members a set has.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(scard),
};

fn scard(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    Ok(ctx.space.value::<Set>(key)?.map_or(0, Set::len).into())
}

const SISMEMBER: DataCommand = DataCommand {
    name: "sismember",
    group: Group::Set,
    since: "1.0.0",
    summary: "Tells whether a set has a member.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(sismember),
};

fn sismember(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.bytes()?);
    let set = ctx.space.value::<Set>(key)?;
    Ok(set.is_some_and(|set| set.contains(member)).into())
}

const SMEMBERS: DataCommand = DataCommand {
    name: "smembers",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns all members of a set.",
    complexity: "O(N), N being the size of the set",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(smembers),
};

fn smembers(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    match ctx.space.value::<Set>(key)? {
        Some(set) => write_members(&mut ctx.out, set),
        None => ctx.out.set(0),
    }
    Ok(Reply::Written)
}

/// All members as a set reply.
fn write_members(out: &mut Writer<'_>, set: &Set) {
    out.set(set.len());
    set.iter().for_each(|member| out.item(member));
}

const SMISMEMBER: DataCommand = DataCommand {
    name: "smismember",
    group: Group::Set,
    since: "6.2.0",
    summary: "Tells which of several members a set has.",
    complexity: "O(N), N being the number of members named",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(smismember),
};

fn smismember(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, members) = (args.key()?, args.rest());
    let set = ctx.space.value::<Set>(key)?;
    ctx.out.array(members.len());
    for member in members {
        let found = set.is_some_and(|set| set.contains(*member));
        ctx.out.integer(found.into());
    }
    Ok(Reply::Written)
}

const SMOVE: DataCommand = DataCommand {
    name: "smove",
    group: Group::Set,
    since: "1.0.0",
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[
        KeySpec::one(
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
            1,
        ),
        KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 2),
    ],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(smove),
};

fn smove(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to, member) = (args.key()?, args.key()?, args.bytes()?);
    if !ctx.space.entry::<Set>(from)?.exists() {
        return Ok(Reply::Integer(0));
    }
    ctx.space.entry::<Set>(to)?;
    if from == to {
        let set = ctx.space.peek_value::<Set>(from)?;
        return Ok(set.is_some_and(|set| set.contains(member)).into());
    }
    let mut source = ctx.space.entry::<Set>(from)?.or_default();
    if !source.remove(member) {
        return Ok(Reply::Integer(0));
    }
    source.commit("srem", 1);
    let tuning = &ctx.call.settings.tuning;
    let mut destination = ctx
        .space
        .entry::<Set>(to)?
        .or_insert_with(|| Object::Set(Set::sized(tuning, member.into(), 1)));
    if destination.add(tuning, member) {
        destination.commit("sadd", 1);
    }
    Ok(Reply::Integer(1))
}

const SREM: DataCommand = DataCommand {
    name: "srem",
    group: Group::Set,
    since: "1.0.0",
    summary: "Removes members from a set; the key goes with the last one.",
    complexity: "O(N), N being the number of members named",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(srem),
};

fn srem(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let Some(mut set) = ctx.space.entry::<Set>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let from = &mut *set;
    let removed = args
        .rest()
        .iter()
        .filter(|member| from.remove(**member))
        .count();
    if removed > 0 {
        set.commit("srem", removed as u64);
    }
    Ok(removed.into())
}

const SSCAN: DataCommand = DataCommand {
    name: "sscan",
    group: Group::Set,
    since: "2.8.0",
    summary: "Walks over the members of a set, some at each call.",
    complexity: "O(1) for each call; O(N) for a whole walk, N being the size of the set",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::RANGED.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(sscan),
};

fn sscan(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, cursor) = (args.key()?, scan_cursor(args.bytes()?)?);
    let Some(set) = ctx.space.value::<Set>(key)? else {
        let reply = ctx.out.begin();
        ctx.out.finish_scan(reply, 0, 0);
        return Ok(Reply::Written);
    };
    let options = ScanOptions::parse(args)?;
    if ctx.call.is_long(options.count.min(set.len())) {
        return Ok(Reply::Elsewhere);
    }
    let (reply, mut shown) = (ctx.out.begin(), 0);
    let next = set.scan(cursor, options.count, |member| {
        if options.shows(member) {
            ctx.out.item(member);
            shown += 1;
        }
    });
    ctx.out.finish_scan(reply, next, shown);
    Ok(Reply::Written)
}
