//! Makes histories: clients on threads of their own call one engine at the same time, each call's instants noted.

use super::checker::{History, Operation};
use super::model::Model;
use crate::dispatcher::SEED;
use crate::render::render;
use commands::{Now, Rng};
use engine::clients::Peer;
use engine::{
    Engine, Executor, Host, Layout, Parting, Session, Step, Taker, TrackingCounts, TrackingMode,
    TrackingWish, Wait, World,
};
use resp::{ReplyParser, Value};
use std::any::Any;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients, each on a thread of its own.
    pub clients: usize,
    /// Operations of each client, one more when the last is a transaction, which reads first.
    pub commands: usize,
    /// What the calls are about.
    pub theme: Theme,
}

/// What the calls of a history are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Strings and sets.
    Values,
    /// Strings that expire, while time goes on.
    Expiry,
    /// Lists in several shards, and calls that wait for their elements, time out, are unblocked, or end with their client.
    Waiting,
}

/// A host whose clock moves when a client moves it.
#[derive(Debug, Default)]
struct SteppedHost {
    ms: AtomicI64,
    readings: AtomicU64,
}

impl Host for SteppedHost {
    fn now(&self) -> Now {
        let (ms, readings) = (self.ms.load(SeqCst), self.readings.fetch_add(1, SeqCst));
        Now {
            unix_us: 1_710_000_000_000_000 + ms * 1000,
            // A cycle of active expiry may begin after each step.
            monotonic_ns: ms as u64 * 100_000_000 + readings,
        }
    }

    fn used_memory(&self) -> u64 {
        0
    }

    fn thread_memory(&self) -> i64 {
        0
    }

    fn is_freeing(&self) -> bool {
        false
    }

    fn drop_later(&self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
}

/// One client: its session, its executor, and the instants that all clients share.
struct Client {
    number: usize,
    executor: Executor,
    session: Session,
    shared: Arc<Common>,
    theme: Theme,
    rng: Rng,
    operations: Vec<Operation>,
}

/// What all clients of a history share.
#[derive(Debug)]
struct Common {
    host: Arc<SteppedHost>,
    /// Calls and returns so far.
    instants: AtomicU64,
    /// Clients that are neither at their end nor waiting for a key.
    busy: AtomicUsize,
    /// The connections that the clients have now.
    ids: Box<[AtomicU64]>,
}

/// The keys of histories, each in a shard of its own.
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Runs a random history of this shape on a fresh engine. The same seed gives the same commands, in any order.
///
/// # Panics
/// When a client's thread panics, or anything is left in the engine of clients that have gone.
#[must_use]
pub fn run_history(seed: u64, shape: Shape) -> History {
    let layout = Layout {
        shards: 64,
        databases: 1,
        threads: shape.clients,
        seed: *SEED,
    };
    let host = Arc::new(SteppedHost::default());
    let engine = Arc::new(Engine::new(
        layout,
        World::default(),
        Arc::clone(&host) as Arc<dyn Host>,
        &commands::all(),
        &engine::commands(),
    ));
    engine.change_world(|world| world.audience.changes = true);
    let shared = Arc::new(Common {
        host,
        instants: AtomicU64::new(0),
        busy: AtomicUsize::new(shape.clients),
        ids: (0..shape.clients).map(|_| AtomicU64::new(0)).collect(),
    });
    let start = Barrier::new(shape.clients);
    let operations = std::thread::scope(|scope| {
        let run = |number: usize| {
            let mut client = Client::new(number, &engine, &shared, shape.theme, seed);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                while client.operations.len() < shape.commands {
                    client.act();
                }
                client.shared.busy.fetch_sub(1, SeqCst);
                client.part();
                client.operations
            })
        };
        let threads: Vec<_> = (0..shape.clients).map(run).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a client runs to its end"))
            .collect()
    });
    assert_nothing_left(&engine);
    History { operations }
}

/// Nobody waits, watches or tracks any more.
fn assert_nothing_left(engine: &Engine) {
    assert!(engine.blocked.is_empty(), "{:?}", engine.blocked);
    assert_eq!(engine.clients.blocked.load(SeqCst), 0);
    assert!(engine.clients.is_empty());
    let counts = engine.pubsub.tracking_counts();
    assert_eq!(counts, TrackingCounts::default());
    for (number, shard) in engine.take_everything().shards() {
        assert!(shard.waiters.is_empty(), "a waiter in shard {number}");
        assert!(shard.watchers.is_empty(), "a watcher in shard {number}");
    }
}

impl Client {
    fn new(
        number: usize,
        engine: &Arc<Engine>,
        shared: &Arc<Common>,
        theme: Theme,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(
            seed.wrapping_mul(1_000_003)
                .wrapping_add(number as u64 * 7919 + 1),
        );
        (0..8).for_each(|_| {
            rng.next_u64();
        });
        let mut client = Self {
            number,
            executor: Executor::new(Arc::clone(engine), number, Taker::Worker, seed),
            session: new_session(engine),
            shared: Arc::clone(shared),
            theme,
            rng,
            operations: Vec::new(),
        };
        client.arrive();
        client
    }

