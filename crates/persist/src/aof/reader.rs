//! Reading commands and annotations, with the place of what cannot be read.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::Range;

/// Reads commands and annotations from `R`. The room for a command is used again for the next one.
#[derive(Debug)]
pub struct AofReader<R> {
    source: R,
    offset: u64,
    lines: u64,
    bytes: Vec<u8>,
    words: Vec<Range<usize>>,
}

/// What an append-only file consists of.
#[derive(Debug)]
pub enum AofItem<'a> {
    /// A line that begins with `#`, without its end.
    Annotation(&'a [u8]),
    /// A command. It has one word at least.
    Command(Words<'a>),
}

/// The words of a command.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

/// What is wrong with a file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AofError {
    /// Where what cannot be read begins, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub reason: AofReason,
}

/// What is wrong with an append-only file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AofReason {
    /// Reading failed.
    Io(io::ErrorKind),
    /// The file ends within a command; so many of the bytes that were to come here are there.
    CutOff {
        /// Bytes that were to come.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// The file ends where a line was to begin or to go on.
    CutOffLine,
    /// A line that begins otherwise than it should.
    Prefix {
        /// The byte that it should begin with.
        expected: u8,
        /// The byte that is there.
        got: u8,
    },
    /// A line that does not end as lines do.
    LineEnd([u8; 2]),
    /// A count of words, or the length of one, that is none.
    Number,
}

/// Bytes of a line at most, its end included (`AOF_ANNOTATION_LINE_MAX_LEN`, Redis 7.2).
const LINE_MAX: u64 = 1024;
/// Bytes of a word at most: what memory can hold at all.
const WORD_MAX: u64 = 1 << 40;
/// Words of a command at most (`SIZE_MAX` in Redis, an `int` in its protocol).
const WORDS_MAX: u64 = i32::MAX as u64;

impl<R: BufRead> AofReader<R> {
    /// A reader of commands that begin where `source` stands, which is so far in the file.
    pub fn new(source: R, offset: u64) -> Self {
        Self {
            source,
            offset,
            lines: 1,
            bytes: Vec::new(),
            words: Vec::new(),
        }
    }

    /// How far it has read, in bytes from the beginning of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the line that comes next, the first one being 1. A word is one line.
    pub fn line(&self) -> u64 {
        self.lines
    }

