//! CONFIG SET: several values at once, prepared whole before any is applied.

use std::fmt;

use crate::choices::ProtectedAction;
use crate::config::Config;
use crate::directive::{self, Id, Mutability, Spelling};
use crate::reason::Reason;
use crate::value::{Occasion, Value};

/// What CONFIG SET may do depends on who asks and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the dataset is being loaded.
    pub loading: bool,
    /// Whether the client is local, which `enable-protected-configs local` asks for.
    pub local: bool,
}

/// A change that has been checked but not made: apply what it touches, then [`Config::commit`] it, or drop it and undo
/// with the configuration that is still there.
#[derive(Debug, Clone)]
#[must_use = "a change is made by Config::commit"]
pub struct Change {
    next: Config,
    changed: Vec<Changed>,
}

/// One directive of a change.
#[derive(Clone)]
pub struct Changed {
    /// The directive, under the name that was used.
    pub spelling: Spelling,
    /// Its value before.
    pub old: Value,
    /// Its value after.
    pub new: Value,
}

/// Why CONFIG SET is refused. Its `Display` is the reply without the leading `ERR`, and whole for `Loading`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// No directive has this name.
    Unknown(Vec<u8>),
    /// The directive cannot change while the dataset loads.
    Loading,
    /// The directive cannot have the value, or applying it failed.
    Refused {
        /// The directive, as it was asked for or named.
        name: Vec<u8>,
        /// Why.
        reason: Reason,
    },
}

impl Config {
    /// Checks the pairs of a CONFIG SET. The configuration does not change.
    ///
    /// # Errors
    /// The [`SetError`] of the first pair that is refused, names before values.
    pub fn prepare(
        &self,
        pairs: &[(&[u8], &[u8])],
        circumstances: Circumstances,
    ) -> Result<Change, SetError> {
        let mut spellings: Vec<Spelling> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let spelling = self.settable(name, circumstances)?;
            if spellings.contains(&spelling) {
                return Err(SetError::refused(name, Reason::Duplicate));
            }
            spellings.push(spelling);
        }
        let mut next = self.clone();
        let mut changed = Vec::new();
        for (spelling, (_, word)) in spellings.into_iter().zip(pairs) {
            let row = spelling.id.row();
            let words: Vec<&[u8]> = if row.kind.takes_many() {
                word.split(|&byte| byte == b' ').collect()
            } else {
                vec![word]
            };
            let old = next.value(spelling.id).clone();
            let new = old
                .next(row, &words, Occasion::Set)
                .map_err(|reason| SetError::refused(spelling.name.as_bytes(), reason))?;
            if new != old || row.reapplied {
                next.put(spelling.id, new.clone());
                changed.push(Changed { spelling, old, new });
            }
        }
        Ok(Change { next, changed })
    }

    /// Makes a prepared change.
    pub fn commit(&mut self, change: Change) {
        *self = change.next;
    }

    fn settable(&self, name: &[u8], circumstances: Circumstances) -> Result<Spelling, SetError> {
        let spelling = directive::find(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
        let row = spelling.id.row();
        match row.mutability {
            Mutability::Immutable => Err(SetError::refused(name, Reason::Immutable)),
            Mutability::Protected if !self.allows_protected(circumstances) => {
                Err(SetError::refused(name, Reason::Protected))
            }
            _ if circumstances.loading && row.deny_loading => Err(SetError::Loading),
            _ => Ok(spelling),
        }
    }

    fn allows_protected(&self, circumstances: Circumstances) -> bool {
        match self.read(directive::ENABLE_PROTECTED_CONFIGS) {
            ProtectedAction::Yes => true,
            ProtectedAction::Local => circumstances.local,
            ProtectedAction::No => false,
        }
    }
}

impl Change {
    /// The configuration as it will be.
    pub fn next(&self) -> &Config {
        &self.next
    }

    /// What changes, in the order in which it was asked for.
    pub fn changed(&self) -> &[Changed] {
        &self.changed
    }

    /// Whether the directive changes.
    pub fn touches(&self, id: impl Into<Id>) -> bool {
        let id = id.into();
        self.changed.iter().any(|changed| changed.spelling.id == id)
    }

    /// The error that applying the directive failed, in the words of whoever applied it.
    pub fn failed(&self, id: impl Into<Id>, words: impl Into<String>) -> SetError {
        let id = id.into();
        let changed = self
            .changed
            .iter()
            .find(|changed| changed.spelling.id == id);
        let name = changed.map_or_else(|| id.row().name, |changed| changed.spelling.name);
        SetError::refused(name.as_bytes(), Reason::Found(words.into()))
    }
}

impl SetError {
    fn refused(name: &[u8], reason: Reason) -> Self {
        Self::Refused {
            name: name.to_vec(),
            reason,
        }
    }
}

/// Without values: some are secrets.
impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Changed").field(&self.spelling.name).finish()
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let name = String::from_utf8_lossy(name);
                write!(
                    f,
                    "Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
            }
            Self::Loading => f.write_str("LOADING Redis is loading the dataset in memory"),
            Self::Refused { name, reason } => {
                let name = String::from_utf8_lossy(name);
                write!(
                    f,
                    "CONFIG SET failed (possibly related to argument '{name}') - {reason}"
                )
            }
        }
    }
}

impl std::error::Error for SetError {}
