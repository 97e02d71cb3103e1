//! The thresholds at which values change their encoding, as plain numbers: the server fills them in from its configuration.

use std::sync::OnceLock;

use crate::table::HashSeed;

/// When each type leaves its packed encoding, under the names of the directives in redis.conf. The defaults are those of Redis 7.2.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// The seed of all tables: collections that outgrow their packed form hash with it.
    pub seed: HashSeed,
    /// Fields that a packed hash may have.
    pub hash_max_listpack_entries: usize,
    /// Bytes that a field or value of a packed hash may have.
    pub hash_max_listpack_value: usize,
    /// Integers that an intset may have.
    pub set_max_intset_entries: usize,
    /// Members that a packed set may have.
    pub set_max_listpack_entries: usize,
    /// Bytes that a member of a packed set may have.
    pub set_max_listpack_value: usize,
    /// Members that a packed sorted set may have.
    pub zset_max_listpack_entries: usize,
    /// Bytes that a member of a packed sorted set may have.
    pub zset_max_listpack_value: usize,
    /// Size of one node of a list: elements if not negative, -1 to -5 for 4, 8, 16, 32 and 64 kB.
    pub list_max_listpack_size: i32,
    /// Bytes from which on an element of a list gets a node of its own, unpacked (DEBUG QUICKLIST-PACKED-THRESHOLD).
    pub list_packed_threshold: usize,
    /// Bytes that a sparse HyperLogLog may have.
    pub hll_sparse_max_bytes: usize,
    /// Bytes of one node of a stream; 0 for no limit.
    pub stream_node_max_bytes: usize,
    /// Entries of one node of a stream; 0 for no limit.
    pub stream_node_max_entries: usize,
}

/// What [`Tuning::list_packed_threshold`] is unless DEBUG sets it.
pub const LIST_PACKED_THRESHOLD: usize = 1 << 30;

impl Default for Tuning {
    /// The defaults of Redis 7.2, with a seed that everybody knows: a server puts its secret in its stead.
    fn default() -> Self {
        static SEED: OnceLock<HashSeed> = OnceLock::new();
        Self {
            seed: *SEED.get_or_init(|| HashSeed::new(0)),
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            list_max_listpack_size: -2,
            list_packed_threshold: LIST_PACKED_THRESHOLD,
            hll_sparse_max_bytes: 3000,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
        }
    }
}
