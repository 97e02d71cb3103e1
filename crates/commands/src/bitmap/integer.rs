//! Integers of any width in the bits of a string, as BITFIELD reads, sets and increments them.

/// The type of an integer: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntegerType {
    is_signed: bool,
    width: u32,
}

/// What happens to a result that the type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its high bits are lost.
    Wrap,
    /// It becomes the nearest one that the type can hold.
    Saturate,
    /// There is no result.
    Fail,
}

impl IntegerType {
    /// The type of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let (is_signed, width, width_max) = match name {
            [b'i', width @ ..] => (true, width, 64),
            [b'u', width @ ..] => (false, width, 63),
            _ => return None,
        };
        let width =
            resp::number::parse_i64(width).filter(|width| (1..=width_max).contains(width))?;
        Some(Self {
            is_signed,
            width: u32::try_from(width).ok()?,
        })
    }

    /// How many bits it has.
    pub(super) fn width(self) -> u32 {
        self.width
    }

    /// The integer whose highest bit is bit `offset`; bits behind the end of the string are zero.
    pub(super) fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = Window::at(bytes, offset);
        self.of_bits((window.bits >> self.shift(offset)) as u64)
    }

    /// Writes the low bits of `value` where [`IntegerType::read`] reads them. The string is long enough.
    pub(super) fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let mut window = Window::at(bytes, offset);
        let shift = self.shift(offset);
        let mask = u128::from(self.mask()) << shift;
        window.bits = window.bits & !mask | u128::from(value as u64) << shift & mask;
        window.put(bytes);
    }

    /// `value` as this type holds it, when it is set. A negative one is a large one to an unsigned type.
    pub(super) fn set(self, value: i64, overflow: Overflow) -> Option<i64> {
        let value = if self.is_signed {
            i128::from(value)
        } else {
            i128::from(value as u64)
        };
        self.fit(value, overflow)
    }

    /// The sum as this type holds it.
    pub(super) fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(value) + i128::from(increment), overflow)
    }

    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = self.bounds();
        if (least..=most).contains(&value) {
            return i64::try_from(value).ok();
        }
        match overflow {
            Overflow::Wrap => Some(self.of_bits(value as u64)),
            Overflow::Saturate => i64::try_from(value.clamp(least, most)).ok(),
            Overflow::Fail => None,
        }
    }

    fn bounds(self) -> (i128, i128) {
        if self.is_signed {
            let half = 1_i128 << (self.width - 1);
            (-half, half - 1)
        } else {
            (0, i128::from(self.mask()))
        }
    }

    /// The integer that the low bits of `bits` are.
    fn of_bits(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.is_signed {
            (bits << unused) as i64 >> unused
        } else {
            (bits & self.mask()) as i64
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width)
    }

    /// How many bits of a window lie behind the integer at `offset`.
    fn shift(self, offset: u64) -> u32 {
        Window::BITS - (offset % 8) as u32 - self.width
    }
}

/// The nine bytes in which an integer at some offset lies.
struct Window {
    /// Index of the first byte.
    start: usize,
    bits: u128,
}

impl Window {
    const BYTES: usize = 9;
    const BITS: u32 = 72;

    fn at(bytes: &[u8], offset: u64) -> Self {
        let start = super::byte_of(offset);
        let present = bytes.get(start..).unwrap_or_default().iter().copied();
        let padded = present.chain(std::iter::repeat(0)).take(Self::BYTES);
        let bits = padded.fold(0, |bits, byte| bits << 8 | u128::from(byte));
        Self { start, bits }
    }

    fn put(&self, bytes: &mut [u8]) {
        let [.., a, b, c, d, e, f, g, h, i] = self.bits.to_be_bytes();
        let present = bytes.get_mut(self.start..).unwrap_or_default();
        for (to, from) in present.iter_mut().zip([a, b, c, d, e, f, g, h, i]) {
            *to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = IntegerType> {
        (any::<bool>(), 1..=64_u32).prop_map(|(is_signed, width)| IntegerType {
            is_signed,
            width: if is_signed { width } else { width.min(63) },
        })
    }

    #[test]
    fn names_of_types() {
        for name in [
            "i0", "i65", "u0", "u64", "I8", "8", "", "i", "i08", "i+8", "i8 ",
        ] {
            assert_eq!(IntegerType::named(name.as_bytes()), None, "{name}");
        }
        assert!(IntegerType::named(b"i64").is_some());
        assert!(IntegerType::named(b"u63").is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_the_rest_stays(
            before in prop::collection::vec(any::<u8>(), 20..24),
            integer in any_type(),
            offset in 0..96_u64,
            value in any::<i64>(),
        ) {
            let mut bytes = before.clone();
            let held = integer.set(value, Overflow::Wrap).expect("wrapping gives a value");
            integer.write(&mut bytes, offset, held);
            prop_assert_eq!(integer.read(&bytes, offset), held);
            let inside = offset..offset + u64::from(integer.width());
            for bit in (0..before.len() as u64 * 8).filter(|bit| !inside.contains(bit)) {
                let is_set = |bytes: &[u8]| bytes[bit as usize / 8] & (0x80 >> (bit % 8)) != 0;
                prop_assert_eq!(is_set(&before), is_set(&bytes));
            }
        }

        #[test]
        fn sums_overflow_as_told(integer in any_type(), value in any::<i64>(), increment in any::<i64>()) {
            let value = integer.set(value, Overflow::Wrap).expect("wrapping gives a value");
            let exact = i128::from(value) + i128::from(increment);
            let (least, most) = integer.bounds();
            let fits = (least..=most).contains(&exact);
            prop_assert_eq!(integer.add(value, increment, Overflow::Fail).is_some(), fits);
            let saturated = integer.add(value, increment, Overflow::Saturate).map(i128::from);
            prop_assert_eq!(saturated, Some(exact.clamp(least, most)));
            let wrapped = integer.add(value, increment, Overflow::Wrap).map(i128::from);
            prop_assert!(wrapped.is_some_and(|wrapped| (wrapped - exact) % (1 << integer.width()) == 0));
        }
    }
}
