//! Writing: values in the forms of Redis 7.2, and files around them.

mod encoder;
mod stream;
mod value;
mod writer;

pub use encoder::Compression;
pub use value::Collection;
pub use writer::{Access, FileInfo, KeyFacts, RdbWriter, Replication};

pub(crate) use encoder::Encoder;
pub(crate) use value::{version_for, write_typed};
