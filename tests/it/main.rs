//! The server over real sockets: in-process servers on ports of the system's choice.

mod limits;
mod network;
mod protocol;
mod server;
mod threads;
mod tls;
