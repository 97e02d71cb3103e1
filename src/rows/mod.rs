//! The server's own rows of the command table.

use engine::EngineCommand;

/// Every row of this layer.
pub(crate) const ALL: &[&EngineCommand] = &[];
