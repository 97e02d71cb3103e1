//! Ranges of a sorted set: by score and by the bytes of the members.

use std::cmp::Ordering;

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreBound {
    /// The score itself belongs to the range.
    Inclusive(f64),
    /// The score itself does not: `(1.5`.
    Exclusive(f64),
}

/// Scores between two bounds, as ZRANGEBYSCORE takes them. The infinities are scores like others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

impl ScoreBound {
    fn parts(self) -> (f64, bool) {
        match self {
            Self::Inclusive(score) => (score, false),
            Self::Exclusive(score) => (score, true),
        }
    }
}

impl ScoreRange {
    /// All scores.
    pub const ALL: Self = Self {
        min: ScoreBound::Inclusive(f64::NEG_INFINITY),
        max: ScoreBound::Inclusive(f64::INFINITY),
    };

    /// Whether no score can be in the range.
    pub fn is_empty(&self) -> bool {
        let ((min, min_exclusive), (max, max_exclusive)) = (self.min.parts(), self.max.parts());
        min > max || (min == max && (min_exclusive || max_exclusive))
    }

    /// Whether `score` is in the range.
    pub fn contains(&self, score: f64) -> bool {
        !self.is_above(score) && !self.is_below(score)
    }

    /// Whether the whole range is above `score`.
    #[inline]
    pub(super) fn is_above(&self, score: f64) -> bool {
        match self.min {
            ScoreBound::Inclusive(min) => score < min,
            ScoreBound::Exclusive(min) => score <= min,
        }
    }

    /// Whether the whole range is below `score`.
    #[inline]
    pub(super) fn is_below(&self, score: f64) -> bool {
        match self.max {
            ScoreBound::Inclusive(max) => score > max,
            ScoreBound::Exclusive(max) => score >= max,
        }
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members: `-`.
    Lowest,
    /// The member itself belongs to the range: `[member`.
    Inclusive(&'a [u8]),
    /// The member itself does not: `(member`.
    Exclusive(&'a [u8]),
    /// After all members: `+`.
    Highest,
}

/// Members between two bounds in the order of their bytes, as ZRANGEBYLEX takes them; it has a meaning when all scores are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

impl<'a> LexBound<'a> {
    /// The bound that an argument names; `None` when it is neither `-` nor `+` nor begins with `[` or `(`.
    pub fn parse(argument: &'a [u8]) -> Option<Self> {
        match argument {
            b"-" => Some(Self::Lowest),
            b"+" => Some(Self::Highest),
            [b'[', member @ ..] => Some(Self::Inclusive(member)),
            [b'(', member @ ..] => Some(Self::Exclusive(member)),
            _ => None,
        }
    }

    fn order(self, other: Self) -> Ordering {
        let rank = |bound| match bound {
            Self::Lowest => (0, &[][..]),
            Self::Inclusive(member) | Self::Exclusive(member) => (1, member),
            Self::Highest => (2, &[][..]),
        };
        rank(self).cmp(&rank(other))
    }
}

impl LexRange<'_> {
    /// Whether no member can be in the range.
    pub fn is_empty(&self) -> bool {
        let inclusive = |bound| matches!(bound, LexBound::Inclusive(_));
        match self.min.order(self.max) {
            Ordering::Less => false,
            Ordering::Equal => !(inclusive(self.min) && inclusive(self.max)),
            Ordering::Greater => true,
        }
    }

    /// Whether `member` is in the range.
    pub fn contains(&self, member: &[u8]) -> bool {
        !self.is_above(member) && !self.is_below(member)
    }

    /// Whether the whole range is above `member`.
    pub(super) fn is_above(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => false,
            LexBound::Inclusive(min) => member < min,
            LexBound::Exclusive(min) => member <= min,
            LexBound::Highest => true,
        }
    }

    /// Whether the whole range is below `member`.
    pub(super) fn is_below(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => true,
            LexBound::Inclusive(max) => member > max,
            LexBound::Exclusive(max) => member >= max,
            LexBound::Highest => false,
        }
    }
}
