//! Fields read or set together with their deadlines, or read and removed: HGETEX, HSETEX, HGETDEL (Valkey 9).

use super::expiry::{
    Fields, fields, fields_behind_any_word, log_deadlines, log_removed, until_fields,
};
use super::write_value;
use crate::keys::{KeyFlags, KeySpec};
use crate::string::lifetime::{Lifetime, word};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use bytes::Bytes;
use store::{FieldExpiry, Hash};

pub(super) const HGETDEL: DataCommand = DataCommand {
    name: "hgetdel",
    group: Group::Hash,
    since: "9.1.0",
    summary: "Returns the values of fields of a hash and removes the fields.",
    complexity: "O(N), N being the number of fields named",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hgetdel),
};

fn hgetdel(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let Fields(fields) = fields_behind_any_word(&mut args)?;
    let mut hash = ctx.space.entry::<Hash>(key)?.existing();
    let mut removed = 0;
    ctx.out.array(fields.len());
    for field in fields {
        write_value(&mut ctx.out, hash.as_deref(), field, now_ms);
        if let Some(hash) = &mut hash {
            removed += u64::from(hash.remove(field, now_ms));
        }
    }
    if let Some(hash) = hash
        && removed > 0
    {
        hash.commit("hdel", removed);
    }
    Ok(Reply::Written)
}

pub(super) const HGETEX: DataCommand = DataCommand {
    name: "hgetex",
    group: Group::Hash,
    since: "9.0.0",
    summary: "Returns the values of fields of a hash and sets or takes away when they expire.",
    complexity: "O(N), N being the number of fields named",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hgetex),
};

/// What HGETEX does to the fields that it returns.
#[derive(Clone, Copy)]
enum Change {
    None,
    /// Takes the deadline away.
    Persist,
    /// Sets it.
    Expire(i64),
    /// Removes the field, for the deadline has passed.
    Remove,
}

fn hgetex(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let (options, mut args) = until_fields(args);
    let lifetime = lifetime(options)?;
    let Fields(fields) = fields(&mut args)?;
    ctx.space.read_value::<Hash>(key)?;
    let change = match lifetime {
        Lifetime::Unsaid => Change::None,
        Lifetime::Plain => Change::Persist,
        Lifetime::Given(clock, number) => {
            match clock.field_deadline(number, ctx.call.now.ms(), "hgetex")? {
                deadline if deadline <= now_ms => Change::Remove,
                deadline => Change::Expire(deadline),
            }
        }
    };
    let tuning = &ctx.call.settings.tuning;
    let mut hash = ctx.space.entry::<Hash>(key)?.existing();
    let mut changed = Vec::new();
    ctx.out.array(fields.len());
    for field in fields {
        write_value(&mut ctx.out, hash.as_deref(), field, now_ms);
        let is_changed = hash.as_mut().is_some_and(|hash| match change {
            Change::None => false,
            Change::Persist => hash.persist(field, now_ms),
            Change::Expire(deadline) => hash.expire_at(tuning, field, deadline, now_ms),
            Change::Remove => hash.remove(field, now_ms),
        });
        if is_changed {
            changed.push(*field);
        }
    }
    let Some(hash) = hash.filter(|_| !changed.is_empty()) else {
        return Ok(Reply::Written);
    };
    let changes = changed.len() as u64;
    match change {
        Change::Remove => hash.commit("hexpired", changes),
        Change::Expire(_) => hash.commit("hexpire", changes),
        Change::None | Change::Persist => hash.commit("hpersist", changes),
    }
    log_change(ctx, key, change, &changed);
    Ok(Reply::Written)
}

/// The option of HGETEX.
fn lifetime<'a>(options: &'a [&'a [u8]]) -> Result<Lifetime<'a>, CommandError> {
    let (mut options, mut lifetime) = (Args::new(options), Lifetime::Unsaid);
    while !options.is_empty() {
        if !lifetime.read(&mut options, "PERSIST")? {
            return Err(CommandError::Syntax);
        }
    }
    Ok(lifetime)
}

/// The log gets what was done to the fields that changed, not that they were read.
fn log_change(ctx: &mut WriteCtx<'_>, key: &[u8], change: Change, fields: &[&[u8]]) {
    match change {
        Change::None => {}
        Change::Expire(deadline) => log_deadlines(ctx, key, deadline, [].into_iter(), fields),
        Change::Remove => {
            ctx.effects().expired_fields += fields.len() as u64;
            log_removed(ctx, key, fields);
        }
        Change::Persist => ctx.effects().log_words(|| {
            let mut words = vec![
                Bytes::from_static(b"HPERSIST"),
                Bytes::copy_from_slice(key),
                Bytes::from_static(b"FIELDS"),
                word(fields.len() as i64),
            ];
            words.extend(fields.iter().map(|field| Bytes::copy_from_slice(field)));
            words
        }),
    }
}

pub(super) const HSETEX: DataCommand = DataCommand {
    name: "hsetex",
    group: Group::Hash,
    since: "9.0.0",
    summary: "Sets fields of a hash together with when they expire.",
    complexity: "O(N), N being the number of fields set",
    arity: Arity::AtLeast(6),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HASH,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(hsetex),
};

/// Whether something has to be there, or must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Required,
    Forbidden,
}

/// What HSETEX was told before the fields.
struct Options<'a> {
    key: Option<Presence>,
    fields: Option<Presence>,
    lifetime: Lifetime<'a>,
}

