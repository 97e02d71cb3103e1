//! XINFO: what is known of a stream, its groups and their consumers.

use super::{StreamError, write_entries, write_entry, write_id};
use crate::help::write_help;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
};
use resp::{Aggregate, Writer};
use store::Stream;
use store::stream::{self, Consumer, Direction, StreamId};

pub(super) const XINFO: DataCommand = DataCommand {
    name: "xinfo",
    group: Group::Stream,
    since: "5.0.0",
    summary: "A container of commands that tell about streams.",
    complexity: "That of the subcommand",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
    handler: Handler::Container,
};

const CONSUMERS: DataCommand = DataCommand {
    name: "consumers",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Lists the consumers of a group.",
    complexity: "O(N), N the consumers",
    arity: Arity::Exact(4),
    keys: INSPECTED_KEY,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(consumers),
};

fn consumers(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name) = (args.key()?, args.bytes()?);
    let stream = ctx.space.value::<Stream>(key)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    let Some(group) = stream.groups.get(name) else {
        return Err(StreamError::no_group_in_key(key, name).into());
    };
    let (out, now_ms) = (&mut ctx.out, ctx.call.now.ms());
    out.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        out.map(4);
        out.bulk(b"name");
        out.bulk(consumer.name());
        count(out, "pending", consumer.pending_len());
        integer(out, "idle", now_ms.wrapping_sub(consumer.seen_ms).max(0));
        let inactive = consumer
            .active_ms
            .map_or(-1, |active| now_ms.wrapping_sub(active));
        integer(out, "inactive", inactive);
    }
    Ok(Reply::Written)
}

const GROUPS: DataCommand = DataCommand {
    name: "groups",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Lists the groups of a stream.",
    complexity: "O(N), N the groups",
    arity: Arity::Exact(3),
    keys: INSPECTED_KEY,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(groups),
};

fn groups(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let stream = ctx.space.value::<Stream>(args.key()?)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    let out = &mut ctx.out;
    out.array(stream.groups.len());
    for (name, group) in &stream.groups {
        out.map(6);
        out.bulk(b"name");
        out.bulk(name);
        count(out, "consumers", group.consumers_len());
        count(out, "pending", group.pending_len());
        id(out, "last-delivered-id", group.last_id);
        optional(out, "entries-read", group.entries_read);
        optional(out, "lag", stream.lag(group));
    }
    Ok(Reply::Written)
}

const STREAM: DataCommand = DataCommand {
    name: "stream",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Tells about a stream; with FULL, about its entries, groups and consumers too.",
    complexity: "O(1) and a step for each node; with FULL, O(N), N the entries, consumers and pending entries shown",
    arity: Arity::AtLeast(3),
    keys: INSPECTED_KEY,
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(stream),
};

fn stream(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let stream = ctx.space.value::<Stream>(args.key()?)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    // Redis reads the options only once it has found the key.
    let shown_max = shown_max(args)?;
    let length = stream.entries.len() as usize;
    let steps = stream.entries.node_count() + shown_max.map_or(0, |max| max.min(length));
    if ctx.call.is_long(steps) {
        return Ok(Reply::Elsewhere);
    }
    let out = &mut ctx.out;
    let totals = stream.entries.totals();
    out.map(if shown_max.is_some() { 9 } else { 10 });
    integer(out, "length", totals.length as i64);
    count(out, "radix-tree-keys", stream.entries.node_count());
    count(out, "radix-tree-nodes", stream.entries.radix_nodes());
    id(out, "last-generated-id", totals.last_id);
    id(out, "max-deleted-entry-id", totals.max_deleted_id);
    integer(out, "entries-added", totals.entries_added as i64);
    id(out, "recorded-first-entry-id", totals.first_id);
    match shown_max {
        None => {
            count(out, "groups", stream.groups.len());
            entry(out, "first-entry", stream, Direction::Forward);
            entry(out, "last-entry", stream, Direction::Backward);
        }
        Some(max) => {
            let entries = stream
                .entries
                .range(StreamId::MIN, StreamId::MAX, Direction::Forward);
            out.bulk(b"entries");
            write_entries(out, entries.take(max));
            out.bulk(b"groups");
            out.array(stream.groups.len());
            for (name, group) in &stream.groups {
                write_group(out, stream, name, group, max);
            }
        }
    }
    Ok(Reply::Written)
}

