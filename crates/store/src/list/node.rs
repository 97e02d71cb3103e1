//! One node of a quicklist: a listpack of elements, or one element too large to be packed.

use std::iter;

use crate::item::Item;
use crate::listpack::{Entries, Listpack, Roomy};

/// A node. Nodes sit behind `Arc`: a snapshot shares them, and who changes a shared one copies it first.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Packed(Listpack<Roomy>),
    Plain(Box<[u8]>),
}

/// Elements of a node, from both ends.
#[derive(Clone, Debug)]
pub(super) enum NodeItems<'a> {
    Packed(Entries<'a>),
    Plain(iter::Once<Item<'a>>),
}

impl Node {
    pub(super) fn packed(element: &[u8]) -> Self {
        Self::Packed(iter::once(element).collect())
    }

    pub(super) fn plain(element: &[u8]) -> Self {
        Self::Plain(element.into())
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Bytes of the content, as DEBUG OBJECT adds them up.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.as_bytes().len(),
            Self::Plain(element) => element.len(),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.heap_bytes(),
            Self::Plain(element) => element.len(),
        }
    }

    pub(super) fn items(&self) -> NodeItems<'_> {
        match self {
            Self::Packed(pack) => NodeItems::Packed(pack.view().entries()),
            Self::Plain(element) => NodeItems::Plain(iter::once(Item::Bytes(element))),
        }
    }

    /// The elements from `index` on, towards the tail.
    pub(super) fn items_from(&self, index: usize) -> NodeItems<'_> {
        match self {
            Self::Packed(pack) => {
                let view = pack.view();
                NodeItems::Packed(view.entries_from(view.seek(index).unwrap_or_else(|| view.end())))
            }
            Self::Plain(_) => self.items(),
        }
    }

    /// The elements up to and including `index`, to be read towards the head.
    pub(super) fn items_to(&self, index: usize) -> NodeItems<'_> {
        match self {
            Self::Packed(pack) => {
                let view = pack.view();
                NodeItems::Packed(
                    view.entries_before(view.seek(index + 1).unwrap_or_else(|| view.end())),
                )
            }
            Self::Plain(_) => self.items(),
        }
    }

    /// Gives back the slack once it is worth a move: the node is full, or is not where the list grows.
    pub(super) fn settle(&mut self) {
        if let Self::Packed(pack) = self
            && pack.slack() > SLACK_MAX
        {
            pack.shrink_to_fit();
        }
    }
}

/// Unused bytes that a node inside a list may keep.
const SLACK_MAX: usize = 64;

impl<'a> Iterator for NodeItems<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(entries) => entries.next().map(|(_, item)| item),
            Self::Plain(element) => element.next(),
        }
    }
}

impl DoubleEndedIterator for NodeItems<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(entries) => entries.next_back().map(|(_, item)| item),
            Self::Plain(element) => element.next_back(),
        }
    }
}
