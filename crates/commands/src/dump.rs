//! Values as bytes that travel: DUMP and RESTORE. The bytes themselves are the business of `persist`.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx,
};
use bytes::Bytes;
use persist::{RdbError, RdbVersion, Reason};
use store::{Entry, Object};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[&DUMP, &RESTORE];

const DUMP: DataCommand = DataCommand {
    name: "dump",
    group: Group::Generic,
    since: "2.6.0",
    summary: "Returns the value at a key as bytes that RESTORE takes.",
    complexity: "O(N) in the bytes of the value",
    arity: Arity::Exact(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::LINEAR),
    categories: Categories::KEYSPACE,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(dump),
};

fn dump(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let compression = ctx.call.settings.dumping.compression;
    let Some(entry) = ctx.space.read(key) else {
        return Ok(Reply::Nil);
    };
    let payload = persist::dump(entry.value(), RdbVersion::V11, compression);
    ctx.out.bulk_bytes(&Bytes::from(payload));
    Ok(Reply::Written)
}

const RESTORE: DataCommand = DataCommand {
    name: "restore",
    group: Group::Generic,
    since: "2.6.0",
    summary: "Makes a key of the bytes that DUMP returned.",
    complexity: "O(N) in the bytes of the value",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::DANGEROUS.union(Categories::KEYSPACE),
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(restore),
};

/// What RESTORE was told beside the key, its time to live and its value.
#[derive(Clone, Copy, Default)]
struct Options {
    replace: bool,
    /// The time to live is a point in time.
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

fn restore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    /// Bytes of a payload that take about as long as an element of a collection.
    const ELEMENT_BYTES: usize = 8;
    let words = args.peek_all();
    let (key, mut ttl, payload) = (args.key()?, Args::new(args.take(1)?), args.bytes()?);
    let options = options(args)?;
    if ctx.call.is_long(payload.len() / ELEMENT_BYTES) {
        return Ok(Reply::Elsewhere);
    }
    if !options.replace && ctx.space.find(key).is_some() {
        return Err(CommandError::BusyKey);
    }
    let ttl = ttl.int()?;
    if ttl < 0 {
        return Err(CommandError::TtlNegative);
    }
    let now_ms = ctx.call.now.ms();
    let deadline = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => Some(ttl.wrapping_add(now_ms)),
    };
    let mut entry = entry_of(ctx, key, payload, deadline)?;
    let deleted = options.replace && ctx.space.delete(key);
    if deadline.is_some_and(|deadline| deadline <= ctx.space.past()) {
        if deleted {
            leave_deleted(ctx, key);
        }
        return Ok(Reply::Ok);
    }
    let access = ctx.call.settings.access;
    entry.set_access(access.restored(options.idle_seconds, options.frequency, now_ms));
    ctx.space.put_entry(entry);
    ctx.space.commit(key, EventClass::GENERIC, "restore", 1);
    if let Some(deadline) = deadline.filter(|_| !options.absolute) {
        ctx.effects().log_words(|| absolute_words(words, deadline));
    }
    Ok(Reply::Ok)
}

fn options(mut args: Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    while !args.is_empty() {
        if args.flag("REPLACE") {
            options.replace = true;
        } else if args.flag("ABSTTL") {
            options.absolute = true;
        } else if options.frequency.is_none() && args.len() > 1 && args.flag("IDLETIME") {
            let idle = u64::try_from(args.int()?);
            options.idle_seconds = Some(idle.map_err(|_| CommandError::IdleTimeNegative)?);
        } else if options.idle_seconds.is_none() && args.len() > 1 && args.flag("FREQ") {
            let frequency = u8::try_from(args.int()?);
            options.frequency = Some(frequency.map_err(|_| CommandError::FrequencyOutOfRange)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

/// The entry that a payload makes.
fn entry_of(
    ctx: &WriteCtx<'_>,
    key: &[u8],
    payload: &[u8],
    deadline: Option<i64>,
) -> Result<Entry<Object>, CommandError> {
    let dumping = ctx.call.settings.dumping;
    let entry = persist::restore(
        payload,
        &ctx.call.settings.tuning,
        dumping.sanitize.of_client(),
        dumping.checksums,
        |value| value.into_entry(key, deadline),
    );
    entry.map_err(refused)
}

/// The error that a client gets; the log has the reason, where the operator asks for that much.
fn refused(error: RdbError) -> CommandError {
    if error.reason == Reason::Payload {
        return CommandError::DumpPayload;
    }
    tracing::debug!("RESTORE: {error}");
    CommandError::BadDataFormat
}

/// Ends a RESTORE that only deleted what was there, for the time of the new value is over.
fn leave_deleted(ctx: &mut WriteCtx<'_>, key: &[u8]) {
    ctx.space.commit(key, EventClass::GENERIC, "del", 1);
    let word: &'static [u8] = if ctx.call.settings.lazy_server_del {
        b"UNLINK"
    } else {
        b"DEL"
    };
    ctx.effects()
        .log(|| [Bytes::from_static(word), Bytes::copy_from_slice(key)]);
}

/// The call as the log gets it: with the point in time that the time to live leads to.
fn absolute_words(words: &[&[u8]], deadline: i64) -> Vec<Bytes> {
    let mut logged = vec![Bytes::from_static(b"RESTORE")];
    logged.extend(words.iter().map(|word| Bytes::copy_from_slice(word)));
    if let Some(ttl) = logged.get_mut(2) {
        *ttl = Bytes::copy_from_slice(itoa::Buffer::new().format(deadline).as_bytes());
    }
    logged.push(Bytes::from_static(b"ABSTTL"));
    logged
}