/// With FULL, how many elements of each list are shown at most.
fn shown_max(mut args: Args<'_>) -> Result<Option<usize>, CommandError> {
    let spelled = args.name();
    let syntax = || CommandError::SubcommandSyntax {
        given: spelled.into(),
        container: "XINFO",
    };
    if args.is_empty() {
        return Ok(None);
    }
    if !matches!(args.len(), 1 | 3) || !args.flag("full") {
        return Err(syntax());
    }
    if args.is_empty() {
        return Ok(Some(SHOWN));
    }
    if !args.flag("count") {
        return Err(syntax());
    }
    Ok(Some(match args.int()? {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(SHOWN),
    }))
}

/// What XINFO STREAM FULL shows of each list unless told.
const SHOWN: usize = 10;

fn write_group(
    out: &mut Writer<'_>,
    stream: &Stream,
    name: &[u8],
    group: &stream::Group,
    shown_max: usize,
) {
    out.map(7);
    out.bulk(b"name");
    out.bulk(name);
    id(out, "last-delivered-id", group.last_id);
    optional(out, "entries-read", group.entries_read);
    optional(out, "lag", stream.lag(group));
    count(out, "pel-count", group.pending_len());
    out.bulk(b"pending");
    let deferred = out.begin();
    let mut shown = 0;
    for pending in group.pending_from(StreamId::MIN).take(shown_max) {
        out.array(4);
        write_id(out, pending.id);
        let owner = group.consumer(pending.owner);
        out.bulk(owner.map_or(b"", Consumer::name));
        out.integer(pending.delivered_ms);
        out.integer(pending.deliveries as i64);
        shown += 1;
    }
    out.finish(deferred, Aggregate::Array, shown);
    out.bulk(b"consumers");
    out.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        write_consumer(out, group, consumer, shown_max);
    }
}

fn write_consumer(
    out: &mut Writer<'_>,
    group: &stream::Group,
    consumer: &Consumer,
    shown_max: usize,
) {
    out.map(5);
    out.bulk(b"name");
    out.bulk(consumer.name());
    integer(out, "seen-time", consumer.seen_ms);
    integer(out, "active-time", consumer.active_ms.unwrap_or(-1));
    count(out, "pel-count", consumer.pending_len());
    out.bulk(b"pending");
    let deferred = out.begin();
    let ids = consumer.pending_from(StreamId::MIN).take(shown_max);
    let mut shown = 0;
    for pending in ids.filter_map(|id| group.pending(id)) {
        out.array(3);
        write_id(out, pending.id);
        out.integer(pending.delivered_ms);
        out.integer(pending.deliveries as i64);
        shown += 1;
    }
    out.finish(deferred, Aggregate::Array, shown);
}

const HELP: DataCommand = DataCommand {
    name: "help",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Describes the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(help),
};

fn help(ctx: &mut ReadCtx<'_>, _args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(write_help(
        &mut ctx.out,
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    List the consumers of the group.",
            "GROUPS <key>",
            "    List the groups of the stream.",
            "STREAM <key> [FULL [COUNT <count>]]",
            "    Tell about the stream; with FULL, show its entries, groups and consumers.",
        ],
    ))
}

/// The key of which something is told.
const INSPECTED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 2)];

fn integer(out: &mut Writer<'_>, name: &str, value: i64) {
    out.bulk(name.as_bytes());
    out.integer(value);
}

fn count(out: &mut Writer<'_>, name: &str, value: usize) {
    integer(out, name, i64::try_from(value).unwrap_or(i64::MAX));
}

fn optional(out: &mut Writer<'_>, name: &str, value: Option<i64>) {
    out.bulk(name.as_bytes());
    match value {
        Some(value) => out.integer(value),
        None => out.null(),
    }
}

fn id(out: &mut Writer<'_>, name: &str, id: StreamId) {
    out.bulk(name.as_bytes());
    write_id(out, id);
}

fn entry(out: &mut Writer<'_>, name: &str, stream: &Stream, direction: Direction) {
    out.bulk(name.as_bytes());
    let mut entries = stream
        .entries
        .range(StreamId::MIN, StreamId::MAX, direction);
    match entries.next() {
        Some(entry) => write_entry(out, entry),
        None => out.null(),
    }
}
