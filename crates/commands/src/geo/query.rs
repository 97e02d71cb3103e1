//! The words of the search commands.

use super::error::GeoError;
use super::geohash::Point;
use super::shape::{Outline, Shape, middle};
use super::unit::{METRES, Unit};
use crate::{Args, CommandError};
use bitflags::bitflags;
use resp::number::parse_double;
use store::ZSet;

bitflags! {
    /// What a reply says of each member beside its name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Details: u8 {
        const DISTANCE = 1;
        const HASH = 1 << 1;
        const POINT = 1 << 2;
    }
}

/// The order of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    NearestFirst,
    FarthestFirst,
}

/// What the scores of stored members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    Geohashes,
    Distances,
}

/// Whether a command may store its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storing {
    Allowed,
    Refused,
}

/// Where the centre of GEORADIUS and its kin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CentreBy {
    Point,
    Member,
}

/// What a call asks for. Without a source key the shape is not the one meant, and nothing is found anyway.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) shape: Shape,
    /// The unit of distances shown and stored.
    pub(super) unit: Unit,
    pub(super) options: Options,
    /// Where results are stored, and with which scores.
    pub(super) target: Option<(&'a [u8], Scores)>,
}

/// What all search commands may be told.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) details: Details,
    pub(super) order: Option<Order>,
    /// How many results are returned at most.
    pub(super) count: Option<usize>,
    /// The first results found will do, however far they are.
    pub(super) any: bool,
}

impl<'a> Query<'a> {
    /// The words of GEORADIUS and its kin, behind the key.
    pub(super) fn radius(
        mut args: Args<'a>,
        zset: Option<&ZSet>,
        by: CentreBy,
        storing: Storing,
    ) -> Result<Self, CommandError> {
        let (centre, outline, unit) = match (by, zset) {
            (CentreBy::Member, None) => {
                // Nobody looks at the words that say where and how far, but at those behind them.
                args.take(3)?;
                (NOWHERE, Outline::circle(0.0, METRES), METRES)
            }
            _ => {
                let centre = match by {
                    CentreBy::Point => Point::parse(&mut args)?,
                    CentreBy::Member => place_of(zset, args.bytes()?)?,
                };
                let (outline, unit) = circle(&mut args)?;
                (centre, outline, unit)
            }
        };
        let mut options = Options::default();
        let mut target = None;
        while !args.is_empty() {
            if options.parse_one(&mut args)? {
                continue;
            }
            let scores = args
                .one_of(&[
                    ("store", Scores::Geohashes),
                    ("storedist", Scores::Distances),
                ])
                .filter(|_| storing == Storing::Allowed)
                .ok_or(CommandError::Syntax)?;
            target = Some((args.key()?, scores));
        }
        if target.is_some() && !options.details.is_empty() {
            return Err(GeoError::StoreWithDetails.into());
        }
        options.finish()?;
        Ok(Self {
            shape: Shape { centre, outline },
            unit,
            options,
            target,
        })
    }

    /// The words of GEOSEARCH, or of GEOSEARCHSTORE with its `target`, behind the keys.
    pub(super) fn search(
        mut args: Args<'a>,
        zset: Option<&ZSet>,
        target: Option<&'a [u8]>,
    ) -> Result<Self, CommandError> {
        let command = args.name();
        let mut options = Options::default();
        let mut shape = ShapeWords::default();
        let mut scores = Scores::Geohashes;
        while !args.is_empty() {
            if options.parse_one(&mut args)? {
            } else if target.is_some() && args.flag("storedist") {
                scores = Scores::Distances;
            } else {
                shape.parse_one(&mut args, zset)?;
            }
        }
        if target.is_some() && !options.details.is_empty() {
            return Err(GeoError::SearchStoreWithDetails.into());
        }
        let centre = shape
            .centre
            .ok_or_else(|| GeoError::NoCentre(command.into()))?;
        let (outline, unit) = shape
            .outline
            .ok_or_else(|| GeoError::NoShape(command.into()))?;
        options.finish()?;
        Ok(Self {
            shape: Shape { centre, outline },
            unit,
            options,
            target: target.map(|key| (key, scores)),
        })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            details: Details::empty(),
            order: None,
            count: None,
            any: false,
        }
    }
}

