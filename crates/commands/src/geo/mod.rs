//! Geo commands: places on the globe as members of a sorted set, whose scores are geohashes of 52 bits.

mod add;
mod area;
mod earth;
mod error;
mod geohash;
mod query;
mod read;
mod search;
mod shape;
mod unit;

pub use error::GeoError;

use crate::DataCommand;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &add::GEOADD,
    &read::GEODIST,
    &read::GEOHASH,
    &read::GEOPOS,
    &search::GEORADIUS,
    &search::GEORADIUS_RO,
    &search::GEORADIUSBYMEMBER,
    &search::GEORADIUSBYMEMBER_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];
