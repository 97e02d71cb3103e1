//! How large a node may be: what `list-max-listpack-size` means.

/// The limit of one node: bytes, or elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Bytes(usize),
    Elements(usize),
}

/// Nodes limited by elements are limited in bytes all the same.
const SAFE_BYTES: usize = 8192;

/// What an element takes beyond its own bytes, estimated high (`SIZE_ESTIMATE_OVERHEAD`, Redis 7.0).
const OVERHEAD: usize = 8;

impl Limit {
    /// The limit that the directive's value `fill` asks for.
    pub(super) fn of(fill: i32) -> Self {
        match fill {
            0.. => Self::Elements(fill.max(1) as usize),
            _ => Self::Bytes(4096 << (fill.unsigned_abs() - 1).min(4)),
        }
    }

    /// Whether a node of that size would be over the limit.
    pub(super) fn exceeded(self, bytes: usize, elements: usize) -> bool {
        match self {
            Self::Bytes(limit) => bytes > limit,
            Self::Elements(limit) => bytes > SAFE_BYTES || elements > limit,
        }
    }

    /// Whether an element of `len` bytes fits beside `elements` others that take `bytes`.
    pub(super) fn admits(self, bytes: usize, elements: usize, len: usize) -> bool {
        !self.exceeded(bytes + len + OVERHEAD, elements + 1)
    }

    /// Whether a shrunken list of one node is small enough to be a mere listpack again. Half the limit, so that a list at the border does not go back and forth.
    pub(super) fn half_holds(self, bytes: usize, elements: usize) -> bool {
        match self {
            Self::Bytes(limit) => bytes <= limit / 2,
            Self::Elements(limit) => elements <= limit / 2,
        }
    }

    /// Whether a list of one node that was just built or loaded is small enough to be a mere listpack.
    pub(super) fn holds(self, bytes: usize, elements: usize) -> bool {
        match self {
            Self::Bytes(limit) => bytes <= limit,
            Self::Elements(limit) => elements <= limit,
        }
    }
}
