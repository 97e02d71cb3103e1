//! The value of a directive: from words, to CONFIG GET's text, to CONFIG REWRITE's lines.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, PathBuf};

use crate::choices::{self, Choice};
use crate::composite::{
    self, KeyspaceEvents, MemoryLimit, OomScores, OutputLimits, Primary, SavePoint,
};
use crate::directive::{Kind, Row};
use crate::grammar;
use crate::numbers;
use crate::reason::Reason;
use crate::typed;

/// The value of a directive.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `yes` or `no`.
    Boolean(bool),
    /// The value of a choice, or the flags of several.
    Choice(u16),
    /// A whole or octal number.
    Integer(i64),
    /// Bytes.
    Memory(u64),
    /// Bytes or a percentage.
    MemoryLimit(MemoryLimit),
    /// A text.
    Text(Vec<u8>),
    /// A text or none.
    OptionalText(Option<Vec<u8>>),
    /// A directory.
    Directory(PathBuf),
    /// `save`.
    SavePoints(Vec<SavePoint>),
    /// `client-output-buffer-limit`.
    OutputLimits(OutputLimits),
    /// `oom-score-adj-values`.
    OomScores(OomScores),
    /// `notify-keyspace-events`.
    KeyspaceEvents(KeyspaceEvents),
    /// Addresses to bind.
    Addresses(Vec<Vec<u8>>),
    /// `replicaof`.
    Primary(Option<Primary>),
    /// Percentiles between 0 and 100.
    Percentiles(Vec<f64>),
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The first line of a configuration that names the directive, which replaces its default.
    FirstLine,
    /// A further line of a configuration.
    FurtherLine,
    /// CONFIG SET.
    Set,
}

impl Value {
    /// Reads the default of a row, in which several words stand as in a file and one word as it is.
    pub(crate) fn fixed(row: &Row, text: &str) -> Self {
        let words = match grammar::words(text.as_bytes()) {
            Ok(words) if row.kind.takes_many() => words,
            _ => vec![text.as_bytes().to_vec()],
        };
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let before = match row.kind {
            Kind::OutputLimits => Self::OutputLimits(OutputLimits::default()),
            _ => Self::SavePoints(Vec::new()),
        };
        let value = before.next(row, &words, Occasion::FirstLine);
        value.expect("the defaults of the table are read in a test")
    }

    /// Reads the words that follow a directive's name; `self` is the value so far.
    ///
    /// # Errors
    /// The [`Reason`] in Redis' words.
    pub(crate) fn next(
        &self,
        row: &Row,
        words: &[&[u8]],
        occasion: Occasion,
    ) -> Result<Self, Reason> {
        let value = if row.kind.takes_many() {
            self.next_of_many(row.kind, words, occasion)
        } else {
            let [word] = words else {
                return Err(Reason::WrongNumberOfArguments);
            };
            self.next_of_one(row.kind, word)
        }?;
        match row.check {
            Some(check) => check(&value, occasion).map(|()| value),
            None => Ok(value),
        }
    }

    fn next_of_one(&self, kind: Kind, word: &[u8]) -> Result<Self, Reason> {
        Ok(match kind {
            Kind::Boolean if word.eq_ignore_ascii_case(b"yes") => Self::Boolean(true),
            Kind::Boolean if word.eq_ignore_ascii_case(b"no") => Self::Boolean(false),
            Kind::Boolean => return Err(Reason::NotBoolean),
            Kind::Choice(choices) => {
                Self::Choice(choices::bits_of(choices, word).ok_or(Reason::NotOneOf(choices))?)
            }
            Kind::Integer { min, max } => {
                let number = numbers::integer(word).ok_or(Reason::NotInteger)?;
                Self::Integer(between(number, min, max)?)
            }
            Kind::Hint { min, max } => {
                let number = numbers::integer(word).ok_or(Reason::NotInteger)?;
                Self::Integer(between(number, 0, i64::from(i32::MAX))?.clamp(min, max))
            }
            Kind::Octal { max } => {
                let number = numbers::lenient(word, 8).ok_or(Reason::NotOctal)?;
                if !(0..=max).contains(&number) {
                    return Err(Reason::NotBetween("0".into(), format!("{max:o}")));
                }
                Self::Integer(number)
            }
            Kind::Memory { min, max } => {
                let bytes = numbers::memory(word).ok_or(Reason::NotMemory)?;
                Self::Memory(between(bytes, min, max)?)
            }
            Kind::MemoryLimit => Self::MemoryLimit(memory_limit(word)?),
            Kind::OptionalText if word.is_empty() => Self::OptionalText(None),
            Kind::OptionalText => Self::OptionalText(Some(word.to_vec())),
            Kind::Directory => Self::Directory(self.inside(word)),
            Kind::KeyspaceEvents => Self::KeyspaceEvents(KeyspaceEvents::parse(word)?),
            _ => Self::Text(word.to_vec()),
        })
    }

