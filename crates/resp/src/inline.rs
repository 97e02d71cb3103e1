//! How one line of an inline request falls into words: blanks separate, quotes hold together, backslashes escape.

use crate::ProtocolError;
use crate::request::ArgRange;

/// Splits `line` (without its line end) into words exactly as an inline request is split, quotes and escapes resolved.
/// A NUL byte ends the line.
///
/// # Errors
///
/// [`ProtocolError::UnbalancedQuotes`] if a quote stays open or a closing quote is followed by anything but a blank.
pub fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let (mut text, mut ranges) = (Vec::new(), Vec::new());
    unquote(line, &mut text, &mut ranges)?;
    Ok(ranges
        .iter()
        .map(|range| range.of(&text).to_vec())
        .collect())
}

/// Whether `line` needs [`unquote`]; without quotes every word is a range of the line itself.
pub(crate) fn has_quotes(line: &[u8]) -> bool {
    memchr::memchr2(b'"', b'\'', line).is_some()
}

/// Appends the range of each word of a line without quotes.
pub(crate) fn split_plain(line: &[u8], words: &mut Vec<ArgRange>) {
    let mut at = 0;
    while let Some(start) = word_start(line, at) {
        let rest = line.get(start..).unwrap_or_default();
        let len = rest.iter().position(|&byte| ends_word(byte));
        let end = start + len.unwrap_or(rest.len());
        words.push(ArgRange { start, end });
        at = end;
    }
}

/// Appends the words of `line` to `text`, with quotes and escapes resolved, and their ranges in `text` to `words`.
pub(crate) fn unquote(
    line: &[u8],
    text: &mut Vec<u8>,
    words: &mut Vec<ArgRange>,
) -> Result<(), ProtocolError> {
    let mut at = 0;
    while let Some(first) = word_start(line, at) {
        let start = text.len();
        at = first;
        loop {
            match line.get(at).copied() {
                None => break,
                Some(byte) if ends_word(byte) => break,
                // A closing quote ends the word, an opening one may stand within it.
                Some(b'"') => {
                    at = double_quoted(line, at + 1, text)?;
                    break;
                }
                Some(b'\'') => {
                    at = single_quoted(line, at + 1, text)?;
                    break;
                }
                Some(byte) => text.push(byte),
            }
            at += 1;
        }
        words.push(ArgRange {
            start,
            end: text.len(),
        });
    }
    Ok(())
}

/// Reads up to the closing `"` and returns the position after it.
fn double_quoted(line: &[u8], mut at: usize, text: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        match line.get(at..).unwrap_or_default() {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                text.push(hex_digit(*high) * 16 + hex_digit(*low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                text.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                at += 2;
            }
            [b'"', after @ ..] => return closed(after, at + 1),
            [byte, ..] => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// Reads up to the closing `'` and returns the position after it; only `\'` is an escape here.
fn single_quoted(line: &[u8], mut at: usize, text: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        match line.get(at..).unwrap_or_default() {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\\', b'\'', ..] => {
                text.push(b'\'');
                at += 2;
            }
            [b'\'', after @ ..] => return closed(after, at + 1),
            [byte, ..] => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

fn closed(after: &[u8], at: usize) -> Result<usize, ProtocolError> {
    match after.first() {
        Some(&byte) if !is_blank(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(at),
    }
}

fn word_start(line: &[u8], at: usize) -> Option<usize> {
    let rest = line.get(at..)?;
    Some(at + rest.iter().position(|&byte| !is_blank(byte))?)
}

/// Blanks between words: C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// What ends an unquoted word; vertical tab and form feed do not, although they are skipped before one (Redis 7.2).
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &[&[u8]]) {
        assert_eq!(
            split_words(line).unwrap(),
            expected,
            "{}",
            line.escape_ascii()
        );
        if !has_quotes(line) && !line.contains(&0) {
            let mut plain = Vec::new();
            split_plain(line, &mut plain);
            let plain: Vec<&[u8]> = plain.iter().map(|range| range.of(line)).collect();
            assert_eq!(plain, expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn blanks_separate_words() {
        check(b"", &[]);
        check(b" \t\r\n\x0b\x0c ", &[]);
        check(b"SET key value", &[b"SET", b"key", b"value"]);
        check(b"  SET\tkey   value \r", &[b"SET", b"key", b"value"]);
        check(b"a\x0bb \x0bc", &[b"a\x0bb", b"c"]);
        check(b"a b\0c d", &[b"a", b"b"]);
        check(br"a\nb \x41", &[br"a\nb", br"\x41"]);
    }

    #[test]
    fn quotes_hold_words_together() {
        check(br#"set "a b" 'c d'"#, &[b"set", b"a b", b"c d"]);
        check(br#""" ''"#, &[b"", b""]);
        check(br#"pre"fix" x"#, &[b"prefix", b"x"]);
        check(
            br#""\x41\n\r\t\b\a\q\"\\\xZZ""#,
            &[b"A\n\r\t\x08\x07q\"\\xZZ"],
        );
        check(br#"'it\'s \n raw'"#, &[br"it's \n raw"]);
        check(b"\"\\xfF\"", &[b"\xff"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            &b"\"a"[..],
            b"'a",
            b"\"a\"b",
            b"'a'b",
            b"a\"",
            b"\"a\\",
            b"\"a\\\"",
            b"\"a\"'b'",
        ] {
            assert_eq!(
                split_words(line),
                Err(ProtocolError::UnbalancedQuotes),
                "{}",
                line.escape_ascii()
            );
        }
    }
}
