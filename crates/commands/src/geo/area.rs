//! The cells that have to be searched for a shape: the one of its centre and the eight around it, of a size such that they
//! cover the shape.

use super::geohash::{Cell, GRID, Point, STEPS_MAX};
use super::shape::Shape;
use smallvec::SmallVec;

/// Half the length of the equator on a Web Mercator map, in metres, as Redis has it.
const HALF_EQUATOR: f64 = 20_037_726.37;

/// The cells around the middle one, by how far they are to the east and to the north, in the order in which Redis looks.
const AROUND: [(i32, i32); 8] = [
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// The cells to be searched, in order, none of them twice.
pub(super) fn cells(shape: &Shape) -> SmallVec<[Cell; 9]> {
    // The middle of a polygon may lie at a pole, where no cells are.
    let centre = Point {
        longitude: GRID.longitude.clamp(shape.centre.longitude),
        latitude: GRID.latitude.clamp(shape.centre.latitude),
    };
    let bounds = shape.bounds();
    let mut steps = steps(shape.reach(), centre.latitude);
    let mut middle = Cell::of(centre, steps);
    let falls_short = {
        let (north, south) = (middle.neighbour(0, 1), middle.neighbour(0, -1));
        let (east, west) = (middle.neighbour(1, 0), middle.neighbour(-1, 0));
        north.area().latitude.max < bounds.latitude.max
            || south.area().latitude.min > bounds.latitude.min
            || east.area().longitude.max < bounds.longitude.max
            || west.area().longitude.min > bounds.longitude.min
    };
    if steps > 1 && falls_short {
        steps -= 1;
        middle = Cell::of(centre, steps);
    }
    let area = middle.area();
    let is_useless = |(east, north): (i32, i32)| {
        steps >= 2
            && ((north < 0 && area.latitude.min < bounds.latitude.min)
                || (north > 0 && area.latitude.max > bounds.latitude.max)
                || (east < 0 && area.longitude.min < bounds.longitude.min)
                || (east > 0 && area.longitude.max > bounds.longitude.max))
    };
    let mut cells = SmallVec::from_iter([middle]);
    let mut last = None;
    for (east, north) in AROUND {
        let cell = middle.neighbour(east, north);
        // Of the largest cells there are four, so that neighbours in opposite directions are the same.
        if !is_useless((east, north)) && last != Some(cell) {
            cells.push(cell);
            last = Some(cell);
        }
    }
    cells
}

/// Halvings of the grid that make cells about as large as the distance that is searched.
fn steps(mut metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = -1_i32;
    while metres < HALF_EQUATOR {
        metres *= 2.0;
        steps += 1;
    }
    // Cells are narrower near the poles.
    let narrow = [66.0, 80.0]
        .into_iter()
        .filter(|limit| latitude.abs() > *limit)
        .count();
    steps -= narrow as i32;
    steps.clamp(1, STEPS_MAX as i32).cast_unsigned()
}
