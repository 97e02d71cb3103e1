//! Threads and the processors that they run on.

use crate::choices::WorkerPlacement;
use crate::directive::{boolean, choice, integer, optional, workers};
use crate::typed::OptionalText;

theme! {
    "Threads" after super::general::END;

    /// Worker threads, each of which reads, executes and answers; by default as many as there are cores.
    IO_THREADS: i64 = workers("io-threads", 1, 128).immutable();
    /// Kept for old files: every worker reads.
    IO_THREADS_DO_READS: bool = boolean("io-threads-do-reads", "no").immutable();
    /// Lay connections on as few workers as can serve them (pack) or evenly on all (spread).
    WORKER_PLACEMENT: WorkerPlacement = choice("worker-placement", "pack");
    /// Keys of a batch of commands to fetch ahead, 0 for none.
    PREFETCH_BATCH_MAX_SIZE: i64 = integer("prefetch-batch-max-size", 0, 128, "16");
    /// Processors for the server's threads, such as 0-7:2.
    SERVER_CPULIST: OptionalText = optional("server_cpulist").alias(&["server-cpulist"]).immutable();
    /// Processors for the background threads.
    BIO_CPULIST: OptionalText = optional("bio_cpulist").alias(&["bio-cpulist"]).immutable();
    /// Processors for the rewrite of the append only file.
    AOF_REWRITE_CPULIST: OptionalText = optional("aof_rewrite_cpulist").alias(&["aof-rewrite-cpulist"]).immutable();
    /// Processors for snapshots.
    BGSAVE_CPULIST: OptionalText = optional("bgsave_cpulist").alias(&["bgsave-cpulist"]).immutable();
}
