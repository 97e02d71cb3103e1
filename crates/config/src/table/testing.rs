//! Directives for tests, shown only when asked for by name.

use super::{INT_MAX, INT_MIN, LONG_MAX};
use crate::directive::{boolean, integer};

theme! {
    "Tests" after super::encodings::END;

    /// Microseconds to sleep after each key of a snapshot.
    RDB_KEY_SAVE_DELAY: i64 = integer("rdb-key-save-delay", INT_MIN, INT_MAX, "0").hidden();
    /// Microseconds to sleep after each key that is loaded.
    KEY_LOAD_DELAY: i64 = integer("key-load-delay", INT_MIN, INT_MAX, "0").hidden();
    /// Bytes to load between looks at the clients.
    LOADING_PROCESS_EVENTS_INTERVAL_BYTES: i64 =
        integer("loading-process-events-interval-bytes", 1024, INT_MAX, "2097152").hidden();
    /// Keep append only files that a rewrite has replaced.
    AOF_DISABLE_AUTO_GC: bool = boolean("aof-disable-auto-gc", "no").hidden();
    /// Milliseconds after which a stuck command is logged, 0 for never.
    WATCHDOG_PERIOD: i64 = integer("watchdog-period", 0, INT_MAX, "0").hidden();
    /// Milliseconds between a node's pings, 0 for the usual.
    CLUSTER_PING_INTERVAL: i64 = integer("cluster-ping-interval", 0, LONG_MAX, "0").hidden();
    /// Exit rather than abort on a broken invariant.
    USE_EXIT_ON_PANIC: bool = boolean("use-exit-on-panic", "no").hidden();
}
