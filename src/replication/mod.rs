//! Replication as the server knows it: the history, the primary that is followed, the replicas that follow.
//!
//! 1. What changes the role runs with every shard held, and changes the world in the same hold.
//! 2. Lock order: shards, then the state here, then the log. Nothing here takes a shard while it holds the state.
//! 3. The sockets are in `links`: they read the state, and are told of changes by [`Replication::targets`].

mod channels;
mod failover;
mod followers;
mod state;
pub(crate) mod unexpected;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use config::composite::Primary;
use config::{Config, directive};
use engine::{Engine, Parting, Role, World};
use log::Reader;
use parking_lot::Mutex;
use replication::{History, Place, ReplicationId, Resume};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use self::channels::Channels;
pub(crate) use self::failover::{Failover, FailoverPhase};
pub(crate) use self::followers::{Follower, Followers, Phase, Psync};
pub(crate) use self::state::{LinkPhase, Upstream};
use crate::net::connection::Parked;

/// Replication as the server knows it.
#[derive(Debug)]
pub(crate) struct Replication {
    state: Mutex<State>,
    /// Connections of replicas.
    pub(crate) followers: Followers,
    /// What is kept for replicas whose snapshot goes over a connection of its own.
    pub(crate) channels: Channels,
    /// Whom to follow; the link watches it.
    targets: watch::Sender<Option<Target>>,
    /// Connections that go to the links thread.
    pub(crate) arrivals: mpsc::UnboundedSender<Parked>,
    /// Counters.
    pub(crate) counters: Counters,
    /// Whether a snapshot for replicas has been begun and not been handed over whole.
    pub(crate) makes_snapshot: AtomicBool,
    /// Whether the snapshot file was made for replicas while such files were not to stay (`rdb-del-sync-files`).
    pub(crate) has_sync_file: AtomicBool,
}

/// Counters of synchronisations.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Full synchronisations begun with replicas.
    pub(crate) full: AtomicU64,
    /// Partial ones granted.
    pub(crate) partial: AtomicU64,
    /// Partial ones refused.
    pub(crate) refused: AtomicU64,
    /// Bytes read from the primary.
    pub(crate) input: AtomicU64,
    /// Bytes sent to replicas.
    pub(crate) output: AtomicU64,
    /// Bytes of the stream that wait on this replica until its snapshot is loaded, and the most that they were for this or
    /// the last snapshot.
    pub(crate) gathered: AtomicU64,
    pub(crate) gathered_peak: AtomicU64,
    /// Since when there has been no replica, in Unix milliseconds; 0 while there is one.
    pub(crate) alone_since_ms: AtomicI64,
}

#[derive(Debug)]
struct State {
    history: History,
    upstream: Option<Upstream>,
    /// Counts changes of the primary that is followed.
    epoch: u64,
    /// Whether the end of the log is a place from which a primary may let us go on.
    can_resume: bool,
    /// Whether there is a backlog.
    has_backlog: bool,
    /// A coordinated failover under way.
    failover: Option<Failover>,
    /// The place of the last cut for a file, and the database selected there.
    cut: Option<(Place, i64)>,
    /// The database that the stream has selected at the place to go on from, until the link takes it.
    resumed_db: Option<u16>,
}

/// Whom to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The number of the role.
    pub(crate) epoch: u64,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What becomes of a PSYNC.
#[derive(Debug)]
pub(crate) enum Decision {
    /// The replica goes on; the line says in which history.
    Continue(Reader, ReplicationId),
    /// It needs everything.
    Full,
}

/// Forty random hexadecimal digits.
pub(crate) fn random_id() -> ReplicationId {
    let mut bytes = [0; 20];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    // The system had random numbers at the start; without them the digits are zeros, which nobody else has either.
    let _worked_at_the_start = random.fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    ReplicationId::parse(text.as_bytes()).expect("twenty bytes are forty digits")
}

