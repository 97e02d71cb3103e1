//! Debian's redis-server, version 7.0.15, as an oracle.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use resp::Value;

use crate::server::wait_until;
use crate::transcript::Caller;

/// A real server that ends with the test.
pub(crate) struct RealServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl RealServer {
    pub(crate) fn start() -> Self {
        Self::start_in(&std::env::temp_dir(), "none.rdb")
    }

    /// A real server that has loaded this file of a directory, if it is there.
    pub(crate) fn start_in(dir: &Path, file: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("redis-server")
            .args(["--port", &address.port().to_string()])
            .args(["--save", "", "--enable-debug-command", "yes"])
            .args(["--daemonize", "no", "--dbfilename", file])
            .arg("--dir")
            .arg(dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("the tests need redis-server on PATH");
        wait_until("the real server listens", || {
            Caller::connect(address)
                .is_ok_and(|mut caller| matches!(caller.call("DBSIZE"), Value::Integer(_)))
        });
        Self { child, address }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
