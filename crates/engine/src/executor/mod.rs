//! The one place that executes: a thread's executor takes calls of its sessions through admission, locks and handler.

mod evict;
mod expire;
mod footprint;
mod log;
mod observe;
mod prefetch;
mod reply;
mod serve;
mod settle;
mod tell;

use self::expire::ExpireCycle;
pub use self::expire::ExpireProgress;
pub(crate) use self::expire::space_of;
use self::footprint::is_long;
pub(crate) use self::footprint::{footprint, keys_of};
use self::log::Own;
pub use self::observe::Past;
use self::observe::{Ago, SlowCall};
pub use self::prefetch::PREFETCH_MAX;
use self::tell::Origin;
use crate::admission::{Admission, Verdict, admit};
use crate::clients::flag;
use crate::engine::Engine;
use crate::eviction::Headroom;
use crate::failpoint::{self, Fault, Late, Place};
use crate::handler::{Flow, Handler, HostRequest};
use crate::locks::{Held, ShardSet, ShardWait, TRIES_MAX, Taker};
use crate::pubsub::leave_all;
use crate::registry::Row;
use crate::session::{ReplyMode, Session};
use crate::session_ctx::SessionCtx;
use crate::stats::ThreadStats;
use crate::transaction::{end_watches, queue};
use crate::world::World;
use bytes::Bytes;
use commands::{
    Args, Call, CommandError, Effects, Flags, Now, OnExpired, ReadCtx, ReadSpace, Reply, Rng,
    Space, WriteCtx, WriteSpace,
};
use event_listener::EventListener;
use resp::{Output, Proto, Writer};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A thread's side of the engine.
#[derive(Debug)]
pub struct Executor {
    engine: Arc<Engine>,
    local: Local,
}

/// What a connection does after a call.
#[derive(Debug)]
pub enum Step {
    /// The reply is in the session's output; go on.
    Done,
    /// Flush the output and close.
    Close,
    /// Wait, then call again with the same words.
    Wait(Wait),
    /// Let other connections run, then call again with the same words.
    Yield,
    /// Move to a lane thread and call again with the same words there.
    Lane,
    /// The world is frozen by this call: sleep so many microseconds, then [`Executor::thaw`].
    Freeze(u64),
    /// Ask the server around the engine, which answers the session itself.
    Host(HostRequest),
}

/// What a call waits for.
#[derive(Debug)]
pub enum Wait {
    /// A shard that was busy.
    Shard(ShardWait),
    /// A key that the call waits for: call again when [`Executor::is_settled`], of which the inbox wakes the connection, or
    /// at the deadline.
    Reply {
        /// When to look again in any case, in Unix milliseconds.
        deadline_ms: Option<i64>,
    },
    /// A change of the world, at the latest until this Unix time in milliseconds.
    World {
        /// Resolves at the change.
        changed: EventListener,
        /// When to look again in any case.
        until_ms: Option<i64>,
    },
}

/// What belongs to the thread alone.
#[derive(Debug)]
struct Local {
    thread: usize,
    taker: Taker,
    world: Arc<World>,
    generation: u64,
    effects: Effects,
    /// What the unit of execution under way puts into the log.
    unit: ::log::Unit,
    /// What the thread may allocate before it looks at the memory in use.
    headroom: Headroom,
    /// Where active expiry is.
    expiry: ExpireCycle,
    rng: Rng,
    /// The call whose time runs: it ends when the next one starts, so that a call reads the clock once.
    running: Option<(u16, u64)>,
    /// Whether the last call ran, rather than having been refused or queued.
    ran: bool,
    /// Calls that took long and are not in the log yet.
    slow: SmallVec<[SlowCall; 2]>,
    /// Calls of the thread when the batch began.
    batch_start: u64,
    /// The last reading of the clock.
    latest: Now,
    muted: Output,
    /// What the host does before the call that held shards is answered.
    then: Option<HostRequest>,
    /// Changes of this batch wait to be broadcast to those who track prefixes.
    broadcasts: bool,
    late: Option<Late>,
}

