//! Commands on the bits of strings. Bit 0 is the highest bit of the first byte.

mod bit;
mod field;
mod integer;
mod operation;
mod search;

use crate::{Call, CommandError, DataCommand};

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &search::BITCOUNT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &operation::BITOP,
    &search::BITPOS,
    &bit::GETBIT,
    &bit::SETBIT,
];

/// Bytes whose bits are counted, searched or combined in the time that one element of a collection takes.
const BYTES_AN_ELEMENT: usize = 64;

/// The offset of a bit, within the longest string allowed (getBitOffsetFromArgument, Redis 7.2). `width` is what an
/// offset behind a `#` counts in, where that is allowed.
fn offset(word: &[u8], call: &Call<'_>, width: Option<u32>) -> Result<u64, CommandError> {
    let (number, unit) = match (word, width) {
        ([b'#', number @ ..], Some(width)) => (number, u64::from(width)),
        _ => (word, 1),
    };
    resp::number::parse_i64(number)
        .and_then(|number| u64::try_from(number).ok()?.checked_mul(unit))
        .filter(|offset| i64::try_from(*offset).is_ok() && offset >> 3 < call.settings.bulk_max)
        .ok_or(CommandError::BitOffset)
}

/// The index of the byte in which a bit lies.
fn byte_of(offset: u64) -> usize {
    usize::try_from(offset >> 3).unwrap_or(usize::MAX)
}
