//! Commands on keys of any type.

mod effects;
mod expiry;
mod name;
mod object;
mod presence;
mod sort;
