//! The request parser: finds one request (multibulk or inline) at the start of a buffer, without copying it.

use crate::inline;
use crate::number::parse_i64;
use crate::protocol_error::ProtocolError;

/// What the parser holds a client to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `proto-max-bulk-len`: the longest argument, in bytes. At least 1 MB, the least that Redis lets it be set to.
    pub bulk_max: u64,
    /// How far this client is trusted.
    pub trust: Trust,
}

/// How far the sender of requests is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Authentication is required and has not happened: at most 10 arguments of at most 16 kB each.
    Unauthenticated,
    /// An ordinary client.
    Authenticated,
    /// The link from the primary, to which `proto-max-bulk-len` does not apply.
    Primary,
}

/// What [`Parser::parse`] found at the start of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parse {
    /// A whole request of this many bytes; its arguments are in [`Parser::request`] until the next call.
    Frame(usize),
    /// The request is not complete; at least `needed` more bytes (never 0) must come before it can be.
    Incomplete {
        /// A lower bound, exact while an argument's own bytes are awaited.
        needed: usize,
    },
    /// This many bytes are to be passed over in silence: an empty line, or a multibulk of no arguments.
    Skip(usize),
}

/// Where one argument lies, in bytes from the start of the frame (or of the unquoted text of an inline request).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgRange {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl ArgRange {
    /// The bytes of `base` in this range; empty if `base` does not reach that far.
    #[inline]
    pub fn of(self, base: &[u8]) -> &[u8] {
        base.get(self.start..self.end).unwrap_or_default()
    }
}

/// A complete request: arguments as slices of the caller's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    base: &'a [u8],
    ranges: &'a [ArgRange],
}

impl<'a> Request<'a> {
    /// The number of arguments, the command's name included; at least 1.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a request is never empty")]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Argument `index`, 0 being the command's name.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        Some(self.ranges.get(index)?.of(self.base))
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + use<'a> {
        let base = self.base;
        self.ranges.iter().map(move |range| range.of(base))
    }
}

/// Finds requests in a stream of bytes and remembers how far it got in a partial one.
///
/// Between two requests it holds nothing but the room for argument ranges, which [`Parser::release`] gives back. No
/// byte is searched again and again, however small the pieces in which a request comes, and a request costs no allocation once
/// the ranges have grown to the usual number of arguments.
///
/// The loop is written by hand: measured side by side (`benches/resp.rs`, group `parse`, AMD EPYC), a pipelined `GET` takes 10 ns and
/// a `SET` of 64 bytes 14 ns, against 19 and 27 ns of the same grammar in nom's streaming combinators, which also
/// start anew at each call. Replies, whose types are many and whose speed matters less, are parsed with nom.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments of the request found last, or of the current one so far.
    args: Vec<ArgRange>,
    /// The words of an inline request with quotes, which do not stand in the buffer as they are meant.
    unquoted: Option<Box<[u8]>>,
    /// Start of the line or argument that is awaited.
    at: usize,
    /// End of the awaited argument ([`State::Body`]), or the position up to which the awaited line was searched.
    mark: usize,
    /// Arguments still to come, the awaited one included.
    left: u32,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Inline,
    Count,
    Length,
    Body,
}

