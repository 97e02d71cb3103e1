//! GEOADD.

use super::geohash::Point;
use crate::keys::{KeyFlags, KeySpec};
use crate::zset::{AddOptions, add_members};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use bytes::Bytes;
use smallvec::SmallVec;

pub(super) const GEOADD: DataCommand = DataCommand {
    name: "geoadd",
    group: Group::Geo,
    since: "3.2.0",
    summary: "Adds members with their places, or changes the places of those that are there.",
    complexity: "O(log(N)) for each member, N being the members of the sorted set",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::GEO,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(geoadd),
};

fn geoadd(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut options = AddOptions::empty();
    let given = args.peek_all();
    while let Some(option) = args.one_of(&[
        ("nx", AddOptions::NX),
        ("xx", AddOptions::XX),
        ("ch", AddOptions::CH),
    ]) {
        options |= option;
    }
    let given = given.get(..given.len() - args.len()).unwrap_or_default();
    let contradiction = options.contains(AddOptions::NX | AddOptions::XX);
    if args.is_empty() || !args.len().is_multiple_of(3) || contradiction {
        return Err(CommandError::Syntax);
    }
    let mut members: SmallVec<[(f64, &[u8]); 16]> = SmallVec::new();
    while !args.is_empty() {
        let score = Point::parse(&mut args)?.score();
        members.push((score, args.bytes()?));
    }
    let reply = add_members(ctx, key, &members, options)?;
    if ctx.effects().dirty > 0 {
        // Geohashes are exact where coordinates are rounded: the log gets the ZADD that this comes to, as in Redis.
        ctx.effects().log_words(|| {
            let options = given.iter().map(|option| Bytes::copy_from_slice(option));
            let members = members.iter().flat_map(|(score, member)| {
                let score = itoa::Buffer::new().format(*score as u64).to_owned();
                [Bytes::from(score), Bytes::copy_from_slice(member)]
            });
            [Bytes::from_static(b"zadd"), Bytes::copy_from_slice(key)]
                .into_iter()
                .chain(options)
                .chain(members)
                .collect()
        });
    }
    Ok(reply)
}
