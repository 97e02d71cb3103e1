//! Streams: their nodes as they are, what they remember, and their groups.

use std::io::{self, Write};

use store::Stream;
use store::stream::{Consumer, Group, StreamId};

use super::encoder::Encoder;
use crate::format::RdbVersion;

pub(super) fn write_stream<W: Write>(
    out: &mut Encoder<W>,
    stream: &Stream,
    version: RdbVersion,
) -> io::Result<()> {
    out.length(stream.entries.nodes().len() as u64)?;
    for (master, view) in stream.entries.nodes() {
        out.string(&raw_id(master)[..])?;
        out.string(view.bytes())?;
    }
    let totals = stream.entries.totals();
    out.length(totals.length)?;
    write_id(out, totals.last_id)?;
    write_id(out, totals.first_id)?;
    write_id(out, totals.max_deleted_id)?;
    out.length(totals.entries_added)?;
    out.length(stream.groups.len() as u64)?;
    for (name, group) in &stream.groups {
        out.string(&name[..])?;
        write_group(out, group, version)?;
    }
    Ok(())
}

fn write_group<W: Write>(
    out: &mut Encoder<W>,
    group: &Group,
    version: RdbVersion,
) -> io::Result<()> {
    write_id(out, group.last_id)?;
    out.length(group.entries_read.unwrap_or(UNKNOWN) as u64)?;
    out.length(group.pending_len() as u64)?;
    for pending in group.pending_from(StreamId::MIN) {
        out.bytes(&raw_id(pending.id))?;
        out.bytes(&pending.delivered_ms.to_le_bytes())?;
        out.length(pending.deliveries)?;
    }
    out.length(group.consumers_len() as u64)?;
    group
        .consumers()
        .try_for_each(|(_, consumer)| write_consumer(out, consumer, version))
}

fn write_consumer<W: Write>(
    out: &mut Encoder<W>,
    consumer: &Consumer,
    version: RdbVersion,
) -> io::Result<()> {
    out.string(consumer.name())?;
    out.bytes(&consumer.seen_ms.to_le_bytes())?;
    if version >= RdbVersion::V11 {
        out.bytes(&consumer.active_ms.unwrap_or(UNKNOWN).to_le_bytes())?;
    }
    out.length(consumer.pending_len() as u64)?;
    consumer
        .pending_from(StreamId::MIN)
        .try_for_each(|id| out.bytes(&raw_id(id)))
}

fn write_id<W: Write>(out: &mut Encoder<W>, id: StreamId) -> io::Result<()> {
    out.length(id.ms)?;
    out.length(id.seq)
}

/// An id as the key of a radix tree: both numbers, highest byte first.
fn raw_id(id: StreamId) -> [u8; 16] {
    u128::from(id).to_be_bytes()
}

/// What stands for a number or time that nobody knows.
const UNKNOWN: i64 = -1;
