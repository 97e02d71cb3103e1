//! What a session has to send: encoded bytes, with large values by reference among them.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Bytes waiting to be sent, in order.
///
/// ```text
/// own:     [ sent | headers, small values ..... | more ..... | ........ ]
///                                               ^            ^
/// shared:                                      (at, Bytes)  (at, Bytes)   each goes out before own[at]
/// ```
///
/// Small values are copied into `own`; values from [`Output::SHARED_MIN`] on are kept by reference and cost no copy. Positions in
/// `own` stay valid while something is appended, so that a header can be filled in later ([`Output::begin`]).
#[derive(Debug, Default)]
pub struct Output {
    own: Vec<u8>,
    /// How much of `own` has been sent.
    sent: usize,
    shared: VecDeque<Shared>,
    /// Bytes in `shared`.
    shared_len: usize,
    /// Bytes of the first of `shared` that have been sent, and are kept alive by the rest of it.
    sent_of_shared: usize,
    /// Bytes from which on nothing more is taken, see [`Output::set_max`]; 0 for no limit.
    max: usize,
}

#[derive(Debug)]
struct Shared {
    at: usize,
    bytes: Bytes,
}

/// A place in an [`Output`] to which [`Output::truncate`] can go back, as long as nothing was sent since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    own: usize,
    shared: usize,
}

/// The place of a header that is filled in once the elements after it have been counted.
#[derive(Debug)]
#[must_use = "without Writer::finish the reply has no valid header"]
pub struct Deferred {
    at: usize,
    shared: usize,
}

impl Output {
    /// From this length on a value goes by reference: below it a copy is cheaper than one more slice to send.
    pub const SHARED_MIN: usize = 16 * 1024;

    /// An output that takes about so many bytes.
    #[must_use]
    pub fn bounded(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// Bounds what may wait to be sent; 0 for no limit. Once so many bytes wait the output is full: what would need more
    /// memory is dropped, so what is in a full output must not be sent. It stays full until it is cleared.
    pub fn set_max(&mut self, max: usize) {
        if !self.is_full() {
            self.max = max;
        }
    }

    /// Whether as many bytes wait as may. What produces output without end looks at this from time to time.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.max > 0 && self.len() >= self.max
    }

    /// Bytes not yet sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.own.len() - self.sent + self.shared_len
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the output keeps alive, values by reference included.
    pub fn memory(&self) -> usize {
        let shared = self.shared.capacity() * size_of::<Shared>() + self.shared_len;
        self.own.capacity() + shared + self.sent_of_shared
    }

