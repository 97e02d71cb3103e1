//! Files that Redis 7.0.15 wrote: tests/data/make.sh says how.

use std::collections::BTreeMap;

use persist::{
    Access, Checksums, Compression, KeyFacts, RdbItem, RdbReader, RdbVersion, RdbWriter, Reason,
    Sanitize, Value, Verified,
};
use store::stream::{StreamId, Totals};
use store::{Tuning, ValueRef};

use crate::model::{File, Model, read, read_with};

const EVERY_TYPE: &[u8] = include_bytes!("../data/every-type-7.0.rdb");
const STREAMS: &[u8] = include_bytes!("../data/streams-7.0.rdb");

fn string(text: &str) -> Model {
    Model::String(text.as_bytes().to_vec())
}

fn value(file: &File, key: &str) -> (Model, &'static str) {
    let key = &file.keys[&(0, key.as_bytes().to_vec())];
    (key.value.clone(), key.encoding)
}

#[test]
fn every_type_is_read() {
    let file = read(EVERY_TYPE, Sanitize::Deep).unwrap();
    assert_eq!(file.aux[&b"redis-ver"[..]], b"7.0.15");
    assert_eq!(file.functions.len(), 1);
    assert!(file.functions[0].starts_with(b"#!lua name=lib\n"));
    assert_eq!(file.sizes, [(17, 1), (1, 0)]);
    assert_eq!(file.keys.len(), 18);
    assert_eq!(file.keys[&(9, b"other".to_vec())].value, string("db"));

    assert_eq!(value(&file, "text"), (string("hello"), "string"));
    assert_eq!(value(&file, "empty"), (string(""), "string"));
    for number in ["7", "-129", "40000", "2147483648", "-9223372036854775808"] {
        assert_eq!(
            value(&file, &format!("int:{number}")),
            (string(number), "int")
        );
    }
    let mut long = vec![0; 3000];
    long[2999] = b'x';
    assert_eq!(
        value(&file, "compressible"),
        (Model::String(long), "string")
    );
    let expires = &file.keys[&(0, b"expires".to_vec())];
    assert_eq!(
        (expires.expiry, &expires.value),
        (Some(4_102_444_800_123), &string("soon"))
    );
    assert!(file.keys.values().all(|key| key.idle_seconds.is_some()));
}

#[test]
fn every_collection_is_read() {
    let file = read(EVERY_TYPE, Sanitize::Deep).unwrap();
    let texts = |items: &[&str]| -> Vec<Vec<u8>> {
        items.iter().map(|item| item.as_bytes().to_vec()).collect()
    };
    let one = format!("{:070}", 1);
    assert_eq!(
        value(&file, "list:packed"),
        (
            Model::List(texts(&["1", "two", "3000000000", "-5", &one])),
            "listpack"
        )
    );
    let nodes = (1..=60).flat_map(|n| [n.to_string().into_bytes(), format!("{n:0300}").into()]);
    assert_eq!(
        value(&file, "list:nodes"),
        (Model::List(nodes.collect()), "quicklist")
    );
    assert_eq!(
        value(&file, "set:ints"),
        (
            Model::Set(texts(&["5", "-70000", "5000000000"]).into_iter().collect()),
            "intset"
        )
    );
    // 7.0 had no packed sets; read, the set takes the form that it would have here.
    assert_eq!(
        value(&file, "set:table"),
        (
            Model::Set(texts(&["a", "b", "c"]).into_iter().collect()),
            "listpack"
        )
    );
    let mut packed: Vec<(Vec<u8>, f64)> = (1..=20)
        .flat_map(|n| {
            [
                (format!("m{n}").into(), f64::from(n)),
                (format!("h{n}").into(), f64::from(n) + 0.5),
            ]
        })
        .collect();
    packed.insert(0, (b"low".to_vec(), f64::NEG_INFINITY));
    packed.push((b"high".to_vec(), f64::INFINITY));
    assert_eq!(
        value(&file, "zset:packed"),
        (Model::ZSet(packed), "listpack")
    );
    let tree = (1..=200).map(|n| (format!("member:{n}").into(), f64::from(n) + 0.25));
    assert_eq!(
        value(&file, "zset:tree"),
        (Model::ZSet(tree.collect()), "skiplist")
    );
    let three = format!("{:060}", 3);
    let packed = [("name", "value"), ("number", "12"), ("long", &three)]
        .map(|(field, value)| (field.into(), value.into()));
    assert_eq!(
        value(&file, "hash:packed"),
        (Model::Hash(packed.into()), "listpack")
    );
    let table = (1..=600).map(|n| (format!("field:{n}").into(), format!("value:{n}").into()));
    assert_eq!(
        value(&file, "hash:table"),
        (Model::Hash(table.collect()), "hashtable")
    );
}

