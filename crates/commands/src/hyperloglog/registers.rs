//! Registers taken apart, a byte each, for the union of several HyperLogLogs.

use super::dense;
use super::error::HyperLogLogError;
use super::estimate::{self, Histogram};
use super::format::{Encoding, Sketch};
use super::pattern::{Pattern, REGISTERS};
use super::sparse::runs;

/// A register a byte.
pub(super) struct Registers([u8; REGISTERS]);

impl Default for Registers {
    fn default() -> Self {
        Self([0; REGISTERS])
    }
}

impl Registers {
    /// Raises every register to that of `sketch` where it is lower. Sparse registers that do not add up raise some of them
    /// before that is noticed.
    pub(super) fn raise(&mut self, sketch: Sketch<'_>) -> Result<(), HyperLogLogError> {
        match sketch.encoding {
            Encoding::Dense => {
                let (mine, _) = self.0.as_chunks_mut::<4>();
                for (mine, other) in mine.iter_mut().zip(dense::quads(sketch.registers)) {
                    *mine = std::array::from_fn(|nth| mine[nth].max(other[nth]));
                }
                Ok(())
            }
            Encoding::Sparse => self.raise_sparse(sketch.registers),
        }
    }

    fn raise_sparse(&mut self, sparse: &[u8]) -> Result<(), HyperLogLogError> {
        let mut at = 0;
        for run in runs(sparse) {
            let mine = self.0.get_mut(at..at + run.len);
            for register in mine.ok_or(HyperLogLogError::Corrupted)? {
                *register = run.value.max(*register);
            }
            at += run.len;
        }
        if at == REGISTERS {
            Ok(())
        } else {
            Err(HyperLogLogError::Corrupted)
        }
    }

    /// The registers that are not zero, in order.
    pub(super) fn patterns(&self) -> impl Iterator<Item = Pattern> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, value)| **value > 0)
            .map(|(register, value)| Pattern {
                register,
                value: *value,
            })
    }

    /// All registers.
    pub(super) fn values(&self) -> &[u8] {
        &self.0
    }

    /// The estimate.
    pub(super) fn estimate(&self) -> u64 {
        let mut histogram: Histogram = [0; 64];
        for register in self.0 {
            histogram[usize::from(register & 63)] += 1;
        }
        estimate::estimate(&histogram)
    }
}
