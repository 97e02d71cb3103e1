//! DEBUG: what tests and curious people ask of a server.

mod digest;
mod protocol;
mod show;

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use config::choices::ProtectedAction;
use config::directive;
use engine::loading::Present;
use engine::{EngineCommand, Flow, Handler, Holding, HostRequest, SessionCtx};
use nix::sys::signal::Signal;
use persist::Checksums;
use store::string::{NewString, StringValue};
use store::tuning::LIST_PACKED_THRESHOLD;
use tracing::{info, warn};

use super::error::RowError;
use super::{help, is_local, server};
use crate::crash::{Fault, die};
use crate::server::REPLY_PEAKS_KEPT_MS;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&DEBUG];

const DEBUG: EngineCommand = EngineCommand {
    name: "debug",
    group: Group::Server,
    since: "1.0.0",
    summary: "Holds commands for tests.",
    complexity: "Depends on the subcommand",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING)
        .union(Flags::SYSTEM),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(debug),
};

fn debug(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let allowed = match server(ctx)
        .config
        .read()
        .read(directive::ENABLE_DEBUG_COMMAND)
    {
        ProtectedAction::Yes => true,
        ProtectedAction::Local => is_local(&ctx.session.client.peer),
        ProtectedAction::No => false,
    };
    if !allowed {
        return Err(RowError::DebugDenied.into());
    }
    let given = args.bytes()?;
    let fits = |subcommand: &&Subcommand| {
        given.eq_ignore_ascii_case(subcommand.name.as_bytes())
            && subcommand.arguments.contains(&args.len())
    };
    match SUBCOMMANDS.iter().find(fits) {
        Some(subcommand) => (subcommand.run)(ctx, args),
        None => Err(RowError::Subcommand {
            given: given.into(),
            container: "DEBUG",
        }
        .into()),
    }
}

/// A subcommand: in the table of commands DEBUG has none.
struct Subcommand {
    name: &'static str,
    /// How many arguments it takes.
    arguments: RangeInclusive<usize>,
    run: fn(&mut SessionCtx<'_>, Args<'_>) -> Result<Flow, CommandError>,
}

const fn subcommand(
    name: &'static str,
    arguments: RangeInclusive<usize>,
    run: fn(&mut SessionCtx<'_>, Args<'_>) -> Result<Flow, CommandError>,
) -> Subcommand {
    Subcommand {
        name,
        arguments,
        run,
    }
}

const SUBCOMMANDS: &[Subcommand] = &[
    subcommand("AOF-FLUSH-SLEEP", 1..=1, delay_appending),
    subcommand("ASSERT", 0..=0, fail_assertion),
    subcommand("CHANGE-REPL-ID", 0..=0, change_replication_id),
    subcommand("CONFIG-REWRITE-FORCE-ALL", 0..=0, rewrite_whole_config),
    subcommand("DIGEST", 0..=0, digest::dataset),
    subcommand("DIGEST-VALUE", 0..=usize::MAX, digest::values),
    subcommand("ERROR", 1..=1, error),
    subcommand("HELP", 0..=0, explain),
    subcommand("HTSTATS", 1..=2, show::tables_of_db),
    subcommand("HTSTATS-KEY", 1..=2, show::table_of_key),
    subcommand("LOADAOF", 0..=0, load_append_only),
    subcommand("LOG", 1..=1, log),
    subcommand("OBJECT", 1..=1, show::object),
    subcommand("PAUSE-CRON", 1..=1, pause_cron),
    subcommand("PANIC", 0..=0, give_up),
    subcommand("POPULATE", 1..=3, populate),
    subcommand("PROTOCOL", 1..=1, protocol::reply),
    subcommand("QUICKLIST-PACKED-THRESHOLD", 1..=1, packed_threshold),
    subcommand("REPLICATE", 1..=usize::MAX, replicate),
    subcommand("REPLYBUFFER", 2..=2, reply_buffer),
    subcommand("RELOAD", 0..=usize::MAX, reload),
    subcommand("SDSLEN", 1..=1, show::string_lengths),
    subcommand("SEGFAULT", 0..=0, crash),
    subcommand("SET-ACTIVE-EXPIRE", 1..=1, set_active_expire),
    subcommand(
        "SET-SKIP-CHECKSUM-VALIDATION",
        1..=1,
        set_skip_checksum_validation,
    ),
    subcommand("SLEEP", 1..=1, sleep),
    subcommand("STRINGMATCH-TEST", 0..=0, match_strings),
    subcommand("STRUCTSIZE", 0..=0, show::struct_sizes),
];

fn explain(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "DEBUG", HELP)
}