impl Options {
    /// Reads the next option if it is one of these.
    fn parse_one(&mut self, args: &mut Args<'_>) -> Result<bool, CommandError> {
        let details = [
            ("withdist", Details::DISTANCE),
            ("withhash", Details::HASH),
            ("withcoord", Details::POINT),
        ];
        let orders = [("asc", Order::NearestFirst), ("desc", Order::FarthestFirst)];
        if let Some(detail) = args.one_of(&details) {
            self.details |= detail;
        } else if let Some(order) = args.one_of(&orders) {
            self.order = Some(order);
        } else if args.flag("any") {
            self.any = true;
        } else if args.flag("count") {
            let count = args.int()?;
            let count = usize::try_from(count).ok().filter(|count| *count > 0);
            self.count = Some(count.ok_or(GeoError::CountNotPositive)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// A count without an order is of the nearest.
    fn finish(&mut self) -> Result<(), GeoError> {
        if self.any && self.count.is_none() {
            return Err(GeoError::AnyWithoutCount);
        }
        if self.count.is_some() && !self.any && self.order.is_none() {
            self.order = Some(Order::NearestFirst);
        }
        Ok(())
    }
}

/// What GEOSEARCH has been told of the shape so far.
#[derive(Debug, Default)]
struct ShapeWords {
    centre: Option<Point>,
    centre_word: Option<CentreBy>,
    outline: Option<(Outline, Unit)>,
    outline_word: Option<OutlineWord>,
}

/// The words that begin an outline. One may come again, but not another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutlineWord {
    Radius,
    Box,
    Polygon,
}

impl ShapeWords {
    /// Reads the next option, which must be one of the shape's.
    fn parse_one(&mut self, args: &mut Args<'_>, zset: Option<&ZSet>) -> Result<(), CommandError> {
        if let Some(word) = args.one_of(&[
            ("frommember", CentreBy::Member),
            ("fromlonlat", CentreBy::Point),
        ]) {
            let is_second = self.centre_word.is_some_and(|other| other != word);
            if is_second || self.outline_word == Some(OutlineWord::Polygon) {
                return Err(CommandError::Syntax);
            }
            self.centre = Some(match word {
                CentreBy::Member => place_of(zset, args.bytes()?)?,
                CentreBy::Point => Point::parse(&mut ahead(args, 2)?)?,
            });
            self.centre_word = Some(word);
            return Ok(());
        }
        let word = args
            .one_of(&[
                ("byradius", OutlineWord::Radius),
                ("bybox", OutlineWord::Box),
                ("bypolygon", OutlineWord::Polygon),
            ])
            .ok_or(CommandError::Syntax)?;
        if self.outline_word.is_some_and(|other| other != word) {
            return Err(CommandError::Syntax);
        }
        self.outline = Some(match word {
            OutlineWord::Radius => circle(&mut ahead(args, 2)?)?,
            OutlineWord::Box => rectangle(&mut ahead(args, 3)?)?,
            OutlineWord::Polygon => {
                if self.centre_word.is_some() {
                    return Err(CommandError::Syntax);
                }
                let corners = corners(args)?;
                self.centre = Some(middle(&corners));
                (Outline::Polygon(corners), METRES)
            }
        });
        self.outline_word = Some(word);
        Ok(())
    }
}

/// The next `count` words; a syntax error where there are fewer, whatever is wrong with those that are there.
fn ahead<'a>(args: &mut Args<'a>, count: usize) -> Result<Args<'a>, CommandError> {
    Ok(Args::new(args.take(count)?))
}

/// Where a member is. Without a key anywhere will do.
fn place_of(zset: Option<&ZSet>, member: &[u8]) -> Result<Point, GeoError> {
    match zset {
        None => Ok(NOWHERE),
        Some(zset) => {
            let score = zset.score(member).ok_or(GeoError::NoSuchMember)?;
            Ok(Point::of_score(score))
        }
    }
}

fn circle(args: &mut Args<'_>) -> Result<(Outline, Unit), CommandError> {
    let radius = length(args, GeoError::RadiusNotNumeric)?;
    if radius < 0.0 {
        return Err(GeoError::RadiusNegative.into());
    }
    let unit = Unit::parse(args)?;
    Ok((Outline::circle(radius, unit), unit))
}

fn rectangle(args: &mut Args<'_>) -> Result<(Outline, Unit), CommandError> {
    let width = length(args, GeoError::WidthNotNumeric)?;
    let height = length(args, GeoError::HeightNotNumeric)?;
    if width < 0.0 || height < 0.0 {
        return Err(GeoError::SidesNegative.into());
    }
    let unit = Unit::parse(args)?;
    let outline = Outline::Box {
        width: width * unit.metres,
        height: height * unit.metres,
    };
    Ok((outline, unit))
}

/// The corners of a polygon: their number, then their coordinates.
fn corners(args: &mut Args<'_>) -> Result<Vec<Point>, CommandError> {
    if args.len() < 2 {
        return Err(CommandError::Syntax);
    }
    let count = args.int_or(GeoError::VerticesNotNumeric.into())?;
    let possible = args.len() / 2;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| (3..=possible).contains(count))
        .ok_or(GeoError::TooFewVertices)?;
    (0..count).map(|_| Point::parse(args)).collect()
}

fn length(args: &mut Args<'_>, error: GeoError) -> Result<f64, CommandError> {
    Ok(parse_double(args.bytes()?).ok_or(error)?)
}

/// The centre of searches that find nothing.
const NOWHERE: Point = Point {
    longitude: 0.0,
    latitude: 0.0,
};