impl Replication {
    /// The state of a server that starts, and where connections of replicas arrive.
    pub(crate) fn new(config: &Config) -> (Self, mpsc::UnboundedReceiver<Parked>) {
        let (arrivals, receiver) = mpsc::unbounded_channel();
        let upstream = config.read(directive::REPLICAOF).map(Upstream::new);
        let epoch = u64::from(upstream.is_some());
        let target = upstream.as_ref().map(|upstream| upstream.target(epoch));
        let replication = Self {
            state: Mutex::new(State {
                history: History::new(random_id()),
                upstream,
                epoch,
                can_resume: false,
                has_backlog: false,
                failover: None,
                cut: None,
                resumed_db: None,
            }),
            followers: Followers::default(),
            channels: Channels::default(),
            targets: watch::Sender::new(target),
            arrivals,
            counters: Counters::default(),
            makes_snapshot: AtomicBool::new(false),
            has_sync_file: AtomicBool::new(false),
        };
        (replication, receiver)
    }

    /// The role of a server that starts.
    pub(crate) fn first_role(&self) -> Role {
        let state = self.state.lock();
        match state.upstream {
            None => Role::Primary,
            Some(_) => Role::Replica {
                epoch: state.epoch,
                is_linked: false,
            },
        }
    }

    /// Whom to follow, now and from then on.
    pub(crate) fn targets(&self) -> watch::Receiver<Option<Target>> {
        self.targets.subscribe()
    }

    /// The history.
    pub(crate) fn history(&self) -> History {
        self.state.lock().history.clone()
    }

