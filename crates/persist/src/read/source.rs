//! Where bytes come from: a slice, or a stream with a buffer before it.

use std::io::{ErrorKind, Read};

use crate::crc64::Checksum;
use crate::error::Reason;
use crate::sanitize::Checksums;

/// A place to take bytes from.
pub(crate) trait Source {
    /// The next `len` bytes.
    fn take(&mut self, len: usize) -> Result<&[u8], Reason>;

    /// How many bytes have been taken.
    fn offset(&self) -> u64;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Reason> {
        self.array().map(|[byte]| byte)
    }

    /// The next `N` bytes, copied.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let bytes = self.take(N)?;
        bytes.first_chunk().copied().ok_or(Reason::EndOfInput)
    }
}

/// Bytes that are all there.
pub(crate) struct SliceSource<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SliceSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Source for SliceSource<'_> {
    #[inline]
    fn take(&mut self, len: usize) -> Result<&[u8], Reason> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(Reason::EndOfInput)?;
        self.at += len;
        Ok(taken)
    }

    fn offset(&self) -> u64 {
        self.at as u64
    }
}

/// Bytes that arrive. What is taken is whole in the buffer, which grows as bytes arrive, not as lengths claim.
pub(crate) struct StreamSource<R> {
    reader: R,
    /// `buffer[start..end]` has been read but not taken; what is before `start` and from `hashed` on awaits the checksum.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    hashed: usize,
    checksum: Option<Checksum>,
    /// Bytes that were taken and have left the buffer.
    gone: u64,
}

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// A buffer that has grown beyond this for one string is given back.
const KEPT_MAX: usize = 1 << 20;

impl<R: Read> StreamSource<R> {
    pub(crate) fn new(reader: R, checksums: Checksums) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            hashed: 0,
            checksum: (checksums == Checksums::Verify).then(Checksum::new),
            gone: 0,
        }
    }

    /// The checksum of all bytes taken; `None` when none is kept.
    pub(crate) fn checksum(&mut self) -> Option<u64> {
        self.hash();
        self.checksum.as_ref().map(Checksum::value)
    }

    /// The reader, and what was read from it ahead of what was taken.
    pub(crate) fn into_parts(self) -> (R, Vec<u8>) {
        let ahead = self.buffer.get(self.start..self.end).unwrap_or_default();
        let ahead = ahead.to_vec();
        (self.reader, ahead)
    }

    fn hash(&mut self) {
        if let Some(checksum) = &mut self.checksum
            && let Some(bytes) = self.buffer.get(self.hashed..self.start)
        {
            checksum.update(bytes);
        }
        self.hashed = self.start;
    }

    /// Reads until `len` bytes are in the buffer.
    #[cold]
    fn fill(&mut self, len: usize) -> Result<(), Reason> {
        self.hash();
        self.gone += self.start as u64;
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.hashed) = (0, 0);
        if self.buffer.len() > KEPT_MAX && self.end.max(len) <= CHUNK {
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
        while self.end < len {
            if self.end == self.buffer.len() {
                let grown = (self.end * 2).min(len).max(CHUNK);
                self.buffer.resize(grown, 0);
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => return Err(Reason::EndOfInput),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl<R: Read> Source for StreamSource<R> {
    #[inline]
    fn take(&mut self, len: usize) -> Result<&[u8], Reason> {
        if self.end - self.start < len {
            self.fill(len)?;
        }
        let taken = self.buffer.get(self.start..self.start + len);
        self.start += len;
        taken.ok_or(Reason::EndOfInput)
    }

    fn offset(&self) -> u64 {
        self.gone + self.start as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives a few bytes at a time, and an interruption now and then.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(5) {
                return Err(ErrorKind::Interrupted.into());
            }
            let len = room.len().min(self.1 % 7 + 1).min(self.0.len());
            let (now, later) = self.0.split_at(len);
            room[..len].copy_from_slice(now);
            self.0 = later;
            Ok(len)
        }
    }

    #[test]
    fn a_stream_gives_what_its_bytes_are() {
        let bytes: Vec<u8> = (0..200_000u32).map(|index| (index * 31) as u8).collect();
        let mut source = StreamSource::new(Trickle(&bytes, 0), Checksums::Verify);
        let mut at = 0;
        for len in [1, 0, 7, 70_000, 3, 1000, 65_536, 1].into_iter() {
            assert_eq!(source.take(len), Ok(&bytes[at..at + len]));
            at += len;
            assert_eq!(source.offset(), at as u64);
        }
        assert_eq!(
            source.checksum(),
            Some(crate::crc64::checksum(&bytes[..at]))
        );
        assert_eq!(source.take(1 << 40), Err(Reason::EndOfInput));
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut source = StreamSource::new(&b"short"[..], Checksums::Ignore);
        assert_eq!(source.take(usize::MAX >> 1), Err(Reason::EndOfInput));
        assert!(source.buffer.len() <= CHUNK);
    }

    #[test]
    fn what_was_read_ahead_comes_back() {
        let mut source = StreamSource::new(&b"rdb and more"[..], Checksums::Ignore);
        assert_eq!(source.take(3), Ok(&b"rdb"[..]));
        assert_eq!(source.into_parts().1, b" and more");
    }
}
