//! The server: sockets, sessions, workers, TLS accept and cron. The only crate that knows tokio.

pub mod client_info;
pub mod client_memory;
pub mod clock;
mod crash;
mod cron;
mod links;
pub mod log;
mod migrate;
mod net;
pub mod own_tls;
pub mod persistence;
pub mod process;
mod replication;
pub mod rows;
mod running;
pub mod server;
pub mod settings;
mod shutdown;

pub use net::listen::Kind;
pub use running::{Launch, RunningServer, Signals, StartError};
pub use server::Server;

#[global_allocator]
static ALLOCATOR: alloc::CountingAllocator = alloc::CountingAllocator;
