//! Sparse registers: runs of equal values, one after another until all registers are named.
//!
//! ```text
//! 00llllll            l + 1 registers are 0
//! 01llllll llllllll   l + 1 registers are 0, the high bits first
//! 1vvvvvll            l + 1 registers are v + 1
//! ```
//! Which of several ways to write the same registers is chosen, is decided as in Redis 7.2, so that the bytes are the same.

use super::error::HyperLogLogError;
use super::format::HEADER;
use super::pattern::Pattern;
use smallvec::SmallVec;

/// Registers that one byte of zeros names at most.
const SHORT_MAX: usize = 64;
/// Registers that one byte of another value names at most.
const EQUAL_MAX: usize = 4;
/// The highest value of a sparse register.
const VALUE_MAX: u8 = 32;

/// Some registers of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) len: usize,
    /// How it is written.
    pub(super) form: Form,
}

/// How a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Zeros,
    ManyZeros,
    Values,
}

impl Run {
    /// The run that begins with the first of `bytes`. A second byte that is missing counts as 0.
    fn first(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Self {
                value: 0,
                len: low + 1,
                form: Form::Zeros,
            },
            1 => Self {
                value: 0,
                len: (low << 8 | usize::from(rest.first().copied().unwrap_or(0))) + 1,
                form: Form::ManyZeros,
            },
            _ => Self {
                value: (first >> 2 & 0x1f) + 1,
                len: usize::from(first & 3) + 1,
                form: Form::Values,
            },
        })
    }

    /// Bytes that it takes.
    fn width(self) -> usize {
        match self.form {
            Form::Zeros | Form::Values => 1,
            Form::ManyZeros => 2,
        }
    }
}

/// The runs of sparse registers, in order.
pub(super) fn runs(sparse: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = sparse;
    std::iter::from_fn(move || {
        let run = Run::first(rest)?;
        rest = rest.get(run.width()..).unwrap_or_default();
        Some(run)
    })
}

/// Writes `len` registers of 0 in the shortest form; nothing for none.
pub(super) fn write_zeros(len: usize, mut push: impl FnMut(u8)) {
    let Some(last) = len.checked_sub(1) else {
        return;
    };
    if len > SHORT_MAX {
        push(0x40 | (last >> 8) as u8);
    }
    push(last as u8);
}

/// A byte for up to four registers of `value`.
fn values(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// Where to look for a register: a place in the string, of a run that begins before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    at: usize,
    register: usize,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            at: HEADER,
            register: 0,
        }
    }
}

/// What raising a register came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raised {
    /// The register has at least the value now; higher registers can be looked for from `next` on.
    Done { changed: bool, next: Start },
    /// The registers have to become dense for it; nothing has changed.
    TooLarge,
}

/// Raises a register to a value if it is lower. `bytes` is the whole string, header included, which may grow by `room` bytes.
/// `start` is what raising a lower register returned, or the default.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    pattern: Pattern,
    room: usize,
    start: Start,
) -> Result<Raised, HyperLogLogError> {
    if pattern.value > VALUE_MAX {
        return Ok(Raised::TooLarge);
    }
    let place = Place::find(bytes, pattern.register, start).ok_or(HyperLogLogError::Corrupted)?;
    let next = place.before_previous;
    if place.run.value >= pattern.value {
        let changed = false;
        return Ok(Raised::Done { changed, next });
    }
    let mut parts = place.split(pattern);
    let width = place.run.width();
    if parts.len() > width && parts.len() - width > room {
        return Ok(Raised::TooLarge);
    }
    let mut end = place.at + width;
    if end > bytes.len() {
        // The second byte of the last run is missing, and its successor's will be.
        parts.pop();
        end = bytes.len();
    }
    bytes.splice(place.at..end, parts);
    join(bytes, place.previous.at);
    let changed = true;
    Ok(Raised::Done { changed, next })
}

/// Where a register was found.
struct Place {
    /// The run that names it.
    run: Run,
    at: usize,
    /// The first register that the run names.
    first: usize,
    /// The run before it, or itself.
    previous: Start,
    /// The run before that, or the start.
    before_previous: Start,
}

impl Place {
    fn find(bytes: &[u8], register: usize, start: Start) -> Option<Self> {
        let (mut previous, mut before_previous, mut here) = (start, start, start);
        loop {
            let run = Run::first(bytes.get(here.at..)?)?;
            let Start {
                at,
                register: first,
            } = here;
            if register < first + run.len {
                return Some(Self {
                    run,
                    at,
                    first,
                    previous,
                    before_previous,
                });
            }
            before_previous = previous;
            previous = here;
            here.at += run.width();
            here.register += run.len;
        }
    }

    /// The run with the pattern in it: what comes before it, itself, and what comes behind.
    fn split(&self, pattern: Pattern) -> Parts {
        let mut parts = Parts::new();
        let before = pattern.register - self.first;
        let behind = self.run.len - before - 1;
        self.write(before, &mut parts);
        parts.push(values(pattern.value, 1));
        self.write(behind, &mut parts);
        parts
    }

    /// Writes `len` of the registers that the run names.
    fn write(&self, len: usize, parts: &mut Parts) {
        match self.run.form {
            Form::Zeros | Form::ManyZeros => write_zeros(len, |byte| parts.push(byte)),
            Form::Values if len > 0 => parts.push(values(self.run.value, len)),
            Form::Values => {}
        }
    }
}

/// The bytes of up to three runs.
type Parts = SmallVec<[u8; 8]>;

/// Joins runs of the same value around a change: five of them from `at` on are looked at, as in Redis 7.2.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = bytes.get(at..).and_then(Run::first) else {
            return;
        };
        let next = bytes.get(at + 1..).and_then(Run::first);
        match next {
            Some(next)
                if run.form == Form::Values
                    && next.form == Form::Values
                    && run.value == next.value
                    && run.len + next.len <= EQUAL_MAX =>
            {
                bytes.remove(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = values(run.value, run.len + next.len);
                }
            }
            _ => at += run.width(),
        }
    }
}
