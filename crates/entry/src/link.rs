//! Owns the slot of a hash bucket: nothing, an element, or the bucket's continuation, in eight bytes.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, transmute_copy};
use std::ptr::null_mut;

use crate::{Entry, Member, Pair, Scored};

/// An element that is one owned pointer.
///
/// # Safety
/// The type is `repr(transparent)` over a non-null pointer to a block whose address is even, and it stays so whatever is done to it.
pub unsafe trait Thin: Sized {}

// SAFETY: transparent over Block, which is a non-null pointer aligned to eight bytes.
unsafe impl<T> Thin for Entry<T> {}
// SAFETY: as above.
unsafe impl Thin for Member {}
// SAFETY: as above.
unsafe impl Thin for Pair {}
// SAFETY: as above.
unsafe impl Thin for Scored {}

/// Has the cache line at which `place` begins brought towards the processor, so that reading it soon need not wait.
#[inline]
pub fn prefetch<T>(place: &T) {
    prefetch_line(std::ptr::from_ref(place).cast());
}

#[inline]
fn prefetch_line(place: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _no_hint = place;
}

/// Nothing, an element `E`, or a box of a further bucket `B`: a pointer whose lowest bit tells the last two apart.
#[repr(transparent)]
pub struct Link<E: Thin, B> {
    word: *mut u8,
    owns: PhantomData<(E, Box<B>)>,
}

/// What a [`Link`] held.
#[derive(Debug)]
pub enum Taken<E, B> {
    /// Nothing.
    Empty,
    /// An element.
    Element(E),
    /// A further bucket.
    Bucket(Box<B>),
}

impl<E: Thin, B> Link<E, B> {
    /// A link that holds nothing.
    pub const EMPTY: Self = Self {
        word: null_mut(),
        owns: PhantomData,
    };

    /// A link that holds an element.
    #[inline]
    pub fn element(element: E) -> Self {
        const { assert!(size_of::<E>() == size_of::<*mut u8>()) };
        let element = ManuallyDrop::new(element);
        // SAFETY: E is a pointer in a transparent wrapper, by the promise of Thin, and is not dropped here.
        let word = unsafe { transmute_copy::<ManuallyDrop<E>, *mut u8>(&element) };
        debug_assert!(word.addr() & BUCKET == 0, "elements lie at even addresses");
        Self {
            word,
            owns: PhantomData,
        }
    }

    /// A link that holds a further bucket.
    pub fn bucket(bucket: Box<B>) -> Self {
        const { assert!(align_of::<B>() > BUCKET) };
        let word = Box::into_raw(bucket)
            .cast::<u8>()
            .map_addr(|address| address | BUCKET);
        Self {
            word,
            owns: PhantomData,
        }
    }

    /// Has the first line of what it holds brought towards the processor.
    #[inline]
    pub fn prefetch(&self) {
        prefetch_line(self.word);
    }

    /// Whether it holds nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.word.is_null()
    }

    /// The element, if it holds one.
    #[inline]
    pub fn as_element(&self) -> Option<&E> {
        // SAFETY: the word is then what `element` stored, and E is a transparent wrapper of just that.
        self.holds_element()
            .then(|| unsafe { &*std::ptr::from_ref(self).cast::<E>() })
    }

    /// The element to be changed, if it holds one.
    #[inline]
    pub fn as_element_mut(&mut self) -> Option<&mut E> {
        // SAFETY: as in `as_element`; whatever is written through the reference is again an E, non-null and even.
        self.holds_element()
            .then(|| unsafe { &mut *std::ptr::from_mut(self).cast::<E>() })
    }

    /// The further bucket, if it holds one.
    #[inline]
    pub fn as_bucket(&self) -> Option<&B> {
        // SAFETY: the pointer came from a box that this link owns.
        self.holds_bucket()
            .then(|| unsafe { &*self.bucket_pointer() })
    }

    /// The further bucket to be changed, if it holds one.
    #[inline]
    pub fn as_bucket_mut(&mut self) -> Option<&mut B> {
        // SAFETY: the pointer came from a box that this link owns; &mut self makes the access exclusive.
        self.holds_bucket()
            .then(|| unsafe { &mut *self.bucket_pointer() })
    }

    /// Takes out what it holds.
    #[inline]
    pub fn take(&mut self) -> Taken<E, B> {
        if self.holds_element() {
            // SAFETY: the word is what `element` stored, and is forgotten below, so the element has one owner.
            let element = unsafe { transmute_copy::<*mut u8, E>(&self.word) };
            self.word = null_mut();
            Taken::Element(element)
        } else if self.holds_bucket() {
            // SAFETY: the pointer came from a box that this link owned, and is forgotten below.
            let bucket = unsafe { Box::from_raw(self.bucket_pointer()) };
            self.word = null_mut();
            Taken::Bucket(bucket)
        } else {
            Taken::Empty
        }
    }

    #[inline]
    fn holds_element(&self) -> bool {
        !self.word.is_null() && self.word.addr() & BUCKET == 0
    }

    #[inline]
    fn holds_bucket(&self) -> bool {
        self.word.addr() & BUCKET != 0
    }

    #[inline]
    fn bucket_pointer(&self) -> *mut B {
        self.word.map_addr(|address| address & !BUCKET).cast()
    }
}

impl<E: Thin, B> Default for Link<E, B> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<E: Thin, B> Drop for Link<E, B> {
    #[inline]
    fn drop(&mut self) {
        if !self.word.is_null() {
            drop(self.take());
        }
    }
}

// SAFETY: a link owns what it holds, alone.
unsafe impl<E: Thin + Send, B: Send> Send for Link<E, B> {}
// SAFETY: as above; through &self it hands out shared references only.
unsafe impl<E: Thin + Sync, B: Sync> Sync for Link<E, B> {}

/// The address bit that tells a bucket from an element.
const BUCKET: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_one_of_three() {
        assert_eq!(size_of::<Link<Member, u64>>(), 8);
        let mut link = Link::<Member, u64>::EMPTY;
        assert!(link.is_empty() && link.as_element().is_none() && link.as_bucket().is_none());
        assert!(matches!(link.take(), Taken::Empty));

        link = Link::element(Member::new(b"one"));
        assert!(!link.is_empty() && link.as_bucket_mut().is_none());
        *link.as_element_mut().unwrap() = Member::new(b"two");
        assert_eq!(link.as_element().unwrap().bytes(), b"two");

        link = Link::bucket(Box::new(7));
        assert!(!link.is_empty() && link.as_element_mut().is_none() && link.as_element().is_none());
        *link.as_bucket_mut().unwrap() += 1;
        assert_eq!(link.as_bucket(), Some(&8));
        assert!(matches!(link.take(), Taken::Bucket(bucket) if *bucket == 8));
        assert!(link.is_empty());

        link = Link::element(Member::new(b"three"));
        assert!(matches!(link.take(), Taken::Element(member) if member.bytes() == b"three"));
    }
}
