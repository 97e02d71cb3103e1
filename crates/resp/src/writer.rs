//! Replies in RESP2 or RESP3, written straight into an [`Output`].

use std::io::Write as _;

use bytes::Bytes;

use crate::number::{LongDouble, format_double};
use crate::output::{Deferred, Output};

/// The version of the protocol that a client speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proto {
    /// Until `HELLO 3`.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// The kinds of aggregate replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// A list of elements.
    Array,
    /// Pairs of key and value; in RESP2 a flat array.
    Map,
    /// Elements without order; in RESP2 an array.
    Set,
    /// A message outside the order of replies; in RESP2 an array.
    Push,
    /// Pairs that go before a reply. RESP3 only.
    Attribute,
}

/// Writes replies for one client.
///
/// Every method appends one complete value, except those that open an aggregate: after them the caller writes exactly as many
/// values as it announced (twice as many for a map).
#[derive(Debug)]
pub struct Writer<'a> {
    /// Where the replies go.
    pub out: &'a mut Output,
    /// How they are encoded.
    pub proto: Proto,
}

impl<'a> Writer<'a> {
    /// A writer of `proto` into `out`.
    #[inline]
    pub fn new(out: &'a mut Output, proto: Proto) -> Self {
        Self { out, proto }
    }

    /// The version of the protocol that it writes.
    #[inline]
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Whether the output takes no more, see [`Output::set_max`]: who writes without end stops then.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.out.is_full()
    }

    /// `+text`. The text must hold no line end.
    #[inline]
    pub fn simple(&mut self, text: &[u8]) {
        debug_assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
        self.line(b'+', text);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.push_block(b"+OK\r\n", 5);
    }

    /// `-text`: the error's code (`ERR`, `WRONGTYPE` ..) and message. Line ends at either end are dropped, others become
    /// spaces, as in Redis.
    pub fn error(&mut self, text: &[u8]) {
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = text
            .iter()
            .position(|byte| !is_line_end(byte))
            .unwrap_or(text.len());
        let end = text
            .iter()
            .rposition(|byte| !is_line_end(byte))
            .map_or(start, |last| last + 1);
        self.out.reserve(text.len() + 3);
        self.out.push(b"-");
        for part in text
            .get(start..end)
            .unwrap_or_default()
            .split_inclusive(is_line_end)
        {
            match part.split_last() {
                Some((last, rest)) if is_line_end(last) => {
                    self.out.push(rest);
                    self.out.push(b" ");
                }
                _ => self.out.push(part),
            }
        }
        self.out.push(b"\r\n");
    }

    /// `:value`.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.header(b':', value),
            Err(_) => self.line(b':', itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// A string of bytes, copied.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 2 * HEADER);
        self.header(b'$', bytes.len() as u64);
        self.out.push(bytes);
        self.out.push_block(b"\r\n", 2);
    }

    /// A string of bytes, by reference if it is long.
    #[inline]
    pub fn bulk_bytes(&mut self, bytes: &Bytes) {
        self.header(b'$', bytes.len() as u64);
        self.out.push_bytes(bytes);
        self.out.push_block(b"\r\n", 2);
    }

    /// An integer as a string of bytes, as elements of type integer are shown.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value: `$-1` in RESP2, `_` in RESP3.
    #[inline]
    pub fn null(&mut self) {
        match self.proto {
            Proto::Resp2 => self.out.push_block(b"$-1\r\n", 5),
            Proto::Resp3 => self.out.push_block(b"_\r\n", 3),
        }
    }

    /// No aggregate: `*-1` in RESP2, `_` in RESP3.
    #[inline]
    pub fn null_array(&mut self) {
        match self.proto {
            Proto::Resp2 => self.out.push_block(b"*-1\r\n", 5),
            Proto::Resp3 => self.out.push_block(b"_\r\n", 3),
        }
    }

    /// A truth value: `:1` or `:0` in RESP2, `#t` or `#f` in RESP3.
    pub fn boolean(&mut self, value: bool) {
        self.out.push(match (self.proto, value) {
            (Proto::Resp2, false) => b":0\r\n",
            (Proto::Resp2, true) => b":1\r\n",
            (Proto::Resp3, false) => b"#f\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
        });
    }

    /// A double as [`format_double`] writes it: a bulk string in RESP2, `,value` in RESP3.
    pub fn double(&mut self, value: f64) {
        self.double_text(&format_double(value));
    }

    /// A double with 17 digits after the point and no exponent (`addReplyHumanLongDouble`), as `GEOPOS` shows coordinates: a bulk string in
    /// RESP2, `,value` in RESP3. NaN is shown as `nan`.
    pub fn human_double(&mut self, value: f64) {
        match LongDouble::try_from(value) {
            Ok(value) => self.double_text(&value.to_text()),
            Err(_) => self.double_text(b"nan"),
        }
    }

    /// A double already in decimal: a bulk string in RESP2, `,text` in RESP3.
    pub fn double_text(&mut self, text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => self.line(b',', text),
        }
    }

    /// An integer beyond 64 bits in decimal: a bulk string in RESP2, `(text` in RESP3.
    pub fn big_number(&mut self, text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => self.line(b'(', text),
        }
    }

    /// A text for people in `format` (`txt`, `mkd`): a bulk string in RESP2, `=len` and `format:text` in RESP3.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        if self.proto == Proto::Resp2 {
            return self.bulk(text);
        }
        let [a, b, c] = format;
        self.header(b'=', text.len() as u64 + 4);
        self.out.push_block(&[a, b, c, b':'], 4);
        self.out.push(text);
        self.out.push_block(b"\r\n", 2);
    }

    /// Opens an array of `len` values.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as u64);
    }

    /// Opens a map of `pairs` keys and values; in RESP2 an array of twice as many values.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        self.open(Aggregate::Map, pairs);
    }

    /// Opens a set of `len` values.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.open(Aggregate::Set, len);
    }

    /// Opens a push message of `len` values.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.open(Aggregate::Push, len);
    }

    /// Opens the attributes, `pairs` keys and values, of the value that follows them. RESP2 has none: do not write them there.
    pub fn attribute(&mut self, pairs: usize) {
        self.open(Aggregate::Attribute, pairs);
    }

    /// Opens an aggregate of `len` values, or pairs.
    #[inline]
    pub fn open(&mut self, kind: Aggregate, len: usize) {
        let (tag, len) = self.tag_and_count(kind, len);
        self.header(tag, len);
    }

    /// Opens an aggregate whose length is known only after its values: write them, then call [`Writer::finish`].
    pub fn begin(&mut self) -> Deferred {
        self.out.begin()
    }

    /// Closes the aggregate begun as `deferred`, of `len` values, or pairs, written since.
    pub fn finish(&mut self, deferred: Deferred, kind: Aggregate, len: usize) {
        let (tag, len) = self.tag_and_count(kind, len);
        let (header, used) = header(tag, len);
        self.out
            .finish(deferred, header.get(..used).unwrap_or_default());
    }

    /// Closes the reply of SCAN and its kin, begun as `deferred` before its elements: the next cursor, then an array of the `len` values
    /// written since.
    pub fn finish_scan(&mut self, deferred: Deferred, cursor: u64, len: usize) {
        let mut room = [0; 4 + 3 * HEADER];
        let mut digits = itoa::Buffer::new();
        let cursor = digits.format(cursor);
        let mut free = &mut room[..];
        let fits = write!(free, "*2\r\n${}\r\n{cursor}\r\n*{len}\r\n", cursor.len());
        debug_assert!(fits.is_ok(), "three numbers fit their room");
        let unused = free.len();
        let header = room.get(..room.len() - unused).unwrap_or_default();
        self.out.finish(deferred, header);
    }

    #[inline]
    fn tag_and_count(&self, kind: Aggregate, len: usize) -> (u8, u64) {
        let len = len as u64;
        match (self.proto, kind) {
            (_, Aggregate::Array) => (b'*', len),
            (Proto::Resp2, Aggregate::Set | Aggregate::Push) => (b'*', len),
            (Proto::Resp2, Aggregate::Map | Aggregate::Attribute) => (b'*', len * 2),
            (Proto::Resp3, Aggregate::Map) => (b'%', len),
            (Proto::Resp3, Aggregate::Set) => (b'~', len),
            (Proto::Resp3, Aggregate::Push) => (b'>', len),
            (Proto::Resp3, Aggregate::Attribute) => (b'|', len),
        }
    }

    #[inline]
    fn header(&mut self, tag: u8, value: u64) {
        if value < 1000 {
            let (block, used) = short_header(tag, value as u32);
            self.out.push_block(&block, used);
        } else {
            let (block, used) = header(tag, value);
            self.out.push_block(&block, used);
        }
    }

    fn line(&mut self, tag: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(&[tag]);
        self.out.push(text);
        self.out.push(b"\r\n");
    }
}

