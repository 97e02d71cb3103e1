//! The patterns of BY and GET: which key, and which of its fields, belongs to an element.

use super::Lookups;
use memchr::memchr;
use memchr::memmem;
use store::{Item, Object, ValueRef};

/// A pattern of BY or GET (lookupKeyByPattern, Redis 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No `*`, which nothing belongs to.
    Constant,
    /// The string at a key, or a field of the hash there.
    Key {
        /// What stands before the element in the key's name.
        prefix: &'a [u8],
        /// What stands behind it.
        suffix: &'a [u8],
        /// The field behind `->`.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr(b'*', text) else {
            return Self::Constant;
        };
        let (prefix, behind) = (&text[..star], &text[star + 1..]);
        let arrow = memmem::find(behind, b"->").filter(|at| at + 2 < behind.len());
        Self::Key {
            prefix,
            suffix: arrow.map_or(behind, |at| &behind[..at]),
            field: arrow.map(|at| &behind[at + 2..]),
        }
    }

    /// Whether the pattern has a place for the element, so that it names a key.
    pub(super) fn has_place(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    /// Shows `take` what belongs to `element`.
    pub(super) fn find<R>(
        &self,
        space: &mut impl Lookups,
        element: &[u8],
        take: impl FnOnce(Option<Item<'_>>) -> R,
    ) -> R {
        let Self::Key {
            prefix,
            suffix,
            field,
        } = *self
        else {
            let itself = *self == Self::Element;
            return take(itself.then_some(Item::Bytes(element)));
        };
        let key = [prefix, element, suffix].concat();
        let now_ms = space.field_now();
        let Some(entry) = space.read(&key) else {
            return take(None);
        };
        take(match field {
            None => store::string_of(entry),
            Some(field) => match entry.value() {
                ValueRef::Boxed(Object::Hash(hash)) => hash.get(field, now_ms),
                _ => None,
            },
        })
    }
}
