//! The server: sockets, sessions, workers, TLS accept and cron. The only crate that knows tokio.

pub mod client_info;
pub mod client_memory;
pub mod clock;
mod crash;
mod cron;
mod launch;
mod links;
pub mod log;
mod main_loop;
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

pub use launch::{Launch, Signals, StartError};
pub use net::listen::Kind;
pub use running::RunningServer;
pub use server::Server;

#[global_allocator]
static ALLOCATOR: alloc::CountingAllocator = alloc::CountingAllocator;
