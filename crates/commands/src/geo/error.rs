//! The errors of geo commands, and their exact text.

use super::geohash::Point;
use std::borrow::Cow;

/// What geo commands answer with beside the errors of all commands.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the text of each variant stands in `text`")]
pub enum GeoError {
    /// A point outside of what geohashes cover.
    InvalidPoint(Point),
    NoSuchUnit,
    RadiusNotNumeric,
    RadiusNegative,
    WidthNotNumeric,
    HeightNotNumeric,
    SidesNegative,
    NoSuchMember,
    CountNotPositive,
    AnyWithoutCount,
    StoreWithDetails,
    SearchStoreWithDetails,
    /// The command of this name, as the client spelled it, needs a centre.
    NoCentre(Box<[u8]>),
    /// The command of this name, as the client spelled it, needs a shape.
    NoShape(Box<[u8]>),
    VerticesNotNumeric,
    TooFewVertices,
}

impl Eq for GeoError {}

impl GeoError {
    /// The reply's text, error code included.
    pub(crate) fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidPoint(Point {
                longitude,
                latitude,
            }) => {
                return format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")
                    .into();
            }
            Self::NoSuchUnit => "ERR unsupported unit provided. please use M, KM, FT, MI",
            Self::RadiusNotNumeric => "ERR need numeric radius",
            Self::RadiusNegative => "ERR radius cannot be negative",
            Self::WidthNotNumeric => "ERR need numeric width",
            Self::HeightNotNumeric => "ERR need numeric height",
            Self::SidesNegative => "ERR height or width cannot be negative",
            Self::NoSuchMember => "ERR could not decode requested zset member",
            Self::CountNotPositive => "ERR COUNT must be > 0",
            Self::AnyWithoutCount => "ERR the ANY argument requires COUNT argument",
            Self::StoreWithDetails => {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }
            Self::SearchStoreWithDetails => {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }
            Self::NoCentre(command) => {
                let command = String::from_utf8_lossy(command);
                return format!(
                    "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {command}"
                )
                .into();
            }
            Self::NoShape(command) => {
                let command = String::from_utf8_lossy(command);
                return format!(
                    "ERR exactly one of BYRADIUS and BYBOX can be specified for {command}"
                )
                .into();
            }
            Self::VerticesNotNumeric => "ERR invalid number of vertices",
            Self::TooFewVertices => "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
        })
    }
}
