//! The long form of a list: a sequence of nodes, each a listpack of some kilobytes or one large element.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::sync::Arc;

use super::limit::Limit;
use super::node::{Node, NodeItems};
use super::{End, Side, remove_equal_in};
use crate::item::{Item, Needle};
use crate::listpack::{Listpack, Roomy, View};

/// A sequence of nodes. The number of elements of each node lies beside its pointer, so that seeking touches no node on its way.
#[derive(Clone, Debug)]
pub(super) struct Quicklist {
    nodes: VecDeque<Slot>,
    len: usize,
    limit: Limit,
    fill: i32,
}

#[derive(Clone, Debug)]
struct Slot {
    node: Arc<Node>,
    count: u32,
}

/// An element: the index of its node and its index within.
#[derive(Clone, Copy, Debug)]
struct Spot {
    node: usize,
    index: usize,
}

impl Slot {
    fn new(node: Node, count: usize) -> Self {
        Self {
            node: Arc::new(node),
            count: count as u32,
        }
    }

    fn count(&self) -> usize {
        self.count as usize
    }

    fn admits(&self, limit: Limit, element: &[u8]) -> bool {
        !self.node.is_plain() && limit.admits(self.node.bytes(), self.count(), element.len())
    }

    /// The listpack of the node, its own copy if a snapshot shares it; `None` for a plain node.
    fn pack(&mut self) -> Option<&mut Listpack<Roomy>> {
        match Arc::make_mut(&mut self.node) {
            Node::Packed(pack) => Some(pack),
            Node::Plain(_) => None,
        }
    }

    fn insert(&mut self, index: usize, element: &[u8]) {
        if let Some(pack) = self.pack() {
            let place = pack.view().seek(index).unwrap_or_else(|| pack.view().end());
            pack.insert(place, element);
            self.count += 1;
        }
    }

    fn remove(&mut self, index: usize, count: usize) {
        if let Some(pack) = self.pack() {
            let removed = pack.remove_range(index, count);
            self.count -= removed as u32;
        }
    }

    /// Gives back slack, unless a snapshot holds the node too: then a copy would cost more.
    fn settle(&mut self) {
        if let Some(node) = Arc::get_mut(&mut self.node) {
            node.settle();
        }
    }
}

impl Quicklist {
    pub(super) fn new(fill: i32) -> Self {
        Self {
            nodes: VecDeque::new(),
            len: 0,
            limit: Limit::of(fill),
            fill,
        }
    }

    /// A list of one node with the elements of `pack`; of no node when it has none.
    pub(super) fn from_pack(fill: i32, pack: View<'_>) -> Self {
        let mut list = Self::new(fill);
        let mut node = Listpack::new();
        node.append(pack);
        list.append_pack(node);
        list
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn fill(&self) -> i32 {
        self.fill
    }

    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.iter().map(|slot| &*slot.node)
    }

