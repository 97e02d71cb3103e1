//! Strings at keys: how a new one is kept, what OBJECT ENCODING says of it, and the changes in place.
//!
//! ```text
//! value                                kind of the entry   OBJECT ENCODING
//! integer                              KIND_STRING         int
//! inline bytes, set as a whole         KIND_STRING         embstr up to 44 bytes, else raw
//! inline bytes, changed in place       EDITED              raw
//! Object::String, from 16 kB on        either              raw
//! ```

use crate::big_string::BigString;
use crate::encoding::Encoding;
use crate::item::{Item, Spelling, parse_integer};
use crate::object::{Object, string_encoding};
use bytes::BytesMut;
use entry::{Entry, KIND_STRING, ValueRef};

/// A string to be put at a key. How it came about decides how it is kept (tryObjectEncoding, Redis 7.2).
#[derive(Clone, Copy, Debug)]
pub enum StringValue<'a> {
    /// As a client gave it: the spelling of an integer is kept as the integer.
    Given(&'a [u8]),
    /// The result of a sum that is text even where it spells an integer (INCRBYFLOAT).
    Text(&'a [u8]),
    /// Bytes that Redis makes in a buffer to be changed further (BITOP): shown as raw whatever their length.
    Edited(&'a [u8]),
    /// An integer.
    Integer(i64),
}

/// A string to be put at a key, with what its entry carries.
#[derive(Clone, Copy, Debug)]
pub struct NewString<'a> {
    /// The string.
    pub value: StringValue<'a>,
    /// When the key expires, in Unix milliseconds.
    pub expiry: Option<i64>,
    /// The access field.
    pub access: u32,
}

/// Strings of this length or more are kept in a block of their own that replies can refer to.
pub const SHARED_STRING_MIN: usize = 16 << 10;

/// Kind of an entry whose inline string was changed in place.
const EDITED: u8 = 1;
const _: () = assert!(EDITED != KIND_STRING, "the two are told apart");

impl NewString<'_> {
    /// An entry that holds the string.
    pub(crate) fn entry(&self, key: &[u8]) -> Entry<Object> {
        let mut entry = match self.kept() {
            Kept::Integer(integer) => Entry::integer(key, integer, self.expiry),
            Kept::Inline(bytes) => Entry::bytes(key, bytes, self.expiry),
            Kept::Apart(bytes) => {
                Entry::boxed(key, KIND_STRING, Object::string(bytes), self.expiry)
            }
        };
        self.finish(&mut entry);
        entry
    }

    /// Puts the string into an entry that holds an inline string or an integer.
    pub(crate) fn overwrite(&self, entry: &mut Entry<Object>) {
        match self.kept() {
            Kept::Integer(integer) => entry.set_integer(integer),
            Kept::Inline(bytes) => entry.set_bytes(bytes),
            Kept::Apart(bytes) => entry.set_boxed(KIND_STRING, Object::string(bytes)),
        }
        if entry.expiry() != self.expiry {
            entry.set_expiry(self.expiry);
        }
        self.finish(entry);
    }

    fn finish(&self, entry: &mut Entry<Object>) {
        if matches!(self.value, StringValue::Edited(_)) {
            entry.set_kind(EDITED);
        }
        entry.set_access(self.access);
    }

    #[inline]
    fn kept(&self) -> Kept<'_> {
        let bytes = match self.value {
            StringValue::Integer(integer) => return Kept::Integer(integer),
            StringValue::Given(bytes) => match parse_integer(bytes) {
                Some(integer) => return Kept::Integer(integer),
                None => bytes,
            },
            StringValue::Text(bytes) | StringValue::Edited(bytes) => bytes,
        };
        if bytes.len() < SHARED_STRING_MIN {
            Kept::Inline(bytes)
        } else {
            Kept::Apart(bytes)
        }
    }
}

/// Where a string lies.
enum Kept<'a> {
    Integer(i64),
    Inline(&'a [u8]),
    Apart(&'a [u8]),
}

/// The string of an entry, when it is one.
#[must_use]
pub fn string_of(entry: &Entry<Object>) -> Option<Item<'_>> {
    match entry.value() {
        ValueRef::Bytes(bytes) => Some(Item::Bytes(bytes)),
        ValueRef::Integer(integer) => Some(Item::Integer(integer)),
        ValueRef::Boxed(object) => object.as_string().map(Item::Bytes),
    }
}

/// What OBJECT ENCODING says of an entry's value.
#[must_use]
pub fn encoding_of(entry: &Entry<Object>) -> Encoding {
    match entry.value() {
        ValueRef::Boxed(object) => object.encoding(),
        ValueRef::Bytes(_) if entry.kind() == EDITED => Encoding::Raw,
        ValueRef::Bytes(bytes) => string_encoding(Item::Bytes(bytes)),
        ValueRef::Integer(integer) => string_encoding(Item::Integer(integer)),
    }
}

/// An entry for an empty string that is going to be changed in place.
#[must_use]
pub fn empty_string(key: &[u8]) -> Entry<Object> {
    let mut entry = Entry::bytes(key, b"", None);
    entry.set_kind(EDITED);
    entry
}

/// Appends to the string of an entry and returns its new length; `None` when it holds no string.
///
/// Many appends cost time in proportion to the bytes appended: an inline string is moved at most as far as
/// [`SHARED_STRING_MIN`], a longer one has room to grow.
pub fn append_to_string(entry: &mut Entry<Object>, tail: &[u8]) -> Option<usize> {
    let len = loosen(entry)?;
    let grown = len + tail.len();
    if let Some(string) = apart(entry) {
        string.append(tail);
    } else if grown < SHARED_STRING_MIN {
        entry.append(tail);
    } else {
        let mut string = BigString::default();
        string.edit(grown, |buffer| {
            buffer.extend_from_slice(entry.bytes_mut().unwrap_or_default());
            buffer.extend_from_slice(tail);
        });
        entry.set_boxed(EDITED, Object::String(Box::new(string)));
    }
    Some(grown)
}

