//! Parts of the order of a sorted set, as commands name them: by ranks, by scores, by members.

use crate::CommandError;
use crate::span::span;
use resp::number::{parse_double_loosely, parse_i64};
use std::ops::Range;
use store::ZSet;
use store::list::End;
use store::zset::{LexBound, LexRange, ScoreBound, ScoreRange};

/// What the two ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Member,
}

/// A range of a sorted set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bounds<'a> {
    /// Ranks from `start` to `stop`, negative ones counted from the last.
    Ranks { start: i64, stop: i64 },
    /// Scores.
    Scores(ScoreRange),
    /// Members in the order of their bytes.
    Members(LexRange<'a>),
}

impl<'a> Bounds<'a> {
    /// The range between two words, the lower end first.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, CommandError> {
        match by {
            By::Rank => {
                let rank = |word| parse_i64(word).ok_or(CommandError::NotInteger);
                Ok(Self::Ranks {
                    start: rank(min)?,
                    stop: rank(max)?,
                })
            }
            By::Score => {
                let (min, max) = (score_bound(min)?, score_bound(max)?);
                Ok(Self::Scores(ScoreRange { min, max }))
            }
            By::Member => {
                let bound = |word| LexBound::parse(word).ok_or(CommandError::MemberRange);
                let (min, max) = (bound(min)?, bound(max)?);
                Ok(Self::Members(LexRange { min, max }))
            }
        }
    }

    /// The ranks, counted from the lowest, of the members in the range. Ranks as bounds count from `from`.
    pub(super) fn ranks(&self, zset: &ZSet, from: End) -> Range<usize> {
        match self {
            Self::Ranks { start, stop } => {
                let len = zset.len();
                let ranks = span(*start, *stop, len);
                match from {
                    End::Head => ranks,
                    End::Tail => len - ranks.end..len - ranks.start,
                }
            }
            Self::Scores(range) => zset.score_ranks(range),
            Self::Members(range) => zset.lex_ranks(range),
        }
    }
}

/// One end of a range of scores: a number, exclusive behind a `(`.
fn score_bound(word: &[u8]) -> Result<ScoreBound, CommandError> {
    let bound = match word {
        [b'(', score @ ..] => parse_double_loosely(score).map(ScoreBound::Exclusive),
        score => parse_double_loosely(score).map(ScoreBound::Inclusive),
    };
    bound.ok_or(CommandError::ScoreRange)
}
