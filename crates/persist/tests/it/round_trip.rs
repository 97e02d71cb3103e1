//! What is written is read again, in both versions, compressed or not, whole or in pieces.

use persist::{
    Access, Checksums, Collection, Compression, FileInfo, KeyFacts, RdbVersion, RdbWriter,
    Replication, Sanitize,
};
use proptest::prelude::*;
use store::ALL_LIVE;
use store::list::End;
use store::stream::{Group, Pending, StreamId};
use store::{FieldExpiry, Hash, Item, List, Object, Set, Stream, Tuning, ValueRef, ZSet};

use crate::model::{Model, read, restored};

fn tuning() -> Tuning {
    Tuning {
        hash_max_listpack_entries: 8,
        hash_max_listpack_value: 30,
        set_max_intset_entries: 8,
        set_max_listpack_entries: 10,
        set_max_listpack_value: 30,
        zset_max_listpack_entries: 8,
        zset_max_listpack_value: 30,
        list_max_listpack_size: 6,
        list_packed_threshold: 200,
        stream_node_max_entries: 7,
        ..Tuning::default()
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..24),
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        any::<i16>().prop_map(|value| value.to_string().into_bytes()),
        (0..20u8, 20..900usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn object() -> impl Strategy<Value = Object> {
    let many = || prop::collection::vec(bytes(), 1..20);
    prop_oneof![
        bytes().prop_map(|value| Object::string(&value)),
        many().prop_map(|elements| {
            let mut list = List::new();
            list.push_all(&tuning(), End::Tail, elements.iter().map(Vec::as_slice));
            Object::List(list)
        }),
        many().prop_map(|members| {
            let mut set = Set::new();
            for member in &members {
                set.add(&tuning(), &member[..]);
            }
            Object::Set(set)
        }),
        prop::collection::vec(any::<i64>(), 1..20).prop_map(|members| {
            let mut set = Set::new();
            for member in members {
                set.add(&tuning(), Item::Integer(member));
            }
            Object::Set(set)
        }),
        prop::collection::vec((bytes(), any::<f64>()), 1..20)
            .prop_filter("a score", |members| members
                .iter()
                .all(|(_, score)| !score.is_nan()))
            .prop_map(|members| {
                let mut zset = ZSet::new();
                for (member, score) in &members {
                    zset.insert(&tuning(), member, *score);
                }
                Object::ZSet(zset)
            }),
        prop::collection::vec((bytes(), bytes()), 1..20).prop_map(|fields| {
            let mut hash = Hash::new();
            for (field, value) in &fields {
                hash.set(&tuning(), field, value);
            }
            Object::Hash(hash)
        }),
        prop::collection::vec((bytes(), bytes(), 0..4_000_000_000_000_i64), 1..20).prop_map(
            |fields| {
                let mut hash = Hash::new();
                for (field, value, deadline) in &fields {
                    let expiry = match deadline % 3 {
                        0 => FieldExpiry::None,
                        _ => FieldExpiry::At(*deadline),
                    };
                    hash.set_at(&tuning(), field, value, expiry, 1_000);
                }
                Object::Hash(hash)
            }
        ),
        stream(),
    ]
}

/// Streams of entries by turns of the same fields and others, with deleted ones, and groups that have read some.
fn stream() -> impl Strategy<Value = Object> {
    let entries = prop::collection::vec((1..3u64, bytes(), bytes(), any::<bool>()), 0..30);
    let groups = prop::collection::vec((bytes(), prop::option::of(0..9i64), 0..20usize), 0..3);
    (entries, groups, prop::collection::vec(0..40u64, 0..5)).prop_map(
        |(entries, groups, deleted)| {
            let mut stream = Stream::new();
            let (mut ids, mut last) = (Vec::new(), 0);
            for (step, field, value, usual) in &entries {
                last += step;
                let id = StreamId::new(last, 7);
                let field: &[u8] = if *usual { b"usual" } else { field };
                stream.entries.append(&tuning(), id, &[field, value]);
                ids.push(id);
            }
            let deleted: Vec<StreamId> =
                deleted.into_iter().map(|ms| StreamId::new(ms, 7)).collect();
            stream.entries.delete(&deleted);
            for (name, read, pending) in groups {
                let mut group = Group::new(StreamId::new(3, 1), read);
                let reader = group.create_consumer(b"reader", 12345);
                group.create_consumer(b"idle", 77);
                if let Some(reader) = reader {
                    for &id in ids.iter().take(pending) {
                        group.assign(Pending {
                            id,
                            delivered_ms: 99,
                            deliveries: id.ms << 30,
                            owner: reader,
                        });
                    }
                    if let Some(consumer) = group.consumer_mut(reader) {
                        consumer.active_ms = Some(5);
                    }
                }
                stream.groups.insert(name.into(), group);
            }
            Object::Stream(Box::new(stream))
        },
    )
}

/// What version 10 does not keep is put back into what came through it.
fn forget_active(model: Model) -> Model {
    let Model::Stream(mut stream) = model else {
        return model;
    };
    for (_, _, _, consumers) in stream.groups.values_mut() {
        for (_, seen, active, _) in consumers {
            *active = Some(*seen);
        }
    }
    Model::Stream(stream)
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        Just(Access::Untold),
        (0..1u64 << 40).prop_map(Access::Idle),
        any::<u8>().prop_map(Access::Frequency),
    ]
}

/// Writes `object` in pieces, as a snapshot does that splits it.
fn write_in_pieces(writer: &mut RdbWriter<Vec<u8>>, key: &[u8], object: &Object, facts: &KeyFacts) {
    match object {
        Object::String(_) | Object::Stream(_) => {
            writer.record(key, ValueRef::Boxed(object), facts).unwrap()
        }
        Object::List(list) => {
            let count = list.nodes().count();
            writer.begin(key, Collection::List(count), facts).unwrap();
            list.nodes().for_each(|node| writer.node(node).unwrap());
        }
        Object::Set(set) => {
            writer
                .begin(key, Collection::Set(set.len()), facts)
                .unwrap();
            set.iter().for_each(|member| writer.member(member).unwrap());
        }
        Object::ZSet(zset) => {
            writer
                .begin(key, Collection::ZSet(zset.len()), facts)
                .unwrap();
            for (member, score) in zset.range(End::Tail, 0..zset.len()) {
                writer.scored(member, score).unwrap();
            }
        }
        Object::Hash(hash) if hash.volatile() > 0 => {
            writer
                .begin(key, Collection::VolatileHash(hash.len()), facts)
                .unwrap();
            for pair in hash.table().unwrap().iter() {
                let (field, value) = (Item::Bytes(pair.field()), Item::Bytes(pair.value()));
                writer.volatile_field(field, value, pair.expiry()).unwrap();
            }
        }
        Object::Hash(hash) => {
            writer
                .begin(key, Collection::Hash(hash.len()), facts)
                .unwrap();
            for (field, value) in hash.iter(ALL_LIVE) {
                writer.field(field, value).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn payloads_come_back(
        object in object(),
        version in prop_oneof![Just(RdbVersion::V10), Just(RdbVersion::V11)],
        compression in prop_oneof![Just(Compression::Lzf), Just(Compression::None)],
    ) {
        let payload = persist::dump(ValueRef::Boxed(&object), version, compression);
        let back = persist::restore(&payload, &tuning(), Sanitize::Deep, Checksums::Verify, |value| {
            Model::of_value(&value)
        });
        let (model, encoding) = back.unwrap();
        let expected = Model::of(&object);
        prop_assert_eq!(model, if version == RdbVersion::V10 { forget_active(expected) } else { expected });
        // A list built by pushes keeps the long form while it shrinks or grows; sets in version 10 forget theirs.
        let told = !matches!(object, Object::String(_) | Object::List(_) | Object::Set(_));
        prop_assert!(!told || encoding == object.encoding().name());
        if version == RdbVersion::V11 && let Object::Set(set) = &object {
            prop_assert_eq!(encoding, set.encoding().name());
        }
    }

    #[test]
    fn files_come_back(
        records in prop::collection::btree_map((0..3u64, bytes()), (object(), any::<Option<i64>>(), access()), 0..12),
        compression in prop_oneof![Just(Compression::Lzf), Just(Compression::None)],
        checksums in prop_oneof![Just(Checksums::Verify), Just(Checksums::Ignore)],
        pieces in any::<bool>(),
    ) {
        let volatile = |object: &Object| matches!(object, Object::Hash(hash) if hash.volatile() > 0);
        let version = RdbVersion::of(records.values().any(|(object, ..)| volatile(object)));
        let mut writer = RdbWriter::new(Vec::new(), version, compression, checksums).unwrap();
        let mut selected = None;
        for ((db, key), (object, expiry, access)) in &records {
            if selected != Some(*db) {
                writer.select(*db, 1, 0).unwrap();
                selected = Some(*db);
            }
            let facts = KeyFacts { expiry: *expiry, access: *access };
            if pieces {
                write_in_pieces(&mut writer, key, object, &facts);
            } else {
                writer.record(key, ValueRef::Boxed(object), &facts).unwrap();
            }
        }
        let position = writer.position();
        let bytes = writer.finish().unwrap();
        prop_assert_eq!(bytes.len() as u64, position + 9);
        let file = read(&bytes, Sanitize::Deep).unwrap();
        prop_assert_eq!(file.keys.len(), records.len());
        for (key, (object, expiry, access)) in &records {
            let found = &file.keys[key];
            prop_assert_eq!(&found.value, &Model::of(object));
            prop_assert_eq!(found.expiry, *expiry);
            let told = match access {
                Access::Untold => (None, None),
                Access::Idle(seconds) => (Some(*seconds), None),
                Access::Frequency(counter) => (None, Some(*counter)),
            };
            prop_assert_eq!((found.idle_seconds, found.frequency), told);
        }
    }

    #[test]
    fn strings_come_back(value in bytes()) {
        let payload = persist::dump(ValueRef::Bytes(&value), RdbVersion::V11, Compression::Lzf);
        let (model, encoding) = restored(&payload, Sanitize::Deep).unwrap();
        prop_assert_eq!(model, Model::String(value.clone()));
        prop_assert_eq!(encoding == "int", store::parse_integer(&value).is_some());
    }
}

#[test]
fn payloads_have_the_bytes_of_redis() {
    // What DUMP of Redis 7.2 answers for SET k 10 and SET k hello.
    let ten = persist::dump(ValueRef::Integer(10), RdbVersion::V11, Compression::Lzf);
    assert_eq!(&ten[..5], b"\x00\xc0\x0a\x0b\x00");
    let hello = persist::dump(ValueRef::Bytes(b"hello"), RdbVersion::V11, Compression::Lzf);
    assert_eq!(&hello[..9], b"\x00\x05hello\x0b\x00");
    assert_eq!((ten.len(), hello.len()), (13, 17));
}

#[test]
fn facts_of_the_file_come_in_the_order_of_redis() {
    let mut writer = RdbWriter::new(
        Vec::new(),
        RdbVersion::V11,
        Compression::None,
        Checksums::Verify,
    )
    .unwrap();
    let id = "0123456789abcdef0123456789abcdef01234567";
    writer
        .info(&FileInfo {
            redis_version: "7.2.6",
            created: 1_700_000_000,
            used_memory: 1000,
            replication: Some(Replication {
                stream_db: 0,
                id,
                offset: 42,
            }),
            aof_base: false,
        })
        .unwrap();
    writer.function(b"#!lua name=f\n").unwrap();
    let bytes = writer.finish().unwrap();
    let head = b"REDIS0011\xfa\x09redis-ver\x057.2.6\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\x00\xf1\x53\x65\
        \xfa\x08used-mem\xc1\xe8\x03\xfa\x0erepl-stream-db\xc0\x00\xfa\x07repl-id\x28";
    assert_eq!(
        bytes[..head.len()].escape_ascii().to_string(),
        head.escape_ascii().to_string()
    );
    let file = read(&bytes, Sanitize::Framing).unwrap();
    assert_eq!(file.aux[&b"repl-offset"[..]], b"42");
    assert_eq!(file.functions, [b"#!lua name=f\n"]);
}

/// A list of over 64 kB goes through the buffers of both sides in pieces.
#[test]
fn long_values_come_back() {
    let tuning = Tuning::default();
    let mut list = List::new();
    for index in 0..20_000u32 {
        list.push(&tuning, End::Tail, format!("element {index}").as_bytes());
    }
    let object = Object::List(list);
    let string = Object::string(&vec![7u8; 3 << 20]);
    for compression in [Compression::Lzf, Compression::None] {
        let mut writer =
            RdbWriter::new(Vec::new(), RdbVersion::V11, compression, Checksums::Verify).unwrap();
        let facts = KeyFacts::default();
        writer
            .record(b"list", ValueRef::Boxed(&object), &facts)
            .unwrap();
        writer
            .record(b"string", ValueRef::Boxed(&string), &facts)
            .unwrap();
        writer
            .record(b"again", ValueRef::Boxed(&object), &facts)
            .unwrap();
        let file = read(&writer.finish().unwrap(), Sanitize::Deep).unwrap();
        for (name, object) in [("list", &object), ("string", &string), ("again", &object)] {
            assert_eq!(
                file.keys[&(0, name.as_bytes().to_vec())].value,
                Model::of(object)
            );
        }
    }
}
