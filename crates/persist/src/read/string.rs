//! Lengths and strings.

use store::Item;

use super::source::Source;
use crate::error::Reason;
use crate::format::head;
use crate::lzf;

/// The longest string that entries, members and fields take.
const STRING_MAX: u64 = u32::MAX as u64;

/// What a first byte introduces.
enum Head {
    Length(u64),
    Encoded(u8),
}

fn head<S: Source>(source: &mut S) -> Result<Head, Reason> {
    let first = source.byte()?;
    Ok(match first {
        0..0x40 => Head::Length(u64::from(first)),
        0x40..0x80 => {
            let low = source.byte()?;
            Head::Length(u64::from(u16::from_be_bytes([first & 0x3f, low])))
        }
        head::LENGTH_32 => Head::Length(u64::from(u32::from_be_bytes(source.array()?))),
        head::LENGTH_64 => Head::Length(u64::from_be_bytes(source.array()?)),
        0x82..0xc0 => return Err(Reason::LengthEncoding),
        _ => Head::Encoded(first),
    })
}

/// A length. The head of an encoded string counts as the number of its encoding, as in Redis.
#[inline]
pub(super) fn length<S: Source>(source: &mut S) -> Result<u64, Reason> {
    Ok(match head(source)? {
        Head::Length(length) => length,
        Head::Encoded(first) => u64::from(first & 0x3f),
    })
}

/// A length as a number of elements. Each takes a byte at least, so one that is too high ends at the end of the bytes.
pub(super) fn count<S: Source>(source: &mut S) -> Result<usize, Reason> {
    Ok(usize::try_from(length(source)?).unwrap_or(usize::MAX))
}

/// A string. `unpacked` is room for one that was compressed.
#[inline]
pub(super) fn string<'s, S: Source>(
    source: &'s mut S,
    unpacked: &'s mut Vec<u8>,
) -> Result<Item<'s>, Reason> {
    let encoding = match head(source)? {
        Head::Length(length) => return Ok(Item::Bytes(source.take(checked(length)?)?)),
        Head::Encoded(encoding) => encoding,
    };
    let integer = match encoding {
        head::INT8 => i64::from(i8::from_le_bytes(source.array()?)),
        head::INT16 => i64::from(i16::from_le_bytes(source.array()?)),
        head::INT32 => i64::from(i32::from_le_bytes(source.array()?)),
        head::LZF => {
            let compressed = checked(length(source)?)?;
            let length = length(source)?;
            checked(length)?;
            let compressed = source.take(compressed)?;
            if !lzf::decompress(compressed, length, unpacked) {
                return Err(Reason::Lzf);
            }
            return Ok(Item::Bytes(unpacked));
        }
        other => return Err(Reason::StringEncoding(other & 0x3f)),
    };
    Ok(Item::Integer(integer))
}

/// A string, put into `out` in the stead of what is there.
pub(super) fn string_into<S: Source>(
    source: &mut S,
    unpacked: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Reason> {
    let item = string(source, unpacked)?;
    out.clear();
    item.write_to(out);
    Ok(())
}

fn checked(length: u64) -> Result<usize, Reason> {
    usize::try_from(length)
        .ok()
        .filter(|_| length <= STRING_MAX)
        .ok_or(Reason::TooLong(length))
}
