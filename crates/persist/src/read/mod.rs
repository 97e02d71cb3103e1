//! Reading: files item by item, and values in every form there has been.

mod hash;
mod list;
mod module;
mod packed;
mod reader;
mod set;
mod source;
mod stream;
mod string;
mod value;
mod ziplist;
mod zipmap;
mod zset;

pub use reader::{RdbItem, RdbReader, Record, Verified};
pub use value::Value;

pub(crate) use source::SliceSource;
pub(crate) use value::{Scratch, Terms, read_value};
