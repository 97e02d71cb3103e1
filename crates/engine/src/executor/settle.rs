//! What session commands ask for beside a reply: shards by number, EXEC, walks, a freeze.

use super::footprint::{is_long_transaction, keys_of};
use super::log::Own;
use super::observe::Ago;
use super::tell::Origin;
use super::{Hindrance, Local, Step};
use crate::acks::Wanted;
use crate::clients::flag;
use crate::engine::Engine;
use crate::failpoint::{self, Fault, Place};
use crate::handler::{Flow, Handler};
use crate::holding::{HoldFn, Holding};
use crate::locks::{Held, ShardSet, Taker};
use crate::registry::Row;
use crate::session::Session;
use crate::transaction::end_watches;
use crate::walk::{Progress, Walk};
use crate::world::World;
use commands::{CommandError, Flags, ManyShards, Now, Reply};
use std::sync::Arc;

impl Local {
    /// Brings what a session command asked for to its end.
    pub(super) fn settle(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        flow: Result<Flow, CommandError>,
    ) -> Step {
        if self.world.monitored && matches!(flow, Err(_) | Ok(Flow::Reply(_) | Flow::Close(_))) {
            self.show(engine, session, row, argv);
        }
        match flow {
            Ok(Flow::Reply(reply)) => self.answer(engine, session, row, Ok(reply)),
            Err(error) => self.answer(engine, session, row, Err(error)),
            Ok(Flow::Close(reply)) => {
                session.client.set_flag(flag::CLOSING, true);
                self.answer(engine, session, row, Ok(reply));
                Step::Close
            }
            Ok(Flow::Hold(shards, run)) => {
                self.settle_hold(engine, session, row, argv, shards, run)
            }
            Ok(Flow::Exec) => self.settle_exec(engine, session, row, argv),
            Ok(Flow::Walk(walk)) => self.settle_walk(engine, session, row, argv, walk),
            Ok(Flow::Acks {
                replicas,
                durable,
                timeout_ms,
            }) => {
                let wanted = Wanted {
                    offset: session.log_offset,
                    replicas,
                    durable,
                };
                if engine.acks.fulfils(&wanted) {
                    let reply = self.write_acks(engine, session, &wanted);
                    return self.answer(engine, session, row, Ok(reply));
                }
                self.wait_for_acks(engine, session, row, wanted, timeout_ms)
            }
            Ok(Flow::Await(begin)) => self.wait_for_host(engine, session, row, begin),
            Ok(Flow::Freeze(us)) => match self.freeze(engine) {
                Ok(()) => {
                    self.running = None;
                    self.latest.unix_us += i64::try_from(us).unwrap_or(0);
                    self.count_time(engine, row.id, us.saturating_mul(1000), Ago::Last);
                    Step::Freeze(us)
                }
                Err(hindrance) => {
                    session.pending = Some((self.generation, Flow::Freeze(us)));
                    self.hinder(engine, session, hindrance, || ShardSet::All)
                }
            },
            Ok(Flow::Elsewhere) => self.call_again_on_lane(engine),
            Ok(Flow::Host(request)) => Step::Host(request),
        }
    }

    pub(super) fn settle_hold(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        shards: ShardSet,
        mut run: HoldFn,
    ) -> Step {
        let keys = || keys_of(row, argv).collect();
        let acquired = self.acquire_with_waiters(engine, shards.clone(), keys);
        let mut held = match acquired {
            Ok(held) => held,
            Err(hindrance) => {
                session.pending = Some((self.generation, Flow::Hold(shards.clone(), run)));
                return self.hinder(engine, session, hindrance, || shards.clone());
            }
        };
        let now = engine.host.now();
        let result = self.hold(
            engine,
            session,
            &mut held,
            now,
            Own::of(row, argv),
            &mut run,
        );
        if result == Ok(Reply::Elsewhere) {
            drop(held);
            self.free(engine);
            return self.call_again_on_lane(engine);
        }
        self.reply(engine, session, row, result);
        if self.world.monitored {
            self.show(engine, session, row, argv);
        }
        drop(held);
        self.free(engine);
        if let Some(request) = self.then.take() {
            return Step::Host(request);
        }
        self.end_call(engine, session, row)
    }

    /// Lets a session command be called anew, on a lane; it counts then.
    fn call_again_on_lane(&mut self, engine: &Engine) -> Step {
        self.forget_start(engine);
        Step::Lane
    }

