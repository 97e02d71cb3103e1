//! Handshakes in memory between the configurations that this crate builds and rustls peers.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod certificates;
mod clients;
mod offers;
mod own;
mod reload;
mod servers;
mod wire;
