//! TEMP.
use crate::{Kind, List};
use entry::Entry;
#[derive(Debug)]
pub enum Object {
    String(bytes::BytesMut),
    List(Box<List>),
}
impl Object {
    pub fn string(b: &[u8]) -> Self {
        Self::String(b.into())
    }
    pub fn as_string(&self) -> Option<&[u8]> {
        match self {
            Self::String(b) => Some(b),
            _ => None,
        }
    }
    pub fn free_effort(&self) -> usize {
        0
    }
    pub fn len(&self) -> usize {
        0
    }
    pub fn kind(&self) -> Kind {
        Kind::List
    }
}
