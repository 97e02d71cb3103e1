//! One node of a stream: a listpack of entries in the layout that Redis keeps in memory and in RDB files.
//!
//! ```text
//! master entry:  live | deleted | fields | field 1 .. field n | 0
//! entry:         flags | ms - master | seq - master | fields | field 1 | value 1 .. value n | pieces
//! SAMEFIELDS:    flags | ms - master | seq - master | value 1 .. value n                    | pieces
//! ```
//! Each part is an element of the listpack. The master entry has the fields of the first entry; entries with the same fields leave them out. `pieces` counts
//! the elements of the entry before it, so that a walk from the tail finds its beginning; the 0 of the master entry ends such a walk. The id that the
//! differences refer to is the node's key. A deleted entry stays where it is, with a flag.
//!
//! Nodes may come from outside and be wrong in any way: a malformed entry ends the walk.

use super::StreamId;
use crate::item::Item;
use crate::listpack::{Listpack, Place, View};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// A node. Nodes sit behind `Arc`: a snapshot shares them, and who changes a shared one copies it first.
///
/// The listpack has no room to grow but that of its size class: a move at each class costs less than what a stream of few entries, or the last node of
/// each of many, would keep unused otherwise.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pack: Listpack,
}

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields and values.
    pub fields: Fields<'a>,
}

/// The fields of an entry with their values, in the order of the XADD.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    view: View<'a>,
    /// Where the next field stands when fields are those of the master entry.
    names: Option<Place>,
    /// Where the next value stands, or the next field and its value.
    values: Place,
    left: usize,
}

/// The entries of a node, deleted ones included, from both ends.
#[derive(Clone, Debug)]
pub(super) struct NodeEntries<'a> {
    view: View<'a>,
    master: StreamId,
    names: Place,
    name_count: usize,
    front: Place,
    back: Place,
}

/// An entry and what the node keeps about it.
#[derive(Clone, Debug)]
pub(super) struct Raw<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) is_deleted: bool,
    flags: i64,
    flags_at: Place,
}

impl Node {
    /// A node of one entry, whose id is the node's key.
    pub(super) fn new(pairs: &[&[u8]]) -> Self {
        let mut pack = Listpack::new();
        let count = (pairs.len() / 2) as i64;
        let head = [1, 0, count].map(Item::Integer).into_iter();
        let names = pairs.iter().step_by(2).map(|&name| Item::Bytes(name));
        pack.push_all(head.chain(names).chain([Item::Integer(0)]));
        let mut node = Self { pack };
        node.push(StreamId::MIN, StreamId::MIN, pairs, SAME_FIELDS);
        node
    }

    /// Takes over bytes from an RDB file; `None` when they are no listpack.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Listpack::from_bytes(bytes).map(|pack| Self { pack })
    }

    pub(super) fn view(&self) -> View<'_> {
        self.pack.view()
    }

    /// Entries that are not deleted.
    pub(super) fn live(&self) -> u64 {
        self.header(0)
    }

    /// Entries, deleted ones included.
    pub(super) fn total(&self) -> u64 {
        self.header(0).saturating_add(self.header(1))
    }

    pub(super) fn entries(&self, master: StreamId) -> NodeEntries<'_> {
        NodeEntries::new(self.pack.view(), master)
    }

    /// Adds an entry at the tail.
    pub(super) fn append(&mut self, master: StreamId, id: StreamId, pairs: &[&[u8]]) {
        let live = self.live();
        self.pack
            .replace(Place::FIRST, Item::Integer(live as i64 + 1));
        let flags = if self.entries(master).has_names(pairs) {
            SAME_FIELDS
        } else {
            0
        };
        self.push(master, id, pairs, flags);
    }

    /// Marks entries, which were live, as deleted; `marks` are in the order of the walk from the head.
    pub(super) fn mark_deleted(&mut self, marks: &[Mark]) {
        let (live, deleted) = (self.live(), self.header(1));
        // From the tail on: a place is good until something before it changes.
        for mark in marks.iter().rev() {
            self.pack
                .replace(mark.place, Item::Integer(mark.flags | DELETED));
        }
        let marked = marks.len() as u64;
        let counts = [live.saturating_sub(marked), deleted.saturating_add(marked)];
        for (index, count) in counts.into_iter().enumerate().rev() {
            if let Some(place) = self.pack.view().seek_forward(index) {
                self.pack.replace(place, Item::Integer(count as i64));
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.pack.as_bytes().len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.pack.heap_bytes()
    }

    fn header(&self, index: usize) -> u64 {
        let view = self.pack.view();
        view.seek_forward(index)
            .and_then(|place| integer(view, place))
            .and_then(|(count, _)| u64::try_from(count).ok())
            .unwrap_or(0)
    }

    fn push(&mut self, master: StreamId, id: StreamId, pairs: &[&[u8]], flags: i64) {
        let count = (pairs.len() / 2) as i64;
        let head = [
            flags,
            id.ms.wrapping_sub(master.ms) as i64,
            id.seq.wrapping_sub(master.seq) as i64,
        ];
        let same = flags & SAME_FIELDS != 0;
        let (written, step) = if same { (None, 2) } else { (Some(count), 1) };
        let pieces = if same { 3 + count } else { 4 + 2 * count };
        let words = pairs.iter().skip(step - 1).step_by(step);
        self.pack.push_all(
            head.into_iter()
                .chain(written)
                .map(Item::Integer)
                .chain(words.map(|&word| Item::Bytes(word)))
                .chain([Item::Integer(pieces)]),
        );
    }
}

/// Where the flags of an entry stand, and what they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    place: Place,
    flags: i64,
}

