//! How a server is told to end, and what it does before: replicas catch up and the dataset is saved (SHUTDOWN, SIGTERM,
//! SIGINT).
//!
//! 1. Whoever asks leaves that in [`Shutdown`]; the main thread carries it out ([`prepare`]), with writes held back from then
//!    on, so that what replicas have and what is saved is all there is.
//! 2. Until the last preparations begin it can be taken back (SHUTDOWN ABORT).
//! 3. When a preparation fails the server goes on as before, and everybody who has called SHUTDOWN gets an error.
//! 4. Lock order: shards, then the progress here, then the log.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use config::choices::ShutdownFlags;
use config::directive;
use engine::{Engine, World};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tracing::{info, warn};

use crate::links::with_everything;
use crate::net::Shared;
use crate::persistence;
use crate::replication::{Follower, Phase};

/// How the server is told to end, and how far the end has come.
#[derive(Debug)]
pub(crate) struct Shutdown {
    stage: watch::Sender<Stage>,
    progress: Mutex<Progress>,
    /// Wakes the main thread when the progress was changed by somebody else.
    changed: Notify,
}

/// How the server is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShutdownHow {
    /// SAVE or NOSAVE; by default the dataset is saved if there are save points.
    pub(crate) save: Option<bool>,
    /// NOW: without waiting for replicas.
    pub(crate) now: bool,
    /// FORCE: also if the dataset cannot be saved.
    pub(crate) force: bool,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Nothing has ended.
    Running,
    /// It is certain to end.
    Asked,
    /// Threads end.
    Ending,
}

/// What has been asked and what is being done about it.
#[derive(Debug, Default)]
struct Progress {
    step: Step,
    /// What a signal has asked for that cron has not seen yet.
    signalled: Option<ShutdownHow>,
    /// Whether a signal has asked for the end since the server last went on.
    has_signal: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// Nobody has asked.
    #[default]
    None,
    /// Somebody has.
    Asked(ShutdownHow),
    /// Replicas catch up, until this Unix time in milliseconds at most.
    Waiting { deadline_ms: i64 },
    /// The last preparations are made.
    Finishing,
}

/// Why the server cannot end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The append-only file has no base yet.
    NoBase,
    /// The dataset could not be saved; every command waits.
    NotSaved,
}

/// What clients get who have called SHUTDOWN when the server goes on.
pub(crate) const FAILED: &str = "ERR Errors trying to SHUTDOWN. Check logs.";

/// How long it is between two looks at whether replicas have caught up.
const LOOK: Duration = Duration::from_millis(10);

impl From<ShutdownFlags> for ShutdownHow {
    /// As `shutdown-on-sigterm` and `shutdown-on-sigint` say.
    fn from(flags: ShutdownFlags) -> Self {
        let save = flags.contains(ShutdownFlags::SAVE);
        Self {
            save: (save || flags.contains(ShutdownFlags::NOSAVE)).then_some(save),
            now: flags.contains(ShutdownFlags::NOW),
            force: flags.contains(ShutdownFlags::FORCE),
        }
    }
}

impl Shutdown {
    /// Nobody has asked yet.
    pub(crate) fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Running),
            progress: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Asks the main thread to end the server. While it is at it already, how is not looked at (Redis 7.2).
    pub(crate) fn ask(&self, how: ShutdownHow) {
        self.progress.lock().ask(how);
        self.changed.notify_one();
    }

    /// Notes a signal that asks for the end; whether it is the first.
    pub(crate) fn signal(&self, how: ShutdownHow) -> bool {
        let mut progress = self.progress.lock();
        progress.signalled = Some(how);
        !std::mem::replace(&mut progress.has_signal, true)
    }

    /// Does what a signal has asked for.
    pub(crate) fn heed_signal(&self) {
        let mut progress = self.progress.lock();
        if let Some(how) = progress.signalled.take() {
            progress.ask(how);
            self.changed.notify_one();
        }
    }

    /// Takes back what was asked for, if it is not too late (SHUTDOWN ABORT); whether there was anything.
    pub(crate) fn abort(&self) -> bool {
        let mut progress = self.progress.lock();
        let can_be = match progress.step {
            Step::None => progress.has_signal,
            Step::Asked(_) | Step::Waiting { .. } => true,
            Step::Finishing => false,
        };
        if can_be {
            *progress = Progress::default();
            self.changed.notify_one();
        }
        can_be
    }

    /// Until when replicas are waited for, in Unix milliseconds, if they are.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        match self.progress.lock().step {
            Step::Waiting { deadline_ms } => Some(deadline_ms),
            _ => None,
        }
    }

    /// Resolves when somebody has asked for the end.
    pub(crate) async fn asked(&self) {
        loop {
            let changed = self.changed.notified();
            if matches!(self.progress.lock().step, Step::Asked(_)) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = to > *stage;
            if later {
                *stage = to;
            }
            later
        });
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }
}

