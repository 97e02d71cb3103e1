//! Sets, in every form.

use store::listpack::Depth;
use store::{Intset, Set};

use super::packed::{self, Groups, check_unpacked};
use super::source::Source;
use super::string::{count, string};
use super::value::{Scratch, Terms, blob};
use crate::error::{Part, Reason};

/// Members one by one.
pub(super) fn members<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Set, Reason> {
    let count = count(source)?;
    if count == 0 {
        return Err(Reason::EmptyKey);
    }
    let mut set = Set::new();
    set.expect(terms.tuning, count);
    for _ in 0..count {
        let member = string(source, &mut scratch.unpacked)?;
        if !set.add(terms.tuning, member) {
            return Err(Reason::DuplicateMember);
        }
    }
    Ok(set)
}

/// An intset.
pub(super) fn intset<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Set, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::Intset)?;
    let sound = Intset::validate(bytes, Depth::from(terms.sanitize));
    let intset = sound.then(|| Intset::from_bytes(bytes)).flatten();
    let mut intset = intset.ok_or(Reason::Integrity(Part::Intset))?;
    if !intset.iter().is_sorted_by(|a, b| a < b) {
        let mut integers: Vec<i64> = intset.iter().collect();
        integers.sort_unstable();
        intset = integers.into_iter().collect();
    }
    Ok(Set::from_intset(terms.tuning, intset))
}

/// A listpack: from Redis 7.2 on.
pub(super) fn listpack<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Set, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::SetListpack)?;
    let pack = packed::listpack(bytes, Groups::Single, terms.sanitize, Part::SetListpack)?;
    let count = pack.len();
    let set = Set::from_listpack(terms.tuning, pack);
    check_unpacked(count, set.len(), Part::SetListpack)?;
    Ok(set)
}
