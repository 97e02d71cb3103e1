//! Natural numbers of any size: as much arithmetic as correct rounding of long decimals takes.

use std::cmp::Ordering;

use super::literal::Binary;

/// A natural number in limbs of 64 bits, the lowest first, without zeros at the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural {
    limbs: Vec<u64>,
}

impl Natural {
    /// The number written by these decimal digits, each 0 to 9.
    pub(super) fn from_digits(digits: impl Iterator<Item = u8>) -> Self {
        let mut number = Self { limbs: Vec::new() };
        let (mut chunk, mut scale) = (0_u64, 1_u64);
        for digit in digits {
            chunk = chunk * 10 + u64::from(digit);
            scale *= 10;
            if scale == CHUNK {
                number.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        number.multiply_add(scale, chunk);
        number
    }

    /// `mantissa * 2^shift`.
    pub(super) fn shifted(mantissa: u64, shift: u32) -> Self {
        let mut number = Self {
            limbs: vec![mantissa],
        };
        number.shift_left(shift as usize);
        number
    }

    pub(super) fn multiply_power_of_ten(&mut self, power: u32) {
        for _ in 0..power / CHUNK_DIGITS {
            self.multiply_add(CHUNK, 0);
        }
        self.multiply_add(10_u64.pow(power % CHUNK_DIGITS), 0);
    }

    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = low(product);
            carry = product >> 64;
        }
        if carry != 0 {
            self.limbs.push(low(carry));
        }
    }

    fn bits(&self) -> usize {
        self.limbs.last().map_or(0, |top| {
            self.limbs.len() * 64 - top.leading_zeros() as usize
        })
    }

    fn shift_left(&mut self, shift: usize) {
        if !shift.is_multiple_of(64) {
            self.multiply_add(1 << (shift % 64), 0);
        }
        self.limbs.splice(0..0, std::iter::repeat_n(0, shift / 64));
    }

    fn compare(&self, other: &Self) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// Takes away `other`, which is not greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, part) in self
            .limbs
            .iter_mut()
            .zip(other.limbs.iter().chain(std::iter::repeat(&0)))
        {
            let (difference, first) = limb.overflowing_sub(*part);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// The number to its highest 128 bits.
    pub(super) fn leading(&self) -> Binary {
        let drop = self.bits().saturating_sub(128);
        let (limbs, bits) = (drop / 64, drop % 64);
        let limb = |index: usize| u128::from(self.limbs.get(limbs + index).copied().unwrap_or(0));
        let low = limb(0) | limb(1) << 64;
        let mantissa = if bits == 0 {
            low
        } else {
            low >> bits | limb(2) << (128 - bits)
        };
        let below = self.limbs.iter().take(limbs).any(|limb| *limb != 0);
        let sticky = below || limb(0) & ((1 << bits) - 1) != 0;
        Binary {
            mantissa,
            exponent: drop as i64,
            sticky,
        }
    }

    /// `self / divisor` to at least 66 bits; neither is zero.
    pub(super) fn divide(mut self, mut divisor: Self) -> Binary {
        let (dividend_bits, divisor_bits) = (self.bits(), divisor.bits());
        if dividend_bits < divisor_bits {
            self.shift_left(divisor_bits - dividend_bits);
        } else {
            divisor.shift_left(dividend_bits - divisor_bits);
        }
        // Both have their highest bit in the same place, so the quotient lies between 1/2 and 2.
        let mut mantissa = 0;
        for _ in 0..=QUOTIENT_BITS {
            mantissa <<= 1;
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                mantissa |= 1;
            }
            self.multiply_add(2, 0);
        }
        let exponent = dividend_bits as i64 - divisor_bits as i64 - QUOTIENT_BITS;
        Binary {
            mantissa,
            exponent,
            sticky: !self.limbs.is_empty(),
        }
    }

    /// Appends the decimal digits.
    pub(super) fn write(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            chunks.push(self.divide_by_chunk());
        }
        let mut chunks = chunks.into_iter().rev();
        out.extend(chunks.next().unwrap_or(0).to_string().bytes());
        for chunk in chunks {
            out.extend(format!("{chunk:019}").bytes());
        }
    }

    /// Divides by 10^19 and returns the rest.
    fn divide_by_chunk(&mut self) -> u64 {
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = rest << 64 | u128::from(*limb);
            *limb = low(dividend / u128::from(CHUNK));
            rest = dividend % u128::from(CHUNK);
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        low(rest)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(value: u128) -> u64 {
    value as u64
}

const CHUNK_DIGITS: u32 = 19;
const CHUNK: u64 = 10_u64.pow(CHUNK_DIGITS);
const QUOTIENT_BITS: i64 = 66;

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Natural {
        Natural::from_digits(text.bytes().map(|byte| byte - b'0'))
    }

    #[track_caller]
    fn check(number: Natural, expected: &str) {
        let mut out = Vec::new();
        number.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_read_scaled_and_written() {
        for text in [
            "0",
            "7",
            "10000000000000000000",
            "340282366920938463463374607431768211456",
        ] {
            check(number(text), text);
        }
        check(number("000000000000000000000000000012"), "12");
        check(
            Natural::shifted(3, 200),
            "4820814132776970826625886277023487807566608981348378505904128",
        );
        let mut scaled = number("12");
        scaled.multiply_power_of_ten(41);
        check(scaled, &format!("12{}", "0".repeat(41)));
    }

    #[test]
    fn leading_bits_keep_the_rest_as_sticky() {
        let exact = Natural::shifted(5, 190).leading();
        assert_eq!(
            exact,
            Binary {
                mantissa: 5 << 125,
                exponent: 65,
                sticky: false
            }
        );
        let mut number = Natural::shifted(5, 190);
        number.multiply_add(1, 1);
        assert_eq!(
            number.leading(),
            Binary {
                sticky: true,
                ..exact
            }
        );
        assert_eq!(number.leading().exponent, 65);
    }

    #[test]
    fn quotients_are_exact_to_66_bits() {
        let exact = number("30000000000000000000000").divide(number("20000000000000000000000"));
        assert_eq!(
            exact,
            Binary {
                mantissa: 3 << 65,
                exponent: -66,
                sticky: false
            }
        );
        let third = number("1").divide(number("3"));
        assert!(third.sticky);
        assert_eq!(third.mantissa, (1 << 67) / 3);
        assert_eq!(third.exponent, -67);
    }
}
