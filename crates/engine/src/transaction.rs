//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! 1. Queued commands are kept with the shards that they and the watched keys can touch.
//! 2. EXEC takes all of those shards before anything else. **Invariant**: watch marks are read under the locks, never
//!    before: between a mark read too early and the locks another client's write and a third one's read would fit.
//! 3. The commands run one after the other with the shards held; the reply is complete before they are released.
//! 4. A command that makes calls of the operating system (CONFIG SET) runs with no shard held. That the transaction stays one
//!    for everybody else is seen to by the world, which is frozen from then on until its end; whoever is kept waiting by that
//!    waits as for a pause, and no thread waits with it.

use crate::clients::flag;
use crate::engine::Engine;
use crate::executor::{footprint, keys_of};
use crate::handler::{EngineCommand, Flow, Handler};
use crate::holding::Holding;
use crate::locks::{Locks, ShardSet};
use crate::registry::Row;
use crate::session::Session;
use crate::session_ctx::SessionCtx;
use bytes::Bytes;
use commands::keys::{KeyFlags, KeySpec};
use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use store::{Shard, WatchMark, is_expired};

/// The rows of this module, in documentation order.
pub const COMMANDS: &[&EngineCommand] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

/// The commands queued since MULTI.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The calls in order.
    pub(crate) queued: Vec<Queued>,
    /// A command could not be queued: EXEC will refuse.
    pub(crate) failed: bool,
    /// Shards that the queued commands can touch.
    pub(crate) shards: ShardSet,
    /// Flags of all queued commands together.
    pub(crate) flags: Flags,
    /// Flags that one of the queued commands does not have.
    pub(crate) lacking: Flags,
    /// Bytes of the queued words.
    pub(crate) bytes: usize,
}

/// One queued call: its row and its words in one block.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) row: u16,
    pub(crate) words: Words,
}

/// The words of a call, owned.
#[derive(Clone, Debug, Default)]
pub struct Words {
    bytes: Box<[u8]>,
    ends: Box<[usize]>,
}

/// The keys that a session watches.
#[derive(Debug, Default)]
pub struct Watches {
    keys: Vec<(u16, Box<[u8]>)>,
    /// Bytes of the keys.
    bytes: usize,
    mark: Arc<WatchMark>,
}

impl Words {
    /// A copy of `argv`.
    #[must_use]
    pub fn new(argv: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(argv.iter().map(|word| word.len()).sum());
        let ends = argv
            .iter()
            .map(|word| {
                bytes.extend_from_slice(word);
                bytes.len()
            })
            .collect();
        Self {
            bytes: bytes.into(),
            ends,
        }
    }

    /// The words, borrowed.
    #[must_use]
    pub fn argv(&self) -> smallvec::SmallVec<[&[u8]; 8]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(|end| {
                let word = self.bytes.get(start..*end).unwrap_or_default();
                start = *end;
                word
            })
            .collect()
    }

    /// Bytes of all words together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no byte in any word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Transaction {
    /// The keys of all queued commands.
    pub(crate) fn keys(&self, engine: &Engine) -> Vec<Bytes> {
        let of_call = |queued: &Queued| {
            keys_of(engine.registry.row(queued.row), &queued.words.argv()).collect::<Vec<_>>()
        };
        self.queued.iter().flat_map(of_call).collect()
    }
}

impl Watches {
    /// The shards of the watched keys.
    pub(crate) fn shards(&self, locks: &Locks) -> ShardSet {
        let mut shards = ShardSet::none();
        self.keys
            .iter()
            .for_each(|(_, key)| shards.insert(locks.shard_of(key)));
        shards
    }

    /// The watched keys with their databases.
    #[must_use]
    pub fn keys(&self) -> &[(u16, Box<[u8]>)] {
        &self.keys
    }

    /// Whether a watched key was marked as changed; only the locks make the answer last.
    pub(crate) fn is_marked(&self) -> bool {
        self.mark.is_set()
    }

