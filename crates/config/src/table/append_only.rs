//! The append only file.

use super::{INT_MAX, SIGNED_MEMORY_MAX};
use crate::choices::AppendFsync;
use crate::directive::{boolean, choice, integer, memory, text};
use crate::rules;
use crate::typed::{Memory, Text};

theme! {
    "Append only file" after super::snapshot::END;

    /// Log every write to a file that is replayed at the start.
    APPENDONLY: bool = boolean("appendonly", "no").deny_loading();
    /// The base name of the files.
    APPENDFILENAME: Text = text("appendfilename", "appendonly.aof").immutable().check(rules::append_name);
    /// Their directory, inside dir.
    APPENDDIRNAME: Text = text("appenddirname", "appendonlydir").immutable().check(rules::append_directory);
    /// Make it durable before each reply (always), once a second (everysec) or when the system likes (no).
    APPENDFSYNC: AppendFsync = choice("appendfsync", "everysec");
    /// Leave that to the system while a snapshot or a rewrite is written.
    NO_APPENDFSYNC_ON_REWRITE: bool = boolean("no-appendfsync-on-rewrite", "no");
    /// Rewrite it when it has grown by so many percent, 0 for never.
    AUTO_AOF_REWRITE_PERCENTAGE: i64 = integer("auto-aof-rewrite-percentage", 0, INT_MAX, "100");
    /// But not below this size.
    AUTO_AOF_REWRITE_MIN_SIZE: Memory = memory("auto-aof-rewrite-min-size", 0, SIGNED_MEMORY_MAX, "64mb");
    /// Load a file whose end is cut off, as after a crash.
    AOF_LOAD_TRUNCATED: bool = boolean("aof-load-truncated", "yes");
    /// Begin a rewritten file with a snapshot.
    AOF_USE_RDB_PREAMBLE: bool = boolean("aof-use-rdb-preamble", "yes");
    /// Write the time into the file, so that it can be cut at a moment.
    AOF_TIMESTAMP_ENABLED: bool = boolean("aof-timestamp-enabled", "no");
    /// Make a rewritten file durable in steps while it is written.
    AOF_REWRITE_INCREMENTAL_FSYNC: bool = boolean("aof-rewrite-incremental-fsync", "yes");
}
