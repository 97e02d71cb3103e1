//! Where the bytes of a listpack lie: tight, or with room at both ends.

use entry::{BLOB_PREFIX, Blob};

/// Owner of the bytes of a listpack. It keeps the total length at the head of the bytes right; everything else is the listpack's.
pub trait Buffer: Clone {
    /// A buffer of `len` bytes, zero but for the length at its head.
    fn with_len(len: usize) -> Self;

    /// A copy of `bytes`, or `None` when the length at their head is not theirs.
    fn copied_from(bytes: &[u8]) -> Option<Self>;

    /// All bytes, the length included.
    fn bytes(&self) -> &[u8];

    /// The bytes after the length.
    fn tail_mut(&mut self) -> &mut [u8];

    /// Puts `insert` bytes, to be written by the caller, in the stead of the `remove` bytes at `at`, and returns them. `at` is not inside the header.
    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8];

    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize;

    /// Gives unused room back to the heap.
    fn shrink_to_fit(&mut self);
}

/// Eight bytes of pointer and no slack but that of the size class: for hashes, sets, sorted sets and short lists.
impl Buffer for Blob {
    fn with_len(len: usize) -> Self {
        Self::zeroed(len)
    }

    fn copied_from(bytes: &[u8]) -> Option<Self> {
        Self::copied_from(bytes)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn tail_mut(&mut self) -> &mut [u8] {
        self.tail_mut()
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8] {
        let old = self.len();
        let new = old - remove + insert;
        let rest = at + remove - BLOB_PREFIX..old - BLOB_PREFIX;
        let gap = at - BLOB_PREFIX..at - BLOB_PREFIX + insert;
        if new > old {
            self.resize(new);
        }
        self.tail_mut().copy_within(rest, gap.end);
        if new < old {
            self.resize(new);
        }
        &mut self.tail_mut()[gap]
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }

    fn shrink_to_fit(&mut self) {}
}

/// A buffer that moves whichever side of an edit is shorter and keeps room at both ends, so pushes and pops at the head of an 8 kB node cost no more
/// than at its tail. A node that is full is shrunk to its content.
#[derive(Clone, Debug)]
pub struct Roomy {
    /// `room` unused bytes, then the listpack.
    buf: Vec<u8>,
    room: usize,
}

impl Roomy {
    /// The most room made ahead of the head at once.
    const ROOM_MAX: usize = 4096;
    const ROOM_MIN: usize = 64;

    fn write_len(&mut self) {
        let len = (self.buf.len() - self.room) as u32;
        self.buf[self.room..self.room + 4].copy_from_slice(&len.to_le_bytes());
    }

    fn make_room(&mut self, need: usize) {
        let len = self.buf.len() - self.room;
        let room = need + len.clamp(Self::ROOM_MIN, Self::ROOM_MAX);
        let mut buf = Vec::with_capacity(room + len);
        buf.resize(room, 0);
        buf.extend_from_slice(&self.buf[self.room..]);
        *self = Self { buf, room };
    }
}

impl Buffer for Roomy {
    fn with_len(len: usize) -> Self {
        let mut buffer = Self {
            buf: vec![0; len],
            room: 0,
        };
        buffer.write_len();
        buffer
    }

    fn copied_from(bytes: &[u8]) -> Option<Self> {
        let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        (len == bytes.len()).then(|| Self {
            buf: bytes.to_vec(),
            room: 0,
        })
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buf[self.room..]
    }

    fn tail_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.room + 4..]
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8] {
        let len = self.buf.len() - self.room;
        if at < len - at - remove {
            if insert > remove + self.room {
                self.make_room(insert - remove);
            }
            let from = self.room;
            self.room = from + remove - insert;
            self.buf.copy_within(from..from + at, self.room);
        } else {
            let rest = self.room + at + remove..self.buf.len();
            let target = self.room + at + insert;
            let end = target + rest.len();
            if end > self.buf.len() {
                self.buf.resize(end, 0);
            }
            self.buf.copy_within(rest, target);
            self.buf.truncate(end);
        }
        self.write_len();
        let gap = self.room + at;
        &mut self.buf[gap..gap + insert]
    }

    fn heap_bytes(&self) -> usize {
        self.buf.capacity()
    }

    fn shrink_to_fit(&mut self) {
        if self.room > 0 {
            self.buf.drain(..self.room);
            self.room = 0;
        }
        self.buf.shrink_to_fit();
    }
}
