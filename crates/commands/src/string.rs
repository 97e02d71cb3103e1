//! Strings.
use crate::DataCommand;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[];