const HELP: help::Lines = &[
    (
        "AOF-FLUSH-SLEEP <microsec>",
        &["Wait so long before each write to the append-only file."],
    ),
    ("ASSERT", &["Die of an assertion."]),
    (
        "LOADAOF",
        &["Drop the dataset and load it from the append-only file."],
    ),
    ("CHANGE-REPL-ID", &["Take new replication ids."]),
    (
        "CONFIG-REWRITE-FORCE-ALL",
        &["As CONFIG REWRITE, but with every directive."],
    ),
    ("DIGEST", &["A signature of the whole dataset."]),
    (
        "DIGEST-VALUE <key> [<key> ...]",
        &["A signature of each of these values."],
    ),
    ("ERROR <string>", &["Answer with this error."]),
    (
        "HTSTATS <dbid> [full]",
        &["Describe the hash tables of a database."],
    ),
    (
        "HTSTATS-KEY <key> [full]",
        &["Describe the hash table of a value."],
    ),
    ("LOG <message>", &["Write a message to the log."]),
    ("OBJECT <key>", &["Describe how a value is kept."]),
    ("PAUSE-CRON <0|1>", &["Stop or resume periodic work."]),
    ("PANIC", &["Die of a panic."]),
    (
        "POPULATE <count> [<prefix>] [<size>]",
        &[
            "Make <count> strings called <prefix>:<number>, the prefix being `key` by default.",
            "Keys that exist stay as they are.",
        ],
    ),
    (
        "PROTOCOL <type>",
        &[
            "Answer with a value of this type: string, integer, double, bignum, null, array, set, map, attrib,",
            "push, verbatim, true or false.",
        ],
    ),
    (
        "QUICKLIST-PACKED-THRESHOLD <size>",
        &[
            "The size from which on an element of a list has a node of its own; 0 for the default, 1gb.",
        ],
    ),
    (
        "REPLICATE <command> [<arg> ...]",
        &["Send this to replicas as if it had run here."],
    ),
    (
        "REPLYBUFFER (PEAK-RESET-TIME <milliseconds>|NEVER|RESET)|(RESIZING <0|1>)",
        &["For how long 'rbs' in CLIENT LIST remembers large replies."],
    ),
    (
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        &[
            "Save the dataset, drop it, and load it again; every client waits.",
            "NOSAVE loads the file that is there, NOFLUSH keeps the dataset, MERGE lets the file's keys replace those.",
        ],
    ),
    ("SDSLEN <key>", &["The lengths of a key and its string."]),
    ("SEGFAULT", &["Die as of an invalid memory access."]),
    (
        "SET-ACTIVE-EXPIRE <0|1>",
        &["Stop or resume active expiry."],
    ),
    (
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        &["Leave the checksums of RDB files and DUMP payloads unlooked at, or look at them again."],
    ),
    (
        "SLEEP <seconds>",
        &["Have every command of every client wait; fractions are allowed."],
    ),
    ("STRINGMATCH-TEST", &["Match random patterns."]),
    ("STRUCTSIZE", &["The sizes of some structures."]),
];

/// A switch as C's `atoi` reads it: any text that is no number is off.
fn is_on(mut args: Args<'_>) -> Result<bool, CommandError> {
    let word = args.bytes()?;
    Ok(resp::number::parse_i64(word).is_some_and(|number| number != 0))
}

fn change_replication_id(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    info!("Changing replication IDs after receiving DEBUG change-repl-id");
    let words: [u64; 3] = std::array::from_fn(|_| ctx.rng.next_u64());
    let mut id: String = words.iter().map(|word| format!("{word:016x}")).collect();
    id.truncate(40);
    server(ctx).replication.rename();
    Ok(Reply::Ok.into())
}

fn rewrite_whole_config(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    super::config::rewrite(ctx, config::Extent::Everything)
}

fn error(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let text = args.bytes()?;
    ctx.out().error(text);
    ctx.written()
}

fn log(_ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.bytes()?));
    Ok(Reply::Ok.into())
}

fn pause_cron(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    server(ctx).cron_is_paused.store(is_on(args)?, Relaxed);
    Ok(Reply::Ok.into())
}

/// What the figure `rbs` of CLIENT LIST follows: there is no reply buffer of a fixed size to resize.
fn reply_buffer(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (given, value) = (args.bytes()?, args.peek_all().first().copied());
    let value = value.unwrap_or_default();
    let kept_ms = if given.eq_ignore_ascii_case(b"RESIZING") {
        if is_on(args)? {
            REPLY_PEAKS_KEPT_MS
        } else {
            -1
        }
    } else if !given.eq_ignore_ascii_case(b"PEAK-RESET-TIME") {
        return Err(RowError::Subcommand {
            given: given.into(),
            container: "DEBUG",
        }
        .into());
    } else if value.eq_ignore_ascii_case(b"NEVER") {
        -1
    } else if value.eq_ignore_ascii_case(b"RESET") {
        REPLY_PEAKS_KEPT_MS
    } else {
        args.int()?
    };
    server(ctx).reply_peaks_kept_ms.store(kept_ms, Relaxed);
    Ok(Reply::Ok.into())
}

