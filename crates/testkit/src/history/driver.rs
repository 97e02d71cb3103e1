//! Makes histories: clients on threads of their own call one engine at the same time, each call's instants noted.

use super::checker::{History, Operation};
use crate::dispatcher::SEED;
use crate::render::render;
use commands::{Now, Rng};
use engine::clients::Peer;
use engine::{Engine, Executor, Host, Layout, Session, Step, Taker, Wait, World};
use resp::{ReplyParser, Value};
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients, each on a thread of its own.
    pub clients: usize,
    /// Operations of each client, one more when the last is a transaction, which reads first.
    pub commands: usize,
}

/// A host whose clock counts readings.
#[derive(Debug, Default)]
struct CountingHost(AtomicU64);

impl Host for CountingHost {
    fn now(&self) -> Now {
        let count = self.0.fetch_add(1, SeqCst);
        Now {
            unix_us: 1_710_000_000_000_000 + count as i64,
            monotonic_ns: count,
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
    instants: Arc<AtomicU64>,
    rng: Rng,
    operations: Vec<Operation>,
}

/// The keys of histories, each in a shard of its own.
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Runs a random history of this shape on a fresh engine. The same seed gives the same commands, in any order.
///
/// # Panics
/// When a client's thread panics.
#[must_use]
pub fn run_history(seed: u64, shape: Shape) -> History {
    let layout = Layout {
        shards: 64,
        databases: 1,
        threads: shape.clients,
        seed: *SEED,
    };
    let host = Arc::new(CountingHost::default());
    let engine = Arc::new(Engine::new(
        layout,
        World::default(),
        host,
        &commands::all(),
        &engine::commands(),
    ));
    let instants = Arc::new(AtomicU64::new(0));
    let start = Barrier::new(shape.clients);
    let operations = std::thread::scope(|scope| {
        let run = |number: usize| {
            let mut client = Client::new(number, &engine, &instants, seed);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                while client.operations.len() < shape.commands {
                    client.act();
                }
                client.operations
            })
        };
        let threads: Vec<_> = (0..shape.clients).map(run).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a client runs to its end"))
            .collect()
    });
    History { operations }
}

impl Client {
    fn new(number: usize, engine: &Arc<Engine>, instants: &Arc<AtomicU64>, seed: u64) -> Self {
        let mut rng = Rng::new(
            seed.wrapping_mul(1_000_003)
                .wrapping_add(number as u64 * 7919 + 1),
        );
        (0..8).for_each(|_| {
            rng.next_u64();
        });
        Self {
            number,
            executor: Executor::new(Arc::clone(engine), number, Taker::Worker, seed),
            session: Session::new(engine.clients.add(Peer::default(), 0), true),
            instants: Arc::clone(instants),
            rng,
            operations: Vec::new(),
        }
    }

    fn act(&mut self) {
        if self.rng.below(5) == 0 {
            self.transact();
        } else {
            let call = self.any_call();
            self.plain(call);
        }
    }

    /// A call that is an operation of its own.
    fn plain(&mut self, call: Vec<String>) -> String {
        let called = self.instants.fetch_add(1, SeqCst);
        let reply = render(&self.call(&call));
        let returned = self.instants.fetch_add(1, SeqCst);
        self.record(
            vec![call],
            Some(vec![reply.clone()]),
            Vec::new(),
            (called, returned),
        );
        reply
    }

    /// WATCH, a read of the watched key, and two commands in MULTI.
    fn transact(&mut self) {
        let watched = self.key();
        self.call(&words(&["WATCH", watched]));
        let read = words(&["GET", watched]);
        let seen = self.plain(read.clone());
        self.call(&words(&["MULTI"]));
        let calls = vec![self.any_call(), self.any_call()];
        for call in &calls {
            self.call(call);
        }
        let called = self.instants.fetch_add(1, SeqCst);
        let reply = self.call(&words(&["EXEC"]));
        let returned = self.instants.fetch_add(1, SeqCst);
        let replies = match reply {
            Value::Array(replies) => Some(replies.iter().map(render).collect()),
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
            called,
            returned,
        });
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.rng.below(KEYS.len() as u64) as usize]
    }

    fn any_call(&mut self) -> Vec<String> {
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

    fn call(&mut self, words: &[String]) -> Value {
        let argv: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        loop {
            match self.executor.call(&mut self.session, &argv) {
                Step::Done => break,
                Step::Yield => {}
                Step::Wait(Wait::Shard(shard)) => shard.block(),
                step => panic!("{words:?} came to {step:?}"),
            }
        }
        self.executor.end_batch();
        let bytes = self.session.out.to_bytes();
        self.session.out.clear();
        let parsed = ReplyParser::default()
            .parse(&bytes)
            .expect("replies are well-formed");
        parsed.expect("replies are whole").0
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
