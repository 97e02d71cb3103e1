//! Deadlines of fields: HEXPIRE and its siblings, HTTL and its siblings, HPERSIST (Valkey 9).

use crate::generic::expiry::condition;
use crate::keys::{KeyFlags, KeySpec};
use crate::string::lifetime::{Clock, word};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use bytes::Bytes;
use store::Hash;

/// The row of a command that sets deadlines.
const fn setter(
    name: &'static str,
    summary: &'static str,
    run: fn(&mut WriteCtx<'_>, Args<'_>) -> Result<Reply, CommandError>,
) -> DataCommand {
    DataCommand {
        name,
        group: Group::Hash,
        since: "9.0.0",
        summary,
        complexity: "O(N), N being the number of fields named",
        arity: Arity::AtLeast(6),
        keys: CHANGED_KEY,
        flags: Flags::FAST.union(Flags::WRITE),
        categories: Categories::HASH,
        tips: &[],
        subcommands: &[],
        handler: Handler::Write(run),
    }
}

/// The row of a command that tells deadlines.
const fn teller(
    name: &'static str,
    summary: &'static str,
    run: fn(&mut ReadCtx<'_>, Args<'_>) -> Result<Reply, CommandError>,
) -> DataCommand {
    DataCommand {
        name,
        group: Group::Hash,
        since: "9.0.0",
        summary,
        complexity: "O(N), N being the number of fields named",
        arity: Arity::AtLeast(5),
        keys: READ_KEY,
        flags: Flags::FAST.union(Flags::READONLY),
        categories: Categories::HASH,
        tips: &[],
        subcommands: &[],
        handler: Handler::Read(run),
    }
}

pub(super) const HEXPIRE: DataCommand = setter(
    "hexpire",
    "Sets the time to live of fields of a hash in seconds.",
    |ctx, args| set_deadlines(ctx, args, "hexpire", Clock::Ex),
);

pub(super) const HPEXPIRE: DataCommand = setter(
    "hpexpire",
    "Sets the time to live of fields of a hash in milliseconds.",
    |ctx, args| set_deadlines(ctx, args, "hpexpire", Clock::Px),
);

pub(super) const HEXPIREAT: DataCommand = setter(
    "hexpireat",
    "Lets fields of a hash expire at a Unix time in seconds.",
    |ctx, args| set_deadlines(ctx, args, "hexpireat", Clock::ExAt),
);

pub(super) const HPEXPIREAT: DataCommand = setter(
    "hpexpireat",
    "Lets fields of a hash expire at a Unix time in milliseconds.",
    |ctx, args| set_deadlines(ctx, args, "hpexpireat", Clock::PxAt),
);

/// The four commands that set deadlines (hexpireGenericCommand, Valkey 9): options and fields are judged before the time.
fn set_deadlines(
    ctx: &mut WriteCtx<'_>,
    mut args: Args<'_>,
    command: &'static str,
    clock: Clock,
) -> Result<Reply, CommandError> {
    let (key, time) = (args.key()?, args.bytes()?);
    let (options, mut args) = until_fields(args);
    let condition = condition(options)?;
    let fields = fields(&mut args)?;
    let deadline = clock.field_deadline(time, ctx.call.now.ms(), command)?;
    let now_ms = ctx.space.field_now();
    let Some(mut hash) = ctx.space.entry::<Hash>(key)?.existing() else {
        fields.write_each(&mut ctx.out, |_| NO_FIELD);
        return Ok(Reply::Written);
    };
    let (tuning, mut changed) = (&ctx.call.settings.tuning, Vec::new());
    let expired = deadline <= now_ms;
    fields.write_each(&mut ctx.out, |field| {
        let told = if expired {
            hash.remove(field, now_ms).then_some(EXPIRED)
        } else {
            match hash.deadline(field, now_ms) {
                Some(current) if !condition.admits(current, deadline) => return UNCHANGED,
                Some(_) => hash
                    .expire_at(tuning, field, deadline, now_ms)
                    .then_some(CHANGED),
                None => None,
            }
        };
        if told.is_some() {
            changed.push(field);
        }
        told.unwrap_or(NO_FIELD)
    });
    let changes = changed.len() as u64;
    if changes == 0 {
        return Ok(Reply::Written);
    }
    if expired {
        hash.commit("hexpired", changes);
        ctx.effects().expired_fields += changes;
        log_removed(ctx, key, &changed);
    } else {
        hash.commit("hexpire", changes);
        if clock != Clock::PxAt {
            let options = options.iter().copied();
            log_deadlines(ctx, key, deadline, options, fields.0);
        }
    }
    Ok(Reply::Written)
}

/// The words of a call up to FIELDS, whatever its case, and those behind it; none are behind where FIELDS is missing.
pub(super) fn until_fields<'a>(mut args: Args<'a>) -> (&'a [&'a [u8]], Args<'a>) {
    let words = args.rest();
    let fields = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(b"FIELDS"))
        .filter(|place| place + 1 < words.len());
    match fields {
        Some(place) => (&words[..place], Args::new(&words[place + 1..])),
        None => (&[], Args::new(&[])),
    }
}

/// The fields that a call names.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [&'a [u8]]);