/// Appends words to the log as if a command of theirs had run here.
fn replicate(_ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let words: Vec<Bytes> = args
        .rest()
        .iter()
        .map(|word| Bytes::copy_from_slice(word))
        .collect();
    Ok(Flow::everything(move |held| {
        held.effects.log_words(|| words.clone());
        Ok(Reply::Ok)
    }))
}

fn load_append_only(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::Host(HostRequest::LoadAof))
}

fn delay_appending(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let us = u64::try_from(args.int()?).unwrap_or(0);
    server(ctx).persistence.aof.delay_writes(us);
    Ok(Reply::Ok.into())
}

fn reload(_ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (mut present, mut flush, mut save) = (Present::Refuse, true, true);
    while !args.is_empty() {
        if args.flag("MERGE") {
            present = Present::Replace;
        } else if args.flag("NOFLUSH") {
            flush = false;
        } else if args.flag("NOSAVE") {
            save = false;
        } else {
            return Err(RowError::ReloadOption.into());
        }
    }
    Ok(Flow::Host(HostRequest::Reload {
        present,
        flush,
        save,
    }))
}

fn set_active_expire(_ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let on = is_on(args)?;
    Ok(Flow::everything(move |held| {
        held.change_world(|world| world.active_expire = on);
        Ok(Reply::Ok)
    }))
}

fn set_skip_checksum_validation(
    _ctx: &mut SessionCtx<'_>,
    args: Args<'_>,
) -> Result<Flow, CommandError> {
    let checksums = if is_on(args)? {
        Checksums::Ignore
    } else {
        Checksums::Verify
    };
    Ok(Flow::everything(move |held| {
        held.change_world(|world| world.settings.dumping.checksums = checksums);
        Ok(Reply::Ok)
    }))
}

fn packed_threshold(_ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    /// Elements must stay well below 4 GB (quicklistisSetPackedThreshold, Redis 7.0).
    const MAX: usize = (1 << 32) - (1 << 20);
    let size = config::parse_memory(args.bytes()?).and_then(|size| usize::try_from(size).ok());
    let threshold = match size {
        Some(0) => LIST_PACKED_THRESHOLD,
        Some(size) if size <= MAX => size,
        _ => return Err(RowError::DebugThreshold.into()),
    };
    Ok(Flow::everything(move |held| {
        held.change_world(|world| world.settings.tuning.list_packed_threshold = threshold);
        Ok(Reply::Ok)
    }))
}

fn sleep(_ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let seconds = resp::number::parse_double(args.bytes()?).unwrap_or(0.0);
    Ok(Flow::Freeze((seconds.max(0.0) * 1e6) as u64))
}

fn fail_assertion(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    die(ctx.engine, Fault::Assertion("1 == 2"))
}

fn give_up(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    die(ctx.engine, Fault::Panic("called by DEBUG PANIC"))
}

fn crash(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    die(ctx.engine, Fault::Signal(Signal::SIGSEGV))
}

fn match_strings(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    const ROUNDS: usize = 10_000;
    let mut random = |len_max: u64| -> Vec<u8> {
        let len = ctx.rng.below(len_max);
        (0..len).map(|_| b' ' + ctx.rng.below(0x60) as u8).collect()
    };
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(32), random(64));
        let _either = store::glob::matches(&pattern, &text);
    }
    Ok(Reply::Simple("The patterns came to an end").into())
}

fn populate(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let natural = |args: &mut Args<'_>| {
        let number = args.int()?;
        u64::try_from(number).map_err(|_| CommandError::MustBePositive)
    };
    let count = natural(&mut args)?;
    let prefix = args.next_word().unwrap_or(b"key").to_vec();
    let size = if args.is_empty() {
        0
    } else {
        natural(&mut args)?
    };
    let (size, access) = (size as usize, ctx.world.settings.access);
    Ok(Flow::everything(move |held| {
        for number in 0..count {
            let key = [&*prefix, format!(":{number}").as_bytes()].concat();
            let mut value = format!("value:{number}").into_bytes();
            if size > 0 {
                value.resize(size, 0);
            }
            let access = access.fresh(held.now.ms());
            add_string(held, &key, &value, access);
        }
        Ok(Reply::Ok)
    }))
}

/// Adds a string unless its key exists.
fn add_string(held: &mut Holding<'_>, key: &[u8], value: &[u8], access: u32) {
    let (db, now_ms, seed) = (held.session.db, held.now.ms(), held.engine.seed);
    let hash = seed.hash(key);
    let shard = held.shard_of(key);
    if shard.db(db).get(hash, key).is_some() {
        return;
    }
    let string = NewString {
        value: StringValue::Given(value),
        expiry: None,
        access,
    };
    shard
        .db_mut(db)
        .add_string(seed, hash, key, &string, now_ms);
    shard.watchers.touch(db, key, true);
}