    /// Appends a copy of `bytes`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.own.capacity() - self.own.len() || self.grow(bytes.len()) {
            self.own.extend_from_slice(bytes);
        }
    }

    /// Makes room for more bytes unless the output is full; whether there is room now.
    #[cold]
    fn grow(&mut self, additional: usize) -> bool {
        if self.is_full() {
            return false;
        }
        self.own.reserve(additional);
        true
    }

    /// Appends `bytes`, by reference if they are long.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < Self::SHARED_MIN {
            self.push(bytes);
        } else {
            self.push_shared(bytes.clone());
        }
    }

    /// Appends `bytes` by reference, however short they are.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && !self.is_full() {
            self.shared_len += bytes.len();
            self.shared.push_back(Shared {
                at: self.own.len(),
                bytes,
            });
        }
    }

    /// Appends all that `other` has not sent, and leaves it empty.
    pub fn append(&mut self, other: &mut Self) {
        let mut from = other.sent;
        for Shared { at, bytes } in other.shared.drain(..) {
            self.push(other.own.get(from..at).unwrap_or_default());
            from = at;
            self.push_shared(bytes);
        }
        self.push(other.own.get(from..).unwrap_or_default());
        other.shared_len = 0;
        other.sent_of_shared = 0;
        other.sent = other.own.len();
        other.tidy();
    }

    /// Appends the first `used` bytes of `block`: one copy of known size, which is cheaper than one of a variable few bytes.
    #[inline]
    pub(crate) fn push_block<const N: usize>(&mut self, block: &[u8; N], used: usize) {
        if N > self.own.capacity() - self.own.len() && !self.grow(N) {
            return;
        }
        let end = self.own.len() + used.min(N);
        self.own.extend_from_slice(block);
        self.own.truncate(end);
    }

    /// Makes room for `additional` more bytes to be copied in.
    #[inline]
    pub(crate) fn reserve(&mut self, additional: usize) {
        if additional > self.own.capacity() - self.own.len() {
            self.grow(additional);
        }
    }

    /// A copy of all that has not been sent, in one piece.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::from(self.chunks().collect::<Vec<_>>().concat())
    }

    /// The current end.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            own: self.own.len(),
            shared: self.shared.len(),
        }
    }

    /// Takes back everything appended since `mark`; nothing may have been sent in between.
    pub fn truncate(&mut self, mark: Mark) {
        debug_assert!(mark.own >= self.sent, "a mark does not outlive sending");
        self.own.truncate(mark.own.max(self.sent));
        for shared in self.shared.drain(mark.shared.min(self.shared.len())..) {
            self.shared_len -= shared.bytes.len();
        }
    }

    /// Leaves room for a header, to be filled in by [`Output::finish`]. Nothing may be sent in between.
    pub(crate) fn begin(&mut self) -> Deferred {
        let deferred = Deferred {
            at: self.own.len(),
            shared: self.shared.len(),
        };
        self.push(&[0; DEFERRED_ROOM]);
        deferred
    }

    /// Puts `header` where `deferred` was begun. A header longer than that of a single digit moves what follows it.
    pub(crate) fn finish(&mut self, deferred: Deferred, header: &[u8]) {
        if self.is_full() {
            return;
        }
        let Deferred { at, shared } = deferred;
        let room = at..(at + DEFERRED_ROOM).min(self.own.len());
        if let Some(room) = self
            .own
            .get_mut(room.clone())
            .filter(|room| room.len() == header.len())
        {
            room.copy_from_slice(header);
            return;
        }
        self.own.splice(room, header.iter().copied());
        for shared in self.shared.range_mut(shared.min(self.shared.len())..) {
            shared.at = (shared.at + header.len()).saturating_sub(DEFERRED_ROOM);
        }
    }

    /// What is to be sent, in order, in slices as long as possible.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(self.sent).chain(self.shared.iter().map(|shared| shared.at));
        let ends = self
            .shared
            .iter()
            .map(|shared| shared.at)
            .chain(std::iter::once(self.own.len()));
        let own = starts
            .zip(ends)
            .map(|(start, end)| self.own.get(start..end).unwrap_or_default());
        let shared = self
            .shared
            .iter()
            .map(|shared| &shared.bytes[..])
            .chain(std::iter::once(&[][..]));
        own.zip(shared)
            .flat_map(|(own, shared)| [own, shared])
            .filter(|chunk| !chunk.is_empty())
    }

    /// Fills `slices` with the first chunks for a vectored write, and returns how many it filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(self.chunks()) {
            *slice = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    /// Drops the first `count` bytes, which were sent. Gives memory back once all is sent, but for a little.
    pub fn consume(&mut self, mut count: usize) {
        while count > 0 {
            let end = self
                .shared
                .front()
                .map_or(self.own.len(), |shared| shared.at);
            let step = count.min(end - self.sent);
            self.sent += step;
            count -= step;
            let Some(front) = self.shared.front_mut().filter(|_| count > 0) else {
                debug_assert!(count == 0, "no more was sent than there was");
                break;
            };
            let step = count.min(front.bytes.len());
            count -= step;
            self.shared_len -= step;
            if step == front.bytes.len() {
                self.shared.pop_front();
                self.sent_of_shared = 0;
            } else {
                let _sent = front.bytes.split_to(step);
                self.sent_of_shared += step;
            }
        }
        self.tidy();
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.shared.clear();
        self.shared_len = 0;
        self.sent_of_shared = 0;
        self.sent = self.own.len();
        self.tidy();
    }

    /// Gives back all memory if there is nothing to send; for connections that have been idle.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self::bounded(self.max);
        }
    }

    /// Drops what was sent of `own`: all of it, or the front when it is long and at least half.
    fn tidy(&mut self) {
        if self.is_empty() {
            self.own.clear();
            self.sent = 0;
            if self.own.capacity() > KEPT {
                self.own = Vec::new();
            }
            if self.shared.capacity() > SHARED_KEPT {
                self.shared = VecDeque::new();
            }
        } else if self.sent >= KEPT && self.sent * 2 >= self.own.len() {
            self.own.drain(..self.sent);
            for shared in &mut self.shared {
                shared.at -= self.sent;
            }
            self.sent = 0;
        }
    }
}

