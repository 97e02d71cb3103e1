//! What values are, whatever their encoding, and how tests make and read files.

use std::collections::{BTreeMap, BTreeSet};

use persist::{Checksums, RdbError, RdbItem, RdbReader, Sanitize, Value};
use store::ALL_LIVE;
use store::list::End;
use store::stream::{Direction, StreamId, Totals};
use store::{Object, Stream, Tuning};

/// The content of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Model {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    ZSet(Vec<(Vec<u8>, f64)>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Values with deadlines, of which there is one at least.
    VolatileHash(BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>),
    Stream(StreamModel),
}

/// The content of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamModel {
    pub(crate) entries: Vec<(StreamId, Vec<Vec<u8>>)>,
    pub(crate) totals: Totals,
    pub(crate) groups: BTreeMap<Vec<u8>, GroupModel>,
}

/// A group: last id, entries read, pending entries (id, delivered, deliveries), and consumers with seen and active times and pending ids.
pub(crate) type GroupModel = (
    StreamId,
    Option<i64>,
    Vec<(StreamId, i64, u64)>,
    Vec<(Vec<u8>, i64, Option<i64>, Vec<StreamId>)>,
);

/// A key of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) value: Model,
    pub(crate) encoding: &'static str,
    pub(crate) expiry: Option<i64>,
    pub(crate) idle_seconds: Option<u64>,
    pub(crate) frequency: Option<u8>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct File {
    pub(crate) aux: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) functions: Vec<Vec<u8>>,
    pub(crate) sizes: Vec<(u64, u64)>,
    pub(crate) keys: BTreeMap<(u64, Vec<u8>), Key>,
    pub(crate) empty_keys: Vec<Vec<u8>>,
}

impl Model {
    pub(crate) fn of(object: &Object) -> Self {
        match object {
            Object::String(string) => Self::String(string.as_bytes().to_vec()),
            Object::List(list) => Self::List(list.iter().map(|item| item.to_vec()).collect()),
            Object::Set(set) => Self::Set(set.iter().map(|item| item.to_vec()).collect()),
            Object::ZSet(zset) => Self::ZSet(
                zset.range(End::Head, 0..zset.len())
                    .map(|(member, score)| (member.to_vec(), score))
                    .collect(),
            ),
            Object::Hash(hash) if hash.volatile() > 0 => Self::VolatileHash(
                hash.iter(ALL_LIVE)
                    .map(|(field, value)| {
                        let field = field.to_vec();
                        let deadline = hash.deadline(&field, ALL_LIVE).unwrap();
                        (field, (value.to_vec(), deadline))
                    })
                    .collect(),
            ),
            Object::Hash(hash) => Self::Hash(
                hash.iter(ALL_LIVE)
                    .map(|(field, value)| (field.to_vec(), value.to_vec()))
                    .collect(),
            ),
            Object::Stream(stream) => Self::Stream(StreamModel::of(stream)),
        }
    }

    pub(crate) fn of_value(value: &Value<'_>) -> (Self, &'static str) {
        match value {
            Value::Bytes(bytes) => (Self::String(bytes.to_vec()), "string"),
            Value::Integer(integer) => (Self::String(integer.to_string().into_bytes()), "int"),
            Value::Object(object) => (Self::of(object), object.encoding().name()),
        }
    }
}

impl StreamModel {
    fn of(stream: &Stream) -> Self {
        let entries = stream
            .entries
            .range(StreamId::MIN, StreamId::MAX, Direction::Forward)
            .map(|entry| {
                let words = entry
                    .fields
                    .flat_map(|(field, value)| [field.to_vec(), value.to_vec()]);
                (entry.id, words.collect())
            });
        let groups = stream.groups.iter().map(|(name, group)| {
            let pending = group
                .pending_from(StreamId::MIN)
                .map(|pending| (pending.id, pending.delivered_ms, pending.deliveries));
            let consumers = group.consumers().map(|(_, consumer)| {
                let ids = consumer.pending_from(StreamId::MIN).collect();
                (
                    consumer.name().to_vec(),
                    consumer.seen_ms,
                    consumer.active_ms,
                    ids,
                )
            });
            let model = (
                group.last_id,
                group.entries_read,
                pending.collect(),
                consumers.collect(),
            );
            (name.to_vec(), model)
        });
        Self {
            entries: entries.collect(),
            totals: stream.entries.totals(),
            groups: groups.collect(),
        }
    }
}

/// Reads a whole file.
pub(crate) fn read(bytes: &[u8], sanitize: Sanitize) -> Result<File, RdbError> {
    read_with(bytes, &Tuning::default(), sanitize, Checksums::Verify)
}

pub(crate) fn read_with(
    bytes: &[u8],
    tuning: &Tuning,
    sanitize: Sanitize,
    checksums: Checksums,
) -> Result<File, RdbError> {
    let mut reader = RdbReader::new(bytes, tuning, sanitize, checksums);
    let mut file = File::default();
    while let Some(item) = reader.next_item()? {
        match item {
            RdbItem::Aux { name, value } => {
                file.aux.insert(name.to_vec(), value.to_vec());
            }
            RdbItem::SelectDb(_) => {}
            RdbItem::Resize { keys, volatile } => file.sizes.push((keys, volatile)),
            RdbItem::Function(code) => file.functions.push(code.to_vec()),
            RdbItem::EmptyKey(key) => file.empty_keys.push(key.to_vec()),
            RdbItem::Record(record) => {
                let (value, encoding) = Model::of_value(&record.value);
                let key = Key {
                    value,
                    encoding,
                    expiry: record.expiry,
                    idle_seconds: record.idle_seconds,
                    frequency: record.frequency,
                };
                file.keys.insert((record.db, record.key.to_vec()), key);
            }
        }
    }
    Ok(file)
}

/// A payload of these bytes under the frame of a version; its checksum is not meant to be looked at.
pub(crate) fn payload(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], body, &[11, 0], &[0; 8]].concat()
}

/// Reads the value of a payload whose checksum is not looked at.
pub(crate) fn restored(
    payload: &[u8],
    sanitize: Sanitize,
) -> Result<(Model, &'static str), RdbError> {
    restored_with(payload, &Tuning::default(), sanitize)
}

pub(crate) fn restored_with(
    payload: &[u8],
    tuning: &Tuning,
    sanitize: Sanitize,
) -> Result<(Model, &'static str), RdbError> {
    persist::restore(payload, tuning, sanitize, Checksums::Ignore, |value| {
        Model::of_value(&value)
    })
}
