//! The link to the primary: it is made, the dataset is synchronised, then what comes is executed, until it breaks and is
//! made again.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use config::directive::{self, Key};
use config::typed::OptionalText;
use engine::clients::{Peer, flag};
use engine::{Executor, Feed, ReplyMode, Session, Step, Wait};
use replication::{
    Answer, Credentials, Handshake, HandshakeError, Introduction, Place, Stage, TransferError,
};
use resp::{Limits, Parse, Parser, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tracing::{debug, info, warn};

use super::dial::{DialError, Uplink, dial};
use super::gather::{self, Gathered, Received};
use super::receive::{Loading, Snapshot};
use super::supervise::change_world;
use crate::net::Shared;
use crate::replication::{FailoverPhase, LinkPhase, Target, Upstream};

/// The link to whatever primary there is.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    executor: Executor,
    targets: watch::Receiver<Option<Target>>,
    /// The database that the stream has selected.
    pub(super) db: u16,
    /// A load that was begun, and perhaps goes on although its connection has ended.
    pub(super) loading: Option<Loading>,
    /// What the last attempt failed of: it is said in the log once, not every second.
    last_trouble: Option<String>,
    /// The target that gave no snapshot over a connection of its own although it had offered to: it is not asked again.
    one_channel: Option<Target>,
}

/// Why the link broke.
#[derive(Debug)]
pub(super) enum LinkError {
    Dial(DialError),
    Handshake(HandshakeError),
    Transfer(TransferError),
    /// The connection, with what was going on.
    Io(&'static str, io::Error),
    /// Nothing has come for `repl-timeout`, at this stage.
    Silent(LinkPhase),
    /// CLIENT KILL.
    Killed,
    /// Another primary is followed, or none.
    Replaced,
    /// The snapshot could not be stored or loaded.
    Load(String),
    /// What came is no command.
    Protocol(String),
    /// The other end speaks TLS, and this one does not.
    NeedsTls,
}

/// How long it is from one attempt to the next.
const RETRY: Duration = Duration::from_secs(1);
/// How often the primary is told how far we are.
const ACK_PERIOD: Duration = Duration::from_secs(1);
/// Room that is made for a read.
const ROOM: usize = 64 * 1024;
/// The longest line of a handshake.
const LINE_MAX: usize = 1024;

impl Link {
    pub(super) fn new(shared: Arc<Shared>, executor: Executor) -> Self {
        let targets = shared.server.replication.targets();
        Self {
            shared,
            executor,
            targets,
            db: 0,
            loading: None,
            last_trouble: None,
            one_channel: None,
        }
    }

