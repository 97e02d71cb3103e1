//! Dual-channel synchronisation, the replica's side: the snapshot comes over a connection of its own, and what follows it
//! gathers here meanwhile, so that the primary need not keep it.
//!
//! 1. At most `client-output-buffer-limit replica` gathers: beyond it nothing is read until the snapshot is loaded, and the
//!    primary has to keep what comes, by its own limit.
//! 2. When the connection of the stream breaks, the snapshot goes on: what has gathered is executed once it is loaded, and the
//!    link is made anew from there. When that of the snapshot breaks, everything begins anew.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;
use config::directive;
use replication::{SnapshotEnd, SnapshotHandshake, Stage, StreamHandshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::info;

use super::dial::{Uplink, dial};
use super::follow::{Link, LinkError, periodic, read_line};
use super::receive::{SIGN_OF_LIFE, Snapshot};
use crate::net::Shared;
use crate::replication::{LinkPhase, Target};

/// What has come of the stream, and is to be executed when the snapshot is loaded.
pub(super) struct Gathered {
    shared: Arc<Shared>,
    blocks: VecDeque<BytesMut>,
    /// Bytes of memory of the blocks.
    size: u64,
    /// What the connection broke of.
    trouble: Option<LinkError>,
}

/// What there is to execute.
pub(super) enum Received {
    /// Bytes that had gathered.
    Gathered,
    /// No more of those; the connection may have broken after them.
    EndOfGathered(Option<LinkError>),
    /// So many bytes from the connection; 0 at its end.
    New(usize),
}

/// Bytes of a block.
const BLOCK: usize = 64 * 1024;
/// Room in a block that is worth a read.
const ROOM_MIN: usize = 4 * 1024;

impl Link {
    /// Takes the snapshot over a connection of its own and loads it: what has come of the stream over `main` meanwhile.
    pub(super) async fn synchronise_apart(
        &mut self,
        target: &Target,
        main: &mut Uplink,
        mut ahead: BytesMut,
    ) -> Result<Gathered, LinkError> {
        info!("PSYNC is not possible, initialize RDB channel.");
        let shared = Arc::clone(&self.shared);
        let apart = dial(&shared.server, &target.host, target.port).await;
        let mut apart = apart.map_err(LinkError::Dial)?;
        let mut snapshot = BytesMut::new();
        let end = self.ask_for_snapshot(target, &mut apart, &mut snapshot);
        let end = end.await?;
        let SnapshotEnd { place, .. } = end;
        info!(
            "Trying a partial resynchronization using main channel (request {}:{}).",
            place.id,
            place.offset + 1
        );
        let asked = ask_for_stream(main, &mut ahead, end);
        self.in_time(LinkPhase::Handshake, asked).await??;
        info!(
            "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization, RDB load in background."
        );
        let mut gathered = Gathered::new(shared, ahead);
        let snapshot = self.synchronise(target, &mut apart, snapshot, Snapshot::Apart(end));
        tokio::select! {
            biased;
            loaded = snapshot => loaded.map(|_nothing_comes_behind_it| ())?,
            never = gathered.gather(main) => match never {},
        }
        info!(
            "{} bytes of the stream have gathered while the snapshot was loaded",
            gathered.blocks.iter().map(BytesMut::len).sum::<usize>()
        );
        Ok(gathered)
    }

    /// Asks for a snapshot: what it will be of. The beginning of the snapshot itself may lie in `input`.
    async fn ask_for_snapshot(
        &self,
        target: &Target,
        apart: &mut Uplink,
        input: &mut BytesMut,
    ) -> Result<SnapshotEnd, LinkError> {
        let mut handshake = SnapshotHandshake::new(&self.introduction(target, None));
        loop {
            say(apart, &handshake.take_output()).await?;
            let line = read_line(apart, input, Stage::Psync);
            let line = self.in_time(LinkPhase::Handshake, line).await??;
            let now_ms = self.now_ms();
            self.update(target, |upstream| upstream.heard_ms = now_ms);
            if let Some(end) = handshake.line(&line).map_err(LinkError::Handshake)? {
                return Ok(end);
            }
        }
    }
}

/// Asks for the stream from the end of the snapshot on; its beginning may lie in `input`.
async fn ask_for_stream(
    main: &mut Uplink,
    input: &mut BytesMut,
    end: SnapshotEnd,
) -> Result<(), LinkError> {
    let mut handshake = StreamHandshake::new(end);
    loop {
        say(main, &handshake.take_output()).await?;
        let line = read_line(main, input, Stage::Psync).await?;
        if handshake.line(&line).map_err(LinkError::Handshake)? {
            return Ok(());
        }
    }
}

async fn say(uplink: &mut Uplink, output: &[u8]) -> Result<(), LinkError> {
    let said = async {
        uplink.write_all(output).await?;
        uplink.flush().await
    };
    said.await
        .map_err(|error| LinkError::Io("writing to the master", error))
}

/// Shows the primary that we live; it sees later when the connection has broken.
pub(super) async fn sign_of_life(writing: &mut (impl AsyncWrite + Unpin)) {
    let _it_shows_later = writing.write_all(b"\n").await;
    let _it_shows_later = writing.flush().await;
}

impl Gathered {
    fn new(shared: Arc<Shared>, ahead: BytesMut) -> Self {
        let counters = &shared.server.replication.counters;
        counters.gathered_peak.store(0, Relaxed);
        let mut gathered = Self {
            shared,
            blocks: VecDeque::new(),
            size: 0,
            trouble: None,
        };
        if !ahead.is_empty() {
            gathered.count(ahead.capacity());
            gathered.blocks.push_back(ahead);
        }
        gathered
    }

    /// Takes what comes until the connection breaks or the limit is reached, and never ends.
    async fn gather(&mut self, main: &mut Uplink) -> Infallible {
        let mut signs = periodic(SIGN_OF_LIFE);
        loop {
            let takes_more = self.trouble.is_none() && !self.is_full();
            tokio::select! {
                _ = signs.tick() => sign_of_life(main).await,
                read = self.read(main), if takes_more => if let Err(error) = read {
                    self.trouble = Some(error);
                },
            }
        }
    }

    fn is_full(&self) -> bool {
        let config = self.shared.server.config.read();
        let limit = config.read(directive::CLIENT_OUTPUT_BUFFER_LIMIT).replica;
        limit.hard_bytes > 0 && self.size > limit.hard_bytes
    }

    async fn read(&mut self, main: &mut Uplink) -> Result<(), LinkError> {
        let has_room = |block: &BytesMut| block.capacity() - block.len() >= ROOM_MIN;
        if !self.blocks.back().is_some_and(has_room) {
            self.count(BLOCK);
            self.blocks.push_back(BytesMut::with_capacity(BLOCK));
        }
        let Some(block) = self.blocks.back_mut() else {
            return Ok(());
        };
        // No more than there is room for: a block does not grow.
        let room = block.capacity() - block.len();
        let read = (&mut *main).take(room as u64).read_buf(block).await;
        let count = read.map_err(|error| LinkError::Io("reading from the master", error))?;
        if count == 0 {
            let error = io::ErrorKind::UnexpectedEof.into();
            return Err(LinkError::Io("the master closed the connection", error));
        }
        let counters = &self.shared.server.replication.counters;
        counters.input.fetch_add(count as u64, Relaxed);
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.size += bytes as u64;
        let counters = &self.shared.server.replication.counters;
        counters.gathered.store(self.size, Relaxed);
        counters.gathered_peak.fetch_max(self.size, Relaxed);
    }

    fn next(&mut self) -> Option<BytesMut> {
        let block = self.blocks.pop_front()?;
        self.size = self.size.saturating_sub(block.capacity() as u64);
        let counters = &self.shared.server.replication.counters;
        counters.gathered.store(self.size, Relaxed);
        Some(block)
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        let counters = &self.shared.server.replication.counters;
        counters.gathered.store(0, Relaxed);
    }
}

/// Takes what comes next to the end of `input`: what has gathered, and then what comes.
pub(super) async fn receive(
    gathered: &mut Option<Gathered>,
    reading: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<Received> {
    let Some(waiting) = gathered else {
        return reading.read_buf(input).await.map(Received::New);
    };
    // Whoever else wants the thread has it between two blocks.
    tokio::task::yield_now().await;
    let Some(block) = waiting.next() else {
        let trouble = waiting.trouble.take();
        *gathered = None;
        return Ok(Received::EndOfGathered(trouble));
    };
    input.extend_from_slice(&block);
    Ok(Received::Gathered)
}