    /// Makes the session known, and lets every other one track what it reads.
    fn arrive(&mut self) {
        let Session {
            client, tracking, ..
        } = &mut self.session;
        self.shared.ids[self.number].store(client.id, SeqCst);
        if self.rng.below(2) == 0 {
            let wish = TrackingWish {
                mode: TrackingMode::Reads,
                ..TrackingWish::default()
            };
            let pubsub = &self.executor.engine().pubsub;
            let tracked = pubsub.track(client, tracking, &wish);
            tracked.expect("no prefixes overlap where there are none");
        }
    }

    /// Ends the connection.
    fn part(&mut self) {
        while let Some(wait) = self.executor.part(&mut self.session) {
            wait.block();
        }
    }

    fn act(&mut self) {
        if self.session.client.inbox.is_killed() {
            self.begin_anew();
        }
        match (self.theme, self.rng.below(10)) {
            (_, 0 | 1) => self.transact(),
            (Theme::Expiry, 2) => {
                self.executor.expire_step();
            }
            (Theme::Expiry | Theme::Waiting, 3 | 4) => self.tick(),
            (Theme::Waiting, 5) => self.disturb(),
            _ => {
                let call = self.any_call();
                self.plain(call);
            }
        }
    }

    /// Goes on as a new client, as who was killed would.
    fn begin_anew(&mut self) {
        self.part();
        self.session = new_session(self.executor.engine());
        self.arrive();
    }

    /// Time goes on by a millisecond.
    fn tick(&mut self) {
        let called = self.instant();
        self.shared.host.ms.fetch_add(1, SeqCst);
        let returned = self.instant();
        let replies = Some(vec!["+OK".to_owned()]);
        self.record(
            vec![words(&["TICK"])],
            replies,
            Vec::new(),
            (called, returned),
        );
    }

    /// Ends the wait of another client, or that client.
    fn disturb(&mut self) {
        let other = self.rng.below(self.shared.ids.len() as u64) as usize;
        let id = self.shared.ids[other].load(SeqCst);
        let engine = self.executor.engine();
        match self.rng.below(3) {
            0 => engine.blocked.unblock(id, Parting::TimedOut),
            1 => engine.blocked.unblock(id, Parting::Error(UNBLOCKED)),
            _ => engine.clients.find(id).is_some_and(|client| {
                client.inbox.kill();
                true
            }),
        };
    }

    fn instant(&self) -> u64 {
        self.shared.instants.fetch_add(1, SeqCst)
    }

    /// A call that is an operation of its own.
    fn plain(&mut self, call: Vec<String>) -> String {
        let called = self.instant();
        let reply = self.call(&call).map(|reply| render(&reply));
        let returned = self.instant();
        let lost = reply.is_none();
        let mut reply = reply.unwrap_or_default();
        if reply == "nil-array" || reply == format!("-{UNBLOCKED}") {
            // What gave up had found nothing.
            reply = Model::default().call(&call);
        }
        self.record(
            vec![call],
            Some(vec![reply.clone()]),
            Vec::new(),
            (called, returned),
        );
        if let Some(operation) = self.operations.last_mut() {
            operation.lost = lost;
        }
        reply
    }

    /// WATCH, a read of the watched key, and two commands in MULTI.
    fn transact(&mut self) {
        let watched = self.key();
        self.call(&words(&["WATCH", watched]));
        let read = match self.theme {
            Theme::Waiting => words(&["LRANGE", watched, "0", "-1"]),
            _ => words(&["GET", watched]),
        };
        let seen = self.plain(read.clone());
        self.call(&words(&["MULTI"]));
        let calls = vec![self.any_call(), self.any_call()];
        for call in &calls {
            self.call(call);
        }
        let called = self.instant();
        let reply = self.call(&words(&["EXEC"]));
        let returned = self.instant();
        let replies = match reply {
            Some(Value::Array(replies)) => Some(replies.iter().map(render).collect()),
            _ => None,
        };
        self.record(calls, replies, vec![(read, seen)], (called, returned));
    }

