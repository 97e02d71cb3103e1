//! A command as plain data: its name, documentation, arity, keys and flags.

use crate::keys::KeySpec;
use bitflags::bitflags;

/// One row of the command table, or of a container's subcommands.
///
/// `H` is what runs it: [`crate::Handler`] for data commands, and richer types for the rows of the engine and of the
/// server. Everything that COMMAND, COMMAND DOCS, ACL and key extraction say is derived from these fields.
#[derive(Debug)]
pub struct Command<H: 'static> {
    /// Lower-case name; of a subcommand, its own word only.
    pub name: &'static str,
    /// The documentation group.
    pub group: Group,
    /// The version of Redis (or of Valkey, where Redis lacks it) that introduced it.
    pub since: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// Time complexity, as text.
    pub complexity: &'static str,
    /// How many words a call has, the command's own name included.
    pub arity: Arity,
    /// Where its keys stand. Empty for a command without keys.
    pub keys: &'static [KeySpec],
    /// Properties that admission and COMMAND INFO read.
    pub flags: Flags,
    /// The ACL categories that do not follow from the flags; see [`Command::categories`].
    pub categories: Categories,
    /// Hints for clients and proxies, as COMMAND INFO lists them.
    pub tips: &'static [&'static str],
    /// Subcommands of a container such as OBJECT; empty otherwise.
    pub subcommands: &'static [&'static Self],
    /// What runs it. Of a container: what answers when no subcommand is named, which arity forbids.
    pub handler: H,
}

impl<H> Command<H> {
    /// All ACL categories: the row's own and those that its flags imply (setImplicitACLCategories, Redis 7.2).
    #[must_use]
    pub fn categories(&self) -> Categories {
        let mut all = self.categories;
        let implied = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::ADMIN, Categories::ADMIN.union(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        for (flag, categories) in implied {
            if self.flags.contains(flag) {
                all |= categories;
            }
        }
        if self.flags.contains(Flags::READONLY) && !all.contains(Categories::SCRIPTING) {
            all |= Categories::READ;
        }
        if !all.contains(Categories::FAST) {
            all |= Categories::SLOW;
        }
        all
    }
}

/// How many words a call may have, the command's name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Exactly this many.
    Exact(u8),
    /// This many or more.
    AtLeast(u8),
}

impl Arity {
    /// Whether a call of `words` words has the right length.
    #[must_use]
    pub fn admits(self, words: usize) -> bool {
        match self {
            Self::Exact(n) => words == usize::from(n),
            Self::AtLeast(n) => words >= usize::from(n),
        }
    }

    /// The arity as COMMAND INFO shows it: negative for "at least".
    #[must_use]
    pub fn as_integer(self) -> i64 {
        match self {
            Self::Exact(n) => i64::from(n),
            Self::AtLeast(n) => -i64::from(n),
        }
    }
}

/// The documentation group of a command, as COMMAND DOCS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are Redis' own group names")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

bitflags! {
    /// Properties of a command. Those above `INTERNAL` are Redis' own and shown by COMMAND INFO.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// Changes data.
        const WRITE = 1;
        /// Reads data.
        const READONLY = 1 << 1;
        /// Refused while memory is over `maxmemory`.
        const DENYOOM = 1 << 2;
        /// Administrative.
        const ADMIN = 1 << 3;
        /// Part of publish and subscribe.
        const PUBSUB = 1 << 4;
        /// Not allowed in scripts.
        const NOSCRIPT = 1 << 5;
        /// May block the client.
        const BLOCKING = 1 << 6;
        /// Allowed while a dataset is being loaded.
        const LOADING = 1 << 7;
        /// Allowed on a replica whose data is stale.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not entered into the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Implies ASKING in a cluster.
        const ASKING = 1 << 11;
        /// Constant or logarithmic time.
        const FAST = 1 << 12;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 13;
        /// Touches keys in a way that may stay without keys.
        const NO_MANDATORY_KEYS = 1 << 14;
        /// Refused while a replica loads into a second dataset.
        const NO_ASYNC_LOADING = 1 << 15;
        /// Not allowed inside MULTI.
        const NO_MULTI = 1 << 16;
        /// Allowed while a script has run too long.
        const ALLOW_BUSY = 1 << 17;
        /// Positions of keys depend on the arguments.
        const MOVABLEKEYS = 1 << 18;

        /// Not Redis' own: leaves CLIENT CACHING in force for the call behind it; of a container, for all its subcommands.
        const KEEPS_CACHING = 1 << 22;
        /// Not Redis' own: tells whether the server is in order, so that it is refused as a write is while saving fails.
        const TELLS_HEALTH = 1 << 21;
        /// Not Redis' own: may touch every shard, so that EXEC holds all of them.
        const EVERYTHING = 1 << 28;
        /// Not Redis' own: makes calls of the operating system, so that not even EXEC holds shards meanwhile.
        const SYSTEM = 1 << 23;
        /// Not Redis' own: time grows with the keys' elements, so that large keys send it to a lane.
        const LINEAR = 1 << 29;
        /// Not Redis' own: time grows with the elements asked for, so that the handler itself finds out whether that is
        /// long ([`crate::Call::is_long`]); inside a transaction, where it is too late then, the same as `LINEAR`.
        const RANGED = 1 << 24;
        /// Not Redis' own: allowed to a RESP2 client that is subscribed.
        const SUBSCRIBER = 1 << 25;
        /// Not Redis' own: runs at once inside MULTI instead of being queued.
        const IMMEDIATE = 1 << 26;
        /// Not Redis' own: runs the queued commands, so that what holds for them holds for it.
        const RUNS_TRANSACTION = 1 << 27;
        /// Not Redis' own: a command that CLIENT PAUSE WRITE holds back although it is no write.
        const MAY_REPLICATE = 1 << 30;
    }
}

