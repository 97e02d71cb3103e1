//! BITOP: strings combined bit by bit.

use super::BYTES_AN_ELEMENT;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    Reply, WriteCtx,
};
use bytes::Bytes;
use store::{BigString, Object, SHARED_STRING_MIN, StringValue};

pub(super) const BITOP: DataCommand = DataCommand {
    name: "bitop",
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Combines the bits of strings and stores the result.",
    complexity: "O(N) in the length of the longest string",
    arity: Arity::AtLeast(4),
    keys: &[
        KeySpec::one(KeyFlags::OW.union(KeyFlags::UPDATE), 2),
        KeySpec::range(KeyFlags::RO.union(KeyFlags::ACCESS), 3, -1, 1),
    ],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(bitop),
};

fn bitop(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let operation = args.one_of(OPERATIONS).ok_or(CommandError::Syntax)?;
    let (target, sources) = (args.key()?, args.rest());
    if operation == Operation::Not && sources.len() != 1 {
        return Err(CommandError::BitopNotKeys);
    }
    let bytes: usize = sources.iter().map(|key| length(ctx, key)).sum();
    if ctx.call.is_long(bytes / BYTES_AN_ELEMENT) {
        return Ok(Reply::Elsewhere);
    }
    for key in sources {
        if let Some(entry) = ctx.space.read(key) {
            store::string_of(entry).ok_or(CommandError::WrongType)?;
        }
    }
    let result = combine(ctx, operation, sources);
    let len = result.len();
    if result.is_empty() {
        ctx.space.string_slot(target).delete();
        return Ok(Reply::Integer(0));
    }
    if len < SHARED_STRING_MIN {
        let mut slot = ctx.space.string_slot(target);
        slot.put(StringValue::Edited(&result), Expiry::None);
    } else {
        // Finds a target whose time is over before it is replaced.
        ctx.space.find(target);
        let string = BigString::from(Bytes::from(result));
        ctx.space
            .put_object(target, Object::String(Box::new(string)), Expiry::None);
    }
    ctx.space.commit(target, EventClass::STRING, "set", 1);
    Ok(Reply::from(len))
}

/// How bits are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Set where all are.
    And,
    /// Set where any is.
    Or,
    /// Set where an odd number is.
    Xor,
    /// Set where the only one is not.
    Not,
}

const OPERATIONS: &[(&str, Operation)] = &[
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
];

/// Length of the string at a key, 0 where there is none; no trace of the lookup is left.
fn length(ctx: &WriteCtx<'_>, key: &[u8]) -> usize {
    match ctx.space.peek(key).and_then(store::string_of) {
        Some(string) => string.len(),
        None => 0,
    }
}

/// The strings at keys that were looked up before, combined; the shorter ones count as filled up with zeros.
fn combine(ctx: &WriteCtx<'_>, operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|key| length(ctx, key)).max();
    let mut result = vec![0; len.unwrap_or(0)];
    for (number, key) in sources.iter().enumerate() {
        let mut spelling = Default::default();
        let string = ctx.space.peek(key).and_then(store::string_of);
        let bytes = string
            .as_ref()
            .map_or(&[][..], |string| string.as_bytes(&mut spelling));
        let (common, beyond) = result.split_at_mut(bytes.len());
        match operation {
            Operation::Not => pairwise(common, bytes, |_, byte| !byte),
            _ if number == 0 => common.copy_from_slice(bytes),
            Operation::And => {
                pairwise(common, bytes, |result, byte| result & byte);
                beyond.fill(0);
            }
            Operation::Or => pairwise(common, bytes, |result, byte| result | byte),
            Operation::Xor => pairwise(common, bytes, |result, byte| result ^ byte),
        }
    }
    result
}

fn pairwise(result: &mut [u8], bytes: &[u8], combined: impl Fn(u8, u8) -> u8) {
    for (result, byte) in result.iter_mut().zip(bytes) {
        *result = combined(*result, *byte);
    }
}
