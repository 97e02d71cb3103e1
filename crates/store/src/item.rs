//! One element as the structures take it in and hand it out: bytes, or an integer that nobody has written out yet.

use std::borrow::Cow;

/// An element of a list, set, hash or sorted set, borrowed from the structure that holds it.
///
/// The packed encodings keep integers as numbers; they stay numbers until a reply is written, so reading them allocates nothing. An integer and its
/// decimal spelling are the same element: equality says so.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// The bytes as they were given.
    Bytes(&'a [u8]),
    /// An element that was given as the decimal spelling of this number.
    Integer(i64),
}

/// Room to spell an [`Item`] out in, on the stack.
#[derive(Default)]
pub struct Spelling(itoa::Buffer);

impl<'a> Item<'a> {
    /// The bytes of the element; an integer is spelled out into `spelling`.
    #[inline]
    pub fn as_bytes<'b>(&self, spelling: &'b mut Spelling) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(value) => spelling.0.format(value).as_bytes(),
        }
    }

    /// Length of the element in bytes, as HSTRLEN counts it.
    pub fn len(&self) -> usize {
        match *self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Integer(value) => {
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                digits + usize::from(value < 0)
            }
        }
    }

    /// Whether the element has no bytes.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Bytes([]))
    }

    /// The element as an integer, when its bytes are the decimal spelling of one.
    pub fn integer(&self) -> Option<i64> {
        match *self {
            Self::Bytes(bytes) => parse_integer(bytes),
            Self::Integer(value) => Some(value),
        }
    }

    /// The bytes of the element: borrowed, or spelled out on the heap when it is an integer.
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        match *self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Integer(value) => {
                Cow::Owned(itoa::Buffer::new().format(value).as_bytes().to_vec())
            }
        }
    }

    /// A copy of the bytes of the element.
    pub fn to_vec(&self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    /// Appends the bytes of the element to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes(&mut Spelling::default()));
    }
}

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a == b,
            _ => {
                self.as_bytes(&mut Spelling::default()) == other.as_bytes(&mut Spelling::default())
            }
        }
    }
}

impl Eq for Item<'_> {}

impl PartialEq<[u8]> for Item<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes(&mut Spelling::default()) == other
    }
}

impl<'a> From<&'a [u8]> for Item<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// Bytes to be compared with many elements: the number that they spell is worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    bytes: &'a [u8],
    number: Option<i64>,
}

impl<'a> Needle<'a> {
    /// A needle to look for `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            number: parse_integer(bytes),
        }
    }

    /// Whether `item` is these bytes.
    #[inline]
    pub fn matches(&self, item: Item<'_>) -> bool {
        match item {
            Item::Bytes(bytes) => bytes == self.bytes,
            Item::Integer(value) => Some(value) == self.number,
        }
    }
}

/// The number that `bytes` spell, if they are exactly how that number is written: no sign but a leading minus, no leading zeros, no blanks, within `i64`.
///
/// So a number can stand for the bytes and give them back. This is what decides between the string and the integer encodings everywhere in Redis.
#[inline]
pub fn parse_integer(bytes: &[u8]) -> Option<i64> {
    const LONGEST: usize = 20;
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if bytes.len() <= LONGEST => {}
        _ => return None,
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Counting down reaches i64::MIN, whose magnitude has no positive twin.
        value = value
            .checked_mul(10)?
            .checked_sub(i64::from(digit - b'0'))?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_only_their_own_spelling() {
        for value in [0, 1, -1, 9, 10, -10, 4095, i64::MAX, i64::MIN] {
            let text = value.to_string();
            assert_eq!(parse_integer(text.as_bytes()), Some(value));
            assert_eq!(Item::Integer(value).len(), text.len());
            assert_eq!(Item::Integer(value), *text.as_bytes());
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1a",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_integer_equals_its_spelling() {
        assert_eq!(Item::Integer(-7), Item::Bytes(b"-7"));
        assert_ne!(Item::Integer(7), Item::Bytes(b"07"));
        assert_eq!(Item::Bytes(b"12").integer(), Some(12));
    }
}