impl Progress {
    fn ask(&mut self, how: ShutdownHow) {
        if self.step == Step::None {
            self.step = Step::Asked(how);
        }
    }
}

/// Prepares the end that somebody has asked for; whether the server may end. If not, it goes on as before.
pub(crate) async fn prepare(shared: Arc<Shared>) -> Result<(), ()> {
    info!("User requested shutdown...");
    shared.server.supervision.notify("STOPPING=1\n");
    let Some(how) = hold_writes(&shared).await else {
        return Err(());
    };
    if !wait_for_replicas(&shared).await {
        go_on(&shared, None).await;
        return Err(());
    }
    let finished = finish(&shared, how).await;
    if let Err(refusal) = finished {
        warn!("Errors trying to shut down the server. Check the logs for more information.");
        go_on(&shared, Some(refusal)).await;
    }
    finished.map_err(drop)
}

/// Lets no client write any more, and begins to wait for replicas that lag; `None` when the end was taken back meanwhile.
async fn hold_writes(shared: &Shared) -> Option<ShutdownHow> {
    let (engine, server) = (&shared.engine, &shared.server);
    let timeout_ms = server.config.read().read(directive::SHUTDOWN_TIMEOUT) * 1000;
    let how = with_whole_world(engine, |mut world, held| {
        let mut progress = server.shutdown.progress.lock();
        let Step::Asked(mut how) = progress.step else {
            return None;
        };
        if world.loading || world.async_loading {
            // What has been read so far is not to take the place of all there is.
            how.save = Some(false);
        }
        let now_ms = server.clock.now().ms();
        let is_paused = world.is_paused(now_ms);
        world.ending = true;
        engine.replace_world(held, world);
        let waits = !how.now && timeout_ms != 0 && replicas(shared).any(|(_, behind)| behind != 0);
        progress.step = if waits {
            let deadline_ms = now_ms.saturating_add(timeout_ms);
            Step::Waiting { deadline_ms }
        } else {
            Step::Finishing
        };
        if waits && !is_paused {
            engine.acks.ask_holding(engine, held);
        }
        if waits {
            info!("Waiting for replicas before shutting down.");
        }
        Some(how)
    })
    .await;
    engine.log.wake();
    how
}

/// Waits until replicas have everything or the time is up; false when the end was taken back.
async fn wait_for_replicas(shared: &Shared) -> bool {
    let shutdown = &shared.server.shutdown;
    loop {
        let is_late = |deadline_ms| shared.server.clock.now().ms() >= deadline_ms;
        let changed = shutdown.changed.notified();
        {
            let mut progress = shutdown.progress.lock();
            match progress.step {
                Step::Finishing => return true,
                Step::Waiting { deadline_ms }
                    if is_late(deadline_ms) || replicas(shared).all(|(_, behind)| behind == 0) =>
                {
                    progress.step = Step::Finishing;
                    return true;
                }
                Step::Waiting { .. } => {}
                Step::None | Step::Asked(_) => return false,
            }
        }
        // Whoever changes something ends the wait; otherwise it is time for another look.
        let _look_again = tokio::time::timeout(LOOK, changed).await;
    }
}

/// Replicas, and how far each is behind what was executed.
fn replicas(shared: &Shared) -> impl Iterator<Item = (Arc<Follower>, i64)> {
    let end = shared.engine.log.end() as i64;
    let all = shared.server.replication.followers.all().into_iter();
    all.map(move |replica| {
        let behind = end - replica.acknowledged.load(Relaxed) as i64;
        (replica, behind)
    })
}

