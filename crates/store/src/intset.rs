//! The intset: sorted integers of one width in a run of bytes, byte for byte as Redis lays it out.
//!
//! ```text
//! +---------------------------+----------------+-------+-----+-------+
//! | width (u32 LE: 2, 4 or 8) | count (u32 LE) | lowest| ... |highest|   each of `width` bytes, LE, ascending
//! +---------------------------+----------------+-------+-----+-------+
//! ```
//! The width is that of the widest integer there has been; it never shrinks.

use entry::{BLOB_PREFIX, Blob};

use crate::listpack::Depth;
use crate::random::{Random, below};

/// Bytes of the header.
const HEADER: usize = 8;
/// No intset grows beyond this many integers, whatever the configuration says (Redis 6.2.6).
pub const INTSET_MAX: usize = 1 << 30;

/// A sorted set of integers, packed.
#[derive(Clone, Debug)]
pub struct Intset {
    /// The blob's own length, then the intset.
    blob: Blob,
}

impl Intset {
    /// An intset without integers.
    pub fn new() -> Self {
        let mut blob = Blob::zeroed(BLOB_PREFIX + HEADER);
        blob.tail_mut()[0] = 2;
        Self { blob }
    }

    /// A copy of `bytes` in Redis' format; `None` when [`Intset::validate`] says no to the header.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::validate(bytes, Depth::Header).then_some(())?;
        let mut blob = Blob::zeroed(BLOB_PREFIX + bytes.len());
        blob.tail_mut().copy_from_slice(bytes);
        Some(Self { blob })
    }

    /// Whether `bytes` are an intset: width and count against the length and, with [`Depth::Entries`], the order. An empty one is none, as in Redis.
    pub fn validate(bytes: &[u8], depth: Depth) -> bool {
        let (Some(width), Some(count)) = (word(bytes, 0), word(bytes, 4)) else {
            return false;
        };
        let framed = matches!(width, 2 | 4 | 8)
            && count > 0
            && (width as usize).checked_mul(count as usize) == Some(bytes.len() - HEADER);
        framed && (depth == Depth::Header || View { bytes }.iter().is_sorted_by(|a, b| a < b))
    }

    /// The bytes in Redis' format.
    pub fn as_bytes(&self) -> &[u8] {
        &self.blob.as_bytes()[BLOB_PREFIX..]
    }

    /// Number of integers.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no integer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `value` is in the set: O(log n).
    pub fn contains(&self, value: i64) -> bool {
        self.view().search(value).is_ok()
    }

    /// The integer at `index`, ascending.
    pub fn get(&self, index: usize) -> Option<i64> {
        self.view().get(index)
    }

    /// The integers, ascending, from both ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        self.view().iter()
    }

    /// One of the integers, each as likely as another; `None` when there is none.
    pub fn random(&self, random: Random<'_>) -> Option<i64> {
        self.get(below(random, self.len()))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.blob.heap_bytes()
    }

    /// Adds `value`; false when it was there. O(n) bytes moved.
    pub fn add(&mut self, value: i64) -> bool {
        let width = self.view().width().max(width_of(value));
        let Err(index) = self.view().search(value) else {
            return false;
        };
        let count = self.len();
        if width == self.view().width() {
            self.blob.resize(BLOB_PREFIX + HEADER + (count + 1) * width);
            let at = HEADER + index * width;
            self.blob
                .tail_mut()
                .copy_within(at..HEADER + count * width, at + width);
        } else {
            self.widen(width, index);
        }
        write(self.blob.tail_mut(), width, index, value);
        self.set_count(count + 1);
        true
    }

    /// Removes `value`; false when it was not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.view().search(value) else {
            return false;
        };
        let (width, count) = (self.view().width(), self.len());
        let at = HEADER + index * width;
        self.blob
            .tail_mut()
            .copy_within(at + width..HEADER + count * width, at);
        self.blob.resize(BLOB_PREFIX + HEADER + (count - 1) * width);
        self.set_count(count - 1);
        true
    }

    /// Removes the integers that `keep` refuses, in one pass; it is asked once for each, ascending.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let (width, count) = (self.view().width(), self.len());
        let mut kept = 0;
        for index in 0..count {
            let Some(value) = self.get(index).filter(|&value| keep(value)) else {
                continue;
            };
            write(self.blob.tail_mut(), width, kept, value);
            kept += 1;
        }
        self.blob.resize(BLOB_PREFIX + HEADER + kept * width);
        self.set_count(kept);
    }

    /// Rewrites the integers at a larger width, leaving a hole at `hole`, which is one of the ends: only an integer beyond all others widens.
    fn widen(&mut self, width: usize, hole: usize) {
        let values: Vec<i64> = self.iter().collect();
        self.blob
            .resize(BLOB_PREFIX + HEADER + (values.len() + 1) * width);
        let bytes = self.blob.tail_mut();
        bytes[0] = width as u8;
        for (index, value) in values.into_iter().enumerate() {
            write(bytes, width, index + usize::from(index >= hole), value);
        }
    }

    fn set_count(&mut self, count: usize) {
        self.blob.tail_mut()[4..HEADER].copy_from_slice(&(count as u32).to_le_bytes());
    }

    fn view(&self) -> View<'_> {
        View {
            bytes: self.as_bytes(),
        }
    }
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<i64> for Intset {
    fn from_iter<T: IntoIterator<Item = i64>>(values: T) -> Self {
        let mut set = Self::new();
        for value in values {
            set.add(value);
        }
        set
    }
}

