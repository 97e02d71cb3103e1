//! Values, their encodings, and the sharded keyspace.

pub mod intset;
pub mod item;
pub mod listpack;
pub mod random;

pub use intset::Intset;
pub use item::{Item, parse_integer};
pub use listpack::Listpack;
