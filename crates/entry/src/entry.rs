//! Owns the block of a key: header, key, expiry and value behind one thin pointer.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use crate::block::{ALIGN, Block, checked};

/// The kind of a fresh string, whether bytes or integer: what [`Entry::bytes`] and [`Entry::set_bytes`] leave behind.
pub const KIND_STRING: u8 = 0;

/// A key with everything that belongs to it, in one heap block.
///
/// ```text
///  0      1         2..5          5            ..           ..
/// +------+---------+-------------+------+------+-----------+-----+-------------------------+
/// | kind | flags   | access info | klen | vlen | expiry    | key | value bytes, or i64, or |
/// | u8   | EWBIP   | 24 bits     | u8 or u32 i| i64 ms, E |     | a T at a multiple of 8  |
/// +------+---------+-------------+------+------+-----------+-----+-------------------------+
/// ```
/// E: has an expiry; W: both lengths are u32; B: the value is a `T`, the box; I: the value is an integer; P: snapshot parity.
///
/// A key of 16 bytes with a value of 64 asks for 87 bytes, with an integer for 31, with a `T` of 24 for 48. `T`, three words at
/// most for the sake of the block, holds the pointers to what does not belong inline: collections, and strings from about 16 kB
/// on, so that growing a string by APPEND copies at most so much before it has a buffer with slack.
///
/// The kind is a tag of the owner of `T` (type and encoding); this crate attaches no meaning to it beyond [`KIND_STRING`].
#[repr(transparent)]
pub struct Entry<T> {
    block: Block,
    owns: PhantomData<T>,
}