    /// The primary that is followed, if one is.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        self.state.lock().upstream.clone()
    }

    /// Changes what is known of the link to the primary, if it is still that one.
    pub(crate) fn update_upstream(&self, epoch: u64, change: impl FnOnce(&mut Upstream)) {
        let mut state = self.state.lock();
        if state.epoch == epoch
            && let Some(upstream) = &mut state.upstream
        {
            change(upstream);
        }
    }

    /// Whether the primary of this number is still the one that is followed.
    pub(crate) fn is_followed(&self, epoch: u64) -> bool {
        let state = self.state.lock();
        state.epoch == epoch && state.upstream.is_some()
    }

    /// The database that whoever goes on at the end of the log has to select; a primary says it anew.
    pub(crate) fn stream_db(&self, engine: &Engine) -> i64 {
        let link = self.upstream().and_then(|upstream| upstream.client);
        let link = link.and_then(|client| engine.clients.find(client));
        link.map_or_else(
            || engine.log.db().map_or(0, i64::from),
            |client| i64::from(client.shown.db.load(Relaxed)),
        )
    }

    /// Whether writes are to be refused because too few replicas keep up (`min-replicas-to-write`).
    pub(crate) fn lacks_replicas(&self, config: &Config, now_ms: i64) -> bool {
        let wanted = config.read(directive::MIN_REPLICAS_TO_WRITE);
        let lag_max_s = config.read(directive::MIN_REPLICAS_MAX_LAG);
        let followers = self.followers.all();
        let good = followers
            .iter()
            .filter(|follower| follower.is_good(now_ms, lag_max_s));
        wanted > 0 && lag_max_s > 0 && (good.count() as i64) < wanted
    }

    /// Notes the place of a cut for a file. Every shard is held.
    pub(crate) fn note_cut(&self, engine: &Engine) {
        let stream_db = self.stream_db(engine);
        let mut state = self.state.lock();
        let is_known = match state.upstream {
            Some(_) => state.can_resume,
            None => state.has_backlog,
        };
        let place = Place {
            id: state.history.id,
            offset: engine.log.end(),
        };
        state.cut = is_known.then_some((place, stream_db));
    }

    /// The place of the last cut for a file, and the database selected there, if replicas could go on from it.
    pub(crate) fn cut(&self) -> Option<(Place, i64)> {
        self.state.lock().cut
    }

    /// Goes on from the place that a file was of, which was loaded at the start. Every shard is held.
    pub(crate) fn resume_from_file(
        &self,
        engine: &Engine,
        world: &mut World,
        place: Place,
        db: u16,
        backlog: u64,
    ) {
        let mut state = self.state.lock();
        engine.log.restart(place.offset);
        if state.upstream.is_some() {
            state.history = History::new(place.id);
            state.can_resume = true;
            state.resumed_db = Some(db);
        } else {
            state.history.second = Some((place.id, place.offset + 1));
            world.log_for_replicas(true);
        }
        state.open_backlog(engine, backlog);
    }

    /// The database that the stream has selected at the place that a file was of, once.
    pub(crate) fn take_resumed_db(&self) -> Option<u16> {
        self.state.lock().resumed_db.take()
    }

    /// Where the link may ask to go on.
    pub(crate) fn place(&self, engine: &Engine) -> Option<Place> {
        let state = self.state.lock();
        state.can_resume.then(|| Place {
            id: state.history.id,
            offset: engine.log.end(),
        })
    }

    /// The end of the log is no place any more: the dataset is not what led there.
    pub(crate) fn lose_place(&self) {
        self.state.lock().can_resume = false;
    }

    /// Follows a primary from now on. Every shard is held, and the world is to be put in force before they are released.
    pub(crate) fn follow(
        &self,
        engine: &Engine,
        world: &mut World,
        primary: &Primary,
        backlog: u64,
    ) {
        let mut state = self.state.lock();
        state.epoch += 1;
        if state.upstream.is_none() {
            // What it has executed as a primary may be a beginning of what the new primary has.
            state.can_resume = true;
            state.open_backlog(engine, backlog);
            let text = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
            engine.blocked.unblock_all(Parting::Error(text));
        }
        let upstream = Upstream::new(primary);
        let target = upstream.target(state.epoch);
        state.upstream = Some(upstream);
        world.play(Role::Replica {
            epoch: state.epoch,
            is_linked: false,
        });
        self.targets.send_replace(Some(target));
    }

    /// Follows nobody from now on. Every shard is held, and the world is to be put in force before they are released.
    /// Whether it followed somebody before.
    pub(crate) fn lead(&self, engine: &Engine, world: &mut World) -> bool {
        let mut state = self.state.lock();
        if state.upstream.take().is_none() {
            return false;
        }
        state.epoch += 1;
        state.history.branch(random_id(), engine.log.end());
        if let Some((second, first_other)) = &state.history.second {
            warn!(
                "Setting secondary replication ID to {second}, valid up to offset: {first_other}. New replication ID is {}",
                state.history.id
            );
        }
        engine.log.forget_db();
        world.log_for_replicas(state.has_backlog);
        world.play(Role::Primary);
        self.counters.alone_since_ms.store(0, Relaxed);
        self.targets.send_replace(None);
        drop(state);
        // They have to learn the new name, and go on from where they are.
        self.followers.disconnect_all();
        true
    }

    /// Takes the dataset of the primary for its own, which led to this place. Every shard is held by the caller.
    pub(crate) fn adopt(
        &self,
        engine: &Engine,
        world: &mut World,
        epoch: u64,
        place: Place,
        backlog: u64,
    ) -> bool {
        let mut state = self.state.lock();
        if state.epoch != epoch || state.upstream.is_none() {
            return false;
        }
        state.history = History::new(place.id);
        engine.log.restart(place.offset);
        state.open_backlog(engine, backlog);
        state.can_resume = true;
        state.connected(world, epoch);
        true
    }

    /// Goes on in the primary's history, which may have a new name. Every shard is held by the caller. Whether it is still
    /// the primary that is followed.
    pub(crate) fn resume(
        &self,
        engine: &Engine,
        world: &mut World,
        epoch: u64,
        id: Option<ReplicationId>,
        backlog: u64,
    ) -> bool {
        let mut state = self.state.lock();
        if state.epoch != epoch || state.upstream.is_none() {
            return false;
        }
        let renamed = id.filter(|id| *id != state.history.id);
        if let Some(id) = renamed {
            state.history.branch(id, engine.log.end());
            info!("Master replication ID changed to {id}");
        }
        state.open_backlog(engine, backlog);
        state.connected(world, epoch);
        drop(state);
        if renamed.is_some() {
            self.followers.disconnect_all();
        }
        true
    }

    /// Decides about a PSYNC.
    pub(crate) fn decide(&self, engine: &Engine, psync: &Psync, peer: &str) -> Decision {
        let state = self.state.lock();
        let Psync::At { id, wanted, .. } = psync else {
            return Decision::Full;
        };
        let fresh = id == b"?";
        let shown = String::from_utf8_lossy(id);
        match state.history.resume(id, *wanted) {
            Resume::Possible => {}
            Resume::UnknownHistory if fresh => {
                info!("Full resync requested by replica {peer}");
                return Decision::Full;
            }
            Resume::UnknownHistory => {
                info!(
                    "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{shown}', my replication IDs are '{}' and '{}')",
                    state.history.id,
                    state
                        .history
                        .second
                        .map_or_else(|| "0".repeat(40), |(id, _)| id.to_string()),
                );
                self.counters.refused.fetch_add(1, Relaxed);
                return Decision::Full;
            }
            Resume::TooFar => {
                info!(
                    "Partial resynchronization not accepted: Requested offset for second ID was {wanted}, but I can reply up to {}",
                    state
                        .history
                        .second
                        .map_or(0, |(_, first_other)| first_other),
                );
                self.counters.refused.fetch_add(1, Relaxed);
                return Decision::Full;
            }
        }
        let from = u64::try_from(wanted - 1).ok().filter(|_| state.has_backlog);
        match from.and_then(|from| engine.log.reader(from)) {
            Some(reader) => {
                self.counters.partial.fetch_add(1, Relaxed);
                info!(
                    "Partial resynchronization request from {peer} accepted. Sending {} bytes of backlog starting from offset {wanted}.",
                    reader.behind()
                );
                Decision::Continue(reader, state.history.id)
            }
            None => {
                info!(
                    "Unable to partial resync with replica {peer} for lack of backlog (Replica request was: {wanted})."
                );
                self.counters.refused.fetch_add(1, Relaxed);
                Decision::Full
            }
        }
    }

    /// Whether a replica that asks so can go on where it is: [`Replication::decide`] says it in the log, too.
    pub(crate) fn resumes(&self, engine: &Engine, psync: &Psync) -> bool {
        let state = self.state.lock();
        let Psync::At { id, wanted, .. } = psync else {
            return false;
        };
        let from = u64::try_from(wanted - 1).ok().filter(|_| state.has_backlog);
        state.history.resume(id, *wanted) == Resume::Possible
            && from.is_some_and(|from| engine.log.reader(from).is_some())
    }

    /// The place of the end of the log, with a reader of what follows. Every shard is held by the caller, so that it is the
    /// place of the dataset as well.
    pub(crate) fn place_of_cut(&self, engine: &Engine) -> (Place, Reader) {
        let state = self.state.lock();
        let (reader, offset) = engine.log.reader_at_end();
        // On a replica the stream goes on as the primary sends it, in the database that it has selected.
        if state.upstream.is_none() {
            engine.log.forget_db();
        }
        let place = Place {
            id: state.history.id,
            offset,
        };
        (place, reader)
    }

    /// Whether there is a backlog.
    pub(crate) fn has_backlog(&self) -> bool {
        self.state.lock().has_backlog
    }

    /// Begins to keep a backlog, for the first replica of a primary. Every shard is held by the caller.
    pub(crate) fn open_backlog(&self, engine: &Engine, world: &mut World, size: u64) {
        let mut state = self.state.lock();
        if !state.has_backlog && state.upstream.is_none() {
            // Nothing before this is known to anybody.
            state.history = History::new(random_id());
            info!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                state.history.id,
                "0".repeat(40)
            );
        }
        state.open_backlog(engine, size);
        world.log_for_replicas(true);
    }

    /// Drops the backlog, which nobody has asked for for long. Every shard is held by the caller.
    pub(crate) fn close_backlog(&self, engine: &Engine, world: &mut World) {
        let mut state = self.state.lock();
        if state.upstream.is_none() && self.followers.is_empty() {
            state.has_backlog = false;
            state.history = History::new(random_id());
            engine.log.keep(None);
            world.log_for_replicas(false);
        }
    }

    /// Gives the backlog another size.
    pub(crate) fn resize_backlog(&self, engine: &Engine, size: u64) {
        let state = self.state.lock();
        if state.has_backlog {
            engine.log.keep(Some(size));
        }
    }

    /// Begins another history (DEBUG CHANGE-REPL-ID).
    pub(crate) fn rename(&self) {
        self.state.lock().history = History::new(random_id());
    }
}

impl State {
    fn open_backlog(&mut self, engine: &Engine, size: u64) {
        if !self.has_backlog {
            self.has_backlog = true;
            engine.log.keep(Some(size));
        }
    }

    fn connected(&mut self, world: &mut World, epoch: u64) {
        if let Some(upstream) = &mut self.upstream {
            upstream.phase = LinkPhase::Connected;
        }
        world.role = Role::Replica {
            epoch,
            is_linked: true,
        };
    }
}
