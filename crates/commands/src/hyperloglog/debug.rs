//! PFDEBUG and PFSELFTEST.

use super::error::HyperLogLogError;
use super::format::{Encoding, Owned, Sketch};
use super::pattern::{Pattern, REGISTERS};
use super::sparse::{Form, runs};
use super::{Registers, dense, value};
use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Expiry, Flags, Group, Handler, ReadCtx,
    Reply, Rng, WriteCtx,
};
use std::fmt::Write;
use store::StringValue;

pub(super) const PFDEBUG: DataCommand = DataCommand {
    name: "pfdebug",
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Shows the registers or the encoding of a HyperLogLog, or makes it dense.",
    complexity: "O(1), with a large constant",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::RW.union(KeyFlags::ACCESS), 2)],
    flags: Flags::ADMIN.union(Flags::DENYOOM).union(Flags::WRITE),
    categories: Categories::HYPERLOGLOG,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(pfdebug),
};

/// The subcommands of PFDEBUG.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Registers,
    Decoded,
    Encoding,
    Dense,
}

fn pfdebug(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let given = args.peek().unwrap_or_default();
    let wish = args.one_of(&[
        ("getreg", Wish::Registers),
        ("decode", Wish::Decoded),
        ("encoding", Wish::Encoding),
        ("todense", Wish::Dense),
    ]);
    if wish.is_none() {
        args.bytes()?;
    }
    let key = args.key()?;
    let mut slot = ctx.space.string_slot(key);
    let mut sketch = value::taken(&mut slot)?.ok_or(HyperLogLogError::NoSuchKey)?;
    let wish = wish.ok_or_else(|| HyperLogLogError::UnknownDebug(given.into()))?;
    let mut converted = false;
    if matches!(wish, Wish::Registers | Wish::Dense) && sketch.make_dense()? {
        // Neither watchers nor subscribers hear of it, but the log does, as in Redis 7.2.
        slot.put(StringValue::Edited(sketch.as_bytes()), Expiry::Keep);
        ctx.effects().dirty += 1;
        converted = true;
    }
    match wish {
        Wish::Dense => return Ok(converted.into()),
        Wish::Encoding => {
            return Ok(Reply::Simple(match sketch.encoding() {
                Encoding::Dense => "dense",
                Encoding::Sparse => "sparse",
            }));
        }
        Wish::Decoded => ctx.out.bulk(decoded(&sketch)?.as_bytes()),
        Wish::Registers => {
            let mut registers = Registers::default();
            registers.raise(Sketch::parse(sketch.as_bytes())?)?;
            ctx.out.array(REGISTERS);
            for register in registers.values() {
                ctx.out.integer(i64::from(*register));
            }
        }
    }
    Ok(Reply::Written)
}

/// Sparse registers as text.
fn decoded(sketch: &Owned) -> Result<String, HyperLogLogError> {
    let sketch = Sketch::parse(sketch.as_bytes())?;
    if sketch.encoding != Encoding::Sparse {
        return Err(HyperLogLogError::NotSparse);
    }
    let mut text = String::new();
    for run in runs(sketch.registers) {
        let (value, len) = (run.value, run.len);
        // A string takes all text.
        let _written = match run.form {
            Form::Zeros => write!(text, "z:{len} "),
            Form::ManyZeros => write!(text, "Z:{len} "),
            Form::Values => write!(text, "v:{value},{len} "),
        };
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

pub(super) const PFSELFTEST: DataCommand = DataCommand {
    name: "pfselftest",
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Checks the registers and the estimates on made-up elements.",
    complexity: "O(1), with a very large constant",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::ADMIN.union(Flags::RANGED),
    categories: Categories::HYPERLOGLOG,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(pfselftest),
};

fn pfselftest(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    args.finish()?;
    if ctx.call.is_long(ELEMENTS as usize) {
        return Ok(Reply::Elsewhere);
    }
    for _ in 0..CYCLES {
        test_registers(ctx.call.rng)?;
    }
    let sparse_max = ctx.call.settings.tuning.hll_sparse_max_bytes;
    test_estimates(ctx.call.rng.next_u64(), sparse_max)?;
    Ok(Reply::Ok)
}

/// How often all registers are written and read back, and how many elements are added: a hundredth of what Redis takes,
/// which fails no sooner for it.
const CYCLES: usize = 10;
const ELEMENTS: u64 = 100_000;

/// Dense registers hold what they are given, and no other's.
fn test_registers(rng: &mut Rng) -> Result<(), HyperLogLogError> {
    let mut bytes = [0; dense::DENSE];
    let mut expected = [0; REGISTERS];
    for (register, expected) in expected.iter_mut().enumerate() {
        let value = rng.below(64) as u8;
        *expected = value;
        dense::raise(&mut bytes, Pattern { register, value });
    }
    let found = dense::quads(&bytes).flatten();
    for (register, (expected, found)) in expected.into_iter().zip(found).enumerate() {
        if expected != found {
            return Err(HyperLogLogError::RegisterTest {
                register,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// Both encodings come to the same estimates, which are near the truth.
fn test_estimates(seed: u64, sparse_max: usize) -> Result<(), HyperLogLogError> {
    let (mut dense, mut grown) = (Owned::default(), Owned::default());
    dense.make_dense()?;
    let mut checkpoint = 1;
    for count in 1..=ELEMENTS {
        let element = (count ^ seed).to_le_bytes();
        dense.add(&element, 0)?;
        grown.add(&element, sparse_max)?;
        if count != checkpoint {
            continue;
        }
        checkpoint *= 10;
        if count < sparse_max as u64 / 2 && grown.encoding() != Encoding::Sparse {
            return Err(HyperLogLogError::SparseTest);
        }
        let estimate = Sketch::parse(dense.as_bytes())?.estimate()?;
        if Sketch::parse(grown.as_bytes())?.estimate()? != estimate {
            return Err(HyperLogLogError::AgreementTest);
        }
        let error = estimate.abs_diff(count);
        if error > error_max(count) {
            return Err(HyperLogLogError::ErrorTest {
                cardinality: count,
                error,
            });
        }
    }
    Ok(())
}

/// Six times the standard error. Ten elements may collide once.
fn error_max(count: u64) -> u64 {
    let standard = 1.04 / (REGISTERS as f64).sqrt();
    match count {
        10 => 1,
        _ => (standard * 6.0 * count as f64).ceil() as u64,
    }
}
