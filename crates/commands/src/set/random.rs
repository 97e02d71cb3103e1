//! Set commands that choose members at random: SPOP and SRANDMEMBER.

use super::write_members;
use crate::draw::{Draw, portions};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx, WriteItem,
};
use bytes::Bytes;
use store::Set;

pub(super) const SPOP: DataCommand = DataCommand {
    name: "spop",
    group: Group::Set,
    since: "1.0.0",
    summary: "Removes one or more random members of a set and returns them; the key goes with the last one.",
    complexity: "O(N), N being the number of members returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
        1,
    )],
    flags: Flags::RANGED.union(Flags::FAST.union(Flags::WRITE)),
    categories: Categories::SET,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Write(spop),
};

fn spop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    match args.len() {
        0 => return pop_one(ctx, key),
        1 => {}
        _ => return Err(CommandError::Syntax),
    }
    let count = args.count(0, CommandError::MustBePositive)?;
    let Some(set) = ctx.space.entry::<Set>(key)?.existing() else {
        ctx.out.set(0);
        return Ok(Reply::Written);
    };
    let len = set.len();
    drop(set);
    if ctx.call.is_long(count.min(len)) {
        return Ok(Reply::Elsewhere);
    }
    match count {
        0 => ctx.out.set(0),
        _ if count >= len => pop_all(ctx, key)?,
        _ => pop_some(ctx, key, count)?,
    }
    Ok(Reply::Written)
}

/// Pops one member; the log gets an SREM of it.
fn pop_one(ctx: &mut WriteCtx<'_>, key: &[u8]) -> Result<Reply, CommandError> {
    let logged = ctx.effects().audience.log;
    let Some(mut set) = ctx.space.entry::<Set>(key)?.existing() else {
        return Ok(Reply::Nil);
    };
    let (out, rng) = (&mut ctx.out, &mut *ctx.call.rng);
    let popped = set.take_random(&mut || rng.next_u64(), |member| {
        out.item(member);
        logged.then(|| Bytes::from(member.to_vec()))
    });
    set.commit("spop", 1);
    if let Some(member) = popped.flatten() {
        ctx.effects()
            .log(|| [SREM, Bytes::copy_from_slice(key), member]);
    }
    Ok(Reply::Written)
}

/// Pops all members; the log gets the deletion of the key.
fn pop_all(ctx: &mut WriteCtx<'_>, key: &[u8]) -> Result<(), CommandError> {
    let Some(set) = ctx.space.read_value::<Set>(key)? else {
        return Ok(());
    };
    write_members(&mut ctx.out, set);
    let popped = set.len() as u64;
    ctx.space.delete(key);
    ctx.space.commit(key, EventClass::SET, "spop", popped);
    ctx.space.event(key, EventClass::GENERIC, "del");
    let word: &[u8] = if ctx.call.settings.lazy_server_del {
        b"UNLINK"
    } else {
        b"DEL"
    };
    ctx.effects()
        .log(|| [Bytes::from_static(word), Bytes::copy_from_slice(key)]);
    Ok(())
}

/// Pops `count` members, fewer than there are; the log gets SREMs of a thousand of them each.
fn pop_some(ctx: &mut WriteCtx<'_>, key: &[u8], count: usize) -> Result<(), CommandError> {
    /// Members in one SREM of the log.
    const LOG_BATCH: usize = 1024;
    let logged = ctx.effects().audience.log;
    let Some(mut set) = ctx.space.entry::<Set>(key)?.existing() else {
        return Ok(());
    };
    let (out, rng) = (&mut ctx.out, &mut *ctx.call.rng);
    let mut popped = Vec::new();
    out.set(count);
    set.take_sample(
        &ctx.call.settings.tuning,
        count,
        &mut || rng.next_u64(),
        |member| {
            out.item(member);
            if logged {
                popped.push(Bytes::from(member.to_vec()));
            }
        },
    );
    set.commit("spop", count as u64);
    for batch in popped.chunks(LOG_BATCH) {
        ctx.effects().log_words(|| {
            let mut words = vec![SREM, Bytes::copy_from_slice(key)];
            words.extend_from_slice(batch);
            words
        });
    }
    Ok(())
}

const SREM: Bytes = Bytes::from_static(b"SREM");

pub(super) const SRANDMEMBER: DataCommand = DataCommand {
    name: "srandmember",
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns one or more random members of a set.",
    complexity: "O(N), N being the number of members returned",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::RANGED.union(Flags::READONLY),
    categories: Categories::SET,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(srandmember),
};

fn srandmember(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    match args.len() {
        0 => return random_member(ctx, key),
        1 => {}
        _ => return Err(CommandError::Syntax),
    }
    let draw = Draw::of(args.signed_count()?);
    let Some(set) = ctx.space.value::<Set>(key)? else {
        return Ok(Reply::EmptyArray);
    };
    let length = draw.length(set.len());
    if ctx.call.is_long(length) {
        return Ok(Reply::Elsewhere);
    }
    let (out, rng) = (&mut ctx.out, &mut *ctx.call.rng);
    let random = &mut || rng.next_u64();
    out.array(length);
    match draw {
        Draw::Distinct(count) => set.sample(count, random, |member| out.item(member)),
        Draw::Repeated(count) => {
            for portion in portions(count) {
                if out.is_full() {
                    break;
                }
                set.draw(portion, random, |member| out.item(member));
            }
        }
    }
    Ok(Reply::Written)
}

fn random_member(ctx: &mut ReadCtx<'_>, key: &[u8]) -> Result<Reply, CommandError> {
    let rng = &mut *ctx.call.rng;
    let set = ctx.space.value::<Set>(key)?;
    let Some(member) = set.and_then(|set| set.random(&mut || rng.next_u64())) else {
        return Ok(Reply::Nil);
    };
    ctx.out.item(member);
    Ok(Reply::Written)
}