    /// The only node's elements when there is one node, and that packed.
    pub(super) fn single_pack(&self) -> Option<View<'_>> {
        let slot = (self.nodes.len() == 1)
            .then(|| self.nodes.front())
            .flatten()?;
        match &*slot.node {
            Node::Packed(pack) => Some(pack.view()),
            Node::Plain(_) => None,
        }
    }

    pub(super) fn append_pack(&mut self, pack: Listpack<Roomy>) {
        let count = pack.view().iter().count();
        if count > 0 {
            self.len += count;
            self.nodes.push_back(Slot::new(Node::Packed(pack), count));
        }
    }

    pub(super) fn append_plain(&mut self, element: &[u8]) {
        self.insert_node(self.nodes.len(), Node::plain(element));
    }

    pub(super) fn push(&mut self, end: End, element: &[u8], packed_threshold: usize) {
        let limit = self.limit;
        let (at, slot) = match end {
            End::Head => (0, self.nodes.front_mut()),
            End::Tail => (self.nodes.len(), self.nodes.back_mut()),
        };
        if element.len() >= packed_threshold {
            return self.insert_node(at, Node::plain(element));
        }
        match slot {
            Some(slot) if slot.admits(limit, element) => {
                if let Some(pack) = slot.pack() {
                    match end {
                        End::Head => pack.push_front(element),
                        End::Tail => pack.push_back(element),
                    }
                    slot.count += 1;
                    self.len += 1;
                }
            }
            full => {
                if let Some(full) = full {
                    full.settle();
                }
                self.insert_node(at, Node::packed(element));
            }
        }
    }

    /// Puts an element in the stead of number `index`, which exists.
    pub(super) fn set(&mut self, index: usize, element: &[u8], packed_threshold: usize) {
        let Some(spot) = self.locate(index) else {
            return;
        };
        let large = element.len() >= packed_threshold;
        let Some(slot) = self.nodes.get_mut(spot.node) else {
            return;
        };
        if slot.node.is_plain() {
            if large {
                *slot = Slot::new(Node::plain(element), 1);
            } else {
                self.insert(index, Side::After, element, packed_threshold);
                self.remove_in(spot.node, 0, 1);
            }
            return;
        }
        if !large {
            if let Some(pack) = slot.pack()
                && let Some(place) = pack.view().seek(spot.index)
            {
                pack.replace(place, element);
            }
            return slot.settle();
        }
        self.split(spot.node, spot.index + 1);
        self.insert_node(spot.node + 1, Node::plain(element));
        let nodes = self.nodes.len();
        self.remove_in(spot.node, spot.index, 1);
        if self.nodes.len() == nodes {
            self.join_around(spot.node + 1);
        }
    }

    /// Puts an element beside number `index`, which exists.
    pub(super) fn insert(
        &mut self,
        index: usize,
        side: Side,
        element: &[u8],
        packed_threshold: usize,
    ) {
        let Some(spot) = self.locate(index) else {
            return;
        };
        let Some(slot) = self.nodes.get(spot.node) else {
            return;
        };
        // From here on the element belongs before `cut` within its node.
        let cut = match side {
            Side::Before => spot.index,
            Side::After => spot.index + 1,
        };
        let (at_head, at_tail) = (cut == 0, cut == slot.count());
        let beside = spot.node + usize::from(side == Side::After);
        if element.len() >= packed_threshold {
            if at_head || at_tail {
                return self.insert_node(beside, Node::plain(element));
            }
            self.split(spot.node, cut);
            return self.insert_node(spot.node + 1, Node::plain(element));
        }
        if slot.admits(self.limit, element) {
            return self.insert_in(spot.node, cut, element);
        }
        if !(at_head || at_tail) {
            return self.insert_splitting(spot.node, cut, side, element);
        }
        let neighbour = match side {
            Side::Before => spot.node.checked_sub(1),
            Side::After => Some(spot.node + 1),
        };
        match neighbour.and_then(|index| Some((index, self.nodes.get(index)?))) {
            Some((index, slot)) if slot.admits(self.limit, element) => {
                let end = if side == Side::Before {
                    slot.count()
                } else {
                    0
                };
                self.insert_in(index, end, element);
            }
            _ => self.insert_node(beside, Node::packed(element)),
        }
    }

    /// Removes `count` elements from number `start` on.
    pub(super) fn remove_range(&mut self, start: usize, count: usize) {
        let Some(Spot { node, mut index }) = self.locate(start) else {
            return;
        };
        let mut left = count.min(self.len - start);
        let first_whole = node + usize::from(index > 0);
        let mut end_whole = first_whole;
        if index > 0 {
            let here = left.min(self.nodes.get(node).map_or(0, Slot::count) - index);
            self.remove_in(node, index, here);
            left -= here;
            index = 0;
        }
        while left > 0
            && let Some(slot) = self.nodes.get(end_whole)
            && slot.count() <= left
        {
            left -= slot.count();
            self.len -= slot.count();
            end_whole += 1;
        }
        self.nodes.drain(first_whole..end_whole);
        if left > 0 {
            self.remove_in(first_whole, index, left);
        }
    }

    /// Removes up to `limit` elements equal to `needle`, beginning at `from`. Returns how many.
    pub(super) fn remove_equal(&mut self, needle: Needle<'_>, from: End, limit: usize) -> usize {
        let mut removed = 0;
        let order = 0..self.nodes.len();
        for step in order.clone() {
            let at = if from == End::Head {
                step
            } else {
                order.end - 1 - step
            };
            if removed == limit {
                break;
            }
            if let Some(slot) = self.nodes.get_mut(at) {
                removed += remove_equal_in_slot(slot, needle, from, limit - removed);
            }
        }
        self.nodes.retain(|slot| slot.count > 0);
        self.len -= removed;
        removed
    }

    pub(super) fn items(&self, from: End, start: usize, count: usize) -> Items<'_> {
        let count = match from {
            End::Head => count.min(self.len.saturating_sub(start)),
            End::Tail => count.min(start + 1),
        };
        let Some(spot) = self.locate(start) else {
            return Items::none();
        };
        let Some(slot) = self.nodes.get(spot.node) else {
            return Items::none();
        };
        let (current, rest) = match from {
            End::Head => (
                slot.node.items_from(spot.index),
                self.nodes.range(spot.node + 1..),
            ),
            End::Tail => (
                slot.node.items_to(spot.index),
                self.nodes.range(..spot.node),
            ),
        };
        Items {
            current: Some(current),
            rest: Some(rest),
            from,
            left: count,
        }
    }

    /// Where element number `index` is, counted over from the nearer end.
    fn locate(&self, index: usize) -> Option<Spot> {
        if index >= self.len {
            return None;
        }
        if index <= self.len / 2 {
            let mut first = 0;
            for (node, slot) in self.nodes.iter().enumerate() {
                if index < first + slot.count() {
                    return Some(Spot {
                        node,
                        index: index - first,
                    });
                }
                first += slot.count();
            }
            return None;
        }
        let mut first = self.len;
        for (node, slot) in self.nodes.iter().enumerate().rev() {
            first -= slot.count();
            if index >= first {
                return Some(Spot {
                    node,
                    index: index - first,
                });
            }
        }
        None
    }

    fn insert_node(&mut self, at: usize, node: Node) {
        self.nodes.insert(at, Slot::new(node, 1));
        self.len += 1;
    }

    fn insert_in(&mut self, node: usize, index: usize, element: &[u8]) {
        let inner = node > 0 && node + 1 < self.nodes.len();
        if let Some(slot) = self.nodes.get_mut(node) {
            slot.insert(index, element);
            self.len += 1;
            if inner {
                slot.settle();
            }
        }
    }

    /// Removes elements of one node, and the node when none is left.
    fn remove_in(&mut self, node: usize, index: usize, count: usize) {
        let Some(slot) = self.nodes.get_mut(node) else {
            return;
        };
        if index == 0 && count >= slot.count() {
            self.len -= slot.count();
            self.nodes.remove(node);
            return;
        }
        slot.remove(index, count);
        self.len -= count;
    }

    /// A full node in whose middle an element belongs is split there; then what has become small is joined with its neighbours.
    fn insert_splitting(&mut self, node: usize, cut: usize, side: Side, element: &[u8]) {
        self.split(node, cut);
        // The element goes to the part without its pivot, and joining starts from the part with it.
        let (target, index, centre) = match side {
            Side::Before => (node, cut, node + 1),
            Side::After => (node + 1, 0, node),
        };
        self.insert_in(target, index, element);
        self.join_around(centre);
        for at in node.saturating_sub(1)..(node + 3).min(self.nodes.len()) {
            self.nodes[at].settle();
        }
    }

    /// Moves the elements of a packed node from `index` on to a new node behind it; nothing when there are none.
    fn split(&mut self, node: usize, index: usize) {
        let Some(slot) = self.nodes.get_mut(node) else {
            return;
        };
        if index == 0 || index >= slot.count() {
            return;
        }
        let moved = slot.count() - index;
        if let Some(pack) = slot.pack() {
            let rest = pack.split_off(index);
            slot.count -= moved as u32;
            slot.settle();
            self.nodes
                .insert(node + 1, Slot::new(Node::Packed(rest), moved));
        }
    }

    /// Joins, where the limit allows, the two nodes before `centre`, the two after it, and `centre` with its neighbours.
    fn join_around(&mut self, centre: usize) {
        let mut centre = centre;
        if centre >= 2 && self.join(centre - 2) {
            centre -= 1;
        }
        self.join(centre + 1);
        if centre >= 1 && self.join(centre - 1) {
            centre -= 1;
        }
        self.join(centre);
    }

    /// Joins node `left` with the one behind it if both are packed and the limit allows.
    fn join(&mut self, left: usize) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(left), self.nodes.get(left + 1)) else {
            return false;
        };
        let Node::Packed(second) = &*b.node else {
            return false;
        };
        let count = a.count() + b.count();
        if a.node.is_plain()
            || self.limit.exceeded(
                a.node.bytes() + b.node.bytes() - crate::listpack::EMPTY,
                count,
            )
        {
            return false;
        }
        let second = second.clone();
        if let Some(slot) = self.nodes.get_mut(left) {
            if let Some(pack) = slot.pack() {
                pack.append(second.view());
            }
            slot.count = count as u32;
        }
        self.nodes.remove(left + 1);
        true
    }
}

