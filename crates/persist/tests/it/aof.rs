//! Append-only files: what is read back, and what is said of files that were cut off or damaged.

use persist::{AofError, AofItem, AofReader, AofReason, CommandWriter};
use store::stream::{Pending, StreamId};
use store::{Hash, List, Object, Set, Stream, Tuning, ValueRef, ZSet};

/// All commands and annotations of a file, and where it cannot be read if so.
fn read(file: &[u8]) -> (Vec<String>, Option<AofError>) {
    let mut reader = AofReader::new(file, 0);
    let mut items = Vec::new();
    loop {
        match reader.next_item() {
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error)),
            Ok(Some(AofItem::Annotation(line))) => {
                items.push(String::from_utf8_lossy(line).into_owned());
            }
            Ok(Some(AofItem::Command(words))) => {
                let words: Vec<_> = words.iter().map(|w| w.escape_ascii().to_string()).collect();
                items.push(words.join(" "));
            }
        }
    }
}

#[test]
fn commands_and_annotations_are_read_in_their_order() {
    let file =
        b"#TS:1628217470\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n#TS:1\r\n*1\r\n$4\r\nPING\r\n";
    let (items, error) = read(file);
    assert_eq!(items, ["#TS:1628217470", "SET a ", "#TS:1", "PING"]);
    assert_eq!(error, None);
}

#[test]
fn a_file_cut_off_anywhere_says_where_its_last_command_begins() {
    let (first, second) = ("*1\r\n$4\r\nPING\r\n", "*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n");
    let file = [first, second].concat();
    for length in 0..file.len() {
        let (items, error) = read(&file.as_bytes()[..length]);
        let whole = length == 0 || length == first.len();
        assert_eq!(items.len(), usize::from(length >= first.len()), "{length}");
        assert_eq!(error.is_none(), whole, "{length}: {error:?}");
        assert!(error.is_none_or(|error| error.is_cut_off()), "{length}");
    }
}

#[test]
fn what_is_no_command_is_told_from_what_is_cut_off() {
    let cases: &[(&[u8], u64, AofReason)] = &[
        (
            b"!!!",
            0,
            AofReason::Prefix {
                expected: b'*',
                got: b'!',
            },
        ),
        (
            b"+OK\r\n",
            0,
            AofReason::Prefix {
                expected: b'*',
                got: b'+',
            },
        ),
        (
            b"*1\r\n:4\r\n",
            4,
            AofReason::Prefix {
                expected: b'$',
                got: b':',
            },
        ),
        (b"*0\r\n", 0, AofReason::Number),
        (b"*-1\r\n", 0, AofReason::Number),
        (b"*x\r\n", 0, AofReason::Number),
        (b"*1\r\n$-1\r\n", 4, AofReason::Number),
        (b"*1\r\n$1\r\nabc", 8, AofReason::LineEnd(*b"bc")),
        (b"*1\n$1\r\na\r\n", 0, AofReason::LineEnd(*b"1\n")),
        (
            b"*1\r\n$9\r\nab",
            8,
            AofReason::CutOff {
                expected: 11,
                got: 2,
            },
        ),
        (b"*1\r\n", 4, AofReason::CutOffLine),
    ];
    for (file, offset, reason) in cases {
        let (items, error) = read(file);
        assert_eq!(items, [""; 0]);
        let wanted = AofError {
            offset: *offset,
            reason: *reason,
        };
        assert_eq!(error, Some(wanted), "{}", file.escape_ascii());
    }
}

#[test]
fn a_length_that_is_claimed_takes_no_memory() {
    let (_, error) = read(b"*1\r\n$900000000000\r\nabc");
    assert!(error.is_some_and(|error| error.is_cut_off()));
}

