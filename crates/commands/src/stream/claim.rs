//! XCLAIM and XAUTOCLAIM: pending entries go from one consumer to another.

use super::read::{claimed, group_moved};
use super::{
    SHORTENED_KEY, StreamError, UPDATED_KEY, id_word, note, range_start, strict_id, write_entry,
    write_id,
};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, Reply, WriteCtx,
};
use bytes::Bytes;
use resp::{Aggregate, Writer};
use store::Stream;
use store::stream::{self, ConsumerId, EntryLog, Pending, StreamId};

pub(super) const XCLAIM: DataCommand = DataCommand {
    name: "xclaim",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Gives pending entries, named by their ids, to another consumer of the group.",
    complexity: "O(log(N)) for each id, N the entries pending",
    arity: Arity::AtLeast(6),
    keys: UPDATED_KEY,
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Write(xclaim),
};

fn xclaim(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, group, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    // Redis looks for the group before it reads the other words.
    require_group(ctx, key, group)?;
    let min_idle_ms = min_idle(&mut args, "XCLAIM")?;
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|word| StreamId::parse(word, 0)) {
        ids.push((id, args.bytes()?));
    }
    let options = Options::parse(args, ctx.call.now.ms())?;
    ctx.effects().log_nothing();
    let mut claims = Claims::new(ctx, key, (group, consumer), options, min_idle_ms);
    let mut guard = ctx.space.entry::<Stream>(key)?.existing();
    let Some((entries, group)) = guard.as_mut().and_then(|guard| guard.parts(group)) else {
        return Ok(Reply::EmptyArray);
    };
    let moved = options.last_id > group.last_id;
    if moved {
        group.last_id = options.last_id;
    }
    claims.begin(group);
    let deferred = ctx.out.begin();
    let mut count = 0;
    for (id, word) in ids {
        let word = || Bytes::copy_from_slice(word);
        if claims.take(entries, group, id, word) == Claim::Taken {
            claims.show(entries, id, &mut ctx.out);
            count += 1;
        }
    }
    ctx.out.finish(deferred, Aggregate::Array, count);
    // An XCLAIM in the log carries the group's last id with it.
    if moved && claims.dirty == 0 {
        claims.dirty += 1;
        if claims.logs {
            claims
                .logged
                .push(group_moved(key, claims.group_name, group));
        }
    }
    drop(guard);
    claims.finish(ctx, key);
    Ok(Reply::Written)
}

pub(super) const XAUTOCLAIM: DataCommand = DataCommand {
    name: "xautoclaim",
    group: Group::Stream,
    since: "6.2.0",
    summary: "Gives entries that have been pending for long to another consumer of the group, a number at a time.",
    complexity: "O(1) if COUNT is small",
    arity: Arity::AtLeast(6),
    keys: SHORTENED_KEY,
    flags: Flags::FAST.union(Flags::WRITE).union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Write(xautoclaim),
};

