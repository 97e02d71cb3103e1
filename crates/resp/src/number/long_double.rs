//! The 80-bit floating-point number of the x87, which `INCRBYFLOAT` and `HINCRBYFLOAT` compute with.

use super::literal::{Binary, Decimal, Literal};
use super::natural::Natural;

/// A C `long double` of x86-64, NaN excluded: sign, 64-bit mantissa, 15-bit exponent.
///
/// Redis adds with this type and prints with 17 digits after the point, so sums like 3.0 + 0.1 come out as a user expects; in
/// 64-bit doubles other digits would show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magnitude {
    Infinite,
    /// `mantissa * 2^exponent`; bit 63 of the mantissa is set unless the number is zero or denormal.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
}

impl LongDouble {
    /// A number as Redis' `string2ld` takes it: the whole of `text` as C's `strtold` reads it, without blanks around it and shorter than
    /// 5,120 bytes. Refused are NaN, what overflows, and what is not zero but vanishes. Infinity is read.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        let (negative, literal) = Literal::parse(text)?;
        let magnitude = match literal {
            Literal::Infinity => Magnitude::Infinite,
            Literal::Binary(binary) => Magnitude::round(&binary)?,
            Literal::Decimal(decimal) if decimal.is_zero() => Magnitude::ZERO,
            Literal::Decimal(decimal) => Magnitude::round(&to_binary(&decimal)?)?,
        };
        Some(Self {
            negative,
            magnitude,
        })
    }

    /// Whether this is neither infinity.
    pub fn is_finite(&self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// The sum, rounded to the nearest number (ties to even). `None` if it is infinite or not a number, which Redis refuses with
    /// "increment would produce NaN or Infinity".
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (Some((a, a_exponent)), Some((b, b_exponent))) = (self.parts(), other.parts()) else {
            return None;
        };
        if a == 0 && b == 0 {
            return Some(Self {
                negative: self.negative && other.negative,
                magnitude: Magnitude::ZERO,
            });
        }
        // The larger one keeps its exponent; a zero takes no part in that.
        let (large, small) = if b == 0 || a != 0 && a_exponent >= b_exponent {
            (
                (self.negative, a, a_exponent),
                (other.negative, b, b_exponent),
            )
        } else {
            (
                (other.negative, b, b_exponent),
                (self.negative, a, a_exponent),
            )
        };
        // 62 bits below the last one of the larger: more than rounding looks at. What of the smaller falls out
        // below is kept as one lowest bit.
        let wide = u128::from(large.1) << 62;
        let narrow = u128::from(small.1) << 62;
        let distance = large.2.saturating_sub(small.2).unsigned_abs();
        let aligned = if narrow == 0 {
            0
        } else {
            narrow.checked_shr(distance).unwrap_or(0)
        };
        let lost = aligned.checked_shl(distance).unwrap_or(0) != narrow;
        let aligned = aligned | u128::from(lost);
        let (negative, mantissa) = if large.0 == small.0 {
            (large.0, wide + aligned)
        } else if wide >= aligned {
            (large.0, wide - aligned)
        } else {
            (small.0, aligned - wide)
        };
        if mantissa == 0 {
            return Some(Self {
                negative: false,
                magnitude: Magnitude::ZERO,
            });
        }
        let exact = Binary {
            mantissa,
            exponent: i64::from(large.2) - 62,
            sticky: false,
        };
        Some(Self {
            negative,
            magnitude: Magnitude::round(&exact)?,
        })
    }

    fn parts(self) -> Option<(u64, i32)> {
        match self.magnitude {
            Magnitude::Infinite => None,
            Magnitude::Finite { mantissa, exponent } => Some((mantissa, exponent)),
        }
    }

    /// Appends the number as Redis writes it for people (`LD_STR_HUMAN`): C's `%.17Lf` without zeros at the end, without exponent;
    /// up to 4,934 bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        let Magnitude::Finite { mantissa, exponent } = self.magnitude else {
            out.extend(b"inf");
            return;
        };
        if exponent > 0 {
            Natural::shifted(mantissa, exponent.unsigned_abs()).write(out);
            return;
        }
        let (whole, fraction) = split(mantissa, exponent.unsigned_abs());
        if whole == 0 && fraction == 0 {
            out.truncate(start);
        }
        out.extend(itoa::Buffer::new().format(whole).bytes());
        if fraction > 0 {
            let digits = format!("{fraction:017}");
            out.push(b'.');
            out.extend(digits.trim_end_matches('0').bytes());
        }
    }

    /// [`LongDouble::write`] into a buffer of its own.
    pub fn to_text(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        self.write(&mut out);
        out
    }
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        let binary = Binary {
            mantissa: value.unsigned_abs().into(),
            exponent: 0,
            sticky: false,
        };
        let magnitude = Magnitude::round(&binary).unwrap_or(Magnitude::ZERO);
        Self {
            negative: value < 0,
            magnitude,
        }
    }
}

