//! Doubles as Redis 7.2 writes and reads them.

#![expect(
    clippy::indexing_slicing,
    reason = "every index follows from the number of digits, never from a peer's bytes"
)]

use std::fmt::Write;

use super::FixedText;
use super::literal::{Binary, Literal};

/// A double as text: what `ZSCORE` and every other reply with a double show in Redis 7.2 (`d2string`).
///
/// Whole numbers up to 2^62 are written as integers; others with the digits that Grisu2 finds, with an exponent
/// when that is much shorter. `inf`, `-inf`, `nan` and `-0` are written so.
pub fn format_double(value: f64) -> FixedText {
    let mut text = FixedText::default();
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(if value < 0.0 { b"-inf" } else { b"inf" });
    } else if value == 0.0 {
        text.push(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    } else if value.abs() <= INTEGERS_MAX && value.trunc() == value {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^62")]
        text.push(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        if value < 0.0 {
            text.push(b"-");
        }
        let digits = Digits::of(value.abs());
        digits.write(&mut text);
    }
    text
}

/// A double as C's `%.17g` writes it: 17 significant digits without zeros at the end, which is what `ZSCAN` shows of a large
/// sorted set in Redis 7.2. The infinities are `inf` and `-inf`.
pub fn format_double_17(value: f64) -> FixedText {
    if !value.is_finite() {
        return format_double(value);
    }
    let mut scientific = FixedText::default();
    let (mut digits, mut exponent) = (Digits17::default(), 0);
    if write!(scientific, "{:.16e}", value.abs()).is_ok()
        && let Some(at) = scientific.iter().position(|byte| *byte == b'e')
    {
        digits = Digits17::of(&scientific[..at]);
        exponent = super::parse_i64(&scientific[at + 1..])
            .and_then(|exponent| i32::try_from(exponent).ok())
            .unwrap_or(0);
    }
    let mut text = FixedText::default();
    if value.is_sign_negative() {
        text.push(b"-");
    }
    digits.write(exponent, &mut text);
    text
}

/// Up to 17 significant digits without zeros at the end; at least one.
#[derive(Default)]
struct Digits17 {
    digits: [u8; 17],
    len: usize,
}

impl Digits17 {
    /// The digits of `d.ddd`.
    fn of(text: &[u8]) -> Self {
        let mut all = Self::default();
        for digit in text.iter().filter(|byte| **byte != b'.').take(17) {
            all.digits[all.len] = *digit;
            all.len += 1;
        }
        while all.len > 1 && all.digits[all.len - 1] == b'0' {
            all.len -= 1;
        }
        all
    }

    /// Writes them with the point after the first digit moved by `exponent`.
    fn write(&self, exponent: i32, text: &mut FixedText) {
        let digits = &self.digits[..self.len];
        match exponent {
            -4..0 => {
                text.push(b"0.");
                text.push(&ZEROS[..usize::try_from(-1 - exponent).unwrap_or(0)]);
                text.push(digits);
            }
            0..17 => {
                let whole = usize::try_from(exponent + 1).unwrap_or(1);
                let (head, tail) = digits.split_at(whole.min(digits.len()));
                text.push(head);
                text.push(&ZEROS[..whole - head.len()]);
                if !tail.is_empty() {
                    text.push(b".");
                    text.push(tail);
                }
            }
            _ => {
                let (head, tail) = digits.split_at(1.min(digits.len()));
                text.push(head);
                if !tail.is_empty() {
                    text.push(b".");
                    text.push(tail);
                }
                text.push(if exponent < 0 { b"e-" } else { b"e+" });
                if exponent.abs() < 10 {
                    text.push(b"0");
                }
                text.push(itoa::Buffer::new().format(exponent.abs()).as_bytes());
            }
        }
    }
}

/// A double as Redis' `string2d` takes it: the whole of `text` as C's `strtod` reads it (decimal or hexadecimal, `inf`, a leading
/// `+`), without blanks around it. Refused are NaN, what overflows, and what is not zero but vanishes.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, literal) = Literal::parse(text)?;
    let magnitude = match literal {
        Literal::Infinity => f64::INFINITY,
        Literal::Decimal(decimal) => {
            let value = from_decimal(text)?;
            let vanished = value == 0.0 && !decimal.is_zero();
            (value.is_finite() && !vanished).then_some(value)?
        }
        Literal::Binary(binary) => from_binary(&binary)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// A double as C's `strtod` alone reads it, which is how Redis takes the ends of a range of scores: blanks may stand before it,
/// the text ends at a NUL byte, an empty one is 0, what is too large is infinite and what is too small is 0. NaN is refused.
pub fn parse_double_loosely(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let text = &text[blanks..];
    let (negative, literal) = Literal::parse(text)?;
    let magnitude = match literal {
        Literal::Infinity => f64::INFINITY,
        Literal::Decimal(_) => from_decimal(text)?,
        Literal::Binary(binary) => from_binary(&binary)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The magnitude of a decimal number, its sign left out.
fn from_decimal(text: &[u8]) -> Option<f64> {
    let unsigned = text
        .strip_prefix(b"-")
        .or_else(|| text.strip_prefix(b"+"))
        .unwrap_or(text);
    std::str::from_utf8(unsigned).ok()?.parse().ok()
}

fn from_binary(binary: &Binary) -> Option<f64> {
    let (mantissa, exponent) = binary.round(53, -1074, 1023)?;
    let biased = if mantissa >> 52 == 0 {
        0
    } else {
        u64::try_from(exponent + 1075).ok()?
    };
    Some(f64::from_bits(
        (biased << 52) | (mantissa & ((1 << 52) - 1)),
    ))
}

/// Decimal digits of a positive double: `0.d1 d2 ... * 10^point`, that is, `point` digits stand before the decimal point.
struct Digits {
    digits: [u8; 18],
    len: usize,
    /// Power of ten of the last digit.
    exponent: i32,
}

impl Digits {
    /// Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers", 2010): digits that read back as
    /// `value`, nearly always the fewest. Redis 7.2 prints what this algorithm finds, so an exact shortest printer would
    /// differ from it in about one double of a thousand.
    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let (fraction, biased) = (
            bits & ((1 << 52) - 1),
            i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0),
        );
        let (fraction, exponent) = if biased == 0 {
            (fraction, -1074)
        } else {
            (fraction | 1 << 52, biased - 1075)
        };
        let upper = Scaled {
            fraction: 2 * fraction + 1,
            exponent: exponent - 1,
        }
        .normalized();
        // Below a power of two the next double is half as far away.
        let closer = if fraction == 1 << 52 { 2 } else { 1 };
        let lower = ((fraction << closer) - 1) << (exponent - closer - upper.exponent);
        let middle = Scaled { fraction, exponent }.normalized();

        let (power, ten_exponent) = cached_power(upper.exponent);
        let upper = upper.times(power);
        let middle = middle.times(power);
        let lower = Scaled {
            fraction: lower,
            exponent: 0,
        }
        .times(power);
        // One unit inside on both ends makes up for the rounding of the power.
        let (top, bottom) = (upper.fraction - 1, lower.fraction + 1);
        let mut digits = Self {
            digits: [0; 18],
            len: 0,
            exponent: -ten_exponent,
        };
        digits.generate(top, top - bottom, top - middle.fraction, -upper.exponent);
        digits
    }

    /// Writes digits of `top * 2^-shift` until what is left out is less than `delta`, then steps towards the value,
    /// which lies `distance` below `top`.
    fn generate(&mut self, top: u64, mut delta: u64, mut distance: u64, shift: i32) {
        let mask = (1_u64 << shift) - 1;
        let (mut whole, mut fraction) = (top >> shift, top & mask);
        let mut unit = 1_000_000_000;
        for kappa in (0..10).rev() {
            self.digit(whole / unit);
            whole %= unit;
            let rest = (whole << shift) + fraction;
            if rest <= delta {
                self.exponent += kappa;
                return self.approach(delta, rest, unit << shift, distance);
            }
            unit /= 10;
        }
        for kappa in 1.. {
            fraction *= 10;
            delta = delta.wrapping_mul(10);
            distance = distance.wrapping_mul(10);
            self.digit(fraction >> shift);
            fraction &= mask;
            if fraction < delta {
                self.exponent -= kappa;
                return self.approach(delta, fraction, 1 << shift, distance);
            }
        }
    }

    fn digit(&mut self, digit: u64) {
        if (digit != 0 || self.len > 0) && self.len < self.digits.len() {
            self.digits[self.len] = b'0' + u8::try_from(digit).unwrap_or(9);
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the digits, now `rest` below the top, closer to the value.
    fn approach(&mut self, delta: u64, mut rest: u64, unit: u64, distance: u64) {
        let last = &mut self.digits[self.len.max(1) - 1];
        while rest < distance
            && delta - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            *last -= 1;
            rest += unit;
        }
    }

    /// Plain up to seven zeros after the digits and six after the point (and always down to 10^-3), else with an exponent.
    fn write(&self, text: &mut FixedText) {
        let digits = &self.digits[..self.len];
        let first = self.exponent + i32::try_from(self.len).unwrap_or(0) - 1;
        let point = usize::try_from(first + 1).unwrap_or(0);
        if self.exponent >= 0 && point < self.len + 8 {
            text.push(digits);
            text.push(&ZEROS[..point - self.len]);
        } else if self.exponent < 0 && (self.exponent > -7 || first.abs() < 4) {
            if point == 0 {
                text.push(b"0.");
                text.push(&ZEROS[..usize::try_from(-1 - first).unwrap_or(0)]);
                text.push(digits);
            } else {
                text.push(&digits[..point]);
                text.push(b".");
                text.push(&digits[point..]);
            }
        } else {
            text.push(&digits[..1]);
            if self.len > 1 {
                text.push(b".");
                text.push(&digits[1..]);
            }
            text.push(if first < 0 { b"e-" } else { b"e+" });
            text.push(itoa::Buffer::new().format(first.abs()).as_bytes());
        }
    }
}

/// `fraction * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

impl Scaled {
    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self {
            fraction: self.fraction << shift,
            exponent: self.exponent - shift.cast_signed(),
        }
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Self {
            fraction: u64::try_from(product >> 64).unwrap_or(u64::MAX),
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// A power of ten that brings a number with this binary exponent into the window in which digits can be split off, and its exponent.
///
/// Often two powers would do; the digits depend on which is taken, so the choice is the one that Redis 7.2 makes.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the range of decimal exponents of a double"
    )]
    let wanted = (f64::from(-(exponent + 87)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (wanted - FIRST_POWER) / 8;
    loop {
        let ten_exponent = FIRST_POWER + index * 8;
        // floor(log2(10^n)) by a fraction that is exact in this range.
        let two_exponent = ((ten_exponent * 217_706) >> 16) - 63;
        match exponent + two_exponent + 64 {
            ..-60 => index += 1,
            -31.. => index -= 1,
            _ => {
                let fraction = POWERS[usize::try_from(index).unwrap_or(0)];
                return (
                    Scaled {
                        fraction,
                        exponent: two_exponent,
                    },
                    ten_exponent,
                );
            }
        }
    }
}

const INTEGERS_MAX: f64 = (1_u64 << 62) as f64;
const ZEROS: &[u8; 24] = &[b'0'; 24];
const FIRST_POWER: i32 = -348;

/// The first 64 bits, rounded, of 10^-348, 10^-340 .. 10^340.
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests;
