//! What the server notes about its commands, and the events that it publishes.

use super::LONG_MAX;
use crate::composite::KeyspaceEvents;
use crate::directive::{boolean, integer, keyspace_events, percentiles};
use crate::typed::Percentiles;

theme! {
    "Monitoring" after super::cluster::END;

    /// Note commands that take more microseconds than this; 0 notes all, -1 none.
    SLOWLOG_LOG_SLOWER_THAN: i64 =
        integer("slowlog-log-slower-than", -1, LONG_MAX, "10000").alias(&["commandlog-execution-slower-than"]);
    /// Slow commands to keep.
    SLOWLOG_MAX_LEN: i64 =
        integer("slowlog-max-len", 0, LONG_MAX, "128").alias(&["commandlog-slow-execution-max-len"]);
    /// Note requests of more bytes than this, -1 for none.
    COMMANDLOG_REQUEST_LARGER_THAN: i64 = integer("commandlog-request-larger-than", -1, LONG_MAX, "1048576");
    /// Large requests to keep.
    COMMANDLOG_LARGE_REQUEST_MAX_LEN: i64 = integer("commandlog-large-request-max-len", 0, LONG_MAX, "128");
    /// Note replies of more bytes than this, -1 for none.
    COMMANDLOG_REPLY_LARGER_THAN: i64 = integer("commandlog-reply-larger-than", -1, LONG_MAX, "1048576");
    /// Large replies to keep.
    COMMANDLOG_LARGE_REPLY_MAX_LEN: i64 = integer("commandlog-large-reply-max-len", 0, LONG_MAX, "128");
    /// Milliseconds from which LATENCY notes an event, 0 for never.
    LATENCY_MONITOR_THRESHOLD: i64 = integer("latency-monitor-threshold", 0, LONG_MAX, "0");
    /// Keep a histogram of each command's time.
    LATENCY_TRACKING: bool = boolean("latency-tracking", "yes");
    /// The percentiles of it that INFO shows.
    LATENCY_TRACKING_INFO_PERCENTILES: Percentiles =
        percentiles("latency-tracking-info-percentiles", "50 99 99.9");
    /// Events to publish: K, E or both for the channel, then classes of g$lshzxetdmn, or A for most of them.
    NOTIFY_KEYSPACE_EVENTS: KeyspaceEvents = keyspace_events("notify-keyspace-events");
}
