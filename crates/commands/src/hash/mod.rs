//! Hash commands: arguments and replies. The structure itself is [`store::Hash`].

mod expiry;
mod with_expiry;

use self::expiry::{
    HEXPIRE, HEXPIREAT, HEXPIRETIME, HPERSIST, HPEXPIRE, HPEXPIREAT, HPEXPIRETIME, HPTTL, HTTL,
};
use self::with_expiry::{HGETDEL, HGETEX, HSETEX};
use crate::draw::{Draw, portions};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    ScanOptions, WriteCtx, WriteItem, scan_cursor,
};
use bytes::Bytes;
use resp::number::LongDouble;
use resp::{Aggregate, Proto, Writer};
use store::item::Spelling;
use store::{FieldExpiry, Hash, Item};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &HDEL,
    &HEXISTS,
    &HEXPIRE,
    &HEXPIREAT,
    &HEXPIRETIME,
    &HGET,
    &HGETALL,
    &HGETDEL,
    &HGETEX,
    &HINCRBY,
    &HINCRBYFLOAT,
    &HKEYS,
    &HLEN,
    &HMGET,
    &HMSET,
    &HPERSIST,
    &HPEXPIRE,
    &HPEXPIREAT,
    &HPEXPIRETIME,
    &HPTTL,
    &HRANDFIELD,
    &HSCAN,
    &HSET,
    &HSETEX,
    &HSETNX,
    &HSTRLEN,
    &HTTL,
    &HVALS,
];

const HDEL: DataCommand = DataCommand {
    name: "hdel",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Removes fields from a hash; the key goes with its last field.",
    complexity: "O(N), N being the number of fields named",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hdel),
};

fn hdel(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let Some(mut hash) = ctx.space.entry::<Hash>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let fields = &mut *hash;
    let removed = args
        .rest()
        .iter()
        .filter(|field| fields.remove(field, now_ms))
        .count();
    if removed > 0 {
        hash.commit("hdel", removed as u64);
    }
    Ok(removed.into())
}

const HEXISTS: DataCommand = DataCommand {
    name: "hexists",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Tells whether a hash has a field.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(hexists),
};

fn hexists(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, now_ms) = (args.key()?, args.bytes()?, ctx.space.field_now());
    let hash = ctx.space.value::<Hash>(key)?;
    Ok(hash
        .is_some_and(|hash| hash.get(field, now_ms).is_some())
        .into())
}

const HGET: DataCommand = DataCommand {
    name: "hget",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns the value of a field of a hash.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(hget),
};

fn hget(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, now_ms) = (args.key()?, args.bytes()?, ctx.space.field_now());
    let hash = ctx.space.value::<Hash>(key)?;
    write_value(&mut ctx.out, hash, field, now_ms);
    Ok(Reply::Written)
}

/// The value of a field, null where the field or the hash is missing.
fn write_value(out: &mut Writer<'_>, hash: Option<&Hash>, field: &[u8], now_ms: i64) {
    match hash.and_then(|hash| hash.get(field, now_ms)) {
        Some(value) => out.item(value),
        None => out.null(),
    }
}

const HGETALL: DataCommand = DataCommand {
    name: "hgetall",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns all fields of a hash with their values.",
    complexity: "O(N), N being the size of the hash",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(hgetall),
};

fn hgetall(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let Some(hash) = ctx.space.value::<Hash>(key)? else {
        ctx.out.map(0);
        return Ok(Reply::Written);
    };
    write_living(&mut ctx.out, Aggregate::Map, hash, now_ms, |out, pair| {
        out.item(pair.0);
        out.item(pair.1);
    });
    Ok(Reply::Written)
}