/// A look at the value of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRef<'a, T> {
    /// A string, inline.
    Bytes(&'a [u8]),
    /// A string that is an integer.
    Integer(i64),
    /// Anything else, which boxes its content.
    Boxed(&'a T),
}

impl<T> Entry<T> {
    /// A key with an inline string.
    ///
    /// # Panics
    /// When a length exceeds [`crate::LENGTH_MAX`].
    pub fn bytes(key: &[u8], value: &[u8], expiry: Option<i64>) -> Self {
        let (entry, shape) = Self::build(key, 0, value.len(), expiry);
        // SAFETY: the block has value_len bytes from value_at on, and it is not shared yet.
        unsafe { entry.block.fill(shape.value_at(), value) };
        entry
    }

    /// A key with an integer.
    ///
    /// # Panics
    /// When the key exceeds [`crate::LENGTH_MAX`].
    pub fn integer(key: &[u8], value: i64, expiry: Option<i64>) -> Self {
        let (entry, shape) = Self::build(key, INTEGER, WORD, expiry);
        // SAFETY: an integer's value has eight bytes from value_at on, and the block is not shared yet.
        unsafe { entry.block.write(shape.value_at(), value) };
        entry
    }

    /// A key with a value that has allocations of its own.
    ///
    /// # Panics
    /// When the key exceeds [`crate::LENGTH_MAX`].
    pub fn boxed(key: &[u8], kind: u8, value: T, expiry: Option<i64>) -> Self {
        let (mut entry, shape) = Self::build(key, BOXED, Self::BOX, expiry);
        // SAFETY: the block has room for a T at value_at, which is aligned for it, and is not shared yet.
        unsafe { entry.box_at(shape).write(value) };
        entry.set_kind(kind);
        entry
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: key_len initialised bytes lie at key_at; they change only through &mut self.
        unsafe { self.block.slice(shape.key_at(), shape.key_len) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_, T> {
        let shape = self.shape();
        if shape.flags & (BOXED | INTEGER) == 0 {
            // SAFETY: an inline value has value_len initialised bytes at value_at; they change only through &mut self.
            ValueRef::Bytes(unsafe { self.block.slice(shape.value_at(), shape.value_len) })
        } else if shape.flags & BOXED != 0 {
            // SAFETY: with B a T lies at value_at, aligned; it changes only through &mut self.
            ValueRef::Boxed(unsafe { &*self.box_at(shape) })
        } else {
            // SAFETY: with I the value is an i64.
            ValueRef::Integer(unsafe { self.block.read(shape.value_at()) })
        }
    }

    /// The boxed value to be changed, if the value is boxed.
    pub fn boxed_mut(&mut self) -> Option<&mut T> {
        let shape = self.shape();
        if shape.flags & BOXED == 0 {
            return None;
        }
        // SAFETY: with B a T lies at value_at, aligned; &mut self makes the access exclusive.
        Some(unsafe { &mut *self.box_at(shape) })
    }

    /// The inline string to be changed in place, if the value is one.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let shape = self.shape();
        if shape.flags & (BOXED | INTEGER) != 0 {
            return None;
        }
        // SAFETY: an inline value has value_len initialised bytes at value_at; &mut self makes the access exclusive.
        Some(unsafe { self.block.slice_mut(shape.value_at(), shape.value_len) })
    }

    /// Makes the value an inline string of kind [`KIND_STRING`]; key, expiry, access and parity stay. In place when the length is the same.
    ///
    /// # Panics
    /// When the value exceeds [`crate::LENGTH_MAX`].
    pub fn set_bytes(&mut self, value: &[u8]) {
        let _freed_at_the_end = self.unbox();
        let shape = self.reshape(0, value.len(), self.expiry());
        // SAFETY: the block has value_len bytes at value_at; `value` is not inside it, for self is borrowed exclusively.
        unsafe { self.block.fill(shape.value_at(), value) };
        self.set_kind(KIND_STRING);
    }

    /// Makes the value an integer of kind [`KIND_STRING`]; key, expiry, access and parity stay.
    pub fn set_integer(&mut self, value: i64) {
        let _freed_at_the_end = self.unbox();
        let shape = self.reshape(INTEGER, WORD, self.expiry());
        // SAFETY: an integer's value has eight bytes at value_at.
        unsafe { self.block.write(shape.value_at(), value) };
        self.set_kind(KIND_STRING);
    }

    /// Makes the value a boxed one of this kind; key, expiry, access and parity stay.
    pub fn set_boxed(&mut self, kind: u8, value: T) {
        let _freed_at_the_end = self.unbox();
        let shape = self.reshape(BOXED, Self::BOX, self.expiry());
        // SAFETY: the block has room for a T at value_at, which is aligned for it; none is there, and nothing else looks at it.
        unsafe { self.box_at(shape).write(value) };
        self.set_kind(kind);
    }

    /// Cuts an inline string to `len` bytes or lengthens it with zeros, and returns it; `None` when the value is no inline string.
    ///
    /// The block has no slack of its own: lengthening is a `realloc`, which stays in place within an allocator's size class.
    ///
    /// # Panics
    /// When `len` exceeds [`crate::LENGTH_MAX`].
    pub fn resize(&mut self, len: usize) -> Option<&mut [u8]> {
        let old = self.bytes_mut()?.len();
        let shape = self.reshape(0, len, self.expiry());
        if len > old {
            // SAFETY: bytes old..len of the value are inside the block and belong to self alone; zeroing initialises them.
            unsafe {
                self.block
                    .at(shape.value_at() + old)
                    .write_bytes(0, len - old)
            };
        }
        self.bytes_mut()
    }

    /// Appends to an inline string and returns the new length; `None` when the value is no inline string. See [`Entry::resize`].
    ///
    /// # Panics
    /// When the new length exceeds [`crate::LENGTH_MAX`].
    pub fn append(&mut self, tail: &[u8]) -> Option<usize> {
        let old = self.bytes_mut()?.len();
        let shape = self.reshape(0, old + tail.len(), self.expiry());
        // SAFETY: the value now has room for the tail behind its old bytes; `tail` is not inside the block, for self is borrowed exclusively.
        unsafe { self.block.fill(shape.value_at() + old, tail) };
        Some(shape.value_len)
    }

    /// The deadline of the key, in milliseconds since the epoch.
    #[inline]
    pub fn expiry(&self) -> Option<i64> {
        let flags = self.flags();
        if flags & EXPIRY == 0 {
            return None;
        }
        // SAFETY: with E an i64 lies behind the lengths.
        Some(unsafe { self.block.read(expiry_at(flags)) })
    }

    /// Sets or takes away the deadline; changing one is in place, adding or removing one moves the block.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        let shape = self.shape();
        self.reshape(shape.flags & (BOXED | INTEGER), shape.value_len, expiry);
    }

    /// The 24 bits of access information: LRU clock or LFU counter, as the owner wishes.
    #[inline]
    pub fn access(&self) -> u32 {
        // SAFETY: the header has at least seven bytes.
        u32::from_le(unsafe { self.block.read::<u32>(FLAGS_AT) }) >> 8
    }

    /// Sets the access information, of which the low 24 bits are kept.
    #[inline]
    pub fn set_access(&mut self, access: u32) {
        let word = (access << 8) | u32::from(self.flags());
        // SAFETY: flags and access lie side by side in the header; &mut self makes the access exclusive.
        unsafe { self.block.write(FLAGS_AT, word.to_le()) };
    }

    /// The snapshot parity.
    pub fn parity(&self) -> bool {
        self.flags() & PARITY != 0
    }

    /// Sets the snapshot parity.
    pub fn set_parity(&mut self, parity: bool) {
        let flags = self.flags() & !PARITY;
        self.set_flags(if parity { flags | PARITY } else { flags });
    }

    /// The tag of the owner of `T`: type and encoding.
    #[inline]
    pub fn kind(&self) -> u8 {
        // SAFETY: the header has at least seven bytes.
        unsafe { self.block.read(KIND_AT) }
    }

    /// Sets the tag of the owner of `T`.
    pub fn set_kind(&mut self, kind: u8) {
        // SAFETY: the header has at least seven bytes; &mut self makes the access exclusive.
        unsafe { self.block.write(KIND_AT, kind) };
    }

    /// The boxed value, freeing the rest; the entry itself when the value is not boxed.
    pub fn into_boxed(self) -> Result<T, Self> {
        let shape = self.shape();
        if shape.flags & BOXED == 0 {
            return Err(self);
        }
        let emptied = ManuallyDrop::new(self);
        // SAFETY: with B a T lies at value_at; it is moved out, and the block, of this shape's size, is freed without dropping it again.
        unsafe {
            let value = emptied.box_at(shape).read();
            emptied.block.free(shape.size());
            Ok(value)
        }
    }

    /// The same entry under another key.
    ///
    /// # Panics
    /// When the key exceeds [`crate::LENGTH_MAX`].
    #[must_use]
    pub fn rename(self, key: &[u8]) -> Self {
        let old = self.shape();
        let variant = old.flags & (BOXED | INTEGER);
        let (mut renamed, shape) = Self::build(key, variant, old.value_len, self.expiry());
        let emptied = ManuallyDrop::new(self);
        // SAFETY: both blocks hold value_len bytes at their value_at, and the new one is not shared yet. Copying bytes moves a T among
        // them, provenance included; the old block, of the old shape's size, is freed without dropping it.
        unsafe {
            renamed
                .block
                .at(shape.value_at())
                .copy_from_nonoverlapping(emptied.block.at(old.value_at()), old.value_len);
            renamed.set_kind(emptied.kind());
            renamed.set_access(emptied.access());
            renamed.set_parity(emptied.parity());
            emptied.block.free(old.size());
        }
        renamed
    }

    /// Bytes requested from the allocator: the block, a `T` in it included (not what that holds in turn).
    pub fn memory(&self) -> usize {
        self.shape().size()
    }

    /// A block with header, expiry and key written, and the value (which the caller writes) not.
    fn build(key: &[u8], variant: u8, value_len: usize, expiry: Option<i64>) -> (Self, Shape) {
        let shape = Shape::new(variant, key.len(), value_len, expiry);
        let block = Block::allocate(shape.size());
        // SAFETY: the block has the size of this shape and is not shared yet.
        unsafe {
            block.write(KIND_AT, KIND_STRING);
            block.write(FLAGS_AT, u32::from(shape.flags).to_le());
            shape.write_lengths(block);
            if let Some(deadline) = expiry {
                block.write(expiry_at(shape.flags), deadline);
            }
            block.fill(shape.key_at(), key);
        }
        (
            Self {
                block,
                owns: PhantomData,
            },
            shape,
        )
    }

    /// Changes the variant and length of the value and the expiry, keeping the rest and as much of the value's bytes as fits when the
    /// variant stays. Bytes of the value beyond the old length are for the caller to write before anybody reads them.
    fn reshape(&mut self, variant: u8, value_len: usize, expiry: Option<i64>) -> Shape {
        let old = self.shape();
        let mut new = Shape::new(variant, old.key_len, value_len, expiry);
        new.flags |= old.flags & PARITY;
        let same = new.flags == old.flags && new.value_len == old.value_len;
        if same && expiry == self.expiry() {
            return new;
        }
        if new.key_at() != old.key_at() {
            self.relocate(old, new);
        } else if new.size() != old.size() {
            // SAFETY: old.size() is what the block was allocated with; the old pointer is replaced at once.
            self.block = unsafe { self.block.resize(old.size(), new.size()) };
        }
        self.set_flags(new.flags);
        // SAFETY: the block has the size of the new shape; &mut self makes the access exclusive.
        unsafe {
            new.write_lengths(self.block);
            if let Some(deadline) = expiry {
                self.block.write(expiry_at(new.flags), deadline);
            }
        }
        new
    }

    /// Moves kind, access, key and value to a new block of another header size; flags, lengths and expiry are left to the caller.
    fn relocate(&mut self, old: Shape, new: Shape) {
        let block = Block::allocate(new.size());
        let kept = old.value_len.min(new.value_len);
        // SAFETY: each range is inside its block by the shapes, the new block is not shared yet, and the old one, which had
        // old.size() bytes, is not used after it was freed. Copying bytes moves a T among them, provenance included.
        unsafe {
            block
                .at(KIND_AT)
                .copy_from_nonoverlapping(self.block.at(KIND_AT), LENGTHS_AT);
            block
                .at(new.key_at())
                .copy_from_nonoverlapping(self.block.at(old.key_at()), old.key_len);
            block
                .at(new.value_at())
                .copy_from_nonoverlapping(self.block.at(old.value_at()), kept);
            self.block.free(old.size());
        }
        self.block = block;
    }

    /// Takes a boxed value out, leaving an empty string.
    fn unbox(&mut self) -> Option<T> {
        let shape = self.shape();
        if shape.flags & BOXED == 0 {
            return None;
        }
        // SAFETY: with B a T lies at value_at. Until the block says that it has none, this copy of it is not dropped.
        let value = ManuallyDrop::new(unsafe { self.box_at(shape).read() });
        self.reshape(0, 0, self.expiry());
        Some(ManuallyDrop::into_inner(value))
    }

    /// Where a boxed value of this shape lies.
    ///
    /// # Safety
    /// The shape is that of the block, with B.
    #[inline]
    unsafe fn box_at(&self, shape: Shape) -> *mut T {
        const { assert!(align_of::<T>() <= BOX_ALIGN && size_of::<T>() <= 3 * WORD) };
        // SAFETY: a value lies inside the block.
        unsafe { self.block.at(shape.value_at()).cast() }
    }

    /// Bytes of a boxed value.
    const BOX: usize = size_of::<T>();

    #[inline]
    fn shape(&self) -> Shape {
        let flags = self.flags();
        // SAFETY: the lengths lie at LENGTHS_AT, in the width that the flags tell.
        unsafe {
            if flags & WIDE == 0 {
                let [key_len, value_len]: [u8; 2] = self.block.read(LENGTHS_AT);
                Shape {
                    flags,
                    key_len: usize::from(key_len),
                    value_len: usize::from(value_len),
                }
            } else {
                let [key_len, value_len]: [u32; 2] = self.block.read(LENGTHS_AT);
                Shape {
                    flags,
                    key_len: key_len as usize,
                    value_len: value_len as usize,
                }
            }
        }
    }

    #[inline]
    fn flags(&self) -> u8 {
        // SAFETY: the header has at least seven bytes.
        unsafe { self.block.read(FLAGS_AT) }
    }

    fn set_flags(&mut self, flags: u8) {
        // SAFETY: the header has at least seven bytes; &mut self makes the access exclusive.
        unsafe { self.block.write(FLAGS_AT, flags) };
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        let shape = self.shape();
        let boxed = shape.flags & BOXED != 0;
        // SAFETY: with B a T lies at value_at; it is moved out and dropped at the end, after the block, so that the block goes in any case.
        let _dropped_at_the_end = boxed.then(|| unsafe { self.box_at(shape).read() });
        // SAFETY: the shape's size is what the block was allocated with, and self goes away.
        unsafe { self.block.free(shape.size()) };
    }
}

impl<T: Clone> Clone for Entry<T> {
    fn clone(&self) -> Self {
        let mut copy = match self.value() {
            ValueRef::Bytes(value) => Self::bytes(self.key(), value, self.expiry()),
            ValueRef::Integer(value) => Self::integer(self.key(), value, self.expiry()),
            ValueRef::Boxed(value) => {
                Self::boxed(self.key(), self.kind(), value.clone(), self.expiry())
            }
        };
        copy.set_kind(self.kind());
        copy.set_access(self.access());
        copy.set_parity(self.parity());
        copy
    }
}

impl<T: fmt::Debug> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("kind", &self.kind())
            .field("expiry", &self.expiry())
            .field("value", &self.value())
            .finish()
    }
}

