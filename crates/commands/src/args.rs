//! Reading a call's words: keys, numbers, options.

use crate::error::CommandError;

/// The words of a call behind the command's name (and behind a subcommand's), read from left to right.
///
/// A handler reads all of them before it acts and ends with [`Args::finish`], so that a leftover word is a syntax error.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    words: &'a [&'a [u8]],
    name: &'a [u8],
}

impl<'a> Args<'a> {
    /// Arguments over the words that are left to read.
    #[must_use]
    pub fn new(words: &'a [&'a [u8]]) -> Self {
        Self { words, name: b"" }
    }

    /// The arguments of a whole call whose command's name is `name_words` words.
    #[must_use]
    pub fn of_call(argv: &'a [&'a [u8]], name_words: usize) -> Self {
        let (names, words) = argv.split_at(name_words.min(argv.len()));
        let name = names.last().copied().unwrap_or_default();
        Self { words, name }
    }

    /// The command's name, a subcommand's its own word only, as the client spelled it.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// How many words are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether all words have been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// All words that are left, read at once.
    pub fn rest(&mut self) -> &'a [&'a [u8]] {
        std::mem::take(&mut self.words)
    }

    /// The words that are left, without reading them.
    #[must_use]
    pub fn peek_all(&self) -> &'a [&'a [u8]] {
        self.words
    }

    /// The next word, if any, without reading it.
    #[must_use]
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.words.first().copied()
    }

    /// The next word, if there is one.
    pub fn next_word(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// The next word; a syntax error where there is none.
    pub fn bytes(&mut self) -> Result<&'a [u8], CommandError> {
        self.next_word().ok_or(CommandError::Syntax)
    }

    /// The next word, which names a key.
    pub fn key(&mut self) -> Result<&'a [u8], CommandError> {
        self.bytes()
    }

    /// The next `count` words; a syntax error where there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [&'a [u8]], CommandError> {
        let (taken, rest) = self
            .words
            .split_at_checked(count)
            .ok_or(CommandError::Syntax)?;
        self.words = rest;
        Ok(taken)
    }

    /// The next word as a 64-bit integer in Redis' strict notation.
    pub fn int(&mut self) -> Result<i64, CommandError> {
        self.int_or(CommandError::NotInteger)
    }

    /// The next word as a 64-bit integer, `error` where it is none.
    pub fn int_or(&mut self, error: CommandError) -> Result<i64, CommandError> {
        resp::number::parse_i64(self.bytes()?).ok_or(error)
    }

    /// The next word as an integer of the type `N`, `error` where it is none or out of `range`.
    pub fn int_in(
        &mut self,
        range: std::ops::RangeInclusive<i64>,
        error: CommandError,
    ) -> Result<i64, CommandError> {
        let word = self.bytes()?;
        resp::number::parse_i64(word)
            .filter(|value| range.contains(value))
            .ok_or(error)
    }

    /// The next word as a number of elements: `error` where it is no integer or less than `min`.
    pub fn count(&mut self, min: i64, error: CommandError) -> Result<usize, CommandError> {
        let count = self.int_in(min..=i64::MAX, error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// A count that may be negative (SRANDMEMBER and its kin): any integer but the lowest.
    pub fn signed_count(&mut self) -> Result<i64, CommandError> {
        match self.int()? {
            i64::MIN => Err(CommandError::CountTooNegative),
            count => Ok(count),
        }
    }

    /// The next word as a 32-bit integer (getIntFromObjectOrReply, Redis 7.2).
    pub fn int32(&mut self) -> Result<i32, CommandError> {
        let out_of_range = CommandError::NotBetween(i32::MIN.into(), i32::MAX.into());
        i32::try_from(self.int()?).map_err(|_| out_of_range)
    }

    /// The next word as the number of one of `databases` databases.
    pub fn db(&mut self, databases: u16) -> Result<u16, CommandError> {
        u16::try_from(self.int32()?)
            .ok()
            .filter(|db| *db < databases)
            .ok_or(CommandError::DbIndexOutOfRange)
    }

    /// The next word as a floating point number (NaN is none).
    pub fn float(&mut self) -> Result<f64, CommandError> {
        resp::number::parse_double(self.bytes()?).ok_or(CommandError::NotFloat)
    }

    /// The next word as a timeout in seconds, fractions allowed, made milliseconds; `None` for 0, which is never
    /// (getTimeoutFromObjectOrReply, Redis 7.2).
    pub fn timeout(&mut self) -> Result<Option<i64>, CommandError> {
        let seconds =
            resp::number::parse_double(self.bytes()?).ok_or(CommandError::TimeoutNotFloat)?;
        let ms = (seconds * 1000.0).ceil();
        if ms > TIMEOUT_MAX_MS {
            return Err(CommandError::TimeoutOutOfRange);
        }
        if ms < 0.0 {
            return Err(CommandError::TimeoutNegative);
        }
        Ok((ms > 0.0).then_some(ms as i64))
    }

    /// The next word as a timeout in milliseconds; `None` for 0, which is never (getTimeoutFromObjectOrReply, Redis 7.2).
    pub fn timeout_ms(&mut self, now_ms: i64) -> Result<Option<i64>, CommandError> {
        let ms = self.int_or(CommandError::TimeoutNotInteger)?;
        if ms < 0 {
            return Err(CommandError::TimeoutNegative);
        }
        if ms > i64::MAX - now_ms {
            return Err(CommandError::TimeoutOutOfRange);
        }
        Ok((ms > 0).then_some(ms))
    }

    /// Reads the next word when it is `flag`, whatever its case.
    pub fn flag(&mut self, flag: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|word| word.eq_ignore_ascii_case(flag.as_bytes()));
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    /// Reads the next word when it is one of `choices`, and returns what stands beside it.
    pub fn one_of<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        let word = self.peek()?;
        let (_, choice) = choices
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))?;
        self.words = &self.words[1..];
        Some(*choice)
    }

    /// Ends reading: a syntax error when a word is left.
    pub fn finish(&self) -> Result<(), CommandError> {
        if self.words.is_empty() {
            Ok(())
        } else {
            Err(CommandError::Syntax)
        }
    }
}

/// The longest timeout: a deadline that far away still fits 64 bits of Unix milliseconds.
const TIMEOUT_MAX_MS: f64 = 9_223_370_000_000_000_000.0;

/// The cursor of SCAN, HSCAN, SSCAN and ZSCAN: a decimal number, which may have a sign; an empty word is 0 (parseScanCursorOrReply,
/// Redis 7.2).
pub fn scan_cursor(word: &[u8]) -> Result<u64, CommandError> {
    if word.is_empty() {
        return Ok(0);
    }
    // As C's strtoul, which wraps negative numbers around.
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // `u64::from_str` would take a second sign.
    let cursor = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u64>().ok())
        .ok_or(CommandError::InvalidCursor)?;
    Ok(if negative {
        cursor.wrapping_neg()
    } else {
        cursor
    })
}
