//! What a directive is: its row in the table, its key, and how it is found by name.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

use crate::choices::{Choice, Choices, ShutdownFlags};
use crate::composite::{KeyspaceEvents, MemoryLimit, OomScores, OutputLimits, Primary, SavePoint};
use crate::reason::Reason;
use crate::table;
use crate::typed::{Addresses, Directory, Memory, OptionalText, Percentiles, Text};
use crate::value::{Occasion, Value};

pub use crate::table::append_only::*;
pub use crate::table::cluster::*;
pub use crate::table::encodings::*;
pub use crate::table::general::*;
pub use crate::table::limits::*;
pub use crate::table::logging::*;
pub use crate::table::memory::*;
pub use crate::table::monitoring::*;
pub use crate::table::network::*;
pub use crate::table::replication::*;
pub use crate::table::security::*;
pub use crate::table::snapshot::*;
pub use crate::table::testing::*;
pub use crate::table::threads::*;
pub use crate::table::tls::*;

/// A directive: everything that is known about it before it has a value.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Its other names: CONFIG GET and SET know them too, CONFIG REWRITE writes the first.
    pub aliases: &'static [&'static str],
    /// What its value is.
    pub kind: Kind,
    /// The value without a word from the user.
    pub default: Fallback,
    /// Whether CONFIG SET may change it.
    pub mutability: Mutability,
    /// Shown by CONFIG GET only when asked for by its whole name.
    pub hidden: bool,
    /// A secret, which must not reach a log.
    pub sensitive: bool,
    /// CONFIG SET refuses it while the dataset loads.
    pub deny_loading: bool,
    /// Setting the value that it has counts as a change: a file may have changed under the same name.
    pub reapplied: bool,
    /// One line on it.
    pub summary: &'static str,
    /// A rule that only this directive has.
    pub(crate) check: Option<Check>,
}

/// A rule for a value that has passed its kind's.
pub(crate) type Check = fn(&Value, Occasion) -> Result<(), Reason>;

/// What a directive's value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Boolean,
    /// One of these words.
    Choice(&'static [Choice]),
    /// Some of these words.
    Flags(&'static [Choice]),
    /// A whole number within bounds.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A whole number, brought within bounds.
    Hint {
        /// The least that counts.
        min: i64,
        /// The greatest that counts.
        max: i64,
    },
    /// File permissions: an octal number from zero.
    Octal {
        /// The greatest.
        max: i64,
    },
    /// An amount of memory in bytes, within bounds.
    Memory {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// An amount of memory or a percentage.
    MemoryLimit,
    /// Any text.
    Text,
    /// Any text, of which none means that there is none.
    OptionalText,
    /// A directory, relative to the one before.
    Directory,
    /// `save`.
    SavePoints,
    /// `client-output-buffer-limit`.
    OutputLimits,
    /// `oom-score-adj-values`.
    OomScores,
    /// `notify-keyspace-events`.
    KeyspaceEvents,
    /// Addresses to bind.
    Addresses,
    /// `replicaof`.
    Primary,
    /// Percentiles between 0 and 100.
    Percentiles,
}

/// The value of a directive that nobody has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// As it would stand in a file.
    Fixed(&'static str),
    /// The number of cores, from [`crate::Defaults`].
    Cores,
    /// The directory of the start, from [`crate::Defaults`].
    Directory,
}

/// Whether CONFIG SET may change a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// At any time.
    Mutable,
    /// As `enable-protected-configs` says.
    Protected,
    /// Never: it counts at the start.
    Immutable,
}

/// A directive, whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u16);

/// A directive whose value reads as `T`; see [`crate::typed`].
#[derive(Debug)]
pub struct Key<T> {
    id: Id,
    typed: PhantomData<fn() -> T>,
}

/// A directive as somebody spelled it: the directive and which of its names it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// The directive.
    pub id: Id,
    /// The name that was meant, in the table's spelling.
    pub name: &'static str,
}

/// The directive with this name, in any case.
pub fn find(name: &[u8]) -> Option<Spelling> {
    let name = str::from_utf8(name).ok()?;
    NAMES.get(name.to_ascii_lowercase().as_str()).copied()
}

/// All directives in the table's order.
pub fn all() -> impl Iterator<Item = Id> {
    (0..table::testing::END).map(Id)
}

static ROWS: LazyLock<Vec<&'static Row>> =
    LazyLock::new(|| table::THEMES.iter().flat_map(|theme| theme.rows).collect());

static NAMES: LazyLock<HashMap<&'static str, Spelling>> = LazyLock::new(|| {
    let spellings = all().flat_map(|id| id.names().map(move |name| (name, Spelling { id, name })));
    spellings.collect()
});