fn xautoclaim(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, group, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let min_idle_ms = min_idle(&mut args, "XAUTOCLAIM")?;
    let start = range_start(args.bytes()?)?;
    let mut count = 100;
    let mut options = Options::plain(ctx.call.now.ms());
    while !args.is_empty() {
        if args.len() > 1 && args.flag("count") {
            let range = 1..=i64::MAX / LOOKS_PER_CLAIM.max(size_of::<StreamId>() as i64);
            count = args.int_in(range, StreamError::ClaimCount.into())? as usize;
        } else if args.flag("justid") {
            options.shows = Shows::Ids;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    require_group(ctx, key, group)?;
    ctx.effects().log_nothing();
    let mut claims = Claims::new(ctx, key, (group, consumer), options, min_idle_ms);
    let mut guard = ctx.space.entry::<Stream>(key)?.existing();
    let Some((entries, group)) = guard.as_mut().and_then(|guard| guard.parts(group)) else {
        return Ok(Reply::EmptyArray);
    };
    let looks = count.saturating_mul(LOOKS_PER_CLAIM as usize);
    if ctx.call.is_long(looks.min(group.pending_len())) {
        return Ok(Reply::Elsewhere);
    }
    claims.begin(group);
    // One more than is looked at: where the next call goes on.
    let candidates: Vec<StreamId> = group
        .pending_from(start)
        .take(looks.saturating_add(1))
        .map(|pending| pending.id)
        .collect();
    let sweep = claims.sweep(entries, group, &candidates, count, looks);
    ctx.out.array(3);
    write_id(&mut ctx.out, sweep.next);
    ctx.out.array(sweep.taken.len());
    for id in sweep.taken {
        claims.show(entries, id, &mut ctx.out);
    }
    ctx.out.array(sweep.gone.len());
    for id in sweep.gone {
        write_id(&mut ctx.out, id);
    }
    drop(guard);
    claims.finish(ctx, key);
    Ok(Reply::Written)
}

/// Pending entries that XAUTOCLAIM looks at for each that it may return.
const LOOKS_PER_CLAIM: i64 = 10;

fn min_idle(args: &mut Args<'_>, command: &'static str) -> Result<i64, CommandError> {
    let idle = args.int_or(StreamError::MinIdleTime(command).into())?;
    Ok(idle.max(0))
}

/// An error unless the key is there and has the group.
fn require_group(ctx: &mut WriteCtx<'_>, key: &[u8], group: &[u8]) -> Result<(), CommandError> {
    let stream = ctx.space.read_value::<Stream>(key)?;
    if stream.is_some_and(|stream| stream.groups.contains_key(group)) {
        Ok(())
    } else {
        Err(StreamError::no_group(key, group).into())
    }
}

/// How claimed entries are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Entries,
    /// `JUSTID`; nor does it count as a delivery.
    Ids,
}

/// What claimed entries become.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// When they count as delivered, in Unix milliseconds.
    delivered_ms: i64,
    /// `RETRYCOUNT`.
    deliveries: Option<u64>,
    /// `FORCE`: entries that nobody has pending are claimed too.
    forced: bool,
    shows: Shows,
    /// `LASTID`.
    last_id: StreamId,
}

impl Options {
    fn plain(now_ms: i64) -> Self {
        Self {
            delivered_ms: now_ms,
            deliveries: None,
            forced: false,
            shows: Shows::Entries,
            last_id: StreamId::MIN,
        }
    }

    /// The words behind the ids (xclaimCommand, Redis 7.2).
    fn parse(mut args: Args<'_>, now_ms: i64) -> Result<Self, CommandError> {
        let mut options = Self::plain(now_ms);
        let mut delivered_ms = None;
        while !args.is_empty() {
            let more = args.len() > 1;
            let bad = |option| CommandError::from(StreamError::ClaimOption(option));
            if args.flag("force") {
                options.forced = true;
            } else if args.flag("justid") {
                options.shows = Shows::Ids;
            } else if more && args.flag("idle") {
                delivered_ms = Some(now_ms.wrapping_sub(args.int_or(bad("IDLE"))?));
            } else if more && args.flag("time") {
                delivered_ms = Some(args.int_or(bad("TIME"))?);
            } else if more && args.flag("retrycount") {
                options.deliveries = u64::try_from(args.int_or(bad("RETRYCOUNT"))?).ok();
            } else if more && args.flag("lastid") {
                options.last_id = strict_id(args.bytes()?)?;
            } else {
                return Err(StreamError::ClaimOptionUnknown(args.bytes()?.into()).into());
            }
        }
        // A time that makes no sense is now: clients compute it from clocks of their own.
        options.delivered_ms = delivered_ms
            .filter(|at| (0..=now_ms).contains(at))
            .unwrap_or(now_ms);
        Ok(options)
    }
}

/// What came of claiming one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The consumer has it now.
    Taken,
    /// It was pending, but the stream has it no longer; it is not pending now.
    Gone,
    /// Nothing: not pending, or not for long enough.
    Left,
}

/// A call that claims, and what it does beside its reply.
#[derive(Debug)]
struct Claims<'a> {
    key: &'a [u8],
    group_name: &'a [u8],
    consumer_name: &'a [u8],
    consumer: ConsumerId,
    options: Options,
    min_idle_ms: i64,
    now_ms: i64,
    created: bool,
    dirty: u64,
    /// Whether anybody wants the commands for the log.
    logs: bool,
    logged: Vec<Vec<Bytes>>,
}

