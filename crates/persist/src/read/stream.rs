//! Streams, in the three forms that there have been.

use store::Stream;
use store::listpack::{Depth, EMPTY};
use store::stream::{ConsumerId, Group, StreamId, Totals};

use super::source::Source;
use super::string::{count, length, string_into};
use super::value::{Scratch, Terms, blob};
use crate::error::{Part, Reason, StreamFault};
use crate::sanitize::Sanitize;

/// Which form a stream has: each tells more than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Redis 5.0.
    First,
    /// Redis 7.0: the first id, the highest deleted one, entries ever added, entries that groups have read.
    Second,
    /// Redis 7.2: when consumers were last active.
    Third,
}

/// A stream with its groups.
pub(super) fn stream<S: Source>(
    source: &mut S,
    form: Form,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Stream, Reason> {
    let mut stream = Stream::new();
    for _ in 0..count(source)? {
        read_node(source, &mut stream, terms, scratch)?;
    }
    let totals = read_totals(source, form, &stream)?;
    stream.entries.set_totals(totals);
    if totals.length > 0 && stream.entries.node_count() == 0 {
        return Err(StreamFault::Length.into());
    }
    for _ in 0..count(source)? {
        string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
        let name = Box::<[u8]>::from(&*scratch.field);
        if stream.groups.contains_key(&name) {
            return Err(StreamFault::DuplicateGroup.into());
        }
        let group = read_group(source, form, &totals, terms, scratch)?;
        stream.groups.insert(name, group);
    }
    Ok(stream)
}

fn read_node<S: Source>(
    source: &mut S,
    stream: &mut Stream,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<(), Reason> {
    string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
    let master: [u8; 16] = (&*scratch.field)
        .try_into()
        .map_err(|_| StreamFault::NodeKey)?;
    let master = id_of(master);
    let bytes = blob(source, &mut scratch.unpacked, Part::StreamListpack)?;
    let depth = Depth::from(terms.sanitize);
    if !store::stream::validate_node(bytes, depth) {
        return Err(Reason::Integrity(Part::StreamListpack));
    }
    if bytes.len() <= EMPTY {
        return Err(StreamFault::EmptyNode.into());
    }
    if !stream.entries.push_node(master, bytes, Depth::Header) {
        return Err(StreamFault::NodeOrder.into());
    }
    Ok(())
}

fn read_totals<S: Source>(source: &mut S, form: Form, stream: &Stream) -> Result<Totals, Reason> {
    let length = length(source)?;
    let last_id = read_id(source)?;
    if form >= Form::Second {
        return Ok(Totals {
            length,
            last_id,
            first_id: read_id(source)?,
            max_deleted_id: read_id(source)?,
            entries_added: super::string::length(source)?,
        });
    }
    Ok(Totals {
        length,
        last_id,
        first_id: stream.entries.seek_first_id().unwrap_or_default(),
        max_deleted_id: StreamId::MIN,
        entries_added: length,
    })
}

fn read_group<S: Source>(
    source: &mut S,
    form: Form,
    totals: &Totals,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Group, Reason> {
    let last_id = read_id(source)?;
    let entries_read = if form >= Form::Second {
        Some(length(source)? as i64)
    } else {
        totals.entries_up_to(last_id)
    };
    let entries_read = entries_read.filter(|&read| read != UNKNOWN);
    let mut group = Group::new(last_id, entries_read);
    for _ in 0..count(source)? {
        let id = id_of(source.array()?);
        let delivered_ms = i64::from_le_bytes(source.array()?);
        let deliveries = length(source)?;
        if !group.restore_pending(id, delivered_ms, deliveries) {
            return Err(StreamFault::DuplicatePending.into());
        }
    }
    for _ in 0..count(source)? {
        read_consumer(source, form, &mut group, scratch)?;
    }
    match terms.sanitize {
        Sanitize::Deep if !group.is_owned() => return Err(StreamFault::PendingUnowned.into()),
        Sanitize::Deep => {}
        Sanitize::Framing => forget_unowned(&mut group),
    }
    Ok(group)
}

fn read_consumer<S: Source>(
    source: &mut S,
    form: Form,
    group: &mut Group,
    scratch: &mut Scratch,
) -> Result<(), Reason> {
    string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
    let seen_ms = i64::from_le_bytes(source.array()?);
    let active_ms = if form >= Form::Third {
        Some(i64::from_le_bytes(source.array()?)).filter(|&active| active != UNKNOWN)
    } else {
        Some(seen_ms)
    };
    let consumer = group
        .create_consumer(&scratch.field, seen_ms)
        .ok_or(StreamFault::DuplicateConsumer)?;
    if let Some(consumer) = group.consumer_mut(consumer) {
        consumer.active_ms = active_ms;
    }
    for _ in 0..count(source)? {
        if !group.restore_owner(id_of(source.array()?), consumer) {
            return Err(StreamFault::PendingUnknown.into());
        }
    }
    Ok(())
}

/// Lets go of pending entries that no consumer claims.
fn forget_unowned(group: &mut Group) {
    let unowned: Vec<StreamId> = group
        .pending_from(StreamId::MIN)
        .filter(|pending| pending.owner == ConsumerId::NOBODY)
        .map(|pending| pending.id)
        .collect();
    for id in unowned {
        group.release(id);
    }
}

fn read_id<S: Source>(source: &mut S) -> Result<StreamId, Reason> {
    let ms = length(source)?;
    Ok(StreamId::new(ms, length(source)?))
}

fn id_of(bytes: [u8; 16]) -> StreamId {
    StreamId::from(u128::from_be_bytes(bytes))
}

/// What stands for a number or time that nobody knows.
const UNKNOWN: i64 = -1;