/// Room for a header with one digit, such as `*3\r\n`.
const DEFERRED_ROOM: usize = 4;
/// Capacity that is kept when everything was sent, in bytes: a pipelined batch of small replies fits.
const KEPT: usize = 32 * 1024;
/// Slots for values by reference that are kept when everything was sent.
const SHARED_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(output: &Output) -> Vec<u8> {
        let content = output.chunks().collect::<Vec<_>>().concat();
        assert_eq!(content.len(), output.len());
        content
    }

    #[test]
    fn large_values_go_by_reference() {
        let large = Bytes::from(vec![b'x'; Output::SHARED_MIN]);
        let mut output = Output::default();
        output.push(b"a");
        output.push_bytes(&large);
        output.push_bytes(&Bytes::from_static(b"b"));
        let chunks: Vec<&[u8]> = output.chunks().collect();
        assert_eq!(chunks, [b"a", &large[..], b"b"]);
        assert_eq!(chunks[1].as_ptr(), large.as_ptr());
        let mut slices = [IoSlice::new(&[]), IoSlice::new(&[])];
        assert_eq!(output.io_slices(&mut slices), 2);
        assert_eq!(&*slices[1], &large[..]);
    }

    #[test]
    fn memory_is_given_back_when_all_is_sent() {
        let mut output = Output::default();
        output.push(&[0; 100]);
        output.consume(100);
        assert!(output.memory() >= 100 && output.memory() <= KEPT);
        output.push(&[0; 10 * KEPT]);
        output.push_shared(Bytes::from(vec![0; KEPT]));
        output.consume(11 * KEPT);
        assert!(output.is_empty() && output.memory() <= KEPT);
        output.release();
        assert_eq!(output.memory(), 0);
    }

    #[test]
    fn a_slow_reader_does_not_keep_what_was_sent() {
        let mut output = Output::default();
        output.push(&[1; 10]);
        for _ in 0..10_000 {
            output.push(&[2; 1000]);
            output.consume(1000);
        }
        assert_eq!(output.len(), 10);
        assert!(output.memory() < 8 * KEPT);
    }

    #[test]
    fn truncate_takes_back_what_was_appended() {
        let mut output = Output::default();
        output.push(b"kept");
        output.push_shared(Bytes::from_static(b"too"));
        let mark = output.mark();
        output.push_shared(Bytes::from_static(b"gone"));
        output.push(b"gone");
        output.truncate(mark);
        assert_eq!(content(&output), b"kepttoo");
    }

    #[test]
    fn a_full_output_takes_no_more_memory() {
        let mut output = Output::bounded(1000);
        let mut writer = crate::Writer::new(&mut output, crate::Proto::Resp3);
        let outer = writer.begin();
        for _ in 0..100_000 {
            let inner = writer.begin();
            writer.bulk(b"value");
            writer.bulk_bytes(&Bytes::from(vec![b'x'; Output::SHARED_MIN]));
            writer.finish(inner, crate::Aggregate::Array, 2);
        }
        writer.finish(outer, crate::Aggregate::Array, 100_000);
        assert!(output.is_full());
        assert!(output.memory() < 4 * Output::SHARED_MIN);
        output.clear();
        assert!(!output.is_full());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(Vec<u8>),
        Shared(Vec<u8>),
        Append(Vec<u8>, Vec<u8>),
        Header(Vec<u8>, Vec<u8>),
        Consume(prop::sample::Index),
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = |len| prop::collection::vec(any::<u8>(), 0..len);
        prop::collection::vec(
            prop_oneof![
                bytes(70_000).prop_map(Step::Push),
                bytes(100).prop_map(Step::Push),
                bytes(100).prop_map(Step::Shared),
                (bytes(50), bytes(50)).prop_map(|(own, shared)| Step::Append(own, shared)),
                (bytes(9), bytes(30)).prop_map(|(header, body)| Step::Header(header, body)),
                any::<prop::sample::Index>().prop_map(Step::Consume),
                any::<prop::sample::Index>().prop_map(Step::Consume),
                Just(Step::Clear),
            ],
            0..40,
        )
    }

    proptest! {
        #[test]
        fn an_output_is_a_queue_of_bytes(steps in steps()) {
            let (mut output, mut model) = (Output::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        output.push(&bytes);
                        model.extend(bytes);
                    }
                    Step::Shared(bytes) => {
                        output.push_shared(bytes.clone().into());
                        model.extend(bytes);
                    }
                    Step::Append(own, shared) => {
                        let mut other = Output::default();
                        other.push(b"xy");
                        other.push(&own);
                        other.push_shared(shared.clone().into());
                        other.push(&own);
                        other.consume(2);
                        output.append(&mut other);
                        prop_assert!(other.is_empty());
                        model.extend([&own[..], &shared, &own].concat());
                    }
                    Step::Header(header, body) => {
                        let outer = output.begin();
                        output.push_shared(body.clone().into());
                        let inner = output.begin();
                        output.push(&body);
                        output.push_shared(body.clone().into());
                        output.finish(inner, &header);
                        output.push(&body);
                        output.finish(outer, &header);
                        model.extend([&header[..], &body, &header, &body, &body, &body].concat());
                    }
                    Step::Consume(index) => {
                        let count = index.index(model.len() + 1);
                        output.consume(count);
                        model.drain(..count);
                    }
                    Step::Clear => {
                        output.clear();
                        model.clear();
                    }
                }
                prop_assert_eq!(content(&output), &model[..]);
            }
        }
    }
}
