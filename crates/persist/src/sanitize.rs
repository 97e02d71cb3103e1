//! How closely bytes from outside are looked at.

use store::listpack::Depth;

/// How closely packed values are looked at before they become values of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanitize {
    /// Lengths and end marks only. What is malformed inside is cut off where it ceases to make sense.
    Framing,
    /// Every entry, counts, order, and that no member or field comes twice.
    Deep,
}

/// The values of `sanitize-dump-payload` (Redis 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SanitizePayload {
    /// Never look deep.
    #[default]
    No,
    /// Look deep into what clients send with RESTORE, unless their user may skip it or they are the primary.
    Clients,
    /// Always look deep.
    Yes,
}

/// Whether checksums are compared (`rdbchecksum`, DEBUG SET-SKIP-CHECKSUM-VALIDATION).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// They are.
    #[default]
    Verify,
    /// They are read and ignored.
    Ignore,
}

impl SanitizePayload {
    /// How closely to look at an RDB file, or at a payload from a client that need not be checked.
    pub fn of_trusted(self) -> Sanitize {
        match self {
            Self::Yes => Sanitize::Deep,
            Self::No | Self::Clients => Sanitize::Framing,
        }
    }

    /// How closely to look at a payload from a client.
    pub fn of_client(self) -> Sanitize {
        match self {
            Self::Yes | Self::Clients => Sanitize::Deep,
            Self::No => Sanitize::Framing,
        }
    }
}

impl From<Sanitize> for Depth {
    fn from(sanitize: Sanitize) -> Self {
        match sanitize {
            Sanitize::Framing => Self::Header,
            Sanitize::Deep => Self::Entries,
        }
    }
}
