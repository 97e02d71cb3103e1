//! List commands: arguments and replies. The structure itself is [`store::List`].

mod blocking;
mod edit;
mod pop;
mod push;
mod read;

use crate::{Args, CommandError, DataCommand};
use store::list::End;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &blocking::BLMOVE,
    &blocking::BLMPOP,
    &blocking::BLPOP,
    &blocking::BRPOP,
    &blocking::BRPOPLPUSH,
    &read::LINDEX,
    &edit::LINSERT,
    &read::LLEN,
    &pop::LMOVE,
    &pop::LMPOP,
    &pop::LPOP,
    &read::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &read::LRANGE,
    &edit::LREM,
    &edit::LSET,
    &edit::LTRIM,
    &pop::RPOP,
    &pop::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
];

/// The word LEFT or RIGHT.
fn end(args: &mut Args<'_>) -> Result<End, CommandError> {
    args.one_of(&[("left", End::Head), ("right", End::Tail)])
        .ok_or(CommandError::Syntax)
}

/// The event of elements added at `end`.
fn pushed(end: End) -> &'static str {
    match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    }
}

/// The event of elements taken from `end`.
fn popped(end: End) -> &'static str {
    match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    }
}
