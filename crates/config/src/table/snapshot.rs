//! Snapshots.

use super::SIGNED_MEMORY_MAX;
use crate::choices::RdbVersionCheck;
use crate::composite::SavePoint;
use crate::directive::{boolean, choice, directory, memory, save_points, text};
use crate::rules;
use crate::typed::{Directory, Memory, Text};

theme! {
    "Snapshots" after super::memory::END;

    /// Take a snapshot after so many seconds if so many changes were made; pairs of numbers, "" for never.
    SAVE: Vec<SavePoint> = save_points("save", "3600 1 300 100 60 10000");
    /// The directory of snapshots, append only files and certificates.
    DIR: Directory = directory("dir").protected().deny_loading();
    /// The name of the snapshot file.
    DBFILENAME: Text = text("dbfilename", "dump.rdb").protected().check(rules::snapshot_name);
    /// Refuse writes after a snapshot has failed.
    STOP_WRITES_ON_BGSAVE_ERROR: bool = boolean("stop-writes-on-bgsave-error", "yes");
    /// Compress long strings.
    RDBCOMPRESSION: bool = boolean("rdbcompression", "yes");
    /// Put a checksum at the end.
    RDBCHECKSUM: bool = boolean("rdbchecksum", "yes").immutable();
    /// Make the file durable in steps while it is written.
    RDB_SAVE_INCREMENTAL_FSYNC: bool = boolean("rdb-save-incremental-fsync", "yes");
    /// Delete snapshots that only replication needed.
    RDB_DEL_SYNC_FILES: bool = boolean("rdb-del-sync-files", "no");
    /// Load snapshots of newer versions: strict refuses, relaxed tries.
    RDB_VERSION_CHECK: RdbVersionCheck = choice("rdb-version-check", "strict");
    /// Bytes of a snapshot that may wait to be written before writes to the dataset wait.
    SNAPSHOT_BUFFER_LIMIT: Memory = memory("snapshot-buffer-limit", 1 << 20, SIGNED_MEMORY_MAX, "64mb");
}
