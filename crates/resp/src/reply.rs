//! The reply parser: RESP2 and RESP3 values as trees, for whoever talks to a server: links, tests, tools.

use bytes::Bytes;
use nom::bytes::streaming::{tag, take, take_until};
use nom::error::{ErrorKind, ParseError};
use nom::number::streaming::u8 as any_byte;
use nom::sequence::terminated;
use nom::{IResult, Parser as _};

use crate::number::{parse_double, parse_i64};
use crate::output::Output;
use crate::writer::{Aggregate, Proto, Writer};

/// One reply, exactly as it stood on the wire: what RESP2 and RESP3 write differently is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `+text`
    Simple(Bytes),
    /// `-text`, the code included.
    Error(Bytes),
    /// `:number`
    Integer(i64),
    /// `$len`, then bytes.
    Bulk(Bytes),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `#t` or `#f`
    Boolean(bool),
    /// `,text`: the text as it was sent; [`Value::as_double`] gives its value.
    Double(Bytes),
    /// `(text`
    BigNumber(Bytes),
    /// `!len`, then bytes.
    BlobError(Bytes),
    /// `=len`, then a format of three bytes, a colon, and a text.
    Verbatim {
        /// `txt` or `mkd`.
        format: [u8; 3],
        /// What follows the colon.
        text: Bytes,
    },
    /// `*len`
    Array(Vec<Self>),
    /// `~len`
    Set(Vec<Self>),
    /// `>len`
    Push(Vec<Self>),
    /// `%len`
    Map(Vec<(Self, Self)>),
    /// `|len`: attributes and the value that they belong to.
    Attributed {
        /// Names and values.
        attributes: Vec<(Self, Self)>,
        /// The reply proper.
        value: Box<Self>,
    },
}

impl Value {
    /// Writes the value as it stood on the wire.
    pub fn encode(&self, out: &mut Output) {
        let line = |out: &mut Output, tag: &[u8], text: &[u8]| {
            [tag, text, b"\r\n"].iter().for_each(|part| out.push(part))
        };
        let mut writer = Writer::new(out, Proto::Resp3);
        match self {
            Self::Simple(text) => line(out, b"+", text),
            Self::Error(text) => line(out, b"-", text),
            Self::Integer(number) => writer.integer(*number),
            Self::Bulk(bytes) => writer.bulk_bytes(bytes),
            Self::NullBulk => out.push(b"$-1\r\n"),
            Self::NullArray => out.push(b"*-1\r\n"),
            Self::Null => writer.null(),
            Self::Boolean(value) => writer.boolean(*value),
            Self::Double(text) => writer.double_text(text),
            Self::BigNumber(text) => writer.big_number(text),
            Self::BlobError(text) => {
                line(out, b"!", text.len().to_string().as_bytes());
                line(out, b"", text);
            }
            Self::Verbatim { format, text } => writer.verbatim(*format, text),
            Self::Array(values) => encode_all(writer, Aggregate::Array, values),
            Self::Set(values) => encode_all(writer, Aggregate::Set, values),
            Self::Push(values) => encode_all(writer, Aggregate::Push, values),
            Self::Map(pairs) => encode_pairs(writer, Aggregate::Map, pairs),
            Self::Attributed { attributes, value } => {
                encode_pairs(writer, Aggregate::Attribute, attributes);
                value.encode(out);
            }
        }
    }

    /// The bytes of a string of any kind, an error included.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Error(text) | Self::Bulk(text) | Self::BlobError(text) => {
                Some(text)
            }
            Self::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The number that a double, or a string in its place as in RESP2, denotes.
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Double(text) | Self::Bulk(text) => parse_double(text),
            _ => None,
        }
    }

    /// Whether this is an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::BlobError(_))
    }
}

fn encode_all(writer: Writer<'_>, kind: Aggregate, values: &[Value]) {
    let Writer { out, proto } = writer;
    Writer::new(out, proto).open(kind, values.len());
    values.iter().for_each(|value| value.encode(out));
}

fn encode_pairs(writer: Writer<'_>, kind: Aggregate, pairs: &[(Value, Value)]) {
    let Writer { out, proto } = writer;
    Writer::new(out, proto).open(kind, pairs.len());
    for (key, value) in pairs {
        key.encode(out);
        value.encode(out);
    }
}

/// Bytes that are no reply. The stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// No type of reply begins with this byte.
    UnknownType(u8),
    /// A length, integer, truth value or format that cannot be, or a line end that is missing.
    Malformed,
    /// A line or a string exceeds the limit.
    TooLong,
    /// Aggregates are nested deeper than the limit.
    TooDeep,
}

