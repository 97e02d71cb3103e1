//! Listpacks of sets, hashes and sorted sets, as they lie in a file.

use std::collections::HashSet;

use store::listpack::{Buffer, Depth, View, validate, validate_unique};
use store::{Item, Listpack};

use super::ziplist;
use crate::error::{Part, Reason};
use crate::sanitize::Sanitize;

/// How many elements of a listpack belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Groups {
    /// Each stands for itself: a set.
    Single,
    /// Two by two: a hash, a sorted set.
    Pairs,
}

impl Groups {
    fn stride(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Pairs => 2,
        }
    }
}

/// The listpack that `bytes` are; of a malformed one, when that is not looked for, the groups before it ceases to make sense.
pub(super) fn listpack(
    bytes: &[u8],
    groups: Groups,
    sanitize: Sanitize,
    part: Part,
) -> Result<Listpack, Reason> {
    let stride = groups.stride();
    let sound = match sanitize {
        Sanitize::Deep => validate_unique(bytes, stride),
        Sanitize::Framing => validate(bytes, Depth::Header),
    };
    if !sound {
        return Err(Reason::Integrity(part));
    }
    let view = View::new(bytes);
    if view.len() < stride {
        return Err(Reason::EmptyKey);
    }
    let whole = sanitize == Sanitize::Deep || validate(bytes, Depth::Entries);
    let pack = if whole && view.len().is_multiple_of(stride) {
        Listpack::from_bytes(bytes).ok_or(Reason::Integrity(part))?
    } else {
        readable(view, stride)
    };
    if pack.is_empty() {
        return Err(Reason::EmptyKey);
    }
    Ok(pack)
}

/// The listpack of the elements of a ziplist, of which no group may come twice.
pub(super) fn from_ziplist(bytes: &[u8], part: Part) -> Result<Listpack, Reason> {
    let (mut pack, mut seen, mut count) = (Listpack::new(), HashSet::new(), 0);
    let sound = ziplist::walk(bytes, |item| {
        let is_name = count % 2 == 0;
        count += 1;
        pack.push_back(item);
        !is_name || seen.insert(item.to_bytes())
    });
    match (sound, count) {
        (false, _) => Err(Reason::Integrity(part)),
        (true, 0) => Err(Reason::EmptyKey),
        (true, count) if count % 2 == 1 => Err(Reason::Integrity(part)),
        (true, _) => Ok(pack),
    }
}

/// The listpack of the elements of one node of a list.
pub(super) fn node_from_ziplist<B: Buffer>(bytes: &[u8]) -> Result<Listpack<B>, Reason> {
    let mut pack = Listpack::new();
    let sound = ziplist::walk(bytes, |item| {
        pack.push_back(item);
        true
    });
    if sound {
        Ok(pack)
    } else {
        Err(Reason::Integrity(Part::QuicklistZiplist))
    }
}

/// Refuses a packed value that lost elements when it was unpacked: some came twice.
pub(super) fn check_unpacked(before: usize, after: usize, part: Part) -> Result<(), Reason> {
    if before == after {
        Ok(())
    } else {
        Err(Reason::PackedDuplicate(part))
    }
}

/// The whole groups of elements that can be read.
fn readable(view: View<'_>, stride: usize) -> Listpack {
    let items: Vec<Item<'_>> = view.iter().collect();
    let whole = items.len() - items.len() % stride;
    items.into_iter().take(whole).collect()
}
