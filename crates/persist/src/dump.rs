//! DUMP payloads: one value in a frame of version and checksum.

use store::{Object, Tuning, ValueRef};

use crate::crc64::checksum;
use crate::error::{RdbError, Reason};
use crate::format::{RdbVersion, Type, is_readable};
use crate::read::{Scratch, SliceSource, Terms, Value, read_value};
use crate::sanitize::{Checksums, Sanitize};
use crate::write::{Compression, Encoder, version_for, write_typed};

/// The payload of a value: its type, its bytes, the version, and the checksum of all of it. A hash with volatile fields has version 80 whatever
/// `version` says: only Valkey 9 has a form for it.
pub fn dump(value: ValueRef<'_, Object>, version: RdbVersion, compression: Compression) -> Vec<u8> {
    let version = version_for(&value, version);
    let mut out = Encoder::new(Vec::new(), compression, None);
    // Writing to memory never fails.
    let written = write_typed(&mut out, version, &value, |_| Ok(()));
    let mut payload = written.and_then(|()| out.finish()).unwrap_or_default();
    payload.extend(version.number().to_le_bytes());
    payload.extend(checksum(&payload).to_le_bytes());
    payload
}

/// Reads a payload and shows its value to `take`.
///
/// # Errors
/// [`Reason::Payload`] when the frame is wrong; anything else is Redis' "Bad data format". As in Redis, bytes between the value and
/// the version are not looked at.
pub fn restore<T>(
    payload: &[u8],
    tuning: &Tuning,
    sanitize: Sanitize,
    checksums: Checksums,
    take: impl FnOnce(Value<'_>) -> T,
) -> Result<T, RdbError> {
    let body = unframed(payload, checksums)
        .ok_or_else(|| RdbError::at(payload.len() as u64, Reason::Payload))?;
    let (&kind, body) = body
        .split_first()
        .ok_or_else(|| RdbError::at(0, Reason::EndOfInput))?;
    let kind = Type::of(kind).ok_or_else(|| RdbError::at(0, Reason::Type(kind)))?;
    let mut source = SliceSource::new(body);
    let terms = Terms { tuning, sanitize };
    match read_value(&mut source, kind, terms, &mut Scratch::default()) {
        Ok(value) => Ok(take(value)),
        Err(reason) => Err(RdbError::at(1, reason)),
    }
}

/// What stands in the frame, when version and checksum are right.
fn unframed(payload: &[u8], checksums: Checksums) -> Option<&[u8]> {
    let (summed, stated) = payload.split_last_chunk::<8>()?;
    let (body, version) = summed.split_last_chunk::<2>()?;
    let right = checksums == Checksums::Ignore || checksum(summed) == u64::from_le_bytes(*stated);
    (right && is_readable(u16::from_le_bytes(*version))).then_some(body)
}
