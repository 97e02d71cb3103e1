//! MIGRATE: keys go to another server.
//!
//! 1. Under the locks of the keys, each is dumped ([`pack`]).
//! 2. Without any lock, on a lane, the dumps are sent and the answers awaited ([`send`]).
//! 3. Under the locks again, each key that the target has taken is deleted if it is what was sent; a key that has changed
//!    meanwhile goes through all of it once more, one that has vanished is deleted there ([`conclude`]).
//!
//! So a key is at one of the servers as its last writer left it, as if the call had taken no time, and writers never wait.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use commands::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use commands::{
    Args, Arity, Categories, CommandError, EventClass, Flags, Group, ReadSpace, Reply, WriteSpace,
};
use engine::{EngineCommand, Flow, Handler, Holding, Session, SessionCtx, ShardSet};
use persist::RdbVersion;
use resp::encode_call;

use super::error::RowError;
use super::server;
use crate::migrate::{Failure, Target, Transfer};

/// The row of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&MIGRATE];

const MIGRATE: EngineCommand = EngineCommand {
    name: "migrate",
    group: Group::Generic,
    since: "2.6.0",
    summary: "Moves or copies keys to another server.",
    complexity: "O(N) in the bytes of the values, here and at the other server",
    arity: Arity::AtLeast(6),
    keys: &[
        KeySpec::one(
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE),
            3,
        ),
        KeySpec {
            flags: KeyFlags::RW
                .union(KeyFlags::ACCESS)
                .union(KeyFlags::DELETE)
                .union(KeyFlags::INCOMPLETE),
            begin: BeginSearch::Keyword {
                word: "KEYS",
                from: -2,
            },
            find: FindKeys::Range {
                last: -1,
                step: 1,
                limit: 0,
            },
            vary: None,
        },
    ],
    flags: Flags::MOVABLEKEYS.union(Flags::WRITE),
    categories: Categories::DANGEROUS.union(Categories::KEYSPACE),
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(migrate),
};

/// What a call asks for.
#[derive(Debug)]
struct Request<'a> {
    target: Target,
    db: i64,
    timeout: Duration,
    copy: bool,
    replace: bool,
    /// AUTH's words.
    auth: Option<Vec<&'a [u8]>>,
    keys: &'a [&'a [u8]],
}

/// What a call has come to, between its parts.
#[derive(Debug)]
struct Migration {
    /// The call's words, by which it knows what is its own.
    words: Vec<Bytes>,
    parcels: Vec<Parcel>,
    /// Whether the parcels have been sent.
    sent: bool,
    /// How often some have been.
    rounds: usize,
    failure: Option<Failure>,
}

