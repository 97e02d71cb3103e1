//! Encoding of calls, as clients and primaries send them and as the append-only file has them.

use crate::writer::header;

/// Appends a call: an array of bulk strings (RESP2).
pub fn encode_call<'w>(
    out: &mut Vec<u8>,
    words: impl IntoIterator<Item = &'w [u8], IntoIter: ExactSizeIterator>,
) {
    let words = words.into_iter();
    append_header(out, b'*', words.len());
    for word in words {
        append_header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn append_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    let (block, used) = header(tag, length as u64);
    out.extend_from_slice(block.get(..used).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::encode_call;

    #[test]
    fn words_are_counted_and_measured() {
        let long = [b'x'; 1234];
        let mut out = Vec::new();
        encode_call(&mut out, [b"SET".as_slice(), b"", &long]);
        let expected = format!(
            "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1234\r\n{}\r\n",
            "x".repeat(1234)
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
