//! Entries that the walk has copied out under a lock, to be encoded outside of it.

use std::ops::Range;
use store::{Entry, Object, ValueRef};

/// Entries copied out under a lock: strings lie in one block of bytes, so that copying one allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    copies: Vec<Copied>,
}

#[derive(Debug)]
struct Copied {
    key_len: usize,
    expiry: Option<i64>,
    access: u32,
    value: CopiedValue,
}

#[derive(Debug)]
enum CopiedValue {
    /// So many bytes behind those of the key.
    Bytes(usize),
    Integer(i64),
    Object(Object),
}

/// One entry of a batch.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: ValueRef<'a, Object>,
    pub(super) expiry: Option<i64>,
    pub(super) access: u32,
}

/// What an object counts for: copying its packed form takes about as long as so many bytes of a string.
const OBJECT_BYTES: usize = 256;

impl Batch {
    /// Copies an entry.
    pub(super) fn push(&mut self, entry: &Entry<Object>) {
        let key = entry.key();
        self.bytes.extend_from_slice(key);
        let value = match entry.value() {
            ValueRef::Bytes(bytes) => {
                self.bytes.extend_from_slice(bytes);
                CopiedValue::Bytes(bytes.len())
            }
            ValueRef::Integer(integer) => CopiedValue::Integer(integer),
            ValueRef::Boxed(object) => CopiedValue::Object(object.clone()),
        };
        self.copies.push(Copied {
            key_len: key.len(),
            expiry: entry.expiry(),
            access: entry.access(),
            value,
        });
    }

    /// About how many bytes were copied.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.copies.len() * OBJECT_BYTES / 8
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.copies.clear();
    }

    /// The entries, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = Copy<'_>> {
        let mut at = 0;
        self.copies.iter().map(move |copied| {
            let key = self.slice(at..at + copied.key_len);
            at += copied.key_len;
            let value = match &copied.value {
                CopiedValue::Integer(integer) => ValueRef::Integer(*integer),
                CopiedValue::Object(object) => ValueRef::Boxed(object),
                CopiedValue::Bytes(len) => {
                    let bytes = self.slice(at..at + len);
                    at += len;
                    ValueRef::Bytes(bytes)
                }
            };
            Copy {
                key,
                value,
                expiry: copied.expiry,
                access: copied.access,
            }
        })
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}
