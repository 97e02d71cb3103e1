//! A replica's connection: the answer to PSYNC, the snapshot, then the log.

use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use commands::{CommandError, Flags};
use engine::Trusted;
use log::Reader;
use replication::{Notice, SnapshotEnd};
use resp::{Limits, Parse, Parser, Trust};
use tracing::{debug, info, warn};

use super::desk::{Body, Desk, Start};
use super::supervise::change_world;
use crate::client_info;
use crate::net::connection::{Parked, State};
use crate::net::stream::{Room, Stream};
use crate::replication::unexpected;
use crate::replication::{Decision, Follower, Phase, Psync};

/// A replica's connection on the links thread.
struct Link {
    stream: Stream,
    state: Box<State>,
    follower: Arc<Follower>,
    input: BytesMut,
    parser: Parser,
    cipher: Box<[u8]>,
    desk: Rc<Desk>,
}

/// Why it ends.
#[derive(Debug)]
enum Ending {
    Closed,
    Killed,
    Failed(io::Error),
    /// The snapshot could not be made.
    NoSnapshot,
    /// The server ends.
    Over,
}

/// Bytes that are taken from the log at a time.
const PIECE: usize = 64 * 1024;
/// Room for what a replica says.
const ROOM: usize = 4 * 1024;
/// Room for encrypted bytes.
const CIPHER: usize = 16 * 1024;

/// Serves a replica until its connection ends.
pub(super) async fn serve(parked: Parked, desk: Rc<Desk>) {
    let Parked { socket, mut state } = parked;
    let shared = Arc::clone(&desk.shared);
    let client = Arc::clone(&state.session.client);
    let follower = shared.server.replication.followers.of(&client);
    let name = follower.name();
    match socket.join() {
        Ok(stream) => {
            let mut link = Link {
                stream,
                input: state.take_input(),
                state,
                follower: Arc::clone(&follower),
                parser: Parser::default(),
                cipher: vec![0; CIPHER].into(),
                desk: Rc::clone(&desk),
            };
            let ending = link.run().await;
            match &ending {
                Ok(()) | Err(Ending::Closed) => {
                    info!("Connection with replica {name} lost.");
                }
                Err(Ending::Killed | Ending::Over) => {
                    debug!("Connection with replica {name} ended")
                }
                Err(Ending::Failed(error)) => {
                    info!("Connection with replica {name} lost: {error}");
                }
                Err(Ending::NoSnapshot) => {
                    warn!("Replica {name} gets no snapshot: the connection ends");
                }
            }
            state = link.state;
        }
        Err(error) => debug!("Error registering the connection of replica {name}: {error}"),
    }
    let replication = &shared.server.replication;
    replication.channels.part(client.id, shared.now_ms());
    shared.engine.acks.leave(client.id);
    shared.server.replication.followers.forget(client.id);
    desk.part(&mut state.session).await;
    shared.server.connected.fetch_sub(1, Relaxed);
}

impl Link {
    async fn run(&mut self) -> Result<(), Ending> {
        let shared = Arc::clone(&self.desk.shared);
        let asked = self.follower.asked.lock().take().unwrap_or(Psync::Old);
        let name = self.follower.name();
        if let Psync::At {
            id,
            steps_down: true,
            ..
        } = &asked
        {
            self.take_over(id).await?;
        }
        let decision = shared
            .server
            .replication
            .decide(&shared.engine, &asked, &name);
        let mut phase = Phase::Online;
        let reader = match decision {
            Decision::Continue(reader, id) => {
                if self.follows_own_snapshot() {
                    phase = Phase::Loading;
                }
                let line = if self.follower.conf.lock().capabilities.psync2 {
                    format!("+CONTINUE {id}\r\n")
                } else {
                    "+CONTINUE\r\n".to_owned()
                };
                self.state.session.out.push(line.as_bytes());
                self.follower.acknowledged_ms.store(self.now_ms(), Relaxed);
                reader
            }
            Decision::Full => match self.send_everything(&asked).await? {
                Some(reader) => reader,
                None => return self.stay_satisfied().await,
            },
        };
        self.follower.set_phase(phase);
        if phase == Phase::Online {
            info!("Synchronization with replica {name} succeeded");
            self.desk.replicas_changed().await;
        }
        self.stream_log(reader).await
    }

    /// Whether a snapshot goes to the same replica over another connection: what follows it is kept for this one, which takes
    /// it over now.
    fn follows_own_snapshot(&self) -> bool {
        let channels = &self.desk.shared.server.replication.channels;
        let snapshot = self.follower.conf.lock().rdb_client;
        snapshot.is_some_and(|client| channels.release(client))
    }

    /// The primary steps down: this server becomes one, if the two have the same history.
    async fn take_over(&self, id: &[u8]) -> Result<(), Ending> {
        let shared = &self.desk.shared;
        let (engine, replication) = (&shared.engine, &shared.server.replication);
        let mut taken_over = false;
        change_world(shared, |world| {
            let is_ours = id.eq_ignore_ascii_case(replication.history().id.as_bytes());
            taken_over = is_ours && replication.lead(engine, world);
        })
        .await;
        if !taken_over {
            return Err(Ending::Closed);
        }
        shared.server.show_primary(None);
        let line = client_info::line(engine, &self.state.session.client, self.now_ms());
        warn!("MASTER MODE enabled (failover request from '{line}')");
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        self.desk.shared.server.clock.now().ms()
    }

