//! How much memory the dataset may take, and what happens at the limit.

use super::{INT_MAX, LONG_MAX, MEMORY_MAX, SIGNED_MEMORY_MAX};
use crate::choices::MaxmemoryPolicy;
use crate::directive::{boolean, choice, integer, memory};
use crate::rules;
use crate::typed::Memory;

theme! {
    "Memory" after super::limits::END;

    /// The memory that the server may use, 0 for no limit.
    MAXMEMORY: Memory = memory("maxmemory", 0, MEMORY_MAX, "0");
    /// Which keys go at the limit: noeviction, or lru, lfu or random of volatile or allkeys, or volatile-ttl.
    MAXMEMORY_POLICY: MaxmemoryPolicy = choice("maxmemory-policy", "noeviction");
    /// Keys to compare when one must go.
    MAXMEMORY_SAMPLES: i64 = integer("maxmemory-samples", 1, INT_MAX, "5");
    /// How long a write may be held up to free memory, 0 to 100.
    MAXMEMORY_EVICTION_TENACITY: i64 = integer("maxmemory-eviction-tenacity", 0, 100, "10");
    /// How slowly the access counter of lfu grows.
    LFU_LOG_FACTOR: i64 = integer("lfu-log-factor", 0, INT_MAX, "10");
    /// Minutes after which the counter of lfu falls by one, 0 for never.
    LFU_DECAY_TIME: i64 = integer("lfu-decay-time", 0, INT_MAX, "1");
    /// How hard expired keys are looked for, 1 to 10.
    ACTIVE_EXPIRE_EFFORT: i64 = integer("active-expire-effort", 1, 10, "1");
    /// Free evicted values in the background.
    LAZYFREE_LAZY_EVICTION: bool = boolean("lazyfree-lazy-eviction", "no");
    /// Free expired values in the background.
    LAZYFREE_LAZY_EXPIRE: bool = boolean("lazyfree-lazy-expire", "no");
    /// Free values that a command replaces in the background.
    LAZYFREE_LAZY_SERVER_DEL: bool = boolean("lazyfree-lazy-server-del", "no");
    /// Let DEL free in the background, as UNLINK does.
    LAZYFREE_LAZY_USER_DEL: bool = boolean("lazyfree-lazy-user-del", "no");
    /// Let FLUSHALL, FLUSHDB and their like free in the background unless they say SYNC.
    LAZYFREE_LAZY_USER_FLUSH: bool = boolean("lazyfree-lazy-user-flush", "no");
    /// Spread the growth of tables over idle time.
    ACTIVEREHASHING: bool = boolean("activerehashing", "yes");
    /// Let the allocator give memory back from a thread of its own.
    JEMALLOC_BG_THREAD: bool = boolean("jemalloc-bg-thread", "yes");
    /// Move values to undo fragmentation: kept, not built.
    ACTIVEDEFRAG: bool = boolean("activedefrag", "no").check(rules::active_defragmentation);
    /// Fragmented bytes from which moving is worth it.
    ACTIVE_DEFRAG_IGNORE_BYTES: Memory = memory("active-defrag-ignore-bytes", 1, SIGNED_MEMORY_MAX, "100mb");
    /// Percent of fragmentation at which it starts.
    ACTIVE_DEFRAG_THRESHOLD_LOWER: i64 = integer("active-defrag-threshold-lower", 0, 1000, "10");
    /// Percent of fragmentation at which it takes the most time.
    ACTIVE_DEFRAG_THRESHOLD_UPPER: i64 = integer("active-defrag-threshold-upper", 0, 1000, "100");
    /// The least part of a processor for it, in percent.
    ACTIVE_DEFRAG_CYCLE_MIN: i64 = integer("active-defrag-cycle-min", 1, 99, "1");
    /// The greatest part of a processor for it, in percent.
    ACTIVE_DEFRAG_CYCLE_MAX: i64 = integer("active-defrag-cycle-max", 1, 99, "25");
    /// Microseconds that one step of it takes.
    ACTIVE_DEFRAG_CYCLE_US: i64 = integer("active-defrag-cycle-us", 0, 100_000, "500");
    /// Fields from which a value is moved in a pass of its own.
    ACTIVE_DEFRAG_MAX_SCAN_FIELDS: i64 = integer("active-defrag-max-scan-fields", 1, LONG_MAX, "1000");
}
