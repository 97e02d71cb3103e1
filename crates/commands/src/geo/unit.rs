//! Units of length.

use super::error::GeoError;
use crate::{Args, CommandError};

/// A unit, as the metres that it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) metres: f64,
}

/// Metres.
pub(super) const METRES: Unit = Unit { metres: 1.0 };

impl Unit {
    /// The next word.
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let unit = args.one_of(&[
            ("m", METRES),
            ("km", Self { metres: 1000.0 }),
            ("ft", Self { metres: 0.3048 }),
            ("mi", Self { metres: 1609.34 }),
        ]);
        Ok(unit.ok_or(GeoError::NoSuchUnit)?)
    }
}