    /// Follows whatever primary is to be followed, for ever.
    pub(super) async fn run(&mut self) {
        let mut targets = self.targets.clone();
        self.await_own_dataset().await;
        if let Some(db) = self.shared.server.replication.take_resumed_db() {
            self.db = db;
        }
        // It outlives the attempt, for it has to be taken leave of however that ends.
        let mut session = None;
        loop {
            self.hang_up(session.take()).await;
            let target = targets.borrow_and_update().clone();
            let Some(target) = target else {
                self.last_trouble = None;
                if targets.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let attempt = async {
                let error = self.attempt(&target, &mut session).await;
                // A link that was up is made again at once: what it misses may not be kept for long.
                if !self.lost(&target, &error).await {
                    tokio::time::sleep(RETRY).await;
                }
            };
            tokio::select! {
                biased;
                _ = targets.changed() => {}
                () = attempt => {}
            }
        }
    }

    /// Waits until the server has loaded its own file.
    async fn await_own_dataset(&self) {
        loop {
            let changed = self.shared.engine.world_changes();
            if !self.shared.engine.world().loading {
                return;
            }
            changed.await;
        }
    }

    /// Ends what is left of the last connection.
    async fn hang_up(&mut self, session: Option<Session>) {
        if let Some(loading) = self.loading.take() {
            loading.end().await;
        }
        let Some(mut session) = session else {
            return;
        };
        // The next connection may go on in the middle.
        self.db = session.db;
        while let Some(wait) = self.executor.part(&mut session) {
            wait.await;
        }
    }

    pub(super) fn update(&self, target: &Target, change: impl FnOnce(&mut Upstream)) {
        self.shared
            .server
            .replication
            .update_upstream(target.epoch, change);
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.shared.server.clock.now().ms()
    }

    /// The link has broken, or was not made. Whether it was up.
    async fn lost(&mut self, target: &Target, error: &LinkError) -> bool {
        let now_ms = self.now_ms();
        let text = error.to_string();
        let mut was_up = false;
        self.update(target, |upstream| {
            was_up = upstream.phase == LinkPhase::Connected;
            upstream.phase = LinkPhase::Connect;
            upstream.trouble = Some(text.clone());
            upstream.client = None;
            if was_up {
                upstream.down_since_ms = now_ms;
            }
        });
        if was_up {
            info!("Connection with master lost: {text}");
            info!("Caching the disconnected master state.");
            let epoch = target.epoch;
            change_world(&self.shared, |world| {
                if let engine::Role::Replica {
                    epoch: other,
                    is_linked,
                } = &mut world.role
                    && *other == epoch
                {
                    *is_linked = false;
                }
            })
            .await;
        } else if self.last_trouble.as_ref() == Some(&text) {
            debug!("{text}");
        } else {
            warn!("MASTER {}:{}: {text}", target.host, target.port);
        }
        self.last_trouble = Some(text);
        was_up
    }

    async fn attempt(&mut self, target: &Target, session: &mut Option<Session>) -> LinkError {
        match self.follow(target, session).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn follow(
        &mut self,
        target: &Target,
        session: &mut Option<Session>,
    ) -> Result<std::convert::Infallible, LinkError> {
        let (host, port) = (target.host.as_str(), target.port);
        self.update(target, |upstream| upstream.phase = LinkPhase::Connecting);
        if self.last_trouble.is_none() {
            info!("Connecting to MASTER {host}:{port}");
        }
        let mut uplink = dial(&self.shared.server, host, port)
            .await
            .map_err(LinkError::Dial)?;
        let tls = uplink.tls();
        self.update(target, |upstream| {
            upstream.phase = LinkPhase::Handshake;
            upstream.tls = tls;
        });
        info!("MASTER <-> REPLICA sync started");
        let mut input = BytesMut::new();
        let place = self.shared.server.replication.place(&self.shared.engine);
        let answer = self
            .shake_hands(target, &mut uplink, &mut input, place)
            .await;
        let answer = self.end_failover(answer).await?;
        let mut gathered = None;
        match answer {
            Answer::Continue(id) => {
                info!("Successful partial resynchronization with master.");
                let (shared, epoch, backlog) = (
                    Arc::clone(&self.shared),
                    target.epoch,
                    self.shared.server.backlog_size(),
                );
                let (engine, replication) = (&shared.engine, &shared.server.replication);
                let mut follows = false;
                change_world(&shared, |world| {
                    follows = replication.resume(engine, world, epoch, id, backlog);
                })
                .await;
                if !follows {
                    return Err(LinkError::Replaced);
                }
                info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
            }
            Answer::Full(place) => {
                info!("Full resync from master: {}:{}", place.id, place.offset);
                input = self
                    .synchronise(target, &mut uplink, input, Snapshot::At(place))
                    .await?;
            }
            Answer::DualChannel => {
                let ahead = std::mem::take(&mut input);
                let synchronised = self.synchronise_apart(target, &mut uplink, ahead).await;
                if let Err(LinkError::Handshake(HandshakeError::DualChannel(_))) = synchronised {
                    self.one_channel = Some(target.clone());
                }
                gathered = Some(synchronised?);
            }
            Answer::Old => {
                info!("Retrying with SYNC...");
                input = self
                    .synchronise(target, &mut uplink, input, Snapshot::Nowhere)
                    .await?;
            }
        }
        self.last_trouble = None;
        let session = session.insert(self.session(target, &uplink));
        self.stream(target, session, uplink, input, gathered).await
    }

    /// Ends a coordinated failover with the answer of its target: it has agreed, or this server stays what it was.
    async fn end_failover(&self, answer: Result<Answer, LinkError>) -> Result<Answer, LinkError> {
        let (engine, server) = (&self.shared.engine, &self.shared.server);
        if server.replication.failover_phase() != Some(FailoverPhase::Asking) {
            return answer;
        }
        match &answer {
            Ok(_) => {
                change_world(&self.shared, |world| server.replication.end_failover(world)).await;
            }
            Err(LinkError::Handshake(
                HandshakeError::NotNow(_) | HandshakeError::Unexpected(_),
            )) => {
                let why = "Failover target rejected psync request";
                change_world(&self.shared, |world| {
                    server.replication.abort_failover(engine, world, why);
                })
                .await;
                server.show_primary(None);
            }
            // It is tried again.
            Err(_) => {}
        }
        answer
    }

    /// Introduces this replica and asks for the stream.
    async fn shake_hands(
        &self,
        target: &Target,
        uplink: &mut Uplink,
        input: &mut BytesMut,
        place: Option<Place>,
    ) -> Result<Answer, LinkError> {
        match place {
            Some(Place { id, offset }) => info!(
                "Trying a partial resynchronization (request {id}:{}).",
                offset + 1
            ),
            None => info!("Partial resynchronization not possible (no cached master)"),
        }
        let mut handshake = Handshake::new(self.introduction(target, place));
        loop {
            let output = handshake.take_output();
            if !output.is_empty() {
                let sent = uplink.write_all(&output).await;
                sent.map_err(|error| LinkError::Io("writing to the master", error))?;
                let flushed = uplink.flush().await;
                flushed.map_err(|error| LinkError::Io("writing to the master", error))?;
            }
            let line = read_line(uplink, input, handshake.stage());
            let line = self.in_time(LinkPhase::Handshake, line).await??;
            let now_ms = self.now_ms();
            self.update(target, |upstream| upstream.heard_ms = now_ms);
            if handshake.stage() == Stage::Ping && line.starts_with(b"+PONG") {
                info!("Master replied to PING, replication can continue...");
            }
            let answer = handshake.line(&line).map_err(LinkError::Handshake)?;
            for warning in handshake.take_warnings() {
                warn!("{warning}");
            }
            if let Some(answer) = answer {
                let output = handshake.take_output();
                let sent = uplink.write_all(&output).await;
                sent.map_err(|error| LinkError::Io("writing to the master", error))?;
                return Ok(answer);
            }
        }
    }

    pub(super) fn introduction(&self, target: &Target, place: Option<Place>) -> Introduction {
        let config = self.shared.server.config.read();
        let text = |key: Key<OptionalText>| config.read(key).map(<[u8]>::to_vec);
        let announced = config.read(directive::REPLICA_ANNOUNCE_PORT);
        let tls_port = config.read(directive::TLS_PORT);
        let own = if config.read(directive::TLS_REPLICATION) && tls_port > 0 {
            tls_port
        } else {
            config.read(directive::PORT)
        };
        let port = if announced > 0 { announced } else { own };
        let takes_over = self.shared.server.replication.failover_phase().is_some();
        let password = text(directive::MASTERAUTH).filter(|password| !password.is_empty());
        Introduction {
            credentials: password.map(|password| Credentials {
                user: text(directive::MASTERUSER).filter(|user| !user.is_empty()),
                password,
            }),
            port: u16::try_from(port).unwrap_or(0),
            ip: text(directive::REPLICA_ANNOUNCE_IP),
            place,
            takes_over,
            dual_channel: !takes_over
                && config.read(directive::DUAL_CHANNEL_REPLICATION_ENABLED)
                && self.one_channel.as_ref() != Some(target),
        }
    }

    /// Whether the primary has been silent for too long since this Unix time in milliseconds (`repl-timeout`).
    fn is_too_late(&self, heard_ms: i64) -> bool {
        let config = self.shared.server.config.read();
        let timeout_s = config.read(directive::REPL_TIMEOUT);
        self.now_ms() - heard_ms > timeout_s.saturating_mul(1000)
    }

    /// Waits for something that the primary does, at this stage, as long as `repl-timeout` says meanwhile.
    pub(super) async fn in_time<T>(
        &self,
        stage: LinkPhase,
        what: impl Future<Output = T>,
    ) -> Result<T, LinkError> {
        let mut what = pin!(what);
        let since_ms = self.now_ms();
        let mut looks = periodic(ACK_PERIOD);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return Ok(done),
                _ = looks.tick() => if self.is_too_late(since_ms) {
                    return Err(LinkError::Silent(stage));
                }
            }
        }
    }