/// For whom a data command runs.
#[derive(Clone, Copy, Debug)]
struct Caller {
    db: u16,
    proto: Proto,
    no_touch: bool,
    may_block: bool,
    /// Whether this is the primary that this server follows.
    is_primary: bool,
    elements_max: usize,
}

/// What a call that ran came to.
enum Ran {
    /// Its reply lies in the session's output.
    Answered,
    /// It waits for keys.
    Blocked,
}

/// Why a call did not run.
enum Hindrance {
    /// A shard was busy.
    Busy(u16),
    /// The world changed between admission and locks.
    Stale,
    /// The keys are large, or the handler found its range long: this is for a lane.
    TooLong,
}

/// Bytes that are kept of what a client does not want to hear.
const MUTED_MAX: usize = 64 * 1024;

/// Elements of a call's keys above which a linear command leaves the worker.
const LANE_ELEMENTS: usize = 50_000;

impl Executor {
    /// The executor of thread number `thread`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, thread: usize, taker: Taker, seed: u64) -> Self {
        let (world, generation) = (engine.world(), engine.generation());
        let local = Local {
            thread,
            taker,
            world,
            generation,
            effects: Effects::default(),
            unit: ::log::Unit::default(),
            headroom: Headroom::default(),
            expiry: ExpireCycle::default(),
            rng: Rng::new(seed),
            running: None,
            ran: false,
            slow: SmallVec::new(),
            batch_start: 0,
            latest: engine.host.now(),
            muted: Output::bounded(MUTED_MAX),
            broadcasts: false,
            then: None,
            late: None,
        };
        Self { engine, local }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Runs one call of `session`. `argv` is not empty.
    pub fn call(&mut self, session: &mut Session, argv: &[&[u8]]) -> Step {
        let Self { engine, local } = self;
        local.look_at_world(engine);
        session.take_mail(engine);
        if let Some(waiter) = session.waiter.take() {
            return local.resume(engine, session, waiter);
        }
        match session.pending.take() {
            // What was admitted to another world is asked anew: it may be a replica's by now.
            Some((generation, flow)) if generation == local.generation => {
                let row = engine.registry.row(session.last_name.2);
                local.resume_clock(engine, session, row);
                local.settle(engine, session, row, argv, Ok(flow))
            }
            again => {
                if again.is_some() {
                    local.forget_call(engine, session);
                }
                local.start(engine, session, argv)
            }
        }
    }

    /// When the last call started or the last batch ended: the time, without another reading of the clock.
    #[must_use]
    pub fn latest(&self) -> Now {
        self.local.latest
    }

    /// Whether a call that waits for keys ([`Wait::Reply`]) has come to something, so that it is to be called again.
    #[must_use]
    pub fn is_settled(session: &Session) -> bool {
        serve::is_settled(session)
    }

    /// Ends the time of the last call of a batch.
    pub fn end_batch(&mut self) {
        self.engine.log.wake();
        if let Some(late) = self.local.late.take() {
            late.appear(&self.engine);
        }
        self.local.broadcast(&self.engine);
        let stats = self.local.stats(&self.engine);
        let commands = stats.commands.value();
        stats
            .batch_max
            .raise(commands.saturating_sub(self.local.batch_start));
        self.local.batch_start = commands;
        if self.local.running.is_some() {
            let now = self.engine.host.now();
            self.local.latest = now;
            self.local
                .stop_clock(&self.engine, now.monotonic_ns, Ago::Last);
        }
    }

    /// Appends what the primary sent and no call has appended, because it held no shard: PING, SELECT. Call it after each
    /// call of a session with a [`crate::Feed`]; [`Step::Done`] when there is nothing more to do, [`Step::Close`] when that
    /// primary is not followed any more.
    pub fn settle_feed(&mut self, session: &mut Session) -> Step {
        self.local.look_at_world(&self.engine);
        self.local.settle_feed(&self.engine, session)
    }