    /// Sends a snapshot: the reader of what comes after it, unless that is not wanted.
    async fn send_everything(&mut self, asked: &Psync) -> Result<Option<Reader>, Ending> {
        self.follower.set_phase(Phase::Waiting);
        let start = self.desk.join(&self.follower, asked);
        let Start {
            place,
            db,
            reader,
            body,
        } = self.drive(start).await?.map_err(|_| Ending::NoSnapshot)?;
        self.follower.sent.store(reader.at(), Relaxed);
        let is_apart = self.follower.conf.lock().rdb_channel;
        let line = match asked {
            _ if is_apart => {
                let client = self.state.session.client.id;
                format!("{}\r\n", SnapshotEnd { place, db, client })
            }
            Psync::At { .. } => format!("+FULLRESYNC {} {}\r\n", place.id, place.offset),
            Psync::Old => String::new(),
        };
        self.state.session.out.push(line.as_bytes());
        let mut reader = Some(reader);
        if is_apart && let Some(reader) = reader.take() {
            let replication = &self.desk.shared.server.replication;
            replication.channels.keep(&self.follower, reader);
        }
        let waits_for_ack = match body {
            Body::Stream { mark, pieces } => {
                self.send_stream(&mark, pieces).await?;
                !is_apart && *asked != Psync::Old
            }
            Body::File(made) => {
                self.follower.set_phase(Phase::Saving);
                let made = self.drive(made).await?;
                let (file, length) = made.map_err(|_| Ending::NoSnapshot)?;
                self.send_file(file, length).await?;
                false
            }
        };
        let Some(reader) = reader.filter(|_| !self.follower.conf.lock().rdb_only) else {
            return Ok(None);
        };
        if waits_for_ack {
            let follower = Arc::clone(&self.follower);
            let acknowledged = poll_fn(|_| match follower.has_acknowledged.load(Relaxed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            });
            self.drive(acknowledged).await?;
        }
        self.follower.acknowledged_ms.store(self.now_ms(), Relaxed);
        Ok(Some(reader))
    }

    async fn send_stream(
        &mut self,
        mark: &[u8; 40],
        mut pieces: tokio::sync::mpsc::Receiver<Bytes>,
    ) -> Result<(), Ending> {
        let out = &mut self.state.session.out;
        out.push(b"$EOF:");
        out.push(mark);
        out.push(b"\r\n");
        self.follower.has_acknowledged.store(false, Relaxed);
        self.follower.set_phase(Phase::Streaming);
        loop {
            self.flush().await?;
            let piece = {
                let next = pin!(pieces.recv());
                self.drive(next).await?
            };
            match piece {
                // An empty piece is the end of a snapshot that is whole.
                Some(piece) if piece.is_empty() => break,
                Some(piece) => self.state.session.out.push_shared(piece),
                None => return Err(Ending::NoSnapshot),
            }
        }
        self.state.session.out.push(mark);
        self.flush().await
    }

    async fn send_file(&mut self, mut file: std::fs::File, length: u64) -> Result<(), Ending> {
        let head = format!("${length}\r\n");
        self.state.session.out.push(head.as_bytes());
        self.follower.set_phase(Phase::Sending);
        let mut left = length;
        while left > 0 {
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            file.read_exact(&mut piece).map_err(Ending::Failed)?;
            left -= piece.len() as u64;
            self.state.session.out.push_shared(Bytes::from(piece));
            self.flush().await?;
        }
        Ok(())
    }

    /// The replica has what it wanted: its connection stays as long as it likes.
    async fn stay_satisfied(&mut self) -> Result<(), Ending> {
        self.follower.set_phase(Phase::Satisfied);
        self.drive(std::future::pending::<()>()).await
    }

    /// Sends the log for as long as the connection lives; at the end of the server as much as the socket takes.
    async fn stream_log(&mut self, mut reader: Reader) -> Result<(), Ending> {
        let mut pieces = Vec::new();
        let desk = Rc::clone(&self.desk);
        let go_on_later = || match desk.is_ending() {
            true => Poll::Ready(Err(Ending::Over)),
            false => Poll::Pending,
        };
        let ended = poll_fn(|cx| {
            loop {
                if let Poll::Ready(ending) = self.poll_look(cx) {
                    return Poll::Ready(Err(ending));
                }
                let flushed = self.poll_flush(cx)?;
                self.follower.sent.store(reader.at(), Relaxed);
                reader.hold(self.state.session.out.memory() as u64);
                if flushed.is_pending() {
                    // What it cannot take yet is kept by the log, which all replicas share.
                    return go_on_later();
                }
                if reader.poll_read(cx, PIECE, &mut pieces).is_pending() {
                    return go_on_later();
                }
                let out = &mut self.state.session.out;
                pieces.drain(..).for_each(|piece| out.push_bytes(&piece));
            }
        })
        .await;
        // What it held is freed no later than what it kept alive in the log.
        self.state.session.out.clear();
        self.state.session.out.release();
        ended
    }

