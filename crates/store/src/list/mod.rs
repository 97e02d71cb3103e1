//! Lists: one listpack while small, a sequence of nodes (a quicklist) above.
//!
//! The two forms go over into one another as in Redis 7.2 (`listTypeTryConversion`): to a quicklist before elements are added that would exceed the limit
//! of a node; back when one packed node is left and it is below half of that limit.
//!
//! Nodes are shared with clones of the list and copied when one side changes them, so a snapshot of a long list costs its spine alone.

mod limit;
mod node;
mod quicklist;

pub use quicklist::Items;

use crate::encoding::Encoding;
use crate::item::{Item, Needle, Spelling};
use crate::listpack::{Buffer, Depth, Listpack, Place, View, validate};
use crate::tuning::Tuning;
use limit::Limit;
use node::{Node, NodeItems};
use quicklist::Quicklist;
use smallvec::SmallVec;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Index 0, LPUSH's end.
    Head,
    /// Index -1, RPUSH's end.
    Tail,
}

/// A side of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Towards the head.
    Before,
    /// Towards the tail.
    After,
}

/// What DEBUG OBJECT tells of a quicklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStats {
    /// `ql_nodes`.
    pub nodes: usize,
    /// `ql_listpack_max`: `list-max-listpack-size` when the quicklist came to be.
    pub fill: i32,
    /// `ql_uncompressed_size`: bytes of all nodes.
    pub bytes: usize,
}

/// Where LPOS looks and how far.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The end at which the search begins.
    pub from: End,
    /// Matches to pass over before the first that counts.
    pub skip: usize,
    /// Matches wanted; `usize::MAX` for all.
    pub count: usize,
    /// Elements to compare at most; `usize::MAX` for all.
    pub max_len: usize,
}

/// A list of byte strings.
#[derive(Clone, Debug)]
pub struct List {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Small(Listpack),
    Quick(Box<Quicklist>),
}

impl List {
    /// A list without elements.
    pub fn new() -> Self {
        Self {
            form: Form::Small(Listpack::new()),
        }
    }

