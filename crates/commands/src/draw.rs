//! The count of SRANDMEMBER, HRANDFIELD and ZRANDMEMBER: how many elements are drawn, and whether one may come twice.

use crate::CommandError;

/// What a command draws from a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Up to this many different elements.
    Distinct(usize),
    /// Exactly this many elements, each drawn from all: some may come again. A negative count asks for it.
    Repeated(usize),
}

impl Draw {
    /// What a count asks for; see [`crate::Args::signed_count`].
    #[must_use]
    pub fn of(count: i64) -> Self {
        let magnitude = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count < 0 {
            Self::Repeated(magnitude)
        } else {
            Self::Distinct(magnitude)
        }
    }

    /// The same draw, of elements of which each is shown as two values: twice the count must be a count as well.
    pub fn in_pairs(self) -> Result<Self, CommandError> {
        const MOST: usize = i64::MAX as usize / 2;
        match self {
            Self::Distinct(count) | Self::Repeated(count) if count > MOST => {
                Err(CommandError::OutOfRange)
            }
            draw => Ok(draw),
        }
    }

    /// How many elements come of a collection of `len`, which is not empty.
    #[must_use]
    pub fn length(self, len: usize) -> usize {
        match self {
            Self::Distinct(count) => count.min(len),
            Self::Repeated(count) => count,
        }
    }
}

/// `count` in portions of which each needs little memory.
pub fn portions(count: usize) -> impl Iterator<Item = usize> {
    /// As many draws are sorted at a time (`HRANDFIELD_RANDOM_SAMPLE_LIMIT`).
    const PORTION: usize = 1000;
    let rest = count % PORTION;
    std::iter::repeat_n(PORTION, count / PORTION).chain((rest > 0).then_some(rest))
}