/// The last preparations.
async fn finish(shared: &Arc<Shared>, how: ShutdownHow) -> Result<(), Refusal> {
    report_replicas(shared);
    end_snapshots(shared, how)?;
    let (aof, saves) = (&shared.server.persistence.aof, saves(shared, how));
    let has_aof = aof.figures.enabled.load(Relaxed);
    if !saves && !has_aof {
        return Ok(());
    }
    let (answer, prepared) = oneshot::channel();
    shared.server.persistence.submit(move |shared| {
        if has_aof {
            info!("Calling fsync() on the AOF file.");
            if let Err(error) = shared.server.persistence.aof.settle() {
                warn!("Fail to fsync the AOF file: {error}.");
            }
        }
        let saved = if saves {
            persistence::save_at_end(shared, how.force)
        } else {
            Ok(())
        };
        // The main thread waits for it.
        let _ = answer.send(saved.map_err(|()| Refusal::NotSaved));
    });
    // Without its thread there is nothing to save any more.
    prepared.await.unwrap_or(Ok(()))
}

fn saves(shared: &Shared, how: ShutdownHow) -> bool {
    let has_save_points = || shared.server.persistence.has_save_points();
    how.save.unwrap_or_else(has_save_points)
}

/// Says in the log which replicas lack something.
fn report_replicas(shared: &Shared) {
    let now_ms = shared.server.clock.now().ms();
    let (mut all, mut lagging) = (0, 0);
    for (replica, behind) in replicas(shared) {
        all += 1;
        if behind == 0 {
            continue;
        }
        lagging += 1;
        let lag_s = match replica.phase() {
            Phase::Online => (now_ms - replica.acknowledged_ms.load(Relaxed)).max(0) / 1000,
            _ => 0,
        };
        info!(
            "Lagging replica {} reported offset {behind} behind master, lag={lag_s}, state={}.",
            replica.name(),
            replica.phase().name()
        );
    }
    if all > 0 {
        info!(
            "{} of {all} replicas are in sync when shutting down.",
            all - lagging
        );
    }
}

/// Gives up a snapshot under way, unless it is all that there will be of an append-only file.
fn end_snapshots(shared: &Shared, how: ShutdownHow) -> Result<(), Refusal> {
    let server = &shared.server;
    let is_rewrite = server.persistence.aof.figures.rewriting.load(Relaxed);
    if is_rewrite && server.persistence.aof.awaits_base() {
        if !how.force {
            warn!("Writing initial AOF, can't exit.");
            server
                .supervision
                .notify("STATUS=Writing initial AOF, can't exit.\n");
            return Err(Refusal::NoBase);
        }
        warn!("Writing initial AOF. Exit anyway.");
    }
    if shared.engine.snapshots.abort() {
        let what = if is_rewrite {
            "rewriting the AOF"
        } else {
            "saving an .rdb"
        };
        warn!("There is a child {what}. Killing it!");
    }
    Ok(())
}

/// Lets everything go on as before, and tells whoever has called SHUTDOWN. Without a refusal the end was taken back, which they
/// have been told.
async fn go_on(shared: &Shared, refusal: Option<Refusal>) {
    let engine = &shared.engine;
    with_everything(engine, |held| {
        let mut world = World::clone(&engine.world());
        world.ending = false;
        world.frozen &= refusal != Some(Refusal::NotSaved);
        engine.replace_world(held, world);
        if refusal.is_some() {
            *shared.server.shutdown.progress.lock() = Progress::default();
            engine.blocked.release(FAILED);
        }
    })
    .await;
}

/// Runs `act` with every shard held, over a copy of the world, when no transaction is half done.
async fn with_whole_world<T>(
    engine: &Engine,
    mut act: impl FnMut(World, &mut engine::Held<'_>) -> T,
) -> T {
    loop {
        let changed = engine.world_changes();
        let done = with_everything(engine, |held| {
            let world = World::clone(&engine.world());
            (!world.frozen).then(|| act(world, held))
        })
        .await;
        match done {
            Some(done) => return done,
            None => changed.await,
        }
    }
}