#[test]
fn every_type_is_spelled_as_the_commands_that_make_it() {
    let tuning = Tuning::default();
    let mut out = CommandWriter::new(Vec::new());
    out.timestamp(1_628_217_470).unwrap();
    let mut record = |key: &str, value: ValueRef<'_, Object>, expiry| {
        out.record(0, key.as_bytes(), &value, expiry).unwrap();
    };
    record("s", ValueRef::Bytes(b"v"), None);
    record("n", ValueRef::Integer(-7), Some(1000));
    let mut list = List::new();
    list.push(&tuning, store::list::End::Tail, b"a");
    list.push(&tuning, store::list::End::Tail, b"2");
    record("l", ValueRef::Boxed(&Object::List(list)), None);
    let mut set = Set::new();
    set.add(&tuning, &b"3"[..]);
    record("i", ValueRef::Boxed(&Object::Set(set)), None);
    let mut zset = ZSet::new();
    zset.insert(&tuning, b"m", 1.5);
    zset.insert(&tuning, b"z", f64::INFINITY);
    record("z", ValueRef::Boxed(&Object::ZSet(zset)), None);
    let mut hash = Hash::new();
    hash.set(&tuning, b"f", b"v");
    hash.expire_at(&tuning, b"f", 5000, 0);
    record("h", ValueRef::Boxed(&Object::Hash(hash)), None);
    let (items, error) = read(&out.finish().unwrap());
    assert_eq!(error, None);
    assert_eq!(
        items,
        [
            "#TS:1628217470",
            "SELECT 0",
            "SET s v",
            "SET n -7",
            "PEXPIREAT n 1000",
            "RPUSH l a 2",
            "SADD i 3",
            "ZADD z 1.5 m inf z",
            "HMSET h f v",
            "HPEXPIREAT h 5000 FIELDS 1 f",
        ]
    );
}

#[test]
fn streams_are_spelled_with_their_groups() {
    let tuning = Tuning::default();
    let id = |ms| StreamId { ms, seq: 0 };
    let mut stream = Stream::new();
    stream.entries.append(&tuning, id(1), &[b"f", b"v"]);
    let mut group = store::stream::Group::new(id(1), Some(1));
    let owner = group.create_consumer(b"c", 0).unwrap();
    group.create_consumer(b"idle", 0).unwrap();
    group.assign(Pending {
        id: id(1),
        delivered_ms: 9,
        deliveries: 2,
        owner,
    });
    stream.groups.insert(b"g"[..].into(), group);
    let mut out = CommandWriter::new(Vec::new());
    let object = Object::Stream(Box::new(stream));
    out.record(3, b"x", &ValueRef::Boxed(&object), None)
        .unwrap();
    let empty = Object::Stream(Box::default());
    out.record(3, b"e", &ValueRef::Boxed(&empty), None).unwrap();
    let (items, _) = read(&out.finish().unwrap());
    assert_eq!(
        items,
        [
            "SELECT 3",
            "XADD x 1-0 f v",
            "XSETID x 1-0 ENTRIESADDED 1 MAXDELETEDID 0-0",
            "XGROUP CREATE x g 1-0 ENTRIESREAD 1",
            "XCLAIM x g c 0 1-0 TIME 9 RETRYCOUNT 2 JUSTID FORCE",
            "XGROUP CREATECONSUMER x g idle",
            "XADD e MAXLEN 0 0-1 x y",
            "XSETID e 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0",
        ]
    );
}

#[test]
fn large_collections_are_split() {
    let tuning = Tuning::default();
    let mut set = Set::new();
    for n in 0..130 {
        set.add(&tuning, format!("m{n}").as_bytes());
    }
    let mut out = CommandWriter::new(Vec::new());
    let object = Object::Set(set);
    out.record(0, b"s", &ValueRef::Boxed(&object), None)
        .unwrap();
    let (items, _) = read(&out.finish().unwrap());
    let lengths: Vec<usize> = items.iter().map(|item| item.split(' ').count()).collect();
    assert_eq!(lengths, [2, 66, 66, 4]);
}