    /// Answers a call that the host was asked about ([`Step::Host`]).
    pub fn answer(&mut self, session: &mut Session, result: Result<Reply, CommandError>) -> Step {
        let row = self.engine.registry.row(session.last_name.2);
        self.local.answer(&self.engine, session, row, result)
    }

    /// Ends the freeze that [`Step::Freeze`] asked for and answers the session.
    pub fn thaw(&mut self, session: &mut Session) {
        self.engine.change_world(|world| world.frozen = false);
        session.writer(&mut self.local.muted).ok();
    }

    /// Takes everything back that `session` left in the shards. Call it when the connection ends; again after a wait.
    pub fn part(&mut self, session: &mut Session) -> Option<ShardWait> {
        session.transaction = None;
        leave_all(&self.engine, session);
        self.engine.monitors.leave(&session.client);
        self.engine.pubsub.stop_tracking(&mut session.tracking);
        if let Err(busy) = self.local.part_from_queues(&self.engine, session) {
            return Some(self.engine.locks.wait(busy, Taker::Worker));
        }
        let shards = session.watches.shards(&self.engine.locks);
        if !shards.is_empty() {
            let Self { engine, local } = self;
            match engine.locks.acquire(&shards, Taker::Worker) {
                Err(busy) => return Some(engine.locks.wait(busy, Taker::Worker)),
                Ok(mut held) => {
                    let now = engine.host.now();
                    let _nothing_to_reply =
                        local.hold(engine, session, &mut held, now, Own::Nothing, &mut |held| {
                            end_watches(held);
                            Ok(Reply::Written)
                        });
                }
            }
        }
        if std::mem::take(&mut session.blocked) {
            self.engine.clients.blocked.fetch_sub(1, Relaxed);
        }
        self.engine.clients.remove(session.client.id);
        None
    }
}

