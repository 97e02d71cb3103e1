//! Changing the tree: insertion with splits, removal of members and of runs of ranks with joins.

use std::cmp::Ordering;

use entry::Scored;

use super::{Child, INNER_MAX, LEAF_MAX, LEAF_STEP, Node, Tree, order};

impl Tree {
    /// Adds a member; the caller knows that its (score, member) is not there.
    pub fn insert(&mut self, scored: Scored) {
        if let Some(right) = self.root.insert(scored) {
            let left = std::mem::replace(&mut self.root, Node::Inner(Vec::new()));
            let children = [left, right].into_iter().filter_map(Child::of).collect();
            self.root = Node::Inner(children);
        }
        self.len += 1;
    }

    /// Takes out a member by its score and bytes.
    pub fn remove(&mut self, score: f64, member: &[u8]) -> Option<Scored> {
        let removed = self.root.remove(score, member)?;
        self.len -= 1;
        self.lower();
        Some(removed)
    }

    /// Takes out up to `count` members from rank `start` on, and hands them to `take` in their order.
    pub fn drain(&mut self, start: usize, count: usize, mut take: impl FnMut(Scored)) {
        let start = start.min(self.len);
        let end = start.saturating_add(count).min(self.len);
        if start < end {
            self.root.drain(start, end, &mut take);
            self.len -= end - start;
            self.lower();
        }
    }

    /// Takes away roots with a single child or none.
    fn lower(&mut self) {
        while let Node::Inner(children) = &mut self.root
            && children.len() < 2
        {
            self.root = children
                .pop()
                .map_or_else(|| Node::Leaf(Vec::new()), |child| child.node);
        }
    }
}

impl Child {
    /// A node with what its parent must know; `None` for an empty one.
    fn of(node: Node) -> Option<Self> {
        let (low, count) = match &node {
            Node::Leaf(members) => (members.first()?.clone(), members.len()),
            Node::Inner(children) => (
                children.first()?.low.clone(),
                children.iter().map(|child| child.count).sum(),
            ),
        };
        Some(Self {
            score: low.score(),
            low,
            count,
            node,
        })
    }

    /// Notes the lowest member anew after a change at the head.
    fn renew_low(&mut self) {
        let low = match &self.node {
            Node::Leaf(members) => members.first(),
            Node::Inner(children) => children.first().map(|child| &child.low),
        };
        if let Some(low) = low
            && !low.same(&self.low)
        {
            self.score = low.score();
            self.low = low.clone();
        }
    }
}

impl Node {
    /// Adds a member below; the right half if the node had to be split.
    fn insert(&mut self, scored: Scored) -> Option<Self> {
        match self {
            Self::Leaf(members) => {
                let at = members.partition_point(|other| {
                    order(other.score(), other, scored.score(), scored.member()) == Ordering::Less
                });
                insert_in_leaf(members, at, scored).map(Self::Leaf)
            }
            Self::Inner(children) => {
                let next = children.partition_point(|child| {
                    order(child.score, &child.low, scored.score(), scored.member())
                        == Ordering::Less
                });
                let at = next.saturating_sub(1);
                let child = &mut children[at];
                let split = child.node.insert(scored);
                match split.and_then(Child::of) {
                    None => child.count += 1,
                    Some(right) => {
                        child.count = child.count + 1 - right.count;
                        children.insert(at + 1, right);
                    }
                }
                if next == 0 {
                    children[0].renew_low();
                }
                (children.len() > INNER_MAX)
                    .then(|| Self::Inner(children.split_off(children.len() / 2)))
            }
        }
    }

    fn remove(&mut self, score: f64, member: &[u8]) -> Option<Scored> {
        match self {
            Self::Leaf(members) => {
                let at = members.partition_point(|other| {
                    order(other.score(), other, score, member) == Ordering::Less
                });
                let found = members.get(at).is_some_and(|other| {
                    order(other.score(), other, score, member) == Ordering::Equal
                });
                let removed = found.then(|| members.remove(at));
                trim(members);
                removed
            }
            Self::Inner(children) => {
                let next = children.partition_point(|child| {
                    order(child.score, &child.low, score, member) != Ordering::Greater
                });
                let at = next.checked_sub(1)?;
                let child = &mut children[at];
                let removed = child.node.remove(score, member)?;
                child.count -= 1;
                settle(children, at, at + 1);
                Some(removed)
            }
        }
    }

