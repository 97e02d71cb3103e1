//! The names of types and encodings.

/// What TYPE says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    ZSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
}

impl Kind {
    /// The type of this name, whatever its case.
    pub fn named(name: &[u8]) -> Option<Self> {
        [
            Self::String,
            Self::List,
            Self::Set,
            Self::ZSet,
            Self::Hash,
            Self::Stream,
        ]
        .into_iter()
        .find(|kind| name.eq_ignore_ascii_case(kind.name().as_bytes()))
    }

    /// The name in TYPE's reply and SCAN's TYPE option.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::ZSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// What OBJECT ENCODING says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A string that spells an integer.
    Int,
    /// A string of up to 44 bytes.
    Embstr,
    /// A longer string, or one that was changed in place.
    Raw,
    /// A short list, set, hash or sorted set in one run of bytes.
    Listpack,
    /// A longer list.
    Quicklist,
    /// A short set of integers.
    Intset,
    /// A longer set or hash.
    Hashtable,
    /// A longer sorted set.
    Skiplist,
    /// A stream, which has one form only.
    Stream,
}

impl Encoding {
    /// The name in OBJECT ENCODING's reply.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
            Self::Listpack => "listpack",
            Self::Quicklist => "quicklist",
            Self::Intset => "intset",
            Self::Hashtable => "hashtable",
            Self::Skiplist => "skiplist",
            Self::Stream => "stream",
        }
    }
}

/// The size of `total` things from (how many were measured, their size together).
pub(crate) fn scaled((count, bytes): (usize, usize), total: usize) -> usize {
    if count == 0 {
        0
    } else {
        (bytes as f64 / count as f64 * total as f64) as usize
    }
}
