//! Numbers as Redis reads and writes them, to the byte.

mod integer;

pub use integer::parse_i64;