impl std::fmt::Display for ReplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(f, "no reply begins with '{}'", byte.escape_ascii()),
            Self::Malformed => f.write_str("malformed reply"),
            Self::TooLong => f.write_str("a line or string of the reply is too long"),
            Self::TooDeep => f.write_str("the reply is nested too deeply"),
        }
    }
}

impl std::error::Error for ReplyError {}

impl ParseError<&[u8]> for ReplyError {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self::Malformed
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Finds replies in a stream of bytes and remembers how far it got in a partial one: no byte is read twice.
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// Aggregates that lack values, the outermost first.
    open: Vec<Open>,
    /// Where the next element begins.
    at: usize,
    /// Up to where the element's line end was looked for.
    searched: usize,
    /// How long the buffer must be before the element can be complete.
    awaited: usize,
}

/// An aggregate that lacks values.
#[derive(Debug)]
struct Open {
    kind: Kind,
    /// Values still to come.
    left: usize,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Kind {
    Plain(Aggregate),
    /// The value that these attributes belong to is awaited.
    Attributed(Vec<(Value, Value)>),
}

/// What one line, and for strings the bytes after it, can be.
enum Element {
    Value(Value),
    Open(Aggregate, usize),
}

impl ReplyParser {
    /// Looks for one reply at the start of `buf`: the reply and its length in bytes, or `None` if more bytes are needed.
    ///
    /// `buf` begins where the last reply ended; after `None` it must begin with the same bytes again, with more behind them.
    ///
    /// # Errors
    ///
    /// A [`ReplyError`] is final: the parser must be dropped. Strings are limited to 512 MB, other lines to 64 kB, nesting to 128 levels.
    pub fn parse(&mut self, buf: &[u8]) -> Result<Option<(Value, usize)>, ReplyError> {
        while self.has_line(buf)? {
            let input = buf.get(self.at..).unwrap_or_default();
            let (rest, element) = match element(input) {
                Ok(found) => found,
                Err(nom::Err::Incomplete(needed)) => {
                    let missing = if let nom::Needed::Size(size) = needed {
                        size.get()
                    } else {
                        1
                    };
                    self.awaited = buf.len().saturating_add(missing);
                    return Ok(None);
                }
                Err(nom::Err::Error(error) | nom::Err::Failure(error)) => return Err(error),
            };
            self.at = buf.len() - rest.len();
            self.searched = self.at;
            if let Some(value) = self.take(element)? {
                let len = std::mem::take(&mut self.at);
                (self.searched, self.awaited) = (0, 0);
                return Ok(Some((value, len)));
            }
        }
        Ok(None)
    }

    /// Whether the line of the next element is there whole, and as much after it as it announces.
    fn has_line(&mut self, buf: &[u8]) -> Result<bool, ReplyError> {
        if buf.len() < self.awaited {
            return Ok(false);
        }
        let unseen = buf.get(self.searched..).unwrap_or_default();
        self.searched += match memchr::memchr(b'\n', unseen) {
            // Found again, and at once, if what follows the line has to be awaited.
            Some(offset) => offset,
            None => unseen.len(),
        };
        if self.searched - self.at > LINE_MAX {
            return Err(ReplyError::TooLong);
        }
        let line = buf.get(self.at..=self.searched);
        // A newline alone ends no line, nor may it stand in one.
        if line.is_some_and(|line| !line.ends_with(b"\r\n")) {
            return Err(ReplyError::Malformed);
        }
        Ok(line.is_some())
    }

