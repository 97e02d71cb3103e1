//! How large a block a request gets.

/// The bytes that the allocator sets aside for a request of `size` bytes.
///
/// These are mimalloc's classes: a word, then even numbers of words up to 64 bytes, then four classes to each doubling (80, 96, 112,
/// 128, 160, ..), and whole pages above 512 kB. A test holds them against mimalloc itself.
#[inline]
pub const fn good_size(size: usize) -> usize {
    let words = size.div_ceil(WORD);
    if words <= 8 {
        return if words <= 1 {
            WORD
        } else {
            words.next_multiple_of(2) * WORD
        };
    }
    if size > LARGE {
        // A size near the end of the address space cannot be allocated; it must not overflow either.
        return size.saturating_add(PAGE - 1) & !(PAGE - 1);
    }
    // Rounded up to a multiple of a quarter of the highest power of two below.
    let last = words - 1;
    let step = last.ilog2() - 2;
    (((last >> step) + 1) << step) * WORD
}

const WORD: usize = 8;
const PAGE: usize = 4096;
const LARGE: usize = 512 * 1024;

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_allocator() {
        for size in (0..70_000).chain((70_000..3_000_000).step_by(997)) {
            // SAFETY: a pure function of a number.
            let expected = unsafe { libmimalloc_sys::mi_good_size(size) };
            assert_eq!(good_size(size), expected, "{size}");
        }
        assert_eq!([0, 1, 8, 9, 65, 86].map(good_size), [8, 8, 8, 16, 80, 96]);
        assert!(good_size(isize::MAX as usize) >= isize::MAX as usize);
    }
}
