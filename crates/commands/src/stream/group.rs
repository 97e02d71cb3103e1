//! XGROUP: consumer groups come, move and go.

use super::{StreamError, any_id, note, strict_id};
use crate::help::write_help;
use crate::keys::{KeyFlags, KeySpec};
use crate::space::Slot;
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use store::Stream;
use store::stream;

pub(super) const XGROUP: DataCommand = DataCommand {
    name: "xgroup",
    group: Group::Stream,
    since: "5.0.0",
    summary: "A container of commands that manage consumer groups.",
    complexity: "That of the subcommand",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &CREATE,
        &CREATECONSUMER,
        &DELCONSUMER,
        &DESTROY,
        &HELP,
        &SETID,
    ],
    handler: Handler::Container,
};

const CREATE: DataCommand = DataCommand {
    name: "create",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Makes a consumer group, and the stream itself if asked to.",
    complexity: "O(1)",
    arity: Arity::AtLeast(5),
    keys: INSERTED_KEY,
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(create),
};

fn create(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name, id) = (args.key()?, args.bytes()?, args.bytes()?);
    let spelled = args.name();
    let options = Options::parse(args, Subcommand::Create)?;
    let slot = ctx.space.entry::<Stream>(key)?;
    let is_new = !slot.exists();
    if is_new && !options.makes_stream {
        return Err(StreamError::KeyRequired.into());
    }
    if options.words > OPTION_WORDS_MAX {
        return Err(subcommand_syntax(spelled));
    }
    let id = match id {
        b"$" => None,
        id => Some(strict_id(id)?),
    };
    // Nothing can fail from here on that would leave a new stream behind.
    let mut guard = slot.or_default();
    let last_id = id.unwrap_or_else(|| guard.entries.totals().last_id);
    let exists = guard.groups.contains_key(name);
    if !exists {
        let group = stream::Group::new(last_id, options.entries_read);
        guard.groups.insert(name.into(), group);
    }
    drop(guard);
    if is_new {
        ctx.space.touch(key);
    }
    if exists {
        return Err(StreamError::GroupExists.into());
    }
    note(ctx, key, "xgroup-create", 1);
    Ok(Reply::Ok)
}

const SETID: DataCommand = DataCommand {
    name: "setid",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Sets the id up to which a group has read.",
    complexity: "O(1)",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 2)],
    flags: Flags::WRITE,
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(setid),
};

fn setid(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name, id) = (args.key()?, args.bytes()?, args.bytes()?);
    let spelled = args.name();
    let options = Options::parse(args, Subcommand::Setid)?;
    let mut guard = require_group(ctx.space.entry::<Stream>(key)?, key, name)?;
    if !matches!(options.words, 0 | 2) {
        return Err(subcommand_syntax(spelled));
    }
    let last_id = match id {
        b"$" => guard.entries.totals().last_id,
        id => any_id(id, 0)?,
    };
    if let Some(group) = guard.groups.get_mut(name) {
        group.last_id = last_id;
        group.entries_read = options.entries_read;
    }
    drop(guard);
    note(ctx, key, "xgroup-setid", 1);
    Ok(Reply::Ok)
}

const DESTROY: DataCommand = DataCommand {
    name: "destroy",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Removes a consumer group; whether it was there.",
    complexity: "O(N), N the entries pending in the group",
    arity: Arity::Exact(4),
    keys: DELETED_KEY,
    flags: Flags::WRITE,
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(destroy),
};

fn destroy(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name) = (args.key()?, args.bytes()?);
    let slot = ctx.space.entry::<Stream>(key)?;
    let mut guard = slot.existing().ok_or(StreamError::KeyRequired)?;
    let removed = guard.groups.remove(name).is_some();
    drop(guard);
    if removed {
        note(ctx, key, "xgroup-destroy", 1);
        // Consumers that wait for the group are to learn that it is gone.
        ctx.space.wake(key);
    }
    Ok(removed.into())
}

const CREATECONSUMER: DataCommand = DataCommand {
    name: "createconsumer",
    group: Group::Stream,
    since: "6.2.0",
    summary: "Makes a consumer in a group; whether it is new.",
    complexity: "O(1)",
    arity: Arity::Exact(5),
    keys: INSERTED_KEY,
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(createconsumer),
};

