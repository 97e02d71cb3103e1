//! How far replicas are, and the clients that wait for them (WAIT).

use crate::blocking::{State, Waiter};
use crate::engine::Engine;
use crate::session::ReplyMode;
use log::Unit;
use parking_lot::Mutex;
use resp::{Output, Writer};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What replicas have acknowledged, and who waits for them.
#[derive(Debug, Default)]
pub struct Acks {
    board: Mutex<Board>,
    /// Replicas are to be asked how far they are.
    wanted: AtomicBool,
}

#[derive(Debug, Default)]
struct Board {
    /// By the client number of the replica's connection.
    offsets: HashMap<u64, u64>,
    waiters: Vec<Arc<Waiter>>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The offset behind its last write.
    pub(crate) offset: u64,
    /// How many replicas.
    pub(crate) replicas: usize,
}

impl Acks {
    /// A replica has everything up to this offset. Those whose wish that fulfils are answered.
    pub fn note(&self, engine: &Engine, replica: u64, offset: u64) {
        let mut board = self.board.lock();
        board.offsets.insert(replica, offset);
        board.serve(engine);
    }

    /// A replica is gone.
    pub fn leave(&self, replica: u64) {
        self.board.lock().offsets.remove(&replica);
    }

    /// How many replicas have everything up to this offset.
    #[must_use]
    pub fn count(&self, offset: u64) -> usize {
        self.board.lock().count(offset)
    }

    pub(crate) fn enter(&self, engine: &Engine, waiter: &Arc<Waiter>) {
        let mut board = self.board.lock();
        board.waiters.push(Arc::clone(waiter));
        board.serve(engine);
    }

    pub(crate) fn forget(&self, waiter: &Waiter) {
        let mut board = self.board.lock();
        board.waiters.retain(|other| other.id != waiter.id);
    }

    /// Asks all replicas how far they are, by a command in the log.
    pub(crate) fn ask(&self, engine: &Engine) {
        self.wanted.store(true, Relaxed);
        self.ask_if_wanted(engine);
    }

    /// Asks all replicas if somebody wants to know and has not been able to ask: a shard was busy, or clients are paused,
    /// which holds the question back as well (Redis 7.2). To be called several times a second.
    pub fn ask_if_wanted(&self, engine: &Engine) {
        let now_ms = engine.host.now().ms();
        let world = engine.world();
        let paused = world.pause.is_some_and(|pause| now_ms < pause.until_ms);
        if paused || world.failing_over || !self.wanted.swap(false, Relaxed) {
            return;
        }
        let mut unit = Unit::default();
        unit.command_anywhere(&[b"REPLCONF", b"GETACK", b"*"]);
        if !engine.try_append(&mut unit) {
            self.wanted.store(true, Relaxed);
        }
    }
}

impl Board {
    fn count(&self, offset: u64) -> usize {
        self.offsets.values().filter(|has| **has >= offset).count()
    }

    /// Answers those who have got what they wait for.
    fn serve(&mut self, engine: &Engine) {
        let Self { offsets, waiters } = self;
        waiters.retain(|waiter| {
            let Some(wanted) = waiter.acks else {
                return false;
            };
            let count = offsets
                .values()
                .filter(|has| **has >= wanted.offset)
                .count();
            if count < wanted.replicas {
                return true;
            }
            if waiter.claim(State::Serving) {
                let mut out = Output::default();
                Writer::new(&mut out, waiter.speaker.proto).integer(count as i64);
                if waiter.speaker.reply == ReplyMode::On {
                    waiter.client.inbox.push(out.to_bytes(), 0);
                }
                engine.blocked.forget(waiter);
                waiter.set_state(State::Served);
                waiter.client.inbox.wake();
            }
            false
        });
    }
}
