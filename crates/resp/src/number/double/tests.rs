//! Tests of doubles: texts as Redis 7.2.6 writes them, and what it reads.

use proptest::prelude::*;

use super::*;

#[test]
fn doubles_are_written_as_redis_writes_them() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-f64::NAN, "nan"),
        (3.0, "3"),
        (-17.0, "-17"),
        (0.1, "0.1"),
        (-2.25, "-2.25"),
        (2.71, "2.71"),
        (1e17, "100000000000000000"),
        (4_611_686_018_427_387_904.0, "4611686018427387904"),
        (4_611_686_018_427_388_928.0, "4611686018427389000"),
        (9_223_372_036_854_775_808.0, "9223372036854776000"),
        (1e19, "1e+19"),
        (-1e20, "-1e+20"),
        (1.5e300, "1.5e+300"),
        (12_345_678_901_234_567_890.0, "12345678901234567000"),
        (0.001, "0.001"),
        (0.00001, "0.00001"),
        (0.000_001, "0.000001"),
        (0.000_000_1, "1e-7"),
        (0.000_123_45, "1.2345e-4"),
        (0.000_001_234_567, "1.234567e-6"),
        (123_456_789.123_456_79, "1.2345678912345679e+8"),
        (17_179_869_184.5, "17179869184.5"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (5e-324, "5e-324"),
        // One of those that have a shorter form: Grisu2 does not find 1e+23.
        (1e23, "99999999999999990000000"),
    ];
    for (value, text) in cases {
        assert_eq!(String::from_utf8_lossy(&format_double(value)), text);
    }
}

#[test]
fn texts_are_read_as_strtod_reads_them() {
    let cases = [
        ("1", 1.0),
        ("+1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("007", 7.0),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("25e-1", 2.5),
        ("inf", f64::INFINITY),
        ("+INF", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
        ("0x10", 16.0),
        ("-0X.8p+1", -1.0),
        ("0x1p-1074", 5e-324),
        ("0x1.fffffffffffff7ffp1023", f64::MAX),
        ("0x0p99999999999999999999", 0.0),
        ("0e99999999999999999999", 0.0),
        ("3e-324", 5e-324),
        ("1.7976931348623158e308", f64::MAX),
    ];
    for (text, value) in cases {
        assert_eq!(parse_double(text.as_bytes()), Some(value), "{text}");
    }
    assert!(parse_double(b"-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
}

#[test]
fn texts_that_strtod_or_redis_refuse_are_refused() {
    for text in [
        "",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1.2.3",
        "1 ",
        " 1",
        "\t1",
        "1x",
        "--1",
        "nan",
        "-nan",
        "nan(1)",
        "infinit",
        "in",
        "0x",
        "0x.",
        "0x.p1",
        "0x1p",
        "0x1p1024",
        "0x1.fffffffffffff8p1023",
        "0x1p-1075",
        "1e400",
        "-1e400",
        "1e-400",
        "2e-324",
        "1_000",
        "1,5",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1\0",
    ] {
        assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        prop_assert_eq!(parse_double(&format_double(value)), Some(value));
    }

    #[test]
    fn short_decimals_keep_their_digits(whole in 0_u32..1_000_000, cents in 1_u32..100) {
        let text = format!("{whole}.{cents:02}");
        let value: f64 = text.parse().unwrap();
        prop_assert_eq!(&*format_double(value), text.trim_end_matches('0').as_bytes());
    }
}

#[test]
fn seventeen_digits_are_those_of_c() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-150.0, "-150"),
        (3.2, "3.2000000000000002"),
        (0.1, "0.10000000000000001"),
        (0.0001, "0.0001"),
        (0.00012, "0.00012"),
        (0.000_01, "1.0000000000000001e-05"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (12345678901234567.0, "12345678901234568"),
        (1.5e300, "1.5000000000000001e+300"),
        (5e-324, "4.9406564584124654e-324"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(
            std::str::from_utf8(&format_double_17(value)),
            Ok(text),
            "{value:?}"
        );
    }
}

#[test]
fn ends_of_ranges_are_read_as_by_c() {
    for (text, value) in [
        (&b""[..], Some(0.0)),
        (b"1.5", Some(1.5)),
        (b"  -3", Some(-3.0)),
        (b"\t\n7", Some(7.0)),
        (b"2\0x", Some(2.0)),
        (b"1e400", Some(f64::INFINITY)),
        (b"-1e400", Some(f64::NEG_INFINITY)),
        (b"1e-400", Some(0.0)),
        (b"-Inf", Some(f64::NEG_INFINITY)),
        (b"0x10", Some(16.0)),
        (b" ", None),
        (b"1 ", None),
        (b"nan", None),
        (b"1x", None),
    ] {
        assert_eq!(parse_double_loosely(text), value, "{text:?}");
    }
}
