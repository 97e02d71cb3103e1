//! How far replicas and disks are, and the clients that wait for them (WAIT, WAITAOF).

use crate::blocking::{State, Waiter, WaitsFor};
use crate::engine::Engine;
use crate::locks::Held;
use crate::session::ReplyMode;
use commands::CommandError;
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
    replicas: HashMap<u64, Far>,
    /// Up to where the log is in this server's own append-only file and on disk, if it has one.
    local: Option<u64>,
    waiters: Vec<Arc<Waiter>>,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug)]
struct Far {
    /// What it has executed.
    offset: u64,
    /// What is on its disk.
    durable: Option<u64>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The offset behind its last write.
    pub(crate) offset: u64,
    /// How many replicas.
    pub(crate) replicas: usize,
    /// Whether it is to be on their disks (WAITAOF), and on how many of this server's own: none or one.
    pub(crate) durable: Option<usize>,
}

/// What of a wish is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    local: usize,
    replicas: usize,
}

impl Acks {
    /// A replica has everything up to this offset, and on its disk up to that one, if it has said so. Those whose wish that
    /// fulfils are answered.
    pub fn note(&self, engine: &Engine, replica: u64, offset: u64, durable: Option<u64>) {
        let mut board = self.board.lock();
        board.replicas.insert(replica, Far { offset, durable });
        board.serve(engine);
    }

    /// This server's own file is on disk up to this offset; `None` when it has none (any more).
    pub fn note_local(&self, engine: &Engine, durable: Option<u64>) {
        let mut board = self.board.lock();
        board.local = durable;
        board.serve(engine);
    }

    /// A replica is gone.
    pub fn leave(&self, replica: u64) {
        self.board.lock().replicas.remove(&replica);
    }

    /// Whether a wish is fulfilled.
    pub(crate) fn fulfils(&self, wanted: &Wanted) -> bool {
        self.board.lock().fulfilled(wanted).is_some()
    }

    /// Writes what of a wish is there.
    pub(crate) fn write(&self, wanted: &Wanted, out: &mut Writer<'_>) {
        let count = self.board.lock().count(wanted);
        count.write(wanted, out);
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
        if engine.world().is_paused(now_ms) || !self.wanted.swap(false, Relaxed) {
            return;
        }
        if !engine.try_append(&mut question()) {
            self.wanted.store(true, Relaxed);
        }
    }

    /// Asks all replicas, unless this is one itself; the log wakes those who read it once the shards are released.
    pub fn ask_holding(&self, engine: &Engine, held: &Held<'_>) {
        engine.append_holding(held, &mut question());
    }
}

/// The question to all replicas how far they are.
fn question() -> Unit {
    let mut unit = Unit::default();
    unit.command_anywhere(&[b"REPLCONF", b"GETACK", b"*"]);
    unit
}

impl Board {
    fn count(&self, wanted: &Wanted) -> Count {
        let has = |far: &&Far| match wanted.durable {
            None => far.offset >= wanted.offset,
            Some(_) => far.durable.is_some_and(|durable| durable >= wanted.offset),
        };
        Count {
            local: usize::from(self.local.is_some_and(|local| local >= wanted.offset)),
            replicas: self.replicas.values().filter(has).count(),
        }
    }

    fn fulfilled(&self, wanted: &Wanted) -> Option<Count> {
        let count = self.count(wanted);
        let fulfils =
            count.replicas >= wanted.replicas && count.local >= wanted.durable.unwrap_or(0);
        fulfils.then_some(count)
    }

    /// Answers those who have got what they wait for, and those who cannot get it any more.
    fn serve(&mut self, engine: &Engine) {
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            let WaitsFor::Acks(wanted) = waiter.waits_for else {
                continue;
            };
            let hopeless = self.local.is_none() && wanted.durable.is_some_and(|local| local > 0);
            let fulfilled = self.fulfilled(&wanted);
            if !hopeless && fulfilled.is_none() {
                self.waiters.push(waiter);
                continue;
            }
            if !waiter.claim(State::Serving) {
                continue;
            }
            let mut out = Output::default();
            let mut writer = Writer::new(&mut out, waiter.speaker.proto);
            match fulfilled.filter(|_| !hopeless) {
                Some(count) => count.write(&wanted, &mut writer),
                None => writer.error(CommandError::NoAppendOnlyFile.text().as_bytes()),
            }
            if waiter.speaker.reply == ReplyMode::On {
                waiter.client.inbox.push(out.to_bytes(), 0);
            }
            engine.blocked.forget(&waiter);
            waiter.set_state(State::Served);
            waiter.client.inbox.wake();
        }
    }
}

impl Count {
    /// WAIT is answered with the number of replicas, WAITAOF with both numbers.
    fn write(self, wanted: &Wanted, out: &mut Writer<'_>) {
        if wanted.durable.is_some() {
            out.array(2);
            out.integer(self.local as i64);
        }
        out.integer(self.replicas as i64);
    }
}
