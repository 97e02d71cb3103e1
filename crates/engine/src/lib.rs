//! The one place that executes commands.
