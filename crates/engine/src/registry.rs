//! The table of all commands, assembled once from the rows of every layer, and how a call finds its row.

use crate::handler::{EngineCommand, Handler};
use commands::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec, Positions, Search};
use commands::{Arity, Categories, Command, CommandError, DataCommand, Flags, Group};
use std::collections::HashMap;

/// One command or subcommand as the engine uses it.
#[derive(Debug)]
pub struct Row {
    /// Position in the table; also its index in the counters.
    pub id: u16,
    /// Full name: `get`, or `config|get`.
    pub name: Box<str>,
    /// The row's own word.
    pub word: &'static str,
    /// Documentation group.
    pub group: Group,
    /// Version that introduced it.
    pub since: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Time complexity.
    pub complexity: &'static str,
    /// How many words a call has.
    pub arity: Arity,
    /// Where keys stand.
    pub keys: &'static [KeySpec],
    /// Properties.
    pub flags: Flags,
    /// All ACL categories, implied ones included.
    pub categories: Categories,
    /// Hints for clients.
    pub tips: &'static [&'static str],
    /// What runs it.
    pub handler: Handler,
    /// The container that it is a subcommand of.
    pub parent: Option<u16>,
    /// Its subcommands, in table order.
    pub subcommands: Vec<u16>,
    /// Whether it has no name any more (rename-command).
    pub is_removed: bool,
    key_rule: KeyRule,
}

/// The common shapes of key positions, worked out once so that a call does not walk specifications.
#[derive(Clone, Copy, Debug)]
enum KeyRule {
    None,
    One(usize),
    Specs(&'static [KeySpec]),
}

/// All commands by name and by number.
#[derive(Debug)]
pub struct Registry {
    rows: Vec<Row>,
    names: HashMap<Box<[u8]>, u16, foldhash::fast::FixedState>,
    subcommand_names: HashMap<(u16, Box<[u8]>), u16>,
    name_len_max: usize,
}

/// Why a command cannot get another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameError {
    /// No command has the old name.
    NoSuchCommand,
    /// A command has the new name.
    Taken,
}

impl RenameError {
    /// The error in Redis' words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NoSuchCommand => "No such command in rename-command",
            Self::Taken => "Target command name already exists",
        }
    }
}

/// The longest name that is looked up without an allocation.
const NAME_MAX: usize = 32;

impl Row {
    /// Appends the positions of the keys of a call.
    pub fn key_positions(&self, argv: &[&[u8]], positions: &mut Positions) -> Search {
        match self.key_rule {
            KeyRule::None => Search::Complete,
            KeyRule::One(at) => {
                if let (true, Some(spec)) = (at < argv.len(), self.keys.first()) {
                    let flags = spec.vary.map_or(spec.flags, |vary| vary(argv));
                    positions.push((at, flags));
                }
                Search::Complete
            }
            KeyRule::Specs(specs) => specs.iter().fold(Search::Complete, |so_far, spec| {
                let before = positions.len();
                let found = spec.find(argv, positions);
                if spec.flags.contains(KeyFlags::INCOMPLETE) && positions.len() > before {
                    // The key's own place is empty where keys stand behind a word (MIGRATE).
                    let mut index = 0;
                    positions.retain(|(at, _)| {
                        index += 1;
                        index > before || argv.get(*at).is_some_and(|word| !word.is_empty())
                    });
                }
                match (so_far, found) {
                    (Search::Complete, found) => found,
                    (worse, _) => worse,
                }
            }),
        }
    }

    /// Whether it concerns no key and its words go into the log whatever it does: PUBLISH and SPUBLISH.
    #[must_use]
    pub fn is_logged_anyway(&self) -> bool {
        self.flags
            .contains(Flags::MAY_REPLICATE.union(Flags::PUBSUB))
    }

    /// The position of the only key, for commands that have exactly one at a fixed place.
    #[must_use]
    pub fn only_key(&self) -> Option<usize> {
        match self.key_rule {
            KeyRule::One(at) => Some(at),
            KeyRule::None | KeyRule::Specs(_) => None,
        }
    }

    /// Whether calls may name keys.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Words of the command's name: one, or two for a subcommand. The arguments begin behind them.
    #[must_use]
    pub fn name_words(&self) -> usize {
        if self.parent.is_some() { 2 } else { 1 }
    }

    /// First key, last key and step as COMMAND INFO shows them (Redis' legacy range).
    #[must_use]
    pub fn legacy_range(&self) -> (i64, i64, i64) {
        legacy_range(self.keys)
    }
}

impl Registry {
    /// The table made of `data` commands and of those of the layers above.
    #[must_use]
    pub fn new(data: &[&'static DataCommand], above: &[&'static EngineCommand]) -> Self {
        let mut registry = Self {
            rows: Vec::new(),
            names: HashMap::default(),
            subcommand_names: HashMap::new(),
            name_len_max: NAME_MAX,
        };
        data.iter().for_each(|command| registry.add(command, None));
        above.iter().for_each(|command| registry.add(command, None));
        registry
    }

