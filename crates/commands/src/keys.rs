//! Where a command's keys stand among its words, and how they are found in a call.

use bitflags::bitflags;
use smallvec::SmallVec;

/// One rule that finds keys (key specifications, Redis 7.0).
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What the command does with the keys found.
    pub flags: KeyFlags,
    /// Where the search starts.
    pub begin: BeginSearch,
    /// How the keys are counted from there.
    pub find: FindKeys,
    /// What a call of these words does with the keys, where that depends on them (`variable_flags`).
    pub vary: Option<Vary>,
}

/// What a call of these words does with its keys.
pub type Vary = fn(&[&[u8]]) -> KeyFlags;

/// Where a key specification starts to look.
#[derive(Clone, Copy, Debug)]
pub enum BeginSearch {
    /// At this word; the command's name is word 0.
    Index(usize),
    /// After this word, sought from `from` on; a negative `from` counts from the end and seeks backwards.
    Keyword {
        /// The word, compared without regard to case.
        word: &'static str,
        /// The word to start from.
        from: i32,
    },
    /// Cannot be described (`unknown` in COMMAND INFO); the command's own rule finds it.
    Rule(fn(&[&[u8]]) -> Reach),
}

/// What a command's own rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No key in this call.
    Nothing,
    /// The key at this word.
    Key(usize),
    /// Keys that the words do not name (SORT BY a pattern): the call needs every shard.
    Everything,
}

/// What searching a call for keys came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The keys found are all of them.
    Complete,
    /// The call has not the form that the rule expects, so that it names no key; the command itself will refuse it.
    Malformed,
    /// The call may touch keys that its words do not name.
    Everything,
}

/// How a key specification counts keys from where its search began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Every `step`th word up to `last`, relative to the first (negative: from the end); with a `limit` above one, only
    /// the first `1/limit` of the words.
    Range {
        /// The last key, relative to the first; negative counts from the end of the call.
        last: i32,
        /// Words from one key to the next.
        step: usize,
        /// Divisor of the remaining words, 0 and 1 meaning all of them.
        limit: usize,
    },
    /// A word holds the number of keys.
    KeyNum {
        /// Where that number stands, relative to the start.
        count: usize,
        /// Where the first key stands, relative to the start.
        first: usize,
        /// Words from one key to the next.
        step: usize,
    },
    /// Cannot be described.
    Unknown,
}

bitflags! {
    /// What a command does with a key (Redis 7.0 key specification flags).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads the value.
        const RO = 1;
        /// Reads and changes the value.
        const RW = 1 << 1;
        /// Overwrites the value without reading it.
        const OW = 1 << 2;
        /// Removes the key.
        const RM = 1 << 3;
        /// Returns or uses the value's data.
        const ACCESS = 1 << 4;
        /// Changes existing data.
        const UPDATE = 1 << 5;
        /// Adds data, never changes or removes any.
        const INSERT = 1 << 6;
        /// Removes data explicitly.
        const DELETE = 1 << 7;
        /// No key, though routed like one.
        const NOT_KEY = 1 << 8;
        /// May miss keys.
        const INCOMPLETE = 1 << 9;
        /// What is done depends on the arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

impl KeyFlags {
    /// Every flag with the name that COMMAND INFO gives it, in Redis' order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::RO, "RO"),
        (Self::RW, "RW"),
        (Self::OW, "OW"),
        (Self::RM, "RM"),
        (Self::ACCESS, "access"),
        (Self::UPDATE, "update"),
        (Self::INSERT, "insert"),
        (Self::DELETE, "delete"),
        (Self::NOT_KEY, "not_key"),
        (Self::INCOMPLETE, "incomplete"),
        (Self::VARIABLE_FLAGS, "variable_flags"),
    ];

    /// The names of the flags set here, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| *name)
    }
}

impl KeySpec {
    /// The keys are the words `first`, `first + step` .. `last` (`last` relative to `first`, negative from the end).
    #[must_use]
    pub const fn range(flags: KeyFlags, first: usize, last: i32, step: usize) -> Self {
        Self {
            flags,
            begin: BeginSearch::Index(first),
            find: FindKeys::Range {
                last,
                step,
                limit: 0,
            },
            vary: None,
        }
    }

    /// One key, at word `index`.
    #[must_use]
    pub const fn one(flags: KeyFlags, index: usize) -> Self {
        Self::range(flags, index, 0, 1)
    }

    /// A count of keys at word `index`, the keys right behind it.
    #[must_use]
    pub const fn counted(flags: KeyFlags, index: usize) -> Self {
        Self {
            flags,
            begin: BeginSearch::Index(index),
            find: FindKeys::KeyNum {
                count: 0,
                first: 1,
                step: 1,
            },
            vary: None,
        }
    }

    /// One key behind a keyword such as STORE.
    #[must_use]
    pub const fn after(flags: KeyFlags, word: &'static str, from: i32) -> Self {
        Self {
            flags,
            begin: BeginSearch::Keyword { word, from },
            find: FindKeys::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            vary: None,
        }
    }

    /// A key that no specification can describe; the command has a rule of its own for it.
    #[must_use]
    pub const fn rule(flags: KeyFlags, rule: fn(&[&[u8]]) -> Reach) -> Self {
        Self {
            flags,
            begin: BeginSearch::Rule(rule),
            find: FindKeys::Unknown,
            vary: None,
        }
    }

    /// The same, with `vary` saying what a call really does with the keys.
    #[must_use]
    pub const fn varying(self, vary: Vary) -> Self {
        Self {
            vary: Some(vary),
            ..self
        }
    }

    /// Whether one key stands right where the search ends.
    fn is_one_key(&self) -> bool {
        matches!(self.find, FindKeys::Range { last: 0, .. })
    }

