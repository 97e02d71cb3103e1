//! Why a value or a line is refused, in the words of Redis 7.2.

use std::fmt;

use crate::choices::Choice;

/// Why a value or a line of a configuration is refused. Its `Display` is what Redis prints or replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The quotes of the line do not balance.
    Unbalanced,
    /// No directive has this name, or it takes another number of words.
    BadDirective,
    /// The directive is known but takes another number of words.
    WrongNumberOfArguments,
    /// Not `yes` or `no`.
    NotBoolean,
    /// Not a whole number.
    NotInteger,
    /// Not an octal number.
    NotOctal,
    /// Not an amount of memory.
    NotMemory,
    /// Neither an amount of memory nor a percentage.
    NotMemoryOrPercent,
    /// Outside of the bounds, which stand as they are shown.
    NotBetween(String, String),
    /// A percentage over this one.
    PercentageOver(u64),
    /// None of the words that the directive knows.
    NotOneOf(&'static [Choice]),
    /// The directive is fixed at the start.
    Immutable,
    /// The directive is protected by `enable-protected-configs`.
    Protected,
    /// The directive occurs twice in one CONFIG SET.
    Duplicate,
    /// A rule of one directive, in its own words.
    Rule(&'static str),
    /// What the caller or the system found, in its own words.
    Found(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbalanced => "Unbalanced quotes in configuration line",
            Self::BadDirective => "Bad directive or wrong number of arguments",
            Self::WrongNumberOfArguments => "wrong number of arguments",
            Self::NotBoolean => "argument must be 'yes' or 'no'",
            Self::NotInteger => "argument couldn't be parsed into an integer",
            Self::NotOctal => "argument couldn't be parsed as an octal number",
            Self::NotMemory => "argument must be a memory value",
            Self::NotMemoryOrPercent => "argument must be a memory or percent value",
            Self::Immutable => "can't set immutable config",
            Self::Protected => "can't set protected config",
            Self::Duplicate => "duplicate parameter",
            Self::Rule(words) => words,
            Self::Found(words) => words,
            Self::NotBetween(min, max) => {
                return write!(f, "argument must be between {min} and {max} inclusive");
            }
            Self::PercentageOver(max) => {
                return write!(f, "percentage argument must be less or equal to {max}");
            }
            Self::NotOneOf(choices) => {
                let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
                return write!(
                    f,
                    "argument(s) must be one of the following: {}",
                    names.join(", ")
                );
            }
        })
    }
}