    /// The next command or annotation; `None` at the end of the file.
    ///
    /// # Errors
    /// [`AofError`]. There is no going on after one.
    pub fn next_item(&mut self) -> Result<Option<AofItem<'_>>, AofError> {
        self.bytes.clear();
        self.words.clear();
        let start = self.offset;
        if self.read_line()? == 0 {
            return Ok(None);
        }
        if self.bytes.first() == Some(&b'#') {
            let line = self.bytes.trim_ascii_end();
            return Ok(Some(AofItem::Annotation(line)));
        }
        let count = self.number(b'*', start)?;
        if count == 0 || count > WORDS_MAX {
            return Err(at(start, AofReason::Number));
        }
        for _ in 0..count {
            self.read_word()?;
        }
        Ok(Some(AofItem::Command(Words {
            bytes: &self.bytes,
            ranges: &self.words,
        })))
    }

    /// Reads a line into `bytes`: how many bytes; 0 at the end of the file.
    fn read_line(&mut self) -> Result<usize, AofError> {
        self.bytes.clear();
        let start = self.offset;
        let read = (&mut self.source)
            .take(LINE_MAX)
            .read_until(b'\n', &mut self.bytes)
            .map_err(|error| at(start, AofReason::Io(error.kind())))?;
        self.offset += read as u64;
        match *self.bytes.as_slice() {
            [] => Ok(0),
            [.., b'\r', b'\n'] => {
                self.lines += 1;
                Ok(read)
            }
            // Annotations were never held to an end of two bytes.
            [b'#', .., b'\n'] => Ok(read),
            [.., last] if last != b'\n' && (read as u64) < LINE_MAX => {
                self.prefix_of_cut_line(start)?;
                Err(at(start, AofReason::CutOffLine))
            }
            [.., before, last] => Err(at(start, AofReason::LineEnd([before, last]))),
            [last] => Err(at(start, AofReason::LineEnd([last, 0]))),
        }
    }

    /// A line that the file ends in may still begin as no line does.
    fn prefix_of_cut_line(&self, start: u64) -> Result<(), AofError> {
        match self.bytes.first() {
            Some(b'*' | b'$' | b'#') | None => Ok(()),
            Some(&got) => Err(at(
                start,
                AofReason::Prefix {
                    expected: b'*',
                    got,
                },
            )),
        }
    }

    /// The number that the line in `bytes` consists of, behind `prefix`.
    fn number(&self, prefix: u8, start: u64) -> Result<u64, AofError> {
        let line = self.bytes.trim_ascii_end();
        match line.split_first() {
            Some((first, digits)) if *first == prefix => str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| at(start, AofReason::Number)),
            first => Err(at(
                start,
                AofReason::Prefix {
                    expected: prefix,
                    got: first.map_or(b'\r', |(first, _)| *first),
                },
            )),
        }
    }

    /// Reads a word, its length before it, to the end of those that are there.
    fn read_word(&mut self) -> Result<(), AofError> {
        let mut words = std::mem::take(&mut self.bytes);
        let start = self.offset;
        if self.words.is_empty() {
            words.clear();
        }
        let line = self.read_line();
        let length = line.and_then(|read| match read {
            0 => Err(at(start, AofReason::CutOffLine)),
            _ => self.number(b'$', start),
        });
        self.bytes = words;
        let length = length?;
        if length > WORD_MAX {
            return Err(at(start, AofReason::Number));
        }
        let (word, start) = (self.bytes.len(), self.offset);
        let expected = length + 2;
        // It grows with what arrives, whatever length was claimed.
        let got = (&mut self.source)
            .take(expected)
            .read_to_end(&mut self.bytes)
            .map_err(|error| at(start, AofReason::Io(error.kind())))? as u64;
        self.offset += got;
        if got < expected {
            return Err(at(start, AofReason::CutOff { expected, got }));
        }
        let end = self.bytes.len().saturating_sub(2);
        match *self.bytes.get(end..).unwrap_or_default() {
            [b'\r', b'\n'] => {}
            [first, second] => return Err(at(start, AofReason::LineEnd([first, second]))),
            _ => return Err(at(start, AofReason::CutOffLine)),
        }
        self.bytes.truncate(end);
        self.words.push(word..end);
        self.lines += 1;
        Ok(())
    }
}

fn at(offset: u64, reason: AofReason) -> AofError {
    AofError { offset, reason }
}

impl AofError {
    /// Whether the file merely ends too early.
    pub fn is_cut_off(&self) -> bool {
        matches!(
            self.reason,
            AofReason::CutOff { .. } | AofReason::CutOffLine
        )
    }
}

impl<'a> Words<'a> {
    /// The words in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.ranges
            .iter()
            .map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }

    /// The name of the command.
    pub fn name(&self) -> &'a [u8] {
        self.iter().next().unwrap_or_default()
    }
}

impl fmt::Display for AofReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}"),
            Self::CutOff { expected, got } => {
                write!(f, "Expected to read {expected} bytes, got {got} bytes")
            }
            Self::CutOffLine => f.write_str("The file ends within a command"),
            Self::Prefix { expected, got } => write!(
                f,
                "Expected prefix '{}', got: '{}'",
                char::from(*expected),
                got.escape_ascii()
            ),
            Self::LineEnd([first, second]) => {
                write!(f, "Expected \\r\\n, got: {first:02x}{second:02x}")
            }
            Self::Number => f.write_str("Expected a count of words or a length"),
        }
    }
}

impl fmt::Display for AofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.offset)
    }
}

impl std::error::Error for AofError {}

impl<R: Read> AofReader<R> {
    /// What it reads from.
    pub fn into_inner(self) -> R {
        self.source
    }
}
