//! Bytes that mean harm: nothing panics, and what is accepted is a value that can be used.

use persist::{Checksums, Compression, RdbVersion, Reason, Sanitize, Value};
use proptest::prelude::*;
use store::ALL_LIVE;
use store::list::End;
use store::stream::{Direction, Group, Keep, NewId, Pending, Precision, StreamId};
use store::{Hash, Item, List, Object, Set, Stream, Tuning, ValueRef, ZSet};

use crate::model::{Model, payload, read_with, restored};

/// Uses a value in the ways in which commands do; a packed one that lies about itself would show here.
fn exercise(object: &mut Object) {
    let tuning = Tuning::default();
    let mut random = || 0x9E37_79B9_7F4A_7C15;
    let len = object.len();
    match object {
        Object::String(_) => {}
        Object::List(list) => {
            assert_eq!(list.iter().count(), len);
            list.push(&tuning, End::Head, b"new");
            list.set(&tuning, len / 2, b"set");
            list.remove_equal(&tuning, b"new", End::Tail, 1);
            while list.pop(&tuning, End::Tail, |_| ()).is_some() {}
        }
        Object::Set(set) => {
            assert_eq!(set.iter().count(), len);
            set.add(&tuning, &b"new"[..]);
            assert!(set.random(&mut random).is_some());
            while set.take_random(&mut random, |_| ()).is_some() {}
        }
        Object::ZSet(zset) => {
            assert_eq!(zset.range(End::Head, 0..len).count(), len);
            zset.insert(&tuning, b"new", 0.5);
            assert!(zset.rank(b"new").is_some());
            while zset.pop(End::Tail, |_, _| ()).is_some() {}
        }
        Object::Hash(hash) => {
            assert_eq!(hash.iter(ALL_LIVE).count(), len);
            hash.set(&tuning, b"new", b"value");
            assert!(hash.random(&mut random, ALL_LIVE).is_some());
            hash.remove(b"new", ALL_LIVE);
            hash.expire(i64::MAX, usize::MAX, |_| ());
        }
        Object::Stream(stream) => exercise_stream(stream, &tuning),
    }
}

fn exercise_stream(stream: &mut Stream, tuning: &Tuning) {
    let ids = |stream: &Stream, direction| -> Vec<StreamId> {
        let entries = stream
            .entries
            .range(StreamId::MIN, StreamId::MAX, direction);
        entries.map(|entry| entry.id).collect()
    };
    let forward = ids(stream, Direction::Forward);
    ids(stream, Direction::Backward);
    stream.memory(5);
    stream.entries.newest_id();
    stream.entries.estimate(StreamId::MIN, StreamId::MAX);
    for group in stream.groups.values() {
        assert!(group.is_owned());
        stream.lag(group);
    }
    let last = stream.entries.totals().last_id;
    if let Some(id) = NewId::Auto.after(last, 5) {
        stream.entries.append(tuning, id, &[b"field", b"value"]);
    }
    stream.entries.delete(forward.get(..2).unwrap_or(&forward));
    for group in stream.groups.values_mut() {
        while let Some(pending) = group.first_pending() {
            group.release(pending.id);
        }
    }
    stream.entries.trim(Keep::Newest(1), Precision::Exact);
    stream
        .entries
        .trim(Keep::From(StreamId::MAX), Precision::WholeNodes(2));
}

fn try_restore(payload: &[u8], sanitize: Sanitize) {
    let _refused = persist::restore(
        payload,
        &Tuning::default(),
        sanitize,
        Checksums::Ignore,
        |value| {
            if let Value::Object(mut object) = value {
                // What was accepted can be written, and is then read by the deepest look unless members come twice.
                let again =
                    persist::dump(ValueRef::Boxed(&object), RdbVersion::V11, Compression::Lzf);
                let back = restored(&again, Sanitize::Framing).map(|(model, _)| model);
                assert_eq!(back, Ok(Model::of(&object)));
                exercise(&mut object);
            }
        },
    );
}

fn objects() -> Vec<Object> {
    let tuning = Tuning {
        list_max_listpack_size: 4,
        ..Tuning::default()
    };
    let (mut list, mut set, mut ints) = (List::new(), Set::new(), Set::new());
    let (mut zset, mut hash) = (ZSet::new(), Hash::new());
    for index in 0..12i64 {
        let text = format!("{}{index}", "long ".repeat(index as usize));
        list.push(&tuning, End::Tail, text.as_bytes());
        set.add(&tuning, text.as_bytes());
        ints.add(&tuning, Item::Integer(index * 1000));
        zset.insert(&tuning, text.as_bytes(), index as f64 / 2.0);
        hash.set(&tuning, text.as_bytes(), &index.to_le_bytes());
    }
    let mut stream = Stream::new();
    for index in 0..12u64 {
        let id = StreamId::new(1000 + index / 2, index);
        let other = format!("field {index}");
        let field: &[u8] = if index % 3 == 0 {
            other.as_bytes()
        } else {
            b"f"
        };
        stream
            .entries
            .append(&tuning, id, &[field, b"value", b"g", b"12"]);
    }
    stream.entries.delete(&[StreamId::new(1001, 3)]);
    let mut group = Group::new(StreamId::new(1002, 4), Some(4));
    for name in [&b"one"[..], b"two"] {
        let owner = group.create_consumer(name, 7).unwrap();
        let id = StreamId::new(1000, name.len() as u64 % 2 + u64::from(name == b"two"));
        group.assign(Pending {
            id,
            delivered_ms: 5,
            deliveries: 1,
            owner,
        });
    }
    stream.groups.insert(b"group"[..].into(), group);
    vec![
        Object::Stream(Box::new(stream)),
        Object::string(&[b'x'; 300]),
        Object::List(list),
        Object::Set(set),
        Object::Set(ints),
        Object::ZSet(zset),
        Object::Hash(hash),
    ]
}