    fn record(
        &mut self,
        calls: Vec<Vec<String>>,
        replies: Option<Vec<String>>,
        observed: Vec<(Vec<String>, String)>,
        (called, returned): (u64, u64),
    ) {
        self.operations.push(Operation {
            client: self.number,
            calls,
            replies,
            observed,
            lost: false,
            called,
            returned,
        });
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.rng.below(KEYS.len() as u64) as usize]
    }

    fn any_call(&mut self) -> Vec<String> {
        match self.theme {
            Theme::Values => self.call_of_values(),
            Theme::Expiry => self.call_of_expiry(),
            Theme::Waiting => self.call_of_waiting(),
        }
    }

    fn call_of_expiry(&mut self) -> Vec<String> {
        let (a, b, c) = (self.key(), self.key(), self.key());
        let (value, ms) = (self.rng.below(4).to_string(), self.rng.below(4).to_string());
        match self.rng.below(14) {
            0..3 => words(&["SET", a, &value, "PX", &(self.rng.below(3) + 1).to_string()]),
            3 => words(&["PEXPIRE", a, &ms]),
            4 => words(&["PERSIST", a]),
            5 => words(&["PTTL", a]),
            6 => words(&["GET", a]),
            7 => words(&["MGET", a, b, c]),
            8 => words(&["EXISTS", a, b]),
            9 => words(&["RENAME", a, b]),
            10 => words(&["COPY", a, b]),
            11 => words(&["INCR", a]),
            12 => words(&["MSETNX", a, &value, b, &ms]),
            _ => words(&["DEL", a]),
        }
    }

    fn call_of_waiting(&mut self) -> Vec<String> {
        // Few keys, so that waits form chains and circles.
        let mut key = || KEYS[self.rng.below(4) as usize];
        let (a, b) = (key(), key());
        let value = format!("{}.{}", self.number, self.operations.len());
        let timeout = ["0", "0.001", "0.002"][self.rng.below(3) as usize];
        match self.rng.below(12) {
            0..4 => words(&["RPUSH", a, &value]),
            4 => words(&["LPOP", a]),
            5 => words(&["LRANGE", a, "0", "-1"]),
            6 => words(&["LMOVE", a, b, "LEFT", "RIGHT"]),
            7 | 8 => words(&["BLMOVE", a, b, "LEFT", "RIGHT", timeout]),
            9 => words(&["BLMPOP", timeout, "2", a, b, "LEFT"]),
            10 => words(&["BLPOP", a, b, timeout]),
            _ => words(&["DEL", a]),
        }
    }

    fn call_of_values(&mut self) -> Vec<String> {
        let (a, b, c) = (self.key(), self.key(), self.key());
        let (value, other) = (self.rng.below(4).to_string(), self.rng.below(4).to_string());
        match self.rng.below(16) {
            0 | 1 => words(&["SET", a, &value]),
            2 => words(&["GET", a]),
            3 => words(&["INCR", a]),
            4 => words(&["DEL", a]),
            5 => words(&["MSET", a, &value, b, &other]),
            6 | 7 => words(&["MGET", a, b, c]),
            8 => words(&["MSETNX", a, &value, b, &other]),
            9 | 10 => words(&["RENAME", a, b]),
            11 => words(&["COPY", a, b]),
            12 => words(&["SADD", a, &value]),
            13 => words(&["SMOVE", a, b, &value]),
            14 => words(&["EXISTS", a, b]),
            _ => words(&["DBSIZE"]),
        }
    }

    /// The reply to a call; `None` when the client was killed while it waited.
    fn call(&mut self, words: &[String]) -> Option<Value> {
        let argv: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        loop {
            match self.executor.call(&mut self.session, &argv) {
                Step::Done => break,
                Step::Yield => {}
                Step::Wait(Wait::Shard(shard)) => shard.block(),
                Step::Wait(Wait::Reply { deadline_ms }) => {
                    self.executor.end_batch();
                    self.wait_for_keys(deadline_ms);
                    if self.session.client.inbox.is_killed() {
                        self.begin_anew();
                        return None;
                    }
                }
                step => panic!("{words:?} came to {step:?}"),
            }
        }
        self.executor.end_batch();
        let bytes = self.session.out.to_bytes();
        self.session.out.clear();
        let parsed = ReplyParser::default()
            .parse(&bytes)
            .expect("replies are well-formed");
        Some(parsed.expect("replies are whole").0)
    }

    /// Waits until the call has come to something. When all others are at their end, or wait as well, nobody will come.
    fn wait_for_keys(&self, deadline_ms: Option<i64>) {
        let Common { host, busy, .. } = &*self.shared;
        let client = &self.session.client;
        busy.fetch_sub(1, SeqCst);
        while !Executor::is_settled(&self.session) && !client.inbox.is_killed() {
            if deadline_ms.is_some_and(|deadline_ms| host.now().ms() >= deadline_ms) {
                break;
            }
            if busy.load(SeqCst) == 0 {
                let blocked = &self.executor.engine().blocked;
                blocked.unblock(client.id, Parting::TimedOut);
            }
            std::thread::yield_now();
        }
        busy.fetch_add(1, SeqCst);
    }
}

fn new_session(engine: &Engine) -> Session {
    Session::new(engine.clients.add(Peer::default(), 0), true)
}

/// The error of a wait that CLIENT UNBLOCK ended.
const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
