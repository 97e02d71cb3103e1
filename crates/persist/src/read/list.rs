//! Lists, in every form.

use store::list::End;
use store::listpack::{Depth, Roomy, View, validate};
use store::{List, ListLoader, ListNode};

use super::packed::node_from_ziplist;
use super::source::Source;
use super::string::{count, length, string, string_into};
use super::value::{Scratch, Terms, blob};
use super::ziplist;
use crate::error::{Part, Reason};
use crate::format::container;
use store::Item;

/// Elements one by one: long lists before Redis 3.2.
pub(super) fn elements<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<List, Reason> {
    let mut list = List::new();
    for _ in 0..count(source)? {
        string_into(source, &mut scratch.unpacked, &mut scratch.field)?;
        list.push(terms.tuning, End::Tail, &scratch.field);
    }
    filled(list)
}

/// One ziplist: short lists before Redis 3.2.
pub(super) fn ziplist<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<List, Reason> {
    let bytes = blob(source, &mut scratch.unpacked, Part::ListZiplist)?;
    let mut list = List::new();
    let sound = ziplist::walk(bytes, |item| {
        list.push(terms.tuning, End::Tail, &item.to_bytes());
        true
    });
    if !sound {
        return Err(Reason::Integrity(Part::ListZiplist));
    }
    filled(list)
}

/// Nodes that are ziplists: Redis 3.2 to 6.2.
pub(super) fn ziplists<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<List, Reason> {
    let mut loader = ListLoader::new(terms.tuning);
    for _ in 0..count(source)? {
        let bytes = blob(source, &mut scratch.unpacked, Part::QuicklistZiplist)?;
        let pack = node_from_ziplist::<Roomy>(bytes)?;
        loader.append(ListNode::Packed(pack.view()));
    }
    filled(loader.finish(terms.tuning))
}

/// Nodes that are listpacks or single elements: from Redis 7.0 on.
pub(super) fn nodes<S: Source>(
    source: &mut S,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<List, Reason> {
    let mut loader = ListLoader::new(terms.tuning);
    for _ in 0..count(source)? {
        match length(source)? {
            container::PACKED => {
                let bytes = blob(source, &mut scratch.unpacked, Part::ListListpack)?;
                if !validate(bytes, Depth::from(terms.sanitize)) {
                    return Err(Reason::Integrity(Part::ListListpack));
                }
                loader.append(ListNode::Packed(View::new(bytes)));
            }
            container::PLAIN => match string(source, &mut scratch.unpacked)? {
                Item::Bytes([]) => return Err(Reason::Integrity(Part::Quicklist)),
                item => loader.append(ListNode::Plain(&item.to_bytes())),
            },
            _ => return Err(Reason::Integrity(Part::Quicklist)),
        }
    }
    filled(loader.finish(terms.tuning))
}

fn filled(list: List) -> Result<List, Reason> {
    if list.is_empty() {
        return Err(Reason::EmptyKey);
    }
    Ok(list)
}