impl Local {
    fn stats<'e>(&self, engine: &'e Engine) -> &'e ThreadStats {
        engine.stats.thread(self.thread)
    }

    fn look_at_world(&mut self, engine: &Engine) {
        let generation = engine.generation();
        if generation != self.generation {
            self.world = engine.world();
            self.generation = generation;
            engine.eviction.take_back(&mut self.headroom);
        }
    }

    fn start(&mut self, engine: &Engine, session: &mut Session, argv: &[&[u8]]) -> Step {
        let row = match find_row(engine, session, argv) {
            Ok(row) => row,
            Err(error) => return self.refuse(engine, session, None, argv, &error),
        };
        session
            .client
            .shown
            .command
            .store(u32::from(row.id) + 1, Relaxed);
        let mut relief = None;
        let verdict = loop {
            let verdict = admit(&Admission {
                engine,
                world: &self.world,
                session,
                row,
                argv,
                headroom: &self.headroom,
                relief,
            });
            if !matches!(verdict, Verdict::Relieve) {
                break verdict;
            }
            relief = Some(self.relieve(engine));
            // Copies of what was evicted are old before the call has its turn.
            session.take_mail(engine);
        };
        match verdict {
            Verdict::RunApart => {
                expire::remember_own(engine, session, row, argv);
                self.run(engine, session, row, argv)
            }
            Verdict::Run => self.run(engine, session, row, argv),
            Verdict::Queue => {
                self.pass_over(engine);
                queue(session, row, argv, &engine.locks);
                self.answer(engine, session, row, Ok(Reply::Simple("QUEUED")))
            }
            Verdict::Refuse(error) => self.refuse(engine, session, Some(row), argv, &error),
            Verdict::End => Step::Close,
            // Not after a look at the memory in use, and there was one.
            Verdict::Relieve => Step::Yield,
            Verdict::Wait(until_ms) => {
                let changed = engine.world_changes();
                if engine.generation() != self.generation {
                    return Step::Yield;
                }
                set_blocked(engine, session, true);
                session.give_way();
                Step::Wait(Wait::World { changed, until_ms })
            }
        }
    }

    fn run(&mut self, engine: &Engine, session: &mut Session, row: &Row, argv: &[&[u8]]) -> Step {
        set_blocked(engine, session, false);
        match row.handler {
            Handler::Read(_) | Handler::Write(_) => {
                match self.run_keyed(engine, session, row, argv) {
                    Ok(Ran::Answered) => self.end_call(engine, session, row),
                    Ok(Ran::Blocked) => self.wait_for_reply(engine, session),
                    Err(hindrance) => self.hinder(engine, session, hindrance, || {
                        footprint(row, argv, &engine.locks)
                    }),
                }
            }
            Handler::Session(run) => {
                if self.is_logged(row) {
                    return self.run_logged(engine, session, row, argv, run);
                }
                let now = self.start_clock(engine, row);
                let flow = self.run_session(engine, session, row, argv, now, run);
                self.settle(engine, session, row, argv, flow)
            }
            Handler::Container => self.refuse(
                engine,
                session,
                Some(row),
                argv,
                &CommandError::Arity(row.name.to_string().into()),
            ),
        }
    }

    fn run_keyed(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
    ) -> Result<Ran, Hindrance> {
        let shards = footprint(row, argv, &engine.locks);
        let mut held = engine.locks.nothing();
        self.hold_with_waiters(engine, &mut held, shards, || keys_of(row, argv).collect())?;
        if row.flags.contains(Flags::LINEAR)
            && self.taker == Taker::Worker
            && is_long(engine, session, row, argv, &held)
        {
            return Err(Hindrance::TooLong);
        }
        let now = self.start_clock(engine, row);
        let ran = match self.perform_for(engine, session, row, argv, &mut held, now) {
            Ok(Reply::Elsewhere) => {
                // Its lookups count when it runs again; the expired keys that they removed are gone already.
                (self.effects.hits, self.effects.misses) = (0, 0);
                self.forget_start(engine);
                Err(Hindrance::TooLong)
            }
            Ok(Reply::Block) => {
                self.block(engine, session, row, argv, &mut held, now);
                Ok(Ran::Blocked)
            }
            result => {
                self.reply(engine, session, row, result);
                Ok(Ran::Answered)
            }
        };
        self.carry_out(engine, Own::Words(argv), Origin::Call(session, row, argv));
        self.end_unit(engine, session, &mut held);
        self.serve_ready(engine, &mut held, now);
        let late = Late::of_call(engine, session.db, row, argv, &mut held);
        if self.world.monitored && ran.is_ok() {
            self.show(engine, session, row, argv);
        }
        drop(held);
        self.free(engine);
        if let Some(late) = late {
            if failpoint::is(Fault::ReplyBeforeEffects) {
                self.late = Some(late);
            } else {
                late.appear(engine);
            }
        }
        ran
    }

    /// `shards`, and those of all that serving the waiters of `keys` can touch.
    fn acquire_with_waiters<'e>(
        &self,
        engine: &'e Engine,
        shards: ShardSet,
        keys: impl Fn() -> Vec<Bytes>,
    ) -> Result<Held<'e>, Hindrance> {
        let mut held = engine.locks.nothing();
        self.hold_with_waiters(engine, &mut held, shards, keys)?;
        Ok(held)
    }

    /// Takes `shards`, and those of all that serving the waiters of `keys` can touch, into `held`, which has none.
    #[inline]
    fn hold_with_waiters(
        &self,
        engine: &Engine,
        held: &mut Held<'_>,
        mut shards: ShardSet,
        keys: impl Fn() -> Vec<Bytes>,
    ) -> Result<(), Hindrance> {
        loop {
            self.hold_shards(held, &shards)?;
            if !held.has_waiters() {
                return Ok(());
            }
            match self.close_over_waiters(engine, keys(), &shards, held) {
                None => return Ok(()),
                Some(wider) => shards = wider,
            }
            held.release();
        }
    }

    fn wait_for_reply(&mut self, engine: &Engine, session: &mut Session) -> Step {
        // It counts once it has come to something, as in Redis 7.2.
        self.forget_start(engine);
        session.give_way();
        let deadline_ms = session
            .waiter
            .as_ref()
            .and_then(|waiter| waiter.deadline_ms());
        Step::Wait(Wait::Reply { deadline_ms })
    }

    /// Runs a data command of a session, whose shards are held.
    fn perform_for(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        held: &mut Held<'_>,
        now: Now,
    ) -> Result<Reply, CommandError> {
        let caller = Caller {
            db: session.db,
            proto: session.proto,
            no_touch: session.no_touch,
            may_block: !session.executing && session.feed.is_none() && !session.replays,
            is_primary: session.feed.is_some() || session.replays,
            elements_max: if self.taker == Taker::Worker && !session.executing {
                LANE_ELEMENTS
            } else {
                usize::MAX
            },
        };
        if session.reply == ReplyMode::On {
            return self.perform(engine, &caller, &mut session.out, row, argv, held, now);
        }
        let mut muted = std::mem::take(&mut self.muted);
        let result = self.perform(engine, &caller, &mut muted, row, argv, held, now);
        self.muted = muted;
        result
    }

    /// Runs a data command whose shards are held.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a thing of its own, and the call is hot"
    )]
    fn perform(
        &mut self,
        engine: &Engine,
        caller: &Caller,
        out: &mut Output,
        row: &Row,
        argv: &[&[u8]],
        held: &mut Held<'_>,
        now: Now,
    ) -> Result<Reply, CommandError> {
        let settings = &self.world.settings;
        self.effects.reset(self.world.audience, caller.db);
        let out = Writer::new(out, caller.proto);
        let space = Space {
            shards: held.view(),
            db: caller.db,
            seed: engine.seed,
            now_ms: now.ms(),
            access: settings.access,
            no_touch: caller.no_touch,
            on_expired: match row.handler {
                _ if caller.is_primary => OnExpired::Ignore,
                Handler::Write(_) if !row.flags.contains(Flags::READONLY) => OnExpired::Delete,
                _ => self.world.on_expired(now.ms()),
            },
            lazy_expire: settings.lazy_expire,
            chance: now.monotonic_ns,
            effects: &mut self.effects,
        };
        let call = Call {
            now,
            settings,
            rng: &mut self.rng,
            may_block: caller.may_block,
            elements_max: caller.elements_max,
        };
        let args = Args::of_call(argv, row.name_words());
        match row.handler {
            Handler::Read(run) => run(
                &mut ReadCtx {
                    space: ReadSpace::new(space),
                    out,
                    call,
                },
                args,
            ),
            Handler::Write(run) => run(
                &mut WriteCtx {
                    space: WriteSpace::new(space),
                    out,
                    call,
                },
                args,
            ),
            Handler::Session(_) | Handler::Container => Err(CommandError::Syntax),
        }
    }

    fn run_session(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        now: Now,
        run: fn(&mut SessionCtx<'_>, Args<'_>) -> Result<Flow, CommandError>,
    ) -> Result<Flow, CommandError> {
        self.keep_secrets(engine, session);
        let in_exec = session.executing;
        let mut ctx = SessionCtx {
            session,
            engine,
            world: &self.world,
            now,
            rng: &mut self.rng,
            in_exec,
            on_lane: self.taker == Taker::Lane,
            muted: &mut self.muted,
        };
        run(&mut ctx, Args::of_call(argv, row.name_words()))
    }

    fn acquire<'e>(&self, engine: &'e Engine, shards: &ShardSet) -> Result<Held<'e>, Hindrance> {
        let mut held = engine.locks.nothing();
        self.hold_shards(&mut held, shards)?;
        Ok(held)
    }

    /// Takes `shards` into `held`, which has none, with the world in which the call was admitted.
    #[inline]
    fn hold_shards(&self, held: &mut Held<'_>, shards: &ShardSet) -> Result<(), Hindrance> {
        held.acquire(shards, self.taker).map_err(Hindrance::Busy)?;
        match held.world() {
            Some(world) if !Arc::ptr_eq(world, &self.world) => Err(Hindrance::Stale),
            _ => Ok(()),
        }
    }

    /// What a connection does when its call could not run.
    fn hinder(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        hindrance: Hindrance,
        shards: impl FnOnce() -> ShardSet,
    ) -> Step {
        self.suspend_clock(engine, session);
        match hindrance {
            // The next call looks at the world first.
            Hindrance::Stale => Step::Yield,
            Hindrance::TooLong => {
                session.give_way();
                Step::Lane
            }
            Hindrance::Busy(shard) => {
                session.tries += 1;
                // A lane's would only stand in its own way.
                if session.tries == TRIES_MAX && self.taker == Taker::Worker {
                    session.reservation = Some(engine.locks.reserve(shards()));
                }
                Step::Wait(Wait::Shard(engine.locks.wait(shard, self.taker)))
            }
        }
    }

    /// Hands on what the call did beside its reply; the shards are still held.
    fn carry_out(&mut self, engine: &Engine, own: Own<'_>, origin: Origin<'_>) {
        if self.effects.audience.is_told() {
            self.tell(engine, own, origin);
        }
        let (stats, effects) = (self.stats(engine), &self.effects);
        for (counter, count) in [
            (&stats.dirty, effects.dirty),
            (&stats.expired, effects.expired),
            (&stats.evicted, effects.evicted),
            (&stats.expired_fields, effects.expired_fields),
            (&stats.hits, effects.hits),
            (&stats.misses, effects.misses),
        ] {
            if count > 0 {
                counter.add(count);
            }
        }
    }

    /// Hands large values that the call removed to the background; no shard is held any more.
    fn free(&mut self, engine: &Engine) {
        if !self.effects.garbage.is_empty() {
            engine
                .host
                .drop_later(Box::new(std::mem::take(&mut self.effects.garbage)));
        }
        failpoint::delay(Place::AfterUnlock);
    }

    /// Starts the clock of a call, which ends that of the call before.
    fn start_clock(&mut self, engine: &Engine, row: &Row) -> Now {
        let now = engine.host.now();
        self.latest = now;
        self.stop_clock(engine, now.monotonic_ns, Ago::Previous);
        self.ran = true;
        let stats = self.stats(engine);
        stats.calls[usize::from(row.id)].calls.add(1);
        stats.commands.add(1);
        self.running = Some((row.id, now.monotonic_ns));
        now
    }

    fn stop_clock(&mut self, engine: &Engine, now_ns: u64, ago: Ago) {
        if let Some((row, started)) = self.running.take() {
            self.count_time(engine, row, now_ns.saturating_sub(started), ago);
        }
    }

    fn count_time(&mut self, engine: &Engine, row: u16, ns: u64, ago: Ago) {
        let call = &self.stats(engine).calls[usize::from(row)];
        call.ns.add(ns);
        if self.world.latency_tracking {
            call.latency.record(ns);
        }
        if ns >= self.world.observed.slow_ns() {
            self.note_slow(engine, row, ns, ago);
        }
    }
}

/// The row of a call; a pipeline that repeats a command finds it by comparing the name with the last one.
fn find_row<'e>(
    engine: &'e Engine,
    session: &mut Session,
    argv: &[&[u8]],
) -> Result<&'e Row, CommandError> {
    let name = argv.first().copied().unwrap_or_default();
    let (known, length, row) = &mut session.last_name;
    if known
        .get(..usize::from(*length))
        .is_some_and(|known| known == name && !name.is_empty())
    {
        return Ok(engine.registry.row(*row));
    }
    let found = engine.registry.find(argv)?;
    *row = found.id;
    *length = 0;
    if found.parent.is_none()
        && found.subcommands.is_empty()
        && let Some(room) = known.get_mut(..name.len())
    {
        room.copy_from_slice(name);
        *length = name.len() as u8;
    }
    Ok(found)
}

fn set_blocked(engine: &Engine, session: &mut Session, blocked: bool) {
    if session.blocked != blocked {
        session.blocked = blocked;
        session.client.set_flag(flag::BLOCKED, blocked);
        engine
            .clients
            .blocked
            .fetch_add(if blocked { 1 } else { -1 }, Relaxed);
    }
}
