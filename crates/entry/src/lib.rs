//! One heap block a key and an element: the memory layout of the keyspace.
//!
//! All the unsafe code of the data path is here, behind safe types that are one non-null pointer wide:
//!
//! - [`Entry`]: a key of the keyspace with its flags, access information, expiry and value;
//! - [`Member`]: a member of a set;
//! - [`Pair`]: a field of a hash with its value;
//! - [`Scored`]: a member of a sorted set with its score, shared by the set's two indexes;
//! - [`Blob`]: bytes that begin with their own length;
//! - [`Link`]: a slot of a hash bucket: nothing, one of the above, or a further bucket.

mod blob;
mod block;
mod entry;
mod link;
mod member;
mod pair;
mod scored;

pub use blob::{BLOB_MAX, BLOB_PREFIX, Blob, capacity_of};
pub use block::LENGTH_MAX;
pub use entry::{Entry, KIND_STRING, ValueRef};
pub use link::{Link, Taken, Thin, prefetch};
pub use member::Member;
pub use pair::Pair;
pub use scored::Scored;