    /// Runs `run` with the shards of `held`, and puts a changed world in force.
    pub(super) fn hold(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        held: &mut Held<'_>,
        now: Now,
        own: Own<'_>,
        run: &mut dyn FnMut(&mut Holding<'_>) -> Result<Reply, CommandError>,
    ) -> Result<Reply, CommandError> {
        self.effects.reset(self.world.audience, session.db);
        let world = Arc::clone(&self.world);
        let mut holding = Holding {
            shards: held.shards(),
            session,
            engine,
            world: &world,
            now,
            effects: &mut self.effects,
            rng: &mut self.rng,
            new_world: None,
            then: None,
            muted: &mut self.muted,
        };
        let result = run(&mut holding);
        let new_world = holding.new_world.take();
        self.then = holding.then.take();
        drop(holding);
        self.carry_out(engine, own, Origin::Session(session));
        if !session.executing {
            self.end_unit_of(engine, session, own, held);
            self.serve_ready(engine, held, now);
        }
        if let Some(new_world) = new_world {
            engine.replace_world(held, new_world);
            self.look_at_world(engine);
            if self.world.is_replica() {
                // What a transaction did before it gave up being a primary is nobody's history (Redis 7.2).
                self.unit.clear();
            }
        }
        result
    }

    pub(super) fn settle_exec(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
    ) -> Step {
        let mut shards = session.watches.shards(&engine.locks);
        if let Some(transaction) = &session.transaction {
            shards.union(&transaction.shards);
            if self.taker == Taker::Worker && transaction.flags.contains(Flags::SYSTEM) {
                self.suspend_clock(engine, session);
                session.pending = Some((self.generation, Flow::Exec));
                return Step::Lane;
            }
        }
        let too_early = failpoint::is(Fault::WatchBeforeLocks).then(|| session.watches.is_marked());
        failpoint::delay(Place::BetweenLocks);
        let acquired = self.acquire_with_waiters(engine, shards.clone(), || {
            session
                .transaction
                .iter()
                .flat_map(|transaction| transaction.keys(engine))
                .collect()
        });
        let mut held = match acquired {
            Ok(held) => held,
            Err(hindrance) => {
                session.pending = Some((self.generation, Flow::Exec));
                return self.hinder(engine, session, hindrance, || shards.clone());
            }
        };
        if self.taker == Taker::Worker && is_long_transaction(engine, session, &held) {
            drop(held);
            self.suspend_clock(engine, session);
            session.pending = Some((self.generation, Flow::Exec));
            session.give_way();
            return Step::Lane;
        }
        let now = engine.host.now();
        let dirty = too_early.unwrap_or_else(|| {
            session
                .watches
                .are_dirty(now.ms(), engine.seed, |key| held.of_key(key))
        });
        let reply = self.exec(engine, session, &mut held, now, dirty);
        self.reply(engine, session, row, Ok(reply));
        if self.world.monitored {
            self.show(engine, session, row, argv);
        }
        drop(held);
        self.free(engine);
        self.end_call(engine, session, row)
    }

    /// Runs the queued commands with every shard held that they and the watched keys can touch.
    pub(super) fn exec<'e>(
        &mut self,
        engine: &'e Engine,
        session: &mut Session,
        held: &mut Held<'e>,
        now: Now,
        dirty: bool,
    ) -> Reply {
        let transaction = session.transaction.take().unwrap_or_default();
        let _forgotten = self.hold(engine, session, held, now, Own::Nothing, &mut |held| {
            end_watches(held);
            Ok(Reply::Written)
        });
        if dirty {
            return Reply::NilArray;
        }
        self.writer(session).array(transaction.queued.len());
        let mut ready = Vec::new();
        session.executing = true;
        let mut previous = None;
        let noted = self.slow.len();
        for queued in &transaction.queued {
            let row = engine.registry.row(queued.row);
            let argv = queued.words.argv();
            let started = self.start_clock(engine, row);
            self.log_slow_of_exec(engine, session, noted, previous.replace(queued));
            let before = session.out.len();
            let result = match row.handler {
                Handler::Read(_) | Handler::Write(_) => {
                    // One instant for all of them: no key expires within a transaction.
                    let result = self.perform_for(engine, session, row, &argv, held, now);
                    self.carry_out(engine, Own::Words(&argv), Origin::Call(session, row, &argv));
                    result
                }
                Handler::Session(run) => {
                    let now = started;
                    let flow = if row.flags.contains(Flags::SYSTEM) {
                        self.outside(engine, held, |local| {
                            local.run_session(engine, session, row, &argv, now, run)
                        })
                    } else {
                        self.run_session(engine, session, row, &argv, now, run)
                    };
                    if self.is_logged(row) {
                        self.note_words(session.db, &argv);
                    }
                    self.settle_held(engine, session, Own::of(row, &argv), held, now, flow)
                }
                Handler::Container => Err(CommandError::Arity(row.name.to_string().into())),
            };
            ready.append(&mut self.effects.ready);
            self.reply(engine, session, row, result);
            self.observe_queued(engine, session, row, queued, before);
        }
        session.executing = false;
        self.end_unit(engine, session, held);
        if previous.is_some() {
            let now_ns = engine.host.now().monotonic_ns;
            self.stop_clock(engine, now_ns, Ago::Last);
            self.log_slow_of_exec(engine, session, noted, previous);
        }
        if !ready.is_empty() {
            // What became ready at the start may have expired by the end.
            let now = engine.host.now();
            self.effects.ready = ready;
            self.serve_ready(engine, held, now);
        }
        self.set_frozen(engine, held, false);
        Reply::Written
    }