impl Raw<'_> {
    /// Elements that the entry is made of, without the one that counts them.
    pub(super) fn pieces(&self) -> usize {
        let fields = self.entry.fields.len();
        if self.flags & SAME_FIELDS != 0 {
            3 + fields
        } else {
            4 + 2 * fields
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            place: self.flags_at,
            flags: self.flags,
        }
    }
}

impl<'a> NodeEntries<'a> {
    pub(super) fn new(view: View<'a>, master: StreamId) -> Self {
        let mut entries = Self {
            view,
            master,
            names: view.end(),
            name_count: 0,
            front: view.end(),
            back: view.end(),
        };
        if let Some((names, name_count, front)) = master_entry(view) {
            entries.names = names;
            entries.name_count = name_count;
            entries.front = front;
        }
        entries
    }

    /// Whether these fields, each followed by its value, are those of the master entry.
    fn has_names(&self, pairs: &[&[u8]]) -> bool {
        let names = self.view.entries_from(self.names);
        pairs.len() / 2 == self.name_count
            && pairs
                .iter()
                .step_by(2)
                .zip(names)
                .all(|(given, (_, name))| name == **given)
    }

    /// The entry whose flags stand at `place`, and the place after its elements but for `pieces`.
    fn decode(&self, place: Place) -> Option<(Raw<'a>, Place)> {
        let view = self.view;
        let (flags, at) = integer(view, place)?;
        let (ms, at) = integer(view, at)?;
        let (seq, at) = integer(view, at)?;
        let same = flags & SAME_FIELDS != 0;
        let (left, values) = if same {
            (self.name_count, at)
        } else {
            count(view, at)?
        };
        let fields = Fields {
            view,
            names: same.then_some(self.names),
            values,
            left,
        };
        let raw = Raw {
            entry: Entry {
                id: StreamId::new(
                    self.master.ms.wrapping_add(ms as u64),
                    self.master.seq.wrapping_add(seq as u64),
                ),
                fields,
            },
            is_deleted: flags & DELETED != 0,
            flags,
            flags_at: place,
        };
        let end = skip(view, values, if same { left } else { 2 * left })?;
        Some((raw, end))
    }

    /// What the entry just passed says of the number of its elements.
    pub(super) fn pieces_stated(&self) -> Option<i64> {
        let (pieces, _) = integer(self.view, self.view.before(self.front)?)?;
        Some(pieces)
    }

    fn step(&mut self) -> Option<Raw<'a>> {
        let (raw, end) = self.decode(self.front)?;
        self.front = self.view.entry(end)?.1;
        Some(raw)
    }

    fn step_back(&mut self) -> Option<Raw<'a>> {
        let mut place = self.view.before(self.back)?;
        let (pieces, _) = integer(self.view, place)?;
        for _ in 0..pieces {
            place = self
                .view
                .before(place)
                .filter(|place| *place >= self.front)?;
        }
        if pieces <= 0 {
            return None;
        }
        let (raw, _) = self.decode(place)?;
        self.back = place;
        Some(raw)
    }
}

impl<'a> Iterator for NodeEntries<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let raw = self.step();
        if raw.is_none() {
            self.front = self.back;
        }
        raw
    }
}

impl DoubleEndedIterator for NodeEntries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let raw = self.step_back();
        if raw.is_none() {
            self.back = self.front;
        }
        raw
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => take(self.view, names),
            None => take(self.view, &mut self.values),
        };
        Some((name, take(self.view, &mut self.values)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// The element at `place`, which moves on; empty where a malformed node has none, for as many fields as announced must come.
#[inline]
fn take<'a>(view: View<'a>, place: &mut Place) -> Item<'a> {
    match view.entry(*place) {
        Some((item, next)) => {
            *place = next;
            item
        }
        None => Item::Bytes(b""),
    }
}

/// The places of the first field and behind the master entry, and the number of fields between.
fn master_entry(view: View<'_>) -> Option<(Place, usize, Place)> {
    let fields_at = view.seek_forward(2)?;
    let (name_count, names) = count(view, fields_at)?;
    let (_, front) = view.entry(skip(view, names, name_count)?)?;
    Some((names, name_count, front))
}

fn integer(view: View<'_>, place: Place) -> Option<(i64, Place)> {
    let (item, next) = view.entry(place)?;
    Some((item.integer()?, next))
}

/// A number of fields; `None` when the listpack cannot hold as many.
fn count(view: View<'_>, place: Place) -> Option<(usize, Place)> {
    let (count, next) = integer(view, place)?;
    let count = usize::try_from(count).ok()?;
    (count <= view.bytes().len()).then_some((count, next))
}

fn skip(view: View<'_>, mut place: Place, count: usize) -> Option<Place> {
    for _ in 0..count {
        place = view.entry(place)?.1;
    }
    Some(place)
}