// SAFETY: an entry owns its block and its `T` alone, and changes them through &mut self only.
unsafe impl<T: Send> Send for Entry<T> {}
// SAFETY: as above; through &self it hands out &T and reads plain bytes.
unsafe impl<T: Sync> Sync for Entry<T> {}

/// What the header says: enough to find every part of the block and its size.
#[derive(Clone, Copy)]
struct Shape {
    flags: u8,
    key_len: usize,
    value_len: usize,
}

impl Shape {
    fn new(variant: u8, key_len: usize, value_len: usize, expiry: Option<i64>) -> Self {
        let wide = checked(key_len).max(checked(value_len)) > usize::from(u8::MAX);
        let flags =
            variant | if wide { WIDE } else { 0 } | if expiry.is_some() { EXPIRY } else { 0 };
        Self {
            flags,
            key_len,
            value_len,
        }
    }

    #[inline]
    fn key_at(self) -> usize {
        expiry_at(self.flags) + if self.flags & EXPIRY == 0 { 0 } else { WORD }
    }

    #[inline]
    fn value_at(self) -> usize {
        let end = self.key_at() + self.key_len;
        if self.flags & BOXED == 0 {
            end
        } else {
            end.next_multiple_of(BOX_ALIGN)
        }
    }

    #[inline]
    fn size(self) -> usize {
        self.value_at() + self.value_len
    }

