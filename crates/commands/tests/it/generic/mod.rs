//! Commands on keys of any type.

mod expiry;
mod name;
mod object;
mod presence;
mod sort;
