//! Hashes, in every form.

use std::borrow::Cow;

use store::ALL_LIVE;
use store::{FieldExpiry, Hash, Listpack};

use super::packed::{self, Groups, check_unpacked};
use super::source::Source;
use super::string::{count, string, string_into};
use super::value::{Scratch, Terms, blob};
use super::zipmap;
use crate::error::{Part, Reason};
use crate::format::NO_DEADLINE;

/// Whether fields come with deadlines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadlines {
    None,
    /// Each field has one behind its value, in Unix milliseconds; -1 says that it lives on.
    Each,
}

/// Fields and values one by one.
pub(super) fn fields<S: Source>(
    source: &mut S,
    deadlines: Deadlines,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Hash, Reason> {
    let count = count(source)?;
    if count == 0 {
        return Err(Reason::EmptyKey);
    }
    let mut hash = Hash::new();
    hash.expect(terms.tuning, count);
    for _ in 0..count {
        string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
        let value = string(source, &mut scratch.unpacked)?.to_bytes();
        let (value, expiry) = match deadlines {
            Deadlines::None => (value, FieldExpiry::None),
            Deadlines::Each => (Cow::Owned(value.into_owned()), expiry(source)?),
        };
        // What time it is does not matter: fields that have expired go when the hash is first looked at.
        if !hash.set_at(terms.tuning, &scratch.field, &value, expiry, ALL_LIVE) {
            return Err(Reason::DuplicateField);
        }
    }
    Ok(hash)
}

/// What stands behind a field and its value.
fn expiry<S: Source>(source: &mut S) -> Result<FieldExpiry, Reason> {
    Ok(match i64::from_le_bytes(source.array()?) {
        NO_DEADLINE => FieldExpiry::None,
        deadline_ms => FieldExpiry::At(deadline_ms),
    })
}

/// A zipmap: Redis 2.4.
pub(super) fn zipmap<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Hash, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::HashZipmap)?;
    let (mut hash, mut twice) = (Hash::new(), false);
    let sound = zipmap::walk(bytes, |field, value| {
        twice = !hash.set(terms.tuning, field, value);
        !twice
    });
    match (sound, twice) {
        (true, _) => Ok(hash),
        (false, true) => Err(Reason::PackedDuplicate(Part::HashZipmap)),
        (false, false) => Err(Reason::Integrity(Part::HashZipmap)),
    }
}

/// A ziplist: Redis 2.6 to 6.2.
pub(super) fn ziplist<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Hash, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::HashZiplist)?;
    of_listpack(
        packed::from_ziplist(bytes, Part::HashZiplist)?,
        terms,
        Part::HashZiplist,
    )
}

/// A listpack: from Redis 7.0 on.
pub(super) fn listpack<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Hash, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::HashListpack)?;
    let pack = packed::listpack(bytes, Groups::Pairs, terms.sanitize, Part::HashListpack)?;
    of_listpack(pack, terms, Part::HashListpack)
}

fn of_listpack(pack: Listpack, terms: Terms<'_>, part: Part) -> Result<Hash, Reason> {
    let count = pack.len() / 2;
    let hash = Hash::from_listpack(terms.tuning, pack);
    check_unpacked(count, hash.len(), part)?;
    Ok(hash)
}