    /// Whether a watched key has changed or has expired since it was watched. Its shards must be held.
    pub(crate) fn are_dirty<'s>(
        &self,
        now_ms: i64,
        seed: store::HashSeed,
        shard: impl Fn(&[u8]) -> &'s Shard,
    ) -> bool {
        let expired = |(db, key): &(u16, Box<[u8]>)| {
            let shard = shard(key);
            let entry = shard.db(*db).get(seed.hash(key), key);
            entry.is_some_and(|entry| is_expired(entry, now_ms))
                && shard.watchers.watches_living(*db, key, &self.mark)
        };
        self.mark.is_set() || self.keys.iter().any(expired)
    }
}

const MULTI: EngineCommand = EngineCommand {
    name: "multi",
    group: Group::Transactions,
    since: "1.2.0",
    summary: "Starts a transaction: the commands that follow are queued.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::IMMEDIATE),
    categories: Categories::TRANSACTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(multi),
};

fn multi(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::NestedMulti);
    }
    ctx.session.transaction = Some(Box::default());
    publish(ctx.session);
    Ok(Flow::Reply(Reply::Ok))
}

const DISCARD: EngineCommand = EngineCommand {
    name: "discard",
    group: Group::Transactions,
    since: "2.0.0",
    summary: "Drops the queued commands and ends the transaction.",
    complexity: "O(N) in the number of queued commands",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::IMMEDIATE),
    categories: Categories::TRANSACTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(discard),
};

fn discard(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.session.transaction.take().is_none() {
        return Err(CommandError::DiscardWithoutMulti);
    }
    publish(ctx.session);
    Ok(forget_watches(ctx, Ok(Reply::Ok)))
}

const EXEC: EngineCommand = EngineCommand {
    name: "exec",
    group: Group::Transactions,
    since: "1.2.0",
    summary: "Runs the queued commands as one.",
    complexity: "That of the queued commands together",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SKIP_SLOWLOG)
        .union(Flags::IMMEDIATE)
        .union(Flags::RUNS_TRANSACTION),
    categories: Categories::TRANSACTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(exec),
};

fn exec(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    match &ctx.session.transaction {
        None => Err(CommandError::ExecWithoutMulti),
        Some(transaction) if transaction.failed => {
            ctx.session.transaction = None;
            publish(ctx.session);
            Ok(forget_watches(ctx, Err(CommandError::ExecAborted)))
        }
        Some(_) => Ok(Flow::Exec),
    }
}

const WATCH: EngineCommand = EngineCommand {
    name: "watch",
    group: Group::Transactions,
    since: "2.2.0",
    summary: "Makes the next EXEC depend on these keys staying as they are.",
    complexity: "O(1) a key",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(KeyFlags::RO, 1, -1, 1)],
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::IMMEDIATE),
    categories: Categories::TRANSACTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(watch),
};

fn watch(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::WatchInMulti);
    }
    let keys: Vec<Box<[u8]>> = args.rest().iter().map(|key| Box::from(*key)).collect();
    let mut shards = ShardSet::none();
    keys.iter()
        .for_each(|key| shards.insert(ctx.engine.locks.shard_of(key)));
    let begin = move |held: &mut Holding<'_>| {
        keys.iter().for_each(|key| begin_watch(held, key));
        publish(held.session);
        Ok(Reply::Ok)
    };
    Ok(Flow::Hold(shards, Box::new(begin)))
}

fn begin_watch(held: &mut Holding<'_>, key: &[u8]) {
    let db = held.session.db;
    if held
        .session
        .watches
        .keys
        .iter()
        .any(|(watched_db, watched)| *watched_db == db && **watched == *key)
    {
        return;
    }
    let (hash, now_ms) = (held.engine.seed.hash(key), held.now.ms());
    let mark = Arc::clone(&held.session.watches.mark);
    let shard = held.shard_of(key);
    let entry = shard.db(db).get(hash, key);
    let stale = entry.is_some_and(|entry| is_expired(entry, now_ms));
    shard.watchers.add(db, key, &mark, stale);
    let watches = &mut held.session.watches;
    watches.keys.push((db, key.into()));
    watches.bytes += key.len();
}

