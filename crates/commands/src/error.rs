//! The errors that a command can answer with, and their exact text.

use crate::geo::GeoError;
use crate::hyperloglog::HyperLogLogError;
use crate::stream::StreamError;
use std::borrow::Cow;

/// An error reply. The connection lives on.
///
/// Every variant's text is Redis' own ([`CommandError::text`] is the only place that has it, but for those of families with their own errors).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text of each variant stands in `text`")]
pub enum CommandError {
    WrongType,
    NoAuth,
    NotInTransaction,
    OutOfMemory,
    Loading,
    SaveFailed,
    /// A write of a client to a replica.
    ReadOnly,
    /// WAITAOF for this server's own append-only file, which it does not have.
    NoAppendOnlyFile,
    /// A write while the append-only file cannot be written, and why.
    AofWrite(std::sync::Arc<str>),
    /// A write while too few replicas keep up.
    NoReplicas,
    /// A replica without its primary that does not answer from old data.
    PrimaryDown,
    /// A command on keys on the connection of a replica.
    ReplicaKeyspace,
    NestedMulti,
    ExecWithoutMulti,
    DiscardWithoutMulti,
    WatchInMulti,
    ExecAborted,
    NotInteger,
    NotFloat,
    Syntax,
    NoSuchKey,
    OutOfRange,
    IndexOutOfRange,
    OffsetOutOfRange,
    NotFinite,
    HashNotInteger,
    HashNotFloat,
    IncrementOverflow,
    IncrementNotFinite,
    DecrementOverflow,
    StringTooLong,
    LcsNotStrings,
    LcsLenAndIdx,
    LcsTooLong,
    LcsMemory,
    BitOffset,
    BitValue,
    BitArgument,
    BitopNotKeys,
    BitfieldType,
    BitfieldOverflow,
    BitfieldReadOnly,
    DbIndexOutOfRange,
    FirstDbIndex,
    SecondDbIndex,
    SameObject,
    InvalidCursor,
    TimeoutNotFloat,
    TimeoutNotInteger,
    TimeoutNegative,
    TimeoutOutOfRange,
    MustBePositive,
    /// A count that may be negative, but not the most negative number.
    CountTooNegative,
    NumkeysNotPositive,
    NumkeysTooMany,
    NumfieldsMismatch,
    CountNotPositive,
    LimitNegative,
    PositionRankZero,
    PositionCountNegative,
    PositionMaxlenNegative,
    ScoreRange,
    MemberRange,
    ScoreNotANumber,
    WeightNotFloat,
    AddOrUpdateOnly,
    AddAndCompare,
    IncrementOfMany,
    LimitByRank,
    ScoresByMember,
    BusyKey,
    DumpPayload,
    BadDataFormat,
    TtlNegative,
    IdleTimeNegative,
    FrequencyOutOfRange,
    /// No key to read in the command of this name.
    NoInputKey(&'static str),
    NotDoubles,
    ExpireNxOthers,
    ExpireGtLt,
    IdleTimeNotTracked,
    FrequencyNotTracked,
    /// An integer outside of these bounds, which the text names.
    NotBetween(i64, i64),
    /// An option that EXPIRE and its siblings do not have.
    UnsupportedOption(Box<[u8]>),
    /// Wrong number of arguments for the command of this full name.
    Arity(Cow<'static, str>),
    /// A RESP2 client that is subscribed called the command of this name.
    SubscriberOnly(String),
    SsubscribeInExec,
    /// A call that waited was made to end with this text.
    Unblocked(&'static str),
    /// "invalid expire time" in the command of this name.
    InvalidExpire(&'static str),
    /// A command that does not exist; the words are the beginning of its arguments, ready for the text.
    UnknownCommand {
        name: String,
        words: String,
    },
    /// An error of a layer above, in the words of that layer's own table of errors.
    Above(Cow<'static, str>),
    /// An error of the geo commands.
    Geo(GeoError),
    /// An error of the HyperLogLog commands.
    HyperLogLog(HyperLogLogError),
    /// An error of the stream commands.
    Stream(StreamError),
    /// A subcommand whose arguments are not what it takes (addReplySubcommandSyntaxError, Redis 7.2).
    SubcommandSyntax {
        given: Box<[u8]>,
        container: &'static str,
    },
    /// A subcommand that the container of this name does not have.
    UnknownSubcommand {
        given: Box<[u8]>,
        container: String,
    },
}

impl CommandError {
    /// The reply's text, error code included, without the leading `-` and the line end.
    #[must_use]
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::NotInTransaction => "ERR Command not allowed inside a transaction",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::ReadOnly => "READONLY You can't write against a read only replica.",
            Self::NoAppendOnlyFile => {
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
            }
            Self::AofWrite(reason) => {
                return Cow::Owned(format!("MISCONF Errors writing to the AOF file: {reason}"));
            }
            Self::NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            Self::PrimaryDown => {
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
            }
            Self::ReplicaKeyspace => "ERR Replica can't interact with the keyspace",
            Self::SaveFailed => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
                 Commands that may modify the data set are disabled, because this instance is configured to report \
                 errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check \
                 the Redis logs for details about the RDB error."
            }
            Self::NestedMulti => "ERR MULTI calls can not be nested",
            Self::ExecWithoutMulti => "ERR EXEC without MULTI",
            Self::DiscardWithoutMulti => "ERR DISCARD without MULTI",
            Self::WatchInMulti => "ERR WATCH inside MULTI is not allowed",
            Self::ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::Syntax => "ERR syntax error",
            Self::NoSuchKey => "ERR no such key",
            Self::OutOfRange => "ERR value is out of range",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::OffsetOutOfRange => "ERR offset is out of range",
            Self::NotFinite => "ERR value is NaN or Infinity",
            Self::HashNotInteger => "ERR hash value is not an integer",
            Self::HashNotFloat => "ERR hash value is not a float",
            Self::IncrementOverflow => "ERR increment or decrement would overflow",
            Self::IncrementNotFinite => "ERR increment would produce NaN or Infinity",
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::LcsNotStrings => "ERR The specified keys must contain string values",
            Self::LcsLenAndIdx => {
                "ERR If you want both the length and indexes, please just use IDX."
            }
            Self::LcsTooLong => "ERR String too long for LCS",
            Self::LcsMemory => {
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            Self::BitArgument => "ERR The bit argument must be 1 or 0.",
            Self::BitopNotKeys => "ERR BITOP NOT must be called with a single source key.",
            Self::BitfieldType => {
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
            }
            Self::BitfieldOverflow => "ERR Invalid OVERFLOW type specified",
            Self::BitfieldReadOnly => "ERR BITFIELD_RO only supports the GET subcommand",
            Self::BitOffset => "ERR bit offset is not an integer or out of range",
            Self::BitValue => "ERR bit is not an integer or out of range",
            Self::DbIndexOutOfRange => "ERR DB index is out of range",
            Self::FirstDbIndex => "ERR invalid first DB index",
            Self::SecondDbIndex => "ERR invalid second DB index",
            Self::SameObject => "ERR source and destination objects are the same",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::TimeoutNotFloat => "ERR timeout is not a float or out of range",
            Self::TimeoutNotInteger => "ERR timeout is not an integer or out of range",
            Self::TimeoutNegative => "ERR timeout is negative",
            Self::TimeoutOutOfRange => "ERR timeout is out of range",
            Self::MustBePositive => "ERR value is out of range, must be positive",
            Self::CountTooNegative => {
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
            }
            Self::NumkeysNotPositive => "ERR numkeys should be greater than 0",
            Self::NumkeysTooMany => "ERR Number of keys can't be greater than number of args",
            Self::NumfieldsMismatch => {
                "ERR numfields should be greater than 0 and match the provided number of fields"
            }
            Self::CountNotPositive => "ERR count should be greater than 0",
            Self::LimitNegative => "ERR LIMIT can't be negative",
            Self::PositionRankZero => {
                "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                 or use negative to start from the end of the list"
            }
            Self::PositionCountNegative => "ERR COUNT can't be negative",
            Self::PositionMaxlenNegative => "ERR MAXLEN can't be negative",
            Self::ScoreRange => "ERR min or max is not a float",
            Self::MemberRange => "ERR min or max not valid string range item",
            Self::ScoreNotANumber => "ERR resulting score is not a number (NaN)",
            Self::WeightNotFloat => "ERR weight value is not a float",
            Self::AddOrUpdateOnly => "ERR XX and NX options at the same time are not compatible",
            Self::AddAndCompare => {
                "ERR GT, LT, and/or NX options at the same time are not compatible"
            }
            Self::IncrementOfMany => "ERR INCR option supports a single increment-element pair",
            Self::LimitByRank => {
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
            }
            Self::ScoresByMember => {
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
            }
            Self::NoInputKey(command) => {
                return format!("ERR at least 1 input key is needed for '{command}' command")
                    .into();
            }
            Self::BusyKey => "BUSYKEY Target key name already exists.",
            Self::DumpPayload => "ERR DUMP payload version or checksum are wrong",
            Self::BadDataFormat => "ERR Bad data format",
            Self::TtlNegative => "ERR Invalid TTL value, must be >= 0",
            Self::IdleTimeNegative => "ERR Invalid IDLETIME value, must be >= 0",
            Self::FrequencyOutOfRange => "ERR Invalid FREQ value, must be >= 0 and <= 255",
            Self::NotDoubles => "ERR One or more scores can't be converted into double",
            Self::ExpireNxOthers => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Self::ExpireGtLt => "ERR GT and LT options at the same time are not compatible",
            Self::IdleTimeNotTracked => {
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            }
            Self::FrequencyNotTracked => {
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            }
            Self::NotBetween(min, max) => {
                return format!("ERR value is out of range, value must between {min} and {max}")
                    .into();
            }
            Self::UnsupportedOption(option) => {
                let option = printable(option, 128);
                return format!("ERR Unsupported option {option}").into();
            }
            Self::Arity(command) => {
                return format!("ERR wrong number of arguments for '{command}' command").into();
            }
            Self::Unblocked(text) => text,
            Self::SsubscribeInExec => "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
            Self::SubscriberOnly(command) => {
                return format!(
                    "ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
                )
                .into();
            }
            Self::InvalidExpire(command) => {
                return format!("ERR invalid expire time in '{command}' command").into();
            }
            Self::UnknownCommand { name, words } => {
                return format!("ERR unknown command '{name}', with args beginning with: {words}")
                    .into();
            }
            Self::Above(text) => return text.clone(),
            Self::Geo(error) => return error.text(),
            Self::HyperLogLog(error) => return error.text(),
            Self::Stream(error) => return error.text(),
            Self::SubcommandSyntax { given, container } => {
                let given = printable(given, 128);
                return format!(
                    "ERR unknown subcommand or wrong number of arguments for '{given}'. Try {container} HELP."
                )
                .into();
            }
            Self::UnknownSubcommand { given, container } => {
                let given = printable(given, 128);
                return format!("ERR unknown subcommand '{given}'. Try {container} HELP.").into();
            }
        })
    }
}

impl CommandError {
    /// The text when it is EXEC that is refused with this error (execCommandAbort, Redis 7.2): whatever the reason, clients
    /// learn that the transaction is over.
    #[must_use]
    pub fn text_of_refused_exec(&self) -> String {
        let text = self.text();
        let reason = text.strip_prefix("ERR ").unwrap_or(&text);
        format!("EXECABORT Transaction discarded because of: {reason}")
    }

    /// The error of a call whose command does not exist (commandCheckExistence, Redis 7.2): the name and the first
    /// arguments, 128 bytes of each at most.
    #[must_use]
    pub fn unknown_command(argv: &[&[u8]]) -> Self {
        let Some((name, arguments)) = argv.split_first() else {
            return Self::Syntax;
        };
        let mut words = String::new();
        for word in arguments {
            if words.len() >= 128 {
                break;
            }
            let shown = printable(word, 128 - words.len());
            words.push_str(&format!("'{shown}' "));
        }
        Self::UnknownCommand {
            name: printable(name, 128),
            words,
        }
    }
}

impl From<GeoError> for CommandError {
    fn from(error: GeoError) -> Self {
        Self::Geo(error)
    }
}

impl From<HyperLogLogError> for CommandError {
    fn from(error: HyperLogLogError) -> Self {
        Self::HyperLogLog(error)
    }
}

impl From<StreamError> for CommandError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

/// At most `limit` bytes of a word given by a client, for an error text.
#[must_use]
pub fn printable(word: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(&word[..word.len().min(limit)]).into_owned()
}
