//! GEORADIUS and its kin, GEOSEARCH and GEOSEARCHSTORE.

use super::area;
use super::earth::write_distance;
use super::geohash::{Point, shown};
use super::query::{CentreBy, Details, Order, Query, Scores, Storing};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Call, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group,
    Handler, ReadCtx, Reply, WriteCtx, WriteItem,
};
use resp::Writer;
use smallvec::SmallVec;
use std::ops::Range;
use store::list::End;
use store::zset::{ScoreBound, ScoreRange};
use store::{Item, Object, ZSet};

/// What the search commands cost.
const COMPLEXITY: &str =
    "O(N+log(M)), N being the members near the shape and M those of the sorted set";

pub(super) const GEORADIUS: DataCommand = DataCommand {
    name: "georadius",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Returns or stores the members within a distance of a point.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(6),
    keys: &[
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1),
        KeySpec::after(KeyFlags::OW.union(KeyFlags::UPDATE), "STORE", 6),
        KeySpec::after(KeyFlags::OW.union(KeyFlags::UPDATE), "STOREDIST", 6),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(georadius),
};

fn georadius(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let zset = ctx.space.read_value::<ZSet>(args.key()?)?;
    let query = Query::radius(args, zset, CentreBy::Point, Storing::Allowed)?;
    match query.target {
        None => Ok(show(zset, &query, &ctx.call, &mut ctx.out)),
        Some((target, _)) => {
            let Some(results) = gather(zset, &query, &ctx.call) else {
                return Ok(Reply::Elsewhere);
            };
            Ok(put(ctx, target, results, "georadiusstore"))
        }
    }
}

pub(super) const GEORADIUS_RO: DataCommand = DataCommand {
    name: "georadius_ro",
    group: Group::Geo,
    since: "3.2.10",
    summary: "Returns the members within a distance of a point.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(6),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(georadius_ro),
};

fn georadius_ro(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let zset = ctx.space.value::<ZSet>(args.key()?)?;
    let query = Query::radius(args, zset, CentreBy::Point, Storing::Refused)?;
    Ok(show(zset, &query, &ctx.call, &mut ctx.out))
}

pub(super) const GEORADIUSBYMEMBER: DataCommand = DataCommand {
    name: "georadiusbymember",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Returns or stores the members within a distance of one of them.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(5),
    keys: &[
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1),
        KeySpec::after(KeyFlags::OW.union(KeyFlags::UPDATE), "STORE", 5),
        KeySpec::after(KeyFlags::OW.union(KeyFlags::UPDATE), "STOREDIST", 5),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(georadiusbymember),
};

fn georadiusbymember(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let zset = ctx.space.read_value::<ZSet>(args.key()?)?;
    let query = Query::radius(args, zset, CentreBy::Member, Storing::Allowed)?;
    match query.target {
        None => Ok(show(zset, &query, &ctx.call, &mut ctx.out)),
        Some((target, _)) => {
            let Some(results) = gather(zset, &query, &ctx.call) else {
                return Ok(Reply::Elsewhere);
            };
            Ok(put(ctx, target, results, "georadiusstore"))
        }
    }
}

pub(super) const GEORADIUSBYMEMBER_RO: DataCommand = DataCommand {
    name: "georadiusbymember_ro",
    group: Group::Geo,
    since: "3.2.10",
    summary: "Returns the members within a distance of one of them.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(georadiusbymember_ro),
};

fn georadiusbymember_ro(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let zset = ctx.space.value::<ZSet>(args.key()?)?;
    let query = Query::radius(args, zset, CentreBy::Member, Storing::Refused)?;
    Ok(show(zset, &query, &ctx.call, &mut ctx.out))
}

pub(super) const GEOSEARCH: DataCommand = DataCommand {
    name: "geosearch",
    group: Group::Geo,
    since: "6.2.0",
    summary: "Returns the members inside of a circle, a box or a polygon.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(7),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(geosearch),
};

fn geosearch(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let zset = ctx.space.value::<ZSet>(args.key()?)?;
    let query = Query::search(args, zset, None)?;
    Ok(show(zset, &query, &ctx.call, &mut ctx.out))
}

pub(super) const GEOSEARCHSTORE: DataCommand = DataCommand {
    name: "geosearchstore",
    group: Group::Geo,
    since: "6.2.0",
    summary: "Stores the members inside of a circle, a box or a polygon.",
    complexity: COMPLEXITY,
    arity: Arity::AtLeast(8),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 2),
    ],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(geosearchstore),
};

fn geosearchstore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let target = args.key()?;
    let zset = ctx.space.read_value::<ZSet>(args.key()?)?;
    let query = Query::search(args, zset, Some(target))?;
    let Some(results) = gather(zset, &query, &ctx.call) else {
        return Ok(Reply::Elsewhere);
    };
    Ok(put(ctx, target, results, "geosearchstore"))
}