    /// Number of elements: O(1), or a walk of a small list of over 65,534.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Small(pack) => pack.len(),
            Form::Quick(list) => list.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The form, under OBJECT ENCODING's name.
    pub fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Small(_) => Encoding::Listpack,
            Form::Quick(_) => Encoding::Quicklist,
        }
    }

    /// Adds elements one after the other at `end`; all of them count before the first is added when the form is decided, as the arguments of one LPUSH do.
    pub fn push_all<'a>(
        &mut self,
        tuning: &Tuning,
        end: End,
        elements: impl Iterator<Item = &'a [u8]> + Clone,
    ) {
        let (count, bytes) = elements.clone().fold((0, 0), |(count, bytes), element| {
            (count + 1, bytes + element.len())
        });
        self.grow(tuning, count, bytes);
        for element in elements {
            match &mut self.form {
                Form::Small(pack) if end == End::Head => pack.push_front(element),
                Form::Small(pack) => pack.push_back(element),
                Form::Quick(list) => list.push(end, element, tuning.list_packed_threshold),
            }
        }
    }

    /// Adds one element at `end`.
    pub fn push(&mut self, tuning: &Tuning, end: End, element: &[u8]) {
        self.push_all(tuning, end, std::iter::once(element));
    }

    /// The element at `end`.
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        self.items(end, 1).next()
    }

    /// Shows the element at `end` to `take` and removes it.
    pub fn pop<R>(
        &mut self,
        tuning: &Tuning,
        end: End,
        take: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        let taken = take(self.peek(end)?);
        self.pop_many(tuning, end, 1);
        Some(taken)
    }

    /// Takes the element at `from` and adds it at `to`; shows it to `take` in between. The form is decided as for a push, and then
    /// as after a pop.
    pub fn rotate<R>(
        &mut self,
        tuning: &Tuning,
        from: End,
        to: End,
        take: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        let item = self.peek(from)?;
        let mut element = SmallVec::<[u8; 128]>::new();
        element.extend_from_slice(item.as_bytes(&mut Spelling::default()));
        let taken = take(item);
        self.remove_at_end(from, 1);
        self.push(tuning, to, &element);
        self.shrink(tuning);
        Some(taken)
    }

    /// Removes up to `count` elements at `end`; read them with [`List::items`] before.
    pub fn pop_many(&mut self, tuning: &Tuning, end: End, count: usize) {
        self.remove_at_end(end, count);
        self.shrink(tuning);
    }

    /// The element number `index`, counted from the head.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        self.range(End::Head, index, 1).next()
    }

    /// Puts an element in the stead of number `index`; false when there is none.
    pub fn set(&mut self, tuning: &Tuning, index: usize, element: &[u8]) -> bool {
        self.grow(tuning, 1, element.len());
        let there = index < self.len();
        match &mut self.form {
            _ if !there => {}
            Form::Small(pack) => {
                if let Some(place) = pack.view().seek(index) {
                    pack.replace(place, element);
                }
            }
            Form::Quick(list) => list.set(index, element, tuning.list_packed_threshold),
        }
        if there {
            self.shrink(tuning);
        }
        there
    }

    /// Puts an element beside the first one equal to `pivot`; false when there is none.
    pub fn insert(&mut self, tuning: &Tuning, pivot: &[u8], side: Side, element: &[u8]) -> bool {
        self.grow(tuning, 1, element.len());
        let pivot = Needle::new(pivot);
        let Some(index) = self.iter().position(|item| pivot.matches(item)) else {
            return false;
        };
        match &mut self.form {
            Form::Small(pack) => {
                let index = index + usize::from(side == Side::After);
                let place = pack.view().seek(index).unwrap_or_else(|| pack.view().end());
                pack.insert(place, element);
            }
            Form::Quick(list) => list.insert(index, side, element, tuning.list_packed_threshold),
        }
        true
    }

    /// Removes up to `limit` elements equal to `element`, beginning at `from`. Returns how many.
    pub fn remove_equal(
        &mut self,
        tuning: &Tuning,
        element: &[u8],
        from: End,
        limit: usize,
    ) -> usize {
        let needle = Needle::new(element);
        let removed = match &mut self.form {
            Form::Small(pack) => remove_equal_in(pack, needle, from, limit),
            Form::Quick(list) => list.remove_equal(needle, from, limit),
        };
        if removed > 0 {
            self.shrink(tuning);
        }
        removed
    }

    /// Removes up to `count` elements from number `start` on.
    pub fn remove_range(&mut self, tuning: &Tuning, start: usize, count: usize) {
        if count > 0 {
            self.cut(start, count);
            self.shrink(tuning);
        }
    }

    /// Keeps `count` elements from number `start` on and removes the others.
    pub fn trim(&mut self, tuning: &Tuning, start: usize, count: usize) {
        let end = start.saturating_add(count);
        self.remove_range(tuning, end, self.len().saturating_sub(end));
        self.remove_range(tuning, 0, start);
        self.shrink(tuning);
    }

    /// All elements from the head on.
    pub fn iter(&self) -> Items<'_> {
        self.items(End::Head, usize::MAX)
    }

    /// Up to `count` elements from `end` on, away from it: those, and in the order, that pops would take.
    pub fn items(&self, end: End, count: usize) -> Items<'_> {
        let start = match end {
            End::Head => 0,
            End::Tail => self.len().saturating_sub(1),
        };
        self.range(end, start, count)
    }

    /// Up to `count` elements beginning with number `start` (counted from the head): towards the tail when reading from [`End::Head`], towards the head
    /// when reading from [`End::Tail`]. Getting there costs one step a node and, within the node, a step an element.
    pub fn range(&self, from: End, start: usize, count: usize) -> Items<'_> {
        match &self.form {
            Form::Small(pack) => small_items(pack.view(), from, start, count),
            Form::Quick(list) => list.items(from, start, count),
        }
    }

    /// Calls `found` with the index (from the head) of each element equal to `element` that `search` asks for, in the order of the search.
    pub fn positions(&self, element: &[u8], search: Search, mut found: impl FnMut(usize)) {
        let needle = Needle::new(element);
        let len = self.len();
        let matches = self
            .items(search.from, search.max_len)
            .enumerate()
            .take(search.max_len)
            .filter(|&(_, item)| needle.matches(item));
        for (step, _) in matches.skip(search.skip).take(search.count) {
            found(if search.from == End::Head {
                step
            } else {
                len - 1 - step
            });
        }
    }

    /// What DEBUG OBJECT tells; `None` for the small form.
    pub fn node_stats(&self) -> Option<NodeStats> {
        match &self.form {
            Form::Small(_) => None,
            Form::Quick(list) => Some(NodeStats {
                nodes: list.node_count(),
                fill: list.fill(),
                bytes: list.nodes().map(Node::bytes).sum(),
            }),
        }
    }

    /// Bytes on the heap, estimated from the first `samples` nodes.
    pub fn memory(&self, samples: usize) -> usize {
        match &self.form {
            Form::Small(pack) => pack.heap_bytes(),
            Form::Quick(list) => {
                let sampled = list
                    .nodes()
                    .take(samples.max(1))
                    .fold((0, 0), |(count, bytes), node| {
                        (count + 1, bytes + NODE_BYTES + node.heap_bytes())
                    });
                size_of::<Quicklist>() + crate::encoding::scaled(sampled, list.node_count())
            }
        }
    }

    /// How many separate blocks freeing the list gives back.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Small(_) => 1,
            Form::Quick(list) => list.node_count(),
        }
    }

    /// The whole list as listpack bytes, in the small form.
    pub fn listpack(&self) -> Option<View<'_>> {
        match &self.form {
            Form::Small(pack) => Some(pack.view()),
            Form::Quick(_) => None,
        }
    }

    /// The nodes as RDB keeps them; a small list is one packed node.
    pub fn nodes(&self) -> impl Iterator<Item = ListNode<'_>> {
        let (small, quick) = match &self.form {
            Form::Small(pack) => (Some(ListNode::Packed(pack.view())), None),
            Form::Quick(list) => (None, Some(list.nodes())),
        };
        let quick = quick.into_iter().flatten().map(|node| match node {
            Node::Packed(pack) => ListNode::Packed(pack.view()),
            Node::Plain(element) => ListNode::Plain(element),
        });
        small.into_iter().chain(quick)
    }

    /// A list of the nodes of an RDB file; see [`ListLoader`].
    pub fn from_nodes<'a>(tuning: &Tuning, nodes: impl Iterator<Item = ListNode<'a>>) -> Self {
        let mut loader = ListLoader::new(tuning);
        nodes.for_each(|node| loader.append(node));
        loader.finish(tuning)
    }

    fn remove_at_end(&mut self, end: End, count: usize) {
        let start = match end {
            End::Head => 0,
            End::Tail => self.len().saturating_sub(count),
        };
        self.cut(start, count);
    }

    /// Removes elements and leaves the form as it is.
    fn cut(&mut self, start: usize, count: usize) {
        match &mut self.form {
            Form::Small(pack) => {
                pack.remove_range(start, count);
            }
            Form::Quick(list) => list.remove_range(start, count),
        }
    }

    /// Takes the quicklist form before `count` elements of `bytes` bytes are added that the small form cannot take.
    fn grow(&mut self, tuning: &Tuning, count: usize, bytes: usize) {
        if let Form::Small(pack) = &self.form
            && Limit::of(tuning.list_max_listpack_size)
                .exceeded(pack.as_bytes().len() + bytes, pack.len() + count)
        {
            self.form = Form::Quick(Box::new(Quicklist::from_pack(
                tuning.list_max_listpack_size,
                pack.view(),
            )));
        }
    }

    fn shrink(&mut self, tuning: &Tuning) {
        let limit = Limit::of(tuning.list_max_listpack_size);
        self.become_small_if(|bytes, elements| limit.half_holds(bytes, elements));
    }

    fn become_small_if(&mut self, holds: impl FnOnce(usize, usize) -> bool) {
        let Form::Quick(list) = &self.form else {
            return;
        };
        let pack = match list.single_pack() {
            Some(view) if holds(view.bytes().len(), list.len()) => {
                Listpack::from_bytes(view.bytes())
            }
            None if list.len() == 0 => Some(Listpack::new()),
            _ => None,
        };
        if let Some(pack) = pack {
            self.form = Form::Small(pack);
        }
    }
}

