//! The order of a large sorted set: a B+tree of members by (score, member bytes) that knows how many lie below each branch.
//!
//! ```text
//! inner:  [ low score | low member | count | node ] [ .. ] ..     up to 64 children
//! leaf:   [ member | member | .. ]                                up to 128 handles of 8 bytes
//! ```
//! The score at which a child begins lies in its parent, so that a search touches members in the leaf alone, and on ties. A leaf's block grows in steps
//! of 16 handles: however full leaves are, there are about 9 bytes a member. Nodes are joined when two neighbours fit one; a leaf next to a full one may stay small.

mod edit;
mod walk;

pub use walk::Walk;

use std::cmp::Ordering;

use entry::Scored;

/// Members in order, each (score, member) once.
#[derive(Debug)]
pub struct Tree {
    root: Node,
    len: usize,
}

#[derive(Debug)]
enum Node {
    Leaf(Vec<Scored>),
    Inner(Vec<Child>),
}

#[derive(Debug)]
struct Child {
    /// The score of `low`, to be compared without a visit.
    score: f64,
    /// The lowest member below.
    low: Scored,
    /// Members below.
    count: usize,
    node: Node,
}

/// Members of a leaf.
const LEAF_MAX: usize = 128;
/// The step in which the block of a leaf grows.
const LEAF_STEP: usize = 16;
/// Children of an inner node.
const INNER_MAX: usize = 64;

impl Tree {
    /// A tree without members.
    pub fn new() -> Self {
        Self {
            root: Node::Leaf(Vec::new()),
            len: 0,
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many members come before the first for which `before` says no. `before` is true for a head of the order and false for the rest.
    pub fn partition(&self, before: impl Fn(f64, &Scored) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(members) => {
                    return rank + members.partition_point(|member| before(member.score(), member));
                }
                Node::Inner(children) => {
                    let next = children.partition_point(|child| before(child.score, &child.low));
                    let Some(last) = next.checked_sub(1) else {
                        return rank;
                    };
                    rank += children
                        .iter()
                        .take(last)
                        .map(|child| child.count)
                        .sum::<usize>();
                    node = &children[last].node;
                }
            }
        }
    }

    /// The number of members below (score, member): its rank, if it is in the tree.
    pub fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.partition(|other_score, other| {
            order(other_score, other, score, member) == Ordering::Less
        })
    }

    /// The member of that rank.
    pub fn get(&self, rank: usize) -> Option<&Scored> {
        let (mut node, mut rank) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(members) => return members.get(rank),
                Node::Inner(children) => {
                    let child = children.iter().find(|child| {
                        let here = rank < child.count;
                        if !here {
                            rank -= child.count;
                        }
                        here
                    })?;
                    node = &child.node;
                }
            }
        }
    }

    /// Bytes on the heap, the members' own blocks apart.
    pub fn memory(&self) -> usize {
        self.root.memory()
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(members) => members.len(),
            Self::Inner(children) => children.len(),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Leaf(members) => members.capacity() * size_of::<Scored>(),
            Self::Inner(children) => {
                children.capacity() * size_of::<Child>()
                    + children
                        .iter()
                        .map(|child| child.node.memory())
                        .sum::<usize>()
            }
        }
    }
}

/// The order of a sorted set: by score, then by the bytes of the member. There are no NaNs.
pub(crate) fn order(score: f64, member: &Scored, other_score: f64, other: &[u8]) -> Ordering {
    let by_score = score.partial_cmp(&other_score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| member.member().cmp(other))
}

#[cfg(test)]
mod tests;
