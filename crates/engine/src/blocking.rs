//! Clients that wait for keys (BLPOP and its siblings), and how they are served.
//!
//! 1. A call that finds nothing is registered under the locks of its keys, in the same hold in which it found nothing.
//! 2. A write to a key with waiters takes, before it runs, the shards of everything that serving those waiters may touch,
//!    and of what serving may make ready in turn, to a fixed point. Waiters are added under the shard's lock only, so what
//!    was found once everything is held stays so. **Invariant**: whoever may wake a waiter holds all its shards.
//! 3. After the write's own effects the ready keys are served in the order in which they became ready, each key's waiters
//!    in order of arrival, by running the waiter's command again (as Redis 7.2 reprocesses it). What that makes ready is
//!    served in the next round.
//! 4. Leaving (timeout, CLIENT UNBLOCK, the end of the connection) races with serving: whoever changes
//!    [`State::Waiting`] first decides. The one who leaves takes the record out under the locks afterwards.

use crate::acks::Wanted;
use crate::clients::Client;
use crate::locks::ShardSet;
use crate::session::{ReplyMode, Session};
use crate::tracking::Tracking;
use bytes::Bytes;
use commands::BlockOn;
use dashmap::DashMap;
use parking_lot::Mutex;
use resp::Proto;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};

/// A call that waits.
#[derive(Debug)]
pub struct Waiter {
    /// Its number in the queues of shards.
    pub(crate) id: u64,
    pub(crate) client: Arc<Client>,
    pub(crate) row: u16,
    /// The words with which it is run again.
    pub(crate) words: Vec<Bytes>,
    pub(crate) speaker: Speaker,
    pub(crate) on: BlockOn,
    /// Every shard that running it again can touch.
    pub(crate) shards: ShardSet,
    pub(crate) waits_for: WaitsFor,
    /// When it gives up, in Unix milliseconds.
    pub(crate) deadline_ms: Option<i64>,
    /// Time that finding nothing took.
    pub(crate) spent_ns: u64,
    state: AtomicU8,
    /// What CLIENT UNBLOCK or a change of role made it leave with.
    parting: Mutex<Parting>,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Its keys.
    Keys,
    /// So many replicas that have everything up to an offset (WAIT).
    Acks(Wanted),
    /// The server around the engine (SHUTDOWN).
    Host,
}

/// How its session stood when it began to wait, and stands until it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) db: u16,
    pub(crate) proto: Proto,
    pub(crate) no_touch: bool,
    pub(crate) reply: ReplyMode,
    pub(crate) tracking: Tracking,
}

impl Speaker {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            db: session.db,
            proto: session.proto,
            no_touch: session.no_touch,
            reply: session.reply,
            tracking: session.tracking,
        }
    }
}

/// Whether a waiter can still be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// It waits.
    Waiting,
    /// Its command is being run again.
    Serving,
    /// It got its reply.
    Served,
    /// It gave up or was made to.
    Leaving,
}

/// How a waiter ends that was not served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parting {
    /// As at its timeout: with the reply for nothing.
    #[default]
    TimedOut,
    /// With an error of this text.
    Error(&'static str),
}

/// All waiters by their number.
#[derive(Debug, Default)]
pub struct Blocked {
    by_id: DashMap<u64, Arc<Waiter>>,
    by_client: DashMap<u64, Arc<Waiter>>,
    last_id: AtomicU64,
}

/// What is waited for, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// Keys that somebody waits for, those of every database counted apart.
    pub keys: usize,
    /// Those of them whose deletion is waited for too.
    pub keys_on_deletion: usize,
    /// Calls that give up at some time.
    pub with_deadline: usize,
}