    /// # Safety
    /// The block has the size of this shape, and nothing else looks at it meanwhile.
    unsafe fn write_lengths(self, block: Block) {
        // SAFETY: by the caller's promise; the header has room for both lengths in the width that the flags tell.
        unsafe {
            if self.flags & WIDE == 0 {
                block.write(LENGTHS_AT, [self.key_len as u8, self.value_len as u8]);
            } else {
                block.write(LENGTHS_AT, [self.key_len as u32, self.value_len as u32]);
            }
        }
    }
}

/// Where the header ends and the expiry, if any, begins.
#[inline]
fn expiry_at(flags: u8) -> usize {
    LENGTHS_AT + if flags & WIDE == 0 { 2 } else { 8 }
}

const KIND_AT: usize = 0;
const FLAGS_AT: usize = 1;
const LENGTHS_AT: usize = 5;
/// Bytes of an expiry or an integer.
const WORD: usize = 8;
/// The alignment of a `T`, which blocks have too.
const BOX_ALIGN: usize = ALIGN;

const EXPIRY: u8 = 1;
const WIDE: u8 = 2;
const BOXED: u8 = 4;
const INTEGER: u8 = 8;
const PARITY: u8 = 16;

const _: () = assert!(
    size_of::<*mut ()>() == WORD,
    "the layout is that of a 64-bit machine"
);

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_costs_what_the_layout_promises() {
        assert_eq!(size_of::<Option<Entry<String>>>(), 8);
        let key = [b'k'; 16];
        assert_eq!(Entry::<String>::bytes(&key, &[b'v'; 64], None).memory(), 87);
        assert_eq!(
            Entry::<String>::bytes(&key, &[b'v'; 64], Some(1)).memory(),
            95
        );
        assert_eq!(Entry::<String>::integer(&key, -1, None).memory(), 31);
        assert_eq!(size_of::<String>(), 24);
        assert_eq!(Entry::boxed(&key, 1, String::new(), None).memory(), 48);
        assert_eq!(Entry::boxed(&key[..9], 1, 0_u64, Some(1)).memory(), 32);
    }

    #[test]
    fn entries_cross_threads_when_their_values_do() {
        fn crosses<V: Send + Sync>(_: &V) {}
        crosses(&Entry::boxed(b"k", 1, String::new(), None));
    }

    #[test]
    fn boxed_values_are_freed_once_on_every_way_out() {
        let value = Rc::new(());
        let count = |expected: usize| assert_eq!(Rc::strong_count(&value), expected + 1);
        let mut entry = Entry::boxed(b"key", 3, Rc::clone(&value), None);
        count(1);
        entry.set_expiry(Some(7));
        let copy = entry.clone();
        count(2);
        entry = entry.rename(&[b'x'; 400]);
        count(2);
        assert!(entry.boxed_mut().is_some());
        entry.set_boxed(4, Rc::clone(&value));
        count(2);
        entry.set_bytes(b"plain");
        count(1);
        entry.set_boxed(4, Rc::clone(&value));
        entry.set_integer(5);
        count(1);
        assert!(entry.into_boxed().is_err());
        let taken = copy.into_boxed().expect("it is boxed");
        count(1);
        drop((taken, Entry::boxed(b"key", 3, Rc::clone(&value), None)));
        count(0);
    }

    #[test]
    fn refused_lengths_leave_a_whole_entry() {
        let mut entry = Entry::boxed(b"key", 3, Rc::new(()), None);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            entry.unbox();
            entry.reshape(0, crate::LENGTH_MAX + 1, None);
        }));
        assert!(outcome.is_err());
        assert_eq!(entry.value(), ValueRef::Bytes(&[]));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Bytes(Vec<u8>),
        Integer(i64),
        Boxed(u8, String),
        Resize(usize),
        Append(Vec<u8>),
        Expiry(Option<i64>),
        Access(u32),
        Parity(bool),
        Kind(u8),
        Rename(Vec<u8>),
        Copy,
    }

    fn data() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(any::<u8>(), 240..300)
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            data().prop_map(Step::Bytes),
            any::<i64>().prop_map(Step::Integer),
            (any::<u8>(), ".{0,9}").prop_map(|(kind, value)| Step::Boxed(kind, value)),
            (0..600_usize).prop_map(Step::Resize),
            data().prop_map(Step::Append),
            any::<Option<i64>>().prop_map(Step::Expiry),
            any::<u32>().prop_map(Step::Access),
            any::<bool>().prop_map(Step::Parity),
            any::<u8>().prop_map(Step::Kind),
            data().prop_map(Step::Rename),
            Just(Step::Copy),
        ]
    }

    #[derive(Debug, Clone, PartialEq)]
    enum Value {
        Bytes(Vec<u8>),
        Integer(i64),
        Boxed(String),
    }

    /// What an entry holds, as plain fields.
    #[derive(Debug, Clone, PartialEq)]
    struct Model {
        key: Vec<u8>,
        value: Value,
        expiry: Option<i64>,
        access: u32,
        parity: bool,
        kind: u8,
    }

    impl Model {
        fn take(&mut self, step: &Step) {
            match step.clone() {
                Step::Bytes(value) => (self.value, self.kind) = (Value::Bytes(value), KIND_STRING),
                Step::Integer(value) => {
                    (self.value, self.kind) = (Value::Integer(value), KIND_STRING)
                }
                Step::Boxed(kind, value) => (self.value, self.kind) = (Value::Boxed(value), kind),
                Step::Resize(len) => {
                    if let Value::Bytes(value) = &mut self.value {
                        value.resize(len, 0);
                    }
                }
                Step::Append(tail) => {
                    if let Value::Bytes(value) = &mut self.value {
                        value.extend(tail);
                    }
                }
                Step::Expiry(expiry) => self.expiry = expiry,
                Step::Access(access) => self.access = access & 0xff_ffff,
                Step::Parity(parity) => self.parity = parity,
                Step::Kind(kind) => self.kind = kind,
                Step::Rename(key) => self.key = key,
                Step::Copy => {}
            }
        }

        fn of(entry: &Entry<String>) -> Self {
            Self {
                key: entry.key().to_vec(),
                value: match entry.value() {
                    ValueRef::Bytes(value) => Value::Bytes(value.to_vec()),
                    ValueRef::Integer(value) => Value::Integer(value),
                    ValueRef::Boxed(value) => Value::Boxed(value.clone()),
                },
                expiry: entry.expiry(),
                access: entry.access(),
                parity: entry.parity(),
                kind: entry.kind(),
            }
        }
    }

    fn apply(mut entry: Entry<String>, step: &Step) -> Entry<String> {
        match step.clone() {
            Step::Bytes(value) => entry.set_bytes(&value),
            Step::Integer(value) => entry.set_integer(value),
            Step::Boxed(kind, value) => entry.set_boxed(kind, value),
            Step::Resize(len) => drop(entry.resize(len).map(|value| value.len())),
            Step::Append(tail) => drop(entry.append(&tail)),
            Step::Expiry(expiry) => entry.set_expiry(expiry),
            Step::Access(access) => entry.set_access(access),
            Step::Parity(parity) => entry.set_parity(parity),
            Step::Kind(kind) => entry.set_kind(kind),
            Step::Rename(key) => entry = entry.rename(&key),
            Step::Copy => entry = entry.clone(),
        }
        entry
    }

    proptest! {
        #[test]
        fn entries_behave_as_plain_fields(key in data(), value in data(), steps in prop::collection::vec(step(), 1..40)) {
            let mut entry = Entry::bytes(&key, &value, None);
            let mut model = Model { key, value: Value::Bytes(value), expiry: None, access: 0, parity: false, kind: KIND_STRING };
            for step in &steps {
                entry = apply(entry, step);
                model.take(step);
                prop_assert_eq!(&Model::of(&entry), &model);
            }
        }
    }
}
