//! Blocking as the executor does it: entering the queues, serving ready keys, leaving.

use super::log::Own;
use super::reply::write_reply;
use super::tell::Origin;
use super::{Caller, Hindrance, Local, Step, Wait, set_blocked};
use crate::acks::Wanted;
use crate::blocking::{Parting, Speaker, State, Waiter, WaitsFor};
use crate::engine::Engine;
use crate::locks::{Held, ShardSet, Taker};
use crate::registry::Row;
use crate::session::{ReplyMode, Session};
use bytes::Bytes;
use commands::{BlockOn, CommandError, ManyShards, Now, Reply};
use resp::{Output, Writer};
use std::collections::HashSet;
use std::sync::Arc;
use store::Kind;

impl Local {
    /// The shards that a call needs beyond `shards`, because serving those who wait for its keys touches them, and serving
    /// those who wait for what that makes ready, and so on; `None` when `shards` is enough. All of `shards` are held.
    pub(super) fn close_over_waiters(
        &self,
        engine: &Engine,
        mut queue: Vec<Bytes>,
        shards: &ShardSet,
        held: &Held<'_>,
    ) -> Option<ShardSet> {
        if held.is_everything() || !held.has_waiters() {
            return None;
        }
        let mut wanted = shards.clone();
        let mut seen: HashSet<Bytes> = HashSet::new();
        while let Some(key) = queue.pop() {
            let shard = engine.locks.shard_of(&key);
            if !seen.insert(key.clone()) || !held.holds(shard) {
                wanted.insert(shard);
                continue;
            }
            for waiting in held.of_key(&key).waiters.of_key(&key) {
                if let Some(waiter) = engine.blocked.find(waiting.waiter) {
                    wanted.union(&waiter.shards);
                    queue.extend(waiter.keys(engine));
                }
            }
        }
        (wanted != *shards).then_some(wanted)
    }

    /// Puts a call that found nothing into the queues of its keys, whose shards are held.
    pub(super) fn block(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        held: &mut Held<'_>,
        now: Now,
    ) {
        let Some(mut on) = self.effects.block.take() else {
            return;
        };
        let mut words: Vec<Bytes> = argv
            .iter()
            .map(|word| Bytes::copy_from_slice(word))
            .collect();
        for (at, word) in on.rewritten.drain(..) {
            if let Some(place) = words.get_mut(at) {
                *place = word;
            }
        }
        let shards = super::footprint(row, argv, &engine.locks);
        let deadline_ms = on
            .timeout_ms
            .map(|timeout| now.ms().saturating_add(timeout));
        let speaker = Speaker::of(session);
        let waiter = engine.blocked.enter(
            &session.client,
            row.id,
            words,
            speaker,
            on,
            shards,
            WaitsFor::Keys,
            deadline_ms,
            engine
                .host
                .now()
                .monotonic_ns
                .saturating_sub(now.monotonic_ns),
        );
        for key in &waiter.on.keys {
            held.of_key_mut(key).waiters.add(session.db, key, waiter.id);
        }
        set_blocked(engine, session, true);
        session.waiter = Some(waiter);
    }

    /// Has a session wait until so many replicas have everything up to its last write.
    pub(super) fn wait_for_acks(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        wanted: Wanted,
        timeout_ms: Option<i64>,
    ) -> Step {
        let waiter = wait_without_keys(engine, session, row, WaitsFor::Acks(wanted), timeout_ms);
        engine.acks.enter(engine, &waiter);
        engine.acks.ask(engine);
        self.wait_for_reply(engine, session)
    }

    /// Has a session wait until the server around the engine ends the wait, which `begin` lets it know of.
    pub(super) fn wait_for_host(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        begin: impl FnOnce(),
    ) -> Step {
        wait_without_keys(engine, session, row, WaitsFor::Host, None);
        begin();
        self.wait_for_reply(engine, session)
    }

    /// Answers a call about replicas and disks with what there is.
    pub(super) fn write_acks(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        wanted: &Wanted,
    ) -> Reply {
        engine
            .acks
            .write(wanted, &mut session.writer(&mut self.muted));
        Reply::Written
    }