impl Waiter {
    /// Moves from [`State::Waiting`] to `to`, unless somebody else has.
    pub(crate) fn claim(&self, to: State) -> bool {
        loop {
            let found = self
                .state
                .compare_exchange(State::Waiting as u8, to as u8, SeqCst, SeqCst);
            match found {
                Ok(_) => return true,
                // Serving lasts as long as one short call; afterwards it may wait again.
                Err(state) if state == State::Serving as u8 && to == State::Leaving => {
                    std::thread::yield_now()
                }
                Err(_) => return false,
            }
        }
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, SeqCst);
    }

    pub(crate) fn is(&self, state: State) -> bool {
        self.state.load(SeqCst) == state as u8
    }

    pub(crate) fn parting(&self) -> Parting {
        *self.parting.lock()
    }

    /// When the waiter gives up, in Unix milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<i64> {
        self.deadline_ms
    }
}

impl Blocked {
    /// Makes a waiter; the caller puts it into the queues of its keys.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of the record"
    )]
    pub(crate) fn enter(
        &self,
        client: &Arc<Client>,
        row: u16,
        words: Vec<Bytes>,
        speaker: Speaker,
        on: BlockOn,
        shards: ShardSet,
        waits_for: WaitsFor,
        deadline_ms: Option<i64>,
        spent_ns: u64,
    ) -> Arc<Waiter> {
        let id = self.last_id.fetch_add(1, SeqCst) + 1;
        let waiter = Arc::new(Waiter {
            id,
            client: Arc::clone(client),
            row,
            words,
            speaker,
            on,
            shards,
            waits_for,
            deadline_ms,
            spent_ns,
            state: AtomicU8::new(State::Waiting as u8),
            parting: Mutex::default(),
        });
        self.by_id.insert(id, Arc::clone(&waiter));
        self.by_client.insert(client.id, Arc::clone(&waiter));
        waiter
    }

    /// Forgets a waiter that is out of the queues.
    pub(crate) fn forget(&self, waiter: &Waiter) {
        if self.by_id.remove(&waiter.id).is_some() {
            self.by_client
                .remove_if(&waiter.client.id, |_, other| other.id == waiter.id);
        }
    }

    pub(crate) fn find(&self, id: u64) -> Option<Arc<Waiter>> {
        self.by_id.get(&id).map(|waiter| Arc::clone(&waiter))
    }

    /// Makes the waiting call of a client end (CLIENT UNBLOCK); whether there was one that had not been served.
    pub fn unblock(&self, client: u64, parting: Parting) -> bool {
        let Some(waiter) = self
            .by_client
            .get(&client)
            .map(|waiter| Arc::clone(&waiter))
        else {
            return false;
        };
        // Whoever finds it leaving reads this next.
        let mut said = waiter.parting.lock();
        let left = waiter.claim(State::Leaving);
        if left {
            *said = parting;
        }
        drop(said);
        if left {
            waiter.client.inbox.wake();
        }
        left
    }

    /// Makes every waiting call end that waits for keys (a primary becomes a replica).
    pub fn unblock_all(&self, parting: Parting) {
        let clients: Vec<u64> = self.by_client.iter().map(|waiter| *waiter.key()).collect();
        for client in clients {
            self.unblock(client, parting);
        }
    }

    /// Makes every call end with this error that waits for the server around the engine ([`crate::Flow::Await`]).
    pub fn release(&self, error: &'static str) {
        let waiting = self
            .by_client
            .iter()
            .filter(|waiter| waiter.waits_for == WaitsFor::Host);
        let clients: Vec<u64> = waiting.map(|waiter| *waiter.key()).collect();
        for client in clients {
            self.unblock(client, Parting::Error(error));
        }
    }

    /// What is waited for just now; takes time in proportion to it.
    #[must_use]
    pub fn awaited(&self) -> Awaited {
        let mut awaited = Awaited::default();
        let mut keys: HashMap<(u16, Bytes), bool> = HashMap::new();
        for waiter in &self.by_id {
            awaited.with_deadline += usize::from(waiter.deadline_ms.is_some());
            for key in &waiter.on.keys {
                *keys.entry((waiter.speaker.db, key.clone())).or_default() |= waiter.on.on_deletion;
            }
        }
        awaited.keys = keys.len();
        awaited.keys_on_deletion = keys.values().filter(|on_deletion| **on_deletion).count();
        awaited
    }

    /// How many calls wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no call waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
