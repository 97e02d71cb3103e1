//! The numbers of a configuration: whole, octal, memory with its units, percentages.

/// A whole number written the one way it is printed: no sign but a minus, no leading zero.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let canonical = match digits {
        [b'0'] => word.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    canonical
        .then(|| str::from_utf8(word).ok()?.parse().ok())
        .flatten()
}

/// A number as C's `strtoll` takes it: blanks and a sign before it, nothing after it, an empty word is zero. Out of
/// range it stays at the limit.
pub(crate) fn lenient(word: &[u8], radix: u32) -> Option<i64> {
    if word.is_empty() {
        return Some(0);
    }
    let text = str::from_utf8(word).ok()?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number: i64 = 0;
    for digit in digits.chars() {
        let digit = i64::from(digit.to_digit(radix)?);
        let digit = if negative { -digit } else { digit };
        number = number
            .saturating_mul(i64::from(radix))
            .saturating_add(digit);
    }
    Some(number)
}

/// An amount of memory in bytes: digits and a unit, of which `k`, `m` and `g` count in thousands, `kb`, `mb` and `gb`
/// in 1024s. No digits at all are zero, as in Redis. Out of range it stays at the limit.
pub fn memory(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().fold(0u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(number.saturating_mul(factor))
}

/// The number before a percent sign.
pub(crate) fn percent(word: &[u8]) -> Option<u64> {
    u64::try_from(integer(word.strip_suffix(b"%")?)?).ok()
}

/// Memory as CONFIG REWRITE writes it: in the largest unit that divides it.
pub(crate) fn memory_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// A fraction with up to six places and no zeros at its end.
pub(crate) fn fraction_text(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_one_spelling() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        for word in [
            "",
            "-",
            "-0",
            "05",
            "+5",
            " 5",
            "5 ",
            "5x",
            "9223372036854775808",
        ] {
            assert_eq!(integer(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn lenient_numbers_read_as_strtoll_does() {
        assert_eq!(lenient(b"", 10), Some(0));
        assert_eq!(lenient(b" +05", 10), Some(5));
        assert_eq!(lenient(b"-7", 10), Some(-7));
        assert_eq!(lenient(b"0777", 8), Some(0o777));
        assert_eq!(lenient(b"99999999999999999999", 10), Some(i64::MAX));
        for word in ["-", " ", "5 ", "1.5", "x"] {
            assert_eq!(lenient(word.as_bytes(), 10), None, "{word:?}");
        }
        assert_eq!(lenient(b"8", 8), None);
    }

    #[test]
    fn memory_knows_its_units() {
        for (word, bytes) in [
            ("0", 0),
            ("", 0),
            ("100", 100),
            ("7b", 7),
            ("1k", 1000),
            ("1KB", 1024),
            ("2m", 2_000_000),
            ("2Mb", 2 << 20),
            ("3g", 3_000_000_000),
            ("3gb", 3 << 30),
            ("99999999999999999999gb", u64::MAX),
        ] {
            assert_eq!(memory(word.as_bytes()), Some(bytes), "{word:?}");
        }
        for word in ["-1", "1q", "1 mb", "x", "1.5gb"] {
            assert_eq!(memory(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn memory_is_written_in_its_largest_unit() {
        for (bytes, text) in [
            (0, "0"),
            (1000, "1000"),
            (1024, "1kb"),
            (100 << 20, "100mb"),
            (3 << 30, "3gb"),
            ((1 << 30) + 1024, "1048577kb"),
        ] {
            assert_eq!(memory_text(bytes), text);
        }
    }

    #[test]
    fn fractions_lose_their_zeros() {
        assert_eq!(fraction_text(50.0), "50");
        assert_eq!(fraction_text(99.9), "99.9");
        assert_eq!(fraction_text(50.12345678), "50.123457");
        assert_eq!(fraction_text(0.0), "0");
    }

    #[test]
    fn percentages_are_whole_and_positive() {
        assert_eq!(percent(b"5%"), Some(5));
        assert_eq!(percent(b"0%"), Some(0));
        assert_eq!(percent(b"-5%"), None);
        assert_eq!(percent(b"%"), None);
        assert_eq!(percent(b"5"), None);
    }
}
