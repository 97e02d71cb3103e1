//! The numbers of the format: versions, types of values, opcodes, encodings of lengths.
//!
//! ```text
//! file:    magic  item*  EOF  CRC-64 of all before it (u64 LE; since version 5; 0: not computed)
//! magic:   "REDIS" version (4 digits) | "VALKEY" version (3 digits)
//! item:    AUX name value | SELECTDB number | RESIZEDB keys volatile | FUNCTION2 code
//!          | [EXPIRETIME_MS i64 LE] [IDLE seconds | FREQ byte] type key value
//! payload: type value  version (u16 LE)  CRC-64 of all before it (u64 LE)
//!
//! length:  00xxxxxx                         below 64
//!          01xxxxxx xxxxxxxx                below 16,384
//!          10000000 u32 BE                  below 2^32
//!          10000001 u64 BE                  anything
//!          11xxxxxx                         not a length: how a string is encoded (0-2: an integer of 1, 2, 4 bytes LE; 3: LZF)
//! string:  length bytes | 11000000 i8 | 11000001 i16 | 11000010 i32 | 11000011 compressed-length length bytes
//! ```

/// The version of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RdbVersion {
    /// What Redis 7.0 reads: no packed sets, no time of last activity of a stream's consumers.
    V10,
    /// What Redis 7.2 and Valkey 7.2 to 8 write.
    #[default]
    V11,
    /// What Valkey 9 writes, and Redis does not read: fields of hashes have deadlines.
    V80,
}

impl RdbVersion {
    /// The version's number.
    pub fn number(self) -> u16 {
        match self {
            Self::V10 => 10,
            Self::V11 => VERSION_MAX,
            Self::V80 => VERSION_VALKEY,
        }
    }

    /// What is written: the version that Redis reads too, but for a dataset of which fields of hashes have deadlines.
    pub fn of(has_volatile_fields: bool) -> Self {
        if has_volatile_fields {
            Self::V80
        } else {
            Self::V11
        }
    }

    /// The nine bytes at the head of a file.
    pub(crate) fn magic(self) -> String {
        match self {
            Self::V10 | Self::V11 => format!("REDIS{:04}", self.number()),
            Self::V80 => format!("VALKEY{:03}", self.number()),
        }
    }
}

/// The highest version of Redis' format that is read.
pub(crate) const VERSION_MAX: u16 = 11;
/// The version of Valkey 9; those between are other servers' and unknown here.
pub(crate) const VERSION_VALKEY: u16 = 80;
/// The version from which on files end with a checksum.
pub(crate) const VERSION_CHECKSUM: u16 = 5;

/// Whether a file or payload of this version can be read.
pub(crate) fn is_readable(version: u16) -> bool {
    matches!(version, 1..=VERSION_MAX | VERSION_VALKEY)
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Type {
    String = 0,
    List = 1,
    Set = 2,
    /// Scores as text.
    ZSet = 3,
    Hash = 4,
    /// Scores as doubles.
    ZSet2 = 5,
    ModulePreRelease = 6,
    Module = 7,
    HashZipmap = 9,
    ListZiplist = 10,
    SetIntset = 11,
    ZSetZiplist = 12,
    HashZiplist = 13,
    /// Ziplists.
    ListQuicklist = 14,
    StreamListpacks = 15,
    HashListpack = 16,
    ZSetListpack = 17,
    /// Listpacks and plain elements.
    ListQuicklist2 = 18,
    StreamListpacks2 = 19,
    SetListpack = 20,
    StreamListpacks3 = 21,
    /// Fields with deadlines (Valkey 9).
    Hash2 = 22,
}

impl Type {
    pub(crate) fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::String,
            1 => Self::List,
            2 => Self::Set,
            3 => Self::ZSet,
            4 => Self::Hash,
            5 => Self::ZSet2,
            6 => Self::ModulePreRelease,
            7 => Self::Module,
            9 => Self::HashZipmap,
            10 => Self::ListZiplist,
            11 => Self::SetIntset,
            12 => Self::ZSetZiplist,
            13 => Self::HashZiplist,
            14 => Self::ListQuicklist,
            15 => Self::StreamListpacks,
            16 => Self::HashListpack,
            17 => Self::ZSetListpack,
            18 => Self::ListQuicklist2,
            19 => Self::StreamListpacks2,
            20 => Self::SetListpack,
            21 => Self::StreamListpacks3,
            22 => Self::Hash2,
            _ => return None,
        })
    }
}

/// What an item is that is no key.
pub(crate) mod opcode {
    /// A slot migration under way (Valkey 9).
    pub(crate) const SLOT_IMPORT: u8 = 243;
    /// How many keys a slot has: a hint.
    pub(crate) const SLOT_INFO: u8 = 244;
    pub(crate) const FUNCTION2: u8 = 245;
    /// Function libraries of the release candidates of 7.0.
    pub(crate) const FUNCTION_PRE_RELEASE: u8 = 246;
    pub(crate) const MODULE_AUX: u8 = 247;
    pub(crate) const IDLE: u8 = 248;
    pub(crate) const FREQ: u8 = 249;
    pub(crate) const AUX: u8 = 250;
    pub(crate) const RESIZEDB: u8 = 251;
    pub(crate) const EXPIRETIME_MS: u8 = 252;
    pub(crate) const EXPIRETIME: u8 = 253;
    pub(crate) const SELECTDB: u8 = 254;
    pub(crate) const EOF: u8 = 255;
}

/// First bytes of lengths and of encoded strings.
pub(crate) mod head {
    pub(crate) const LENGTH_32: u8 = 0x80;
    pub(crate) const LENGTH_64: u8 = 0x81;
    pub(crate) const INT8: u8 = 0xc0;
    pub(crate) const INT16: u8 = 0xc1;
    pub(crate) const INT32: u8 = 0xc2;
    pub(crate) const LZF: u8 = 0xc3;
}

/// What stands in the place of a deadline of a field that has none.
pub(crate) const NO_DEADLINE: i64 = -1;

/// How a node of a list lies in a file: one element as it is, or a listpack.
pub(crate) mod container {
    pub(crate) const PLAIN: u64 = 1;
    pub(crate) const PACKED: u64 = 2;
}
