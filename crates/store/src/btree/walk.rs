//! Walking the order from a rank on, in either direction.

use std::slice;

use entry::Scored;
use smallvec::SmallVec;

use super::{Child, Node, Tree};
use crate::list::End;

/// Members in order, upwards or downwards. Holds its place as the rest of each node on the way down.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    above: SmallVec<[slice::Iter<'a, Child>; 5]>,
    leaf: slice::Iter<'a, Scored>,
    from: End,
    left: usize,
}

impl Tree {
    /// Up to `count` members beginning with that of rank `start`: upwards from [`End::Head`], downwards from [`End::Tail`].
    pub fn walk(&self, from: End, start: usize, count: usize) -> Walk<'_> {
        let mut walk = Walk {
            above: SmallVec::new(),
            leaf: [].iter(),
            from,
            left: 0,
        };
        if start >= self.len {
            return walk;
        }
        let available = if from == End::Head {
            self.len - start
        } else {
            start + 1
        };
        walk.left = count.min(available);
        walk.seek(&self.root, start);
        walk
    }

    /// All members, upwards.
    pub fn iter(&self) -> Walk<'_> {
        self.walk(End::Head, 0, self.len)
    }
}

impl<'a> Walk<'a> {
    fn seek(&mut self, mut node: &'a Node, mut rank: usize) {
        loop {
            match node {
                Node::Leaf(members) => {
                    self.leaf = match self.from {
                        End::Head => members[rank.min(members.len())..].iter(),
                        End::Tail => members[..members.len().min(rank + 1)].iter(),
                    };
                    return;
                }
                Node::Inner(children) => {
                    let mut at = 0;
                    while at + 1 < children.len() && rank >= children[at].count {
                        rank -= children[at].count;
                        at += 1;
                    }
                    self.above.push(match self.from {
                        End::Head => children[at + 1..].iter(),
                        End::Tail => children[..at].iter(),
                    });
                    node = &children[at].node;
                }
            }
        }
    }

    /// Goes on to the next leaf.
    fn climb(&mut self) -> Option<()> {
        let child = loop {
            let siblings = self.above.last_mut()?;
            let next = match self.from {
                End::Head => siblings.next(),
                End::Tail => siblings.next_back(),
            };
            match next {
                Some(child) => break child,
                None => self.above.pop(),
            };
        };
        let rank = if self.from == End::Head {
            0
        } else {
            child.count.saturating_sub(1)
        };
        self.seek(&child.node, rank);
        Some(())
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Scored;

    #[inline]
    fn next(&mut self) -> Option<&'a Scored> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let next = match self.from {
                End::Head => self.leaf.next(),
                End::Tail => self.leaf.next_back(),
            };
            if next.is_some() {
                return next;
            }
            self.climb()?;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}
