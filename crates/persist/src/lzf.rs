//! LZF, the compression of strings in RDB files: Lehmann's format, back references of up to 264 bytes over up to 8 kB.
//!
//! ```text
//! 000LLLLL                    then L+1 bytes as they are
//! LLLooooo oooooooo           L+2 bytes (L is 1..=6) from o+1 bytes ago
//! 111ooooo LLLLLLLL oooooooo  L+9 bytes from o+1 bytes ago
//! ```
//! The compressor looks for three bytes that were seen before in a table without chains, and after a match notes two places
//! more: liblzf's "very fast" mode with a table of 65,536 places, which Redis uses, so that the bytes come out the same.

/// Finds what bytes have in common with those before them. The table is kept from string to string.
#[derive(Clone, Debug)]
pub(crate) struct Compressor {
    /// Where three bytes of this hash were seen last, counted over all strings ever compressed, plus one.
    table: Vec<u32>,
    /// What the places of the present string are counted from: whatever is below is of another string.
    base: u32,
    repetitions: Repetitions,
}

const TABLE_BITS: u32 = 16;
const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MAX: usize = 264;
/// The most that a byte can become: three bytes become 264.
const EXPANSION_MAX: u64 = 88;
/// Longer strings are not compressed, so that places fit the table.
const INPUT_MAX: usize = (u32::MAX / 2) as usize - 2;

impl Compressor {
    pub(crate) fn new() -> Self {
        Self {
            table: vec![0; 1 << TABLE_BITS],
            base: 0,
            repetitions: Repetitions::new(),
        }
    }

    /// Appends the compressed form of `input` to `out` if it is at most `max` bytes long; whether it is. `out` is as it was otherwise.
    pub(crate) fn compress(&mut self, input: &[u8], max: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if input.len() > INPUT_MAX || !self.repetitions.may_save(input, max) {
            return false;
        }
        let fits = self.try_compress(input, start + max, out).is_some();
        if !fits {
            out.truncate(start);
        }
        self.advance(input.len());
        fits
    }

    /// `None` when `out` would become longer than `limit`.
    fn try_compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let mut literals = Literals::begin(out);
        let mut at = 0;
        while let Some(window) = input.get(at..).and_then(|rest| rest.first_chunk::<3>()) {
            let seen = self.note(*window, at);
            let found = seen.filter(|&seen| {
                at - seen <= DISTANCE_MAX
                    && seen > 0
                    && input.get(seen..seen + 3) == Some(window.as_slice())
            });
            let Some(seen) = found else {
                literals.push(window[0], out, limit)?;
                at += 1;
                continue;
            };
            literals.end(out);
            let len = match_len(input, seen, at);
            // Room for this reference and the literals behind it, as liblzf counts it.
            if out.len() + 4 >= limit {
                return None;
            }
            put_match(len, at - seen - 1, out);
            literals = Literals::begin(out);
            at += len;
            if at + 2 >= input.len() {
                break;
            }
            for place in at - 2..at {
                if let Some(window) = input.get(place..).and_then(|rest| rest.first_chunk()) {
                    self.note(*window, place);
                }
            }
        }
        if out.len() + 3 > limit {
            return None;
        }
        for &byte in input.get(at..).unwrap_or_default() {
            literals.push(byte, out, usize::MAX)?;
        }
        literals.end(out);
        Some(())
    }

    /// Notes that `window` stands at `at`, and tells where it, or something of the same hash, stood before in the same string.
    fn note(&mut self, window: [u8; 3], at: usize) -> Option<usize> {
        let slot = self.table.get_mut(hash(window))?;
        let seen = slot.checked_sub(self.base + 1);
        *slot = self.base + at as u32 + 1;
        seen.map(|seen| seen as usize)
    }

    /// Makes the places of a string of `len` bytes those of another one.
    fn advance(&mut self, len: usize) {
        match self.base.checked_add(len as u32 + 1) {
            Some(base) if base < u32::MAX / 2 => self.base = base,
            _ => {
                self.table.fill(0);
                self.base = 0;
            }
        }
    }
}

/// Tells at a glance, in a table that fits the nearest cache, that a short string has too few repetitions to become shorter:
/// keys and random values mostly do not.
#[derive(Clone, Debug)]
struct Repetitions {
    /// In which string three bytes of this hash were seen last.
    seen: Box<[u8; REPETITION_PLACES]>,
    /// The number of the present string.
    string: u8,
}

const REPETITION_PLACES: usize = 1 << 13;
/// In longer strings too many threes have the same hash by chance.
const GLANCE_MAX: usize = 384;

impl Repetitions {
    fn new() -> Self {
        Self {
            seen: Box::new([0; REPETITION_PLACES]),
            string: 0,
        }
    }