impl Flags {
    /// Names of the flags that COMMAND INFO shows, in Redis' order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::WRITE, "write"),
        (Self::READONLY, "readonly"),
        (Self::DENYOOM, "denyoom"),
        (Self::ADMIN, "admin"),
        (Self::PUBSUB, "pubsub"),
        (Self::NOSCRIPT, "noscript"),
        (Self::BLOCKING, "blocking"),
        (Self::LOADING, "loading"),
        (Self::STALE, "stale"),
        (Self::SKIP_MONITOR, "skip_monitor"),
        (Self::SKIP_SLOWLOG, "skip_slowlog"),
        (Self::ASKING, "asking"),
        (Self::FAST, "fast"),
        (Self::NO_AUTH, "no_auth"),
        (Self::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Self::NO_ASYNC_LOADING, "no_async_loading"),
        (Self::NO_MULTI, "no_multi"),
        (Self::MOVABLEKEYS, "movablekeys"),
        (Self::ALLOW_BUSY, "allow_busy"),
    ];

    /// The names of the flags set here, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| *name)
    }
}

bitflags! {
    /// ACL categories of a command (acl.c ACLDefaultCommandCategories, Redis 7.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Categories: u32 {
        /// `@keyspace`.
        const KEYSPACE = 1;
        /// `@read`.
        const READ = 1 << 1;
        /// `@write`.
        const WRITE = 1 << 2;
        /// `@set`.
        const SET = 1 << 3;
        /// `@sortedset`.
        const SORTEDSET = 1 << 4;
        /// `@list`.
        const LIST = 1 << 5;
        /// `@hash`.
        const HASH = 1 << 6;
        /// `@string`.
        const STRING = 1 << 7;
        /// `@bitmap`.
        const BITMAP = 1 << 8;
        /// `@hyperloglog`.
        const HYPERLOGLOG = 1 << 9;
        /// `@geo`.
        const GEO = 1 << 10;
        /// `@stream`.
        const STREAM = 1 << 11;
        /// `@pubsub`.
        const PUBSUB = 1 << 12;
        /// `@admin`.
        const ADMIN = 1 << 13;
        /// `@fast`.
        const FAST = 1 << 14;
        /// `@slow`.
        const SLOW = 1 << 15;
        /// `@blocking`.
        const BLOCKING = 1 << 16;
        /// `@dangerous`.
        const DANGEROUS = 1 << 17;
        /// `@connection`.
        const CONNECTION = 1 << 18;
        /// `@transaction`.
        const TRANSACTION = 1 << 19;
        /// `@scripting`.
        const SCRIPTING = 1 << 20;
    }
}

impl Categories {
    /// Every category with its name, in Redis' order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::KEYSPACE, "keyspace"),
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::SET, "set"),
        (Self::SORTEDSET, "sortedset"),
        (Self::LIST, "list"),
        (Self::HASH, "hash"),
        (Self::STRING, "string"),
        (Self::BITMAP, "bitmap"),
        (Self::HYPERLOGLOG, "hyperloglog"),
        (Self::GEO, "geo"),
        (Self::STREAM, "stream"),
        (Self::PUBSUB, "pubsub"),
        (Self::ADMIN, "admin"),
        (Self::FAST, "fast"),
        (Self::SLOW, "slow"),
        (Self::BLOCKING, "blocking"),
        (Self::DANGEROUS, "dangerous"),
        (Self::CONNECTION, "connection"),
        (Self::TRANSACTION, "transaction"),
        (Self::SCRIPTING, "scripting"),
    ];

    /// The names of the categories set here, without the `@`, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(category, _)| self.contains(*category))
            .map(|(_, name)| *name)
    }
}
