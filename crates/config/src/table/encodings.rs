//! Up to which size a value has its compact encoding.

use super::{INT_MAX, INT_MIN, LONG_MAX, SIGNED_MEMORY_MAX};
use crate::directive::{integer, memory};
use crate::typed::Memory;

theme! {
    "Encodings" after super::monitoring::END;

    /// Fields of a compact hash.
    HASH_MAX_LISTPACK_ENTRIES: i64 =
        integer("hash-max-listpack-entries", 0, LONG_MAX, "512").alias(&["hash-max-ziplist-entries"]);
    /// Bytes of a field or value of a compact hash.
    HASH_MAX_LISTPACK_VALUE: Memory =
        memory("hash-max-listpack-value", 0, SIGNED_MEMORY_MAX, "64").alias(&["hash-max-ziplist-value"]);
    /// Elements of a list's node, or from -1 to -5 its size: 4, 8, 16, 32, 64 kilobytes.
    LIST_MAX_LISTPACK_SIZE: i64 =
        integer("list-max-listpack-size", INT_MIN, INT_MAX, "-2").alias(&["list-max-ziplist-size"]);
    /// Nodes at each end of a list that are not compressed, 0 for no compression at all.
    LIST_COMPRESS_DEPTH: i64 = integer("list-compress-depth", 0, INT_MAX, "0");
    /// Members of a compact set of integers.
    SET_MAX_INTSET_ENTRIES: i64 = integer("set-max-intset-entries", 0, LONG_MAX, "512");
    /// Members of a compact set.
    SET_MAX_LISTPACK_ENTRIES: i64 = integer("set-max-listpack-entries", 0, LONG_MAX, "128");
    /// Bytes of a member of a compact set.
    SET_MAX_LISTPACK_VALUE: i64 = integer("set-max-listpack-value", 0, LONG_MAX, "64");
    /// Members of a compact sorted set.
    ZSET_MAX_LISTPACK_ENTRIES: i64 =
        integer("zset-max-listpack-entries", 0, LONG_MAX, "128").alias(&["zset-max-ziplist-entries"]);
    /// Bytes of a member of a compact sorted set.
    ZSET_MAX_LISTPACK_VALUE: Memory =
        memory("zset-max-listpack-value", 0, SIGNED_MEMORY_MAX, "64").alias(&["zset-max-ziplist-value"]);
    /// Bytes of a sparse HyperLogLog.
    HLL_SPARSE_MAX_BYTES: Memory = memory("hll-sparse-max-bytes", 0, SIGNED_MEMORY_MAX, "3000");
    /// Bytes of a stream's node, 0 for no limit.
    STREAM_NODE_MAX_BYTES: Memory = memory("stream-node-max-bytes", 0, SIGNED_MEMORY_MAX, "4kb");
    /// Entries of a stream's node, 0 for no limit.
    STREAM_NODE_MAX_ENTRIES: i64 = integer("stream-node-max-entries", 0, LONG_MAX, "100");
}
