//! Stream commands: arguments and replies. The structure itself is `store::stream`.

mod add;
mod claim;
mod entries;
mod error;
mod group;
mod info;
mod pending;
mod read;

pub use error::StreamError;

use crate::keys::{KeyFlags, KeySpec};
use crate::{Args, CommandError, DataCommand, EventClass, WriteCtx, WriteItem};
use bytes::Bytes;
use resp::{Aggregate, Writer};
use store::stream::{Entry, StreamId};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &pending::XACK,
    &add::XADD,
    &claim::XAUTOCLAIM,
    &claim::XCLAIM,
    &entries::XDEL,
    &group::XGROUP,
    &info::XINFO,
    &entries::XLEN,
    &pending::XPENDING,
    &entries::XRANGE,
    &read::XREAD,
    &read::XREADGROUP,
    &entries::XREVRANGE,
    &entries::XSETID,
    &add::XTRIM,
];

/// One key that is read.
const READ_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)];
/// One key whose stream is changed.
const UPDATED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)];
/// One key whose stream loses something.
const SHORTENED_KEY: &[KeySpec] = &[KeySpec::one(KeyFlags::RW.union(KeyFlags::DELETE), 1)];

/// An id that is neither `-` nor `+`; a missing number is 0.
fn strict_id(word: &[u8]) -> Result<StreamId, CommandError> {
    Ok(StreamId::parse(word, 0).ok_or(StreamError::InvalidId)?)
}

/// An id, `-` or `+`; a missing number is `missing_seq`.
fn any_id(word: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    match word {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => Ok(StreamId::parse(word, missing_seq).ok_or(StreamError::InvalidId)?),
    }
}

/// The lower end of a range: `(` before an id leaves the id itself out.
fn range_start(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            Ok(strict_id(id)?.next().ok_or(StreamError::InvalidStart)?)
        }
        _ => any_id(word, 0),
    }
}

/// The upper end of a range: `(` before an id leaves the id itself out.
fn range_end(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, u64::MAX).ok_or(StreamError::InvalidId)?;
            Ok(id.previous().ok_or(StreamError::InvalidEnd)?)
        }
        _ => any_id(word, u64::MAX),
    }
}

/// The ids that are left, all of them strict.
fn strict_ids(args: &mut Args<'_>) -> Result<Vec<StreamId>, CommandError> {
    args.rest().iter().map(|word| strict_id(word)).collect()
}

fn write_id(out: &mut Writer<'_>, id: StreamId) {
    out.bulk(id.text().as_bytes());
}

/// An entry as replies show it: its id, then its fields and values in one array.
fn write_entry(out: &mut Writer<'_>, entry: Entry<'_>) {
    out.array(2);
    write_id(out, entry.id);
    out.array(entry.fields.len() * 2);
    for (field, value) in entry.fields {
        out.item(field);
        out.item(value);
    }
}

/// An array of entries.
fn write_entries<'a>(out: &mut Writer<'_>, entries: impl Iterator<Item = Entry<'a>>) {
    let deferred = out.begin();
    let mut count = 0;
    for entry in entries {
        write_entry(out, entry);
        count += 1;
    }
    out.finish(deferred, Aggregate::Array, count);
}

/// Publishes an event and counts changes that Redis does not call a modification of the key: neither those who watch it
/// nor those who track it are told.
fn note(ctx: &mut WriteCtx<'_>, key: &[u8], event: &'static str, changes: u64) {
    ctx.space.event(key, EventClass::STREAM, event);
    ctx.effects().dirty += changes;
}

/// A number as a word for the log.
fn number(value: impl ToString) -> Bytes {
    Bytes::from(value.to_string())
}

/// An id as a word for the log.
fn id_word(id: StreamId) -> Bytes {
    Bytes::copy_from_slice(id.text().as_bytes())
}
