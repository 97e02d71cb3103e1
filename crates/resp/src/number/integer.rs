//! Signed 64-bit integers in decimal.

use super::FixedText;

/// `value` in decimal.
#[inline]
pub fn format_i64(value: i64) -> FixedText {
    let mut text = FixedText::default();
    text.push(itoa::Buffer::new().format(value).as_bytes());
    text
}

/// A whole decimal number as Redis' `string2ll` takes it: within 64 bits, and written as Redis itself would write it (no plus
/// sign, no leading zero, no blank, no `-0`).
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let negative = digits.len() < text.len();
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    if digits.len() <= SAFE_DIGITS {
        let value = digits.iter().try_fold(0_i64, |value, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| value * 10 + i64::from(digit))
        })?;
        return Some(if negative { -value } else { value });
    }
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        let value = value.checked_mul(10).filter(|_| digit < 10)?;
        if negative {
            value.checked_sub(digit.into())
        } else {
            value.checked_add(digit.into())
        }
    })
}

/// Digits that cannot overflow 64 bits.
const SAFE_DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_would_write_is_read() {
        for value in [
            0,
            1,
            -1,
            9,
            10,
            -10,
            999_999_999_999_999_999,
            i64::MAX,
            i64::MAX - 1,
            i64::MIN,
            i64::MIN + 1,
        ] {
            let text = format_i64(value);
            assert_eq!(&*text, value.to_string().as_bytes());
            assert_eq!(parse_i64(&text), Some(value));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "00",
            "-0",
            "-01",
            " 1",
            "1 ",
            "1a",
            "a",
            "--1",
            "1.0",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "1111111111111111111x",
            "0x10",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }
}
