//! Whether bytes from outside are a node of a stream.

use super::StreamId;
use super::node::NodeEntries;
use crate::listpack::{self, Depth, View};

/// Whether `bytes` are a node, as closely as `depth` asks (`streamValidateListpackIntegrity`, Redis 7.2): with [`Depth::Entries`], a listpack whose master
/// entry counts the entries that follow, each of them whole.
pub fn validate_node(bytes: &[u8], depth: Depth) -> bool {
    listpack::validate(bytes, depth) && (depth == Depth::Header || is_sound(View::new(bytes)))
}

fn is_sound(view: View<'_>) -> bool {
    let mut head = view.iter().map(|item| item.integer());
    let mut number = || {
        head.next()
            .flatten()
            .and_then(|count| usize::try_from(count).ok())
    };
    let (Some(live), Some(deleted), Some(fields)) = (number(), number(), number()) else {
        return false;
    };
    let Some(stated) = live.checked_add(deleted) else {
        return false;
    };
    let master_end = view.seek_forward(fields.saturating_add(3));
    if master_end.and_then(|place| view.item(place)?.integer()) != Some(0) {
        return false;
    }
    let mut entries = NodeEntries::new(view, StreamId::MIN);
    let (mut walked, mut elements) = (0, fields + 4);
    while let Some(raw) = entries.next() {
        if entries.pieces_stated() != i64::try_from(raw.pieces()).ok() {
            return false;
        }
        walked += 1;
        elements += raw.pieces() + 1;
    }
    (walked, elements) == (stated, view.len())
}
