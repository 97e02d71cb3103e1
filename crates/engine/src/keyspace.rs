//! Commands on the keyspace as a whole: KEYS, SCAN, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.

use crate::engine::Engine;
use crate::handler::{EngineCommand, Flow, Handler, HostRequest};
use crate::holding::Holding;
use crate::locks::Held;
use crate::session_ctx::SessionCtx;
use crate::walk::{Filter, Walk};
use bytes::Bytes;
use commands::{Args, Arity, Categories, CommandError, Effects, Flags, Group, Now, Reply};
use store::{Db, Entry, HashSeed, Kind, Presence, Shard, is_expired};

/// The rows of this module, in documentation order.
pub const COMMANDS: &[&EngineCommand] = &[
    &DBSIZE, &FLUSHALL, &FLUSHDB, &KEYS, &RANDOMKEY, &SCAN, &SWAPDB,
];

const DBSIZE: EngineCommand = EngineCommand {
    name: "dbsize",
    group: Group::Server,
    since: "1.0.0",
    summary: "Counts the keys of the selected database.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::READONLY.union(Flags::FAST).union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    subcommands: &[],
    handler: Handler::Session(dbsize),
};

fn dbsize(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::everything(|held| {
        let db = held.session.db;
        Ok(Reply::from(
            held.shards
                .iter()
                .map(|(_, shard)| shard.db(db).len())
                .sum::<usize>(),
        ))
    }))
}

const KEYS: EngineCommand = EngineCommand {
    name: "keys",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Names every key that matches a pattern.",
    complexity: "O(N) in the keys of the database",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::READONLY.union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    subcommands: &[],
    handler: Handler::Session(keys),
};

fn keys(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let pattern = args.bytes()?;
    let filter = Filter {
        pattern: (pattern != b"*").then(|| pattern.into()),
        ..Filter::default()
    };
    Ok(Flow::Walk(Walk::keys(ctx.session.db, filter)))
}

