//! The format of a HyperLogLog's string: its header, which encoding it has, and the estimate kept in it.

use super::dense::{self, DENSE};
use super::error::HyperLogLogError;
use super::estimate::{self, Histogram};
use super::pattern::{Pattern, REGISTERS};
use super::registers::Registers;
use super::sparse::{self, Raised, Start, runs};

/// Bytes before the registers.
pub(super) const HEADER: usize = 16;

const MAGIC: &[u8; 4] = b"HYLL";

/// Where the kept estimate lies, 8 bytes.
const KEPT: usize = 8;

/// The bit of its last byte that says it is not valid any more.
const NOT_VALID: u64 = 1 << 63;

/// How registers are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Dense,
    Sparse,
}

/// A string that has the form of a HyperLogLog. Whether sparse registers add up is found out by whoever reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch<'a> {
    pub(super) encoding: Encoding,
    pub(super) registers: &'a [u8],
    kept: u64,
}

impl<'a> Sketch<'a> {
    /// Looks at a string (isHLLObjectOrReply, Redis 7.2).
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, HyperLogLogError> {
        let parsed = bytes
            .split_first_chunk::<HEADER>()
            .and_then(|(header, registers)| {
                let (magic, rest) = header.split_first_chunk::<4>()?;
                let encoding = match rest.first()? {
                    0 if registers.len() == DENSE => Encoding::Dense,
                    1 => Encoding::Sparse,
                    _ => return None,
                };
                let kept = u64::from_le_bytes(*header.last_chunk()?);
                (magic == MAGIC).then_some(Self {
                    encoding,
                    registers,
                    kept,
                })
            });
        parsed.ok_or(HyperLogLogError::NotValid)
    }

    /// The estimate, from the registers.
    pub(super) fn estimate(&self) -> Result<u64, HyperLogLogError> {
        let mut histogram: Histogram = [0; 64];
        match self.encoding {
            Encoding::Dense => {
                for register in dense::quads(self.registers).flatten() {
                    histogram[usize::from(register)] += 1;
                }
            }
            Encoding::Sparse => {
                let mut sum = 0;
                for run in runs(self.registers) {
                    sum += run.len;
                    let count = &mut histogram[usize::from(run.value)];
                    *count = count.saturating_add(run.len as u32);
                }
                if sum != REGISTERS {
                    return Err(HyperLogLogError::Corrupted);
                }
            }
        }
        Ok(estimate::estimate(&histogram))
    }
}

/// The kept estimate of a HyperLogLog if it is valid; otherwise the estimate is made and kept. Whether it is new is told.
pub(super) fn estimate_and_keep(bytes: &mut [u8]) -> Result<(u64, bool), HyperLogLogError> {
    let sketch = Sketch::parse(bytes)?;
    if sketch.kept & NOT_VALID == 0 {
        return Ok((sketch.kept, false));
    }
    let estimate = sketch.estimate()?;
    if let Some(kept) = bytes.get_mut(KEPT..HEADER) {
        kept.copy_from_slice(&estimate.to_le_bytes());
    }
    Ok((estimate, true))
}

/// Marks the kept estimate as no longer valid.
pub(super) fn invalidate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(HEADER - 1) {
        *last |= 1 << 7;
    }
}

/// A HyperLogLog taken out of its key to be changed: its whole string.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl Default for Owned {
    /// Sparse, and nothing added yet: one run of zeros, and a valid estimate of 0.
    fn default() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.push(1);
        bytes.resize(HEADER, 0);
        sparse::write_zeros(REGISTERS, |byte| bytes.push(byte));
        Self {
            encoding: Encoding::Sparse,
            bytes,
        }
    }
}

impl Owned {
    /// A copy of a string that has the form of a HyperLogLog.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HyperLogLogError> {
        Ok(Self {
            encoding: Sketch::parse(bytes)?.encoding,
            bytes: bytes.to_vec(),
        })
    }

    /// The whole string.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Marks the kept estimate as no longer valid.
    pub(super) fn invalidate(&mut self) {
        invalidate(&mut self.bytes);
    }

    /// Adds an element; whether that raised a register. Sparse registers become dense where they would take more than
    /// `sparse_max` bytes, header included.
    pub(super) fn add(
        &mut self,
        element: &[u8],
        sparse_max: usize,
    ) -> Result<bool, HyperLogLogError> {
        let (changed, _) = self.raise_one(Pattern::of(element), sparse_max, Start::default())?;
        Ok(changed)
    }

    /// Raises every register to that of `union`. Of sparse registers that do not add up, what can be raised is.
    pub(super) fn raise(&mut self, union: &Registers, sparse_max: usize) {
        let mut start = Start::default();
        for pattern in union.patterns() {
            if let Ok((_, next)) = self.raise_one(pattern, sparse_max, start) {
                start = next;
            }
        }
    }

    /// Makes sparse registers dense; whether they were sparse. What was not valid stays as it is.
    pub(super) fn make_dense(&mut self) -> Result<bool, HyperLogLogError> {
        if self.encoding == Encoding::Dense {
            return Ok(false);
        }
        let mut registers = Registers::default();
        registers.raise(Sketch::parse(&self.bytes)?)?;
        self.bytes.truncate(HEADER);
        self.bytes.resize(HEADER + DENSE, 0);
        if let Some(encoding) = self.bytes.get_mut(MAGIC.len()) {
            *encoding = 0;
        }
        self.encoding = Encoding::Dense;
        for pattern in registers.patterns() {
            self.raise_dense(pattern);
        }
        Ok(true)
    }

    fn raise_dense(&mut self, pattern: Pattern) -> bool {
        let registers = self.bytes.get_mut(HEADER..).unwrap_or_default();
        dense::raise(registers, pattern)
    }

    fn raise_one(
        &mut self,
        pattern: Pattern,
        sparse_max: usize,
        start: Start,
    ) -> Result<(bool, Start), HyperLogLogError> {
        if self.encoding == Encoding::Sparse {
            let room = sparse_max.saturating_sub(self.bytes.len());
            match sparse::raise(&mut self.bytes, pattern, room, start)? {
                Raised::Done { changed, next } => return Ok((changed, next)),
                Raised::TooLarge => self.make_dense()?,
            };
        }
        Ok((self.raise_dense(pattern), start))
    }
}
