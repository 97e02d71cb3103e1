//! Ranges of indexes as commands name them: both ends included, negative ones counted from the end.

use std::ops::Range;

/// The elements that the indexes `start` to `stop` name among `len`: empty where they name none.
#[must_use]
pub fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { len + index } else { index };
    let start = from_end(start).max(0);
    let stop = from_end(stop).min(len - 1);
    if start > stop {
        return 0..0;
    }
    // Both lie within 0..len now.
    start as usize..stop as usize + 1
}

/// The element that `index` names among `len`.
#[must_use]
pub fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (index < len).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_from_both_ends() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 3, 1..4),
            (-2, -1, 3..5),
            (-100, 1, 0..2),
            (3, 100, 3..5),
            (3, 2, 0..0),
            (5, 9, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(span(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(span(0, -1, 0), 0..0);
    }

    #[test]
    fn positions_count_from_both_ends() {
        let found = [0, 4, 5, -1, -5, -6, i64::MIN, i64::MAX].map(|index| position(index, 5));
        assert_eq!(
            found,
            [Some(0), Some(4), None, Some(4), Some(0), None, None, None]
        );
    }
}
