//! HyperLogLog commands: estimates of how many different elements were added to a key. The value is a string in Redis' own
//! format, byte for byte, so that GET, SET, DUMP and RESTORE carry it between servers.
//!
//! ```text
//! "HYLL"  encoding  3 bytes   8 bytes                      registers
//!         0 dense   not used  cached estimate, little      dense: 6 bits each, the first in the low bits of the first byte
//!         1 sparse            endian; high bit: not valid  sparse: runs of equal registers
//! ```

mod debug;
mod dense;
mod error;
mod estimate;
mod format;
mod pattern;
mod registers;
mod sparse;
mod value;

pub use error::HyperLogLogError;

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    Reply, WriteCtx,
};
use format::{Encoding, Sketch};
use registers::Registers;
use store::StringValue;

/// The rows of this family, in documentation order.
pub const COMMANDS: &[&DataCommand] = &[
    &PFADD,
    &PFCOUNT,
    &debug::PFDEBUG,
    &PFMERGE,
    &debug::PFSELFTEST,
];

const PFADD: DataCommand = DataCommand {
    name: "pfadd",
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Adds elements to a HyperLogLog, which is made if it is not there.",
    complexity: "O(1) for each element",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::INSERT), 1)],
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::HYPERLOGLOG,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(pfadd),
};

fn pfadd(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, elements) = (args.key()?, args.rest());
    let sparse_max = ctx.call.settings.tuning.hll_sparse_max_bytes;
    let mut slot = ctx.space.string_slot(key);
    let fresh = !slot.exists();
    if let Some(Encoding::Dense) = value::encoding_at(&slot)? {
        let added = slot.edit(0, |bytes| dense::add_all(bytes, elements))?;
        if added > 0 {
            slot.commit(EventClass::STRING, "pfadd", added);
        }
        return Ok(Reply::from(added > 0));
    }
    let mut sketch = value::taken(&mut slot)?.unwrap_or_default();
    let mut added = u64::from(fresh);
    let mut failed = None;
    for element in elements {
        match sketch.add(element, sparse_max) {
            Ok(changed) => added += u64::from(changed),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    if added > 0 {
        sketch.invalidate();
        slot.put(StringValue::Edited(sketch.as_bytes()), Expiry::Keep);
    }
    if let Some(error) = failed {
        // What was added before the broken part was met stays, without a trace, as in Redis 7.2.
        return Err(error.into());
    }
    if added > 0 {
        slot.commit(EventClass::STRING, "pfadd", added);
    }
    Ok(Reply::from(added > 0))
}

const PFCOUNT: DataCommand = DataCommand {
    name: "pfcount",
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Returns the estimated number of elements of a HyperLogLog, or of several together.",
    complexity: "O(1) for one key, O(N) for N keys with a large constant",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(
        KeyFlags::RW.union(KeyFlags::ACCESS),
        1,
        -1,
        1,
    )],
    // It reads, but for the estimate that it keeps in the value, which is a change like any other.
    flags: Flags::READONLY
        .union(Flags::MAY_REPLICATE)
        .union(Flags::RANGED),
    categories: Categories::HYPERLOGLOG,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(pfcount),
};

fn pfcount(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let keys = args.rest();
    let [key] = keys else {
        if ctx.call.is_long(keys.len() * ELEMENTS_A_KEY) {
            return Ok(Reply::Elsewhere);
        }
        let (union, _) = union_of(ctx, keys)?;
        return Ok(estimated(union.estimate()));
    };
    let mut slot = ctx.space.read_string_slot(key);
    if value::encoding_at(&slot)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let (estimate, is_new) = slot.edit(0, format::estimate_and_keep)??;
    if is_new {
        ctx.space.touch(key);
        ctx.effects().dirty += 1;
    }
    Ok(estimated(estimate))
}

const PFMERGE: DataCommand = DataCommand {
    name: "pfmerge",
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Merges HyperLogLogs into one, which is made if it is not there.",
    complexity: "O(N) for N keys, with a large constant",
    arity: Arity::AtLeast(2),
    keys: &[
        KeySpec::one(
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::INSERT),
            1,
        ),
        KeySpec::range(KeyFlags::RO.union(KeyFlags::ACCESS), 2, -1, 1),
    ],
    flags: Flags::DENYOOM.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::HYPERLOGLOG,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(pfmerge),
};

fn pfmerge(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    // The target counts among the sources.
    let (sources, target) = (args.peek_all(), args.key()?);
    if ctx.call.is_long(sources.len() * ELEMENTS_A_KEY) {
        return Ok(Reply::Elsewhere);
    }
    let (union, densest) = union_of(ctx, sources)?;
    let sparse_max = ctx.call.settings.tuning.hll_sparse_max_bytes;
    let mut slot = ctx.space.string_slot(target);
    let mut sketch = value::taken(&mut slot)?.unwrap_or_default();
    if densest == Encoding::Dense {
        sketch.make_dense()?;
    }
    sketch.raise(&union, sparse_max);
    sketch.invalidate();
    slot.put(StringValue::Edited(sketch.as_bytes()), Expiry::Keep);
    slot.commit(EventClass::STRING, "pfadd", 1);
    Ok(Reply::Ok)
}

/// The registers of the HyperLogLogs at `keys` taken together, and dense if any of them is.
fn union_of(ctx: &mut WriteCtx<'_>, keys: &[&[u8]]) -> Result<(Registers, Encoding), CommandError> {
    let mut union = Registers::default();
    let mut densest = Encoding::Sparse;
    for key in keys {
        let Some(entry) = ctx.space.read(key) else {
            continue;
        };
        let bytes = value::bytes_of(entry)?;
        let sketch = Sketch::parse(bytes)?;
        if sketch.encoding == Encoding::Dense {
            densest = Encoding::Dense;
        }
        union.raise(sketch)?;
    }
    Ok((union, densest))
}

/// An estimate as a reply: beyond 63 bits, which only forged registers come to, it turns negative as in Redis.
fn estimated(estimate: u64) -> Reply {
    Reply::Integer(estimate.cast_signed())
}

/// What looking at all registers of a key is worth, in elements of other types (see [`crate::Call::is_long`]).
const ELEMENTS_A_KEY: usize = 256;
