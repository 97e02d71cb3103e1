//! What a client may use.

use super::{LONG_MAX, SIGNED_MEMORY_MAX, UINT_MAX};
use crate::composite::{MemoryLimit, OutputLimits};
use crate::directive::{integer, memory, memory_limit, output_limits};
use crate::typed::Memory;

theme! {
    "Clients" after super::security::END;

    /// Clients connected at once.
    MAXCLIENTS: i64 = integer("maxclients", 1, UINT_MAX, "10000");
    /// Memory of all clients together, in bytes or percent of maxmemory, above which the largest are closed; 0 for none.
    MAXMEMORY_CLIENTS: MemoryLimit = memory_limit("maxmemory-clients", "0");
    /// For each class the unread output that closes a client: at once, and for so many seconds.
    CLIENT_OUTPUT_BUFFER_LIMIT: OutputLimits = output_limits(
        "client-output-buffer-limit",
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
    );
    /// The largest input that a client may have waiting.
    CLIENT_QUERY_BUFFER_LIMIT: Memory = memory("client-query-buffer-limit", 1 << 20, SIGNED_MEMORY_MAX, "1gb");
    /// The largest single argument.
    PROTO_MAX_BULK_LEN: Memory = memory("proto-max-bulk-len", 1 << 20, SIGNED_MEMORY_MAX, "512mb");
    /// Keys that tracking remembers for clients that cache, 0 for no limit.
    TRACKING_TABLE_MAX_KEYS: i64 = integer("tracking-table-max-keys", 0, LONG_MAX, "1000000");
    /// Milliseconds after which a script is called slow and others are answered BUSY, 0 for never.
    BUSY_REPLY_THRESHOLD: i64 = integer("busy-reply-threshold", 0, LONG_MAX, "5000").alias(&["lua-time-limit"]);
}
