//! The errors of the server's own commands, and their exact text.

use std::borrow::Cow;

use commands::{CommandError, printable};
use engine::PrefixOverlap;

use crate::migrate::Failure;

/// An error reply of a command of this layer. Every variant's text is Redis' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowError {
    ProtocolVersion,
    UnsupportedProtocol,
    HelloOption(Box<[u8]>),
    HelloUnauthenticated,
    WrongPassword,
    NoPasswordConfigured,
    NotBetween(i64, i64),
    ClientName,
    ClientAttribute(Box<[u8]>),
    ClientOption(Box<[u8]>),
    ClientType(Box<[u8]>),
    ClientId,
    ClientIdNotPositive,
    CachingUntracked,
    CachingYes,
    CachingNo,
    RedirectTwice,
    RedirectTarget,
    PrefixWithoutBroadcast,
    PrefixOverlap(PrefixOverlap),
    BroadcastSwitch,
    BroadcastWithOption,
    BothOptions,
    OptionSwitch,
    NoSuchUser(Box<[u8]>),
    NoSuchClient,
    FilterFlags(Box<[u8]>),
    FilterCapabilities(Box<[u8]>),
    FilterDb,
    FilterDbOutOfRange(i64),
    MaxAge,
    MaxAgeNotPositive,
    Idle,
    IdleNotPositive,
    UnblockReason,
    PauseMode,
    TimeoutNotInteger,
    NoSuchCommand,
    NoKeys,
    CommandArity,
    CommandArguments,
    /// CONFIG SET is refused, in the words of the configuration.
    ConfigSet(String),
    NoConfigFile,
    /// CONFIG REWRITE failed, in the words of the system.
    Rewrite(String),
    DebugDenied,
    DebugProtocol,
    DebugDatabase,
    DebugNoTable,
    DebugNotString,
    DebugThreshold,
    DebugPush,
    NoShutdown,
    NotForReplicas,
    ReplicaofFailingOver,
    NoFailover,
    FailoverTimeout,
    FailoverInProgress,
    FailoverOnReplica,
    FailoverAlone,
    FailoverForce,
    FailoverTarget,
    FailoverOffline,
    FailoverToPrimary,
    FailoverOtherHistory,
    SyncFailingOver,
    InvalidMasterPort,
    NoMasterLink,
    PendingOutput,
    WaitOnReplica,
    WaitAofOnReplica,
    /// BGREWRITEAOF while one is under way.
    RewriteInProgress,
    /// WAITAOF's number of own disks.
    LocalOutOfRange,
    /// A count below zero.
    MustBePositive,
    NegativeTimeout,
    TimeoutOutOfRange,
    /// REPLCONF ip-address of so many bytes.
    ReplconfIp(usize),
    ReplconfOption(Box<[u8]>),
    ReplconfFilter(Box<[u8]>),
    /// There is no connection of a snapshot with this number.
    RdbClient(u64),
    SaveInProgress,
    SaveFailed,
    NothingToCancel,
    ReloadOption,
    /// DEBUG RELOAD failed with this text.
    Reload(&'static str),
    CommandLogKind,
    CommandLogCount,
    MonitorInTransaction,
    MigrateKeys,
    Migrate(Failure),
    NoSamples(Box<[u8]>),
    /// Nothing in the container matches this word with so many arguments behind it.
    Subcommand {
        given: Box<[u8]>,
        container: &'static str,
    },
}