    /// Takes out the members of ranks `start..end` below this node.
    fn drain(&mut self, start: usize, end: usize, take: &mut impl FnMut(Scored)) {
        match self {
            Self::Leaf(members) => {
                members.drain(start..end).for_each(take);
                trim(members);
            }
            Self::Inner(children) => {
                let (mut first, mut touched) = (0, None);
                for (at, child) in children.iter_mut().enumerate() {
                    let count = child.count;
                    let (from, to) = (
                        start.max(first) - first,
                        end.min(first + count).saturating_sub(first),
                    );
                    if from < to {
                        child.node.drain(from, to, take);
                        child.count -= to - from;
                        touched = Some((touched.map_or(at, |(head, _)| head), at + 1));
                    }
                    first += count;
                }
                if let Some((head, tail)) = touched {
                    settle(children, head, tail);
                }
            }
        }
    }
}

/// Adds a member to a leaf; the right half if the leaf had to be split. A leaf that is full at an end where members keep being added stays full.
fn insert_in_leaf(members: &mut Vec<Scored>, at: usize, scored: Scored) -> Option<Vec<Scored>> {
    let mut right = match at {
        _ if members.len() < LEAF_MAX => None,
        LEAF_MAX => Some(Vec::new()),
        0 => Some(std::mem::take(members)),
        _ => Some(members.split_off(LEAF_MAX / 2)),
    };
    let left_len = members.len();
    match &mut right {
        Some(right) if at > left_len || left_len == LEAF_MAX => {
            push_at(right, at - left_len, scored)
        }
        _ => push_at(members, at, scored),
    }
    if right.is_some() {
        trim(members);
    }
    right
}

fn push_at(members: &mut Vec<Scored>, at: usize, scored: Scored) {
    if members.len() == members.capacity() {
        members.reserve_exact(LEAF_STEP - members.len() % LEAF_STEP);
    }
    members.insert(at, scored);
}

/// Gives back the block's tail when over a step of it is unused.
fn trim(members: &mut Vec<Scored>) {
    if members.capacity() >= members.len() + 2 * LEAF_STEP {
        members.shrink_to(members.len().next_multiple_of(LEAF_STEP));
    }
}

/// After removals in the children `head..tail`: drops empty ones, notes lowest members anew, and joins small ones with a neighbour.
fn settle(children: &mut Vec<Child>, head: usize, tail: usize) {
    let kept = children.len();
    let mut at = 0;
    children.retain(|child| {
        let inside = (head..tail).contains(&at);
        at += 1;
        !inside || child.count > 0
    });
    let tail = tail - (kept - children.len());
    for child in children.iter_mut().take(tail).skip(head) {
        child.renew_low();
    }
    for at in (head.saturating_sub(1)..tail).rev() {
        join(children, at);
    }
}

/// Joins the children at `at` and behind it if one of them is small and together they leave room in one node.
fn join(children: &mut Vec<Child>, at: usize) {
    let [left, right, ..] = &children[at.min(children.len())..] else {
        return;
    };
    let max = if matches!(left.node, Node::Leaf(_)) {
        LEAF_MAX
    } else {
        INNER_MAX
    };
    let (small, together) = (
        left.node.len().min(right.node.len()),
        left.node.len() + right.node.len(),
    );
    if small > max / 4 || together > max / 4 * 3 {
        return;
    }
    let right = children.remove(at + 1);
    let left = &mut children[at];
    left.count += right.count;
    match (&mut left.node, right.node) {
        (Node::Leaf(members), Node::Leaf(mut others)) => {
            members.reserve_exact(
                (members.len() + others.len()).next_multiple_of(LEAF_STEP) - members.len(),
            );
            members.append(&mut others);
        }
        (Node::Inner(members), Node::Inner(mut others)) => members.append(&mut others),
        // All leaves are equally deep.
        _ => debug_assert!(false, "neighbours of different height"),
    }
}
