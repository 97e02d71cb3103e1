//! HyperLogLogs as values of keys.

use super::error::HyperLogLogError;
use super::format::{Encoding, Owned, Sketch};
use crate::CommandError;
use crate::space::StringSlot;
use store::{Entry, Item, Object};

/// The bytes of a string that may be a HyperLogLog: an integer is none. WRONGTYPE for another type.
pub(super) fn bytes_of(entry: &Entry<Object>) -> Result<&[u8], CommandError> {
    match store::string_of(entry) {
        None => Err(CommandError::WrongType),
        Some(Item::Bytes(bytes)) => Ok(bytes),
        Some(Item::Integer(_)) => Err(HyperLogLogError::NotValid.into()),
    }
}

/// The encoding of the HyperLogLog at a key; `None` where nothing is.
pub(super) fn encoding_at(slot: &StringSlot<'_, '_>) -> Result<Option<Encoding>, CommandError> {
    let Some(entry) = slot.entry() else {
        return Ok(None);
    };
    let sketch = Sketch::parse(bytes_of(entry)?)?;
    Ok(Some(sketch.encoding))
}

/// A copy of the HyperLogLog at a key, to be changed; `None` where nothing is. The string is one changed in place from here
/// on, whether the command changes it or not (dbUnshareStringValue, Redis 7.2).
pub(super) fn taken(slot: &mut StringSlot<'_, '_>) -> Result<Option<Owned>, CommandError> {
    if encoding_at(slot)?.is_none() {
        return Ok(None);
    }
    let sketch = slot.edit(0, |bytes| Owned::parse(bytes))??;
    Ok(Some(sketch))
}
