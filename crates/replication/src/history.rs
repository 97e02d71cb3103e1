//! The name of a history, the one that it grew out of, and where a replica may go on.

use std::fmt;

/// Forty hexadecimal digits that name a history.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplicationId([u8; 40]);

/// What this server has executed, by name.
///
/// A history has one name and, after a change of the primary, the one before: replicas of the former primary go on without
/// a full synchronisation as long as they have not seen anything that the new history does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The name.
    pub id: ReplicationId,
    /// The name before, and the offset of the first byte that is not its.
    pub second: Option<(ReplicationId, u64)>,
}

/// Whether a replica may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It may, as far as names go; whether what it lacks is still kept is another question.
    Possible,
    /// It follows another history.
    UnknownHistory,
    /// It has seen more of the history before than this one took over.
    TooFar,
}

impl ReplicationId {
    /// Reads forty characters.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        text.try_into().ok().map(Self)
    }

    /// The digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl History {
    /// A new history.
    #[must_use]
    pub fn new(id: ReplicationId) -> Self {
        Self { id, second: None }
    }

    /// A replica becomes a primary at offset `end`: what follows is a history of its own, which grew out of the old one
    /// (shiftReplicationId, Redis 7.2).
    pub fn branch(&mut self, id: ReplicationId, end: u64) {
        self.second = Some((self.id, end + 1));
        self.id = id;
    }

    /// Whether a replica of history `id` that wants the byte at offset `wanted` (counted from one) may go on here.
    #[must_use]
    pub fn resume(&self, id: &[u8], wanted: i64) -> Resume {
        if id.eq_ignore_ascii_case(&self.id.0) {
            return Resume::Possible;
        }
        match &self.second {
            Some((second, first_other)) if id.eq_ignore_ascii_case(&second.0) => {
                let fits = u64::try_from(wanted).is_ok_and(|wanted| wanted <= *first_other);
                if fits {
                    Resume::Possible
                } else {
                    Resume::TooFar
                }
            }
            _ => Resume::UnknownHistory,
        }
    }
}
