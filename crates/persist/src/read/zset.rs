//! Sorted sets, in every form.

use store::zset::Outcome;
use store::{Listpack, ZSet};

use super::packed::{self, Groups, check_unpacked};
use super::source::Source;
use super::string::{count, string_into};
use super::value::{Scratch, Terms, blob};
use crate::error::{Part, Reason};

/// Members one by one, each with a score that `score` reads.
pub(super) fn members<S: Source>(
    source: &mut S,
    score: fn(&mut S) -> Result<f64, Reason>,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<ZSet, Reason> {
    let count = count(source)?;
    if count == 0 {
        return Err(Reason::EmptyKey);
    }
    let mut zset = ZSet::new();
    zset.expect(terms.tuning, count);
    for _ in 0..count {
        string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
        let score = score(source)?;
        if score.is_nan() {
            return Err(Reason::Score);
        }
        if zset.insert(terms.tuning, &scratch.field, score) != Outcome::Added {
            return Err(Reason::DuplicateScored);
        }
    }
    Ok(zset)
}

/// A score as 8 bytes: from Redis 4.0 on.
pub(super) fn binary_score<S: Source>(source: &mut S) -> Result<f64, Reason> {
    source.array().map(f64::from_le_bytes)
}

/// A score as text behind its length, or one of three bytes for what has no digits.
pub(super) fn text_score<S: Source>(source: &mut S) -> Result<f64, Reason> {
    match source.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => {
            let text = std::str::from_utf8(source.take(usize::from(len))?);
            let score = text.ok().and_then(|text| text.trim().parse().ok());
            score.ok_or(Reason::Score)
        }
    }
}

/// A ziplist: before Redis 7.0.
pub(super) fn ziplist<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<ZSet, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::ZSetZiplist)?;
    of_listpack(
        packed::from_ziplist(bytes, Part::ZSetZiplist)?,
        terms,
        Part::ZSetZiplist,
    )
}

/// A listpack: from Redis 7.0 on.
pub(super) fn listpack<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<ZSet, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::ZSetListpack)?;
    let pack = packed::listpack(bytes, Groups::Pairs, terms.sanitize, Part::ZSetListpack)?;
    of_listpack(pack, terms, Part::ZSetListpack)
}

fn of_listpack(pack: Listpack, terms: Terms<'_>, part: Part) -> Result<ZSet, Reason> {
    let count = pack.len() / 2;
    let zset = ZSet::from_listpack(terms.tuning, pack);
    check_unpacked(count, zset.len(), part)?;
    Ok(zset)
}
