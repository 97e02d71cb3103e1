//! Whether bytes from outside (a DUMP payload, an RDB file) are a listpack.

use std::collections::HashSet;

use super::codec::{END, backlen_size, decode, read_backlen};
use super::{COUNT_UNKNOWN, EMPTY, HEADER, View};

/// How closely [`validate`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The length in the header and the end mark: what `sanitize-dump-payload no` asks for.
    Header,
    /// Every entry, and the count in the header.
    Entries,
}

/// Whether `bytes` are a listpack.
pub fn validate(bytes: &[u8], depth: Depth) -> bool {
    let Some(head) = bytes.first_chunk::<4>() else {
        return false;
    };
    let framed = bytes.len() >= EMPTY
        && u32::from_le_bytes(*head) as usize == bytes.len()
        && bytes.last() == Some(&END);
    framed && (depth == Depth::Header || entries_are_sound(bytes))
}

/// Whether `bytes` are a listpack, entry by entry, of groups of `stride` elements whose first elements differ: a set (1), a hash or a sorted set (2).
pub fn validate_unique(bytes: &[u8], stride: usize) -> bool {
    if !validate(bytes, Depth::Entries) {
        return false;
    }
    let view = View::new(bytes);
    let mut seen = HashSet::new();
    view.len().is_multiple_of(stride)
        && view
            .iter()
            .step_by(stride)
            .all(|item| seen.insert(item.to_bytes()))
}

fn entries_are_sound(bytes: &[u8]) -> bool {
    let (mut at, mut count) = (HEADER, 0);
    while bytes.get(at).is_some_and(|&byte| byte != END) {
        let Some((_, next)) = decode(bytes, at) else {
            return false;
        };
        let Some(entry) = bytes.get(at..next) else {
            return false;
        };
        if read_backlen(entry).is_none_or(|len| len + backlen_size(len) != entry.len()) {
            return false;
        }
        at = next;
        count += 1;
    }
    let stated = View::new(bytes).header_count();
    at == bytes.len() - 1 && (stated == COUNT_UNKNOWN || usize::from(stated) == count)
}
