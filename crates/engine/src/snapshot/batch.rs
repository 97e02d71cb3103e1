//! Entries that the walk has copied out under a lock, to be encoded outside of it.

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

    /// Shows the entries in the order in which they came, and lets go of each.
    pub(super) fn drain(&mut self, mut visit: impl FnMut(Copy<'_>)) {
        let mut rest = &self.bytes[..];
        for copied in self.copies.drain(..) {
            let key = split(&mut rest, copied.key_len);
            let value = match &copied.value {
                CopiedValue::Integer(integer) => ValueRef::Integer(*integer),
                CopiedValue::Object(object) => ValueRef::Boxed(object),
                CopiedValue::Bytes(len) => ValueRef::Bytes(split(&mut rest, *len)),
            };
            visit(Copy {
                key,
                value,
                expiry: copied.expiry,
                access: copied.access,
            });
        }
        self.bytes.clear();
    }
}

/// The first `len` bytes, which are there: each length belongs to bytes that were copied with it.
fn split<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (first, others) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = others;
    first
}
