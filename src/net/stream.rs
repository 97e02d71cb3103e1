//! A connection's bytes, whatever they travel over: read into the worker's scratch or a buffer of one's own, written from an output.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use resp::Output;
use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::net::tls::TlsStream;

/// A stream registered with the runtime of the worker that it is on.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

/// A stream on its way between two threads.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
    Tls(std::net::TcpStream, Box<ServerConnection>),
}

/// Where read bytes go.
#[derive(Debug)]
pub(crate) enum Room<'a> {
    /// The worker's scratch, from this place on.
    Scratch(&'a mut [u8], usize),
    /// A buffer of the connection's own, which has spare room.
    Own(&'a mut BytesMut),
}

impl Room<'_> {
    /// Appends a copy of `bytes`: as many as fit, and how many those were.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Own(buffer) => {
                buffer.extend_from_slice(bytes);
                bytes.len()
            }
            Self::Scratch(scratch, at) => {
                let room = scratch.get_mut(*at..).unwrap_or_default();
                let count = room.len().min(bytes.len());
                if let (Some(room), Some(bytes)) = (room.get_mut(..count), bytes.get(..count)) {
                    room.copy_from_slice(bytes);
                }
                *at += count;
                count
            }
        }
    }
}

impl Socket {
    /// Registers it with the runtime of this thread.
    pub(crate) fn join(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(socket) => Stream::Tcp(TcpStream::from_std(socket)?),
            Self::Unix(socket) => Stream::Unix(UnixStream::from_std(socket)?),
            Self::Tls(socket, session) => {
                let socket = TcpStream::from_std(socket)?;
                Stream::Tls(Box::new(TlsStream::new(socket, session)))
            }
        })
    }
}

impl Stream {
    /// Takes it off the runtime of this thread.
    pub(crate) fn part(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(stream.into_std()?),
            Self::Unix(stream) => Socket::Unix(stream.into_std()?),
            Self::Tls(stream) => {
                let (socket, session) = stream.into_parts();
                Socket::Tls(socket.into_std()?, session)
            }
        })
    }

    /// Reads what there is: the number of bytes, 0 at the end. `cipher` is scratch for encrypted bytes.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Room<'_>,
        cipher: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => poll_read_into(stream, cx, room),
            Self::Unix(stream) => poll_read_into(stream, cx, room),
            Self::Tls(stream) => stream.poll_read(cx, room, cipher),
        }
    }

    /// Whether there is something to read, or the end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(stream) => stream.poll_readable(cx),
        }
    }

    /// Writes `out` and takes from it what was written, until it is empty and nothing lies in between.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Output,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => poll_write_all(stream, cx, out),
            Self::Unix(stream) => poll_write_all(stream, cx, out),
            Self::Tls(stream) => stream.poll_flush(cx, out),
        }
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => stream.poll_shutdown(cx),
        }
    }

    /// Bytes that the TLS session holds.
    pub(crate) fn tls_memory(&self) -> usize {
        match self {
            Self::Tcp(_) | Self::Unix(_) => 0,
            Self::Tls(stream) => stream.memory(),
        }
    }
}

fn poll_read_into(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    room: &mut Room<'_>,
) -> Poll<io::Result<usize>> {
    match room {
        Room::Own(buffer) => pin!(stream.read_buf(*buffer)).poll(cx),
        Room::Scratch(scratch, at) => {
            let mut free = ReadBuf::new(scratch.get_mut(*at..).unwrap_or_default());
            ready!(Pin::new(stream).poll_read(cx, &mut free))?;
            let count = free.filled().len();
            *at += count;
            Poll::Ready(Ok(count))
        }
    }
}

fn poll_write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    out: &mut Output,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = out.io_slices(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        let count = ready!(poll_write_slices(stream, cx, slices))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        out.consume(count);
    }
    Poll::Ready(Ok(()))
}

/// Writes slices with the cheapest system call for their number.
pub(crate) fn poll_write_slices(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    match slices {
        [one] => stream.poll_write(cx, one),
        many => stream.poll_write_vectored(cx, many),
    }
}

/// Slices that go into one write.
pub(crate) const SLICES: usize = 32;
