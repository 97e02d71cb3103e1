//! The values that do not lie in the entry of their key: collections and large strings.

use crate::big_string::BigString;
use crate::cut::{Opening, Pieces};
use crate::encoding::{Encoding, Kind};
use crate::hash::Hash;
use crate::item::Item;
use crate::list::List;
use crate::set::Set;
use crate::stream::Stream;
use crate::table::Position;
use crate::zset::ZSet;

/// A value behind a pointer. Small, whatever it holds: each variant is a pointer and the form it has.
#[derive(Clone, Debug)]
pub enum Object {
    /// A large string.
    String(Box<BigString>),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    ZSet(ZSet),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Box<Stream>),
}

impl Object {
    /// A large string, copied.
    pub fn string(bytes: &[u8]) -> Self {
        Self::String(Box::new(BigString::new(bytes)))
    }

    /// The string, if it is one.
    pub fn as_string(&self) -> Option<&[u8]> {
        match self {
            Self::String(string) => Some(string.as_bytes()),
            _ => None,
        }
    }

    /// What TYPE says.
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::ZSet(_) => Kind::ZSet,
            Self::Hash(_) => Kind::Hash,
            Self::Stream(_) => Kind::Stream,
        }
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> Encoding {
        match self {
            Self::String(_) => Encoding::Raw,
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::ZSet(zset) => zset.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::Stream(_) => Encoding::Stream,
        }
    }

    /// Elements: what decides whether a command may take long. 1 for a string.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a key whose collection is empty does not exist, unless that is a stream"
    )]
    pub fn len(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::ZSet(zset) => zset.len(),
            Self::Hash(hash) => hash.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Bytes of what the object points to, for MEMORY USAGE, estimated from `samples` elements; `usize::MAX` measures all. The object
    /// itself lies in the block of its key.
    pub fn memory(&self, samples: usize) -> usize {
        match self {
            Self::String(string) => size_of::<BigString>() + string.as_bytes().len(),
            Self::List(list) => list.memory(samples),
            Self::Set(set) => set.memory(samples),
            Self::ZSet(zset) => zset.memory(samples),
            Self::Hash(hash) => hash.memory(samples),
            Self::Stream(stream) => stream.memory(samples),
        }
    }

    /// Whether a snapshot takes the value in pieces: it is a large table. Anything else is copied quickly, lists and streams
    /// because copies share their nodes.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        /// Elements that are copied at once, within some 20 us.
        const WHOLE_MAX: usize = 512;
        self.has_table() && self.len() > WHOLE_MAX
    }

    /// Begins to deliver in pieces; only of a divisible value.
    pub fn open(&mut self, opening: Opening) {
        match self {
            Self::Set(set) => set
                .dict_mut()
                .into_iter()
                .for_each(|dict| dict.open(opening.clone())),
            Self::ZSet(zset) => zset
                .dict_mut()
                .into_iter()
                .for_each(|dict| dict.open(opening.clone())),
            Self::Hash(hash) => hash
                .dict_mut()
                .into_iter()
                .for_each(|dict| dict.open(opening.clone())),
            Self::String(_) | Self::List(_) | Self::Stream(_) => {}
        }
    }

    /// The number of the opening, while the value delivers in pieces.
    #[must_use]
    pub fn opening(&self) -> Option<u64> {
        match self {
            Self::Set(set) => set.dict()?.opening(),
            Self::ZSet(zset) => zset.dict()?.opening(),
            Self::Hash(hash) => hash.dict()?.opening(),
            Self::String(_) | Self::List(_) | Self::Stream(_) => None,
        }
    }

    /// Delivers what writers kept since the last time, and about `budget` elements from `position` on, which begins at
    /// [`Position::START`]. Where to go on; `None` when the value has delivered all that it had at the cut.
    pub fn deliver(
        &mut self,
        position: Position,
        budget: usize,
        out: &mut Pieces,
    ) -> Option<Position> {
        match self {
            Self::Set(set) => set.dict_mut()?.deliver(position, budget, out),
            Self::ZSet(zset) => zset.dict_mut()?.deliver(position, budget, out),
            Self::Hash(hash) => hash.dict_mut()?.deliver(position, budget, out),
            Self::String(_) | Self::List(_) | Self::Stream(_) => None,
        }
    }

    fn has_table(&self) -> bool {
        match self {
            Self::Set(set) => set.dict().is_some(),
            Self::ZSet(zset) => zset.dict().is_some(),
            Self::Hash(hash) => hash.dict().is_some(),
            Self::String(_) | Self::List(_) | Self::Stream(_) => false,
        }
    }

    /// How many separate blocks freeing the value gives back (`lazyfreeGetFreeEffort`): above some 64 it is freed in the background.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(list) => list.free_effort(),
            Self::Set(set) => set.free_effort(),
            Self::ZSet(zset) => zset.free_effort(),
            Self::Hash(hash) => hash.free_effort(),
            Self::Stream(stream) => stream.free_effort(),
        }
    }
}