#[test]
fn one_changed_byte_does_no_harm() {
    for object in objects() {
        for compression in [Compression::None, Compression::Lzf] {
            let payload = persist::dump(ValueRef::Boxed(&object), RdbVersion::V11, compression);
            for at in 0..payload.len() - 10 {
                for change in [0x01, 0x80, 0xff, 0x7f] {
                    let mut changed = payload.clone();
                    changed[at] ^= change;
                    try_restore(&changed, Sanitize::Framing);
                    try_restore(&changed, Sanitize::Deep);
                }
            }
        }
    }
}

#[test]
fn claimed_sizes_allocate_nothing() {
    for kind in [1, 2, 3, 4, 5, 14, 18, 22] {
        for length in [
            &b"\x80\xff\xff\xff\xff"[..],
            b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let error = restored(&payload(kind, length), Sanitize::Framing).unwrap_err();
            assert_eq!(error.reason, Reason::EndOfInput, "type {kind}");
        }
    }
    let huge = payload(0, b"\xc3\x02\x81\0\0\0\0\xff\xff\xff\xff\x00a");
    assert_eq!(
        restored(&huge, Sanitize::Framing).unwrap_err().reason,
        Reason::Lzf
    );
}

#[test]
fn frames_are_checked() {
    let tuning = Tuning::default();
    let good = persist::dump(ValueRef::Bytes(b"v"), RdbVersion::V11, Compression::Lzf);
    let open = |payload: &[u8], checksums| {
        persist::restore(payload, &tuning, Sanitize::Deep, checksums, |_| ())
            .map_err(|error| error.reason)
    };
    assert_eq!(open(&good, Checksums::Verify), Ok(()));
    for at in 0..good.len() {
        let mut wrong = good.clone();
        wrong[at] ^= 4;
        assert_eq!(open(&wrong, Checksums::Verify), Err(Reason::Payload));
    }
    for len in 0..10 {
        assert_eq!(open(&good[..len], Checksums::Ignore), Err(Reason::Payload));
    }
    assert_eq!(open(&good[3..], Checksums::Ignore), Err(Reason::EndOfInput));
    for (version, result) in [
        (6, Ok(())),
        (80, Ok(())),
        (12, Err(Reason::Payload)),
        (79, Err(Reason::Payload)),
        (81, Err(Reason::Payload)),
    ] {
        let mut other = good.clone();
        other[3] = version;
        assert_eq!(open(&other, Checksums::Ignore), result, "{version}");
    }
}

proptest! {
    #[test]
    fn any_payload_is_read_or_refused(kind in 0..24u8, body in prop::collection::vec(any::<u8>(), 0..120)) {
        try_restore(&payload(kind, &body), Sanitize::Framing);
        try_restore(&payload(kind, &body), Sanitize::Deep);
    }

    /// The frame of a packed value right, what is in it arbitrary.
    #[test]
    fn any_packed_value_is_read_or_refused(
        kind in prop_oneof![Just(16u8), Just(17), Just(20), Just(15)],
        count in any::<u16>(),
        content in prop::collection::vec(prop_oneof![any::<u8>(), 0x7e..0x84u8, 0..4u8], 0..50),
    ) {
        let len = content.len() + 7;
        let mut body = vec![len as u8];
        body.extend((len as u32).to_le_bytes());
        body.extend(if count % 2 == 0 { count % 12 } else { count }.to_le_bytes());
        body.extend(&content);
        body.push(0xff);
        if kind == 15 {
            let id = [&[1, 16][..], &[0; 16]].concat();
            body = [&id[..], &body, &[5, 1, 2, 0]].concat();
        }
        try_restore(&payload(kind, &body), Sanitize::Framing);
        try_restore(&payload(kind, &body), Sanitize::Deep);
        let node = [&[1, 2], &body[..]].concat();
        try_restore(&payload(18, &node), Sanitize::Framing);
    }

    #[test]
    fn any_file_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&b"REDIS0011"[..], &body].concat();
        let tuning = Tuning::default();
        let _ = read_with(&bytes, &tuning, Sanitize::Framing, Checksums::Ignore);
        let _ = read_with(&bytes, &tuning, Sanitize::Deep, Checksums::Verify);
    }
}