/// An aggregate with one element, or pair, of each field: how many there will be is known beforehand unless fields expire.
fn write_living(
    out: &mut Writer<'_>,
    kind: Aggregate,
    hash: &Hash,
    now_ms: i64,
    mut write: impl FnMut(&mut Writer<'_>, (Item<'_>, Item<'_>)),
) {
    if hash.volatile() == 0 {
        out.open(kind, hash.len());
        hash.iter(now_ms).for_each(|pair| write(out, pair));
        return;
    }
    let (reply, mut shown) = (out.begin(), 0);
    for pair in hash.iter(now_ms) {
        write(out, pair);
        shown += 1;
    }
    out.finish(reply, kind, shown);
}

const HINCRBY: DataCommand = DataCommand {
    name: "hincrby",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Adds an integer to the number in a field of a hash; a missing field counts as 0.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hincrby),
};

fn hincrby(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, increment) = (args.key()?, args.bytes()?, args.int()?);
    let now_ms = ctx.space.field_now();
    let mut hash = ctx.space.entry::<Hash>(key)?.or_default();
    let value = match hash.get(field, now_ms) {
        Some(value) => value.integer().ok_or(CommandError::HashNotInteger)?,
        None => 0,
    };
    let sum = value
        .checked_add(increment)
        .ok_or(CommandError::IncrementOverflow)?;
    let mut text = itoa::Buffer::new();
    hash.set_at(
        &ctx.call.settings.tuning,
        field,
        text.format(sum).as_bytes(),
        FieldExpiry::Keep,
        now_ms,
    );
    hash.commit("hincrby", 1);
    Ok(Reply::Integer(sum))
}

const HINCRBYFLOAT: DataCommand = DataCommand {
    name: "hincrbyfloat",
    group: Group::Hash,
    since: "2.6.0",
    summary: "Adds a floating point number to the number in a field of a hash; a missing field counts as 0.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hincrbyfloat),
};

fn hincrbyfloat(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, increment) = (args.key()?, args.bytes()?, args.bytes()?);
    let increment = LongDouble::parse(increment).ok_or(CommandError::NotFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::NotFinite);
    }
    let now_ms = ctx.space.field_now();
    let mut hash = ctx.space.entry::<Hash>(key)?.or_default();
    let value = match hash.get(field, now_ms) {
        Some(value) => LongDouble::parse(value.as_bytes(&mut Spelling::default()))
            .ok_or(CommandError::HashNotFloat)?,
        None => LongDouble::from(0),
    };
    let sum = value
        .checked_add(increment)
        .ok_or(CommandError::IncrementNotFinite)?
        .to_text();
    let volatile = hash.deadline(field, now_ms).flatten().is_some();
    let tuning = &ctx.call.settings.tuning;
    hash.set_at(tuning, field, &sum, FieldExpiry::Keep, now_ms);
    hash.commit("hincrbyfloat", 1);
    // The sum is logged, so that no replica has to come to the same digits by adding.
    ctx.effects().log_words(|| {
        let command: &[&[u8]] = if volatile {
            // HSET would take the deadline from the field.
            &[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &sum]
        } else {
            &[b"HSET", key, field, &sum]
        };
        let copies = command.iter().map(|word| Bytes::copy_from_slice(word));
        copies.collect()
    });
    ctx.out.bulk(&sum);
    Ok(Reply::Written)
}

const HKEYS: DataCommand = DataCommand {
    name: "hkeys",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns all fields of a hash.",
    complexity: "O(N), N being the size of the hash",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(hkeys),
};

fn hkeys(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    write_all(ctx, args, |(field, _)| field)
}

/// An array of what `part` makes of each field and value.
fn write_all(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    part: for<'i> fn((Item<'i>, Item<'i>)) -> Item<'i>,
) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let Some(hash) = ctx.space.value::<Hash>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    write_living(&mut ctx.out, Aggregate::Array, hash, now_ms, |out, pair| {
        out.item(part(pair));
    });
    Ok(Reply::Written)
}

const HLEN: DataCommand = DataCommand {
    name: "hlen",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns how many fields a hash has.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(hlen),
};

