//! The errors of the HyperLogLog commands.

use crate::error::printable;
use std::borrow::Cow;

/// An error reply of a HyperLogLog command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text of each variant stands in `text`")]
pub enum HyperLogLogError {
    /// A string that is no HyperLogLog.
    NotValid,
    /// Sparse registers that do not add up.
    Corrupted,
    NoSuchKey,
    NotSparse,
    /// PFDEBUG has no such subcommand.
    UnknownDebug(Box<[u8]>),
    RegisterTest {
        register: usize,
        expected: u8,
        found: u8,
    },
    SparseTest,
    AgreementTest,
    ErrorTest {
        cardinality: u64,
        error: u64,
    },
}

impl HyperLogLogError {
    /// The reply's text, error code included.
    pub(crate) fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotValid => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Self::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
            Self::NoSuchKey => "ERR The specified key does not exist",
            Self::NotSparse => "ERR HLL encoding is not sparse",
            Self::UnknownDebug(given) => {
                let given = printable(given, given.len());
                return format!("ERR Unknown PFDEBUG subcommand '{given}'").into();
            }
            Self::RegisterTest {
                register,
                expected,
                found,
            } => {
                return format!(
                    "ERR TESTFAILED Register {register} should be {expected} but is {found}"
                )
                .into();
            }
            Self::SparseTest => "ERR TESTFAILED sparse encoding not used",
            Self::AgreementTest => "ERR TESTFAILED dense/sparse disagree",
            Self::ErrorTest { cardinality, error } => {
                return format!("ERR TESTFAILED Too big error. card:{cardinality} abserr:{error}")
                    .into();
            }
        })
    }
}
