//! PSYNC, the protocol between a primary and its replicas, as state machines that know no socket.
//!
//! - [`History`] names what a server has executed, and says which replicas may go on from where they were.
//! - [`Handshake`] is what a replica says until its primary has told it how to synchronise.
//! - [`SnapshotHandshake`] and [`StreamHandshake`] are what it says where the two come over connections of their own.
//! - [`Transfer`] takes the snapshot out of the bytes that follow.
//! - [`Conf`] is what a replica has told its primary of itself.

#![warn(clippy::indexing_slicing)]

mod conf;
mod dual_channel;
mod handshake;
mod history;
mod transfer;

pub use conf::{Capabilities, Conf, ConfError, Notice};
pub use dual_channel::{SnapshotEnd, SnapshotHandshake, StreamHandshake};
pub use handshake::{Answer, Credentials, Handshake, HandshakeError, Introduction, Place, Stage};
pub use history::{History, ReplicationId, Resume};
pub use transfer::{Transfer, TransferError, TransferForm};
