//! Counting bits, and finding the first one.

use super::BYTES_AN_ELEMENT;
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
};
use std::ops::Range;

pub(super) const BITCOUNT: DataCommand = DataCommand {
    name: "bitcount",
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Counts the bits that are set in the string at a key or in a part of it.",
    complexity: "O(N) in the bytes counted",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(bitcount),
};

fn bitcount(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if is_long(ctx, key) {
        return Ok(Reply::Elsewhere);
    }
    // The arguments are judged after the key was found (Redis 7.2).
    let Some(string) = ctx.space.string(key)? else {
        return Ok(Reply::Integer(0));
    };
    let mut spelling = Default::default();
    let bytes = string.as_bytes(&mut spelling);
    let bits = match args.len() {
        0 => 0..bytes.len() * 8,
        2 | 3 => {
            let (first, last) = (args.int()?, args.int()?);
            if first < 0 && last < 0 && first > last {
                return Ok(Reply::Integer(0));
            }
            Unit::read(&mut args)?.bits(first, last, bytes.len())
        }
        _ => return Err(CommandError::Syntax),
    };
    Ok(Reply::from(count(bytes, bits)))
}

pub(super) const BITPOS: DataCommand = DataCommand {
    name: "bitpos",
    group: Group::Bitmap,
    since: "2.8.7",
    summary: "Finds the first bit that is set, or cleared, in the string at a key or in a part of it.",
    complexity: "O(N) in the bytes searched",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1)],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::BITMAP,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(bitpos),
};

fn bitpos(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let bit = match args.int()? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BitArgument),
    };
    if is_long(ctx, key) {
        return Ok(Reply::Elsewhere);
    }
    // An absent key is a string of zeros without end, whatever the arguments that follow (Redis 7.2).
    let Some(string) = ctx.space.string(key)? else {
        return Ok(Reply::Integer(if bit { -1 } else { 0 }));
    };
    let mut spelling = Default::default();
    let bytes = string.as_bytes(&mut spelling);
    let (bits, is_open) = match args.len() {
        0 => (0..bytes.len() * 8, true),
        1 => (Unit::Byte.bits(args.int()?, -1, bytes.len()), true),
        2 | 3 => {
            let (first, last) = (args.int()?, args.bytes()?);
            let unit = Unit::read(&mut args)?;
            let last = resp::number::parse_i64(last).ok_or(CommandError::NotInteger)?;
            (unit.bits(first, last, bytes.len()), false)
        }
        _ => return Err(CommandError::Syntax),
    };
    // Behind the end of a string whose last byte was not named, zeros go on.
    let zero_behind = (is_open && !bit && !bits.is_empty()).then_some(bits.end);
    Ok(match first(bytes, bits, bit).or(zero_behind) {
        Some(position) => Reply::from(position),
        None => Reply::Integer(-1),
    })
}

/// What the indexes of a part of a string count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Bytes.
    Byte,
    /// Bits.
    Bit,
}

impl Unit {
    fn read(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let unit = args.one_of(&[("BIT", Self::Bit), ("BYTE", Self::Byte)]);
        args.finish()?;
        Ok(unit.unwrap_or(Self::Byte))
    }

    /// The bits from one index to another, both included, of a string of `len` bytes. Negative indexes count from the end,
    /// and those before the start mean the start.
    fn bits(self, first: i64, last: i64, len: usize) -> Range<usize> {
        let units = match self {
            Self::Byte => len,
            Self::Bit => len * 8,
        };
        let from_start = |index: i64| {
            let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            if index < 0 {
                units.saturating_sub(distance)
            } else {
                distance
            }
        };
        let (start, end) = (
            from_start(first),
            from_start(last).saturating_add(1).min(units),
        );
        match self {
            _ if start >= end => 0..0,
            Self::Byte => start * 8..end * 8,
            Self::Bit => start..end,
        }
    }
}

/// Whether a string is so large that it is for a lane to go through it.
fn is_long(ctx: &ReadCtx<'_>, key: &[u8]) -> bool {
    match ctx.space.peek_string(key) {
        Ok(Some(string)) => ctx.call.is_long(string.len() / BYTES_AN_ELEMENT),
        Ok(None) | Err(_) => false,
    }
}

/// The bytes of a range of bits: the first and the last with the bits outside of the range cleared, if they are only partly
/// in it, and the whole ones between.
fn parts(bytes: &[u8], bits: Range<usize>) -> (u8, &[u8], u8) {
    let byte = |bit: usize| bytes.get(bit / 8).copied().unwrap_or(0);
    let head_mask = 0xff_u8 >> (bits.start % 8);
    let tail_mask = !(0xff_u8 >> (bits.end % 8));
    let (whole_from, whole_to) = (bits.start.div_ceil(8), bits.end / 8);
    if bits.is_empty() {
        (0, &[], 0)
    } else if whole_from > whole_to {
        (byte(bits.start) & head_mask & tail_mask, &[], 0)
    } else {
        let head = if bits.start.is_multiple_of(8) {
            0
        } else {
            byte(bits.start) & head_mask
        };
        let whole = bytes.get(whole_from..whole_to).unwrap_or_default();
        (head, whole, byte(bits.end) & tail_mask)
    }
}

fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    let (head, whole, tail) = parts(bytes, bits);
    let (words, rest) = whole.as_chunks::<8>();
    let words: usize = words
        .iter()
        .map(|word| u64::from_ne_bytes(*word).count_ones() as usize)
        .sum();
    let rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    words + (head.count_ones() + rest + tail.count_ones()) as usize
}

/// The first bit of the range that is `bit`.
fn first(bytes: &[u8], bits: Range<usize>, bit: bool) -> Option<usize> {
    let skipped = if bit { 0 } else { 0xff };
    let in_byte = |index: usize| {
        let differing = (bytes.get(index)? ^ skipped) & {
            let from = bits.start.saturating_sub(index * 8).min(8);
            let to = bits.end.saturating_sub(index * 8).min(8);
            ((0xff00_u16 >> to) as u8) & (0xff_u16 >> from) as u8
        };
        (differing != 0).then(|| index * 8 + differing.leading_zeros() as usize)
    };
    let (from, to) = (bits.start / 8, bits.end.div_ceil(8));
    let inner = bytes.get(from + 1..to).unwrap_or_default();
    in_byte(from).or_else(|| in_byte(from + 1 + skip(inner, skipped)))
}

/// How many bytes at the beginning are `skipped`, roughly: at least none, and never past one that is not.
fn skip(bytes: &[u8], skipped: u8) -> usize {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let differs = |chunk: &[u8]| chunk.iter().fold(0, |seen, byte| seen | (byte ^ skipped)) != 0;
    let (at, tail) = match chunks.iter().position(|chunk| differs(chunk)) {
        Some(at) => (at, chunks.get(at).map_or(rest, |chunk| &chunk[..])),
        None => (chunks.len(), rest),
    };
    let within = tail.iter().position(|byte| *byte != skipped);
    at * 32 + within.unwrap_or(tail.len())
}
