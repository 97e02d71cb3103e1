//! The zipmap, which held small hashes before Redis 2.6.
//!
//! ```text
//! +-------------------------+------------------------------------------------------+-----+------+
//! | fields (254: more than  | length field  length unused value  `unused` bytes    | ... | 0xff |
//! | 253)                    |                                                      |     |      |
//! +-------------------------+------------------------------------------------------+-----+------+
//! ```
//! A length is a byte below 254, else 0xfe and u32 LE; `unused` is a byte.

const END: u8 = 0xff;
const MANY: u8 = 254;

/// Shows fields and values of a zipmap to `visit` until it says no. Whether `bytes` are a zipmap, not empty, and `visit` never said no.
pub(super) fn walk<'a>(bytes: &'a [u8], mut visit: impl FnMut(&'a [u8], &'a [u8]) -> bool) -> bool {
    let Some(((&stated, entries), &END)) = bytes
        .split_last()
        .and_then(|(end, rest)| Some((rest.split_first()?, end)))
    else {
        return false;
    };
    let (mut rest, mut count) = (entries, 0usize);
    while !rest.is_empty() {
        let Some((field, value, tail)) = entry(rest) else {
            return false;
        };
        if !visit(field, value) {
            return false;
        }
        (rest, count) = (tail, count + 1);
    }
    count > 0 && (stated == MANY || usize::from(stated) == count)
}

fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, rest) = length(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = length(rest)?;
    let (&unused, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    Some((field, value, rest.get(usize::from(unused)..)?))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&END, _) => None,
        (&MANY, rest) => {
            let (len, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        (&len, rest) => Some((usize::from(len), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let mut pairs = Vec::new();
        walk(bytes, |field, value| {
            pairs.push((field, value));
            true
        })
        .then_some(pairs)
    }

    #[test]
    fn fields_and_values_are_read() {
        let bytes = b"\x02\x01a\x02\x01vw-\xfe\x02\0\0\0bc\0\0\xff";
        let expected: Vec<(&[u8], &[u8])> = vec![(b"a", b"vw"), (b"bc", b"")];
        assert_eq!(pairs(bytes), Some(expected));
        assert_eq!(pairs(b"\x00\xff"), None);
        assert_eq!(pairs(b"\x02\x00\xff"), None);
        for cut in 0..bytes.len() {
            assert_eq!(pairs(&bytes[..cut]), None);
        }
        let mut wrong = bytes.to_vec();
        wrong[0] = 3;
        assert_eq!(pairs(&wrong), None);
        wrong[0] = 254;
        assert!(pairs(&wrong).is_some());
    }
}