    /// Serves those who wait for keys that the call just made ready. Their shards are held.
    pub(super) fn serve_ready(&mut self, engine: &Engine, held: &mut Held<'_>, now: Now) {
        let mut ready = std::mem::take(&mut self.effects.ready);
        while !ready.is_empty() {
            let mut next = Vec::new();
            let mut seen = HashSet::new();
            for (db, key) in ready {
                if seen.insert((db, key.clone())) {
                    self.serve_key(engine, held, now, db, &key, &mut next);
                }
            }
            ready = next;
        }
    }

    /// Serves those who wait for one key, in order of arrival; what that makes ready is added to `next`.
    fn serve_key(
        &mut self,
        engine: &Engine,
        held: &mut Held<'_>,
        now: Now,
        db: u16,
        key: &[u8],
        next: &mut Vec<(u16, Bytes)>,
    ) {
        let queue = held.of_key(key).waiters.of_key(key).to_vec();
        for waiting in queue.into_iter().filter(|waiting| waiting.db == db) {
            let Some(waiter) = engine.blocked.find(waiting.waiter) else {
                continue;
            };
            let entry = held.of_key(key).db(db).get(engine.seed.hash(key), key);
            // One whose time is over wakes nobody, and stays for a lookup to delete it, as in Redis.
            let kind = entry
                .filter(|entry| !store::is_expired(entry, now.ms()))
                .map(store::kind_of);
            if !held.covers(&waiter.shards)
                || (kind != Some(waiter.on.kind) && !waiter.on.on_deletion)
                || !waiter.claim(State::Serving)
            {
                continue;
            }
            let served = self.run_again(engine, held, now, &waiter);
            next.append(&mut self.effects.ready);
            if served {
                take_out(engine, held, &waiter);
                waiter.set_state(State::Served);
                waiter.client.inbox.wake();
            } else {
                waiter.set_state(State::Waiting);
            }
        }
    }

    /// Runs a waiter's command again; whether it got its reply, which is in its inbox then.
    fn run_again(
        &mut self,
        engine: &Engine,
        held: &mut Held<'_>,
        now: Now,
        waiter: &Waiter,
    ) -> bool {
        let row = engine.registry.row(waiter.row);
        let argv: Vec<&[u8]> = waiter.words.iter().map(|word| &**word).collect();
        let caller = Caller {
            db: waiter.speaker.db,
            proto: waiter.speaker.proto,
            no_touch: waiter.speaker.no_touch,
            may_block: true,
            is_primary: false,
            elements_max: usize::MAX,
        };
        let mut out = Output::default();
        let started_ns = engine.host.now().monotonic_ns;
        let result = self.perform(engine, &caller, &mut out, row, &argv, held, now);
        if result == Ok(Reply::Block) {
            // A call that goes on waiting may have removed a key that had expired.
            self.carry_out(engine, Own::Nothing, Origin::Waiter(waiter, row, &argv));
            self.end_served_unit(engine, held);
            return false;
        }
        let ended_ns = engine.host.now().monotonic_ns;
        let spent_ns = waiter.spent_ns + ended_ns.saturating_sub(started_ns);
        self.count_waiter(engine, waiter, spent_ns);
        let mut writer = Writer::new(&mut out, waiter.speaker.proto);
        write_reply(engine, self.stats(engine), row, &mut writer, result);
        // The log has it before the client may have its reply, which waits until the file has it.
        if self.effects.audience.log {
            self.note(Own::Words(&argv));
        }
        self.end_served_unit(engine, held);
        if waiter.speaker.reply == ReplyMode::On {
            waiter.client.inbox.push(out.to_bytes(), 0);
        }
        self.carry_out(engine, Own::Nothing, Origin::Waiter(waiter, row, &argv));
        true
    }

    /// Looks at a call that waits: whether it was served, is to leave, or goes on waiting.
    pub(super) fn resume(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        waiter: Arc<Waiter>,
    ) -> Step {
        let expired = waiter
            .deadline_ms
            .is_some_and(|deadline| engine.host.now().ms() >= deadline);
        let leaves = waiter.is(State::Leaving) || (expired && waiter.claim(State::Leaving));
        if leaves {
            return self.leave(engine, session, waiter);
        }
        if waiter.is(State::Served) {
            self.ran = true;
            set_blocked(engine, session, false);
            // One that waited for replicas has written nothing since; the question to them is in the log.
            if !matches!(waiter.waits_for, WaitsFor::Acks(_)) {
                session.log_offset = engine.log.end();
            }
            if self.world.audience.gated {
                session.reveals = engine.log.end();
            }
            session.take_mail(engine);
            return self.end_call(engine, session, engine.registry.row(waiter.row));
        }
        let wait = Wait::Reply {
            deadline_ms: waiter.deadline_ms,
        };
        session.waiter = Some(waiter);
        Step::Wait(wait)
    }