fn hlen(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    Ok(ctx.space.value::<Hash>(key)?.map_or(0, Hash::len).into())
}

const HMGET: DataCommand = DataCommand {
    name: "hmget",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns the values of several fields of a hash.",
    complexity: "O(N), N being the number of fields named",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(hmget),
};

fn hmget(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, fields, now_ms) = (args.key()?, args.rest(), ctx.space.field_now());
    let hash = ctx.space.value::<Hash>(key)?;
    ctx.out.array(fields.len());
    for field in fields {
        write_value(&mut ctx.out, hash, field, now_ms);
    }
    Ok(Reply::Written)
}

const HMSET: DataCommand = DataCommand {
    name: "hmset",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Sets several fields of a hash.",
    complexity: "O(N), N being the number of fields set",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hmset),
};

fn hmset(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_fields(ctx, args, "hmset")?;
    Ok(Reply::Ok)
}

const HRANDFIELD: DataCommand = DataCommand {
    name: "hrandfield",
    group: Group::Hash,
    since: "6.2.0",
    summary: "Returns one or more random fields of a hash.",
    complexity: "O(N), N being the number of fields returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::RANGED.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(hrandfield),
};

fn hrandfield(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.is_empty() {
        return random_field(ctx, key);
    }
    let mut draw = Draw::of(args.signed_count()?);
    let shown = args.one_of(&[("withvalues", Shown::Pairs)]);
    args.finish()?;
    let shown = shown.unwrap_or(Shown::Fields);
    if shown == Shown::Pairs {
        draw = draw.in_pairs()?;
    }
    write_drawn(ctx, key, draw, shown)
}

/// What HRANDFIELD shows of each element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Fields,
    Pairs,
}

fn random_field(ctx: &mut ReadCtx<'_>, key: &[u8]) -> Result<Reply, CommandError> {
    let now_ms = ctx.space.field_now();
    let rng = &mut *ctx.call.rng;
    let hash = ctx.space.value::<Hash>(key)?;
    let Some((field, _)) = hash.and_then(|hash| hash.random(&mut || rng.next_u64(), now_ms)) else {
        return Ok(Reply::Nil);
    };
    ctx.out.item(field);
    Ok(Reply::Written)
}

/// An array of what was drawn; pairs follow each other in RESP2 and are arrays of their own in RESP3.
fn write_drawn(
    ctx: &mut ReadCtx<'_>,
    key: &[u8],
    draw: Draw,
    shown: Shown,
) -> Result<Reply, CommandError> {
    let now_ms = ctx.space.field_now();
    let Some(hash) = ctx.space.value::<Hash>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    let length = draw.length(hash.len());
    if ctx.call.is_long(length) {
        return Ok(Reply::Elsewhere);
    }
    let (out, rng) = (&mut ctx.out, &mut *ctx.call.rng);
    let random = &mut || rng.next_u64();
    let nested = out.proto == Proto::Resp3;
    let values = if shown == Shown::Pairs && !nested {
        2
    } else {
        1
    };
    // Where fields expire, fewer may come than are drawn.
    let reply = if hash.volatile() > 0 {
        Some(out.begin())
    } else {
        out.array(length * values);
        None
    };
    let mut count = 0;
    let mut show = |out: &mut Writer<'_>, field: Item<'_>, value: Item<'_>| {
        count += values;
        if shown == Shown::Pairs && nested {
            out.array(2);
        }
        out.item(field);
        if shown == Shown::Pairs {
            out.item(value);
        }
    };
    match draw {
        Draw::Distinct(count) => hash.sample(count, random, now_ms, |field, value| {
            show(out, field, value)
        }),
        Draw::Repeated(count) => {
            for portion in portions(count) {
                if out.is_full() {
                    break;
                }
                hash.draw(portion, random, now_ms, |field, value| {
                    show(out, field, value)
                });
            }
        }
    }
    if let Some(reply) = reply {
        out.finish(reply, Aggregate::Array, count);
    }
    Ok(Reply::Written)
}