impl Id {
    /// The directive's row.
    pub fn row(self) -> &'static Row {
        let row = ROWS.get(self.place());
        row.expect("an id is made for a row of the table")
    }

    /// All its names, the first one first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let row = self.row();
        std::iter::once(row.name).chain(row.aliases.iter().copied())
    }

    pub(crate) fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl<T> Key<T> {
    /// The key of the row of this name in a theme whose first row has the number `first`.
    pub(crate) const fn find(first: u16, rows: &[Row], name: &str) -> Self {
        let mut place = 0;
        while place < rows.len() {
            if same(rows[place].name, name) {
                return Self {
                    id: Id(first + place as u16),
                    typed: PhantomData,
                };
            }
            place += 1;
        }
        panic!("no row has this name");
    }

    /// The directive, whatever its type.
    pub const fn id(self) -> Id {
        self.id
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> From<Key<T>> for Id {
    fn from(key: Key<T>) -> Self {
        key.id
    }
}

impl Kind {
    /// Whether the value is all the words that follow rather than one.
    pub fn takes_many(&self) -> bool {
        matches!(
            self,
            Self::Flags(_)
                | Self::SavePoints
                | Self::OutputLimits
                | Self::OomScores
                | Self::Addresses
                | Self::Primary
                | Self::Percentiles
        )
    }
}

/// A row whose value reads as `T`: what the theme files build.
pub(crate) struct Entry<T> {
    row: Row,
    typed: PhantomData<fn() -> T>,
}

impl<T> Entry<T> {
    const fn new(name: &'static str, kind: Kind, default: Fallback) -> Self {
        Self {
            row: Row {
                name,
                aliases: &[],
                kind,
                default,
                mutability: Mutability::Mutable,
                hidden: false,
                sensitive: false,
                deny_loading: false,
                reapplied: false,
                summary: "",
                check: None,
            },
            typed: PhantomData,
        }
    }

    pub(crate) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.row.aliases = aliases;
        self
    }

    pub(crate) const fn immutable(mut self) -> Self {
        self.row.mutability = Mutability::Immutable;
        self
    }

    pub(crate) const fn protected(mut self) -> Self {
        self.row.mutability = Mutability::Protected;
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.row.hidden = true;
        self
    }

    pub(crate) const fn sensitive(mut self) -> Self {
        self.row.sensitive = true;
        self
    }

    pub(crate) const fn deny_loading(mut self) -> Self {
        self.row.deny_loading = true;
        self
    }

    pub(crate) const fn reapplied(mut self) -> Self {
        self.row.reapplied = true;
        self
    }

    pub(crate) const fn check(mut self, check: Check) -> Self {
        self.row.check = Some(check);
        self
    }

    pub(crate) const fn row(mut self, summary: &'static str) -> Row {
        self.row.summary = summary.trim_ascii();
        self.row
    }
}

pub(crate) const fn boolean(name: &'static str, default: &'static str) -> Entry<bool> {
    Entry::new(name, Kind::Boolean, Fallback::Fixed(default))
}

pub(crate) const fn choice<T: Choices>(name: &'static str, default: &'static str) -> Entry<T> {
    Entry::new(name, Kind::Choice(T::CHOICES), Fallback::Fixed(default))
}

pub(crate) const fn shutdown_flags(name: &'static str) -> Entry<ShutdownFlags> {
    Entry::new(
        name,
        Kind::Flags(ShutdownFlags::CHOICES),
        Fallback::Fixed("default"),
    )
}

pub(crate) const fn integer(
    name: &'static str,
    min: i64,
    max: i64,
    default: &'static str,
) -> Entry<i64> {
    Entry::new(name, Kind::Integer { min, max }, Fallback::Fixed(default))
}

pub(crate) const fn workers(name: &'static str, min: i64, max: i64) -> Entry<i64> {
    Entry::new(name, Kind::Integer { min, max }, Fallback::Cores)
}

pub(crate) const fn hint(
    name: &'static str,
    min: i64,
    max: i64,
    default: &'static str,
) -> Entry<i64> {
    Entry::new(name, Kind::Hint { min, max }, Fallback::Fixed(default))
}

pub(crate) const fn octal(name: &'static str, max: i64, default: &'static str) -> Entry<i64> {
    Entry::new(name, Kind::Octal { max }, Fallback::Fixed(default))
}

pub(crate) const fn memory(
    name: &'static str,
    min: u64,
    max: u64,
    default: &'static str,
) -> Entry<Memory> {
    Entry::new(name, Kind::Memory { min, max }, Fallback::Fixed(default))
}

pub(crate) const fn memory_limit(name: &'static str, default: &'static str) -> Entry<MemoryLimit> {
    Entry::new(name, Kind::MemoryLimit, Fallback::Fixed(default))
}

pub(crate) const fn text(name: &'static str, default: &'static str) -> Entry<Text> {
    Entry::new(name, Kind::Text, Fallback::Fixed(default))
}

pub(crate) const fn optional(name: &'static str) -> Entry<OptionalText> {
    Entry::new(name, Kind::OptionalText, Fallback::Fixed(""))
}

pub(crate) const fn directory(name: &'static str) -> Entry<Directory> {
    Entry::new(name, Kind::Directory, Fallback::Directory)
}

pub(crate) const fn save_points(
    name: &'static str,
    default: &'static str,
) -> Entry<Vec<SavePoint>> {
    Entry::new(name, Kind::SavePoints, Fallback::Fixed(default))
}

pub(crate) const fn output_limits(
    name: &'static str,
    default: &'static str,
) -> Entry<OutputLimits> {
    Entry::new(name, Kind::OutputLimits, Fallback::Fixed(default))
}

pub(crate) const fn oom_scores(name: &'static str, default: &'static str) -> Entry<OomScores> {
    Entry::new(name, Kind::OomScores, Fallback::Fixed(default))
}

pub(crate) const fn keyspace_events(name: &'static str) -> Entry<KeyspaceEvents> {
    Entry::new(name, Kind::KeyspaceEvents, Fallback::Fixed(""))
}

pub(crate) const fn addresses(name: &'static str, default: &'static str) -> Entry<Addresses> {
    Entry::new(name, Kind::Addresses, Fallback::Fixed(default))
}

pub(crate) const fn primary(name: &'static str) -> Entry<Option<Primary>> {
    Entry::new(name, Kind::Primary, Fallback::Fixed("no one"))
}

pub(crate) const fn percentiles(name: &'static str, default: &'static str) -> Entry<Percentiles> {
    Entry::new(name, Kind::Percentiles, Fallback::Fixed(default))
}

/// Whether two names are the same, at compile time.
const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut place = 0;
    while place < left.len() && place < right.len() && left[place] == right[place] {
        place += 1;
    }
    place == left.len() && place == right.len()
}