impl Parser {
    /// Looks for one request at the start of `buf`.
    ///
    /// `buf` begins where the last request (or skipped part) ended; after [`Parse::Incomplete`] it must begin with the same
    /// bytes again, with more behind them. The result does not depend on how the bytes were split over calls.
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`] is final: the connection is to be closed and the parser dropped.
    #[inline]
    pub fn parse(&mut self, buf: &[u8], limits: &Limits) -> Result<Parse, ProtocolError> {
        if self.state == State::Idle {
            let Some(&first) = buf.first() else {
                return Ok(Parse::Incomplete { needed: 1 });
            };
            self.args.clear();
            if let Some(len) = self.usual(buf, limits) {
                return Ok(Parse::Frame(len));
            }
            self.args.clear();
            self.at = 0;
            self.mark = 0;
            self.state = if first == b'*' {
                State::Count
            } else {
                State::Inline
            };
        }
        if self.state == State::Inline {
            self.inline(buf)
        } else {
            self.multibulk(buf, limits)
        }
    }

    /// The request that the last call of [`Parser::parse`] found; `buf` is the buffer given to that call.
    #[inline]
    pub fn request<'a>(&'a self, buf: &'a [u8]) -> Request<'a> {
        let base = self.unquoted.as_deref().unwrap_or(buf);
        Request {
            base,
            ranges: &self.args,
        }
    }

    /// The argument ranges of the request found last, relative to the start of the buffer given to that call, for a caller that
    /// takes arguments out of its buffer by reference. `None` for an inline request with quotes.
    #[inline]
    pub fn ranges(&self) -> Option<&[ArgRange]> {
        self.unquoted.is_none().then_some(&self.args)
    }

    /// Where the argument begins that is awaited, if it is at least so long: what is before it was read already.
    #[must_use]
    pub fn awaited_argument(&self, length: usize) -> Option<usize> {
        (self.state == State::Body && self.mark.saturating_sub(self.at) >= length)
            .then_some(self.at)
    }

    /// Whether a part of a request has been seen.
    pub fn is_mid_request(&self) -> bool {
        self.state != State::Idle
    }

    /// Forgets the part of a request that has been seen, so that the next call may begin with other bytes: for a caller that
    /// looked ahead and goes back.
    pub fn restart(&mut self) {
        self.state = State::Idle;
    }

    /// Gives back the memory kept for the arguments of later requests; does nothing in the middle of a request.
    pub fn release(&mut self) {
        if self.state == State::Idle {
            self.args = Vec::new();
            self.unquoted = None;
        }
    }

    /// Bytes of heap that the parser holds.
    pub fn heap_size(&self) -> usize {
        let unquoted = self.unquoted.as_ref().map_or(0, |text| text.len());
        self.args.capacity() * size_of::<ArgRange>() + unquoted
    }

    /// The length of the request if it is a multibulk that is there whole and in which nothing is large or odd: nearly all are.
    /// Otherwise `None`, and the request is begun again in the way that can stop anywhere.
    #[inline]
    fn usual(&mut self, buf: &[u8], limits: &Limits) -> Option<usize> {
        let (count, mut at) = short_line(buf, 0, b'*')?;
        if count == 0 || count > UNAUTHENTICATED_ARGS_MAX && limits.trust == Trust::Unauthenticated
        {
            return None;
        }
        self.begin(count);
        for _ in 0..count {
            let (length, start) = short_line(buf, at, b'$')?;
            let end = start + length as usize;
            at = end + 2;
            if length > ALWAYS_ALLOWED || at > buf.len() {
                return None;
            }
            self.args.push(ArgRange { start, end });
        }
        Some(at)
    }

    #[cold]
    fn multibulk(&mut self, buf: &[u8], limits: &Limits) -> Result<Parse, ProtocolError> {
        if self.state == State::Count {
            let Some((count, next)) = self.count(buf, limits)? else {
                return Ok(Parse::Incomplete { needed: 1 });
            };
            if count == 0 {
                self.state = State::Idle;
                return Ok(Parse::Skip(next));
            }
            self.begin(count);
            (self.left, self.at) = (count, next);
            self.state = State::Length;
        }
        // Locals, so that the loop keeps them in registers; stored back only when the request is incomplete.
        let (mut at, mut left) = (self.at, self.left);
        let mut resumed = (self.state == State::Body).then_some(self.mark);
        loop {
            let end = match resumed.take() {
                Some(end) => end,
                None => {
                    let Some((length, next)) = self.length(buf, at, limits)? else {
                        (self.at, self.left) = (at, left);
                        self.state = State::Length;
                        return Ok(Parse::Incomplete { needed: 1 });
                    };
                    at = next;
                    next.saturating_add(length)
                }
            };
            // The two bytes of line end after an argument are passed over unseen, as in Redis.
            let next = end.saturating_add(2);
            if buf.len() < next {
                (self.at, self.left, self.mark) = (at, left, end);
                self.state = State::Body;
                return Ok(Parse::Incomplete {
                    needed: next - buf.len(),
                });
            }
            self.args.push(ArgRange { start: at, end });
            at = next;
            left -= 1;
            if left == 0 {
                self.state = State::Idle;
                return Ok(Parse::Frame(at));
            }
        }
    }

    /// Makes ready for a request of `count` arguments. A peer that announces many gets room for them only as they come.
    #[inline]
    fn begin(&mut self, count: u32) {
        if self.args.capacity() > ARGS_KEPT || self.unquoted.is_some() {
            self.args = Vec::new();
            self.unquoted = None;
        }
        self.args.reserve_exact((count as usize).min(ARGS_KEPT));
    }

    /// The number of arguments after `*` and the position after its line.
    fn count(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<(u32, usize)>, ProtocolError> {
        let Some((digits, next)) = self.line(buf, b'\r', ProtocolError::TooBigMultibulkCount)?
        else {
            return Ok(None);
        };
        let count = parse_i64(digits.of(buf)).ok_or(ProtocolError::InvalidMultibulkLength)?;
        if count > i64::from(i32::MAX) {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if count > i64::from(UNAUTHENTICATED_ARGS_MAX) && limits.trust == Trust::Unauthenticated {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        Ok(Some((u32::try_from(count).unwrap_or(0), next)))
    }

    /// The length after the `$` at `at` and the position after its line.
    #[inline]
    fn length(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        if let Some((length @ ..=ALWAYS_ALLOWED, next)) = short_line(buf, at, b'$') {
            return Ok(Some((length as usize, next)));
        }
        self.odd_length(buf, at, limits)
    }

    #[cold]
    fn odd_length(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        self.at = at;
        let Some((digits, next)) = self.line(buf, b'\r', ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        // The line is found at `at`, so a byte is there: if nothing else, its end.
        let first = buf.get(at).copied().unwrap_or(b'\r');
        if first != b'$' {
            return Err(ProtocolError::ExpectedDollar(first));
        }
        let length = parse_i64(digits.of(buf)).ok_or(ProtocolError::InvalidBulkLength)?;
        let length = u64::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > limits.bulk_max && limits.trust != Trust::Primary {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if length > u64::from(ALWAYS_ALLOWED) && limits.trust == Trust::Unauthenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        Ok(Some((length, next)))
    }

    /// Finds the line that starts at `self.at`: the range between its first byte and its end, and the position after it.
    ///
    /// Redis searches with `strchr`, which gives up at a NUL byte: a line with one in it never ends, and is refused once 64 kB
    /// have come. `unit/protocol` of its test suite relies on that.
    fn line(
        &mut self,
        buf: &[u8],
        terminator: u8,
        too_big: ProtocolError,
    ) -> Result<Option<(ArgRange, usize)>, ProtocolError> {
        let searched = self.mark.max(self.at);
        let limit = buf.len().min(self.at.saturating_add(LINE_MAX + 1));
        let window = buf.get(searched..limit).unwrap_or_default();
        let found = memchr::memchr2(terminator, 0, window);
        self.mark = match found {
            Some(offset) => searched + offset,
            None => searched.max(limit),
        };
        if found.is_none() || buf.get(self.mark) != Some(&terminator) {
            return if buf.len().saturating_sub(self.at) > LINE_MAX {
                Err(too_big)
            } else {
                Ok(None)
            };
        }
        let line = ArgRange {
            start: self.at + 1,
            end: self.mark,
        };
        match terminator {
            b'\n' => Ok(Some((line, self.mark + 1))),
            // One more byte has to be there, whatever it is.
            _ if buf.len() > self.mark + 1 => Ok(Some((line, self.mark + 2))),
            _ => Ok(None),
        }
    }

    #[cold]
    fn inline(&mut self, buf: &[u8]) -> Result<Parse, ProtocolError> {
        let Some((ArgRange { end, .. }, next)) =
            self.line(buf, b'\n', ProtocolError::TooBigInlineRequest)?
        else {
            return Ok(Parse::Incomplete { needed: 1 });
        };
        let line = buf.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.begin(1);
        if inline::has_quotes(line) {
            let mut text = Vec::with_capacity(line.len());
            inline::unquote(line, &mut text, &mut self.args)?;
            self.unquoted = Some(text.into_boxed_slice());
        } else {
            inline::split_plain(line, &mut self.args);
        }
        self.state = State::Idle;
        Ok(if self.args.is_empty() {
            Parse::Skip(next)
        } else {
            Parse::Frame(next)
        })
    }
}

/// The number of one to seven digits after `tag` at `at`, and the position after its line. `None` if the line is not there whole, or
/// is anything else.
#[inline(always)]
fn short_line(buf: &[u8], at: usize, tag: u8) -> Option<(u32, usize)> {
    let line = buf.get(at..)?;
    let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
    // Most counts and lengths have one or two digits.
    match *line {
        [first, a, b'\r', _, ..] if first == tag && digit(a) < 10 => Some((digit(a), at + 4)),
        [first, a, b, b'\r', _, ..]
            if first == tag && digit(a).wrapping_sub(1) < 9 && digit(b) < 10 =>
        {
            Some((digit(a) * 10 + digit(b), at + 5))
        }
        _ => long_line(line, at, tag),
    }
}

/// [`short_line`] for more than two digits.
fn long_line(line: &[u8], at: usize, tag: u8) -> Option<(u32, usize)> {
    let digits = line.strip_prefix(&[tag])?;
    let mut value = 0;
    for (index, &byte) in digits.iter().enumerate().take(8) {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit < 10 && (digit > 0 || value > 0) {
            value = value * 10 + digit;
        } else if byte == b'\r' && value > 0 && index + 1 < digits.len() {
            return Some((value, at + index + 3));
        } else {
            return None;
        }
    }
    None
}

/// The longest line of an inline request or a length, in bytes before its end (PROTO_INLINE_MAX_SIZE of Redis).
const LINE_MAX: usize = 64 * 1024;
/// Arguments of a multibulk that an unauthenticated client may send.
const UNAUTHENTICATED_ARGS_MAX: u32 = 10;
/// Bytes of an argument that any client may send: those of an unauthenticated one; `proto-max-bulk-len` is at least 1 MB.
const ALWAYS_ALLOWED: u32 = 16_384;
/// Ranges that a parser keeps room for between requests, and reserves at most on a client's word.
const ARGS_KEPT: usize = 1024;

#[cfg(test)]
mod tests;