const SCAN: EngineCommand = EngineCommand {
    name: "scan",
    group: Group::Generic,
    since: "2.8.0",
    summary: "Names some keys and says where to go on.",
    complexity: "O(1) a call, O(N) for a whole iteration",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::READONLY.union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE,
    tips: &[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(scan),
};

fn scan(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let cursor = commands::scan_cursor(args.bytes()?)?;
    let mut filter = Filter::default();
    let mut count = 10;
    while !args.is_empty() {
        if args.flag("COUNT") {
            count = args.int()?;
            if count < 1 {
                return Err(CommandError::Syntax);
            }
        } else if args.flag("MATCH") {
            let pattern = args.bytes()?;
            filter.pattern = (pattern != b"*").then(|| pattern.into());
        } else if args.flag("TYPE") {
            let name = args.bytes()?;
            filter.kind = Kind::named(name);
            filter.nothing = filter.kind.is_none();
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(Flow::Walk(Walk::scan(
        ctx.session.db,
        filter,
        cursor,
        count,
        ctx.engine.locks.count(),
    )))
}

const RANDOMKEY: EngineCommand = EngineCommand {
    name: "randomkey",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Names a key chosen at random.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::READONLY.union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE,
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    subcommands: &[],
    handler: Handler::Session(randomkey),
};

/// Tries after which an expired key is answered where none is deleted: there may be no other (dbRandomKey, Redis 7.2).
const RANDOM_TRIES: usize = 100;

fn randomkey(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::everything(|held| {
        let mut tries = 0;
        loop {
            let Some((key, expired)) = random_key(held) else {
                return Ok(Reply::Nil);
            };
            if expired && held.remove_expired(&key) {
                continue;
            }
            tries += 1;
            if !expired || tries == RANDOM_TRIES {
                held.out().bulk(&key);
                return Ok(Reply::Written);
            }
        }
    }))
}

/// A key of the session's database, all of them equally likely, and whether its time is over.
fn random_key(held: &mut Holding<'_>) -> Option<(Vec<u8>, bool)> {
    let (db, now_ms) = (held.session.db, held.now.ms());
    let Holding { shards, rng, .. } = &mut *held;
    let sizes = shards.iter().map(|(_, shard)| shard.db(db).len());
    let mut nth = rng.below(sizes.sum::<usize>() as u64) as usize;
    let chosen = shards.iter().map(|(_, shard)| shard.db(db)).find(|db| {
        let here = nth < db.len();
        nth = nth.wrapping_sub(if here { 0 } else { db.len() });
        here
    })?;
    let entry = chosen.table().random(&mut || rng.next_u64())?;
    let expired = is_expired(entry, now_ms);
    Some((entry.key().to_vec(), expired))
}

const FLUSHDB: EngineCommand = EngineCommand {
    name: "flushdb",
    group: Group::Server,
    since: "1.0.0",
    summary: "Removes every key of the selected database.",
    complexity: "O(1); freeing takes place in the background",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::WRITE.union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(flushdb),
};

fn flushdb(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    flush_option(args)?;
    let db = ctx.session.db;
    Ok(Flow::everything(move |held| {
        held.effects.dirty += flush(held, db);
        held.effects.log_anyway = true;
        Ok(Reply::Ok)
    }))
}

const FLUSHALL: EngineCommand = EngineCommand {
    name: "flushall",
    group: Group::Server,
    since: "1.0.0",
    summary: "Removes every key of every database.",
    complexity: "O(1) a database; freeing takes place in the background",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::WRITE.union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(flushall),
};

fn flushall(_ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    flush_option(args)?;
    Ok(Flow::everything(|held| {
        let databases = held
            .shards
            .first()
            .map_or(0, |(_, shard)| shard.databases());
        let removed: u64 = (0..databases).map(|db| flush(held, db)).sum();
        held.effects.dirty += removed;
        held.effects.log_anyway = true;
        held.engine.snapshots.abort();
        if held.engine.host.emptied() && !held.session.executing {
            held.then = Some(HostRequest::Saved);
            return Ok(Reply::Written);
        }
        Ok(Reply::Ok)
    }))
}

/// SYNC or ASYNC: freeing is in the background with either.
fn flush_option(mut args: Args<'_>) -> Result<(), CommandError> {
    let _chosen = args.one_of(&[("SYNC", ()), ("ASYNC", ())]);
    args.finish()
}

/// Empties a database of all shards; how many keys it had. The keys are handed to the background whole.
fn flush(held: &mut Holding<'_>, db: u16) -> u64 {
    held.effects.flushed = true;
    let mut removed = 0;
    let mut garbage: Vec<Db> = Vec::new();
    for (_, shard) in &mut held.shards {
        touch_watched(shard, db, None, Watching::of(held.engine, held.now));
        removed += shard.db(db).len() as u64;
        mark_waited(shard, db, held.effects);
        if !shard.db(db).is_empty() {
            garbage.extend(shard.flush(db));
        }
    }
    if !garbage.is_empty() {
        held.engine.host.drop_later(Box::new(garbage));
    }
    removed
}

/// Removes every key of every database, as the link to a primary does before it loads the primary's. Every shard is held.
pub fn clear(engine: &Engine, held: &mut Held<'_>) {
    let watching = Watching::of(engine, engine.host.now());
    let mut garbage: Vec<Db> = Vec::new();
    for (_, shard) in held.shards() {
        for db in 0..shard.databases() {
            touch_watched(shard, db, None, watching);
            if !shard.db(db).is_empty() {
                garbage.extend(shard.flush(db));
            }
        }
    }
    invalidate_all(engine);
    engine.host.drop_later(Box::new(garbage));
}

/// Exchanges every database of `held` for those of another engine, whose shards are as many. Every shard of both is held,
/// and no snapshot of either is under way.
pub fn replace(engine: &Engine, held: &mut Held<'_>, other: &mut Held<'_>) {
    let watching = Watching::of(engine, engine.host.now());
    for ((_, shard), (_, new)) in held.shards().into_iter().zip(other.shards()) {
        for db in 0..shard.databases() {
            touch_watched(shard, db, None, watching);
            std::mem::swap(shard.db_mut(db), new.db_mut(db));
        }
    }
    invalidate_all(engine);
}

/// Tells clients that cache that nothing is as it was.
fn invalidate_all(engine: &Engine) {
    if engine.world().audience.changes {
        let garbage = engine.pubsub.invalidate_all(&engine.clients);
        engine.host.drop_later(garbage);
    }
}

/// Lets everybody look again who waits for a key of `db`, for any of them may have come, gone or changed.
fn mark_waited(shard: &Shard, db: u16, effects: &mut Effects) {
    let keys = shard.waiters.keys_of(db);
    effects
        .ready
        .extend(keys.map(|key| (db, Bytes::copy_from_slice(key))));
}

/// What decides whether a watched key lives.
#[derive(Clone, Copy)]
struct Watching {
    seed: HashSeed,
    now_ms: i64,
}

impl Watching {
    fn of(engine: &Engine, now: Now) -> Self {
        Self {
            seed: engine.seed,
            now_ms: now.ms(),
        }
    }

    fn presence(self, db: &Db, key: &[u8]) -> Presence {
        match db.get(self.seed.hash(key), key).map(Entry::expiry) {
            None => Presence::Absent,
            Some(Some(deadline)) if deadline < self.now_ms => Presence::Expired,
            Some(_) => Presence::Alive,
        }
    }
}

/// Tells the watchers of `db` that it is going to be emptied or, when there is one, exchanged with `other`.
fn touch_watched(shard: &mut Shard, db: u16, other: Option<u16>, watching: Watching) {
    if shard.watchers.is_empty() {
        return;
    }
    let keys: Vec<Box<[u8]>> = shard.watchers.keys_of(db).map(Box::from).collect();
    for key in keys {
        let existed = watching.presence(shard.db(db), &key) != Presence::Absent;
        let after = other.map_or(Presence::Absent, |other| {
            watching.presence(shard.db(other), &key)
        });
        shard.watchers.exchange(db, &key, existed, after);
    }
}

const SWAPDB: EngineCommand = EngineCommand {
    name: "swapdb",
    group: Group::Server,
    since: "4.0.0",
    summary: "Exchanges two databases.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::WRITE.union(Flags::FAST).union(Flags::EVERYTHING),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(swapdb),
};

fn swapdb(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let first = args.int_or(CommandError::FirstDbIndex)?;
    let second = args.int_or(CommandError::SecondDbIndex)?;
    let databases = ctx.world.settings.databases;
    let valid = |index: i64| {
        u16::try_from(index)
            .ok()
            .filter(|db| *db < databases)
            .ok_or(CommandError::DbIndexOutOfRange)
    };
    let (first, second) = (valid(first)?, valid(second)?);
    Ok(Flow::everything(move |held| {
        let watching = Watching::of(held.engine, held.now);
        let shards = held.shards.iter_mut().filter(|_| first != second);
        for (_, shard) in shards {
            touch_watched(shard, first, Some(second), watching);
            touch_watched(shard, second, Some(first), watching);
            shard.swap_dbs(first, second);
            mark_waited(shard, first, held.effects);
            mark_waited(shard, second, held.effects);
        }
        held.effects.dirty += 1;
        Ok(Reply::Ok)
    }))
}