impl TryFrom<f64> for LongDouble {
    type Error = NotANumber;

    /// Exact, for every double is a long double.
    fn try_from(value: f64) -> Result<Self, NotANumber> {
        if value.is_nan() {
            return Err(NotANumber);
        }
        let negative = value.is_sign_negative();
        if value.is_infinite() {
            return Ok(Self {
                negative,
                magnitude: Magnitude::Infinite,
            });
        }
        let bits = value.to_bits();
        let (fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i64);
        let (mantissa, exponent) = if biased == 0 {
            (fraction, -1074)
        } else {
            (fraction | 1 << 52, biased - 1075)
        };
        let binary = Binary {
            mantissa: mantissa.into(),
            exponent,
            sticky: false,
        };
        Ok(Self {
            negative,
            magnitude: Magnitude::round(&binary).unwrap_or(Magnitude::ZERO),
        })
    }
}

/// A NaN, which [`LongDouble`] does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

impl Magnitude {
    const ZERO: Self = Self::Finite {
        mantissa: 0,
        exponent: EXPONENT_MIN,
    };

    fn round(binary: &Binary) -> Option<Self> {
        let (mantissa, exponent) = binary.round(64, EXPONENT_MIN, 16_383)?;
        Some(Self::Finite { mantissa, exponent })
    }
}

/// Whole part and fraction in units of 10^-17 (rounded, ties to even) of `mantissa / 2^scale`.
fn split(mantissa: u64, scale: u32) -> (u64, u64) {
    let whole = mantissa.checked_shr(scale).unwrap_or(0);
    let fraction = mantissa - whole.checked_shl(scale).unwrap_or(0);
    // Below 2^64 * 10^17 < 2^121.
    let scaled = u128::from(fraction) * u128::from(FRACTION_UNITS);
    let units = scaled.checked_shr(scale).unwrap_or(0);
    let rest = scaled - units.checked_shl(scale).unwrap_or(0);
    let half = if scale == 0 {
        u128::MAX
    } else {
        1_u128.checked_shl(scale - 1).unwrap_or(u128::MAX)
    };
    let up = rest > half || rest == half && units & 1 == 1;
    let units = u64::try_from(units).unwrap_or(0) + u64::from(up);
    if units == FRACTION_UNITS {
        (whole + 1, 0)
    } else {
        (whole, units)
    }
}

/// The value, not zero, exactly or to more than 64 bits and sticky. `None` if it is far out of range.
fn to_binary(decimal: &Decimal<'_>) -> Option<Binary> {
    let significant = decimal.digits().skip_while(|digit| *digit == 0);
    let count = i64::try_from(significant.clone().count()).ok()?;
    let magnitude = decimal.exponent.saturating_add(count);
    if !(-5_000..=5_000).contains(&magnitude) {
        return None;
    }
    let power = u32::try_from(decimal.exponent.unsigned_abs()).ok()?;
    if count <= 19 && power <= 19 {
        let digits = significant.fold(0, |value, digit| value * 10 + u64::from(digit));
        return Some(if decimal.exponent < 0 {
            divide_small(digits, 10_u64.pow(power))
        } else {
            let mantissa = u128::from(digits) * u128::from(10_u64.pow(power));
            Binary {
                mantissa,
                exponent: 0,
                sticky: false,
            }
        });
    }
    let mut digits = Natural::from_digits(significant);
    if decimal.exponent >= 0 {
        digits.multiply_power_of_ten(power);
        return Some(digits.leading());
    }
    let mut divisor = Natural::shifted(1, 0);
    divisor.multiply_power_of_ten(power);
    Some(digits.divide(divisor))
}

/// `dividend / divisor` to at least 65 bits; neither is zero.
fn divide_small(dividend: u64, divisor: u64) -> Binary {
    let (up, down) = (dividend.leading_zeros(), divisor.leading_zeros());
    let (dividend, divisor) = (
        u128::from(dividend << up) << 64,
        u128::from(divisor << down),
    );
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    // A quotient of 64 bits lacks the bit that decides about rounding: one more step of the division.
    let half = rest * 2 >= divisor;
    let rest = if half { rest * 2 - divisor } else { rest * 2 };
    Binary {
        mantissa: quotient << 1 | u128::from(half),
        exponent: i64::from(down) - i64::from(up) - 65,
        sticky: rest != 0,
    }
}

/// Exponent of the last bit of the smallest number.
const EXPONENT_MIN: i32 = -16_445;
/// Units of 10^-17 in 1.
const FRACTION_UNITS: u64 = 100_000_000_000_000_000;
/// MAX_LONG_DOUBLE_CHARS of Redis.
const TEXT_MAX: usize = 5_120;

#[cfg(test)]
mod tests;
