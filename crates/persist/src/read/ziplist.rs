//! The ziplist, which packed small values before Redis 7.0.
//!
//! ```text
//! +----------------------+-----------------------------+-------------------+---------+-----+------+
//! | total bytes (u32 LE) | where the last entry begins | entries (u16 LE,  | entry 0 | ... | 0xff |
//! |                      | (u32 LE)                    | 65535: unknown)   |         |     |      |
//! +----------------------+-----------------------------+-------------------+---------+-----+------+
//!
//! entry: bytes of the entry before (1 byte below 254; else 0xfe and u32 LE)  head  content
//!
//! 00xxxxxx                    string below 64 bytes         1100|0000  2 bytes LE    1101|0000  4 bytes LE   integers
//! 01xxxxxx xxxxxxxx           string below 16,384 bytes     1110|0000  8 bytes LE    1111|0000  3 bytes LE
//! 10xxxxxx u32 BE             longer string                 1111|1110  1 byte        1111|0001..1101  0 to 12
//! ```

use store::Item;

const HEADER: usize = 10;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
const BIG_PREVIOUS: u8 = 254;

/// Shows the elements of a ziplist to `visit` until it says no. Whether `bytes` are a ziplist in every respect and `visit` never said no.
pub(super) fn walk<'a>(bytes: &'a [u8], mut visit: impl FnMut(Item<'a>) -> bool) -> bool {
    let Some(header) = Header::of(bytes) else {
        return false;
    };
    let Some(entries) = bytes.get(..bytes.len() - 1) else {
        return false;
    };
    let (mut at, mut last, mut previous, mut count) = (HEADER, None, 0, 0);
    while at < entries.len() {
        let Some((item, stated, len)) = entries.get(at..).and_then(entry) else {
            return false;
        };
        if stated != previous || !visit(item) {
            return false;
        }
        (last, previous, count) = (Some(at), len, count + 1);
        at += len;
    }
    last.is_none_or(|last| last == header.tail)
        && (header.count == COUNT_UNKNOWN || usize::from(header.count) == count)
}

struct Header {
    tail: usize,
    count: u16,
}

impl Header {
    /// The header, when the length is right, the end mark is there, and the last entry is within.
    fn of(bytes: &[u8]) -> Option<Self> {
        let ([total, tail], rest) = bytes.split_first_chunk::<8>().map(|(head, rest)| {
            let word = |at: usize| head.get(at..).and_then(|word| word.first_chunk());
            (
                [word(0), word(4)].map(|word| word.map_or(0, |word| u32::from_le_bytes(*word))),
                rest,
            )
        })?;
        let count = u16::from_le_bytes(*rest.first_chunk()?);
        let (total, tail) = (total as usize, tail as usize);
        let framed = bytes.len() > HEADER
            && total == bytes.len()
            && bytes.last() == Some(&END)
            && tail < bytes.len();
        framed.then_some(Self { tail, count })
    }
}

/// The entry at the head of `bytes`: its element, the length of the entry before that it states, and its own length.
fn entry(bytes: &[u8]) -> Option<(Item<'_>, usize, usize)> {
    let (previous, at) = match *bytes.first()? {
        END => return None,
        BIG_PREVIOUS => (
            u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize,
            5,
        ),
        small => (usize::from(small), 1),
    };
    let (item, len) = content(bytes.get(at..)?)?;
    Some((item, previous, at + len))
}

/// The element whose head `bytes` begin with, and the length of head and content.
fn content(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let string = |head: usize, len: usize| {
        let end = head.checked_add(len)?;
        Some((Item::Bytes(bytes.get(head..end)?), end))
    };
    let integer = |value: i64, len: usize| Some((Item::Integer(value), 1 + len));
    match first {
        0..0x40 => string(1, usize::from(first)),
        0x40..0x80 => string(
            2,
            usize::from(u16::from_be_bytes([first & 0x3f, *rest.first()?])),
        ),
        0x80..0xc0 => string(5, u32::from_be_bytes(*rest.first_chunk()?) as usize),
        0xc0 => integer(i64::from(i16::from_le_bytes(*rest.first_chunk()?)), 2),
        0xd0 => integer(i64::from(i32::from_le_bytes(*rest.first_chunk()?)), 4),
        0xe0 => integer(i64::from_le_bytes(*rest.first_chunk()?), 8),
        0xf0 => {
            let [low, middle, high] = *rest.first_chunk()?;
            integer(
                i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8),
                3,
            )
        }
        0xfe => integer(i64::from(i8::from_le_bytes(*rest.first_chunk()?)), 1),
        0xf1..=0xfd => integer(i64::from(first) - 0xf1, 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two strings, and an integer of every width.
    const ALL: &[u8] = b"\x31\0\0\0\x2e\0\0\0\x09\0\
        \x00\x01a\x03\x40\x02bc\x05\xf1\x02\xfd\x02\xfe\xff\x03\xc0\0\x80\x04\xf0\0\0\x80\x05\xd0\0\0\0\x80\
        \x06\xe0\0\0\0\0\0\0\0\x80\xff";

    fn elements(bytes: &[u8]) -> Option<Vec<Item<'_>>> {
        let mut elements = Vec::new();
        walk(bytes, |item| {
            elements.push(item);
            true
        })
        .then_some(elements)
    }

    #[test]
    fn every_form_of_element_is_read() {
        let mut bytes = ALL.to_vec();
        let len = bytes.len() as u32;
        bytes[0..4].copy_from_slice(&len.to_le_bytes());
        bytes[4..8].copy_from_slice(&(len - 11).to_le_bytes());
        let expected: Vec<Item<'_>> = vec![
            Item::Bytes(b"a"),
            Item::Bytes(b"bc"),
            Item::Integer(0),
            Item::Integer(12),
            Item::Integer(-1),
            Item::Integer(i64::from(i16::MIN)),
            Item::Integer(-0x80_0000),
            Item::Integer(i64::from(i32::MIN)),
            Item::Integer(i64::MIN),
        ];
        assert_eq!(elements(&bytes), Some(expected));
        for cut in 0..bytes.len() {
            assert_eq!(elements(&bytes[..cut]), None);
        }
        for (at, wrong) in [(4, 1), (8, 1), (10, 7), (13, 9), (11, 0xff), (11, 0xc1)] {
            let mut bytes = bytes.clone();
            bytes[at] = wrong;
            assert_eq!(elements(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn long_strings_and_entries_are_read() {
        let long = [b'x'; 300];
        let mut bytes = vec![0; HEADER];
        bytes.extend([0, 0x80, 0, 0, 1, 0x2c]);
        bytes.extend(long);
        let tail = bytes.len() as u32;
        bytes.extend(b"\xfe\x32\x01\0\0\x01z\xff");
        let len = bytes.len() as u32;
        bytes[0..4].copy_from_slice(&len.to_le_bytes());
        bytes[4..8].copy_from_slice(&tail.to_le_bytes());
        bytes[8] = 2;
        assert_eq!(
            elements(&bytes),
            Some(vec![Item::Bytes(&long), Item::Bytes(b"z")])
        );
    }
}
