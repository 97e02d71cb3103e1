//! What is searched: a circle, a box or a polygon.

use super::earth::{RADIUS, along_meridian, degrees, distance, radians};
use super::geohash::{Area, Extent, Point};
use super::unit::Unit;

/// A shape around a centre.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) centre: Point,
    pub(super) outline: Outline,
}

/// The form of a shape; lengths are in metres.
#[derive(Clone, Debug)]
pub(super) enum Outline {
    /// What is not farther from the centre than this.
    Circle { radius: f64 },
    /// What is not farther from the centre than half of these along its meridian and along its own parallel.
    Box { width: f64, height: f64 },
    /// What is inside of these corners, straight lines on a map between them (Valkey 9). The centre follows from them.
    Polygon(Vec<Point>),
}

impl Outline {
    /// A circle of a radius in some unit.
    pub(super) fn circle(radius: f64, unit: Unit) -> Self {
        Self::Circle {
            radius: radius * unit.metres,
        }
    }
}

impl Shape {
    /// Metres from the centre to a point in the shape; `None` when the point is outside.
    pub(super) fn distance_within(&self, point: Point) -> Option<f64> {
        match &self.outline {
            Outline::Circle { radius } => {
                let distance = distance(self.centre, point);
                // What is not a number is within, as in Redis.
                let is_outside = distance > *radius;
                (!is_outside).then_some(distance)
            }
            Outline::Box { width, height } => {
                let is_outside = along_meridian(point.latitude, self.centre.latitude)
                    > height / 2.0
                    || distance(
                        point,
                        Point {
                            longitude: self.centre.longitude,
                            latitude: point.latitude,
                        },
                    ) > width / 2.0;
                (!is_outside).then(|| distance(self.centre, point))
            }
            Outline::Polygon(corners) => {
                is_inside(corners, point).then(|| distance(self.centre, point))
            }
        }
    }

    /// The degrees between which the shape lies.
    pub(super) fn bounds(&self) -> Area {
        match &self.outline {
            Outline::Circle { radius } => self.bounds_of(*radius, *radius),
            Outline::Box { width, height } => self.bounds_of(width / 2.0, height / 2.0),
            Outline::Polygon(corners) => Area {
                longitude: extent(corners.iter().map(|corner| corner.longitude)),
                latitude: extent(corners.iter().map(|corner| corner.latitude)),
            },
        }
    }

    /// Degrees around the centre. A parallel is the shorter the nearer it is to a pole, and a shape the wider in degrees.
    fn bounds_of(&self, half_width: f64, half_height: f64) -> Area {
        let Point {
            longitude,
            latitude,
        } = self.centre;
        let north = degrees(half_height / RADIUS);
        let widest = if latitude < 0.0 {
            latitude - north
        } else {
            latitude + north
        };
        let east = degrees(half_width / RADIUS / radians(widest).cos());
        Area {
            longitude: around(longitude, east),
            latitude: around(latitude, north),
        }
    }

    /// Metres from the centre to the farthest point of the shape, or a little beyond.
    pub(super) fn reach(&self) -> f64 {
        match &self.outline {
            Outline::Circle { radius } => *radius,
            Outline::Box { width, height } => {
                (width / 2.0 * (width / 2.0) + height / 2.0 * (height / 2.0)).sqrt()
            }
            Outline::Polygon(_) => {
                let Area {
                    longitude,
                    latitude,
                } = self.bounds();
                [longitude.min, longitude.max]
                    .into_iter()
                    .flat_map(|longitude| {
                        [latitude.min, latitude.max].map(|latitude| Point {
                            longitude,
                            latitude,
                        })
                    })
                    .map(|corner| distance(self.centre, corner))
                    .fold(0.0, f64::max)
            }
        }
    }
}

fn around(middle: f64, half: f64) -> Extent {
    Extent {
        min: middle - half,
        max: middle + half,
    }
}

fn extent(degrees: impl Iterator<Item = f64> + Clone) -> Extent {
    Extent {
        min: degrees.clone().fold(f64::INFINITY, f64::min),
        max: degrees.fold(f64::NEG_INFINITY, f64::max),
    }
}

/// The point in the middle of corners: that under the middle of their places in space.
pub(super) fn middle(corners: &[Point]) -> Point {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for corner in corners {
        let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    Point {
        longitude: degrees(f64::atan2(y, x)),
        latitude: degrees(f64::atan2(z, (x * x + y * y).sqrt())),
    }
}

/// Whether a point is inside a polygon: a line from it to the east crosses an odd number of sides.
fn is_inside(corners: &[Point], point: Point) -> bool {
    let previous = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    let crossed = corners.iter().zip(previous).filter(|(a, b)| {
        let is_between = (a.latitude > point.latitude) != (b.latitude > point.latitude);
        let slope =
            (b.longitude - a.longitude) * (point.latitude - a.latitude) / (b.latitude - a.latitude);
        is_between && point.longitude < slope + a.longitude
    });
    crossed.count() % 2 == 1
}
