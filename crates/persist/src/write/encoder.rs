//! Lengths and strings on their way out, and the checksum of all that has gone.

use std::io::{self, Write};

use store::item::Spelling;
use store::{Item, parse_integer};

use crate::crc64::Checksum;
use crate::format::head;
use crate::lzf::Compressor;

/// Whether strings are compressed (`rdbcompression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Those of more than 20 bytes, where it saves at least four.
    #[default]
    Lzf,
    /// None.
    None,
}

/// Bytes on their way to `W`, gathered to larger pieces.
pub(crate) struct Encoder<W> {
    out: W,
    buffer: Vec<u8>,
    checksum: Option<Checksum>,
    compression: Compression,
    /// Made when the first string is long enough.
    compressor: Option<Compressor>,
    /// Bytes that have left the buffer.
    gone: u64,
}

/// What the buffer holds before it is passed on.
const CHUNK: usize = 64 << 10;
/// The longest string that is tried as an integer: what an `i32` takes.
const INTEGER_MAX: usize = 11;
/// Strings up to this length never shrink.
const COMPRESSED_MIN: usize = 20;
/// What compression has to save to be worth it.
const SAVING_MIN: usize = 4;

impl<W: Write> Encoder<W> {
    pub(crate) fn new(out: W, compression: Compression, checksum: Option<Checksum>) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            checksum,
            compression,
            compressor: None,
            gone: 0,
        }
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.gone + self.buffer.len() as u64
    }

    pub(crate) fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.bytes(&[byte])
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > CHUNK {
            return self.pass(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn length(&mut self, length: u64) -> io::Result<()> {
        match length {
            0..0x40 => self.byte(length as u8),
            0x40..0x4000 => self.bytes(&(length as u16 | 0x4000).to_be_bytes()),
            0x4000..=0xffff_ffff => {
                self.byte(head::LENGTH_32)?;
                self.bytes(&(length as u32).to_be_bytes())
            }
            _ => {
                self.byte(head::LENGTH_64)?;
                self.bytes(&length.to_be_bytes())
            }
        }
    }

    /// A string: as an integer if it spells one of up to 32 bits, else compressed if that saves something, else as it is.
    pub(crate) fn string<'a>(&mut self, string: impl Into<Item<'a>>) -> io::Result<()> {
        let string = string.into();
        let integer = match string {
            Item::Integer(integer) => Some(integer),
            Item::Bytes(bytes) if bytes.len() <= INTEGER_MAX => parse_integer(bytes),
            Item::Bytes(_) => None,
        };
        if let Some(integer) = integer.and_then(|integer| i32::try_from(integer).ok()) {
            return self.integer(integer);
        }
        let mut spelling = Spelling::default();
        let bytes = string.as_bytes(&mut spelling);
        if bytes.len() > COMPRESSED_MIN && self.compressed(bytes)? {
            return Ok(());
        }
        self.length(bytes.len() as u64)?;
        self.bytes(bytes)
    }

    fn integer(&mut self, integer: i32) -> io::Result<()> {
        let [a, b, c, d] = integer.to_le_bytes();
        match integer {
            -0x80..=0x7f => self.bytes(&[head::INT8, a]),
            -0x8000..=0x7fff => self.bytes(&[head::INT16, a, b]),
            _ => self.bytes(&[head::INT32, a, b, c, d]),
        }
    }

    /// Writes the compressed form if there is one to be written; whether there is.
    fn compressed(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.compression == Compression::None {
            return Ok(false);
        }
        let compressor = self.compressor.get_or_insert_with(Compressor::new);
        let mut compressed = Vec::new();
        let max = bytes.len() - SAVING_MIN;
        if !compressor.compress(bytes, max, &mut compressed) {
            return Ok(false);
        }
        self.byte(head::LZF)?;
        self.length(compressed.len() as u64)?;
        self.length(bytes.len() as u64)?;
        self.bytes(&compressed)?;
        Ok(true)
    }

    /// The checksum of all bytes so far; 0 when none is kept.
    pub(crate) fn checksum(&mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.checksum.as_ref().map_or(0, Checksum::value))
    }

    /// Passes everything on.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.pass(&[])
    }

    pub(crate) fn get_ref(&self) -> &W {
        &self.out
    }

    /// Passes everything on and gives the writer back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    /// Passes on what is in the buffer, then `more`, which is not worth copying when it is large.
    fn pass(&mut self, more: &[u8]) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            self.send(&buffer)?;
            self.buffer = buffer;
            self.buffer.clear();
        }
        if more.len() < CHUNK {
            self.buffer.extend_from_slice(more);
            return Ok(());
        }
        self.send(more)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
        self.gone += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}