#[derive(Clone, Copy)]
struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    fn width(self) -> usize {
        word(self.bytes, 0).unwrap_or(2) as usize
    }

    fn len(self) -> usize {
        word(self.bytes, 4).unwrap_or(0) as usize
    }

    fn get(self, index: usize) -> Option<i64> {
        let rest = self.bytes.get(HEADER + index * self.width()..)?;
        Some(match self.width() {
            2 => i64::from(i16::from_le_bytes(*rest.first_chunk()?)),
            4 => i64::from(i32::from_le_bytes(*rest.first_chunk()?)),
            _ => i64::from_le_bytes(*rest.first_chunk()?),
        })
    }

    fn iter(self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + 'a {
        (0..self.len()).map(move |index| self.get(index).unwrap_or_default())
    }

    /// The index of `value`, or else the index where it belongs.
    fn search(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Appending ascending integers is the common way to fill one.
        if high > 0 && self.get(high - 1).is_some_and(|highest| value > highest) {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).unwrap_or_default().cmp(&value) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

fn write(bytes: &mut [u8], width: usize, index: usize, value: i64) {
    let at = HEADER + index * width;
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            -50i64..50,
            -40_000i64..40_000,
            any::<i32>().prop_map(i64::from),
            any::<i64>()
        ]
    }

    proptest! {
        #[test]
        fn an_intset_is_a_set(steps in prop::collection::vec((any::<bool>(), value()), 0..200)) {
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            for (add, value) in steps {
                if add {
                    prop_assert_eq!(set.add(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), add);
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert!(set.iter().rev().eq(model.iter().rev().copied()));
            prop_assert_eq!(Intset::validate(set.as_bytes(), Depth::Entries), !model.is_empty());
            if let Some(copy) = Intset::from_bytes(set.as_bytes()) {
                prop_assert_eq!(copy.as_bytes(), set.as_bytes());
            }
            set.retain(|value| value % 3 == 0);
            model.retain(|value| value % 3 == 0);
            prop_assert!(set.iter().eq(model.into_iter()));
        }

        #[test]
        fn hostile_bytes_do_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0u8..9, value in any::<i64>()) {
            if bytes.len() >= HEADER {
                bytes[..4].copy_from_slice(&[width, 0, 0, 0]);
                let count = (bytes.len() - HEADER) / usize::from(width.max(1));
                bytes[4..8].copy_from_slice(&(count as u32).to_le_bytes());
            }
            Intset::validate(&bytes, Depth::Entries);
            if let Some(mut set) = Intset::from_bytes(&bytes) {
                set.contains(value);
                set.add(value);
                set.remove(value);
                prop_assert_eq!(set.iter().count(), set.len());
            }
        }
    }

    #[test]
    fn bytes_are_those_of_redis() {
        let set: Intset = [5, -1, 300].into_iter().collect();
        assert_eq!(
            set.as_bytes(),
            [2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 5, 0, 0x2c, 1]
        );
        let set: Intset = [5, 40_000].into_iter().collect();
        assert_eq!(
            set.as_bytes(),
            [4, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0x40, 0x9c, 0, 0]
        );
        let set: Intset = [5, i64::MIN].into_iter().collect();
        assert_eq!(set.as_bytes()[..4], [8, 0, 0, 0]);
        assert!(!Intset::validate(
            &[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0],
            Depth::Entries
        ));
        assert!(Intset::validate(
            &[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0],
            Depth::Header
        ));
    }
}
