//! One heap block a key and an element: the memory layout of the keyspace.

mod blob;

pub use blob::{BLOB_MAX, BLOB_PREFIX, Blob, capacity_of};
