//! How many nodes the radix tree would have in which Redis keeps the nodes of a stream. XINFO STREAM tells.

use super::StreamId;

/// Bytes of a key.
const KEY: u32 = 16;

/// The nodes of a compressed radix tree (`rax`, Redis 7.2) over these ascending ids as 16-byte keys: the empty root; or for each key its end, for each place
/// where keys part a node, and for each run of bytes before one of these, if it is not empty, a node too.
pub(super) fn node_count(ids: impl Iterator<Item = StreamId>) -> usize {
    let mut count = 0;
    // Depths of the places where keys part, on the way from the root to the key before.
    let mut branches: Vec<u32> = Vec::new();
    let mut before: Option<u128> = None;
    let mut shared_before = None;
    for id in ids.map(u128::from) {
        if let Some(before) = before {
            let shared = (before ^ id).leading_zeros() / 8;
            count += path(KEY, shared_before.max(Some(shared)));
            while let Some(branch) = branches.pop_if(|branch| *branch > shared) {
                count += path(branch, branches.last().copied().max(Some(shared)));
            }
            if branches.last() != Some(&shared) {
                branches.push(shared);
            }
            shared_before = Some(shared);
        }
        before = Some(id);
    }
    if before.is_none() {
        return 1;
    }
    count += path(KEY, shared_before);
    while let Some(branch) = branches.pop() {
        count += path(branch, branches.last().copied());
    }
    count
}

/// A node at this depth, and the run of bytes that leads to it from the branch above, which takes one byte itself.
fn path(depth: u32, branch: Option<u32>) -> usize {
    let run = depth - branch.map_or(0, |branch| branch + 1);
    1 + usize::from(run > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn counts(ids: &[(u64, u64)], expected: usize) {
        let ids = ids.iter().map(|&(ms, seq)| StreamId::new(ms, seq));
        assert_eq!(node_count(ids), expected);
    }

    #[test]
    fn nodes_are_counted_as_redis_counts_them() {
        counts(&[], 1);
        counts(&[(1, 0)], 2);
        // A shared run, the branch, and for either key what is left of it and its end.
        counts(&[(1, 0), (2, 0)], 6);
        // The keys part in the last byte: nothing is left of them but their ends.
        counts(&[(1, 0), (1, 1)], 4);
        counts(&[(1, 0), (1, 1), (1, 2)], 5);
        // They part in the first byte: no shared run.
        counts(&[(1, 0), (1 << 63, 0)], 5);
        // Two branches, one below the other.
        counts(&[(1, 0), (1, 1), (2, 0)], 8);
        counts(&[(1, 0), (2, 0), (2, 1)], 8);
    }
}
