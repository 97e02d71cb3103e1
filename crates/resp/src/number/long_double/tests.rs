//! Tests of the 80-bit number: sums as `INCRBYFLOAT` of a real server on x86-64 gave them.

use super::*;

fn sum(a: &str, b: &str) -> Option<String> {
    let sum = LongDouble::parse(a.as_bytes())
        .unwrap()
        .checked_add(LongDouble::parse(b.as_bytes()).unwrap())?;
    Some(String::from_utf8(sum.to_text()).unwrap())
}

#[test]
fn sums_are_those_of_a_real_server() {
    let cases = [
        ("3.0", "1.1", "4.1"),
        ("0", "0.1", "0.1"),
        ("-0", "-0", "0"),
        ("1.5", "-1.5", "0"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        (
            "-797218378015",
            "-0.182074",
            "-797218378015.18207401037216187",
        ),
        (
            "508.805397598900E-4785",
            "833466.594278",
            "833466.59427799999997433",
        ),
        ("-2828.730211", "+05398", "2569.26978900000000006"),
        ("-78.410157", "-7372.511204", "-7450.9213610000000001"),
        (
            "-4542.583759",
            "-217.175310154956e16",
            "-2171753101549564542.625",
        ),
        ("6318951868167769268", "94.42576", "6318951868167769362.5"),
        (
            "-353485570192996418",
            "-972.729337674357e-11",
            "-353485570192996418",
        ),
        (
            "4769923194532414455",
            "-844.391837280838e24",
            "-844391832510914805438087168",
        ),
        (
            "233214688197369935632729518175604806358",
            "8907713084399994206",
            "233214688197369935636424206018968289280",
        ),
        (
            "0xb02aaa1cbb723p17",
            "-1746347727668793916",
            "404466309554820591040",
        ),
        (
            "761.127465499105E-2931",
            "0x30087835b716256c2bp10",
            "907319308644386834808832",
        ),
        (
            "0X.9d6f3b47498bb78984dbp-6042",
            "0X.6fa6a00411b7cf36ae3ep-4280",
            "0",
        ),
        ("-3958899664260550510", "0x11.p-33", "-3958899664260550510"),
        ("1e-17", "0", "0.00000000000000001"),
        ("5e-18", "0", "0"),
        ("6e-18", "0", "0.00000000000000001"),
        ("-1e-30", "0", "0"),
        ("0.999999999999999999", "0", "1"),
    ];
    for (a, b, expected) in cases {
        assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        assert_eq!(sum(b, a).as_deref(), Some(expected), "{b} + {a}");
    }
}

#[test]
fn sums_that_are_no_number_are_none() {
    assert_eq!(sum("inf", "1"), None);
    assert_eq!(sum("inf", "-inf"), None);
    assert_eq!(sum("1.1e4932", "1.1e4932"), None);
    assert!(!LongDouble::parse(b"-inf").unwrap().is_finite());
    assert_eq!(LongDouble::parse(b"-inf").unwrap().to_text(), b"-inf");
}

#[test]
fn rounding_is_to_nearest_and_ties_to_even() {
    // 2^64 + 1 lies halfway between two numbers, as does 2^64 + 3.
    for (text, expected) in [
        ("18446744073709551617", "18446744073709551616"),
        ("18446744073709551619", "18446744073709551620"),
        (
            "18446744073709551617.00000000000000000000000000001",
            "18446744073709551618",
        ),
        ("36893488147419103231", "36893488147419103232"),
    ] {
        assert_eq!(sum(text, "0").as_deref(), Some(expected), "{text}");
    }
    assert_eq!(
        sum("18446744073709551616", "1").as_deref(),
        Some("18446744073709551616")
    );
    assert_eq!(
        sum("18446744073709551618", "1").as_deref(),
        Some("18446744073709551620")
    );
    // The one lowest bit that falls out below decides a tie.
    assert_eq!(
        sum("18446744073709551616", "1.0000001").as_deref(),
        Some("18446744073709551618")
    );
    assert_eq!(
        sum("18446744073709551616", "-0.5").as_deref(),
        Some("18446744073709551616")
    );
}

#[test]
fn the_ends_of_the_range_are_those_of_the_x87() {
    let read = |text: &str| LongDouble::parse(text.as_bytes()).is_some();
    assert!(
        read("1.18e4932")
            && !read("1.19e4932")
            && !read("1e5000")
            && !read("1e99999999999999999999")
    );
    assert!(read("3e-4951") && !read("1e-4951") && !read("1e-99999999999999999999"));
    assert!(read("0x1p-16445") && !read("0x1p-16446") && read("0x1.8p-16446"));
    assert!(read(&"0".repeat(TEXT_MAX - 1)) && !read(&"0".repeat(TEXT_MAX)));
    for text in ["", "nan", " 1", "1 ", "0x", "1.5.", "abc"] {
        assert!(!read(text), "{text:?}");
    }
    let greatest = LongDouble::parse(b"0x1.fffffffffffffffep16383")
        .unwrap()
        .to_text();
    assert_eq!(greatest.len(), 4933);
    assert!(greatest.starts_with(b"118973149535723176502126385303"));
}

#[test]
fn integers_and_doubles_convert_exactly() {
    assert_eq!(
        LongDouble::from(i64::MIN).to_text(),
        b"-9223372036854775808"
    );
    assert_eq!(LongDouble::from(0).to_text(), b"0");
    let text =
        |value: f64| String::from_utf8(LongDouble::try_from(value).unwrap().to_text()).unwrap();
    assert_eq!(text(13.361_389_338_970_184), "13.36138933897018433");
    assert_eq!(text(-0.0), "0");
    assert_eq!(text(f64::INFINITY), "inf");
    assert_eq!(text(5e-324), "0");
    assert_eq!(LongDouble::try_from(f64::NAN), Err(NotANumber));
}
