//! An established TLS stream of a client: where TLS ends. Above this module a session sees plain bytes.
//!
//! Handshakes are driven by tokio-rustls elsewhere; what it cannot do is go on from a session and a socket that have moved.
//! Encrypted bytes are read into the worker's scratch, 64 kB at a time, and the session is fed from there.

use std::io::{self, BufRead, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use resp::Output;
use rustls::{IoState, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::net::stream::{Room, SLICES, poll_write_slices};

/// A client's TLS stream after the handshake.
#[derive(Debug)]
pub(crate) struct TlsStream {
    socket: TcpStream,
    session: Box<ServerConnection>,
    /// Whether decrypted bytes may lie in the session that no event will announce: the first request often comes with the
    /// end of the handshake.
    has_unread: bool,
}

impl TlsStream {
    pub(crate) fn new(socket: TcpStream, session: Box<ServerConnection>) -> Self {
        Self {
            socket,
            session,
            has_unread: true,
        }
    }

    pub(crate) fn into_parts(self) -> (TcpStream, Box<ServerConnection>) {
        (self.socket, self.session)
    }

    /// Whether there is something to read: in the session, or on the socket.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_unread {
            Poll::Ready(Ok(()))
        } else {
            self.socket.poll_read_ready(cx)
        }
    }

    /// Reads decrypted bytes: how many, 0 at the end. An end without notice counts as one.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Room<'_>,
        cipher: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_unread {
            let state = self.process(cx)?;
            let got = self.take(room, &state)?;
            self.has_unread = got < state.plaintext_bytes_to_read();
            if got > 0 || state.peer_has_closed() {
                return Poll::Ready(Ok(got));
            }
        }
        loop {
            let mut free = ReadBuf::new(cipher);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut free))?;
            let mut bytes = free.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let mut got = 0;
            while !bytes.is_empty() {
                self.session.read_tls(&mut bytes)?;
                let state = self.process(cx)?;
                let taken = self.take(room, &state)?;
                got += taken;
                self.has_unread = taken < state.plaintext_bytes_to_read();
                if state.peer_has_closed() {
                    return Poll::Ready(Ok(got));
                }
            }
            if got > 0 {
                return Poll::Ready(Ok(got));
            }
        }
    }

    /// Decrypts what was fed. What the session wants to answer by itself (key updates, alerts) is sent if it can be now.
    fn process(&mut self, cx: &mut Context<'_>) -> io::Result<IoState> {
        let result = self.session.process_new_packets();
        if self.session.wants_write() {
            let _goes_out_with_the_next_write = self.poll_send(cx)?;
        }
        result.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Copies decrypted bytes out, as many as there are and fit.
    fn take(&mut self, room: &mut Room<'_>, state: &IoState) -> io::Result<usize> {
        let (mut got, wanted) = (0, state.plaintext_bytes_to_read());
        while got < wanted {
            let mut reader = self.session.reader();
            let chunk = reader.fill_buf()?;
            let count = room.push(chunk);
            if count == 0 {
                break;
            }
            reader.consume(count);
            got += count;
        }
        Ok(got)
    }

    /// Encrypts `out` and sends it, until it is empty and all records are with the kernel.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Output,
    ) -> Poll<io::Result<()>> {
        loop {
            while !out.is_empty() {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let filled = out.io_slices(&mut slices);
                let slices = slices.get(..filled).unwrap_or_default();
                let count = match slices {
                    [one] => self.session.writer().write(one)?,
                    many => self.session.writer().write_vectored(many)?,
                };
                // The session holds no more than its limit of encrypted bytes.
                if count == 0 {
                    break;
                }
                out.consume(count);
            }
            if !self.session.wants_write() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_send(cx))?;
            if out.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Sends encrypted bytes that the session holds.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut sender = Sender {
                socket: &mut self.socket,
                cx,
            };
            match self.session.write_tls(&mut sender) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye in TLS, then closes the sending side.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.send_close_notify();
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Bytes of an established session: its own, what rustls keeps (measured), and the C heap of aws-lc, which no allocator
    /// of ours sees.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + size_of::<ServerConnection>() + SESSION_HEAP
    }
}

/// Heap of an idle session: 4 kB of record buffer, key schedule, AEAD contexts.
const SESSION_HEAP: usize = 6_600;

/// The socket as rustls writes to it.
struct Sender<'a, 'c> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'c>,
}

impl Write for Sender<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match poll_write_slices(self.socket, self.cx, slices) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
