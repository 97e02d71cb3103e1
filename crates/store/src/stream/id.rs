//! Ids of stream entries: how they are ordered, written and read.

/// The id of an entry: the milliseconds at which it was added, and a number that tells entries of one millisecond apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, as far as the id was generated.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

/// What XADD was told about the id of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the time, or the id after the last one when the clock went back.
    Auto,
    /// `ms-*`: the next number within this millisecond.
    Within(u64),
    /// This one.
    Exact(StreamId),
}

/// An id spelled out, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct IdText {
    bytes: [u8; ID_TEXT_MAX],
    len: usize,
}

/// Bytes of the longest id: two numbers of twenty digits and the dash.
const ID_TEXT_MAX: usize = 41;
/// Redis copies an id into a buffer of this size, its end mark included, before it looks at it.
const WORD_MAX: usize = 127;

impl StreamId {
    /// The lowest id, which no entry has; `-` in ranges.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The highest id; `+` in ranges.
    pub const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The id `ms-seq`.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id right after this one; `None` after the highest.
    pub fn next(self) -> Option<Self> {
        u128::from(self).checked_add(1).map(Self::from)
    }

    /// The id right before this one; `None` before the lowest.
    pub fn previous(self) -> Option<Self> {
        u128::from(self).checked_sub(1).map(Self::from)
    }

    /// Reads `ms` or `ms-seq`; where the number is missing it is `missing_seq`.
    pub fn parse(word: &[u8], missing_seq: u64) -> Option<Self> {
        let (ms, seq) = halves(word)?;
        let seq = seq.map_or(Some(missing_seq), parse_half)?;
        Some(Self::new(parse_half(ms)?, seq))
    }

    /// The id as `ms-seq`.
    pub fn text(self) -> IdText {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (ms, seq) = (
            ms.format(self.ms).as_bytes(),
            seq.format(self.seq).as_bytes(),
        );
        let mut text = IdText {
            bytes: [b'-'; ID_TEXT_MAX],
            len: ms.len() + 1 + seq.len(),
        };
        text.bytes[..ms.len()].copy_from_slice(ms);
        text.bytes[ms.len() + 1..text.len].copy_from_slice(seq);
        text
    }
}

impl NewId {
    /// Reads `*`, `ms-*`, `ms-seq` or `ms` (which means `ms-0`).
    pub fn parse(word: &[u8]) -> Option<Self> {
        if word == b"*" {
            return Some(Self::Auto);
        }
        match halves(word)? {
            (ms, Some(b"*")) => parse_half(ms).map(Self::Within),
            _ => StreamId::parse(word, 0).map(Self::Exact),
        }
    }

    /// The id that an entry gets which is added at `now_ms` after `last`; `None` when the wish comes to none above `last`.
    pub fn after(self, last: StreamId, now_ms: u64) -> Option<StreamId> {
        let id = match self {
            Self::Auto if now_ms > last.ms => StreamId::new(now_ms, 0),
            Self::Auto => last.next()?,
            Self::Within(ms) if ms == last.ms => StreamId::new(ms, last.seq.checked_add(1)?),
            Self::Within(ms) => StreamId::new(ms, 0),
            Self::Exact(id) => id,
        };
        (id > last).then_some(id)
    }
}

impl IdText {
    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl From<StreamId> for u128 {
    fn from(id: StreamId) -> Self {
        Self::from(id.ms) << 64 | Self::from(id.seq)
    }
}

impl From<u128> for StreamId {
    fn from(number: u128) -> Self {
        Self::new((number >> 64) as u64, number as u64)
    }
}

/// What stands before and, if there is one, after the first dash.
fn halves(word: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if word.len() > WORD_MAX {
        return None;
    }
    Some(match word.iter().position(|&byte| byte == b'-') {
        Some(dash) => (&word[..dash], Some(&word[dash + 1..])),
        None => (word, None),
    })
}

/// An unsigned number as `string2ull` of Redis 7.2 reads it: a plain decimal, or else whatever `strtoull` takes, which is blanks, a sign and leading
/// zeros. Only where `strtoull` alone accepts it may a number be negative; it wraps around then.
fn parse_half(text: &[u8]) -> Option<u64> {
    if let Some(value) = crate::item::parse_integer(text) {
        return u64::try_from(value).ok();
    }
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_complete_and_incomplete() {
        let id = StreamId::new;
        for (word, expected) in [
            ("5", Some(id(5, 7))),
            ("5-3", Some(id(5, 3))),
            (
                "18446744073709551615-18446744073709551615",
                Some(StreamId::MAX),
            ),
            ("18446744073709551616-0", None),
            ("007-01", Some(id(7, 1))),
            ("+7- 1", Some(id(7, 1))),
            ("1--1", None),
            ("1--01", Some(id(1, u64::MAX))),
            ("-", None),
            ("+", None),
            ("", None),
            ("1-", None),
            ("1-2-3", None),
            ("1-*", None),
            ("*", None),
            ("x-1", None),
        ] {
            assert_eq!(StreamId::parse(word.as_bytes(), 7), expected, "{word}");
        }
        assert_eq!(StreamId::parse(&[b'0'; 127], 1), Some(id(0, 1)));
        assert_eq!(StreamId::parse(&[b'0'; 128], 1), None);
    }

    #[test]
    fn ids_are_written_as_they_are_read() {
        for id in [StreamId::MIN, StreamId::new(15, 1), StreamId::MAX] {
            assert_eq!(StreamId::parse(id.text().as_bytes(), 9), Some(id));
        }
    }

    #[test]
    fn neighbours() {
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        assert_eq!(StreamId::new(4, u64::MAX).next(), Some(StreamId::new(5, 0)));
        assert_eq!(
            StreamId::new(5, 0).previous(),
            Some(StreamId::new(4, u64::MAX))
        );
    }

    #[test]
    fn new_ids_only_grow() {
        let last = StreamId::new(100, 5);
        let after = |word: &str, now_ms| {
            NewId::parse(word.as_bytes())
                .expect("an id")
                .after(last, now_ms)
        };
        assert_eq!(after("*", 101), Some(StreamId::new(101, 0)));
        assert_eq!(after("*", 100), Some(StreamId::new(100, 6)));
        assert_eq!(after("*", 7), Some(StreamId::new(100, 6)));
        assert_eq!(after("100-*", 0), Some(StreamId::new(100, 6)));
        assert_eq!(after("101-*", 0), Some(StreamId::new(101, 0)));
        assert_eq!(after("99-*", 0), None);
        assert_eq!(after("100-5", 0), None);
        assert_eq!(after("100-7", 0), Some(StreamId::new(100, 7)));
        assert_eq!(after("101", 0), Some(StreamId::new(101, 0)));
        assert_eq!(NewId::Auto.after(StreamId::MAX, 5), None);
        assert_eq!(NewId::Within(1).after(StreamId::new(1, u64::MAX), 5), None);
        assert_eq!(
            NewId::Within(0).after(StreamId::MIN, 5),
            Some(StreamId::new(0, 1))
        );
    }
}
