//! XACK and XPENDING: entries that were handed out and not acknowledged.

use super::{READ_KEY, StreamError, UPDATED_KEY, range_end, range_start, strict_ids, write_id};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use resp::{Aggregate, Writer};
use store::Stream;
use store::stream::{self, Pending, StreamId};

pub(super) const XACK: DataCommand = DataCommand {
    name: "xack",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Acknowledges entries: their consumers of a group have them pending no longer. Returns how many had.",
    complexity: "O(log(N)) for each id, N the entries pending",
    arity: Arity::AtLeast(4),
    keys: UPDATED_KEY,
    flags: Flags::FAST.union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(xack),
};

fn xack(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name) = (args.key()?, args.bytes()?);
    let stream = ctx.space.read_value::<Stream>(key)?;
    // The ids are looked at only where there is a group.
    if stream.is_none_or(|stream| !stream.groups.contains_key(name)) {
        return Ok(Reply::Integer(0));
    }
    let ids = strict_ids(&mut args)?;
    let mut guard = ctx.space.entry::<Stream>(key)?.existing();
    let group = guard.as_mut().and_then(|guard| guard.groups.get_mut(name));
    let released = group.map_or(0, |group| {
        ids.into_iter().filter(|id| group.release(*id)).count()
    });
    drop(guard);
    ctx.effects().dirty += released as u64;
    Ok(released.into())
}

pub(super) const XPENDING: DataCommand = DataCommand {
    name: "xpending",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Tells what a group has pending: in short, or entry by entry with its consumer and deliveries.",
    complexity: "O(N), N the entries or consumers returned; with IDLE, the entries in the range",
    arity: Arity::AtLeast(3),
    keys: READ_KEY,
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Read(xpending),
};

fn xpending(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, name) = (args.key()?, args.bytes()?);
    let span = Span::parse(args)?;
    let stream = ctx.space.value::<Stream>(key)?;
    let group = stream
        .and_then(|stream| stream.groups.get(name))
        .ok_or_else(|| StreamError::no_group(key, name))?;
    let Some(span) = span else {
        write_summary(&mut ctx.out, group);
        return Ok(Reply::Written);
    };
    let looked_at = if span.idle_ms == 0 {
        span.count
    } else {
        usize::MAX
    };
    if ctx.call.is_long(looked_at.min(group.pending_len())) {
        return Ok(Reply::Elsewhere);
    }
    let now_ms = ctx.call.now.ms();
    match span.consumer {
        None => {
            let pending = group.pending_from(span.start);
            span.write(&mut ctx.out, group, pending, now_ms);
        }
        Some(consumer) => {
            let Some(consumer) = group
                .find_consumer(consumer)
                .and_then(|consumer| group.consumer(consumer))
            else {
                return Ok(Reply::EmptyArray);
            };
            let ids = consumer.pending_from(span.start);
            let pending = ids.filter_map(|id| group.pending(id));
            span.write(&mut ctx.out, group, pending, now_ms);
        }
    }
    Ok(Reply::Written)
}

/// Which pending entries XPENDING lists.
#[derive(Clone, Copy, Debug)]
struct Span<'a> {
    /// Milliseconds since the last delivery at least; 0 does not ask.
    idle_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Span<'a> {
    /// The words behind the group, in Redis' order of errors (xpendingCommand, Redis 7.2); `None` for the short form.
    fn parse(mut args: Args<'a>) -> Result<Option<Self>, CommandError> {
        if args.is_empty() {
            return Ok(None);
        }
        if !(3..=6).contains(&args.len()) {
            return Err(CommandError::Syntax);
        }
        let mut idle_ms = 0;
        if args.flag("idle") {
            idle_ms = args.int()?;
            if args.len() < 3 {
                return Err(CommandError::Syntax);
            }
        }
        let (start, end) = (args.bytes()?, args.bytes()?);
        let count = usize::try_from(args.int()?).unwrap_or(0);
        Ok(Some(Self {
            idle_ms,
            start: range_start(start)?,
            end: range_end(end)?,
            count,
            // Whatever follows is read by nobody, as in Redis.
            consumer: args.next_word(),
        }))
    }

    fn write(
        self,
        out: &mut Writer<'_>,
        group: &stream::Group,
        pending: impl Iterator<Item = Pending>,
        now_ms: i64,
    ) {
        let deferred = out.begin();
        let mut count = 0;
        let within = pending
            .take_while(|pending| pending.id <= self.end)
            .filter(|pending| {
                self.idle_ms == 0 || now_ms.wrapping_sub(pending.delivered_ms) >= self.idle_ms
            });
        for pending in within.take(self.count) {
            out.array(4);
            write_id(out, pending.id);
            let owner = group.consumer(pending.owner);
            out.bulk(owner.map_or(b"", |owner| owner.name()));
            out.integer(now_ms.wrapping_sub(pending.delivered_ms).max(0));
            out.integer(pending.deliveries as i64);
            count += 1;
        }
        out.finish(deferred, Aggregate::Array, count);
    }
}

/// How much is pending, the lowest and the highest id, and how much each consumer has.
fn write_summary(out: &mut Writer<'_>, group: &stream::Group) {
    out.array(4);
    out.integer(group.pending_len() as i64);
    let (Some(first), Some(last)) = (group.first_pending(), group.last_pending()) else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    write_id(out, first.id);
    write_id(out, last.id);
    let deferred = out.begin();
    let mut count = 0;
    let consumers = group.consumers().map(|(_, consumer)| consumer);
    for consumer in consumers.filter(|consumer| consumer.pending_len() > 0) {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_integer(consumer.pending_len() as i64);
        count += 1;
    }
    out.finish(deferred, Aggregate::Array, count);
}
