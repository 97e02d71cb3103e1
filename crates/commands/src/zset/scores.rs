//! How replies show members with and without their scores.

use crate::WriteItem;
use resp::{Proto, Writer};
use store::Item;

/// How a reply shows the members of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    /// Members alone.
    Hidden,
    /// Member, score, member, score ..
    Flat,
    /// An array of pairs.
    Paired,
}

impl Scores {
    /// What WITHSCORES asks for: pairs in RESP3, where RESP2 has a flat array.
    pub(super) fn with_scores(proto: Proto) -> Self {
        match proto {
            Proto::Resp2 => Self::Flat,
            Proto::Resp3 => Self::Paired,
        }
    }

    /// Opens the array of `count` members.
    pub(super) fn open(self, out: &mut Writer<'_>, count: usize) {
        out.array(match self {
            Self::Hidden | Self::Paired => count,
            Self::Flat => count.saturating_mul(2),
        });
    }

    /// Writes one member of the array.
    #[inline]
    pub(super) fn member(self, out: &mut Writer<'_>, member: Item<'_>, score: f64) {
        if self == Self::Paired {
            out.array(2);
        }
        out.item(member);
        if self != Self::Hidden {
            out.double(score);
        }
    }
}
