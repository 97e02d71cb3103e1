//! The bytes of one listpack entry: reading and writing.
//!
//! ```text
//! entry:  head (1..9 bytes)  payload (strings only)  backlen (1..5 bytes: length of head and payload, readable from its end)
//!
//! 0xxxxxxx                      0..=127                       11110000 4 bytes LE length   string
//! 10xxxxxx                      string of 0..=63 bytes        11110001 2 bytes LE          16-bit integer
//! 110xxxxx xxxxxxxx             13-bit integer                11110010 3 bytes LE          24-bit integer
//! 1110xxxx xxxxxxxx             string of 0..=4095 bytes      11110011 4 bytes LE          32-bit integer
//! 11111111                      end of the listpack           11110100 8 bytes LE          64-bit integer
//! ```

use crate::item::{Item, parse_integer};

/// The byte after the last entry.
pub(super) const END: u8 = 0xff;

/// An element made ready to be written as an entry.
pub(super) struct Encoded<'a> {
    head: [u8; 9],
    head_len: u8,
    payload: &'a [u8],
}

impl<'a> Encoded<'a> {
    pub(super) fn new(item: Item<'a>) -> Self {
        match item {
            Item::Integer(value) => Self::integer(value),
            Item::Bytes(bytes) => {
                parse_integer(bytes).map_or_else(|| Self::string(bytes), Self::integer)
            }
        }
    }

    fn string(payload: &'a [u8]) -> Self {
        let mut head = [0; 9];
        let len = payload.len();
        let head_len = match len {
            0..64 => {
                head[0] = 0x80 | len as u8;
                1
            }
            64..4096 => {
                head[0] = 0xe0 | (len >> 8) as u8;
                head[1] = len as u8;
                2
            }
            _ => {
                head[0] = 0xf0;
                head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                5
            }
        };
        Self {
            head,
            head_len,
            payload,
        }
    }

    fn integer(value: i64) -> Self {
        let mut head = [0; 9];
        let le = value.to_le_bytes();
        let (tag, width) = match value {
            0..=127 => (le[0], 0),
            -4096..=4095 => {
                head[1] = le[0];
                (0xc0 | (le[1] & 0x1f), 1)
            }
            -0x8000..=0x7fff => (0xf1, 2),
            -0x80_0000..=0x7f_ffff => (0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
            _ => (0xf4, 8),
        };
        head[0] = tag;
        if width > 1 {
            head[1..=width].copy_from_slice(&le[..width]);
        }
        Self {
            head,
            head_len: width as u8 + 1,
            payload: &[],
        }
    }

    /// Bytes that the entry takes, backlen included.
    pub(super) fn len(&self) -> usize {
        let len = self.body_len();
        len + backlen_size(len)
    }

    /// Writes the entry into `out`, which is [`Encoded::len`] bytes long.
    pub(super) fn write(&self, out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(usize::from(self.head_len));
        head.copy_from_slice(&self.head[..head.len()]);
        let (payload, back) = rest.split_at_mut(self.payload.len());
        payload.copy_from_slice(self.payload);
        write_backlen(self.body_len(), back);
    }

    fn body_len(&self) -> usize {
        usize::from(self.head_len) + self.payload.len()
    }
}

/// The entry at `at`: its element and the place after it. `None` at the end and where the bytes are no entry.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let rest = bytes.get(at..)?;
    let (item, len) = match *rest.first()? {
        first @ 0..=0x7f => (Item::Integer(i64::from(first)), 1),
        first @ 0x80..=0xbf => {
            let len = usize::from(first & 0x3f);
            (Item::Bytes(rest.get(1..1 + len)?), 1 + len)
        }
        _ => decode_long(rest)?,
    };
    Some((item, at + len + backlen_size(len)))
}

fn decode_long(rest: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&first, tail) = rest.split_first()?;
    let string = |head: usize, len: usize| {
        Some((
            Item::Bytes(rest.get(head..head.checked_add(len)?)?),
            head + len,
        ))
    };
    let integer = |value: i64, len: usize| Some((Item::Integer(value), len));
    match first {
        0xc0..=0xdf => {
            let raw = i64::from(first & 0x1f) << 8 | i64::from(*tail.first()?);
            integer(if raw < 1 << 12 { raw } else { raw - (1 << 13) }, 2)
        }
        0xe0..=0xef => string(
            2,
            usize::from(first & 0xf) << 8 | usize::from(*tail.first()?),
        ),
        0xf0 => string(5, u32::from_le_bytes(*tail.first_chunk()?) as usize),
        0xf1 => integer(i64::from(i16::from_le_bytes(*tail.first_chunk()?)), 3),
        0xf2 => {
            let [low, middle, high] = *tail.first_chunk()?;
            integer(
                i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8),
                4,
            )
        }
        0xf3 => integer(i64::from(i32::from_le_bytes(*tail.first_chunk()?)), 5),
        0xf4 => integer(i64::from_le_bytes(*tail.first_chunk()?), 9),
        _ => None,
    }
}

/// The place of the entry that ends before `at`, or `None` when no well-formed entry does.
pub(super) fn entry_before(bytes: &[u8], first: usize, at: usize) -> Option<usize> {
    if at <= first {
        return None;
    }
    let len = read_backlen(bytes.get(first..at)?)?;
    at.checked_sub(len + backlen_size(len))
        .filter(|&place| place >= first)
}

/// Bytes of the backlen of an entry whose head and payload are `len` bytes.
///
/// The limits of the longer forms are one below what the bits could hold: Redis wrote them so, and its readers count on it.
#[inline]
pub(super) fn backlen_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Writes `len` seven bits a byte, highest first; all but the first byte carry the mark that the reader, who comes from the end, must go on.
fn write_backlen(len: usize, out: &mut [u8]) {
    let mut rest = len;
    let last = out.len() - 1;
    for (index, byte) in out.iter_mut().enumerate().rev() {
        *byte = (rest & 0x7f) as u8 | if index == 0 { 0 } else { 0x80 };
        rest >>= 7;
    }
    debug_assert!(rest == 0 && last < 5);
}

/// Reads the backlen at the end of `bytes`; `None` when it is longer than five bytes or the bytes run out.
pub(super) fn read_backlen(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for (index, byte) in bytes.iter().rev().take(5).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}