    /// Appends the positions of the keys that this rule finds in `argv`.
    pub fn find(&self, argv: &[&[u8]], positions: &mut Positions) -> Search {
        let flags = self.vary.map_or(self.flags, |vary| vary(argv));
        let first = match self.begin {
            BeginSearch::Index(index) => Some(index),
            BeginSearch::Keyword { word, from } if self.is_one_key() => {
                // An option that names a key may come again (GEORADIUS .. STORE a STORE b). Which one counts is for the
                // command to know; all of them are its keys here.
                let from = usize::try_from(from).unwrap_or(0);
                let keys = seek_all(argv, word, from).map(|at| (at + 1, flags));
                positions.extend(keys.filter(|(at, _)| *at < argv.len()));
                None
            }
            BeginSearch::Keyword { word, from } => seek(argv, word, from),
            BeginSearch::Rule(rule) => match rule(argv) {
                Reach::Nothing => None,
                Reach::Key(at) => {
                    positions.push((at, flags));
                    None
                }
                Reach::Everything => return Search::Everything,
            },
        };
        let Some(first) = first else {
            return Search::Complete;
        };
        match self.find {
            FindKeys::Range { last, step, limit } => {
                if let Some(last) = last_of_range(first, argv.len(), last, limit) {
                    positions.extend((first..=last).step_by(step).map(|at| (at, flags)));
                }
                Search::Complete
            }
            FindKeys::KeyNum {
                count,
                first: offset,
                step,
            } => {
                let number = argv
                    .get(first + count)
                    .and_then(|word| resp::number::parse_i64(word));
                let start = first + offset;
                let room = argv.len().saturating_sub(start).div_ceil(step);
                match number.and_then(|number| usize::try_from(number).ok()) {
                    Some(number) if number >= 1 && number <= room => {
                        positions.extend((0..number).map(|nth| (start + nth * step, flags)));
                        Search::Complete
                    }
                    _ => Search::Malformed,
                }
            }
            FindKeys::Unknown => Search::Complete,
        }
    }
}

/// The last word of a range that begins at `first`, in a call of `end` words; `None` when the range is empty.
fn last_of_range(first: usize, end: usize, last: i32, limit: usize) -> Option<usize> {
    let back = last.unsigned_abs() as usize;
    let last = match last {
        0.. => first + back,
        _ if limit <= 1 => end.checked_sub(back)?,
        _ => (first + (end.checked_sub(first)?) / limit).checked_sub(back)?,
    };
    let last = last.min(end.checked_sub(1)?);
    (first <= last).then_some(last)
}

/// The keys of commands that pop and wait: every word but the last, which is the timeout.
pub(crate) const ALL_BUT_TIMEOUT: &[KeySpec] = &[KeySpec::range(
    KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
    1,
    -2,
    1,
)];

/// Positions of keys in a call, each with what is done with the key.
pub type Positions = SmallVec<[(usize, KeyFlags); 4]>;

/// Every occurrence of `word` from the word `from` on.
fn seek_all(argv: &[&[u8]], word: &str, from: usize) -> impl Iterator<Item = usize> {
    let words = argv.iter().enumerate().skip(from);
    words
        .filter(move |(_, text)| text.eq_ignore_ascii_case(word.as_bytes()))
        .map(|(at, _)| at)
}

/// The word after the first occurrence of `word`, sought as [`BeginSearch::Keyword`] says.
fn seek(argv: &[&[u8]], word: &str, from: i32) -> Option<usize> {
    let matches = |at: &usize| {
        argv.get(*at)
            .is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
    };
    let found = if from >= 0 {
        (from.unsigned_abs() as usize..argv.len()).find(matches)
    } else {
        (1..=argv.len().checked_sub(from.unsigned_abs() as usize)?)
            .rev()
            .find(matches)
    };
    found.map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(spec: KeySpec, line: &str, expected: &[usize]) {
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut positions = Positions::new();
        let _search = spec.find(&argv, &mut positions);
        assert_eq!(
            positions.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            expected,
            "{line}"
        );
    }

    #[test]
    fn ranges() {
        let ro = KeyFlags::RO;
        found(KeySpec::one(ro, 1), "get k", &[1]);
        found(KeySpec::range(ro, 1, -1, 1), "del a b c", &[1, 2, 3]);
        found(KeySpec::range(ro, 1, -1, 2), "mset a 1 b 2", &[1, 3]);
        found(KeySpec::range(ro, 1, 1, 1), "rename a b", &[1, 2]);
        found(KeySpec::range(ro, 1, -2, 1), "blpop a b 0", &[1, 2]);
    }

    #[test]
    fn keywords_and_counts() {
        let streams = KeySpec {
            flags: KeyFlags::RO,
            begin: BeginSearch::Keyword {
                word: "STREAMS",
                from: 1,
            },
            find: FindKeys::Range {
                last: -1,
                step: 1,
                limit: 2,
            },
            vary: None,
        };
        found(streams, "xread count 2 streams a b 0 0", &[4, 5]);
        found(
            KeySpec::counted(KeyFlags::RO, 1),
            "lmpop 2 a b left",
            &[2, 3],
        );
        found(KeySpec::counted(KeyFlags::RO, 1), "lmpop 9 a b left", &[]);
        found(KeySpec::counted(KeyFlags::RO, 1), "lmpop x a b left", &[]);
        found(
            KeySpec::after(KeyFlags::OW, "STORE", 6),
            "georadius k 1 2 3 m store d",
            &[7],
        );
        found(
            KeySpec::after(KeyFlags::OW, "STORE", 6),
            "georadius k 1 2 3 m store store asc store e store",
            &[7, 8, 10],
        );
    }
}
