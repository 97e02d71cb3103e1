//! Unions, intersections and differences of sets, as replies and stored.

use super::write_members;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    ReadCtx, ReadSpace, Reply, WriteCtx, WriteItem, WriteSpace,
};
use resp::{Aggregate, Writer};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::ptr;
use store::{Encoding, Item, Object, Set, Tuning};

/// What the keys of a call hold, in their order; `None` for a missing key.
type Sets<'s> = SmallVec<[Option<&'s Set>; 8]>;
/// The sets among them, in some order.
type Present<'s> = SmallVec<[&'s Set; 8]>;

/// Looks the keys of a reading command up.
fn read_sets<'s>(space: &'s mut ReadSpace<'_>, keys: &[&[u8]]) -> Result<Sets<'s>, CommandError> {
    for key in keys {
        space.value::<Set>(key)?;
    }
    keys.iter().map(|key| space.peek_value(key)).collect()
}

/// Looks the keys up that a storing command reads.
fn read_operands<'s>(
    space: &'s mut WriteSpace<'_>,
    keys: &[&[u8]],
) -> Result<Sets<'s>, CommandError> {
    for key in keys {
        space.read_value::<Set>(key)?;
    }
    keys.iter().map(|key| space.peek_value(key)).collect()
}

/// Puts a result at `destination` in place of whatever is there; an empty one deletes it.
fn store_set(
    ctx: &mut WriteCtx<'_>,
    destination: &[u8],
    result: Set,
    event: &'static str,
) -> Reply {
    let len = result.len();
    if len > 0 {
        ctx.space
            .put_object(destination, Object::Set(result), Expiry::None);
        ctx.space.commit(destination, EventClass::SET, event, 1);
    } else if ctx.space.delete(destination) {
        ctx.space.commit(destination, EventClass::GENERIC, "del", 1);
    }
    len.into()
}

pub(super) const SDIFF: DataCommand = DataCommand {
    name: "sdiff",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns the members of the first set that are in none of the others.",
    complexity: "O(N), N being the members of all sets together",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RO.union(KeyFlags::ACCESS),
        1,
        -1,
        1,
    )],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(sdiff),
};

fn sdiff(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let mut sets = read_sets(&mut ctx.space, args.rest())?;
    let built = match Difference::of(&mut sets) {
        Difference::Empty => {
            ctx.out.set(0);
            None
        }
        Difference::Probing(first, others) => {
            let (reply, mut count) = (ctx.out.begin(), 0);
            probe(first, others).for_each(|member| {
                ctx.out.item(member);
                count += 1;
            });
            ctx.out.finish(reply, Aggregate::Set, count);
            None
        }
        Difference::Removing(first, others) => {
            let rest = removed(&ctx.call.settings.tuning, first, others);
            write_members(&mut ctx.out, &rest);
            Some(rest)
        }
    };
    drop(sets);
    if let Some(built) = built {
        ctx.effects().discard(Object::Set(built));
    }
    Ok(Reply::Written)
}

