//! The server over real sockets: in-process servers on ports of the system's choice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod aof;
mod certificates;
mod client;
mod command;
mod config;
mod connection;
mod crash;
mod debug;
mod differential;
mod disk;
mod failing_disk;
mod info;
mod limits;
mod migrate;
mod network;
mod observe;
mod oracle;
mod persistence;
mod power_cut;
mod process;
mod protocol;
mod pubsub;
mod replication;
mod said;
mod sentinel;
mod server;
mod shutdown;
mod snapshot;
mod table;
mod threads;
mod tls;
mod tracking;
mod transcript;