/// What XAUTOCLAIM came to.
#[derive(Debug, Default)]
struct Sweep {
    taken: Vec<StreamId>,
    gone: Vec<StreamId>,
    /// Where the next call goes on; 0-0 at the end.
    next: StreamId,
}

impl<'a> Claims<'a> {
    fn new(
        ctx: &mut WriteCtx<'_>,
        key: &'a [u8],
        (group_name, consumer_name): (&'a [u8], &'a [u8]),
        options: Options,
        min_idle_ms: i64,
    ) -> Self {
        Self {
            key,
            group_name,
            consumer_name,
            consumer: ConsumerId::NOBODY,
            options,
            min_idle_ms,
            now_ms: ctx.call.now.ms(),
            created: false,
            dirty: 0,
            logs: ctx.effects().audience.log,
            logged: Vec::new(),
        }
    }

    /// Finds the consumer, or makes it.
    fn begin(&mut self, group: &mut stream::Group) {
        let known = group.find_consumer(self.consumer_name);
        let consumer = known.or_else(|| group.create_consumer(self.consumer_name, self.now_ms));
        self.created = known.is_none();
        self.consumer = consumer.unwrap_or(ConsumerId::NOBODY);
        if let Some(consumer) = group.consumer_mut(self.consumer) {
            consumer.seen_ms = self.now_ms;
        }
    }

    /// Claims one entry; `word` spells its id for the log.
    fn take(
        &mut self,
        entries: &EntryLog,
        group: &mut stream::Group,
        id: StreamId,
        word: impl FnOnce() -> Bytes,
    ) -> Claim {
        let known = group.pending(id);
        if entries.get(id).is_none() {
            let Some(pending) = known else {
                return Claim::Left;
            };
            self.log(group, &pending, word);
            group.release(id);
            return Claim::Gone;
        }
        let deliveries = match known {
            Some(pending) => {
                let idle_ms = self.now_ms.wrapping_sub(pending.delivered_ms);
                if self.min_idle_ms > 0 && idle_ms < self.min_idle_ms {
                    return Claim::Left;
                }
                pending.deliveries
            }
            None if self.options.forced => 1,
            None => return Claim::Left,
        };
        let counted = u64::from(self.options.shows == Shows::Entries);
        let pending = Pending {
            id,
            delivered_ms: self.options.delivered_ms,
            deliveries: self
                .options
                .deliveries
                .unwrap_or_else(|| deliveries.wrapping_add(counted)),
            owner: self.consumer,
        };
        group.assign(pending);
        if let Some(consumer) = group.consumer_mut(self.consumer) {
            consumer.active_ms = Some(self.now_ms);
        }
        self.log(group, &pending, word);
        Claim::Taken
    }

    /// Claims of `candidates`, of which it looks at `looks`, until `count` are taken or found gone.
    fn sweep(
        &mut self,
        entries: &EntryLog,
        group: &mut stream::Group,
        candidates: &[StreamId],
        count: usize,
        looks: usize,
    ) -> Sweep {
        let mut sweep = Sweep::default();
        for (look, &id) in candidates.iter().enumerate() {
            if look == looks || sweep.taken.len() + sweep.gone.len() == count {
                sweep.next = id;
                break;
            }
            match self.take(entries, group, id, || id_word(id)) {
                Claim::Taken => sweep.taken.push(id),
                Claim::Gone => sweep.gone.push(id),
                Claim::Left => {}
            }
        }
        sweep
    }

    fn show(&self, entries: &EntryLog, id: StreamId, out: &mut Writer<'_>) {
        match (self.options.shows, entries.get(id)) {
            (Shows::Entries, Some(entry)) => write_entry(out, entry),
            _ => write_id(out, id),
        }
    }

    fn log(&mut self, group: &stream::Group, pending: &Pending, word: impl FnOnce() -> Bytes) {
        self.dirty += 1;
        if self.logs {
            let words = claimed(self.key, self.group_name, group, pending, &word());
            self.logged.push(words);
        }
    }

    /// Hands on what the call did beside its reply.
    fn finish(self, ctx: &mut WriteCtx<'_>, key: &[u8]) {
        if self.created {
            note(ctx, key, "xgroup-createconsumer", 1);
        }
        ctx.effects().dirty += self.dirty;
        for words in self.logged {
            ctx.effects().log_words(|| words);
        }
    }
}