    /// Executes what the primary sends.
    async fn stream(
        &mut self,
        target: &Target,
        session: &mut Session,
        uplink: Uplink,
        mut input: BytesMut,
        mut gathered: Option<Gathered>,
    ) -> Result<std::convert::Infallible, LinkError> {
        let client = Arc::clone(&session.client);
        let mut parser = Parser::default();
        let (mut reading, mut writing) = tokio::io::split(uplink);
        let mut acks = periodic(ACK_PERIOD);
        let mut heard_ms = self.now_ms();
        let mut unread = 0;
        loop {
            // During CLIENT PAUSE the primary is listened to, and nothing of what it says is done (PAUSE_ACTION_REPLICA, Redis 7.2).
            let paused = self.is_paused().then(|| self.shared.engine.world_changes());
            let is_paused = paused.is_some() && self.is_paused();
            if is_paused {
                self.check_target(target)?;
            } else {
                let ran = self.execute(target, session, &mut parser, &mut input).await;
                if let Some(offset) = ran? {
                    self.acknowledge(&mut writing, offset).await?;
                }
            }
            let unread_now = if is_paused { input.len() as u64 } else { 0 };
            if unread != unread_now {
                unread = unread_now;
                self.update(target, |upstream| upstream.unread = unread);
            }
            input.reserve(ROOM);
            let killed = poll_fn(|cx| {
                client.inbox.register(cx.waker());
                match client.inbox.is_killed() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            let error = tokio::select! {
                biased;
                () = killed => Some(LinkError::Killed),
                () = async { if let Some(changed) = paused { changed.await } }, if is_paused => None,
                // The primary does not count on us until what has gathered is executed.
                _ = acks.tick() => {
                    if gathered.is_some() {
                        gather::sign_of_life(&mut writing).await;
                        None
                    } else if self.is_too_late(heard_ms) {
                        Some(LinkError::Silent(LinkPhase::Connected))
                    } else {
                        self.acknowledge(&mut writing, self.shared.engine.log.end()).await.err()
                    }
                }
                received = gather::receive(&mut gathered, &mut reading, &mut input) => match received {
                    Ok(Received::Gathered) => None,
                    Ok(Received::EndOfGathered(trouble)) => {
                        heard_ms = self.now_ms();
                        acks.reset_immediately();
                        trouble
                    }
                    Ok(Received::New(0)) => Some(LinkError::Io("the master closed the connection", io::ErrorKind::UnexpectedEof.into())),
                    Err(error) => Some(LinkError::Io("reading from the master", error)),
                    Ok(Received::New(count)) => {
                        heard_ms = self.now_ms();
                        self.shared.server.replication.counters.input.fetch_add(count as u64, Relaxed);
                        client.shown.last_ms.store(heard_ms, Relaxed);
                        self.update(target, |upstream| upstream.heard_ms = heard_ms);
                        None
                    }
                }
            };
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    /// The session as which the primary's commands run.
    fn session(&self, target: &Target, uplink: &Uplink) -> Session {
        let (laddr, addr) = uplink.addresses();
        let peer = Peer {
            addr,
            laddr,
            fd: -1,
            unix: false,
            tls: uplink.tls(),
        };
        let client = self.shared.engine.clients.add(peer, self.now_ms());
        client.set_flag(flag::PRIMARY, true);
        let id = client.id;
        self.update(target, |upstream| {
            upstream.client = Some(id);
            upstream.unread = 0;
            upstream.trouble = None;
        });
        let mut session = Session::new(client, true);
        session.reply = ReplyMode::Off;
        session.feed = Some(Box::new(Feed {
            epoch: target.epoch,
            raw: Vec::new(),
        }));
        session.select(self.db);
        session
    }

    /// Tells the primary how far we are.
    async fn acknowledge(
        &self,
        writing: &mut (impl AsyncWriteExt + Unpin),
        offset: u64,
    ) -> Result<(), LinkError> {
        let offset = offset.to_string();
        let mut words = vec!["REPLCONF", "ACK", &offset];
        let durable = self.shared.server.persistence.aof.synced();
        let durable = durable.map(|durable| durable.to_string());
        if let Some(durable) = &durable {
            words.extend(["FACK", durable]);
        }
        let mut ack = Vec::new();
        resp::encode_call(&mut ack, words.into_iter().map(str::as_bytes));
        let sent = async {
            writing.write_all(&ack).await?;
            writing.flush().await
        };
        sent.await
            .map_err(|error| LinkError::Io("writing to the master", error))
    }

    /// Runs the whole commands at the start of `input`. How far we were when the primary asked, if it did: the answer does
    /// not count the question itself.
    async fn execute(
        &mut self,
        target: &Target,
        session: &mut Session,
        parser: &mut Parser,
        input: &mut BytesMut,
    ) -> Result<Option<u64>, LinkError> {
        let limits = Limits {
            bulk_max: u64::MAX,
            trust: Trust::Primary,
        };
        let (mut at, mut asked) = (0, None);
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let parsed = parser.parse(rest, &limits);
            let (length, words) =
                match parsed.map_err(|error| LinkError::Protocol(error.to_string()))? {
                    Parse::Incomplete { .. } => break,
                    Parse::Skip(length) => (length, Vec::new()),
                    Parse::Frame(length) => (length, parser.request(rest).iter().collect()),
                };
            let raw = rest.get(..length).unwrap_or_default();
            if let [name, option, ..] = words.as_slice()
                && name.eq_ignore_ascii_case(b"REPLCONF")
                && option.eq_ignore_ascii_case(b"GETACK")
            {
                asked = Some(self.shared.engine.log.end());
                self.append(session, raw).await?;
            } else {
                if let Some(feed) = &mut session.feed {
                    feed.raw.extend_from_slice(raw);
                }
                if !words.is_empty() {
                    self.call(session, &words).await?;
                }
                self.settle(session).await?;
            }
            at += length;
        }
        self.executor.end_batch();
        input.advance(at);
        self.check_target(target)?;
        Ok(asked)
    }

    fn is_paused(&self) -> bool {
        let pause = self.shared.engine.world().pause;
        pause.is_some_and(|pause| self.now_ms() < pause.until_ms)
    }

    /// An error once another primary is to be followed, or none.
    fn check_target(&self, target: &Target) -> Result<(), LinkError> {
        let now = self.targets.borrow();
        let is_same = now.as_ref().is_some_and(|now| now.epoch == target.epoch);
        is_same.then_some(()).ok_or(LinkError::Replaced)
    }

    async fn append(&mut self, session: &mut Session, raw: &[u8]) -> Result<(), LinkError> {
        if let Some(feed) = &mut session.feed {
            feed.raw.extend_from_slice(raw);
        }
        self.settle(session).await
    }

    async fn call(&mut self, session: &mut Session, words: &[&[u8]]) -> Result<(), LinkError> {
        loop {
            match self.executor.call(session, words) {
                Step::Done | Step::Lane | Step::Freeze(_) | Step::Host(_) => return Ok(()),
                Step::Close => return Err(LinkError::Replaced),
                Step::Yield => tokio::task::yield_now().await,
                Step::Wait(Wait::Shard(freed)) => freed.await,
                Step::Wait(Wait::World { changed, .. }) => changed.await,
                // A primary logs what a waiting call came to, never the call.
                Step::Wait(Wait::Reply { .. }) => return Ok(()),
            }
        }
    }

    async fn settle(&mut self, session: &mut Session) -> Result<(), LinkError> {
        loop {
            match self.executor.settle_feed(session) {
                Step::Close => return Err(LinkError::Replaced),
                Step::Yield => tokio::task::yield_now().await,
                Step::Wait(Wait::Shard(freed)) => freed.await,
                _ => return Ok(()),
            }
        }
    }
}

pub(super) fn periodic(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Reads a line, without its end.
pub(super) async fn read_line(
    uplink: &mut Uplink,
    input: &mut BytesMut,
    stage: Stage,
) -> Result<BytesMut, LinkError> {
    loop {
        if stage == Stage::Ping && input.first() == Some(&TLS_ALERT) {
            return Err(LinkError::NeedsTls);
        }
        if let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let mut line = input.split_to(end + 1);
            line.truncate(line.trim_ascii_end().len());
            if stage == Stage::Ping && line == tls::RESP_ON_TLS_PORT.trim_ascii_end() {
                return Err(LinkError::NeedsTls);
            }
            return Ok(line);
        }
        if input.len() > LINE_MAX {
            return Err(LinkError::Protocol("a line without an end".to_owned()));
        }
        match uplink.read_buf(input).await {
            Ok(0) if stage == Stage::Ping => {
                return Err(LinkError::Io(
                    "the master closed the connection at once: it may expect TLS (tls-replication), or be full",
                    io::ErrorKind::UnexpectedEof.into(),
                ));
            }
            Ok(0) => {
                return Err(LinkError::Io(
                    "the master closed the connection during the handshake",
                    io::ErrorKind::UnexpectedEof.into(),
                ));
            }
            Ok(_) => {}
            Err(error) => return Err(LinkError::Io("reading from the master", error)),
        }
    }
}

/// The first byte of a TLS alert.
const TLS_ALERT: u8 = 21;

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => write!(f, "Error condition on socket for SYNC: {error}"),
            Self::Handshake(error) => write!(f, "{error}"),
            Self::Transfer(error) => write!(f, "{error}"),
            Self::Io(what, error) if error.kind() == io::ErrorKind::UnexpectedEof => f.write_str(what),
            Self::Io(what, error) => write!(f, "I/O error {what}: {error}"),
            Self::Silent(stage) => f.write_str(match stage {
                LinkPhase::Connected => "MASTER timeout: no data nor PING received... (repl-timeout)",
                LinkPhase::Sync => {
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value."
                }
                _ => "Timeout connecting to the MASTER... (repl-timeout)",
            }),
            Self::Killed => f.write_str("the link was killed (CLIENT KILL)"),
            Self::Replaced => f.write_str("it is not followed any more"),
            Self::Load(text) => f.write_str(text),
            Self::Protocol(text) => write!(f, "Protocol error from the master: {text}"),
            Self::NeedsTls => f.write_str(
                "the master speaks TLS on this port, and this replica plaintext: set tls-replication yes",
            ),
        }
    }
}