    /// Takes a call that was not served out of the queues and answers it.
    fn leave(&mut self, engine: &Engine, session: &mut Session, waiter: Arc<Waiter>) -> Step {
        match withdraw(engine, &waiter) {
            Err(busy) => {
                session.waiter = Some(waiter);
                self.hinder(engine, session, Hindrance::Busy(busy), ShardSet::none)
            }
            Ok(()) => {
                self.count_waiter(engine, &waiter, waiter.spent_ns);
                set_blocked(engine, session, false);
                let result = match waiter.parting() {
                    Parting::TimedOut => Ok(match &waiter.waits_for {
                        WaitsFor::Acks(wanted) => self.write_acks(engine, session, wanted),
                        WaitsFor::Keys | WaitsFor::Host => waiter.on.otherwise,
                    }),
                    Parting::Error(text) => Err(CommandError::Unblocked(text)),
                };
                self.answer(engine, session, engine.registry.row(waiter.row), result)
            }
        }
    }

    /// Takes the waiting call of a connection that ends out of the queues; the busy shard when it has to wait for one.
    pub(super) fn part_from_queues(
        &self,
        engine: &Engine,
        session: &mut Session,
    ) -> Result<(), u16> {
        let Some(waiter) = session.waiter.take() else {
            return Ok(());
        };
        let leaves = waiter.is(State::Leaving) || waiter.claim(State::Leaving);
        let withdrawn = if leaves {
            withdraw(engine, &waiter)
        } else {
            Ok(())
        };
        if withdrawn.is_err() {
            session.waiter = Some(waiter);
        }
        withdrawn
    }
}

/// Has a session wait for something else than keys; the caller sees to what ends the wait.
fn wait_without_keys(
    engine: &Engine,
    session: &mut Session,
    row: &Row,
    waits_for: WaitsFor,
    timeout_ms: Option<i64>,
) -> Arc<Waiter> {
    let on = BlockOn {
        keys: Vec::new(),
        kind: Kind::String,
        timeout_ms,
        otherwise: Reply::NilArray,
        on_deletion: false,
        rewritten: Vec::new(),
    };
    let deadline_ms = timeout_ms.map(|ms| engine.host.now().ms().saturating_add(ms));
    let waiter = engine.blocked.enter(
        &session.client,
        row.id,
        Vec::new(),
        Speaker::of(session),
        on,
        ShardSet::none(),
        waits_for,
        deadline_ms,
        0,
    );
    set_blocked(engine, session, true);
    session.waiter = Some(Arc::clone(&waiter));
    waiter
}

/// Takes a waiter out of the queues of its keys, whose shards are held.
fn take_out(engine: &Engine, held: &mut Held<'_>, waiter: &Waiter) {
    for key in &waiter.on.keys {
        held.of_key_mut(key)
            .waiters
            .remove(waiter.speaker.db, key, waiter.id);
    }
    if matches!(waiter.waits_for, WaitsFor::Acks(_)) {
        engine.acks.forget(waiter);
    }
    engine.blocked.forget(waiter);
}

/// Takes a waiter that leaves out of the queues, or says which of its shards was busy.
fn withdraw(engine: &Engine, waiter: &Waiter) -> Result<(), u16> {
    let mut held = engine.locks.acquire(&waiter.shards, Taker::Worker)?;
    take_out(engine, &mut held, waiter);
    Ok(())
}

impl Waiter {
    /// Every key that running the command again can touch.
    fn keys(&self, engine: &Engine) -> Vec<Bytes> {
        let argv: Vec<&[u8]> = self.words.iter().map(|word| &**word).collect();
        super::keys_of(engine.registry.row(self.row), &argv).collect()
    }
}

/// Whether a session's waiting call has come to something.
pub(super) fn is_settled(session: &Session) -> bool {
    let settled = |waiter: &Arc<Waiter>| waiter.is(State::Served) || waiter.is(State::Leaving);
    session.waiter.as_ref().is_none_or(settled)
}
