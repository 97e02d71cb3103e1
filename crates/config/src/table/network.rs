//! Where the server listens, and how it treats a connection.

use super::{INT_MAX, PORT_MAX, UINT_MAX};
use crate::directive::{addresses, boolean, integer, octal, optional};
use crate::typed::{Addresses, OptionalText};

theme! {
    "Network" after 0;

    /// Addresses to listen on; a leading - lets one be missing, and "" listens on none.
    BIND: Addresses = addresses("bind", "* -::*");
    /// The local address of outgoing connections, to a primary or to other cluster nodes.
    BIND_SOURCE_ADDR: OptionalText = optional("bind-source-addr");
    /// Accept only local clients while no address is bound by name and the default user has no password.
    PROTECTED_MODE: bool = boolean("protected-mode", "yes");
    /// The plaintext port, 0 for none. Without any port or tls-port line the server listens for TLS on 6379.
    PORT: i64 = integer("port", 0, PORT_MAX, "6379");
    /// How many connections may wait to be accepted.
    TCP_BACKLOG: i64 = integer("tcp-backlog", 0, INT_MAX, "511").immutable();
    /// Seconds between probes of a silent connection, 0 for no probes.
    TCP_KEEPALIVE: i64 = integer("tcp-keepalive", 0, INT_MAX, "300");
    /// Seconds after which an idle client is closed, 0 for never.
    TIMEOUT: i64 = integer("timeout", 0, INT_MAX, "0");
    /// Listen on a Unix socket at this path as well.
    UNIXSOCKET: OptionalText = optional("unixsocket").immutable();
    /// The group of the Unix socket.
    UNIXSOCKETGROUP: OptionalText = optional("unixsocketgroup").immutable();
    /// The permissions of the Unix socket in octal, 0 for the system's default.
    UNIXSOCKETPERM: i64 = octal("unixsocketperm", 0o777, "0").immutable();
    /// Mark the listening sockets with this number for the firewall, 0 for no mark.
    SOCKET_MARK_ID: i64 = integer("socket-mark-id", 0, UINT_MAX, "0").immutable();
    /// Plaintext connections to accept before the others are served.
    MAX_NEW_CONNECTIONS_PER_CYCLE: i64 = integer("max-new-connections-per-cycle", 1, 1000, "10");
    /// Listen with Multipath TCP.
    MPTCP: bool = boolean("mptcp", "no").immutable();
    /// Addresses to listen on for RDMA.
    RDMA_BIND: Addresses = addresses("rdma-bind", "\"\"");
    /// The RDMA port, 0 for none.
    RDMA_PORT: i64 = integer("rdma-port", 0, PORT_MAX, "0");
    /// The receive buffer of an RDMA connection in bytes.
    RDMA_RX_SIZE: i64 = integer("rdma-rx-size", 64 * 1024, 16 * 1024 * 1024, "1048576").immutable();
    /// The completion vector of RDMA connections, -1 for any.
    RDMA_COMPLETION_VECTOR: i64 = integer("rdma-completion-vector", -1, 1024, "-1").immutable();
}