const UNWATCH: EngineCommand = EngineCommand {
    name: "unwatch",
    group: Group::Transactions,
    since: "2.2.0",
    summary: "Forgets all watched keys.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::ALLOW_BUSY),
    categories: Categories::TRANSACTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(unwatch),
};

fn unwatch(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(forget_watches(ctx, Ok(Reply::Ok)))
}

/// Forgets all watched keys, then answers with `outcome`.
fn forget_watches(ctx: &SessionCtx<'_>, outcome: Result<Reply, CommandError>) -> Flow {
    if ctx.session.watches.keys.is_empty() {
        let answer = move |_: &mut Holding<'_>| outcome.clone();
        return Flow::Hold(ShardSet::none(), Box::new(answer));
    }
    let shards = ctx.session.watches.shards(&ctx.engine.locks);
    let forget = move |held: &mut Holding<'_>| {
        end_watches(held);
        outcome.clone()
    };
    Flow::Hold(shards, Box::new(forget))
}

/// Drops a transaction and forgets all watched keys, then answers with `reply` (RESET).
pub fn abandon(ctx: &mut SessionCtx<'_>, reply: Reply) -> Flow {
    ctx.session.transaction = None;
    publish(ctx.session);
    forget_watches(ctx, Ok(reply))
}

/// Forgets all watched keys of a session whose EXEC was refused, and answers with the error of this text.
pub(crate) fn refuse_exec(session: &Session, engine: &Engine, text: String) -> Flow {
    let shards = session.watches.shards(&engine.locks);
    let answer = move |held: &mut Holding<'_>| {
        end_watches(held);
        held.out().error(text.as_bytes());
        Ok(Reply::Written)
    };
    Flow::Hold(shards, Box::new(answer))
}

/// Forgets all watched keys of the session; their shards are held.
pub(crate) fn end_watches(held: &mut Holding<'_>) {
    let Watches { keys, mark, .. } = std::mem::take(&mut held.session.watches);
    for (db, key) in &keys {
        held.shard_of(key).watchers.remove(*db, key, &mark);
    }
    publish(held.session);
}

/// Puts a call into the session's transaction.
pub(crate) fn queue(session: &mut Session, row: &Row, argv: &[&[u8]], locks: &Locks) {
    let Some(transaction) = session.transaction.as_mut() else {
        return;
    };
    if row.flags.intersects(Flags::EVERYTHING | Flags::SYSTEM) {
        transaction.shards = ShardSet::All;
    } else {
        transaction.shards.union(&footprint(row, argv, locks));
    }
    transaction.flags |= row.flags;
    transaction.lacking |= !row.flags;
    let words = Words::new(argv);
    transaction.bytes += words.len();
    transaction.queued.push(Queued { row: row.id, words });
    publish(session);
}

/// Publishes the state of the transaction for CLIENT LIST.
pub(crate) fn publish(session: &Session) {
    let shown = &session.client.shown;
    let (queued, bytes) = session.transaction.as_ref().map_or((0, 0), |transaction| {
        (transaction.queued.len() + 1, transaction.bytes)
    });
    shown
        .multi
        .store(u32::try_from(queued).unwrap_or(u32::MAX), Relaxed);
    shown.multi_mem.store(bytes as u64, Relaxed);
    shown.watch.store(
        u32::try_from(session.watches.keys.len()).unwrap_or(u32::MAX),
        Relaxed,
    );
    let watches = &session.watches;
    let watched = watches.keys.len() * WATCH_BYTES + watches.bytes;
    shown.watch_mem.store(watched as u64, Relaxed);
    session
        .client
        .set_flag(flag::MULTI, session.transaction.is_some());
}

/// Bytes of a watched key beside its name: in the session, and in the list of its shard.
const WATCH_BYTES: usize = 128;
