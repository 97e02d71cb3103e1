//! Values, their encodings, and the sharded keyspace.

pub mod encoding;
pub mod expiry;
pub mod intset;
pub mod item;
pub mod list;
pub mod listpack;
pub mod random;
pub mod table;
pub mod tuning;

pub use encoding::{Encoding, Kind};
pub use intset::Intset;
pub use item::{Item, Needle, parse_integer};
pub use list::List;
pub use listpack::Listpack;
pub use tuning::Tuning;