    /// Whether the compressed form of `input` may have `max` bytes or fewer.
    ///
    /// With k places whose three bytes stood before in the string, references save at most k bytes: one of L bytes covers L-2
    /// such places, and takes two bytes itself. At least len-3k bytes stay as they are, with a head byte for 32 of them. So the
    /// form is no shorter than len - k + (len-3k)/32, and fits only if 35 k >= 32 (len-max) + len.
    fn may_save(&mut self, input: &[u8], max: usize) -> bool {
        if input.len() > GLANCE_MAX {
            return true;
        }
        self.string = self.string.wrapping_add(1);
        if self.string == 0 {
            self.seen.fill(0);
            self.string = 1;
        }
        let needed = (32 * input.len().saturating_sub(max) + input.len()).div_ceil(35);
        let mut repeated = 0;
        for window in input.windows(3) {
            let [a, b, c] = *window else { continue };
            let value = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
            let place = (value >> (32 - REPETITION_PLACES.ilog2())) as usize;
            if let Some(seen) = self.seen.get_mut(place) {
                repeated += usize::from(*seen == self.string);
                *seen = self.string;
            }
        }
        repeated >= needed
    }
}

/// The run of bytes as they are that is being written: where its head byte is.
struct Literals {
    head: usize,
    count: usize,
}

impl Literals {
    fn begin(out: &mut Vec<u8>) -> Self {
        let head = out.len();
        out.push(0);
        Self { head, count: 0 }
    }

    /// Adds a byte; `None` when there is no room for it.
    fn push(&mut self, byte: u8, out: &mut Vec<u8>, limit: usize) -> Option<()> {
        if out.len() >= limit {
            return None;
        }
        out.push(byte);
        self.count += 1;
        if self.count == LITERALS_MAX {
            self.end(out);
            *self = Self::begin(out);
        }
        Some(())
    }

    /// Writes the head byte, or takes it back when no byte follows.
    fn end(&self, out: &mut Vec<u8>) {
        match self.count.checked_sub(1) {
            Some(head) => {
                if let Some(byte) = out.get_mut(self.head) {
                    *byte = head as u8;
                }
            }
            None => out.truncate(self.head),
        }
    }
}

fn hash([a, b, c]: [u8; 3]) -> usize {
    let value = u32::from_be_bytes([0, a, b, c]);
    let mixed = (value >> (24 - TABLE_BITS)).wrapping_sub(value.wrapping_mul(5));
    (mixed & ((1 << TABLE_BITS) - 1)) as usize
}

/// How many bytes from `at` on are those from `seen` on; three are known to be.
///
/// liblzf leaves the last two bytes of the input out of a match, but compares sixteen bytes without looking for the end where
/// more than sixteen are left beside those: what it finds there counts.
fn match_len(input: &[u8], seen: usize, at: usize) -> usize {
    const UNCHECKED: usize = 19;
    let left = input.len() - at - 2;
    let max = match left.min(MATCH_MAX) {
        max @ 17.. => max.max(UNCHECKED),
        max => max,
    };
    let before = input.get(seen..).unwrap_or_default();
    let after = input.get(at..at + max).unwrap_or_default();
    let same = before
        .iter()
        .zip(after)
        .take_while(|(before, after)| before == after)
        .count();
    same.max(3)
}

fn put_match(len: usize, distance: usize, out: &mut Vec<u8>) {
    let (high, low) = ((distance >> 8) as u8, distance as u8);
    match len - 2 {
        code @ ..7 => out.push((code as u8) << 5 | high),
        code => out.extend([7 << 5 | high, (code - 7) as u8]),
    }
    out.push(low);
}

/// Makes `compressed` again what it was, in the stead of what is in `out`: exactly `len` bytes. False when it does not become that.
pub(crate) fn decompress(compressed: &[u8], len: u64, out: &mut Vec<u8>) -> bool {
    out.clear();
    if len > (compressed.len() as u64).saturating_mul(EXPANSION_MAX) {
        return false;
    }
    let Ok(len) = usize::try_from(len) else {
        return false;
    };
    out.reserve(len);
    let mut rest = compressed;
    while let Some((&control, tail)) = rest.split_first() {
        let taken = match control >> 5 {
            0 => copy_literals(usize::from(control) + 1, tail, len, out),
            code => copy_match(
                usize::from(code),
                usize::from(control & 0x1f),
                tail,
                len,
                out,
            ),
        };
        let Some(tail) = taken else {
            return false;
        };
        rest = tail;
    }
    out.len() == len
}