/// What OBJECT ENCODING says of a string that was set as a whole; one that was changed in place is [`Encoding::Raw`] whatever it holds.
pub fn string_encoding(string: Item<'_>) -> Encoding {
    /// The longest string that Redis puts in one block with its header (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT`).
    const EMBSTR_MAX: usize = 44;
    match string {
        Item::Integer(_) => Encoding::Int,
        Item::Bytes(bytes) if bytes.len() <= EMBSTR_MAX => Encoding::Embstr,
        Item::Bytes(_) => Encoding::Raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::End;
    use crate::stream::StreamId;
    use crate::tuning::Tuning;

    #[test]
    fn an_object_is_small() {
        assert!(size_of::<Object>() <= 24);
        assert_eq!(
            (
                size_of::<Hash>(),
                size_of::<Set>(),
                size_of::<ZSet>(),
                size_of::<List>()
            ),
            (16, 16, 16, 16)
        );
    }

    #[test]
    fn objects_tell_what_they_are() {
        let tuning = Tuning::default();
        let (mut list, mut set, mut zset, mut hash) =
            (List::new(), Set::new(), ZSet::new(), Hash::new());
        list.push(&tuning, End::Tail, b"a");
        set.add(&tuning, &b"1"[..]);
        zset.insert(&tuning, b"a", 1.0);
        hash.set(&tuning, b"a", b"b");
        let mut stream = Stream::new();
        stream
            .entries
            .append(&tuning, StreamId::new(1, 1), &[b"a", b"b"]);
        let told = [
            Object::string(b"a"),
            Object::List(list),
            Object::Set(set),
            Object::ZSet(zset),
            Object::Hash(hash),
            Object::Stream(Box::new(stream)),
        ]
        .map(|object| {
            (
                object.kind().name(),
                object.encoding().name(),
                object.len(),
                object.free_effort(),
                object.memory(5) < 400,
            )
        });
        assert_eq!(
            told,
            [
                ("string", "raw", 1, 1, true),
                ("list", "listpack", 1, 1, true),
                ("set", "intset", 1, 1, true),
                ("zset", "listpack", 1, 1, true),
                ("hash", "listpack", 1, 1, true),
                ("stream", "stream", 1, 1, true),
            ]
        );
        assert_eq!(Object::string(b"a").as_string(), Some(&b"a"[..]));
    }

    #[test]
    fn large_values_cost_effort_to_free() {
        let tuning = Tuning::default();
        let (mut set, mut list) = (Set::new(), List::new());
        for index in 0..1000 {
            set.add(&tuning, Item::Integer(index));
            list.push(&tuning, End::Tail, &[b'x'; 1000]);
        }
        assert_eq!(
            (
                Object::Set(set).free_effort(),
                Object::List(list).free_effort()
            ),
            (1000, 125)
        );
    }

    #[test]
    fn strings_have_the_encodings_of_redis() {
        let encodings = [
            Item::Integer(1),
            Item::Bytes(&[b'x'; 44]),
            Item::Bytes(&[b'x'; 45]),
        ]
        .map(string_encoding);
        assert_eq!(encodings, [Encoding::Int, Encoding::Embstr, Encoding::Raw]);
    }
}