fn createconsumer(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let mut guard = require_group(ctx.space.entry::<Stream>(key)?, key, name)?;
    let now_ms = ctx.call.now.ms();
    let group = guard.groups.get_mut(name);
    let created = group.and_then(|group| group.create_consumer(consumer, now_ms));
    drop(guard);
    if created.is_some() {
        note(ctx, key, "xgroup-createconsumer", 1);
    }
    Ok(created.is_some().into())
}

const DELCONSUMER: DataCommand = DataCommand {
    name: "delconsumer",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Removes a consumer from a group and returns how many entries it had pending.",
    complexity: "O(N*log(M)), N the entries pending with the consumer, M those of the group",
    arity: Arity::Exact(5),
    keys: DELETED_KEY,
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(delconsumer),
};

fn delconsumer(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let mut guard = require_group(ctx.space.entry::<Stream>(key)?, key, name)?;
    let Some(group) = guard.groups.get_mut(name) else {
        return Ok(Reply::Integer(0));
    };
    let known = group
        .find_consumer(consumer)
        .and_then(|consumer| group.consumer(consumer));
    if known.is_some_and(|consumer| ctx.call.is_long(consumer.pending_len())) {
        return Ok(Reply::Elsewhere);
    }
    let removed = group.remove_consumer(consumer);
    drop(guard);
    if removed.is_some() {
        note(ctx, key, "xgroup-delconsumer", 1);
    }
    Ok(removed.unwrap_or(0).into())
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
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Make a consumer group that has read up to <id>. The options:",
            "    * MKSTREAM",
            "      Make an empty stream where there is none.",
            "    * ENTRIESREAD entries_read",
            "      How many entries the group counts as read (for the log and replicas).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Make a consumer in the group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove a consumer and what it has pending.",
            "DESTROY <key> <groupname>",
            "    Remove the group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the id up to which the group has read, and the count of entries read.",
        ],
    ))
}

/// The key to whose stream something is added.
const INSERTED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 2)];
/// The key from whose stream something is removed.
const DELETED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 2)];
/// Words of options that CREATE can have: MKSTREAM, and ENTRIESREAD with its number.
const OPTION_WORDS_MAX: usize = 3;

/// Whose options are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subcommand {
    Create,
    Setid,
}

/// What follows the id of CREATE and SETID.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// `MKSTREAM`.
    makes_stream: bool,
    /// `ENTRIESREAD`; `None` for unknown.
    entries_read: Option<i64>,
    /// How many words there were: too many are an error, but a later one (xgroupCommand, Redis 7.2).
    words: usize,
}

impl Options {
    fn parse(mut args: Args<'_>, subcommand: Subcommand) -> Result<Self, CommandError> {
        let mut options = Self {
            makes_stream: false,
            entries_read: None,
            words: args.len(),
        };
        while !args.is_empty() {
            if subcommand == Subcommand::Create && args.flag("mkstream") {
                options.makes_stream = true;
            } else if args.len() > 1 && args.flag("entriesread") {
                options.entries_read = match args.int()? {
                    -1 => None,
                    read @ 0.. => Some(read),
                    _ => return Err(StreamError::EntriesReadNegative.into()),
                };
            } else {
                return Err(subcommand_syntax(args.name()));
            }
        }
        Ok(options)
    }
}

fn subcommand_syntax(given: &[u8]) -> CommandError {
    CommandError::SubcommandSyntax {
        given: given.into(),
        container: "XGROUP",
    }
}

/// The stream, which must be there and have the group.
fn require_group<'s, 'a>(
    slot: Slot<'s, 'a, Stream>,
    key: &[u8],
    group: &[u8],
) -> Result<crate::Guard<'s, 'a, Stream>, CommandError> {
    let guard = slot.existing().ok_or(StreamError::KeyRequired)?;
    if !guard.groups.contains_key(group) {
        return Err(StreamError::no_group_in_key(key, group).into());
    }
    Ok(guard)
}
