//! String commands: arguments and replies. How strings are kept is `store::string`.

mod edit;
mod get;
mod lcs;
pub(crate) mod lifetime;
mod many;
mod number;
mod set;

use crate::DataCommand;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &edit::APPEND,
    &number::DECR,
    &number::DECRBY,
    &set::DELIFEQ,
    &get::GET,
    &get::GETDEL,
    &get::GETEX,
    &get::GETRANGE,
    &set::GETSET,
    &number::INCR,
    &number::INCRBY,
    &number::INCRBYFLOAT,
    &lcs::LCS,
    &many::MGET,
    &many::MSET,
    &many::MSETEX,
    &many::MSETNX,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
    &edit::SETRANGE,
    &get::STRLEN,
    &get::SUBSTR,
];
