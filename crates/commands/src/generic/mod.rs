//! Commands on keys of any type: presence, names, time to live, sorting, introspection.

pub(crate) mod expiry;
mod name;
mod object;
mod presence;
mod sort;

use crate::DataCommand;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &name::COPY,
    &presence::DEL,
    &presence::EXISTS,
    &expiry::EXPIRE,
    &expiry::EXPIREAT,
    &expiry::EXPIRETIME,
    &name::MOVE,
    &object::OBJECT,
    &expiry::PERSIST,
    &expiry::PEXPIRE,
    &expiry::PEXPIREAT,
    &expiry::PEXPIRETIME,
    &expiry::PTTL,
    &name::RENAME,
    &name::RENAMENX,
    &sort::SORT,
    &sort::SORT_RO,
    &presence::TOUCH,
    &expiry::TTL,
    &presence::TYPE,
    &presence::UNLINK,
];
