//! The table of directives: a file a theme, a row a directive, a key a row.
//!
//! Names, bounds, defaults and mutability are those of Redis 7.2 where it has the directive, else those of Valkey 9. A
//! directive that nothing reads yet is still accepted, kept, shown and rewritten.

use crate::directive::Row;

macro_rules! theme {
    (
        $title:literal after $first:expr;
        $( #[doc = $summary:literal] $key:ident: $type:ty = $entry:expr; )+
    ) => {
        const FIRST: u16 = $first;

        pub(crate) const ROWS: &[$crate::directive::Row] = &[ $( {
            let entry: $crate::directive::Entry<$type> = $entry;
            entry.row($summary)
        } ),+ ];

        /// The number of the first row of the next theme.
        pub(crate) const END: u16 = FIRST + ROWS.len() as u16;

        pub(crate) const THEME: $crate::table::Theme = $crate::table::Theme { title: $title, rows: ROWS };

        $(
            #[doc = $summary]
            pub const $key: $crate::directive::Key<$type> = {
                let entry: $crate::directive::Entry<$type> = $entry;
                $crate::directive::Key::find(FIRST, ROWS, entry.row("").name)
            };
        )+
    };
}

pub(crate) mod append_only;
pub(crate) mod cluster;
pub(crate) mod encodings;
pub(crate) mod general;
pub(crate) mod limits;
pub(crate) mod logging;
pub(crate) mod memory;
pub(crate) mod monitoring;
pub(crate) mod network;
pub(crate) mod replication;
pub(crate) mod security;
pub(crate) mod snapshot;
pub(crate) mod testing;
pub(crate) mod threads;
pub(crate) mod tls;

/// Directives that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// What they are about.
    pub title: &'static str,
    /// Their rows.
    pub rows: &'static [Row],
}

/// All themes, in the order of the keys' numbers.
pub const THEMES: &[Theme] = &[
    network::THEME,
    tls::THEME,
    general::THEME,
    threads::THEME,
    logging::THEME,
    security::THEME,
    limits::THEME,
    memory::THEME,
    snapshot::THEME,
    append_only::THEME,
    replication::THEME,
    cluster::THEME,
    monitoring::THEME,
    encodings::THEME,
    testing::THEME,
];

const INT_MAX: i64 = i32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;
const UINT_MAX: i64 = u32::MAX as i64;
const LONG_MAX: i64 = i64::MAX;
const PORT_MAX: i64 = u16::MAX as i64;
const MEMORY_MAX: u64 = u64::MAX;
const SIGNED_MEMORY_MAX: u64 = i64::MAX as u64;