    /// Runs something that makes calls of the operating system between two commands of a transaction: with no shard held,
    /// and with the world frozen, for the transaction has to stay one. Every shard must be held, and is again afterwards.
    /// Only a lane may wait for that.
    fn outside<'e, T>(
        &mut self,
        engine: &'e Engine,
        held: &mut Held<'e>,
        run: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.set_frozen(engine, held, true);
        held.release();
        let result = run(self);
        *held = engine.take_everything();
        self.look_at_world(engine);
        result
    }

    fn set_frozen(&mut self, engine: &Engine, held: &mut Held<'_>, frozen: bool) {
        if self.world.frozen != frozen {
            let world = World::clone(&self.world);
            engine.replace_world(held, World { frozen, ..world });
            self.look_at_world(engine);
        }
    }

    /// Brings what a session command asked for inside EXEC to its end, with the shards of the transaction.
    pub(super) fn settle_held<'e>(
        &mut self,
        engine: &'e Engine,
        session: &mut Session,
        own: Own<'_>,
        held: &mut Held<'e>,
        now: Now,
        flow: Result<Flow, CommandError>,
    ) -> Result<Reply, CommandError> {
        match flow? {
            Flow::Reply(reply) => Ok(reply),
            Flow::Close(reply) => {
                session.close_after_reply = true;
                Ok(reply)
            }
            Flow::Hold(_, mut run) => self.hold(engine, session, held, now, own, &mut run),
            Flow::Walk(mut walk) => {
                walk.run(&held.shards(), engine.seed, now);
                self.carry_out_walk(engine, session, held, now, &mut walk);
                Ok(walk.finish(&mut self.writer(session)))
            }
            Flow::Acks {
                replicas, durable, ..
            } => {
                let wanted = Wanted {
                    offset: session.log_offset,
                    replicas,
                    durable,
                };
                Ok(self.write_acks(engine, session, &wanted))
            }
            Flow::Freeze(us) => {
                self.outside(engine, held, |_| engine.host.sleep(us));
                Ok(Reply::Ok)
            }
            Flow::Exec | Flow::Elsewhere | Flow::Await(_) | Flow::Host(_) => {
                Err(CommandError::NotInTransaction)
            }
        }
    }

    pub(super) fn settle_walk(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        mut walk: Walk,
    ) -> Step {
        loop {
            let shards = ShardSet::one(walk.shard());
            let mut held = match self.acquire(engine, &shards) {
                Ok(held) => held,
                Err(hindrance) => {
                    session.pending = Some((self.generation, Flow::Walk(walk)));
                    return self.hinder(engine, session, hindrance, || shards.clone());
                }
            };
            let now = engine.host.now();
            let progress = held
                .shards()
                .first_mut()
                .map_or(Progress::Finished, |(_, shard)| {
                    walk.step(shard, engine.seed, now, engine.locks.count(), &|| {
                        engine.host.now()
                    })
                });
            self.carry_out_walk(engine, session, &mut held, now, &mut walk);
            drop(held);
            self.free(engine);
            match progress {
                Progress::Finished => {
                    if self.world.monitored {
                        self.show(engine, session, row, argv);
                    }
                    let reply = walk.finish(&mut self.writer(session));
                    return self.answer(engine, session, row, Ok(reply));
                }
                Progress::NextShard => {}
                Progress::Pause => {
                    self.suspend_clock(engine, session);
                    session.pending = Some((self.generation, Flow::Walk(walk)));
                    return Step::Yield;
                }
            }
        }
    }

    pub(super) fn freeze(&mut self, engine: &Engine) -> Result<(), Hindrance> {
        let mut held = self.acquire(engine, &ShardSet::All)?;
        self.set_frozen(engine, &mut held, true);
        Ok(())
    }
}