/// The fields behind their number, which must be right.
pub(super) fn fields<'a>(args: &mut Args<'a>) -> Result<Fields<'a>, CommandError> {
    if args.is_empty() {
        return Err(CommandError::NumfieldsMismatch);
    }
    let (count, fields) = (args.int()?, args.rest());
    if count <= 0 || usize::try_from(count) != Ok(fields.len()) {
        return Err(CommandError::NumfieldsMismatch);
    }
    Ok(Fields(fields))
}

/// The fields of a command whose third word nothing looks at: FIELDS is what it should be (Valkey 9).
pub(super) fn fields_behind_any_word<'a>(args: &mut Args<'a>) -> Result<Fields<'a>, CommandError> {
    args.bytes()?;
    fields(args)
}

impl<'a> Fields<'a> {
    /// An array with what `tell` says of each field.
    fn write_each(self, out: &mut resp::Writer<'_>, mut tell: impl FnMut(&'a [u8]) -> i64) {
        out.array(self.0.len());
        for field in self.0 {
            out.integer(tell(field));
        }
    }
}

/// The log gets the deletion of fields whose deadline was set to the past.
pub(super) fn log_removed(ctx: &mut WriteCtx<'_>, key: &[u8], fields: &[&[u8]]) {
    ctx.effects().log_words(|| {
        let mut words = vec![Bytes::from_static(b"HDEL"), Bytes::copy_from_slice(key)];
        words.extend(fields.iter().map(|field| Bytes::copy_from_slice(field)));
        words
    });
}

/// The log gets the point in time, whichever way it was given.
pub(super) fn log_deadlines<'o>(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    deadline: i64,
    options: impl Iterator<Item = &'o [u8]>,
    fields: &[&[u8]],
) {
    ctx.effects().log_words(|| {
        let copy = Bytes::copy_from_slice;
        let mut words = vec![Bytes::from_static(b"HPEXPIREAT"), copy(key), word(deadline)];
        words.extend(options.map(copy));
        words.push(Bytes::from_static(b"FIELDS"));
        words.push(word(fields.len() as i64));
        words.extend(fields.iter().map(|field| copy(field)));
        words
    });
}

pub(super) const HTTL: DataCommand = teller(
    "httl",
    "Returns the time to live of fields of a hash in seconds.",
    |ctx, args| tell_deadlines(ctx, args, Clock::Ex),
);

pub(super) const HPTTL: DataCommand = teller(
    "hpttl",
    "Returns the time to live of fields of a hash in milliseconds.",
    |ctx, args| tell_deadlines(ctx, args, Clock::Px),
);

pub(super) const HEXPIRETIME: DataCommand = teller(
    "hexpiretime",
    "Returns when fields of a hash expire, as Unix times in seconds.",
    |ctx, args| tell_deadlines(ctx, args, Clock::ExAt),
);

pub(super) const HPEXPIRETIME: DataCommand = teller(
    "hpexpiretime",
    "Returns when fields of a hash expire, as Unix times in milliseconds.",
    |ctx, args| tell_deadlines(ctx, args, Clock::PxAt),
);

/// The four commands that tell deadlines (httlGenericCommand, Valkey 9): -2 without the field, -1 without a deadline; seconds are rounded to the
/// nearest.
fn tell_deadlines(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    clock: Clock,
) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.call.now.ms());
    let fields = fields_behind_any_word(&mut args).map_err(|error| match error {
        CommandError::NumfieldsMismatch => CommandError::Syntax,
        error => error,
    })?;
    let field_now = ctx.space.field_now();
    let hash = ctx.space.value::<Hash>(key)?;
    fields.write_each(&mut ctx.out, |field| {
        let Some(deadline) = hash.and_then(|hash| hash.deadline(field, field_now)) else {
            return NO_FIELD;
        };
        let Some(deadline) = deadline else {
            return NO_DEADLINE;
        };
        let ms = if clock.is_absolute() {
            deadline
        } else {
            deadline.saturating_sub(now_ms).max(0)
        };
        match clock {
            Clock::Ex | Clock::ExAt => ms.saturating_add(500) / 1000,
            Clock::Px | Clock::PxAt => ms,
        }
    });
    Ok(Reply::Written)
}

pub(super) const HPERSIST: DataCommand = DataCommand {
    name: "hpersist",
    group: Group::Hash,
    since: "9.0.0",
    summary: "Takes the time to live from fields of a hash, so that they do not expire.",
    complexity: "O(N), N being the number of fields named",
    arity: Arity::AtLeast(5),
    keys: CHANGED_KEY,
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hpersist),
};

fn hpersist(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let fields = fields_behind_any_word(&mut args)?;
    let Some(mut hash) = ctx.space.entry::<Hash>(key)?.existing() else {
        fields.write_each(&mut ctx.out, |_| NO_FIELD);
        return Ok(Reply::Written);
    };
    let mut changes = 0;
    fields.write_each(&mut ctx.out, |field| {
        if hash.persist(field, now_ms) {
            changes += 1;
            CHANGED
        } else if hash.get(field, now_ms).is_some() {
            NO_DEADLINE
        } else {
            NO_FIELD
        }
    });
    if changes > 0 {
        hash.commit("hpersist", changes);
    }
    Ok(Reply::Written)
}

const NO_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;
const UNCHANGED: i64 = 0;
const CHANGED: i64 = 1;
const EXPIRED: i64 = 2;

const CHANGED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)];
const READ_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)];
