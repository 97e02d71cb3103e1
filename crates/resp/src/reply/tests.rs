//! Tests of the reply parser: every type, every split, every refusal.

use proptest::prelude::*;

use super::*;

/// Feeds `input` in pieces that end at `cuts`: the replies found, and the error that ended them.
fn feed(input: &[u8], cuts: &[usize]) -> (Vec<Value>, Option<ReplyError>) {
    let mut parser = ReplyParser::default();
    let (mut values, mut start) = (Vec::new(), 0);
    for &end in cuts.iter().chain([&input.len()]) {
        loop {
            match parser.parse(&input[start..end.max(start)]) {
                Ok(Some((value, len))) => {
                    values.push(value);
                    start += len;
                }
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}

fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Output::default();
    values.iter().for_each(|value| value.encode(&mut out));
    out.chunks().collect::<Vec<_>>().concat()
}

#[track_caller]
fn found(input: &str, expected: Value) {
    let every: Vec<usize> = (0..input.len()).collect();
    for cuts in [&every[..], &[]] {
        assert_eq!(feed(input.as_bytes(), cuts), (vec![expected.clone()], None));
    }
    assert_eq!(String::from_utf8(encode(&[expected])).unwrap(), input);
}

fn bulk(text: &'static str) -> Value {
    Value::Bulk(Bytes::from_static(text.as_bytes()))
}

#[test]
fn every_type_is_found_and_written_back() {
    found("+OK\r\n", Value::Simple("OK".into()));
    found("+\r\n", Value::Simple("".into()));
    found("-ERR no\r\n", Value::Error("ERR no".into()));
    found(":-42\r\n", Value::Integer(-42));
    found("$5\r\na\r\nbc\r\n", bulk("a\r\nbc"));
    found("$0\r\n\r\n", bulk(""));
    found("$-1\r\n", Value::NullBulk);
    found("*-1\r\n", Value::NullArray);
    found("_\r\n", Value::Null);
    found("#t\r\n", Value::Boolean(true));
    found("#f\r\n", Value::Boolean(false));
    found(",3.14\r\n", Value::Double("3.14".into()));
    found(
        "(12345678901234567890\r\n",
        Value::BigNumber("12345678901234567890".into()),
    );
    found("!5\r\nERR x\r\n", Value::BlobError("ERR x".into()));
    found(
        "=6\r\ntxt:hi\r\n",
        Value::Verbatim {
            format: *b"txt",
            text: "hi".into(),
        },
    );
    found("*0\r\n", Value::Array(vec![]));
    found(
        "*2\r\n:1\r\n*1\r\n$1\r\na\r\n",
        Value::Array(vec![Value::Integer(1), Value::Array(vec![bulk("a")])]),
    );
    found("~1\r\n_\r\n", Value::Set(vec![Value::Null]));
    found(
        ">2\r\n+a\r\n~0\r\n",
        Value::Push(vec![Value::Simple("a".into()), Value::Set(vec![])]),
    );
    found(
        "%1\r\n+k\r\n%0\r\n",
        Value::Map(vec![(Value::Simple("k".into()), Value::Map(vec![]))]),
    );
}

#[test]
fn attributes_belong_to_the_value_after_them() {
    let attributed = |attributes, value| Value::Attributed {
        attributes,
        value: Box::new(value),
    };
    found(
        "|1\r\n+ttl\r\n:5\r\n:7\r\n",
        attributed(
            vec![(Value::Simple("ttl".into()), Value::Integer(5))],
            Value::Integer(7),
        ),
    );
    found(
        "|0\r\n*1\r\n|0\r\n:7\r\n",
        attributed(
            vec![],
            Value::Array(vec![attributed(vec![], Value::Integer(7))]),
        ),
    );
}

#[test]
fn values_are_read_out() {
    assert_eq!(bulk("1.5").as_double(), Some(1.5));
    assert_eq!(
        Value::Double("-inf".into()).as_double(),
        Some(f64::NEG_INFINITY)
    );
    assert_eq!(Value::Integer(1).as_double(), None);
    assert_eq!(Value::Error("ERR".into()).as_bytes(), Some(&b"ERR"[..]));
    assert!(Value::Error("ERR".into()).is_error() && !Value::Null.is_error());
}

#[test]
fn what_is_no_reply_is_refused() {
    let refused = |input: &[u8], error| {
        let every: Vec<usize> = (0..input.len()).collect();
        assert_eq!(
            feed(input, &every).1,
            Some(error),
            "{}",
            input.escape_ascii()
        );
        assert_eq!(feed(input, &[]).1, Some(error), "{}", input.escape_ascii());
    };
    refused(b"hello\r\n", ReplyError::UnknownType(b'h'));
    for input in [
        &b":x\r\n"[..],
        b":\r\n",
        b"#x\r\n",
        b"_x\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"*-2\r\n",
        b"%-1\r\n",
        b"$2147483648\r\n",
        b"$1\r\nabc\r\n",
        b"=2\r\nab\r\n",
        b"=-1\r\n",
        b"+a\nb\r\n",
        b"\n",
    ] {
        refused(input, ReplyError::Malformed);
    }
    refused(b"$536870913\r\n", ReplyError::TooLong);
    assert_eq!(
        feed(&b"*1\r\n".repeat(200), &[]).1,
        Some(ReplyError::TooDeep)
    );
    assert_eq!(
        feed(&[b'+'; LINE_MAX + 2], &[]).1,
        Some(ReplyError::TooLong)
    );
}

fn values() -> impl Strategy<Value = Value> {
    let text = || {
        prop::collection::vec(
            any::<u8>().prop_filter("no line end", |byte| !b"\r\n".contains(byte)),
            0..20,
        )
        .prop_map(Bytes::from)
    };
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let scalar = prop_oneof![
        text().prop_map(Value::Simple),
        text().prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        bytes().prop_map(Value::Bulk),
        Just(Value::NullBulk),
        Just(Value::NullArray),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<f64>().prop_map(|value| Value::Double(Bytes::copy_from_slice(
            &crate::number::format_double(value)
        ))),
        text().prop_map(Value::BigNumber),
        bytes().prop_map(Value::BlobError),
        (any::<[u8; 3]>(), bytes()).prop_map(|(format, text)| Value::Verbatim { format, text }),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        let many = || prop::collection::vec(inner.clone(), 0..6);
        let pairs = || prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            many().prop_map(Value::Array),
            many().prop_map(Value::Set),
            many().prop_map(Value::Push),
            pairs().prop_map(Value::Map),
            (pairs(), inner.clone()).prop_map(|(attributes, value)| Value::Attributed {
                attributes,
                value: Box::new(value)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_split(
        values in prop::collection::vec(values(), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = encode(&values);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(feed(&input, &cuts), (values, None));
    }
}