    /// Sends all of the output.
    async fn flush(&mut self) -> Result<(), Ending> {
        poll_fn(|cx| {
            if let Poll::Ready(ending) = self.poll_end(cx) {
                return Poll::Ready(Err(ending));
            }
            self.poll_flush(cx)?.map(Ok)
        })
        .await
    }

    /// Waits for `what` while the connection goes on: its replica is listened to, and what there is to send is sent.
    async fn drive<F: Future>(&mut self, what: F) -> Result<F::Output, Ending> {
        let mut what = pin!(what);
        poll_fn(|cx| {
            if let Poll::Ready(ending) = self.poll_end(cx) {
                return Poll::Ready(Err(ending));
            }
            let _as_far_as_it_goes = self.poll_flush(cx)?;
            what.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ending> {
        let before = self.state.session.out.len();
        let flushed = self.stream.poll_flush(cx, &mut self.state.session.out);
        let left = self.state.session.out.len();
        if before > left {
            self.follower
                .written_ms
                .store(self.desk.shared.now_ms(), Relaxed);
            self.desk
                .shared
                .server
                .replication
                .counters
                .output
                .fetch_add((before - left) as u64, Relaxed);
        }
        let has_to_take = flushed.is_pending();
        self.follower.has_to_take.store(has_to_take, Relaxed);
        let shown = &self.state.session.client.shown;
        shown.out.store(left as u64, Relaxed);
        shown
            .out_mem
            .store(self.state.session.out.memory() as u64, Relaxed);
        match flushed {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => Err(Ending::Failed(error)),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// As [`Self::poll_look`]; it is over as well when the server ends.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        match self.poll_look(cx) {
            Poll::Pending if self.desk.is_ending() => Poll::Ready(Ending::Over),
            looked => looked,
        }
    }

    /// Looks at what others want of the connection, and at what the replica says. It resolves when it is over.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let inbox = &self.state.session.client.inbox;
        inbox.register(cx.waker());
        if inbox.is_killed() {
            return Poll::Ready(Ending::Killed);
        }
        // Once it is answered an empty line would be a part of the stream.
        let waits = matches!(self.follower.phase(), Phase::Waiting | Phase::Saving);
        if self.follower.wants_newline.swap(false, Relaxed) && waits {
            self.state.session.out.push(b"\n");
        }
        loop {
            if let Err(ending) = self.run_requests() {
                return Poll::Ready(ending);
            }
            self.input.reserve(ROOM);
            let mut room = Room::Own(&mut self.input);
            match self.stream.poll_read(cx, &mut room, &mut self.cipher) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Ending::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Ending::Failed(error)),
            }
        }
    }

    /// Runs what the replica said: REPLCONF ACK. Nothing is answered, for that would come into the stream.
    fn run_requests(&mut self) -> Result<(), Ending> {
        let limits = Limits {
            bulk_max: ROOM as u64,
            trust: Trust::Authenticated,
        };
        loop {
            let parsed = self.parser.parse(&self.input, &limits);
            let length = match parsed.map_err(|_| Ending::Closed)? {
                Parse::Incomplete { .. } => return Ok(()),
                Parse::Skip(length) => length,
                Parse::Frame(length) => {
                    let request = self.parser.request(&self.input);
                    let words: Vec<&[u8]> = request.iter().collect();
                    match words.as_slice() {
                        [name, options @ ..] if name.eq_ignore_ascii_case(b"REPLCONF") => {
                            let notice = self.follower.conf.lock().take(options);
                            if let Ok(Some(Notice::Ack { offset, durable })) = notice {
                                self.desk.acknowledge(&self.follower, offset, durable);
                            }
                        }
                        words => {
                            self.tell_misuse(words);
                            return Err(Ending::Killed);
                        }
                    }
                    length
                }
            };
            self.input.advance(length);
            let shown = &self.state.session.client.shown;
            shown.last_ms.store(self.desk.shared.now_ms(), Relaxed);
        }
    }

    /// Says in the log what a replica wants to have answered.
    fn tell_misuse(&self, words: &[&[u8]]) {
        let (engine, server) = (&self.desk.shared.engine, &self.desk.shared.server);
        let row = engine.registry.find(words).ok();
        let name = row.map_or("<unknown>", |row| &*row.name);
        let of_keys = Flags::WRITE
            .union(Flags::READONLY)
            .union(Flags::MAY_REPLICATE);
        if row.is_some_and(|row| row.flags.intersects(of_keys)) {
            let error = CommandError::ReplicaKeyspace;
            unexpected::note(server, engine, Trusted::Replica, &error.text(), Some(name));
        }
        let line = client_info::line(engine, &self.state.session.client, self.now_ms());
        warn!("Replica generated a reply to command '{name}', disconnecting it: {line}");
    }
}
