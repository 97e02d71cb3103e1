//! The errors of stream commands, and their exact text.

use crate::error::printable;
use std::borrow::Cow;

/// What stream commands answer with beside the errors of all commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text of each variant stands in `text`")]
pub enum StreamError {
    InvalidId,
    InvalidStart,
    InvalidEnd,
    TwoStrategies,
    NoStrategy,
    MaxlenNegative,
    LimitNegative,
    LimitWithoutStrategy,
    LimitOfExactTrim,
    IdIsZero,
    IdNotAboveTop,
    IdsExhausted,
    ElementsTooLarge,
    GroupOfXread,
    NoackOfXread,
    NewOfXread,
    EndOfXreadgroup,
    MissingGroup,
    /// The streams and ids of this command do not pair; its ids may be this symbol too.
    Unbalanced {
        command: &'static str,
        symbol: char,
    },
    EntriesReadNegative,
    KeyRequired,
    GroupExists,
    /// No such key, or no such group in it.
    NoGroup {
        key: Box<[u8]>,
        group: Box<[u8]>,
    },
    /// As `NoGroup`, in XREADGROUP.
    NoGroupToRead {
        key: Box<[u8]>,
        group: Box<[u8]>,
    },
    /// The key is there, the group is not.
    NoGroupInKey {
        key: Box<[u8]>,
        group: Box<[u8]>,
    },
    EntriesAddedNegative,
    EntriesAddedBelowLength,
    SetBelowGivenDeleted,
    SetBelowDeleted,
    SetBelowTop,
    /// "Invalid min-idle-time argument" of the command of this name.
    MinIdleTime(&'static str),
    /// An option of XCLAIM that is no integer.
    ClaimOption(&'static str),
    ClaimOptionUnknown(Box<[u8]>),
    ClaimCount,
}

impl StreamError {
    /// No such key or group.
    pub(super) fn no_group(key: &[u8], group: &[u8]) -> Self {
        Self::NoGroup {
            key: key.into(),
            group: group.into(),
        }
    }

    /// The key is there, the group is not.
    pub(super) fn no_group_in_key(key: &[u8], group: &[u8]) -> Self {
        Self::NoGroupInKey {
            key: key.into(),
            group: group.into(),
        }
    }

    /// The reply's text, error code included.
    #[must_use]
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidId => "ERR Invalid stream ID specified as stream command argument",
            Self::InvalidStart => "ERR invalid start ID for the interval",
            Self::InvalidEnd => "ERR invalid end ID for the interval",
            Self::TwoStrategies => {
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
            }
            Self::NoStrategy => "ERR syntax error, XTRIM must be called with a trimming strategy",
            Self::MaxlenNegative => "ERR The MAXLEN argument must be >= 0.",
            Self::LimitNegative => "ERR The LIMIT argument must be >= 0.",
            Self::LimitWithoutStrategy => {
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
            }
            Self::LimitOfExactTrim => {
                "ERR syntax error, LIMIT cannot be used without the special ~ option"
            }
            Self::IdIsZero => "ERR The ID specified in XADD must be greater than 0-0",
            Self::IdNotAboveTop => {
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            }
            Self::IdsExhausted => {
                "ERR The stream has exhausted the last possible ID, unable to add more items"
            }
            Self::ElementsTooLarge => "ERR Elements are too large to be stored",
            Self::GroupOfXread => {
                "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
            }
            Self::NoackOfXread => {
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
            }
            Self::NewOfXread => {
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            }
            Self::EndOfXreadgroup => {
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
            }
            Self::MissingGroup => "ERR Missing GROUP option for XREADGROUP",
            Self::EntriesReadNegative => "ERR value for ENTRIESREAD must be positive or -1",
            Self::KeyRequired => {
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
            }
            Self::GroupExists => "BUSYGROUP Consumer Group name already exists",
            Self::EntriesAddedNegative => "ERR entries_added must be positive",
            Self::EntriesAddedBelowLength => {
                "ERR The entries_added specified in XSETID is smaller than the target stream length"
            }
            Self::SetBelowGivenDeleted => {
                "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
            }
            Self::SetBelowDeleted => {
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
            }
            Self::SetBelowTop => {
                "ERR The ID specified in XSETID is smaller than the target stream top item"
            }
            Self::ClaimCount => "ERR COUNT must be > 0",
            _ => return self.text_with_words().into(),
        })
    }

    fn text_with_words(&self) -> String {
        let shown = |word: &[u8]| printable(word, usize::MAX);
        match self {
            Self::Unbalanced { command, symbol } => format!(
                "ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{symbol}' must be specified."
            ),
            Self::NoGroup { key, group } => format!(
                "NOGROUP No such key '{}' or consumer group '{}'",
                shown(key),
                shown(group)
            ),
            Self::NoGroupToRead { key, group } => format!(
                "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                shown(key),
                shown(group)
            ),
            Self::NoGroupInKey { key, group } => format!(
                "NOGROUP No such consumer group '{}' for key name '{}'",
                shown(group),
                shown(key)
            ),
            Self::MinIdleTime(command) => {
                format!("ERR Invalid min-idle-time argument for {command}")
            }
            Self::ClaimOption(option) => {
                format!("ERR Invalid {option} option argument for XCLAIM")
            }
            Self::ClaimOptionUnknown(option) => {
                format!("ERR Unrecognized XCLAIM option '{}'", shown(option))
            }
            _ => String::new(),
        }
    }
}
