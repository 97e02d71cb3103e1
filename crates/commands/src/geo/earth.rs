//! Distances on a sphere that is as large as the Earth is on average.

use super::geohash::Point;
use resp::Writer;
use std::fmt::Write;

/// The radius of the sphere in metres, Redis' own.
pub(super) const RADIUS: f64 = 6_372_797.560_856;

/// Radians in a degree.
const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// Degrees made radians.
pub(super) fn radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

/// Radians made degrees.
pub(super) fn degrees(radians: f64) -> f64 {
    radians / DEGREE
}

/// Metres from one point to another along the surface (the haversine formula). Not a number for some opposite points.
pub(super) fn distance(from: Point, to: Point) -> f64 {
    let v = ((radians(to.longitude) - radians(from.longitude)) / 2.0).sin();
    if v == 0.0 {
        return along_meridian(from.latitude, to.latitude);
    }
    let (from, to) = (radians(from.latitude), radians(to.latitude));
    let u = ((to - from) / 2.0).sin();
    let a = u * u + from.cos() * to.cos() * v * v;
    2.0 * RADIUS * a.sqrt().asin()
}

/// Metres between two latitudes.
pub(super) fn along_meridian(from: f64, to: f64) -> f64 {
    RADIUS * (radians(to) - radians(from)).abs()
}

/// A distance as a reply: a bulk string with four digits behind the point. What is no number, or too large, is shown as
/// Redis shows it on x86-64.
pub(super) fn write_distance(out: &mut Writer<'_>, distance: f64) {
    let scaled = (distance * 10_000.0).round_ties_even();
    let scaled = if scaled.abs() < i64::MAX as f64 {
        scaled as i64
    } else {
        i64::MIN
    };
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, rest) = (
        scaled.unsigned_abs() / 10_000,
        scaled.unsigned_abs() % 10_000,
    );
    let mut text = String::with_capacity(24);
    // A string takes all text.
    let _written = write!(text, "{sign}{whole}.{rest:04}");
    out.bulk(text.as_bytes());
}