/// How a difference is found. The choice is Redis', for the form of a stored result depends on it.
enum Difference<'p, 's> {
    /// Nothing is left: there is no first set, or it is among those to take away.
    Empty,
    /// Each member of the first set is looked for in the others, largest first: first set times number of sets.
    Probing(&'s Set, &'p [Option<&'s Set>]),
    /// The members of the others are removed from a copy of the first: all members together.
    Removing(&'s Set, &'p [Option<&'s Set>]),
}

impl<'p, 's> Difference<'p, 's> {
    fn of(sets: &'p mut Sets<'s>) -> Self {
        let total: usize = sets.iter().flatten().map(|set| set.len()).sum();
        let present = sets.iter().flatten().count();
        let Some((Some(first), others)) = sets.split_first_mut() else {
            return Self::Empty;
        };
        let first = *first;
        if others.iter().flatten().any(|other| ptr::eq(*other, first)) {
            return Self::Empty;
        }
        // Looking up is about twice as fast as removing.
        if first.len().saturating_mul(present) / 2 > total {
            return Self::Removing(first, others);
        }
        others.sort_by_key(|set| Reverse(set.map_or(0, Set::len)));
        Self::Probing(first, others)
    }
}

/// The members of `first` that none of `others` has.
fn probe<'s>(first: &'s Set, others: &[Option<&'s Set>]) -> impl Iterator<Item = Item<'s>> {
    first.iter().filter(|member| {
        let mut present = others.iter().flatten();
        !present.any(|other| other.contains(*member))
    })
}

/// `first` without the members of `others`.
fn removed(tuning: &Tuning, first: &Set, others: &[Option<&Set>]) -> Set {
    let mut rest = union_of(tuning, &[Some(first)]);
    for other in others.iter().flatten() {
        if rest.is_empty() {
            break;
        }
        other.iter().for_each(|member| {
            rest.remove(member);
        });
    }
    rest
}

pub(super) const SDIFFSTORE: DataCommand = DataCommand {
    name: "sdiffstore",
    group: Group::Set,
    since: "1.0.0",
    summary: "Stores the members of the first set that are in none of the others.",
    complexity: "O(N), N being the members of all sets together",
    arity: Arity::AtLeast(3),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::range(KeyFlags::RO.union(KeyFlags::ACCESS), 2, -1, 1),
    ],
    flags: Flags::LINEAR.union(Flags::DENYOOM.union(Flags::WRITE)),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(sdiffstore),
};

fn sdiffstore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (destination, keys) = (args.key()?, args.rest());
    let tuning = &ctx.call.settings.tuning;
    let mut sets = read_operands(&mut ctx.space, keys)?;
    let rest = match Difference::of(&mut sets) {
        Difference::Empty => Set::new(),
        Difference::Probing(first, others) => {
            let mut rest = Set::new();
            probe(first, others).for_each(|member| {
                rest.add(tuning, member);
            });
            rest
        }
        Difference::Removing(first, others) => removed(tuning, first, others),
    };
    drop(sets);
    Ok(store_set(ctx, destination, rest, "sdiffstore"))
}

pub(super) const SINTER: DataCommand = DataCommand {
    name: "sinter",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns the members that all of the sets have.",
    complexity: "O(N*M) at worst, N being the size of the smallest set and M the number of sets",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RO.union(KeyFlags::ACCESS),
        1,
        -1,
        1,
    )],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(sinter),
};

fn sinter(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let sets = smallest_first(read_sets(&mut ctx.space, args.rest())?);
    let (reply, mut count) = (ctx.out.begin(), 0);
    intersection(&sets).for_each(|member| {
        ctx.out.item(member);
        count += 1;
    });
    ctx.out.finish(reply, Aggregate::Set, count);
    Ok(Reply::Written)
}

/// The sets to intersect, smallest first; none at all when a key is missing, so that nothing is in all of them.
fn smallest_first(sets: Sets<'_>) -> Present<'_> {
    let mut sets: Present<'_> = sets.into_iter().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    sets
}

/// The members of the first set that all others have too, in the order of the first.
fn intersection<'s>(sets: &'s [&'s Set]) -> impl Iterator<Item = Item<'s>> {
    let (first, others) = match sets {
        [first, others @ ..] => (Some(first), others),
        [] => (None, sets),
    };
    first
        .into_iter()
        .flat_map(|first| first.iter())
        .filter(|member| others.iter().all(|other| other.contains(*member)))
}

pub(super) const SINTERCARD: DataCommand = DataCommand {
    name: "sintercard",
    group: Group::Set,
    since: "7.0.0",
    summary: "Returns how many members all of the sets have, or the limit if that is reached.",
    complexity: "O(N*M) at worst, N being the size of the smallest set and M the number of sets",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::counted(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::LINEAR.union(Flags::MOVABLEKEYS.union(Flags::READONLY)),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(sintercard),
};

fn sintercard(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let count = args.count(1, CommandError::NumkeysNotPositive)?;
    let keys = args.take(count).map_err(|_| CommandError::NumkeysTooMany)?;
    let mut limit = usize::MAX;
    while !args.is_empty() {
        if args.len() < 2 || !args.flag("limit") {
            return Err(CommandError::Syntax);
        }
        limit = match args.count(0, CommandError::LimitNegative)? {
            0 => usize::MAX,
            limit => limit,
        };
    }
    let sets = smallest_first(read_sets(&mut ctx.space, keys)?);
    Ok(intersection(&sets).take(limit).count().into())
}

pub(super) const SINTERSTORE: DataCommand = DataCommand {
    name: "sinterstore",
    group: Group::Set,
    since: "1.0.0",
    summary: "Stores the members that all of the sets have.",
    complexity: "O(N*M) at worst, N being the size of the smallest set and M the number of sets",
    arity: Arity::AtLeast(3),
    keys: &[
        KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1),
        KeySpec::range(KeyFlags::RO.union(KeyFlags::ACCESS), 2, -1, 1),
    ],
    flags: Flags::LINEAR.union(Flags::DENYOOM.union(Flags::WRITE)),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(sinterstore),
};

fn sinterstore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (destination, keys) = (args.key()?, args.rest());
    let tuning = &ctx.call.settings.tuning;
    let sets = smallest_first(read_operands(&mut ctx.space, keys)?);
    let mut result = match sets.first() {
        Some(first) if first.encoding() == Encoding::Intset => Set::new(),
        _ => Set::packed(),
    };
    intersection(&sets).for_each(|member| {
        result.add(tuning, member);
    });
    result.become_intset_if_integers(tuning);
    drop(sets);
    Ok(store_set(ctx, destination, result, "sinterstore"))
}

pub(super) const SUNION: DataCommand = DataCommand {
    name: "sunion",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns the members that any of the sets has.",
    complexity: "O(N), N being the members of all sets together",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RO.union(KeyFlags::ACCESS),
        1,
        -1,
        1,
    )],
    flags: Flags::LINEAR.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Read(sunion),
};

