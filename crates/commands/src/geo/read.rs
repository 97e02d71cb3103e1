//! GEODIST, GEOHASH and GEOPOS: what is known of members.

use super::earth::{distance, write_distance};
use super::geohash::Point;
use super::unit::{METRES, Unit};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
};
use resp::Writer;
use store::ZSet;

pub(super) const GEODIST: DataCommand = DataCommand {
    name: "geodist",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Returns the distance between two members.",
    complexity: "O(1)",
    arity: Arity::AtLeast(4),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(geodist),
};

fn geodist(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, from, to) = (args.key()?, args.bytes()?, args.bytes()?);
    let unit = match args.len() {
        0 => METRES,
        1 => Unit::parse(&mut args)?,
        _ => return Err(CommandError::Syntax),
    };
    let zset = ctx.space.value::<ZSet>(key)?;
    let place = |member| zset?.score(member).map(Point::of_score);
    match (place(from), place(to)) {
        (Some(from), Some(to)) => {
            write_distance(&mut ctx.out, distance(from, to) / unit.metres);
            Ok(Reply::Written)
        }
        _ => Ok(Reply::Nil),
    }
}

pub(super) const GEOHASH: DataCommand = DataCommand {
    name: "geohash",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Returns the places of members as geohash strings.",
    complexity: "O(1) for each member",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(geohash),
};

fn geohash(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    write_places(ctx, args, |out, place| match place {
        Some(place) => out.bulk(&place.geohash()),
        None => out.null(),
    })
}

pub(super) const GEOPOS: DataCommand = DataCommand {
    name: "geopos",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Returns the places of members as longitudes and latitudes.",
    complexity: "O(1) for each member",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY,
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(geopos),
};

fn geopos(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    write_places(ctx, args, |out, place| match place {
        Some(place) => place.write(out),
        None => out.null_array(),
    })
}

/// Writes the place of each member that is asked for, in a form of the caller's.
fn write_places(
    ctx: &mut ReadCtx<'_>,
    mut args: Args<'_>,
    write: impl Fn(&mut Writer<'_>, Option<Point>),
) -> Result<Reply, CommandError> {
    let (key, members) = (args.key()?, args.rest());
    let zset = ctx.space.value::<ZSet>(key)?;
    ctx.out.array(members.len());
    for member in members {
        let score = zset.and_then(|zset| zset.score(member));
        write(&mut ctx.out, score.map(Point::of_score));
    }
    Ok(Reply::Written)
}
