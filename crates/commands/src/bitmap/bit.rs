//! One bit of a string.

use super::{byte_of, offset};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, ReadCtx,
    Reply, WriteCtx,
};

pub(super) const GETBIT: DataCommand = DataCommand {
    name: "getbit",
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Returns a bit of the string at a key.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(getbit),
};

fn getbit(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let offset = offset(args.bytes()?, &ctx.call, None)?;
    let Some(string) = ctx.space.string(key)? else {
        return Ok(Reply::Integer(0));
    };
    let mut spelling = Default::default();
    let bytes = string.as_bytes(&mut spelling);
    let byte = bytes.get(byte_of(offset)).copied().unwrap_or(0);
    Ok(Reply::from(byte & mask(offset) != 0))
}

pub(super) const SETBIT: DataCommand = DataCommand {
    name: "setbit",
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Sets or clears a bit of the string at a key, lengthening it with zeros where needed.",
    complexity: "O(1), plus the zeros added",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(setbit),
};

fn setbit(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let offset = offset(args.bytes()?, &ctx.call, None)?;
    let on = args.int_in(0..=1, CommandError::BitValue)? == 1;
    let (index, mask) = (byte_of(offset), mask(offset));
    let mut slot = ctx.space.string_slot(key);
    let grows = slot.string()?.is_none_or(|string| string.len() <= index);
    let was_on = slot.edit(index + 1, |bytes| {
        let Some(byte) = bytes.get_mut(index) else {
            return false;
        };
        let was_on = *byte & mask != 0;
        *byte = if on { *byte | mask } else { *byte & !mask };
        was_on
    })?;
    if grows || was_on != on {
        slot.commit(EventClass::STRING, "setbit", 1);
    }
    Ok(Reply::from(was_on))
}

/// The bit of an offset within its byte.
fn mask(offset: u64) -> u8 {
    0x80 >> (offset & 7)
}