fn copy_literals<'a>(
    count: usize,
    tail: &'a [u8],
    len: usize,
    out: &mut Vec<u8>,
) -> Option<&'a [u8]> {
    let (bytes, tail) = tail.split_at_checked(count)?;
    (out.len() + count <= len).then(|| out.extend_from_slice(bytes))?;
    Some(tail)
}

fn copy_match<'a>(
    code: usize,
    high: usize,
    tail: &'a [u8],
    len: usize,
    out: &mut Vec<u8>,
) -> Option<&'a [u8]> {
    let (count, tail) = match code {
        7 => {
            let (&more, tail) = tail.split_first()?;
            (9 + usize::from(more), tail)
        }
        code => (code + 2, tail),
    };
    let (&low, tail) = tail.split_first()?;
    let distance = (high << 8 | usize::from(low)) + 1;
    let from = out.len().checked_sub(distance)?;
    if out.len() + count > len {
        return None;
    }
    if distance >= count {
        out.extend_from_within(from..from + count);
    } else {
        // The reference reaches into what it makes itself: a pattern that repeats.
        for place in from..from + count {
            let byte = *out.get(place)?;
            out.push(byte);
        }
    }
    Some(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Compressor::new()
            .compress(input, input.len().saturating_sub(4), &mut out)
            .then_some(out)
    }

    #[test]
    fn a_run_is_a_literal_and_a_reference() {
        // DUMP of a string of 100 'a' by Redis 7.0.15 has these bytes.
        let expected = b"\x01aa\xe0\x57\x00\x01aa";
        assert_eq!(compressed(&[b'a'; 100]).as_deref(), Some(&expected[..]));
        let mut back = Vec::new();
        assert!(decompress(expected, 100, &mut back));
        assert_eq!(back, [b'a'; 100]);
    }

    #[test]
    fn what_does_not_shrink_is_refused() {
        let input: Vec<u8> = (0..=255).collect();
        assert_eq!(compressed(&input), None);
        assert_eq!(compressed(b"abcde"), None);
    }

    #[test]
    fn malformed_input_is_refused() {
        let mut out = Vec::new();
        for (input, len) in [
            (&b"\x01a"[..], 2),
            (b"\x00a\x20", 4),
            (b"\x20\x00", 3),
            (b"\x00a\x20\x01", 4),
            (b"\x00a\xe0\xff\x00", 9),
            (b"\x00a", 2),
            (b"\x00a", 0),
            (b"\x00a", u64::MAX),
            (b"", 1),
        ] {
            assert!(!decompress(input, len, &mut out), "{input:?}");
        }
    }

    #[test]
    fn the_table_serves_many_strings() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX / 2 - 100;
        for round in 0..20u8 {
            let input: Vec<u8> = (0..60).map(|index| index % 7 + round).collect();
            let (mut out, mut back) = (Vec::new(), Vec::new());
            assert!(compressor.compress(&input, 56, &mut out));
            assert!(decompress(&out, 60, &mut back));
            assert_eq!(back, input);
            assert_eq!(compressed(&input), Some(out));
        }
    }

    proptest! {
        #[test]
        fn compression_is_undone(
            input in prop_oneof![
                prop::collection::vec(0..4u8, 0..3000),
                prop::collection::vec(any::<u8>(), 0..200),
                (prop::collection::vec(any::<u8>(), 1..40), 1..400usize).prop_map(|(part, times)| part.repeat(times)),
            ],
        ) {
            if let Some(out) = compressed(&input) {
                prop_assert!(out.len() + 4 <= input.len());
                let mut back = Vec::new();
                prop_assert!(decompress(&out, input.len() as u64, &mut back));
                prop_assert_eq!(back, input);
            }
        }

        #[test]
        fn a_glance_tells_only_what_is_so(
            input in prop_oneof![
                prop::collection::vec(0..8u8, 0..60),
                prop::collection::vec(0..40u8, 0..GLANCE_MAX),
                (prop::collection::vec(any::<u8>(), 20..100), 3..30usize).prop_map(|(part, more)| {
                    let start = part.get(..more.min(part.len())).unwrap_or_default();
                    [&part[..], start].concat()
                }),
            ],
        ) {
            let max = input.len().saturating_sub(4);
            let mut compressor = Compressor::new();
            let mut out = Vec::new();
            let fits = compressor.try_compress(&input, max, &mut out).is_some();
            prop_assert!(compressor.repetitions.may_save(&input, max) || !fits);
        }

        #[test]
        fn any_bytes_decompress_or_do_not(input in prop::collection::vec(any::<u8>(), 0..60), len in 0..5000u64) {
            let mut out = Vec::new();
            if decompress(&input, len, &mut out) {
                prop_assert_eq!(out.len() as u64, len);
            }
        }
    }
}
