//! What others are told of a call, under its locks: the log, those who track its keys, and subscribers of keyspace events.

use super::Local;
use super::footprint::named_keys;
use super::log::Own;
use crate::blocking::Waiter;
use crate::engine::Engine;
use crate::registry::Row;
use crate::session::Session;
use commands::Flags;

/// On whose behalf effects are carried out.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// Nobody's: a key's time was over.
    Server,
    /// A call of a session, which holds shards rather than keys.
    Session(&'a Session),
    /// A session's call of a data command.
    Call(&'a Session, &'a Row, &'a [&'a [u8]]),
    /// A waiting call that was run again.
    Waiter(&'a Waiter, &'a Row, &'a [&'a [u8]]),
}

impl Local {
    /// Tells others of what a call has done, and records what it has read.
    #[inline(never)]
    pub(super) fn tell(&mut self, engine: &Engine, own: Own<'_>, origin: Origin<'_>) {
        if self.effects.audience.log {
            self.note(own);
        }
        let effects = &self.effects;
        if effects.audience.changes {
            if effects.flushed {
                let garbage = engine.pubsub.invalidate_all(&engine.clients);
                engine.host.drop_later(garbage);
            }
            if !effects.changed.is_empty() {
                let caller = origin.client();
                let (changed, clients) = (&effects.changed, &engine.clients);
                self.broadcasts |= engine.pubsub.invalidate(changed, caller, clients);
            }
            origin.record(engine);
        }
        if !effects.events.is_empty() {
            engine
                .pubsub
                .notify(&effects.events, effects.audience.events);
        }
        // The reply to a waiter is on its way; that of any other call waits for the end of the batch.
        if matches!(origin, Origin::Waiter(..)) {
            self.broadcast(engine);
        }
    }

    /// Sends the messages of broadcasts for the changes of this batch.
    pub(super) fn broadcast(&mut self, engine: &Engine) {
        if std::mem::take(&mut self.broadcasts) {
            engine.pubsub.broadcast(&engine.clients);
        }
    }

    /// Takes records away that are not needed any more, and stops recording when nobody tracks. Whether there is more to do.
    pub(super) fn tidy_tracking(&mut self, engine: &Engine) -> bool {
        self.look_at_world(engine);
        if !self.world.audience.changes {
            return false;
        }
        let more = engine.pubsub.sweep(SWEPT, &engine.clients);
        if engine.pubsub.is_untracked() {
            // Who begins to track holds every shard, as this does.
            engine.try_change_world(|world| {
                world.audience.changes = !engine.pubsub.is_untracked();
            });
        }
        more
    }
}

impl Origin<'_> {
    /// The connection whose call it is.
    fn client(self) -> Option<u64> {
        match self {
            Self::Server => None,
            Self::Session(session) | Self::Call(session, ..) => Some(session.client.id),
            Self::Waiter(waiter, ..) => Some(waiter.client.id),
        }
    }

    /// Records the keys of a call that read, if its session tracks them (trackingRememberKeys, Redis 7.2).
    fn record(self, engine: &Engine) {
        let (tracking, row, argv) = match self {
            Self::Server | Self::Session(_) => return,
            Self::Call(session, row, argv) => (session.tracking, row, argv),
            Self::Waiter(waiter, row, argv) => (waiter.speaker.tracking, row, argv),
        };
        if let Some(number) = tracking.recorder()
            && row.flags.contains(Flags::READONLY)
        {
            let keys = named_keys(row, argv);
            engine.pubsub.record(number, keys, &engine.clients);
        }
    }
}

/// Records that a step takes away.
const SWEPT: usize = 1000;
