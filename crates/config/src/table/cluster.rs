//! The cluster.

use super::{INT_MAX, LONG_MAX, MEMORY_MAX, PORT_MAX};
use crate::choices::{ConfigSaveBehavior, EndpointType};
use crate::directive::{boolean, choice, integer, memory, optional, text};
use crate::rules;
use crate::typed::{Memory, OptionalText, Text};

theme! {
    "Cluster" after super::replication::END;

    /// Be a node of a cluster.
    CLUSTER_ENABLED: bool = boolean("cluster-enabled", "no").immutable();
    /// The file in which the node keeps the cluster's state.
    CLUSTER_CONFIG_FILE: Text = text("cluster-config-file", "nodes.conf").immutable();
    /// End when that file cannot be written (sync), or go on (best-effort).
    CLUSTER_CONFIG_SAVE_BEHAVIOR: ConfigSaveBehavior = choice("cluster-config-save-behavior", "sync");
    /// Milliseconds of silence after which a node is failing.
    CLUSTER_NODE_TIMEOUT: i64 = integer("cluster-node-timeout", 0, LONG_MAX, "15000");
    /// The port of the cluster bus, 0 for the client port and 10000.
    CLUSTER_PORT: i64 = integer("cluster-port", 0, PORT_MAX, "0").immutable();
    /// The number of databases in cluster mode.
    CLUSTER_DATABASES: i64 = integer("cluster-databases", 1, INT_MAX, "1").immutable();
    /// How many node timeouts a replica may have been cut off and still be promoted, 0 for any.
    CLUSTER_REPLICA_VALIDITY_FACTOR: i64 =
        integer("cluster-replica-validity-factor", 0, INT_MAX, "10").alias(&["cluster-slave-validity-factor"]);
    /// Never promote this replica by itself.
    CLUSTER_REPLICA_NO_FAILOVER: bool =
        boolean("cluster-replica-no-failover", "no").alias(&["cluster-slave-no-failover"]);
    /// Milliseconds that a failover by hand may take.
    CLUSTER_MANUAL_FAILOVER_TIMEOUT: i64 = integer("cluster-manual-failover-timeout", 1, INT_MAX, "5000");
    /// Replicas that a primary keeps when one moves to a primary without.
    CLUSTER_MIGRATION_BARRIER: i64 = integer("cluster-migration-barrier", 0, INT_MAX, "1");
    /// Let replicas move to primaries without.
    CLUSTER_ALLOW_REPLICA_MIGRATION: bool = boolean("cluster-allow-replica-migration", "yes");
    /// Refuse queries while a slot has no node.
    CLUSTER_REQUIRE_FULL_COVERAGE: bool = boolean("cluster-require-full-coverage", "yes");
    /// Answer reads while the cluster is down.
    CLUSTER_ALLOW_READS_WHEN_DOWN: bool = boolean("cluster-allow-reads-when-down", "no");
    /// Serve sharded channels while the cluster is down.
    CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN: bool = boolean("cluster-allow-pubsubshard-when-down", "yes");
    /// Output that may wait on a link of the bus, 0 for no limit.
    CLUSTER_LINK_SENDBUF_LIMIT: Memory = memory("cluster-link-sendbuf-limit", 0, MEMORY_MAX, "0");
    /// Seconds for which a forgotten node stays forgotten.
    CLUSTER_BLACKLIST_TTL: i64 = integer("cluster-blacklist-ttl", 0, LONG_MAX, "60");
    /// The address that the node gives itself.
    CLUSTER_ANNOUNCE_IP: OptionalText = optional("cluster-announce-ip");
    /// The client port that the node gives itself, 0 for its own.
    CLUSTER_ANNOUNCE_PORT: i64 = integer("cluster-announce-port", 0, PORT_MAX, "0");
    /// The TLS port that the node gives itself, 0 for its own.
    CLUSTER_ANNOUNCE_TLS_PORT: i64 = integer("cluster-announce-tls-port", 0, PORT_MAX, "0");
    /// The bus port that the node gives itself, 0 for its own.
    CLUSTER_ANNOUNCE_BUS_PORT: i64 = integer("cluster-announce-bus-port", 0, PORT_MAX, "0");
    /// The host name that the node gives itself.
    CLUSTER_ANNOUNCE_HOSTNAME: OptionalText = optional("cluster-announce-hostname").check(rules::host_name);
    /// A name for people, shown in the log.
    CLUSTER_ANNOUNCE_HUMAN_NODENAME: OptionalText =
        optional("cluster-announce-human-nodename").check(rules::node_name);
    /// The IPv4 address that clients are told.
    CLUSTER_ANNOUNCE_CLIENT_IPV4: OptionalText = optional("cluster-announce-client-ipv4").check(rules::ipv4);
    /// The IPv6 address that clients are told.
    CLUSTER_ANNOUNCE_CLIENT_IPV6: OptionalText = optional("cluster-announce-client-ipv6").check(rules::ipv6);
    /// The port that clients are told, 0 for the announced one.
    CLUSTER_ANNOUNCE_CLIENT_PORT: i64 = integer("cluster-announce-client-port", 0, PORT_MAX, "0");
    /// The TLS port that clients are told, 0 for the announced one.
    CLUSTER_ANNOUNCE_CLIENT_TLS_PORT: i64 = integer("cluster-announce-client-tls-port", 0, PORT_MAX, "0");
    /// What redirections name: ip, hostname or unknown-endpoint.
    CLUSTER_PREFERRED_ENDPOINT_TYPE: EndpointType = choice("cluster-preferred-endpoint-type", "ip");
    /// Count the use of each slot.
    CLUSTER_SLOT_STATS_ENABLED: bool = boolean("cluster-slot-stats-enabled", "no");
    /// Finished slot migrations to remember.
    CLUSTER_SLOT_MIGRATION_LOG_MAX_LEN: i64 = integer("cluster-slot-migration-log-max-len", 0, LONG_MAX, "1000");
    /// Bytes that may be outstanding when the writes pause to hand over a slot, -1 for any.
    SLOT_MIGRATION_MAX_FAILOVER_REPL_BYTES: i64 =
        integer("slot-migration-max-failover-repl-bytes", -1, LONG_MAX, "0");
}
