//! A server without sockets: an engine, one executor and any number of sessions, on a clock that stands still.

use commands::{DataCommand, Now};
use engine::{
    Engine, EngineCommand, Executor, ExpireProgress, Host, Layout, Session, Step, Taker, Wait,
    World, clients::Peer,
};
use resp::{Proto, ReplyParser, Value};
use std::any::Any;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use store::HashSeed;

/// An engine with sessions that are called one at a time.
#[derive(Debug)]
pub struct Dispatcher {
    clock: Arc<StillClock>,
    executor: Executor,
    sessions: Vec<Session>,
    /// Which of them have a call that waits for keys.
    waiting: Vec<bool>,
}

/// A host whose clock moves only when it is told to, or a little whenever it is read.
#[derive(Debug)]
struct StillClock {
    unix_us: AtomicI64,
    /// Microseconds that a reading takes.
    reading_us: AtomicI64,
    memory: Memory,
}

/// The memory in use, as a model: every key takes as much, and gives it back when it is evicted.
#[derive(Debug, Default)]
struct Memory {
    used: AtomicU64,
    key_bytes: AtomicU64,
    /// Where evicted keys are counted.
    engine: OnceLock<Weak<Engine>>,
}

impl Memory {
    fn evicted(&self) -> u64 {
        let engine = self.engine.get().and_then(Weak::upgrade);
        let keys = engine.map_or(0, |engine| engine.stats.sum(|thread| &thread.evicted));
        keys * self.key_bytes.load(Relaxed)
    }
}

/// The seed of every dispatcher and history: making one allocates for the life of the process.
pub(crate) static SEED: LazyLock<HashSeed> = LazyLock::new(|| HashSeed::new(7));

/// Where the clock stands at first: a day in 2024.
const START_US: i64 = 1_710_000_000_000_000;

impl Host for StillClock {
    fn now(&self) -> Now {
        let reading_us = self.reading_us.load(Relaxed);
        let unix_us = self.unix_us.fetch_add(reading_us, Relaxed);
        Now {
            unix_us,
            monotonic_ns: (unix_us - START_US).unsigned_abs() * 1000,
        }
    }

    fn used_memory(&self) -> u64 {
        self.memory
            .used
            .load(Relaxed)
            .saturating_sub(self.memory.evicted())
    }

    fn thread_memory(&self) -> i64 {
        self.used_memory() as i64
    }

    fn is_freeing(&self) -> bool {
        false
    }

    fn drop_later(&self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }

    fn sleep(&self, us: u64) {
        self.unix_us.fetch_add(us as i64, Relaxed);
    }
}

impl Default for Dispatcher {
    fn default() -> Self {
        Self::new(World::default(), &commands::all(), &engine::commands())
    }
}

