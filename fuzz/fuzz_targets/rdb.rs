//! RDB files and DUMP payloads: arbitrary bytes never panic; a value that was accepted is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use persist::{Checksums, Compression, RdbItem, RdbReader, RdbVersion, Sanitize, Value};
use store::{Object, Tuning, ValueRef};

fuzz_target!(|data: &[u8]| {
    // The first byte says how closely to look, and what the rest is.
    let [choice, input @ ..] = data else { return };
    let sanitize = if choice & 1 == 0 {
        Sanitize::Framing
    } else {
        Sanitize::Deep
    };
    let tuning = Tuning {
        hash_max_listpack_entries: 16,
        set_max_listpack_entries: 16,
        zset_max_listpack_entries: 16,
        ..Tuning::default()
    };
    if choice & 2 == 0 {
        file(input, &tuning, sanitize);
    } else {
        // Version and checksum are put behind what is to be a value, so that they are not in the way.
        let payload = [input, &[11, 0], &[0; 8]].concat();
        let _refused = persist::restore(&payload, &tuning, sanitize, Checksums::Ignore, |value| {
            comes_back(&value, &tuning)
        });
    }
});

/// Reads a file to its end.
fn file(input: &[u8], tuning: &Tuning, sanitize: Sanitize) {
    let mut reader = RdbReader::new(input, tuning, sanitize, Checksums::Ignore);
    while let Ok(Some(item)) = reader.next_item() {
        if let RdbItem::Record(record) = item {
            comes_back(&record.value, tuning);
        }
    }
    assert!(reader.offset() <= input.len() as u64);
}

/// Writes a value and reads it again.
fn comes_back(value: &Value<'_>, tuning: &Tuning) {
    let value = match value {
        Value::Bytes(bytes) => ValueRef::Bytes(bytes),
        Value::Integer(integer) => ValueRef::Integer(*integer),
        Value::Object(object) => ValueRef::Boxed(object),
    };
    let len = match &value {
        ValueRef::Boxed(object) => object.len(),
        _ => 1,
    };
    let payload = persist::dump(value, RdbVersion::V11, Compression::Lzf);
    let back = persist::restore(
        &payload,
        tuning,
        Sanitize::Framing,
        Checksums::Verify,
        |value| match value {
            Value::Object(object) => Object::len(&object),
            Value::Bytes(_) | Value::Integer(_) => 1,
        },
    );
    assert_eq!(back, Ok(len));
}
