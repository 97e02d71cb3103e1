//! How elements and strings of the store become bulk replies, without a copy on the way.

use crate::error::CommandError;
use crate::handler::Reply;
use resp::Writer;
use store::{Entry, Item, Object, ValueRef};

/// Replies made of what the store holds.
pub trait WriteItem {
    /// An element as a bulk string; an integer is spelled out straight into the output.
    fn item(&mut self, item: Item<'_>);

    /// The string of an entry as a bulk string; a large one by reference. WRONGTYPE when it is no string.
    fn string_of(&mut self, entry: &Entry<Object>) -> Result<Reply, CommandError>;
}

impl WriteItem for Writer<'_> {
    #[inline]
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Bytes(bytes) => self.bulk(bytes),
            Item::Integer(value) => self.bulk_integer(value),
        }
    }

    #[inline]
    fn string_of(&mut self, entry: &Entry<Object>) -> Result<Reply, CommandError> {
        match entry.value() {
            ValueRef::Bytes(bytes) => self.bulk(bytes),
            ValueRef::Integer(value) => self.bulk_integer(value),
            ValueRef::Boxed(Object::String(string)) => self.bulk_bytes(&string.share()),
            ValueRef::Boxed(_) => return Err(CommandError::WrongType),
        }
        Ok(Reply::Written)
    }
}