/// A member inside of the shape.
#[derive(Clone, Copy, Debug)]
struct Found<'z> {
    member: Item<'z>,
    score: f64,
    point: Point,
    /// Metres from the centre.
    distance: f64,
}

/// The members that the query asks for, in its order; `None` when the search is too long for this thread.
fn find<'z>(zset: &'z ZSet, query: &Query<'_>, call: &Call<'_>) -> Option<Vec<Found<'z>>> {
    let candidates: SmallVec<[Range<usize>; 9]> = area::cells(&query.shape)
        .into_iter()
        .map(|cell| {
            let (min, max) = cell.scores();
            zset.score_ranks(&ScoreRange {
                min: ScoreBound::Inclusive(min),
                max: ScoreBound::Exclusive(max),
            })
        })
        .collect();
    if call.is_long(candidates.iter().map(Range::len).sum()) {
        return None;
    }
    let options = &query.options;
    let found = candidates
        .into_iter()
        .flat_map(|ranks| zset.range(End::Head, ranks))
        .filter_map(|(member, score)| {
            let point = Point::of_score(score);
            Some(Found {
                member,
                score,
                point,
                distance: query.shape.distance_within(point)?,
            })
        });
    let mut found: Vec<Found<'z>> = match options.count {
        Some(count) if options.any => found.take(count).collect(),
        _ => found.collect(),
    };
    if let Some(order) = options.order {
        sort(&mut found, order, options.count.unwrap_or(usize::MAX));
    }
    found.truncate(options.count.unwrap_or(usize::MAX));
    Some(found)
}

/// Puts the first `count` results in order: those at the same distance stay in the order in which they were found.
fn sort(found: &mut Vec<Found<'_>>, order: Order, count: usize) {
    let by_distance = |a: &Found<'_>, b: &Found<'_>| match order {
        Order::NearestFirst => a.distance.total_cmp(&b.distance),
        Order::FarthestFirst => b.distance.total_cmp(&a.distance),
    };
    if count < found.len() / 4 {
        // Few of many: the rest need no order among them.
        let mut numbered: Vec<(usize, Found<'_>)> = found.drain(..).enumerate().collect();
        let by_both = |a: &(usize, Found<'_>), b: &(usize, Found<'_>)| {
            by_distance(&a.1, &b.1).then(a.0.cmp(&b.0))
        };
        numbered.select_nth_unstable_by(count, by_both);
        numbered.truncate(count);
        numbered.sort_unstable_by(by_both);
        found.extend(numbered.into_iter().map(|(_, one)| one));
    } else {
        found.sort_by(by_distance);
    }
}

/// Replies with the results.
fn show(zset: Option<&ZSet>, query: &Query<'_>, call: &Call<'_>, out: &mut Writer<'_>) -> Reply {
    let Some(zset) = zset else {
        return Reply::EmptyArray;
    };
    let Some(found) = find(zset, query, call) else {
        return Reply::Elsewhere;
    };
    let details = query.options.details;
    out.array(found.len());
    for one in found {
        if !details.is_empty() {
            out.array(1 + details.bits().count_ones() as usize);
        }
        out.item(one.member);
        if details.contains(Details::DISTANCE) {
            write_distance(out, one.distance / query.unit.metres);
        }
        if details.contains(Details::HASH) {
            out.integer(shown(one.score));
        }
        if details.contains(Details::POINT) {
            one.point.write(out);
        }
    }
    Reply::Written
}

/// The results as a sorted set; `None` when the search is too long for this thread.
fn gather(zset: Option<&ZSet>, query: &Query<'_>, call: &Call<'_>) -> Option<ZSet> {
    let tuning = &call.settings.tuning;
    let found = match zset {
        Some(zset) => find(zset, query, call)?,
        None => Vec::new(),
    };
    let mut results = ZSet::sized(tuning, found.len(), 0);
    for one in found {
        let score = match query.target {
            Some((_, Scores::Distances)) => one.distance / query.unit.metres,
            _ => one.score,
        };
        let mut spelling = Default::default();
        results.insert(tuning, one.member.as_bytes(&mut spelling), score);
    }
    Some(results)
}

/// Puts results at `target` in place of whatever is there, or deletes it where there are none; replies with their number.
fn put(ctx: &mut WriteCtx<'_>, target: &[u8], results: ZSet, event: &'static str) -> Reply {
    let len = results.len();
    if len > 0 {
        // Finds a target whose time is over before it is replaced.
        ctx.space.find(target);
        ctx.space
            .put_object(target, Object::ZSet(results), Expiry::None);
        ctx.space
            .commit(target, EventClass::ZSET, event, len as u64);
    } else if ctx.space.delete(target) {
        ctx.space.commit(target, EventClass::GENERIC, "del", 1);
    }
    len.into()
}
