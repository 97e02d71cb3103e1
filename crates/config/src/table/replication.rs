//! Replication, from both of its ends.

use super::{INT_MAX, LONG_MAX, PORT_MAX, SIGNED_MEMORY_MAX};
use crate::choices::{DisklessLoad, PropagationErrorBehavior};
use crate::composite::Primary;
use crate::directive::{boolean, choice, integer, memory, optional, primary};
use crate::typed::{Memory, OptionalText};

theme! {
    "Replication" after super::append_only::END;

    /// Follow the primary with this host and port; no one for none.
    REPLICAOF: Option<Primary> = primary("replicaof").alias(&["slaveof"]).immutable();
    /// The password for the primary.
    MASTERAUTH: OptionalText = optional("masterauth").alias(&["primaryauth"]).sensitive();
    /// The user for the primary.
    MASTERUSER: OptionalText = optional("masteruser").alias(&["primaryuser"]).sensitive();
    /// Answer from old data while the link is down.
    REPLICA_SERVE_STALE_DATA: bool = boolean("replica-serve-stale-data", "yes").alias(&["slave-serve-stale-data"]);
    /// Refuse writes on a replica.
    REPLICA_READ_ONLY: bool = boolean("replica-read-only", "yes").alias(&["slave-read-only"]);
    /// Leave eviction to the primary.
    REPLICA_IGNORE_MAXMEMORY: bool = boolean("replica-ignore-maxmemory", "yes").alias(&["slave-ignore-maxmemory"]);
    /// Free the old dataset in the background at a full synchronisation.
    REPLICA_LAZY_FLUSH: bool = boolean("replica-lazy-flush", "no").alias(&["slave-lazy-flush"]);
    /// Go on after a write that did not reach the disk.
    REPLICA_IGNORE_DISK_WRITE_ERRORS: bool = boolean("replica-ignore-disk-write-errors", "no");
    /// The order in which replicas are promoted, least first, 0 for never.
    REPLICA_PRIORITY: i64 = integer("replica-priority", 0, INT_MAX, "100").alias(&["slave-priority"]);
    /// Show this replica to Sentinel.
    REPLICA_ANNOUNCED: bool = boolean("replica-announced", "yes");
    /// The address that a replica gives itself.
    REPLICA_ANNOUNCE_IP: OptionalText = optional("replica-announce-ip").alias(&["slave-announce-ip"]);
    /// The port that a replica gives itself, 0 for its own.
    REPLICA_ANNOUNCE_PORT: i64 = integer("replica-announce-port", 0, PORT_MAX, "0").alias(&["slave-announce-port"]);
    /// Refuse writes with fewer good replicas than this, 0 for never.
    MIN_REPLICAS_TO_WRITE: i64 = integer("min-replicas-to-write", 0, INT_MAX, "0").alias(&["min-slaves-to-write"]);
    /// Seconds of silence up to which a replica is good.
    MIN_REPLICAS_MAX_LAG: i64 = integer("min-replicas-max-lag", 0, INT_MAX, "10").alias(&["min-slaves-max-lag"]);
    /// Send a full synchronisation straight to the sockets.
    REPL_DISKLESS_SYNC: bool = boolean("repl-diskless-sync", "yes");
    /// Seconds to wait for more replicas before it.
    REPL_DISKLESS_SYNC_DELAY: i64 = integer("repl-diskless-sync-delay", 0, INT_MAX, "5");
    /// Replicas at which it does not wait, 0 for none.
    REPL_DISKLESS_SYNC_MAX_REPLICAS: i64 = integer("repl-diskless-sync-max-replicas", 0, INT_MAX, "0");
    /// Load a full synchronisation from the socket: disabled, on-empty-db, swapdb or flush-before-load.
    REPL_DISKLESS_LOAD: DisklessLoad = choice("repl-diskless-load", "disabled").deny_loading();
    /// Send the snapshot over a connection of its own beside the stream.
    DUAL_CHANNEL_REPLICATION_ENABLED: bool = boolean("dual-channel-replication-enabled", "no");
    /// The part of the stream kept for replicas that reconnect.
    REPL_BACKLOG_SIZE: Memory = memory("repl-backlog-size", 1, SIGNED_MEMORY_MAX, "1mb");
    /// Seconds to keep it without replicas, 0 for ever.
    REPL_BACKLOG_TTL: i64 = integer("repl-backlog-ttl", 0, LONG_MAX, "3600");
    /// Seconds of silence after which a link is dead.
    REPL_TIMEOUT: i64 = integer("repl-timeout", 1, INT_MAX, "60");
    /// Seconds between the primary's pings.
    REPL_PING_REPLICA_PERIOD: i64 =
        integer("repl-ping-replica-period", 1, INT_MAX, "10").alias(&["repl-ping-slave-period"]);
    /// Trade delay for fewer packets on the links.
    REPL_DISABLE_TCP_NODELAY: bool = boolean("repl-disable-tcp-nodelay", "no");
    /// Use Multipath TCP on the link to the primary.
    REPL_MPTCP: bool = boolean("repl-mptcp", "no");
    /// What an error in a replicated command does: ignore, panic or panic-on-replicas.
    PROPAGATION_ERROR_BEHAVIOR: PropagationErrorBehavior = choice("propagation-error-behavior", "ignore");
}
