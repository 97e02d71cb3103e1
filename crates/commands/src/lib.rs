//! Command, context and effect types, and every data command.