#[test]
fn streams_are_read() {
    let file = read(STREAMS, Sanitize::Deep).unwrap();
    let stream = |key: &str| match value(&file, key) {
        (Model::Stream(stream), "stream") => stream,
        other => panic!("{other:?}"),
    };
    let words = |words: &[&str]| -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    };
    let id = StreamId::new;
    let short = stream("stream");
    assert_eq!(
        short.entries,
        [
            (id(1, 1), words(&["a", "1", "b", "2"])),
            (id(5, 0), words(&["other", "field"]))
        ]
    );
    assert_eq!(
        short.totals,
        Totals {
            length: 2,
            first_id: id(1, 1),
            last_id: id(5, 0),
            max_deleted_id: id(1, 2),
            entries_added: 3
        }
    );
    let (last_id, read, pending, consumers) = &short.groups[&b"group"[..]];
    // An entry was deleted before the group read: nobody can tell how many came before.
    assert_eq!((*last_id, *read), (id(1, 1), None));
    assert_eq!(
        (pending[0].0, pending[0].2, pending.len()),
        (id(1, 1), 1, 1)
    );
    let names: Vec<(&[u8], &[StreamId])> = consumers
        .iter()
        .map(|(name, _, _, ids)| (&name[..], &ids[..]))
        .collect();
    assert_eq!(names, [(&b"consumer"[..], &[id(1, 1)][..]), (b"idle", &[])]);

    let long = stream("long");
    let expected = (1..=300).map(|n| (id(n, 1), words(&["field", &n.to_string()])));
    assert_eq!(long.entries, expected.collect::<Vec<_>>());
    assert_eq!(long.totals.entries_added, 300);
}

/// The bytes of each record, written again, are the bytes that Redis wrote, compression included.
#[test]
fn records_are_written_as_redis_writes_them() {
    assert_eq!(compare_records(EVERY_TYPE), 16);
    assert_eq!(compare_records(STREAMS), 2);
}

/// Compares what we write of each record of `original` with it; how many records were compared.
fn compare_records(original: &[u8]) -> usize {
    let tuning = Tuning::default();
    let mut reader = RdbReader::new(original, &tuning, Sanitize::Deep, Checksums::Verify);
    let (mut start, mut compared) = (reader.offset(), 0);
    loop {
        let item = reader.next_item().unwrap();
        let Some(item) = item else { break };
        let written = match item {
            RdbItem::Record(record) => {
                let facts = KeyFacts {
                    expiry: record.expiry,
                    access: Access::Idle(record.idle_seconds.unwrap()),
                };
                let value = match &record.value {
                    Value::Bytes(bytes) => ValueRef::Bytes(bytes),
                    Value::Integer(integer) => ValueRef::Integer(*integer),
                    Value::Object(object) => ValueRef::Boxed(object),
                };
                let in_order = !matches!(record.key, b"set:table" | b"hash:table");
                in_order.then(|| written(record.key, value, &facts))
            }
            _ => None,
        };
        let end = reader.offset();
        if let Some(written) = written {
            assert_eq!(
                written.escape_ascii().to_string(),
                original[start as usize..end as usize]
                    .escape_ascii()
                    .to_string()
            );
            compared += 1;
        }
        start = end;
    }
    assert_eq!(reader.verified(), Some(Verified::Right));
    compared
}

/// The bytes of one record in a file of Redis 7.0's version.
fn written(key: &[u8], value: ValueRef<'_, store::Object>, facts: &KeyFacts) -> Vec<u8> {
    let mut writer = RdbWriter::new(
        Vec::new(),
        RdbVersion::V10,
        Compression::Lzf,
        Checksums::Ignore,
    )
    .unwrap();
    writer.record(key, value, facts).unwrap();
    let bytes = writer.finish().unwrap();
    bytes[9..bytes.len() - 9].to_vec()
}

