//! Numbers as Redis reads and writes them, to the byte.

mod double;
mod integer;
mod literal;
mod long_double;
mod natural;
mod text;

pub use double::{format_double, format_double_17, parse_double, parse_double_loosely};
pub use integer::{format_i64, parse_i64};
pub use long_double::{LongDouble, NotANumber};
pub use text::FixedText;