    fn next_of_many(
        &self,
        kind: Kind,
        words: &[&[u8]],
        occasion: Occasion,
    ) -> Result<Self, Reason> {
        Ok(match (kind, self) {
            (Kind::Flags(choices), _) => Self::Choice(flags(choices, words)?),
            (Kind::SavePoints, Self::SavePoints(before)) => {
                Self::SavePoints(save_points(before, words, occasion)?)
            }
            (Kind::OutputLimits, Self::OutputLimits(before)) => {
                Self::OutputLimits(before.parse(words)?)
            }
            (Kind::OomScores, _) => Self::OomScores(OomScores::parse(words)?),
            (Kind::Primary, _) => Self::Primary(Primary::parse(words)?),
            (Kind::Percentiles, _) => {
                Self::Percentiles(composite::percentiles(unless_empty(words))?)
            }
            _ if words.len() > ADDRESSES_MAX => {
                return Err(Reason::Rule("Too many bind addresses specified."));
            }
            _ => Self::Addresses(
                unless_empty(words)
                    .iter()
                    .map(|word| word.to_vec())
                    .collect(),
            ),
        })
    }

    /// The directory `word` as seen from this one, without steps that lead nowhere.
    fn inside(&self, word: &[u8]) -> PathBuf {
        let word = typed::path(word);
        let path = match self {
            Self::Directory(before) => before.join(word),
            _ => word.to_path_buf(),
        };
        path.components()
            .filter(|part| *part != Component::CurDir)
            .collect()
    }

    /// The value as CONFIG GET shows it.
    pub fn text(&self, kind: Kind) -> Vec<u8> {
        match self {
            Self::Boolean(true) => b"yes".to_vec(),
            Self::Boolean(false) => b"no".to_vec(),
            Self::Choice(bits) => match kind {
                Kind::Choice(choices) | Kind::Flags(choices) => {
                    choices::names_of(choices, *bits).into()
                }
                _ => Vec::new(),
            },
            Self::Integer(number) if matches!(kind, Kind::Octal { .. }) => {
                format!("{number:o}").into()
            }
            Self::Integer(number) => number.to_string().into(),
            Self::Memory(bytes) | Self::MemoryLimit(MemoryLimit::Bytes(bytes)) => {
                bytes.to_string().into()
            }
            Self::MemoryLimit(MemoryLimit::Percent(percent)) => format!("{percent}%").into(),
            Self::Text(text) => text.clone(),
            Self::OptionalText(text) => text.clone().unwrap_or_default(),
            Self::Directory(path) => path.as_os_str().as_bytes().to_vec(),
            Self::SavePoints(points) => {
                let point = |point: &SavePoint| format!("{} {}", point.seconds, point.changes);
                points
                    .iter()
                    .map(point)
                    .collect::<Vec<_>>()
                    .join(" ")
                    .into()
            }
            Self::OutputLimits(limits) => limits.text().into(),
            Self::OomScores(scores) => scores.text().into(),
            Self::KeyspaceEvents(events) => events.text(),
            Self::Addresses(addresses) => addresses.join(&b' '),
            Self::Primary(primary) => primary.as_ref().map(Primary::text).unwrap_or_default(),
            Self::Percentiles(percentiles) => {
                let texts = percentiles.iter().copied().map(numbers::fraction_text);
                texts.collect::<Vec<_>>().join(" ").into()
            }
        }
    }

