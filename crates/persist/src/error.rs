//! Why bytes could not be read, and where.

use std::fmt;
use std::io;

/// What is wrong, and where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdbError {
    /// Bytes read up to there, from the beginning of the file or payload.
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with bytes that were to be an RDB file or a DUMP payload. The texts follow those in Redis' log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Reading failed.
    Io(io::ErrorKind),
    /// The bytes end too early.
    EndOfInput,
    /// The file does not begin as an RDB file.
    Signature,
    /// A version that this server does not read.
    Version(u16),
    /// The payload is too short, of an unknown version, or damaged.
    Payload,
    /// A length that no rule covers.
    LengthEncoding,
    /// A string of an encoding that no rule covers.
    StringEncoding(u8),
    /// A string longer than this server holds.
    TooLong(u64),
    /// A compressed string that does not become what it claims.
    Lzf,
    /// A type of value that nobody knows.
    Type(u8),
    /// A packed value that is malformed.
    Integrity(Part),
    /// A packed value in which a member or field comes twice.
    PackedDuplicate(Part),
    /// A member of a set that comes twice.
    DuplicateMember,
    /// A member of a sorted set that comes twice.
    DuplicateScored,
    /// A field of a hash that comes twice.
    DuplicateField,
    /// A stream that is wrong in itself.
    Stream(StreamFault),
    /// A score that is no number.
    Score,
    /// A value without elements. In a file its key is passed over (Redis 6.2.7).
    EmptyKey,
    /// A database number that does not fit.
    DbNumber(u64),
    /// A value of a module type of this name.
    Module([u8; 9]),
    /// Data of the module of this name.
    ModuleAux([u8; 9]),
    /// A value of a module as the release candidates of 4.0 wrote it.
    ModulePreRelease,
    /// A function library as the release candidates of 7.0 wrote it.
    FunctionPreRelease,
    /// A slot migration that was under way.
    SlotImport,
    /// The checksum at the end is not that of the bytes.
    Checksum {
        /// What the bytes come to.
        expected: u64,
        /// What the file says.
        found: u64,
    },
}

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The key of a node is no id.
    NodeKey,
    /// A node without anything in it.
    EmptyNode,
    /// A node that does not come after those before it.
    NodeOrder,
    /// Entries are counted, but there is no node.
    Length,
    /// A group that comes twice.
    DuplicateGroup,
    /// A pending entry that comes twice.
    DuplicatePending,
    /// A consumer that comes twice.
    DuplicateConsumer,
    /// A consumer has an entry pending that its group has not, or that another consumer has.
    PendingUnknown,
    /// A pending entry that no consumer has.
    PendingUnowned,
}

/// A kind of packed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    HashListpack,
    HashZiplist,
    HashZipmap,
    Intset,
    ListListpack,
    ListZiplist,
    Quicklist,
    QuicklistZiplist,
    SetListpack,
    StreamListpack,
    ZSetListpack,
    ZSetZiplist,
}

impl RdbError {
    /// An error found after `offset` bytes.
    pub(crate) fn at(offset: u64, reason: Reason) -> Self {
        Self { offset, reason }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::HashListpack => "Hash listpack",
            Self::HashZiplist => "Hash ziplist",
            Self::HashZipmap => "Zipmap",
            Self::Intset => "Intset",
            Self::ListListpack => "Listpack",
            Self::ListZiplist => "List ziplist",
            Self::Quicklist => "Quicklist",
            Self::QuicklistZiplist => "Ziplist",
            Self::SetListpack => "Set listpack",
            Self::StreamListpack => "Stream listpack",
            Self::ZSetListpack => "Zset listpack",
            Self::ZSetZiplist => "Zset ziplist",
        }
    }
}

impl StreamFault {
    fn text(self) -> &'static str {
        match self {
            Self::NodeKey => "Stream node key entry is not the size of a stream ID",
            Self::EmptyNode => "Empty listpack inside stream",
            Self::NodeOrder => "Listpack re-added with existing key",
            Self::Length => "Stream length inconsistent with rax entries",
            Self::DuplicateGroup => "Duplicated consumer group name",
            Self::DuplicatePending => "Duplicated global PEL entry loading stream consumer group",
            Self::DuplicateConsumer => "Duplicate stream consumer detected.",
            Self::PendingUnknown => "Consumer entry not found in group global PEL",
            Self::PendingUnowned => "Stream CG PEL entry without consumer",
        }
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.offset)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "Error reading the RDB file: {kind}"),
            Self::EndOfInput => f.write_str("Unexpected EOF reading RDB file"),
            Self::Signature => f.write_str("Wrong signature trying to load DB from file"),
            Self::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            Self::Payload => f.write_str("DUMP payload version or checksum are wrong"),
            Self::LengthEncoding => f.write_str("Unknown length encoding"),
            Self::StringEncoding(encoding) => {
                write!(f, "Unknown RDB string encoding type {encoding}")
            }
            Self::TooLong(len) => write!(f, "A string of {len} bytes is longer than any can be"),
            Self::Lzf => f.write_str("Invalid LZF compressed string"),
            Self::Type(byte) => write!(f, "Unknown RDB encoding type {byte}"),
            Self::Integrity(part) => write!(f, "{} integrity check failed.", part.name()),
            Self::PackedDuplicate(Part::HashZipmap) => {
                f.write_str("Hash zipmap with dup elements, or big length")
            }
            Self::PackedDuplicate(part) => {
                write!(f, "{}: listpack with dup elements", part.name())
            }
            Self::DuplicateMember => f.write_str("Duplicate set members detected"),
            Self::DuplicateScored => f.write_str("Duplicate zset fields detected"),
            Self::DuplicateField => f.write_str("Duplicate hash fields detected"),
            Self::Stream(fault) => f.write_str(fault.text()),
            Self::Score => f.write_str("Zset with NAN score detected"),
            Self::EmptyKey => f.write_str("empty key"),
            Self::DbNumber(number) => write!(f, "Database number {number} is out of range"),
            Self::Module(name) => write!(
                f,
                "The RDB file contains module data I can't load: no matching module type '{}'",
                name.escape_ascii()
            ),
            Self::ModuleAux(name) => write!(
                f,
                "The RDB file contains AUX module data I can't load: no matching module '{}'",
                name.escape_ascii()
            ),
            Self::ModulePreRelease => f.write_str("Pre-release module format not supported"),
            Self::FunctionPreRelease => f.write_str("Pre-release function format not supported."),
            Self::SlotImport => {
                f.write_str("The RDB file contains a slot migration that was under way")
            }
            Self::Checksum { expected, found } => write!(
                f,
                "Wrong RDB checksum expected: ({expected:x}) but got ({found:x}). Aborting now."
            ),
        }
    }
}

impl std::error::Error for RdbError {}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<StreamFault> for Reason {
    fn from(fault: StreamFault) -> Self {
        Self::Stream(fault)
    }
}