#[test]
fn a_damaged_file_is_refused() {
    let mut bytes = EVERY_TYPE.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let error = read(&bytes, Sanitize::Framing).unwrap_err();
    assert!(matches!(error.reason, Reason::Checksum { .. }), "{error}");
    let ignored = read_with(
        &bytes,
        &Tuning::default(),
        Sanitize::Framing,
        Checksums::Ignore,
    );
    assert_eq!(ignored, read(EVERY_TYPE, Sanitize::Framing));
    let tail = bytes.len() - 8;
    bytes[tail..].fill(0);
    assert!(read(&bytes, Sanitize::Framing).is_ok());
    for cut in (0..EVERY_TYPE.len()).step_by(41) {
        let error = read(&EVERY_TYPE[..cut], Sanitize::Framing).unwrap_err();
        assert_eq!(error.reason, Reason::EndOfInput, "cut at {cut}");
    }
}

#[test]
fn versions_and_opcodes_are_known_or_refused() {
    let refused = |bytes: &[u8]| read(bytes, Sanitize::Framing).unwrap_err();
    assert_eq!(refused(b"RIDES0010\xff").reason, Reason::Signature);
    assert_eq!(refused(b"REDIS0012\xff").reason, Reason::Version(12));
    assert_eq!(refused(b"REDIS0000\xff").reason, Reason::Version(0));
    assert_eq!(refused(b"REDIS+001\xff").reason, Reason::Version(0));
    assert_eq!(refused(b"VALKEY081\xff").reason, Reason::Version(81));
    assert_eq!(refused(b"REDIS0011\xf6").reason, Reason::FunctionPreRelease);
    assert_eq!(refused(b"REDIS0011\xf3").reason, Reason::SlotImport);
    assert_eq!(refused(b"REDIS0011\x08").reason, Reason::Type(8));
    assert_eq!(
        refused(b"REDIS0011\x07\x01k\x81\0\0\0\0\0\0\0\0").reason,
        Reason::Module(*b"AAAAAAAAA")
    );
    let error = refused(b"REDIS0011\xf7\x81\0\0\0\0\0\0\0\0");
    assert_eq!(
        (error.offset, error.reason),
        (19, Reason::ModuleAux(*b"AAAAAAAAA"))
    );

    // Before version 5 there was no checksum; before version 3 deadlines were in seconds.
    let old = b"REDIS0002\xfe\x03\xfd\x10\0\0\0\x00\x01k\x01v\xff";
    let file = read(old, Sanitize::Framing).unwrap();
    let key = &file.keys[&(3, b"k".to_vec())];
    assert_eq!((key.expiry, &key.value), (Some(16_000), &string("v")));

    // Valkey 9, with the size of a slot.
    let valkey =
        b"VALKEY080\xf4\x01\x02\x03\xf9\x07\x00\x01k\x01v\x00\x01l\x01w\xff\0\0\0\0\0\0\0\0";
    let file = read(valkey, Sanitize::Framing).unwrap();
    let frequencies: BTreeMap<_, _> = file
        .keys
        .into_iter()
        .map(|((_, name), key)| (name, key.frequency))
        .collect();
    assert_eq!(
        frequencies,
        BTreeMap::from([(b"k".to_vec(), Some(7)), (b"l".to_vec(), None)])
    );
}

#[test]
fn what_follows_a_file_is_given_back() {
    let bytes = b"REDIS0011\xff\0\0\0\0\0\0\0\0*1\r\n";
    let tuning = Tuning::default();
    let mut reader = RdbReader::new(&bytes[..], &tuning, Sanitize::Framing, Checksums::Verify);
    assert!(reader.next_item().unwrap().is_none());
    assert_eq!(
        (reader.version(), reader.verified(), reader.offset()),
        (Some(11), Some(Verified::Absent), 18)
    );
    assert!(reader.next_item().unwrap().is_none());
    assert_eq!(reader.into_parts().1, b"*1\r\n");
}
