//! Taking the snapshot out of what the primary sends: a length or an end mark, then the bytes.
//!
//! ```text
//! $1234\r\n <1234 bytes>                    from a file
//! $EOF:<40 bytes>\r\n <bytes> <the 40>      straight from memory, of unknown length
//! ```

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

/// How the end of the snapshot is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferForm {
    /// It has so many bytes.
    Sized(u64),
    /// It ends before a mark of forty bytes.
    Marked([u8; 40]),
}

/// A snapshot on its way.
#[derive(Debug, Default)]
pub struct Transfer {
    buffer: BytesMut,
    form: Option<TransferForm>,
    /// Bytes of the snapshot taken so far.
    taken: u64,
    done: bool,
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// The primary gave up.
    Refused(String),
    /// It sent something else.
    Preamble(String),
}

/// The longest line before the snapshot.
const PREAMBLE_MAX: usize = 1024;

impl Transfer {
    /// Starts with bytes that came behind the primary's answer.
    #[must_use]
    pub fn new(ahead: &[u8]) -> Self {
        Self {
            buffer: BytesMut::from(ahead),
            ..Self::default()
        }
    }

    /// Where bytes that arrive are to be put, at the end.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// How the end is told, once that is known.
    #[must_use]
    pub fn form(&self) -> Option<TransferForm> {
        self.form
    }

    /// Bytes of the snapshot taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the snapshot is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// What came behind the snapshot: the beginning of the stream.
    #[must_use]
    pub fn into_rest(self) -> BytesMut {
        self.buffer
    }

    /// The next bytes of the snapshot among those that have arrived; `None` when more have to arrive, or it is over.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, TransferError> {
        if self.form.is_none() && !self.read_preamble()? {
            return Ok(None);
        }
        if self.done {
            return Ok(None);
        }
        let count = match self.form {
            Some(TransferForm::Sized(total)) => {
                let left = usize::try_from(total - self.taken).unwrap_or(usize::MAX);
                let count = left.min(self.buffer.len());
                self.done = count == left;
                count
            }
            Some(TransferForm::Marked(mark)) => self.before_mark(&mark),
            None => 0,
        };
        self.taken += count as u64;
        let piece = self.buffer.split_to(count).freeze();
        if self.done && matches!(self.form, Some(TransferForm::Marked(_))) {
            self.buffer.advance(MARK);
        }
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// How many bytes of the buffer are of the snapshot for sure. The mark is the last thing that a primary sends before it
    /// hears of its replica again, so it can only be at the end.
    fn before_mark(&mut self, mark: &[u8; MARK]) -> usize {
        let Some(at) = self.buffer.len().checked_sub(MARK) else {
            return 0;
        };
        self.done = self.buffer.ends_with(mark);
        at
    }

    /// Reads how the end is told, if that has arrived.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn read_form(&mut self) -> Result<(), TransferError> {
        if self.form.is_none() {
            self.read_preamble()?;
        }
        Ok(())
    }

    fn read_preamble(&mut self) -> Result<bool, TransferError> {
        loop {
            let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
                if self.buffer.len() > PREAMBLE_MAX {
                    return Err(TransferError::Preamble("a line without an end".to_owned()));
                }
                return Ok(false);
            };
            let line = self.buffer.split_to(end + 1);
            let line = line.trim_ascii();
            // The primary is making the snapshot and shows that it lives.
            if line.is_empty() {
                continue;
            }
            self.form = Some(parse_preamble(line)?);
            return Ok(true);
        }
    }
}

/// Bytes of a mark.
const MARK: usize = 40;

fn parse_preamble(line: &[u8]) -> Result<TransferForm, TransferError> {
    let text = || String::from_utf8_lossy(line).into_owned();
    match line {
        [b'-', ..] => Err(TransferError::Refused(text())),
        [b'$', rest @ ..] => {
            let mark = rest.strip_prefix(b"EOF:".as_slice());
            let mark = mark.map(|mark| mark.try_into().map(TransferForm::Marked));
            let size = std::str::from_utf8(rest)
                .ok()
                .and_then(|size| size.parse().ok());
            match (mark, size) {
                (Some(Ok(form)), _) => Ok(form),
                (None, Some(size)) => Ok(TransferForm::Sized(size)),
                _ => Err(TransferError::Preamble(text())),
            }
        }
        _ => Err(TransferError::Preamble(text())),
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(line) => write!(f, "MASTER aborted replication with an error: {line}"),
            Self::Preamble(line) => write!(
                f,
                "Bad protocol from MASTER, the first byte is not '$' (we received '{line}'), are you sure the host and port are right?"
            ),
        }
    }
}

impl std::error::Error for TransferError {}
