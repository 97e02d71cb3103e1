//! The grammar of floating-point numbers in C (`strtod`, `strtold`), and the rounding of binary ones.

/// The magnitude that a text denotes.
#[derive(Debug)]
pub(super) enum Literal<'a> {
    Infinity,
    Decimal(Decimal<'a>),
    Binary(Binary),
}

/// Decimal digits times a power of ten.
#[derive(Debug)]
pub(super) struct Decimal<'a> {
    /// Digits with at most one point among them; leading zeros are removed from the whole part.
    digits: &'a [u8],
    /// Power of ten of the last digit.
    pub(super) exponent: i64,
}

/// `mantissa * 2^exponent`, and a bit more if `sticky`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) mantissa: u128,
    pub(super) exponent: i64,
    /// Whether the exact value lies between this mantissa and the next one. Only with a mantissa of more than 64 bits.
    pub(super) sticky: bool,
}

impl<'a> Literal<'a> {
    /// Reads the whole of `text`: whether it is negative, and its magnitude. NaN is no number here.
    pub(super) fn parse(text: &'a [u8]) -> Option<(bool, Self)> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some((negative, Self::Infinity));
        }
        let literal = match text {
            [b'0', b'x' | b'X', rest @ ..] => Self::Binary(hexadecimal(rest)?),
            _ => Self::Decimal(decimal(text)?),
        };
        Some((negative, literal))
    }
}

impl Decimal<'_> {
    /// The digits' values, leading zeros included.
    pub(super) fn digits(&self) -> impl Iterator<Item = u8> + Clone {
        self.digits
            .iter()
            .filter(|byte| **byte != b'.')
            .map(|byte| byte.wrapping_sub(b'0'))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits().all(|digit| digit == 0)
    }
}

impl Binary {
    /// The nearest number (ties to even) of `precision` bits whose last bit is worth at least 2^`least` and whose first bit at most
    /// 2^`greatest`: its mantissa, with bit `precision - 1` set unless the number is denormal, and exponent. `None` if it overflows, or is
    /// not zero but vanishes.
    pub(super) fn round(&self, precision: u32, least: i32, greatest: i32) -> Option<(u64, i32)> {
        if self.mantissa == 0 {
            return Some((0, least));
        }
        let bits = 128 - self.mantissa.leading_zeros();
        let normal = i64::from(bits) - i64::from(precision);
        let drop = normal.max(i64::from(least).saturating_sub(self.exponent));
        let exponent = self.exponent.saturating_add(drop);
        let kept = if drop <= 0 {
            debug_assert!(!self.sticky, "a sticky mantissa is wider than the target");
            self.mantissa << drop.unsigned_abs()
        } else if drop > 128 {
            0
        } else {
            let drop = drop.unsigned_abs() as u32;
            let kept = self.mantissa.checked_shr(drop).unwrap_or(0);
            let half = 1_u128 << (drop - 1);
            let rest = self.mantissa & (half | (half - 1));
            let up = rest > half || rest == half && (self.sticky || kept & 1 == 1);
            kept + u128::from(up)
        };
        let (kept, exponent) = if kept >> precision == 1 {
            (kept >> 1, exponent + 1)
        } else {
            (kept, exponent)
        };
        if kept == 0 || exponent + i64::from(precision) - 1 > i64::from(greatest) {
            return None;
        }
        Some((u64::try_from(kept).ok()?, i32::try_from(exponent).ok()?))
    }
}

/// Digits with an optional point, then an optional exponent; at least one digit.
fn decimal(text: &[u8]) -> Option<Decimal<'_>> {
    let zeros = text.iter().take_while(|byte| **byte == b'0').count();
    let significant = text.get(zeros..)?;
    let len = significant
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let (digits, rest) = significant.split_at_checked(len)?;
    let point = digits.iter().position(|byte| *byte == b'.');
    let fraction = point.map_or(0, |point| len - point - 1);
    let points = usize::from(point.is_some());
    if digits.iter().filter(|byte| **byte == b'.').count() > points || zeros + len == points {
        return None;
    }
    let exponent = exponent(rest, b'e')?.saturating_sub(i64::try_from(fraction).ok()?);
    Some(Decimal { digits, exponent })
}

/// What follows `0x`: hexadecimal digits with an optional point, then an optional binary exponent; at least one digit.
fn hexadecimal(text: &[u8]) -> Option<Binary> {
    let mut binary = Binary {
        mantissa: 0,
        exponent: 0,
        sticky: false,
    };
    let (mut digits, mut point, mut used) = (0, false, 0);
    for &byte in text {
        if byte == b'.' && !point {
            point = true;
        } else if let Some(digit) = char::from(byte).to_digit(16) {
            digits += 1;
            let room = binary.mantissa >> 120 == 0;
            if room {
                binary.mantissa = binary.mantissa << 4 | u128::from(digit);
            } else {
                binary.sticky |= digit != 0;
            }
            binary.exponent += match (room, point) {
                (true, true) => -4,
                (false, false) => 4,
                _ => 0,
            };
        } else {
            break;
        }
        used += 1;
    }
    if digits == 0 {
        return None;
    }
    binary.exponent = binary
        .exponent
        .saturating_add(exponent(text.get(used..)?, b'p')?);
    Some(binary)
}

/// Nothing (0), or `letter` and a signed number; one that is out of all bounds saturates.
fn exponent(text: &[u8], letter: u8) -> Option<i64> {
    let [first, rest @ ..] = text else {
        return Some(0);
    };
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !first.eq_ignore_ascii_case(&letter)
        || digits.is_empty()
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, byte| {
        (value * 10 + i64::from(byte.wrapping_sub(b'0'))).min(EXPONENT_MAX)
    });
    Some(if negative { -value } else { value })
}

/// Far beyond any exponent that digits sent by a client could make up for, and far from overflow.
const EXPONENT_MAX: i64 = 1 << 48;
