//! PEM as OpenSSL writes and reads it: sections with labels, RFC 1421 headers (old encrypted keys), text around them.

use std::fmt;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// One section: what lies between `-----BEGIN label-----` and `-----END label-----`.
pub(crate) struct Section {
    /// The label, such as `CERTIFICATE`.
    pub(crate) label: String,
    /// RFC 1421 headers in order, such as `DEK-Info`.
    pub(crate) headers: Vec<(String, String)>,
    /// The decoded body, wiped when dropped, for it may be a key.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Section {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What is wrong with a PEM text, and in which line (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    line: usize,
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// All sections of a text, in order; text outside of sections is passed over.
pub(crate) fn sections(text: &[u8]) -> Result<Vec<Section>, Malformed> {
    let mut found = Vec::new();
    let mut lines = text.split(|&byte| byte == b'\n').enumerate();
    while let Some((_, line)) = lines.next() {
        if let Some(label) = boundary(line, "-----BEGIN ") {
            found.push(section(label.to_owned(), &mut lines)?);
        }
    }
    Ok(found)
}

/// Reads on to the end of the section just opened.
fn section<'a>(
    label: String,
    lines: &mut impl Iterator<Item = (usize, &'a [u8])>,
) -> Result<Section, Malformed> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut encoded = Zeroizing::new(Vec::new());
    let mut last = 0;
    for (index, raw) in lines {
        last = index + 1;
        let line = raw.trim_ascii();
        if let Some(end) = boundary(line, "-----END ") {
            if end != label {
                return Err(Malformed {
                    line: last,
                    what: "the END line does not match its BEGIN line",
                });
            }
            let body = decode(&encoded).ok_or(Malformed {
                line: last,
                what: "the section ending here is not base64",
            })?;
            return Ok(Section {
                label,
                headers,
                body,
            });
        }
        if boundary(line, "-----BEGIN ").is_some() {
            return Err(Malformed {
                line: last,
                what: "a section begins inside another one",
            });
        }
        match line.iter().position(|&byte| byte == b':') {
            Some(colon) if encoded.is_empty() => {
                let (name, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
                headers.push((lossy(name), lossy(value)));
            }
            _ => encoded.extend(
                line.iter()
                    .copied()
                    .filter(|byte| !byte.is_ascii_whitespace()),
            ),
        }
    }
    Err(Malformed {
        line: last,
        what: "the file ends inside a section",
    })
}

/// The label of a boundary line, if this is one.
fn boundary<'a>(line: &'a [u8], opening: &str) -> Option<&'a str> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let label = line
        .strip_prefix(opening.as_bytes())?
        .strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok()
}

/// UTF-8's, as Windows editors put it before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn decode(encoded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(vec![0; encoded.len() / 4 * 3 + 3]);
    let length = Base64::decode(encoded, &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        match sections(text.as_bytes()) {
            Ok(found) => panic!("{} sections", found.len()),
            Err(malformed) => malformed.to_string(),
        }
    }

    #[test]
    fn sections_headers_and_text_around() {
        let text = "\u{feff}-----BEGIN A-----\r\nZm9v\r\nYmFy\r\n-----END A-----\r\nsubject=/CN=x\n\
                    -----BEGIN B KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00ff\n\nZm8=\n-----END B KEY-----";
        let found = sections(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].label.as_str(), found[0].body.as_slice()),
            ("A", b"foobar".as_slice())
        );
        assert_eq!(found[1].header("dek-info"), Some("AES-256-CBC,00ff"));
        assert_eq!(found[1].body.as_slice(), b"fo");
        assert!(sections(b"nothing here").unwrap().is_empty());
    }

    #[test]
    fn broken_sections_are_told_by_line() {
        assert_eq!(
            error("-----BEGIN A-----\nZm9v\n"),
            "line 3: the file ends inside a section"
        );
        assert_eq!(
            error("-----BEGIN A-----\nZm9v\n-----END B-----"),
            "line 3: the END line does not match its BEGIN line"
        );
        assert_eq!(
            error("x\n-----BEGIN A-----\nZ?9v\n-----END A-----"),
            "line 4: the section ending here is not base64"
        );
        assert_eq!(
            error("-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----"),
            "line 2: a section begins inside another one"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = sections(&bytes);
        }

        #[test]
        fn any_mangled_pem_is_read_or_refused(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just("-----BEGIN X-----".to_owned()), Just("-----END X-----".to_owned()), Just("-----BEGIN -----".to_owned()),
                    Just("DEK-Info: AES-256-CBC,00".to_owned()), "[A-Za-z0-9+/=: -]{0,20}",
                ],
                0..12,
            )
        ) {
            let _ = sections(lines.join("\n").as_bytes());
        }
    }
}