/// Lets `change` alter the bytes of an entry's string, which is first lengthened with zeros to `len` bytes when it is
/// shorter; `None` when it holds no string.
pub fn edit_string<R>(
    entry: &mut Entry<Object>,
    len: usize,
    change: impl FnOnce(&mut [u8]) -> R,
) -> Option<R> {
    let old = loosen(entry)?;
    if let Some(string) = apart(entry) {
        return Some(string.lengthen(len, change));
    }
    if len < SHARED_STRING_MIN {
        let bytes = if len > old {
            entry.resize(len)
        } else {
            entry.bytes_mut()
        };
        return bytes.map(change);
    }
    let mut buffer = BytesMut::zeroed(len);
    if let Some(kept) = buffer.get_mut(..old) {
        kept.copy_from_slice(entry.bytes_mut()?);
    }
    let result = change(&mut buffer);
    let string = BigString::from(buffer.freeze());
    entry.set_boxed(EDITED, Object::String(Box::new(string)));
    Some(result)
}

/// Turns an integer into its spelling and marks the string as changed in place; its length, when it is a string.
fn loosen(entry: &mut Entry<Object>) -> Option<usize> {
    let len = match entry.value() {
        ValueRef::Bytes(bytes) => bytes.len(),
        ValueRef::Boxed(object) => return object.as_string().map(<[u8]>::len),
        ValueRef::Integer(integer) => {
            let mut spelling = Spelling::default();
            let spelled = Item::Integer(integer).as_bytes(&mut spelling);
            entry.set_bytes(spelled);
            spelled.len()
        }
    };
    entry.set_kind(EDITED);
    Some(len)
}

fn apart(entry: &mut Entry<Object>) -> Option<&mut BigString> {
    match entry.boxed_mut()? {
        Object::String(string) => Some(string),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::List;
    use proptest::prelude::*;

    fn entry(value: StringValue<'_>) -> Entry<Object> {
        let string = NewString {
            value,
            expiry: None,
            access: 0,
        };
        string.entry(b"key")
    }

    fn bytes(entry: &Entry<Object>) -> Vec<u8> {
        string_of(entry).expect("it is a string").to_vec()
    }

    #[test]
    fn strings_show_the_encodings_of_redis() {
        let long = [b'x'; 45];
        let larger = [b'1'; SHARED_STRING_MIN];
        for (value, encoding) in [
            (StringValue::Given(b"12"), Encoding::Int),
            (StringValue::Given(b" 12"), Encoding::Embstr),
            (StringValue::Given(b""), Encoding::Embstr),
            (StringValue::Given(&long), Encoding::Raw),
            (StringValue::Given(&larger), Encoding::Raw),
            (StringValue::Text(b"12"), Encoding::Embstr),
            (StringValue::Edited(b"12"), Encoding::Raw),
            (StringValue::Integer(-1), Encoding::Int),
        ] {
            let mut other = entry(StringValue::Edited(b"other"));
            let string = NewString {
                value,
                expiry: Some(7),
                access: 3,
            };
            string.overwrite(&mut other);
            assert_eq!(encoding_of(&entry(value)), encoding, "{value:?}");
            assert_eq!(encoding_of(&other), encoding, "{value:?}");
            assert_eq!((other.expiry(), other.access()), (Some(7), 3));
        }
    }

    #[test]
    fn a_change_in_place_makes_a_string_raw() {
        let mut number = entry(StringValue::Given(b"-7"));
        assert_eq!(append_to_string(&mut number, b""), Some(2));
        assert_eq!(encoding_of(&number), Encoding::Raw);
        assert_eq!(bytes(&number), b"-7");
        let mut empty = empty_string(b"key");
        edit_string(&mut empty, 3, |bytes| bytes[1] = b'a');
        assert_eq!(encoding_of(&empty), Encoding::Raw);
        assert_eq!(bytes(&empty), b"\0a\0");
        assert_eq!(encoding_of(&empty.clone()), Encoding::Raw);
    }

    #[test]
    fn what_is_no_string_is_not_edited() {
        let mut list = Entry::boxed(b"key", KIND_STRING, Object::List(List::new()), None);
        assert_eq!(append_to_string(&mut list, b"a"), None);
        assert_eq!(edit_string(&mut list, 3, |_| ()), None);
    }

    proptest! {
        #[test]
        fn edits_behave_as_on_a_vector(
            start in 0..(3 * SHARED_STRING_MIN),
            steps in prop::collection::vec((any::<bool>(), 0..(2 * SHARED_STRING_MIN), any::<u8>()), 1..12),
        ) {
            let mut model = vec![b'a'; start];
            let mut entry = entry(StringValue::Given(&model));
            for (append, len, byte) in steps {
                if append {
                    let tail = vec![byte; len / 8];
                    model.extend(&tail);
                    prop_assert_eq!(append_to_string(&mut entry, &tail), Some(model.len()));
                } else {
                    model.resize(model.len().max(len + 1), 0);
                    model[len] = byte;
                    edit_string(&mut entry, len + 1, |bytes| bytes[len] = byte);
                }
                prop_assert_eq!(&bytes(&entry), &model);
            }
        }
    }
}
