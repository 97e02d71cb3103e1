//! Values, their encodings, and the sharded keyspace.

pub mod access;
pub mod big_string;
pub mod btree;
pub mod cut;
pub mod db;
mod dict;
pub mod encoding;
pub mod expiry;
pub mod glob;
pub mod hash;
pub mod intset;
pub mod item;
pub mod list;
pub mod listpack;
pub mod object;
pub mod random;
pub mod set;
pub mod shard;
pub mod slot;
pub mod stream;
pub mod string;
pub mod sync;
pub mod table;
#[cfg(test)]
mod testing;
pub mod tuning;
pub mod waiters;
pub mod watch;
pub mod zset;

pub use access::AccessPolicy;
pub use big_string::BigString;
pub use cut::{Block, Opening, Pieces, PreImages, Tail};
pub use db::{
    Db, Gone, Spot, cardinality, entry_of_object, is_expired, kind_of, object_of, object_of_mut,
};
pub use encoding::{Encoding, Kind};
pub use entry::{Entry, ValueRef};
pub use hash::{ALL_LIVE, FieldExpiry, Hash};
pub use intset::Intset;
pub use item::{Item, Needle, parse_integer};
pub use list::{List, ListLoader, ListNode};
pub use listpack::Listpack;
pub use object::{Object, string_encoding};
pub use set::Set;
pub use shard::Shard;
pub use stream::Stream;
pub use string::{
    NewString, SHARED_STRING_MIN, StringValue, append_to_string, edit_string, empty_string,
    encoding_of, string_of,
};
pub use table::HashSeed;
pub use tuning::Tuning;
pub use waiters::{Waiters, Waiting};
pub use watch::{Presence, WatchMark, Watchers};
pub use zset::ZSet;