const HSCAN: DataCommand = DataCommand {
    name: "hscan",
    group: Group::Hash,
    since: "2.8.0",
    summary: "Walks over the fields and values of a hash, some at each call.",
    complexity: "O(1) for each call; O(N) for a whole walk, N being the size of the hash",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::RANGED.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(hscan),
};

fn hscan(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, cursor) = (args.key()?, scan_cursor(args.bytes()?)?);
    let now_ms = ctx.space.field_now();
    let Some(hash) = ctx.space.value::<Hash>(key)? else {
        let reply = ctx.out.begin();
        ctx.out.finish_scan(reply, 0, 0);
        return Ok(Reply::Written);
    };
    let options = ScanOptions::parse(args)?;
    if ctx.call.is_long(options.count.min(hash.len())) {
        return Ok(Reply::Elsewhere);
    }
    let (reply, mut shown) = (ctx.out.begin(), 0);
    let next = hash.scan(cursor, options.count, now_ms, |field, value| {
        if options.shows(field) {
            ctx.out.item(field);
            ctx.out.item(value);
            shown += 2;
        }
    });
    ctx.out.finish_scan(reply, next, shown);
    Ok(Reply::Written)
}

const HSET: DataCommand = DataCommand {
    name: "hset",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Sets fields of a hash; makes the hash when the key is missing.",
    complexity: "O(N), N being the number of fields set",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hset),
};

fn hset(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(set_fields(ctx, args, "hset")?.into())
}

/// What HSET and HMSET (`command`) do: sets fields in turn, and returns how many of them are new.
fn set_fields(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    command: &'static str,
) -> Result<usize, CommandError> {
    let (key, words) = (args.key()?, args.rest());
    let (pairs, []) = words.as_chunks::<2>() else {
        return Err(CommandError::Arity(command.into()));
    };
    let now_ms = ctx.space.field_now();
    let mut hash = ctx.space.entry::<Hash>(key)?.or_default();
    let (tuning, fields) = (&ctx.call.settings.tuning, &mut *hash);
    fields.prepare(tuning, words.iter().copied());
    let created = pairs
        .iter()
        .filter(|[field, value]| fields.set_at(tuning, field, value, FieldExpiry::None, now_ms))
        .count();
    hash.commit("hset", pairs.len() as u64);
    Ok(created)
}

const HSETNX: DataCommand = DataCommand {
    name: "hsetnx",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Sets a field of a hash unless it is there already.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hsetnx),
};

fn hsetnx(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, value) = (args.key()?, args.bytes()?, args.bytes()?);
    let (tuning, now_ms) = (&ctx.call.settings.tuning, ctx.space.field_now());
    let mut hash = ctx.space.entry::<Hash>(key)?.or_default();
    if hash.get(field, now_ms).is_some() {
        return Ok(Reply::Integer(0));
    }
    hash.set_at(tuning, field, value, FieldExpiry::None, now_ms);
    hash.commit("hset", 1);
    Ok(Reply::Integer(1))
}

const HSTRLEN: DataCommand = DataCommand {
    name: "hstrlen",
    group: Group::Hash,
    since: "3.2.0",
    summary: "Returns the length of the value of a field of a hash.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO, 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(hstrlen),
};

fn hstrlen(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, now_ms) = (args.key()?, args.bytes()?, ctx.space.field_now());
    let value = ctx
        .space
        .value::<Hash>(key)?
        .and_then(|hash| hash.get(field, now_ms));
    Ok(value.map_or(0, |value| value.len()).into())
}

const HVALS: DataCommand = DataCommand {
    name: "hvals",
    group: Group::Hash,
    since: "2.0.0",
    summary: "Returns all values of a hash.",
    complexity: "O(N), N being the size of the hash",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::HASH,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(hvals),
};

fn hvals(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    write_all(ctx, args, |(_, value)| value)
}