impl RowError {
    fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ProtocolVersion => "ERR Protocol version is not an integer or out of range",
            Self::UnsupportedProtocol => "NOPROTO unsupported protocol version",
            Self::HelloUnauthenticated => {
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                 AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
                 version at the same time"
            }
            Self::WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
            Self::NoPasswordConfigured => {
                "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                 your configuration is correct?"
            }
            Self::NotForReplicas => "ERR Command is not valid when client is a replica.",
            Self::ReplicaofFailingOver => "ERR REPLICAOF not allowed while failing over.",
            Self::NoFailover => "ERR No failover in progress.",
            Self::FailoverTimeout => "ERR FAILOVER timeout must be greater than 0",
            Self::FailoverInProgress => "ERR FAILOVER already in progress.",
            Self::FailoverOnReplica => "ERR FAILOVER is not valid when server is a replica.",
            Self::FailoverAlone => "ERR FAILOVER requires connected replicas.",
            Self::FailoverForce => {
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
            }
            Self::FailoverTarget => "ERR FAILOVER target HOST and PORT is not a replica.",
            Self::FailoverOffline => "ERR FAILOVER target replica is not online.",
            Self::FailoverToPrimary => "ERR PSYNC FAILOVER can't be sent to a master.",
            Self::FailoverOtherHistory => "ERR PSYNC FAILOVER replid must match my replid.",
            Self::SyncFailingOver => "NOMASTERLINK Can't SYNC while failing over",
            Self::InvalidMasterPort => "ERR Invalid master port",
            Self::NoMasterLink => "NOMASTERLINK Can't SYNC while not connected with my master",
            Self::PendingOutput => "ERR SYNC and PSYNC are invalid with pending output",
            Self::RewriteInProgress => {
                "ERR Background append only file rewriting already in progress"
            }
            Self::WaitAofOnReplica => {
                "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
            }
            Self::LocalOutOfRange => "ERR value is out of range, value must between 0 and 1",
            Self::MustBePositive => "ERR value is out of range, must be positive",
            Self::WaitOnReplica => {
                "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."
            }
            Self::NegativeTimeout => "ERR timeout is negative",
            Self::TimeoutOutOfRange => "ERR timeout is out of range",
            Self::ReplconfIp(length) => {
                return format!(
                    "ERR REPLCONF ip-address provided by replica instance is too long: {length} bytes"
                )
                .into();
            }
            Self::ReplconfOption(option) => {
                return format!(
                    "ERR Unrecognized REPLCONF option: {}",
                    printable(option, WORD_MAX)
                )
                .into();
            }
            Self::RdbClient(client) => {
                return format!("ERR Unrecognized RDB client id {client}").into();
            }
            Self::ReplconfFilter(filter) => {
                return format!(
                    "ERR Unsupported rdb-filter-only option: {}",
                    printable(filter, WORD_MAX)
                )
                .into();
            }
            Self::ClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            Self::ClientId => "ERR Invalid client ID",
            Self::ClientIdNotPositive => "ERR client-id should be greater than 0",
            Self::CachingUntracked => {
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
                 enabled"
            }
            Self::CachingYes => {
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
            }
            Self::CachingNo => {
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
            }
            Self::RedirectTwice => "ERR A client can only redirect to a single other client",
            Self::RedirectTarget => "ERR The client ID you want redirect to does not exist",
            Self::PrefixWithoutBroadcast => "ERR PREFIX option requires BCAST mode to be enabled",
            Self::BroadcastSwitch => {
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
                 re-enabling it with a different mode."
            }
            Self::BroadcastWithOption => "ERR OPTIN and OPTOUT are not compatible with BCAST",
            Self::BothOptions => "ERR You can't specify both OPTIN mode and OPTOUT mode",
            Self::OptionSwitch => {
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
                 re-enabling it with a different mode."
            }
            Self::NoSuchClient => "ERR No such client",
            Self::FilterDb => "ERR DB is not an integer or out of range",
            Self::MaxAge => "ERR maxage is not an integer or out of range",
            Self::MaxAgeNotPositive => "ERR maxage should be greater than 0",
            Self::Idle => "ERR idle is not an integer or out of range",
            Self::IdleNotPositive => "ERR idle should be greater than 0",
            Self::UnblockReason => "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            Self::PauseMode => "ERR CLIENT PAUSE mode must be WRITE or ALL",
            Self::TimeoutNotInteger => "ERR timeout is not an integer or out of range",
            Self::NoSuchCommand => "ERR Invalid command specified",
            Self::NoKeys => "ERR The command has no key arguments",
            Self::CommandArity => "ERR Invalid number of arguments specified for command",
            Self::CommandArguments => "ERR Invalid arguments specified for command",
            Self::NoConfigFile => "ERR The server is running without a config file",
            Self::DebugDenied => {
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run \
                 it from a local connection, otherwise you need to set this option in the configuration file, and \
                 then restart the server."
            }
            Self::DebugProtocol => {
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
            }
            Self::DebugDatabase => "ERR Out of range database",
            Self::DebugNoTable => {
                "ERR The value stored at the specified key is not represented using an hash table"
            }
            Self::DebugNotString => "ERR Not an sds encoded string.",
            Self::DebugThreshold => {
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
            }
            Self::DebugPush => "ERR RESP2 is not supported by this command",
            Self::NoShutdown => "ERR No shutdown in progress.",
            Self::SaveInProgress => "ERR Background save already in progress",
            Self::SaveFailed => "ERR",
            Self::NothingToCancel => {
                "ERR Background saving is currently not in progress or scheduled"
            }
            Self::ReloadOption => {
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
            }
            Self::Reload(text) => text,
            Self::CommandLogKind => {
                "ERR type should be one of the following: slow, large-request, large-reply"
            }
            Self::CommandLogCount => "ERR count should be greater than or equal to -1",
            Self::MigrateKeys => {
                "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
            }
            Self::Migrate(Failure::Connect) => "IOERR error or timeout connecting to the client",
            Self::Migrate(Failure::Write) => "IOERR error or timeout writing to target instance",
            Self::Migrate(Failure::Read) => "IOERR error or timeout reading to target instance",
            // Not Redis', which lets nobody write meanwhile.
            Self::Migrate(Failure::Overtaken) => {
                "IOERR keys changed faster than they could be sent to the target instance"
            }
            Self::Migrate(Failure::Refused(words)) => {
                let words = String::from_utf8_lossy(words);
                return format!("ERR Target instance replied with error: {words}").into();
            }
            Self::MonitorInTransaction => "ERR MONITOR isn't allowed for DENY BLOCKING client",
            Self::FilterFlags(flags) => {
                let flags = shown(flags);
                return format!("ERR Unknown flags found in the provided filter: {flags}").into();
            }
            Self::FilterCapabilities(letters) => {
                let letters = shown(letters);
                return format!("ERR Unknown capa found in the provided filter: {letters}").into();
            }
            Self::FilterDbOutOfRange(last) => {
                return format!("ERR DB number should be between 0 and {last}").into();
            }
            Self::NoSamples(event) => {
                return format!("ERR No samples available for event '{}'", shown(event)).into();
            }
            Self::PrefixOverlap(overlap) => return Self::of_overlap(overlap).into(),
            Self::HelloOption(option) => {
                return format!("ERR Syntax error in HELLO option '{}'", shown(option)).into();
            }
            Self::NotBetween(min, max) => {
                return format!("ERR value is out of range, value must between {min} and {max}")
                    .into();
            }
            Self::ClientAttribute(name) => {
                return format!(
                    "ERR {} cannot contain spaces, newlines or special characters.",
                    shown(name)
                )
                .into();
            }
            Self::ClientOption(option) => {
                return format!("ERR Unrecognized option '{}'", shown(option)).into();
            }
            Self::ClientType(kind) => {
                return format!("ERR Unknown client type '{}'", shown(kind)).into();
            }
            Self::NoSuchUser(name) => return format!("ERR No such user '{}'", shown(name)).into(),
            Self::ConfigSet(words) => return format!("ERR {words}").into(),
            Self::Rewrite(words) => return format!("ERR Rewriting config file: {words}").into(),
            Self::Subcommand { given, container } => {
                let given = printable(given, 128);
                return format!(
                    "ERR unknown subcommand or wrong number of arguments for '{given}'. Try {container} HELP."
                )
                .into();
            }
        })
    }
}

fn shown(word: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(word)
}

impl From<RowError> for CommandError {
    fn from(error: RowError) -> Self {
        Self::Above(error.text())
    }
}

/// Bytes of an unknown option that an error repeats.
const WORD_MAX: usize = 128;