impl Dispatcher {
    /// A dispatcher over these commands, with one session.
    #[must_use]
    pub fn new(
        world: World,
        data: &[&'static DataCommand],
        above: &[&'static EngineCommand],
    ) -> Self {
        let clock = Arc::new(StillClock {
            unix_us: AtomicI64::new(START_US),
            reading_us: AtomicI64::new(0),
            memory: Memory::default(),
        });
        clock.memory.used.store(1 << 20, Relaxed);
        let layout = Layout {
            shards: 64,
            databases: 16,
            threads: 1,
            seed: *SEED,
        };
        let host = Arc::clone(&clock) as Arc<dyn Host>;
        let engine = Arc::new(Engine::new(layout, world, host, data, above));
        let _first = clock.memory.engine.set(Arc::downgrade(&engine));
        let mut dispatcher = Self {
            clock,
            executor: Executor::new(engine, 0, Taker::Lane, 42),
            sessions: Vec::new(),
            waiting: Vec::new(),
        };
        dispatcher.connect();
        dispatcher
    }

    /// Bounds the strings that commands make (`proto-max-bulk-len`).
    pub fn limit_strings(&mut self, bytes: u64) {
        let change = |world: &mut World| world.settings.bulk_max = bytes;
        self.executor.engine().change_world(change);
    }

    /// Says how many bytes each key gives back when it is evicted.
    pub fn weigh_keys(&mut self, bytes: u64) {
        self.clock.memory.key_bytes.store(bytes, Relaxed);
    }

    /// Puts so many more bytes to use.
    pub fn allocate(&mut self, bytes: u64) {
        self.clock.memory.used.fetch_add(bytes, Relaxed);
    }

    /// Bytes in use; a mebibyte at first.
    #[must_use]
    pub fn used_memory(&self) -> u64 {
        self.clock.used_memory()
    }

    /// Takes a step of eviction; whether there is more to do.
    pub fn evict_step(&mut self) -> bool {
        self.executor.evict_step()
    }

    /// Another session; its number.
    pub fn connect(&mut self) -> usize {
        let now_ms = self.clock.now().ms();
        let client = self.executor.engine().clients.add(Peer::default(), now_ms);
        self.sessions.push(Session::new(client, true));
        self.waiting.push(false);
        self.sessions.len() - 1
    }

    /// A session, by number.
    pub fn session(&mut self, number: usize) -> &mut Session {
        &mut self.sessions[number]
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.executor.engine()
    }

    /// The engine, to be kept beside the dispatcher.
    #[must_use]
    pub fn shared_engine(&self) -> Arc<Engine> {
        Arc::clone(self.executor.engine())
    }

    /// Moves the clock on. Calls that wait for keys look at it.
    pub fn advance_ms(&mut self, ms: i64) {
        self.clock.unix_us.fetch_add(ms * 1000, Relaxed);
        for session in 0..self.sessions.len() {
            if self.waiting[session] {
                self.act(session, &[]);
            }
        }
    }

    /// Whether the last call of a session waits for keys, as far as its connection has noticed.
    #[must_use]
    pub fn is_waiting(&self, session: usize) -> bool {
        self.waiting[session]
    }

    /// Lets every reading of the clock take so many microseconds, as if the machine were that slow.
    pub fn slow_down(&mut self, us: i64) {
        self.clock.reading_us.store(us, Relaxed);
    }

    /// Takes a step of active expiry.
    pub fn expire_step(&mut self) -> ExpireProgress {
        self.executor.expire_step()
    }

    /// Speaks this version of RESP on the first session.
    pub fn speak(&mut self, proto: Proto) {
        self.sessions[0].speak(proto);
    }

    /// Calls a command on the first session; the words are split as an inline command's are.
    ///
    /// # Panics
    /// When the line has unbalanced quotes, or the reply is not well-formed.
    pub fn call(&mut self, line: &str) -> Value {
        let words = resp::split_words(line.as_bytes()).expect("a transcript's words are balanced");
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.call_words(0, &argv)
    }

    /// Calls a command on a session that answers with one value.
    ///
    /// # Panics
    /// When the call waits for something that nobody will bring, or does not answer with one well-formed value.
    pub fn call_words(&mut self, session: usize, argv: &[&[u8]]) -> Value {
        self.act(session, argv);
        let mut values = self.received(session);
        assert_eq!(values.len(), 1, "{argv:?} came to {values:?}");
        values.remove(0)
    }

    /// Calls a command on a session, and leaves what it answers to [`Dispatcher::received`]. A call that waits for keys has
    /// no answer yet.
    ///
    /// # Panics
    /// When the call waits for something else that nobody will bring, or one before it still waits.
    pub fn act(&mut self, session: usize, argv: &[&[u8]]) {
        let waiting = &mut self.waiting[session];
        assert!(!*waiting || argv.is_empty(), "the call before waits");
        *waiting = false;
        let session = &mut self.sessions[session];
        loop {
            match self.executor.call(session, argv) {
                Step::Done | Step::Close => break,
                Step::Yield => {}
                Step::Wait(Wait::Shard(shard)) => shard.block(),
                Step::Wait(Wait::Reply { .. }) => {
                    *waiting = true;
                    break;
                }
                Step::Freeze(us) => {
                    self.clock.unix_us.fetch_add(us as i64, Relaxed);
                    self.executor.thaw(session);
                    break;
                }
                step => panic!("{argv:?} came to {step:?}"),
            }
        }
    }

    /// Has a session that is the link to a primary run a command, and append what of its bytes the call did not.
    ///
    /// # Panics
    /// When the call waits for something that nobody will bring.
    pub fn feed(&mut self, session: usize, argv: &[&[u8]]) {
        self.act(session, argv);
        let step = self.executor.settle_feed(&mut self.sessions[session]);
        assert!(matches!(step, Step::Done | Step::Close), "{step:?}");
    }

    /// A reader of the whole log.
    ///
    /// # Panics
    /// When its start is not kept any more.
    #[must_use]
    pub fn log_from_the_start(&self) -> log::Reader {
        let reader = self.executor.engine().log.reader(0);
        reader.expect("the log is short")
    }

    /// Ends a session.
    ///
    /// # Panics
    /// When somebody holds its shards, which nobody does between calls.
    pub fn part(&mut self, session: usize) {
        self.waiting[session] = false;
        assert!(
            self.executor.part(&mut self.sessions[session]).is_none(),
            "no shard is held between calls"
        );
    }

    /// Everything that a session has been sent since it was last asked: replies and messages in order.
    ///
    /// # Panics
    /// When it is not well-formed.
    pub fn received(&mut self, session: usize) -> Vec<Value> {
        if self.waiting[session] && Executor::is_settled(&self.sessions[session]) {
            self.act(session, &[]);
        }
        let session = &mut self.sessions[session];
        session.client.inbox.drain_into(&mut session.out);
        let bytes = session.out.to_bytes();
        session.out.clear();
        let mut values = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let parsed = ReplyParser::default()
                .parse(rest)
                .expect("replies are well-formed");
            let (value, length) = parsed.expect("replies are whole");
            values.push(value);
            rest = &rest[length..];
        }
        values
    }
}
