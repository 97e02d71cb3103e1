//! Geohashes: cells of a grid that is halved in both directions with every step, numbered by interleaving the halves chosen.
//!
//! Longitude has the odd bits, counted from the lowest as bit 0, latitude the even ones, and the first halving the highest bits.
//! The grid covers what the Web Mercator projection shows, so that the poles have no cells.

use super::error::GeoError;
use crate::{Args, CommandError};
use resp::Writer;

/// A point on the globe, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// The degrees that a grid covers in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Where a grid lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) longitude: Extent,
    pub(super) latitude: Extent,
}

/// The grid of Redis' scores (EPSG:3857).
pub(super) const GRID: Grid = Grid {
    longitude: Extent {
        min: -180.0,
        max: 180.0,
    },
    latitude: Extent {
        min: -85.051_128_78,
        max: 85.051_128_78,
    },
};

/// The grid of geohashes as the rest of the world writes them.
const STANDARD: Grid = Grid {
    longitude: GRID.longitude,
    latitude: Extent {
        min: -90.0,
        max: 90.0,
    },
};

/// Halvings in each direction of the finest grid, whose cells are scores.
pub(super) const STEPS_MAX: u32 = 26;

/// The digits of a geohash.
const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// The bits of latitudes.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// A cell of the grid after some halvings in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) steps: u32,
}

/// The degrees between the edges of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) longitude: Extent,
    pub(super) latitude: Extent,
}

impl Point {
    /// The next two words: a longitude and a latitude that the grid covers.
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let point = Self {
            longitude: args.float()?,
            latitude: args.float()?,
        };
        let covered =
            GRID.longitude.covers(point.longitude) && GRID.latitude.covers(point.latitude);
        if covered {
            Ok(point)
        } else {
            Err(GeoError::InvalidPoint(point).into())
        }
    }

    /// The middle of the cell that a score stands for. Every score stands for one, if by chance, as in Redis.
    pub(super) fn of_score(score: f64) -> Self {
        let cell = Cell {
            bits: unsigned(score),
            steps: STEPS_MAX,
        };
        let area = cell.area();
        Self {
            longitude: GRID.longitude.clamp(area.longitude.middle()),
            latitude: GRID.latitude.clamp(area.latitude.middle()),
        }
    }

    /// The point as an array of two doubles.
    pub(super) fn write(self, out: &mut Writer<'_>) {
        out.array(2);
        out.human_double(self.longitude);
        out.human_double(self.latitude);
    }

    /// The score of a point.
    pub(super) fn score(self) -> f64 {
        Cell::of(self, STEPS_MAX).bits as f64
    }

    /// The point as a geohash of 11 digits, of which the last is not known and always `0`.
    pub(super) fn geohash(self) -> [u8; 11] {
        let bits = STANDARD.cell(self, STEPS_MAX).bits;
        std::array::from_fn(|nth| {
            let digit = match nth {
                10 => 0,
                _ => bits >> (47 - 5 * nth) & 31,
            };
            DIGITS[digit as usize]
        })
    }
}

impl Extent {
    fn covers(self, degrees: f64) -> bool {
        (self.min..=self.max).contains(&degrees)
    }

    pub(super) fn clamp(self, degrees: f64) -> f64 {
        degrees.clamp(self.min, self.max)
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }

    /// The number of the part that `degrees` is in, of as many as `steps` halvings make.
    fn part(self, degrees: f64, steps: u32) -> u32 {
        let offset = (degrees - self.min) / (self.max - self.min);
        (offset * parts(steps)) as u32
    }

    /// The edges of the part of this number.
    fn edges(self, part: u32, steps: u32) -> Self {
        let edge = |part: u32| self.min + f64::from(part) / parts(steps) * (self.max - self.min);
        Self {
            min: edge(part),
            max: edge(part.wrapping_add(1)),
        }
    }
}

impl Grid {
    fn cell(&self, point: Point, steps: u32) -> Cell {
        let latitude = self.latitude.part(point.latitude, steps);
        let longitude = self.longitude.part(point.longitude, steps);
        Cell {
            bits: spread(latitude) | spread(longitude) << 1,
            steps,
        }
    }
}

impl Cell {
    /// The cell of a point that the grid covers.
    pub(super) fn of(point: Point, steps: u32) -> Self {
        GRID.cell(point, steps)
    }

    /// The edges of the cell.
    pub(super) fn area(self) -> Area {
        let (latitude, longitude) = (gather(self.bits), gather(self.bits >> 1));
        Area {
            longitude: GRID.longitude.edges(longitude, self.steps),
            latitude: GRID.latitude.edges(latitude, self.steps),
        }
    }

    /// The cell that lies so many cells to the east and to the north; beyond the edge of the grid it goes on at the
    /// opposite one.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let moved = |bits: u64, by: i32| {
            let part = gather(bits);
            match by {
                // The northern edge of the grid counts as one part too many, and stays so.
                0 => spread(part),
                _ => spread(part.wrapping_add_signed(by) & ((1 << self.steps) - 1)),
            }
        };
        Self {
            bits: moved(self.bits, north) | moved(self.bits >> 1, east) << 1,
            steps: self.steps,
        }
    }

    /// The scores of the points in the cell: from the first, up to but without the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let score = |bits: u64| (bits << (2 * (STEPS_MAX - self.steps))) as f64;
        (score(self.bits), score(self.bits + 1))
    }
}

fn parts(steps: u32) -> f64 {
    (1_u64 << steps) as f64
}

/// A number's bits with a zero behind each.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The number whose bits are every other one of these, from the lowest on.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & EVEN;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

/// A score as 64 bits. Scores that ZADD gave may be anything; out of range they become what x86-64 makes of them in C.
fn unsigned(score: f64) -> u64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    if score < TOP {
        (score as i64).cast_unsigned()
    } else if score < 2.0 * TOP {
        score as u64
    } else {
        0
    }
}

/// A score as WITHHASH shows it.
pub(super) fn shown(score: f64) -> i64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    if score < TOP { score as i64 } else { i64::MIN }
}