    /// The lines that CONFIG REWRITE writes for the value, without the directive's name, and whether each must stand
    /// in the file even if the file did not have it. No lines at all mean that the file's go.
    pub(crate) fn lines(&self, kind: Kind, default: &Self) -> Vec<(Vec<u8>, Needed)> {
        let changed = Needed::when(self != default);
        let one = |text: Vec<u8>| vec![(text, changed)];
        match self {
            Self::Memory(bytes) | Self::MemoryLimit(MemoryLimit::Bytes(bytes)) => {
                one(numbers::memory_text(*bytes).into())
            }
            Self::Text(text) => one(grammar::quote(text)),
            Self::OptionalText(Some(text)) => one(grammar::quote(text)),
            Self::OptionalText(None) | Self::Primary(None) => Vec::new(),
            Self::Addresses(_) if self == default => Vec::new(),
            Self::KeyspaceEvents(events) => one(grammar::quote(&events.text())),
            Self::Directory(path) => {
                vec![(grammar::quote(path.as_os_str().as_bytes()), Needed::Always)]
            }
            Self::SavePoints(points) if !points.is_empty() => {
                let line =
                    |point: &SavePoint| format!("{} {}", point.seconds, point.changes).into();
                points
                    .iter()
                    .map(|point| (line(point), Needed::Always))
                    .collect()
            }
            Self::OutputLimits(limits) => output_limit_lines(limits, changed),
            Self::SavePoints(_) | Self::Percentiles(_) | Self::Addresses(_) | Self::Primary(_) => {
                let text = self.text(kind);
                let text = if text.is_empty() {
                    b"\"\"".to_vec()
                } else {
                    text
                };
                vec![(text, Needed::Always)]
            }
            _ => one(self.text(kind)),
        }
    }
}

/// Whether a line must stand in a rewritten file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Even if the file did not have it.
    Always,
    /// Only where the file had it.
    IfPresent,
}

impl Needed {
    fn when(changed: bool) -> Self {
        if changed {
            Self::Always
        } else {
            Self::IfPresent
        }
    }
}

/// The addresses that `bind` takes at most.
const ADDRESSES_MAX: usize = 16;

fn between<T: PartialOrd + ToString>(number: T, min: T, max: T) -> Result<T, Reason> {
    if number < min || number > max {
        return Err(Reason::NotBetween(min.to_string(), max.to_string()));
    }
    Ok(number)
}

fn memory_limit(word: &[u8]) -> Result<MemoryLimit, Reason> {
    if let Some(bytes) = numbers::memory(word) {
        return Ok(MemoryLimit::Bytes(between(bytes, 0, i64::MAX as u64)?));
    }
    match numbers::percent(word) {
        Some(percent) if percent > 100 => Err(Reason::PercentageOver(100)),
        Some(percent) => Ok(MemoryLimit::Percent(percent)),
        None => Err(Reason::NotMemoryOrPercent),
    }
}

fn flags(choices: &'static [Choice], words: &[&[u8]]) -> Result<u16, Reason> {
    if words.is_empty() {
        return Err(Reason::NotOneOf(choices));
    }
    words.iter().try_fold(0, |bits, word| {
        let more = choices::bits_of(choices, word).ok_or(Reason::NotOneOf(choices))?;
        Ok(bits | more)
    })
}

/// The lines of a file add up, but the first one replaces the default; CONFIG SET replaces all.
fn save_points(
    before: &[SavePoint],
    words: &[&[u8]],
    occasion: Occasion,
) -> Result<Vec<SavePoint>, Reason> {
    if matches!(words, [word] if word.is_empty()) {
        return Ok(Vec::new());
    }
    let points = SavePoint::parse_all(words)?;
    Ok(match occasion {
        Occasion::FurtherLine => [before, &points].concat(),
        Occasion::FirstLine | Occasion::Set => points,
    })
}

/// A line for each class. The lines of a file are taken in turn whatever class they are of, so one that is needed
/// brings the others with it: else a second rewrite would give it another's place.
fn output_limit_lines(limits: &OutputLimits, needed: Needed) -> Vec<(Vec<u8>, Needed)> {
    let classes = limits.classes().into_iter();
    classes
        .map(|(class, limit)| (format!("{class} {}", limit.rewritten()).into(), needed))
        .collect()
}

/// One empty word stands for none.
fn unless_empty<'a, 'b>(words: &'b [&'a [u8]]) -> &'b [&'a [u8]] {
    match words {
        [[]] => &[],
        words => words,
    }
}
