//! The RDB format over std::io, and DUMP payloads: what Redis 7.2 writes, and what every Redis since 2.6 and Valkey 9 wrote.
//!
//! - [`RdbWriter`] writes a file, record by record, as a snapshot walk hands them over;
//! - [`RdbReader`] reads one, item by item; what becomes of them is the caller's business;
//! - [`dump`] and [`restore`] are the same for one value, in the frame of a DUMP payload.
//!
//! What is read may be any bytes. Nothing here panics on them, and no allocation is larger than the bytes read so far justify:
//! a string is taken in as it arrives, whatever length it claims, and what a compressed one claims to become is held against
//! what its compressed bytes can become at most.

#![warn(clippy::indexing_slicing)]

mod aof;
mod crc64;
mod dump;
mod error;
mod format;
mod lzf;
mod read;
mod sanitize;
mod write;

pub use aof::{AofError, AofItem, AofReader, AofReason, CommandWriter, Words};
pub use dump::{dump, restore};
pub use error::{Part, RdbError, Reason, StreamFault};
pub use format::RdbVersion;
pub use read::{RdbItem, RdbReader, Record, Value, Verified};
pub use sanitize::{Checksums, Sanitize, SanitizePayload};
pub use write::{Access, Collection, Compression, FileInfo, KeyFacts, RdbWriter, Replication};