/// One node of a list, to be written to or read from an RDB file.
#[derive(Clone, Copy, Debug)]
pub enum ListNode<'a> {
    /// A listpack of elements.
    Packed(View<'a>),
    /// One large element.
    Plain(&'a [u8]),
}

/// A list under way, of nodes as they are read from an RDB file one after the other.
#[derive(Debug)]
pub struct ListLoader {
    list: Quicklist,
}

impl ListLoader {
    /// A list without nodes yet.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            list: Quicklist::new(tuning.list_max_listpack_size),
        }
    }

    /// Adds a node at the tail. One without elements is left out; a malformed one ends where it ceases to make sense.
    pub fn append(&mut self, node: ListNode<'_>) {
        match node {
            ListNode::Plain(element) => self.list.append_plain(element),
            ListNode::Packed(view) => {
                let sound = validate(view.bytes(), Depth::Entries);
                let whole = sound.then(|| Listpack::from_bytes(view.bytes())).flatten();
                let pack = whole.unwrap_or_else(|| view.iter().collect());
                self.list.append_pack(pack);
            }
        }
    }

    /// Number of elements so far.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no element yet.
    pub fn is_empty(&self) -> bool {
        self.list.len() == 0
    }

    /// The list. One of a single node that is small enough takes the small form.
    pub fn finish(self, tuning: &Tuning) -> List {
        let limit = Limit::of(tuning.list_max_listpack_size);
        let mut list = List {
            form: Form::Quick(Box::new(self.list)),
        };
        list.become_small_if(|bytes, elements| limit.holds(bytes, elements));
        list
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

fn small_items(view: View<'_>, from: End, start: usize, count: usize) -> Items<'_> {
    match (from, view.seek(start)) {
        (_, None) => Items::none(),
        (End::Head, Some(place)) => {
            Items::of_node(NodeItems::Packed(view.entries_from(place)), from, count)
        }
        (End::Tail, Some(_)) => {
            let end = view.seek(start + 1).unwrap_or_else(|| view.end());
            Items::of_node(NodeItems::Packed(view.entries_before(end)), from, count)
        }
    }
}

/// Removes up to `limit` matches within one listpack, beginning at `from`. Returns how many.
fn remove_equal_in<B: Buffer>(
    pack: &mut Listpack<B>,
    needle: Needle<'_>,
    from: End,
    limit: usize,
) -> usize {
    let matches = |(place, item): (Place, Item<'_>)| needle.matches(item).then_some(place);
    let mut place = if from == End::Head {
        Place::FIRST
    } else {
        pack.view().end()
    };
    let mut removed = 0;
    while removed < limit {
        let found = match from {
            End::Head => pack.view().entries_from(place).find_map(matches),
            End::Tail => pack.view().entries_before(place).rev().find_map(matches),
        };
        let Some(found) = found else { break };
        pack.remove(found, 1);
        place = found;
        removed += 1;
    }
    removed
}

/// Bytes of a node beside its content: the slot in the spine, the counts of the `Arc`, and the node itself.
const NODE_BYTES: usize = 16 + 16 + size_of::<Node>();

#[cfg(test)]
mod tests;
