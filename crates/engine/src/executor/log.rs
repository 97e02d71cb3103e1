//! What an execution puts into the replication log.
//!
//! 1. A call's commands are gathered while it runs: deletions of expired keys that it met, then its own words or what it
//!    wants logged in their place.
//! 2. The unit is appended in one piece before its shards are released: a call, a whole EXEC, one served waiter, one step
//!    of expiry. So the order of the log is an order of execution.
//! 3. On a replica effects put nothing there. The bytes of the primary are appended as they came, after what they say has
//!    run, with the same shards held.

use super::{Local, Step};
use crate::engine::Engine;
use crate::executor::footprint;
use crate::handler::Flow;
use crate::locks::{Held, ShardSet};
use crate::registry::Row;
use crate::session::Session;
use crate::session_ctx::SessionCtx;
use crate::world::Role;
use commands::{Args, CommandError, Flags, Logged};
use log::Framing;

/// A call's own words, as the log may get them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Own<'a> {
    /// They are logged when the call has changed something and asked for nothing else.
    Words(&'a [&'a [u8]]),
    /// They never are, and deletions of expired keys that the call met have nothing to do with each other.
    Walk,
    /// There are none.
    Nothing,
}

impl<'a> Own<'a> {
    /// The words of a call of `row`.
    pub(super) fn of(row: &Row, argv: &'a [&'a [u8]]) -> Self {
        if row.flags.contains(Flags::READONLY.union(Flags::EVERYTHING)) {
            Self::Walk
        } else {
            Self::Words(argv)
        }
    }
}

impl Local {
    /// Gathers what the call that ended puts into the log.
    #[cold]
    pub(super) fn note(&mut self, own: Own<'_>) {
        let Self { unit, effects, .. } = self;
        let mut add = |Logged { db, words }: &Logged| {
            unit.command(*db, words.iter().map(|word| &**word));
        };
        effects.log_before.iter().for_each(&mut add);
        effects.log_before.clear();
        match (effects.log_instead.take(), own) {
            (Some(instead), _) => instead.iter().for_each(add),
            (None, Own::Words(argv)) if effects.dirty > 0 || effects.log_anyway => {
                unit.command(effects.db, argv.iter().copied());
            }
            (None, _) => {}
        }
    }

    /// Gathers a call's own words.
    pub(super) fn note_words(&mut self, db: u16, argv: &[&[u8]]) {
        if self.world.audience.log {
            self.unit.command(db, argv.iter().copied());
        }
    }

    /// Ends the unit of a session's call or transaction, whose shards are still held.
    #[inline]
    pub(super) fn end_unit(&mut self, engine: &Engine, session: &mut Session, held: &mut Held<'_>) {
        let audience = self.effects.audience;
        if audience.log | audience.gated || session.feed.is_some() {
            self.append(engine, session, Framing::Transaction, held);
        }
    }

    /// As [`Local::end_unit`], of a call with such words.
    pub(super) fn end_unit_of(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        own: Own<'_>,
        held: &mut Held<'_>,
    ) {
        match own {
            Own::Words(_) => self.end_unit(engine, session, held),
            Own::Walk => self.append(engine, session, Framing::Loose, held),
            Own::Nothing => {}
        }
    }

    #[cold]
    fn append(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        framing: Framing,
        held: &mut Held<'_>,
    ) {
        if session.replays {
            self.unit.clear();
        }
        let mut end = None;
        if !self.unit.is_empty() {
            session.log_offset = engine.log.append(&mut self.unit, framing);
            end = Some(session.log_offset);
        }
        if let Some(feed) = session.feed.as_mut().filter(|feed| !feed.raw.is_empty()) {
            end = Some(engine.log.append_verbatim(&feed.raw, session.db));
            feed.raw.clear();
        }
        self.note_write(held, end);
        if self.world.audience.gated {
            session.reveals = session.reveals.max(held.written());
        }
    }

    /// Lets the shards know that they were written to, when replies wait for that.
    fn note_write(&self, held: &mut Held<'_>, end: Option<u64>) {
        if self.world.audience.gated
            && let Some(end) = end
        {
            held.note_write(end);
        }
    }

    /// Ends the unit of a waiter that was served, or of an attempt at that.
    pub(super) fn end_served_unit(&mut self, engine: &Engine, held: &mut Held<'_>) {
        if !self.unit.is_empty() {
            let end = engine.log.append(&mut self.unit, Framing::Transaction);
            self.note_write(held, Some(end));
        }
    }

    /// Ends a unit of deletions that have nothing to do with each other.
    pub(super) fn end_loose_unit(
        &mut self,
        engine: &Engine,
        session: Option<&mut Session>,
        held: &mut Held<'_>,
    ) {
        if session.as_ref().is_some_and(|session| session.executing) {
            return;
        }
        match session {
            Some(session) => self.append(engine, session, Framing::Loose, held),
            None if !self.unit.is_empty() => {
                let end = engine.log.append(&mut self.unit, Framing::Loose);
                self.note_write(held, Some(end));
            }
            None => {}
        }
    }

    /// Whether a session command's words go into the log whatever it does, and the log is written.
    pub(super) fn is_logged(&self, row: &Row) -> bool {
        self.world.audience.log && row.is_logged_anyway()
    }

    /// Runs a session command whose words go into the log whatever it does, with a shard held meanwhile: so that this is
    /// no replica by the time they are appended.
    pub(super) fn run_logged(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        argv: &[&[u8]],
        run: fn(&mut SessionCtx<'_>, Args<'_>) -> Result<Flow, CommandError>,
    ) -> Step {
        let shards = footprint(row, argv, &engine.locks);
        let mut held = match self.acquire(engine, &shards) {
            Ok(held) => held,
            Err(hindrance) => return self.hinder(engine, session, hindrance, || shards.clone()),
        };
        self.effects.reset(self.world.audience, session.db);
        let now = self.start_clock(engine, row);
        let flow = self.run_session(engine, session, row, argv, now, run);
        self.note_words(session.db, argv);
        self.end_unit(engine, session, &mut held);
        let step = self.settle(engine, session, row, argv, flow);
        drop(held);
        step
    }

    /// Appends what of the primary's bytes is left after a call that held no shard; any shard keeps the role as it is.
    pub(super) fn settle_feed(&mut self, engine: &Engine, session: &mut Session) -> Step {
        let waits = session.transaction.is_some();
        let Some(feed) = session.feed.as_ref().filter(|feed| !feed.raw.is_empty()) else {
            return Step::Done;
        };
        if waits {
            return Step::Done;
        }
        let epoch = feed.epoch;
        let any = ShardSet::one(0);
        let mut held = match self.acquire(engine, &any) {
            Ok(held) => held,
            Err(hindrance) => return self.hinder(engine, session, hindrance, || any.clone()),
        };
        if !matches!(self.world.role, Role::Replica { epoch: other, .. } if other == epoch) {
            return Step::Close;
        }
        self.append(engine, session, Framing::Transaction, &mut held);
        drop(held);
        Step::Done
    }
}
