//! BITFIELD and BITFIELD_RO: several integers in the bits of one string.

use super::integer::{IntegerType, Overflow};
use super::{byte_of, offset};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Call, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler,
    ReadCtx, Reply, WriteCtx,
};
use resp::Writer;
use smallvec::SmallVec;
use store::Item;

pub(super) const BITFIELD: DataCommand = DataCommand {
    name: "bitfield",
    group: Group::Bitmap,
    since: "3.2.0",
    summary: "Reads, sets and increments integers of any width in the bits of the string at a key.",
    complexity: "O(1) for each integer",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(
        KeyFlags::RW
            .union(KeyFlags::ACCESS)
            .union(KeyFlags::UPDATE)
            .union(KeyFlags::VARIABLE_FLAGS),
        1,
    )],
    flags: Flags::DENYOOM.union(Flags::WRITE),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(bitfield),
};

fn bitfield(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let steps = Step::parse_all(args, &ctx.call)?;
    let Some(end) = steps.iter().filter_map(Step::end_written).max() else {
        let entry = ctx.space.read(key);
        let string = match entry {
            None => None,
            Some(entry) => Some(store::string_of(entry).ok_or(CommandError::WrongType)?),
        };
        read_all(&mut ctx.out, &steps, string);
        return Ok(Reply::Written);
    };
    let mut slot = ctx.space.string_slot(key);
    let len = byte_of(end) + 1;
    let grows = slot.string()?.is_none_or(|string| string.len() < len);
    ctx.out.array(steps.len());
    let changes = slot.edit(len, |bytes| {
        let mut changes = 0;
        for step in &steps {
            let old = step.integer.read(bytes, step.offset);
            let Some((new, reply)) = step.run(old) else {
                ctx.out.null();
                continue;
            };
            ctx.out.integer(reply);
            if step.action.is_write() {
                step.integer.write(bytes, step.offset, new);
                changes += u64::from(grows || new != old);
            }
        }
        changes
    })?;
    if changes > 0 {
        slot.commit(EventClass::STRING, "setbit", changes);
    }
    Ok(Reply::Written)
}

pub(super) const BITFIELD_RO: DataCommand = DataCommand {
    name: "bitfield_ro",
    group: Group::Bitmap,
    since: "6.0.0",
    summary: "Reads integers of any width in the bits of the string at a key.",
    complexity: "O(1) for each integer",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(bitfield_ro),
};

fn bitfield_ro(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let steps = Step::parse_all(args, &ctx.call)?;
    if steps.iter().any(|step| step.action.is_write()) {
        return Err(CommandError::BitfieldReadOnly);
    }
    let string = ctx.space.string(key)?;
    read_all(&mut ctx.out, &steps, string);
    Ok(Reply::Written)
}

/// One subcommand.
#[derive(Clone, Copy, Debug)]
struct Step {
    action: Action,
    integer: IntegerType,
    offset: u64,
    overflow: Overflow,
}

/// What a subcommand does.
#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

impl Action {
    fn is_write(self) -> bool {
        !matches!(self, Self::Get)
    }
}

impl Step {
    /// All subcommands, each with the overflow that was last named before it.
    fn parse_all(mut args: Args<'_>, call: &Call<'_>) -> Result<SmallVec<[Self; 4]>, CommandError> {
        let mut overflow = Overflow::Wrap;
        let mut steps = SmallVec::new();
        while !args.is_empty() {
            if args.len() > 1 && args.flag("OVERFLOW") {
                overflow = args
                    .one_of(OVERFLOWS)
                    .ok_or(CommandError::BitfieldOverflow)?;
            } else {
                steps.push(Self::parse(&mut args, call, overflow)?);
            }
        }
        Ok(steps)
    }

    fn parse(
        args: &mut Args<'_>,
        call: &Call<'_>,
        overflow: Overflow,
    ) -> Result<Self, CommandError> {
        let following = args.len() - 1;
        let action: Option<fn(i64) -> Action> = if following >= 2 && args.flag("GET") {
            None
        } else if following >= 3 && args.flag("SET") {
            Some(Action::Set)
        } else if following >= 3 && args.flag("INCRBY") {
            Some(Action::Increment)
        } else {
            return Err(CommandError::Syntax);
        };
        let integer = IntegerType::named(args.bytes()?).ok_or(CommandError::BitfieldType)?;
        let offset = offset(args.bytes()?, call, Some(integer.width()))?;
        let action = match action {
            None => Action::Get,
            Some(action) => action(args.int()?),
        };
        Ok(Self {
            action,
            integer,
            offset,
            overflow,
        })
    }

    /// The last bit that it writes, if it writes.
    fn end_written(&self) -> Option<u64> {
        let end = self.offset + u64::from(self.integer.width()) - 1;
        self.action.is_write().then_some(end)
    }

    /// What becomes of the integer that is there, and what is answered; nothing where the result overflows and that fails.
    fn run(&self, old: i64) -> Option<(i64, i64)> {
        match self.action {
            Action::Get => Some((old, old)),
            Action::Set(value) => Some((self.integer.set(value, self.overflow)?, old)),
            Action::Increment(increment) => {
                let sum = self.integer.add(old, increment, self.overflow)?;
                Some((sum, sum))
            }
        }
    }
}

const OVERFLOWS: &[(&str, Overflow)] = &[
    ("WRAP", Overflow::Wrap),
    ("SAT", Overflow::Saturate),
    ("FAIL", Overflow::Fail),
];

/// Answers subcommands that only read.
fn read_all(out: &mut Writer<'_>, steps: &[Step], string: Option<Item<'_>>) {
    let mut spelling = Default::default();
    let bytes = string
        .as_ref()
        .map_or(&[][..], |string| string.as_bytes(&mut spelling));
    out.array(steps.len());
    for step in steps {
        out.integer(step.integer.read(bytes, step.offset));
    }
}