    /// Puts `element` in its place; a value that completes the reply comes back.
    fn take(&mut self, element: Element) -> Result<Option<Value>, ReplyError> {
        let mut value = match element {
            Element::Value(value) => value,
            Element::Open(kind, left) => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(ReplyError::TooDeep);
                }
                let values = Vec::with_capacity(left.min(VALUES_RESERVED));
                let open = Open {
                    kind: Kind::Plain(kind),
                    left,
                    values,
                };
                if left > 0 || kind == Aggregate::Attribute {
                    self.open.push(open);
                    return Ok(self.close_attributes());
                }
                open.close()
            }
        };
        while let Some(open) = self.open.last_mut() {
            open.values.push(value);
            open.left -= 1;
            if open.left > 0 || matches!(open.kind, Kind::Plain(Aggregate::Attribute)) {
                return Ok(self.close_attributes());
            }
            match self.open.pop() {
                Some(open) => value = open.close(),
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    /// Turns attributes that are complete into the place of the value that they belong to. Completes no reply.
    fn close_attributes(&mut self) -> Option<Value> {
        if let Some(open) = self.open.last_mut()
            && open.left == 0
            && matches!(open.kind, Kind::Plain(Aggregate::Attribute))
        {
            let attributes = pairs(std::mem::take(&mut open.values));
            *open = Open {
                kind: Kind::Attributed(attributes),
                left: 1,
                values: Vec::new(),
            };
        }
        None
    }
}

impl Open {
    fn close(mut self) -> Value {
        match self.kind {
            Kind::Plain(Aggregate::Array) => Value::Array(self.values),
            Kind::Plain(Aggregate::Set) => Value::Set(self.values),
            Kind::Plain(Aggregate::Push) => Value::Push(self.values),
            Kind::Plain(Aggregate::Map | Aggregate::Attribute) => Value::Map(pairs(self.values)),
            Kind::Attributed(attributes) => {
                let value = Box::new(self.values.pop().unwrap_or(Value::Null));
                Value::Attributed { attributes, value }
            }
        }
    }
}

fn pairs(values: Vec<Value>) -> Vec<(Value, Value)> {
    let mut values = values.into_iter();
    let mut pairs = Vec::with_capacity(values.len() / 2);
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    pairs
}

type Parsed<'a, T> = IResult<&'a [u8], T, ReplyError>;

fn element(input: &[u8]) -> Parsed<'_, Element> {
    let (rest, kind) = any_byte(input)?;
    let (rest, line) = terminated(take_until("\r\n"), tag("\r\n")).parse(rest)?;
    let text = || Bytes::copy_from_slice(line);
    let value = match kind {
        b'+' => Value::Simple(text()),
        b'-' => Value::Error(text()),
        b':' => Value::Integer(number(line)?),
        b',' => Value::Double(text()),
        b'(' => Value::BigNumber(text()),
        b'_' if line.is_empty() => Value::Null,
        b'#' if line == b"t" => Value::Boolean(true),
        b'#' if line == b"f" => Value::Boolean(false),
        b'$' if line == b"-1" => Value::NullBulk,
        b'*' if line == b"-1" => Value::NullArray,
        b'$' | b'!' | b'=' => return string(kind, line, rest),
        b'*' => return Ok((rest, Element::Open(Aggregate::Array, length(line)?))),
        b'~' => return Ok((rest, Element::Open(Aggregate::Set, length(line)?))),
        b'>' => return Ok((rest, Element::Open(Aggregate::Push, length(line)?))),
        b'%' => return Ok((rest, Element::Open(Aggregate::Map, length(line)? * 2))),
        b'|' => return Ok((rest, Element::Open(Aggregate::Attribute, length(line)? * 2))),
        b'_' | b'#' => return Err(nom::Err::Failure(ReplyError::Malformed)),
        other => return Err(nom::Err::Failure(ReplyError::UnknownType(other))),
    };
    Ok((rest, Element::Value(value)))
}

/// The bytes that a line of `kind` announces.
fn string<'a>(kind: u8, line: &[u8], rest: &'a [u8]) -> Parsed<'a, Element> {
    let len = length(line)?;
    if len > STRING_MAX {
        return Err(nom::Err::Failure(ReplyError::TooLong));
    }
    // One token with its line end, so that all that is missing is asked for at once.
    let (rest, bytes) = take(len + 2).parse(rest)?;
    let Some(bytes) = bytes.strip_suffix(b"\r\n") else {
        return Err(nom::Err::Failure(ReplyError::Malformed));
    };
    let value = match (kind, bytes) {
        (b'!', _) => Value::BlobError(Bytes::copy_from_slice(bytes)),
        (b'=', [a, b, c, b':', text @ ..]) => Value::Verbatim {
            format: [*a, *b, *c],
            text: Bytes::copy_from_slice(text),
        },
        (b'=', _) => return Err(nom::Err::Failure(ReplyError::Malformed)),
        _ => Value::Bulk(Bytes::copy_from_slice(bytes)),
    };
    Ok((rest, Element::Value(value)))
}

fn number(line: &[u8]) -> Result<i64, nom::Err<ReplyError>> {
    parse_i64(line).ok_or(nom::Err::Failure(ReplyError::Malformed))
}

/// A length in a reply: at most 2^31 - 1, the most that Redis itself sends or takes.
fn length(line: &[u8]) -> Result<usize, nom::Err<ReplyError>> {
    let length = u32::try_from(number(line)?)
        .ok()
        .filter(|length| *length <= i32::MAX.unsigned_abs());
    length
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(nom::Err::Failure(ReplyError::Malformed))
}

const LINE_MAX: usize = 64 * 1024;
const STRING_MAX: usize = 512 * 1024 * 1024;
const DEPTH_MAX: usize = 128;
/// Values that an aggregate gets room for on the word of its header alone.
const VALUES_RESERVED: usize = 16;

#[cfg(test)]
mod tests;
