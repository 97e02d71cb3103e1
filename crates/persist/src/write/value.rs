//! Values: their type and their bytes.

use std::io::{self, Write};

use store::list::End;
use store::listpack::View;
use store::{Hash, Item, List, ListNode, Object, Set, ValueRef, ZSet};

use super::encoder::Encoder;
use super::stream::write_stream;
use crate::format::{NO_DEADLINE, RdbVersion, Type, container};

/// A collection that is handed over element by element, and how many elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// A list of so many nodes.
    List(usize),
    /// A set of so many members.
    Set(usize),
    /// A sorted set of so many members. Read fastest when they come from the highest score down.
    ZSet(usize),
    /// A hash of so many fields.
    Hash(usize),
    /// A hash of so many fields some of which have deadlines.
    VolatileHash(usize),
}

impl Collection {
    pub(crate) fn type_byte(self) -> u8 {
        let kind = match self {
            Self::List(_) => Type::ListQuicklist2,
            Self::Set(_) => Type::Set,
            Self::ZSet(_) => Type::ZSet2,
            Self::Hash(_) => Type::Hash,
            Self::VolatileHash(_) => Type::Hash2,
        };
        kind as u8
    }

    /// How many elements follow.
    pub fn count(self) -> usize {
        match self {
            Self::List(count)
            | Self::Set(count)
            | Self::ZSet(count)
            | Self::Hash(count)
            | Self::VolatileHash(count) => count,
        }
    }
}

/// Writes the type of a value, what `between` writes, and the value.
pub(crate) fn write_typed<W: Write>(
    out: &mut Encoder<W>,
    version: RdbVersion,
    value: &ValueRef<'_, Object>,
    between: impl FnOnce(&mut Encoder<W>) -> io::Result<()>,
) -> io::Result<()> {
    out.byte(type_of(value, version) as u8)?;
    between(out)?;
    match value {
        ValueRef::Bytes(bytes) => out.string(*bytes),
        ValueRef::Integer(integer) => out.string(Item::Integer(*integer)),
        ValueRef::Boxed(Object::String(string)) => out.string(string.as_bytes()),
        ValueRef::Boxed(Object::List(list)) => write_list(out, list),
        ValueRef::Boxed(Object::Set(set)) => write_set(out, set, version),
        ValueRef::Boxed(Object::ZSet(zset)) => write_zset(out, zset),
        ValueRef::Boxed(Object::Hash(hash)) => write_hash(out, hash),
        ValueRef::Boxed(Object::Stream(stream)) => write_stream(out, stream, version),
    }
}

fn type_of(value: &ValueRef<'_, Object>, version: RdbVersion) -> Type {
    let ValueRef::Boxed(object) = value else {
        return Type::String;
    };
    match object {
        Object::String(_) => Type::String,
        Object::List(_) => Type::ListQuicklist2,
        Object::Set(set) if set.intset().is_some() => Type::SetIntset,
        Object::Set(set) if packed_set(set, version).is_some() => Type::SetListpack,
        Object::Set(_) => Type::Set,
        Object::ZSet(zset) if zset.listpack().is_some() => Type::ZSetListpack,
        Object::ZSet(_) => Type::ZSet2,
        Object::Hash(hash) if hash.listpack().is_some() => Type::HashListpack,
        Object::Hash(hash) if hash.volatile() > 0 => Type::Hash2,
        Object::Hash(_) => Type::Hash,
        Object::Stream(_) if version >= RdbVersion::V11 => Type::StreamListpacks3,
        Object::Stream(_) => Type::StreamListpacks2,
    }
}

/// The listpack of a set, if the version has packed sets.
fn packed_set(set: &Set, version: RdbVersion) -> Option<View<'_>> {
    set.listpack().filter(|_| version >= RdbVersion::V11)
}

fn write_list<W: Write>(out: &mut Encoder<W>, list: &List) -> io::Result<()> {
    open(out, Collection::List(list.nodes().count()))?;
    list.nodes().try_for_each(|node| write_node(out, node))
}

fn write_set<W: Write>(out: &mut Encoder<W>, set: &Set, version: RdbVersion) -> io::Result<()> {
    if let Some(intset) = set.intset() {
        return out.string(intset.as_bytes());
    }
    if let Some(view) = packed_set(set, version) {
        return out.string(view.bytes());
    }
    open(out, Collection::Set(set.len()))?;
    set.iter().try_for_each(|member| out.string(member))
}

fn write_zset<W: Write>(out: &mut Encoder<W>, zset: &ZSet) -> io::Result<()> {
    if let Some(view) = zset.listpack() {
        return out.string(view.bytes());
    }
    open(out, Collection::ZSet(zset.len()))?;
    zset.range(End::Tail, 0..zset.len())
        .try_for_each(|(member, score)| write_scored(out, member, score))
}

fn write_hash<W: Write>(out: &mut Encoder<W>, hash: &Hash) -> io::Result<()> {
    if let Some(view) = hash.listpack() {
        return out.string(view.bytes());
    }
    let volatile = hash.volatile() > 0;
    open(out, Collection::Hash(hash.len()))?;
    for pair in hash.table().into_iter().flat_map(|table| table.iter()) {
        out.string(pair.field())?;
        out.string(pair.value())?;
        if volatile {
            write_deadline(out, pair.expiry())?;
        }
    }
    Ok(())
}

/// The lowest version that has the form of this value; `version` unless it has to be a higher one.
pub(crate) fn version_for(value: &ValueRef<'_, Object>, version: RdbVersion) -> RdbVersion {
    match value {
        ValueRef::Boxed(Object::Hash(hash)) if hash.volatile() > 0 => RdbVersion::V80,
        _ => version,
    }
}

pub(super) fn write_deadline<W: Write>(
    out: &mut Encoder<W>,
    expiry: Option<i64>,
) -> io::Result<()> {
    out.bytes(&expiry.unwrap_or(NO_DEADLINE).to_le_bytes())
}

/// Writes what precedes the elements of a collection.
pub(super) fn open<W: Write>(out: &mut Encoder<W>, collection: Collection) -> io::Result<()> {
    out.length(collection.count() as u64)
}

pub(super) fn write_node<W: Write>(out: &mut Encoder<W>, node: ListNode<'_>) -> io::Result<()> {
    match node {
        ListNode::Plain(element) => {
            out.length(container::PLAIN)?;
            out.string(element)
        }
        ListNode::Packed(view) => {
            out.length(container::PACKED)?;
            out.string(view.bytes())
        }
    }
}

pub(super) fn write_scored<W: Write>(
    out: &mut Encoder<W>,
    member: Item<'_>,
    score: f64,
) -> io::Result<()> {
    out.string(member)?;
    out.bytes(&score.to_le_bytes())
}
