//! Strings changed in place.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Call, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group,
    Handler, Reply, WriteCtx,
};
use store::StringValue;

pub(super) const APPEND: DataCommand = DataCommand {
    name: "append",
    group: Group::String,
    since: "2.0.0",
    summary: "Adds bytes to the end of the string at a key; makes the key where it is absent.",
    complexity: "O(N) in the bytes appended, amortized",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(append),
};

fn append(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, tail) = (args.key()?, args.bytes()?);
    let mut slot = ctx.space.string_slot(key);
    let len = match slot.string()? {
        None => {
            slot.put(StringValue::Given(tail), Expiry::None);
            tail.len()
        }
        Some(string) => {
            length_within_limit(&ctx.call, string.len(), tail.len())?;
            slot.append(tail).ok_or(CommandError::WrongType)?
        }
    };
    slot.commit(EventClass::STRING, "append", 1);
    Ok(Reply::from(len))
}

pub(super) const SETRANGE: DataCommand = DataCommand {
    name: "setrange",
    group: Group::String,
    since: "2.2.0",
    summary: "Overwrites the string at a key from an offset on, lengthening it with zeros where needed.",
    complexity: "O(N) in the bytes written and the zeros added",
    arity: Arity::Exact(4),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::UPDATE), 1)],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(setrange),
};

fn setrange(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, offset, bytes) = (args.key()?, args.int()?, args.bytes()?);
    let offset = usize::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let mut slot = ctx.space.string_slot(key);
    let old = slot.string()?.map_or(0, |string| string.len());
    if bytes.is_empty() {
        return Ok(Reply::from(old));
    }
    let end = length_within_limit(&ctx.call, offset, bytes.len())?;
    slot.edit(end, |string| {
        if let Some(part) = string.get_mut(offset..end) {
            part.copy_from_slice(bytes);
        }
    })?;
    slot.commit(EventClass::STRING, "setrange", 1);
    Ok(Reply::from(old.max(end)))
}

/// The sum of two lengths, which must not exceed `proto-max-bulk-len` (checkStringLength, Redis 7.2).
fn length_within_limit(call: &Call<'_>, len: usize, more: usize) -> Result<usize, CommandError> {
    len.checked_add(more)
        .filter(|sum| u64::try_from(*sum).is_ok_and(|sum| sum <= call.settings.bulk_max))
        .ok_or(CommandError::StringTooLong)
}