    /// Gives a command another name, or none (rename-command). Its row keeps its own name.
    ///
    /// # Errors
    /// There is no such command, or another one has the new name.
    pub fn rename(&mut self, name: &[u8], new: &[u8]) -> Result<(), RenameError> {
        let id = self.command(name).ok_or(RenameError::NoSuchCommand)?.id;
        self.names.remove(&*name.to_ascii_lowercase());
        if new.is_empty() {
            self.rows[usize::from(id)].is_removed = true;
        } else if self.command(new).is_some() {
            return Err(RenameError::Taken);
        } else {
            self.name_len_max = self.name_len_max.max(new.len());
            self.names.insert(new.to_ascii_lowercase().into(), id);
        }
        Ok(())
    }

    /// All rows, containers before their subcommands.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of this number.
    #[must_use]
    pub fn row(&self, id: u16) -> &Row {
        &self.rows[usize::from(id)]
    }

    /// The command of this name, whatever its case; never a subcommand.
    #[must_use]
    pub fn command(&self, name: &[u8]) -> Option<&Row> {
        if name.len() > self.name_len_max {
            return None;
        }
        let mut lower = [0; NAME_MAX];
        let Some(lower) = lower.get_mut(..name.len()) else {
            let id = self.names.get(&*name.to_ascii_lowercase());
            return id.map(|id| self.row(*id));
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.names.get(&*lower).map(|id| self.row(*id))
    }

    /// The subcommand of this name, whatever its case.
    #[must_use]
    pub fn subcommand(&self, container: &Row, name: &[u8]) -> Option<&Row> {
        let key = (container.id, name.to_ascii_lowercase().into_boxed_slice());
        self.subcommand_names.get(&key).map(|id| self.row(*id))
    }

    /// The row with this full name, such as `config|get`.
    #[must_use]
    pub fn full_name(&self, name: &[u8]) -> Option<&Row> {
        match memchr::memchr(b'|', name) {
            Some(bar) => self.subcommand(self.command(name.get(..bar)?)?, name.get(bar + 1..)?),
            None => self.command(name),
        }
    }

    /// The row of a call, or the error that Redis answers an unknown one with.
    pub fn find(&self, argv: &[&[u8]]) -> Result<&Row, CommandError> {
        let Some(row) = argv.first().and_then(|name| self.command(name)) else {
            return Err(CommandError::unknown_command(argv));
        };
        if row.subcommands.is_empty() {
            return Ok(row);
        }
        let Some(word) = argv.get(1) else {
            return Ok(row);
        };
        self.subcommand(row, word)
            .ok_or_else(|| CommandError::UnknownSubcommand {
                given: (*word).into(),
                container: row.word.to_ascii_uppercase(),
            })
    }

    fn add<H: Copy + Into<Handler>>(&mut self, command: &'static Command<H>, parent: Option<u16>) {
        let id = self.rows.len() as u16;
        let name = match parent {
            Some(parent) => format!("{}|{}", self.row(parent).word, command.name).into_boxed_str(),
            None => command.name.into(),
        };
        let previous = match parent {
            Some(parent) => {
                self.rows[usize::from(parent)].subcommands.push(id);
                self.subcommand_names
                    .insert((parent, command.name.as_bytes().into()), id)
            }
            None => self.names.insert(command.name.as_bytes().into(), id),
        };
        debug_assert!(previous.is_none(), "{name} stands twice in the table");
        self.rows.push(Row {
            id,
            name,
            word: command.name,
            group: command.group,
            since: command.since,
            summary: command.summary,
            complexity: command.complexity,
            arity: command.arity,
            keys: command.keys,
            flags: command.flags,
            categories: command.categories(),
            tips: command.tips,
            handler: command.handler.into(),
            parent,
            subcommands: Vec::new(),
            is_removed: false,
            key_rule: key_rule(command.keys),
        });
        command
            .subcommands
            .iter()
            .for_each(|subcommand| self.add(subcommand, Some(id)));
    }
}

fn key_rule(specs: &'static [KeySpec]) -> KeyRule {
    match specs {
        [] => KeyRule::None,
        [
            KeySpec {
                begin: BeginSearch::Index(at),
                find: FindKeys::Range { last: 0, .. },
                ..
            },
        ] => KeyRule::One(*at),
        _ => KeyRule::Specs(specs),
    }
}

/// populateCommandLegacyRangeSpec, Redis 7.2: one range specification as it is; several adjacent ones joined; else the
/// first one alone, and nothing where there is none.
fn legacy_range(specs: &[KeySpec]) -> (i64, i64, i64) {
    let ranges: Vec<(i64, i64, i64)> = specs
        .iter()
        .filter_map(|spec| match (spec.begin, spec.find) {
            (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) => {
                let first = first as i64;
                let last = i64::from(last);
                Some((
                    first,
                    if last < 0 { last } else { first + last },
                    step as i64,
                ))
            }
            _ => None,
        })
        .collect();
    match ranges.as_slice() {
        [] => (0, 0, 0),
        [only] => *only,
        [(first, last, step), rest @ ..] => {
            let joined = rest
                .iter()
                .try_fold(*last, |last, (next, next_last, next_step)| {
                    if next_step == step && *next == last + 1 {
                        Ok(*next_last)
                    } else {
                        Err(last)
                    }
                });
            (*first, joined.unwrap_or_else(|last| last), *step)
        }
    }
}