fn hsetex(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, now_ms) = (args.key()?, ctx.space.field_now());
    let (options, mut args) = until_fields(args);
    let options = options_of_set(options)?;
    let pairs = pairs(&mut args)?;
    let slot = ctx.space.entry::<Hash>(key)?;
    if !agrees(options.key, slot.exists()) {
        return Ok(Reply::Integer(0));
    }
    let expiry = match options.lifetime {
        Lifetime::Unsaid => FieldExpiry::None,
        Lifetime::Plain => FieldExpiry::Keep,
        Lifetime::Given(clock, number) => {
            FieldExpiry::At(clock.field_deadline(number, ctx.call.now.ms(), "hsetex")?)
        }
    };
    let refused = {
        let hash = ctx.space.peek_value::<Hash>(key)?;
        let exists = |field| hash.is_some_and(|hash| hash.get(field, now_ms).is_some());
        !pairs
            .iter()
            .all(|[field, _]| options.fields.is_none() || agrees(options.fields, exists(field)))
    };
    if refused {
        return Ok(Reply::Integer(0));
    }
    if let FieldExpiry::At(deadline) = expiry
        && deadline <= now_ms
    {
        return remove_fields(ctx, key, pairs);
    }
    set_fields(ctx, key, pairs, expiry)?;
    log_set(ctx, key, expiry, pairs);
    Ok(Reply::Integer(1))
}

fn agrees(wanted: Option<Presence>, exists: bool) -> bool {
    match wanted {
        None => true,
        Some(Presence::Required) => exists,
        Some(Presence::Forbidden) => !exists,
    }
}

fn options_of_set<'a>(words: &'a [&'a [u8]]) -> Result<Options<'a>, CommandError> {
    const KEY: &[(&str, Presence)] = &[("NX", Presence::Forbidden), ("XX", Presence::Required)];
    const FIELDS: &[(&str, Presence)] =
        &[("FNX", Presence::Forbidden), ("FXX", Presence::Required)];
    let mut words = Args::new(words);
    let mut options = Options {
        key: None,
        fields: None,
        lifetime: Lifetime::Unsaid,
    };
    while !words.is_empty() {
        let (said, place) = if let Some(key) = words.one_of(KEY) {
            (key, &mut options.key)
        } else if let Some(fields) = words.one_of(FIELDS) {
            (fields, &mut options.fields)
        } else if options.lifetime.read(&mut words, "KEEPTTL")? {
            continue;
        } else {
            return Err(CommandError::Syntax);
        };
        if place.replace(said).is_some_and(|before| before != said) {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

/// Fields and values behind the number of fields, which must be right.
fn pairs<'a>(args: &mut Args<'a>) -> Result<&'a [[&'a [u8]; 2]], CommandError> {
    if args.is_empty() {
        return Err(CommandError::NumfieldsMismatch);
    }
    let count = args.int()?;
    match args.rest().as_chunks::<2>() {
        (pairs, []) if count > 0 && usize::try_from(count) == Ok(pairs.len()) => Ok(pairs),
        _ => Err(CommandError::NumfieldsMismatch),
    }
}

/// A deadline that has passed removes the fields, and is logged so. Whether all of them were there.
fn remove_fields(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    pairs: &[[&[u8]; 2]],
) -> Result<Reply, CommandError> {
    let now_ms = ctx.space.field_now();
    let Some(mut hash) = ctx.space.entry::<Hash>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let removed: Vec<&[u8]> = pairs
        .iter()
        .map(|[field, _]| *field)
        .filter(|field| hash.remove(field, now_ms))
        .collect();
    if !removed.is_empty() {
        hash.commit("hexpired", removed.len() as u64);
        ctx.effects().expired_fields += removed.len() as u64;
        log_removed(ctx, key, &removed);
    }
    Ok(Reply::from(removed.len() == pairs.len()))
}

fn set_fields(
    ctx: &mut WriteCtx<'_>,
    key: &[u8],
    pairs: &[[&[u8]; 2]],
    expiry: FieldExpiry,
) -> Result<(), CommandError> {
    let (tuning, now_ms) = (&ctx.call.settings.tuning, ctx.space.field_now());
    let mut hash = ctx.space.entry::<Hash>(key)?.or_default();
    let fields = &mut *hash;
    for [field, value] in pairs {
        fields.set_at(tuning, field, value, expiry, now_ms);
    }
    match expiry {
        FieldExpiry::At(_) => {
            hash.event("hset");
            hash.commit("hexpire", pairs.len() as u64);
        }
        FieldExpiry::None | FieldExpiry::Keep => hash.commit("hset", pairs.len() as u64),
    }
    Ok(())
}

/// The log gets the fields without the conditions, which held, and with the point in time.
fn log_set(ctx: &mut WriteCtx<'_>, key: &[u8], expiry: FieldExpiry, pairs: &[[&[u8]; 2]]) {
    ctx.effects().log_words(|| {
        let copy = Bytes::copy_from_slice;
        let mut words = vec![Bytes::from_static(b"HSETEX"), copy(key)];
        match expiry {
            FieldExpiry::None => {}
            FieldExpiry::Keep => words.push(Bytes::from_static(b"KEEPTTL")),
            FieldExpiry::At(deadline) => {
                words.push(Bytes::from_static(b"PXAT"));
                words.push(word(deadline));
            }
        }
        words.push(Bytes::from_static(b"FIELDS"));
        words.push(word(pairs.len() as i64));
        words.extend(pairs.iter().flatten().map(|part| copy(part)));
        words
    });
}
