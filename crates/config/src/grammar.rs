//! The grammar of redis.conf: a text into lines, a line into words, and a word back into quotes.
//!
//! The same grammar reads the files, the overrides of the command line and the single argument of a directive that
//! takes several words.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n};
use nom::character::complete::{anychar, char};
use nom::combinator::{eof, map, map_opt, peek, value};
use nom::multi::{fold_many0, many0};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// A line whose quotes do not close, or whose closing quote is followed by something other than a blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbalanced;

/// One line of a configuration that is neither blank nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line's number, from 1.
    pub number: usize,
    /// The line without the blanks around it.
    pub text: &'a [u8],
    /// Its words, or why there are none.
    pub words: Result<Vec<Vec<u8>>, Unbalanced>,
}

/// The lines of a configuration that say something, in order. A line may have no words at all.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|&byte| byte == b'\n')
        .map(trim)
        .zip(1..)
        .filter(|(text, _)| is_statement(text))
        .map(|(text, number)| Line {
            number,
            text,
            words: words(text),
        })
}

/// Splits a line into words: blanks separate; `"..."` knows the escapes `\n \r \t \b \a \xHH` and takes any other
/// escaped byte as itself; `'...'` knows only `\'`. A closing quote ends its word. A zero byte ends the line.
///
/// # Errors
/// [`Unbalanced`] where a quote is not closed or its close touches the next byte.
pub fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    terminated(many0(preceded(blanks, word)), (blanks, eof))
        .parse(line)
        .map(|(_, words)| words)
        .map_err(|_| Unbalanced)
}

/// Writes `bytes` between double quotes so that [`words`] reads them back as one word.
pub fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => quoted.extend([b'\\', byte]),
            b'\n' => quoted.extend(b"\\n"),
            b'\r' => quoted.extend(b"\\r"),
            b'\t' => quoted.extend(b"\\t"),
            0x07 => quoted.extend(b"\\a"),
            0x08 => quoted.extend(b"\\b"),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

/// The line without the blanks around it.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().take_while(|byte| blank(byte)).count();
    let line = line.get(start..).unwrap_or_default();
    let end = line.len() - line.iter().rev().take_while(|byte| blank(byte)).count();
    line.get(..end).unwrap_or_default()
}

/// Whether a trimmed line is more than nothing or a comment.
pub(crate) fn is_statement(line: &[u8]) -> bool {
    !matches!(line.first(), None | Some(b'#' | 0))
}

fn word(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let (rest, mut word) = map(take_while(is_plain), <[u8]>::to_vec).parse(input)?;
    let quoted = alt((double_quoted, single_quoted)).parse(rest);
    match (quoted, rest.first()) {
        (Ok((rest, tail)), _) => {
            word.extend(tail);
            Ok((rest, word))
        }
        (Err(error), Some(b'"' | b'\'')) => Err(error),
        (Err(error), _) if word.is_empty() => Err(error),
        (Err(_), _) => Ok((rest, word)),
    }
}

fn double_quoted(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let hexadecimal = map_opt(
        preceded(
            tag(&b"\\x"[..]),
            take_while_m_n(2, 2, |byte: u8| byte.is_ascii_hexdigit()),
        ),
        |digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok(),
    );
    let escaped = map(preceded(char('\\'), anybyte), |byte| match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    });
    let plain = byte_where(|byte| !matches!(byte, b'"' | b'\\'));
    let content = fold_many0(alt((hexadecimal, escaped, plain)), Vec::new, pushed);
    delimited(char('"'), content, (char('"'), boundary)).parse(input)
}

fn single_quoted(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let escaped = value(b'\'', tag(&b"\\'"[..]));
    let plain = byte_where(|byte| byte != b'\'');
    let content = fold_many0(alt((escaped, plain)), Vec::new, pushed);
    delimited(char('\''), content, (char('\''), boundary)).parse(input)
}

fn pushed(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

fn anybyte(input: &[u8]) -> IResult<&[u8], u8> {
    byte_where(|_| true).parse(input)
}

fn byte_where<'a>(
    accepts: impl Fn(u8) -> bool + Copy,
) -> impl Parser<&'a [u8], Output = u8, Error = nom::error::Error<&'a [u8]>> {
    map_opt(anychar, move |found| {
        u8::try_from(found).ok().filter(|&byte| accepts(byte))
    })
}

fn boundary(input: &[u8]) -> IResult<&[u8], ()> {
    peek(alt((value((), eof), value((), byte_where(is_blank))))).parse(input)
}

fn blanks(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(is_blank)(input)
}

/// What C's `isspace` takes for a blank.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&[u8]]) {
        let expected: Vec<Vec<u8>> = expected.iter().map(|word| word.to_vec()).collect();
        assert_eq!(words(line.as_bytes()), Ok(expected), "{line}");
    }

    #[test]
    fn words_are_separated_by_blanks() {
        check("", &[]);
        check(" \t ", &[]);
        check("port 6379", &[b"port", b"6379"]);
        check("  save\t900 \r 1  ", &[b"save", b"900", b"1"]);
        check("\x0b\x0ca b", &[b"a", b"b"]);
        check("a\x0bb", &[b"a\x0bb"]);
        check("a\0b", &[b"a"]);
    }

    #[test]
    fn quotes_keep_blanks_and_know_their_escapes() {
        check(r#"a "" '' b"#, &[b"a", b"", b"", b"b"]);
        check(r#"pass "a b""#, &[b"pass", b"a b"]);
        check(
            r#"x "\n\r\t\b\a\x41\xfF\q\\\"""#,
            &[b"x", b"\n\r\t\x08\x07A\xffq\\\""],
        );
        check(r#"x "\xg1" "\x4""#, &[b"x", b"xg1", b"x4"]);
        check(r"x 'it\'s' '\n'", &[b"x", b"it's", b"\\n"]);
        check(r#"pre"fix ed" next"#, &[b"prefix ed", b"next"]);
        check(r#""'" '"'"#, &[b"'", b"\""]);
    }

    #[test]
    fn quotes_must_close_before_a_blank() {
        for line in [
            r#"a "b"#,
            "a 'b",
            r#""a"b"#,
            "'a'b",
            r#""a""b""#,
            r#"a "b\"#,
            r#"a"b"'c'"#,
        ] {
            assert_eq!(words(line.as_bytes()), Err(Unbalanced), "{line}");
        }
    }

    #[test]
    fn lines_skip_comments_and_keep_their_numbers() {
        let text = b"# first\n\n  port 1 \r\n\t# more\nbind 'x\n";
        let found: Vec<Line<'_>> = lines(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].number, found[0].text), (3, &b"port 1"[..]));
        assert_eq!((found[1].number, &found[1].words), (5, &Err(Unbalanced)));
    }

    #[test]
    fn quoting_spells_every_escape() {
        assert_eq!(
            quote(b"a\"\\\n\r\t\x07\x08\x01\xff "),
            br#""a\"\\\n\r\t\a\b\x01\xff ""#
        );
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = words(&line);
            let _ = lines(&line).count();
        }

        #[test]
        fn quotes_come_back(wanted in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6)) {
            let line = wanted.iter().map(|word| quote(word)).collect::<Vec<_>>().join(&b' ');
            prop_assert_eq!(words(&line), Ok(wanted));
        }
    }
}
