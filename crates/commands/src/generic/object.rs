//! OBJECT: what is known of a value beside its content.

use crate::help::write_help;
use crate::keys::{KeyFlags, KeySpec};
use crate::space::Lookup;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
};
use store::{AccessPolicy, Entry, Object, ValueRef};

pub(super) const OBJECT: DataCommand = DataCommand {
    name: "object",
    group: Group::Generic,
    since: "2.2.3",
    summary: "A container of commands that inspect values.",
    complexity: "That of the subcommand",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
    handler: Handler::Container,
};

/// A subcommand that reads one key.
const fn subcommand(
    name: &'static str,
    since: &'static str,
    summary: &'static str,
    run: fn(&mut ReadCtx<'_>, Args<'_>) -> Result<Reply, CommandError>,
) -> DataCommand {
    DataCommand {
        name,
        group: Group::Generic,
        since,
        summary,
        complexity: "O(1)",
        arity: Arity::Exact(3),
        keys: INSPECTED_KEY,
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        tips: &["nondeterministic_output"],
        subcommands: &[],
        handler: Handler::Read(run),
    }
}

const ENCODING: DataCommand = subcommand(
    "encoding",
    "2.2.3",
    "Names the internal encoding of the value at a key.",
    encoding,
);

fn encoding(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let Some(entry) = ctx.space.read_as(args.key()?, Lookup::Inspect) else {
        return Ok(Reply::Nil);
    };
    ctx.out.bulk(store::encoding_of(entry).name().as_bytes());
    Ok(Reply::Written)
}

const FREQ: DataCommand = subcommand(
    "freq",
    "4.0.0",
    "Returns the logarithmic counter of accesses to a key, under an LFU policy.",
    freq,
);

fn freq(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let Some(entry) = ctx.space.read_as(args.key()?, Lookup::Inspect) else {
        return Ok(Reply::Nil);
    };
    match ctx.call.settings.access {
        AccessPolicy::Lru => Err(CommandError::FrequencyNotTracked),
        lfu @ AccessPolicy::Lfu { .. } => Ok(Reply::Integer(i64::from(
            lfu.frequency(entry.access(), ctx.call.now.ms()),
        ))),
    }
}

const IDLETIME: DataCommand = subcommand(
    "idletime",
    "2.2.3",
    "Returns the seconds since the last access to a key, unless an LFU policy is in force.",
    idletime,
);

fn idletime(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let Some(entry) = ctx.space.read_as(args.key()?, Lookup::Inspect) else {
        return Ok(Reply::Nil);
    };
    match ctx.call.settings.access {
        AccessPolicy::Lfu { .. } => Err(CommandError::IdleTimeNotTracked),
        lru @ AccessPolicy::Lru => {
            let seconds = lru.idle_ms(entry.access(), ctx.call.now.ms()) / 1000;
            Ok(Reply::Integer(i64::try_from(seconds).unwrap_or(i64::MAX)))
        }
    }
}

const REFCOUNT: DataCommand = subcommand(
    "refcount",
    "2.2.3",
    "Returns how often the value at a key is referred to.",
    refcount,
);

fn refcount(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let shares_integers = ctx.call.settings.shares_integers;
    let entry = ctx.space.read_as(args.key()?, Lookup::Inspect);
    let references = entry.map(|entry| references(entry, shares_integers));
    Ok(references.map_or(Reply::Nil, Reply::Integer))
}

/// Redis shares the integers below 10,000 and says so (OBJ_SHARED_INTEGERS, OBJ_SHARED_REFCOUNT); clients that look at
/// this number mean to recognise them. Where every value needs its own time of access, it shares none.
fn references(entry: &Entry<Object>, shares_integers: bool) -> i64 {
    match entry.value() {
        ValueRef::Integer(0..10_000) if shares_integers => i64::from(i32::MAX),
        _ => 1,
    }
}

const HELP: DataCommand = DataCommand {
    name: "help",
    group: Group::Generic,
    since: "6.2.0",
    summary: "Describes the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::KEYSPACE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(help),
};

fn help(ctx: &mut ReadCtx<'_>, _args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(write_help(
        &mut ctx.out,
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Name the encoding that holds the value of <key>.",
            "FREQ <key>",
            "    Return the counter of accesses to <key>, which rises with their logarithm and",
            "    decays in time. Needs an LFU policy.",
            "IDLETIME <key>",
            "    Return the seconds for which <key> has not been accessed. Needs a policy other",
            "    than LFU.",
            "REFCOUNT <key>",
            "    Return the number of references to the value of <key>.",
        ],
    ))
}

const INSPECTED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RO, 2)];
