//! The redis.conf grammar and the typed table of directives.
//!
//! [`args`] reads the command line, [`Config::load_all`] all that it names, [`Config::read`] gives a value by its key
//! in [`directive`], and [`Config::get`], [`Config::prepare`] and [`Config::rewrite`] are CONFIG GET, SET and REWRITE.
//! Nothing here knows the server, a socket or the clock; files are read in [`source`] alone.

pub mod args;
pub mod choices;
pub mod composite;
mod config;
pub mod directive;
mod glob;
pub mod grammar;
mod load;
mod numbers;
mod reason;
mod rewrite;
mod rules;
mod set;
pub mod source;
mod table;
pub mod title;
pub mod typed;
mod value;

pub use config::{Config, Defaults};
pub use load::{ConfigError, Declaration, Declarations, Origin, Place, Warning};
pub use numbers::memory as parse_memory;
pub use reason::Reason;
pub use rewrite::{Extent, Users};
pub use set::{Change, Changed, Circumstances, SetError};
pub use table::{THEMES, Theme};
pub use value::Value;

/// The version of Redis that this server is compatible with and that its configuration errors name.
pub const REDIS_VERSION: &str = "7.2.6";