/// `tag`, a number below 1,000 and a line end, and how many bytes of the block they take.
#[inline]
fn short_header(tag: u8, value: u32) -> ([u8; 8], usize) {
    let digit = |unit: u32| b'0' + (value / unit % 10) as u8;
    let (e, n) = (b'\r', b'\n');
    match value {
        ..10 => ([tag, digit(1), e, n, 0, 0, 0, 0], 4),
        10..100 => ([tag, digit(10), digit(1), e, n, 0, 0, 0], 5),
        _ => ([tag, digit(100), digit(10), digit(1), e, n, 0, 0], 6),
    }
}

/// `tag`, `value` in decimal and a line end, and how many bytes of the block they take.
pub(crate) fn header(tag: u8, value: u64) -> ([u8; HEADER], usize) {
    let digits = 1 + value.checked_ilog10().unwrap_or(0) as usize;
    let (mut block, mut rest) = ([0; HEADER], value);
    let [first, behind @ ..] = &mut block;
    *first = tag;
    let (number, end) = behind.split_at_mut(digits);
    for digit in number.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    if let [cr, lf, ..] = end {
        (*cr, *lf) = (b'\r', b'\n');
    }
    (block, digits + 3)
}

/// A tag, up to 20 digits and a line end.
const HEADER: usize = 23;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&mut Writer<'_>), resp2: &str, resp3: &str) {
        for (proto, expected) in [(Proto::Resp2, resp2), (Proto::Resp3, resp3)] {
            let mut out = Output::default();
            write(&mut Writer::new(&mut out, proto));
            let written = out.chunks().collect::<Vec<_>>().concat();
            assert_eq!(String::from_utf8_lossy(&written), expected, "{proto:?}");
        }
    }

    #[track_caller]
    fn both(write: impl Fn(&mut Writer<'_>), expected: &str) {
        check(write, expected, expected);
    }

    #[test]
    fn scalars() {
        both(|w| w.ok(), "+OK\r\n");
        both(|w| w.simple(b"QUEUED"), "+QUEUED\r\n");
        both(|w| w.bulk(b""), "$0\r\n\r\n");
        both(|w| w.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
        both(|w| w.bulk_bytes(&Bytes::from_static(b"ab")), "$2\r\nab\r\n");
        both(|w| w.bulk_integer(-12), "$3\r\n-12\r\n");
        check(|w| w.null(), "$-1\r\n", "_\r\n");
        check(|w| w.null_array(), "*-1\r\n", "_\r\n");
        check(|w| w.boolean(true), ":1\r\n", "#t\r\n");
        check(|w| w.boolean(false), ":0\r\n", "#f\r\n");
        check(|w| w.double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n");
        check(|w| w.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
        check(
            |w| w.human_double(0.1),
            "$19\r\n0.10000000000000001\r\n",
            ",0.10000000000000001\r\n",
        );
        check(|w| w.human_double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n");
        check(|w| w.big_number(b"-123"), "$4\r\n-123\r\n", "(-123\r\n");
        check(
            |w| w.verbatim(*b"txt", b"hi"),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
    }

    #[test]
    fn integers_of_every_length() {
        let mut power: i64 = 1;
        for _ in 0..19 {
            for value in [power - 1, power, power + 1, -power, power.wrapping_mul(9)] {
                both(|w| w.integer(value), &format!(":{value}\r\n"));
            }
            power = power.saturating_mul(10);
        }
        both(|w| w.integer(i64::MIN), &format!(":{}\r\n", i64::MIN));
        for len in [0, 9, 10, 99, 100, 999, 1000, 70_000] {
            both(
                |w| w.bulk(&vec![b'x'; len]),
                &format!("${len}\r\n{}\r\n", "x".repeat(len)),
            );
            both(|w| w.array(len), &format!("*{len}\r\n"));
        }
    }

    #[test]
    fn errors_stay_on_one_line() {
        both(|w| w.error(b"ERR no such key"), "-ERR no such key\r\n");
        both(|w| w.error(b"ERR a\r\nb\nc\r\n"), "-ERR a  b c\r\n");
        both(|w| w.error(b"\r\n"), "-\r\n");
    }

    #[test]
    fn aggregates() {
        both(|w| w.array(2), "*2\r\n");
        check(|w| w.map(2), "*4\r\n", "%2\r\n");
        check(|w| w.set(2), "*2\r\n", "~2\r\n");
        check(|w| w.push(3), "*3\r\n", ">3\r\n");
        check(|w| w.attribute(1), "*2\r\n", "|1\r\n");
    }

    #[test]
    fn a_scan_writes_its_cursor_last() {
        for (cursor, len) in [(0, 0), (7, 1), ((1 << 53) - 1, 20), (u64::MAX, 0)] {
            both(
                |w| {
                    let reply = w.begin();
                    (0..len).for_each(|_| w.bulk(b"x"));
                    w.finish_scan(reply, cursor, len);
                    w.ok();
                },
                &format!(
                    "*2\r\n${}\r\n{cursor}\r\n*{len}\r\n{}+OK\r\n",
                    cursor.to_string().len(),
                    "$1\r\nx\r\n".repeat(len)
                ),
            );
        }
    }

    #[test]
    fn lengths_may_come_last() {
        for len in [0, 3, 10, 1234] {
            let body = ":7\r\n".repeat(len);
            check(
                |w| {
                    let outer = w.begin();
                    let inner = w.begin();
                    (0..len).for_each(|_| w.integer(7));
                    w.finish(inner, Aggregate::Set, len);
                    w.null();
                    w.finish(outer, Aggregate::Map, 1);
                },
                &format!("*2\r\n*{len}\r\n{body}$-1\r\n"),
                &format!("%1\r\n~{len}\r\n{body}_\r\n"),
            );
        }
    }
}