/// Removes matches within one node; the node may end up with no element.
fn remove_equal_in_slot(slot: &mut Slot, needle: Needle<'_>, from: End, limit: usize) -> usize {
    // Reading first: a node without a match is not copied, however many snapshots share it.
    if !slot.node.items().any(|item| needle.matches(item)) {
        return 0;
    }
    let Some(pack) = slot.pack() else {
        slot.count = 0;
        return 1;
    };
    let removed = remove_equal_in(pack, needle, from, limit);
    slot.count -= removed as u32;
    slot.settle();
    removed
}

/// Elements of a list in one direction.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    current: Option<NodeItems<'a>>,
    rest: Option<vec_deque::Iter<'a, Slot>>,
    from: End,
    left: usize,
}

impl<'a> Items<'a> {
    pub(super) fn none() -> Self {
        Self {
            current: None,
            rest: None,
            from: End::Head,
            left: 0,
        }
    }

    pub(super) fn of_node(items: NodeItems<'a>, from: End, count: usize) -> Self {
        Self {
            current: Some(items),
            rest: None,
            from,
            left: count,
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let current = self.current.as_mut()?;
            let item = match self.from {
                End::Head => current.next(),
                End::Tail => current.next_back(),
            };
            if item.is_some() {
                return item;
            }
            let rest = self.rest.as_mut()?;
            let slot = match self.from {
                End::Head => rest.next(),
                End::Tail => rest.next_back(),
            };
            self.current = slot.map(|slot| slot.node.items());
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}