/// A key on its way.
#[derive(Debug)]
struct Parcel {
    key: Bytes,
    /// The dump; `None` for a key that was sent and has vanished since, to be deleted at the target.
    content: Option<Content>,
    /// Whether the target has taken it.
    taken: bool,
    /// Whether it takes the place of what was sent before.
    again: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Content {
    payload: Vec<u8>,
    deadline: Option<i64>,
}

/// Rounds after which keys that change faster than they can be sent stay where they are.
const ROUNDS_MAX: usize = 64;
/// The time limit of who gives none.
const TIMEOUT_MS: u64 = 1000;

fn migrate(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let words = args.peek_all();
    let request = Request::parse(ctx, words)?;
    if ctx.in_exec {
        return Err(CommandError::NotInTransaction);
    }
    if !ctx.on_lane {
        return Ok(Flow::Elsewhere);
    }
    let mut shards = ShardSet::none();
    for key in request.keys {
        shards.insert(ctx.engine.locks.shard_of(key));
    }
    let Some(mut migration) = left_behind(ctx.session, words) else {
        let words: Vec<Bytes> = copies(words);
        let keys = copies(request.keys);
        return Ok(Flow::Hold(
            shards,
            Box::new(move |held| pack_all(held, &keys, &words)),
        ));
    };
    if !migration.sent {
        send(ctx, &request, &mut migration);
    }
    if request.copy || !migration.parcels.iter().any(|parcel| parcel.taken) {
        return migration.reply().map(Flow::Reply);
    }
    ctx.session.errand = Some(migration);
    Ok(Flow::Hold(shards, Box::new(conclude)))
}

fn copies(words: &[&[u8]]) -> Vec<Bytes> {
    words
        .iter()
        .map(|word| Bytes::copy_from_slice(word))
        .collect()
}

impl<'a> Request<'a> {
    /// The words behind the name, in the order in which Redis judges them (migrateCommand, Redis 7.2).
    fn parse(ctx: &mut SessionCtx<'_>, words: &'a [&'a [u8]]) -> Result<Self, CommandError> {
        let mut args = Args::new(words);
        let (host, port, key) = (args.bytes()?, args.bytes()?, args.take(1)?);
        let numbers = args.take(2)?;
        let (mut copy, mut replace, mut auth, mut keys) = (false, false, None, key);
        while !args.is_empty() {
            if args.flag("COPY") {
                copy = true;
            } else if args.flag("REPLACE") {
                replace = true;
            } else if args.flag("AUTH") {
                auth = Some(secret(ctx, words, &mut args, 1)?);
            } else if args.flag("AUTH2") {
                auth = Some(secret(ctx, words, &mut args, 2)?);
            } else if args.flag("KEYS") {
                if key.iter().any(|key| !key.is_empty()) {
                    return Err(RowError::MigrateKeys.into());
                }
                keys = args.rest();
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let mut numbers = Args::new(numbers);
        let db = Args::new(numbers.take(1)?).int();
        let timeout_ms = u64::try_from(numbers.int()?).unwrap_or(0);
        let timeout_ms = if timeout_ms == 0 {
            TIMEOUT_MS
        } else {
            timeout_ms
        };
        let port = std::str::from_utf8(port)
            .ok()
            .and_then(|port| port.parse().ok());
        Ok(Self {
            target: Target {
                host: String::from_utf8_lossy(host).into_owned(),
                port: port.unwrap_or(0),
            },
            db: db?,
            timeout: Duration::from_millis(timeout_ms),
            copy,
            replace,
            auth,
            keys,
        })
    }
}

/// The words of AUTH, of which the `count` that the client gave are shown to nobody.
fn secret<'a>(
    ctx: &mut SessionCtx<'_>,
    words: &[&[u8]],
    args: &mut Args<'a>,
    count: usize,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let first = words.len() - args.len();
    let given = args.take(count)?;
    (first..first + count).for_each(|argument| ctx.hide(argument));
    Ok([&[&b"AUTH"[..]], given].concat())
}

/// What an earlier part of the same call left.
fn left_behind(session: &mut Session, words: &[&[u8]]) -> Option<Box<Migration>> {
    let errand = session.errand.take()?.downcast::<Migration>().ok()?;
    errand.words.iter().eq(words.iter()).then_some(errand)
}

/// Dumps the keys that are there; the call goes on behind the locks, unless there is none.
fn pack_all(
    held: &mut Holding<'_>,
    keys: &[Bytes],
    words: &[Bytes],
) -> Result<Reply, CommandError> {
    let mut seen = HashSet::new();
    let mut parcels = Vec::new();
    for key in keys.iter().filter(|key| seen.insert(*key)) {
        if let Some(content) = pack(held, key) {
            parcels.push(Parcel {
                key: key.clone(),
                content: Some(content),
                taken: false,
                again: false,
            });
        }
    }
    if parcels.is_empty() {
        return Ok(Reply::Simple("NOKEY"));
    }
    held.session.errand = Some(Box::new(Migration {
        words: words.to_vec(),
        parcels,
        sent: false,
        rounds: 0,
        failure: None,
    }));
    Ok(Reply::Elsewhere)
}

fn pack(held: &mut Holding<'_>, key: &[u8]) -> Option<Content> {
    let compression = held.world.settings.dumping.compression;
    let mut space = ReadSpace::new(held.space_of(key));
    let entry = space.read(key)?;
    Some(Content {
        payload: persist::dump(entry.value(), RdbVersion::V11, compression),
        deadline: entry.expiry(),
    })
}

/// Sends the parcels and notes which were taken.
fn send(ctx: &SessionCtx<'_>, request: &Request<'_>, migration: &mut Migration) {
    let now_ms = ctx.now.ms();
    let calls: Vec<Vec<u8>> = migration
        .parcels
        .iter()
        .map(|parcel| parcel.call(request.replace, now_ms))
        .collect();
    let outcome = server(ctx).migrations.transfer(
        server(ctx),
        &Transfer {
            target: &request.target,
            db: request.db,
            timeout: request.timeout,
            auth: request.auth.as_deref(),
            calls: &calls,
        },
    );
    for (parcel, taken) in migration.parcels.iter_mut().zip(outcome.done) {
        parcel.taken = taken;
    }
    migration.sent = true;
    migration.rounds += 1;
    migration.failure = migration.failure.take().or(outcome.failure);
}

impl Parcel {
    /// What the target is asked to do.
    fn call(&self, replace: bool, now_ms: i64) -> Vec<u8> {
        let mut call = Vec::new();
        let Some(Content { payload, deadline }) = &self.content else {
            encode_call(&mut call, [b"DEL".as_slice(), &self.key]);
            return call;
        };
        let ttl_ms = deadline.map_or(0, |deadline| deadline.saturating_sub(now_ms).max(1));
        let ttl = ttl_ms.to_string();
        let mut words: Vec<&[u8]> = vec![b"RESTORE", &self.key, ttl.as_bytes(), payload];
        if replace || self.again {
            words.push(b"REPLACE");
        }
        encode_call(&mut call, words);
        call
    }
}

impl Migration {
    fn reply(&self) -> Result<Reply, CommandError> {
        match &self.failure {
            None => Ok(Reply::Ok),
            Some(failure) => Err(RowError::Migrate(failure.clone()).into()),
        }
    }
}

/// Deletes what the target has taken and what is still as it was sent; what is not is sent again.
fn conclude(held: &mut Holding<'_>) -> Result<Reply, CommandError> {
    let errand = held.session.errand.take();
    let Some(mut migration) = errand.and_then(|errand| errand.downcast::<Migration>().ok()) else {
        return Err(CommandError::NotInTransaction);
    };
    let (mut deleted, mut changed) = (Vec::new(), Vec::new());
    let parcels = std::mem::take(&mut migration.parcels);
    for parcel in parcels.into_iter().filter(|parcel| parcel.taken) {
        let content = pack(held, &parcel.key);
        if content != parcel.content {
            changed.push(Parcel {
                content,
                taken: false,
                again: true,
                ..parcel
            });
        } else if content.is_some() {
            let mut space = WriteSpace::new(held.space_of(&parcel.key));
            space.delete(&parcel.key);
            space.commit(&parcel.key, EventClass::GENERIC, "del", 1);
            deleted.push(parcel.key);
        }
    }
    if !deleted.is_empty() {
        held.effects.log_words(|| {
            deleted.insert(0, Bytes::from_static(b"DEL"));
            deleted
        });
    }
    if changed.is_empty() {
        return migration.reply();
    }
    let is_reachable = matches!(migration.failure, None | Some(Failure::Refused(_)));
    if !is_reachable || migration.rounds == ROUNDS_MAX {
        let failure = migration.failure.take().unwrap_or(Failure::Overtaken);
        return Err(RowError::Migrate(failure).into());
    }
    migration.parcels = changed;
    migration.sent = false;
    held.session.errand = Some(migration);
    Ok(Reply::Elsewhere)
}