fn sunion(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    /// From this many members on the result would be a table, whose order nobody knows.
    const LARGE: usize = 1024;
    /// What adding a member to a table costs, in look-ups.
    const ADDING: usize = 3;
    let sets = read_sets(&mut ctx.space, args.rest())?;
    let mut present: Present<'_> = sets.iter().copied().flatten().collect();
    present.sort_by_key(|set| Reverse(set.len()));
    let total: usize = present.iter().map(|set| set.len()).sum();
    let lookups: usize = present
        .iter()
        .enumerate()
        .map(|(at, set)| at * set.len())
        .sum();
    if total >= LARGE && lookups <= ADDING * total {
        write_union(&mut ctx.out, &present);
    } else {
        let union = union_of(&ctx.call.settings.tuning, &sets);
        write_members(&mut ctx.out, &union);
        drop((sets, present));
        ctx.effects().discard(Object::Set(union));
    }
    Ok(Reply::Written)
}

/// The union as a reply without building it: of each set the members that no set before has.
fn write_union(out: &mut Writer<'_>, sets: &[&Set]) {
    let (reply, mut count) = (out.begin(), 0);
    for (at, set) in sets.iter().enumerate() {
        let (before, _) = sets.split_at(at);
        for member in set.iter() {
            if !before.iter().any(|other| other.contains(member)) {
                out.item(member);
                count += 1;
            }
        }
    }
    out.finish(reply, Aggregate::Set, count);
}

/// The union, built from the sets in their order as Redis does, for the order decides its form.
fn union_of(tuning: &Tuning, sets: &[Option<&Set>]) -> Set {
    let mut union = Set::new();
    for set in sets.iter().flatten() {
        set.iter().for_each(|member| {
            union.add(tuning, member);
        });
    }
    union
}

pub(super) const SUNIONSTORE: DataCommand = DataCommand {
    name: "sunionstore",
    group: Group::Set,
    since: "1.0.0",
    summary: "Stores the members that any of the sets has.",
    complexity: "O(N), N being the members of all sets together",
    arity: Arity::AtLeast(3),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 1),
        KeySpec::range(KeyFlags::RO.union(KeyFlags::ACCESS), 2, -1, 1),
    ],
    flags: Flags::LINEAR.union(Flags::DENYOOM.union(Flags::WRITE)),
    categories: Categories::SET,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(sunionstore),
};

fn sunionstore(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (destination, keys) = (args.key()?, args.rest());
    let sets = read_operands(&mut ctx.space, keys)?;
    let union = union_of(&ctx.call.settings.tuning, &sets);
    drop(sets);
    Ok(store_set(ctx, destination, union, "sunionstore"))
}
