//! XREAD and XREADGROUP.

use super::{StreamError, id_word, note, number, strict_id, write_entries, write_entry, write_id};
use crate::effects::BlockOn;
use crate::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, Reply,
    WriteCtx,
};
use bytes::Bytes;
use resp::{Aggregate, Deferred, Proto, Writer};
use smallvec::SmallVec;
use store::stream::{Direction, EntryLog, Pending, StreamId};
use store::{Kind, Stream, stream};

pub(super) const XREAD: DataCommand = DataCommand {
    name: "xread",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns the entries of streams behind an id of each, and may wait until there is one.",
    complexity: "O(N) for each stream, N the entries returned; O(M) when it waits, M the clients waiting",
    arity: Arity::AtLeast(4),
    keys: &[keys_behind_streams(1)],
    flags: Flags::BLOCKING
        .union(Flags::MOVABLEKEYS)
        .union(Flags::READONLY)
        .union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(xread),
};

fn xread(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let request = Request::parse(args, Command::Xread, ctx.call.now.ms())?;
    let mut after: SmallVec<[StreamId; 8]> = SmallVec::new();
    for (&key, &id) in request.keys.iter().zip(request.ids) {
        let stream = ctx.space.value::<Stream>(key)?;
        after.push(match id {
            b"$" => stream.map_or(StreamId::MIN, |stream| stream.entries.totals().last_id),
            b">" => return Err(StreamError::NewOfXread.into()),
            id => strict_id(id)?,
        });
    }
    if ctx.call.is_long(request.count.saturating_mul(after.len())) {
        let mut entries = 0;
        for (&key, &after) in request.keys.iter().zip(&after) {
            let stream = ctx.space.peek_value::<Stream>(key)?;
            entries += stream.map_or(0, |stream| stream.entries.estimate(after, StreamId::MAX));
        }
        if ctx.call.is_long(entries) {
            return Ok(Reply::Elsewhere);
        }
    }
    let mut replies = Replies::default();
    for (&key, &after) in request.keys.iter().zip(&after) {
        if let Some(stream) = ctx.space.value::<Stream>(key)?
            && let Some(start) = unread(&stream.entries, after)
        {
            replies.open(&mut ctx.out, key);
            let entries = new_entries(&stream.entries, start, request.count);
            write_entries(&mut ctx.out, entries);
        }
    }
    if replies.finish(&mut ctx.out) {
        return Ok(Reply::Written);
    }
    let ends = request.ids.iter().zip(&after).enumerate();
    let rewritten = ends
        .filter(|(_, (word, _))| **word == b"$")
        .map(|(index, (_, after))| (request.ids_at + index, id_word(*after)));
    Ok(match request.block_on(rewritten.collect()) {
        Some(on) => ctx.block(on),
        None => Reply::NilArray,
    })
}

pub(super) const XREADGROUP: DataCommand = DataCommand {
    name: "xreadgroup",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns entries of streams to a consumer of a group: new ones, or those that it has pending; may wait for new ones.",
    complexity: "O(M) for each stream, M the entries returned; O(N) when it waits, N the clients waiting",
    arity: Arity::AtLeast(7),
    keys: &[keys_behind_streams(4)],
    flags: Flags::BLOCKING
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(xreadgroup),
};

fn xreadgroup(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let request = Request::parse(args, Command::Xreadgroup, ctx.call.now.ms())?;
    let (group, consumer) = request.group.ok_or(StreamError::MissingGroup)?;
    let mut starts: SmallVec<[Start; 8]> = SmallVec::new();
    let mut entries = 0;
    for (&key, &id) in request.keys.iter().zip(request.ids) {
        let stream = ctx.space.read_value::<Stream>(key)?;
        let found = stream.and_then(|stream| Some((stream, stream.groups.get(group)?)));
        let (stream, group) = found.ok_or_else(|| StreamError::NoGroupToRead {
            key: key.into(),
            group: group.into(),
        })?;
        let start = Start::parse(id)?;
        starts.push(start);
        entries += match start {
            Start::New => stream.entries.estimate(group.last_id, StreamId::MAX),
            Start::Pending(_) => group.pending_len(),
        };
    }
    if ctx.call.is_long(request.count.saturating_mul(starts.len())) && ctx.call.is_long(entries) {
        return Ok(Reply::Elsewhere);
    }
    ctx.effects().log_nothing();
    let mut reader = Reader {
        key: &[],
        group,
        consumer,
        delivery: request.delivery,
        count: request.count,
        now_ms: ctx.call.now.ms(),
        logs: ctx.effects().audience.log,
    };
    let mut replies = Replies::default();
    for (&key, start) in request.keys.iter().zip(starts) {
        // Redis looks each key up once more, and counts it.
        let _again = ctx.space.read(key);
        let Some(mut guard) = ctx.space.entry::<Stream>(key)?.existing() else {
            continue;
        };
        reader.key = key;
        let read = reader.read(&mut guard, start, &mut ctx.out, &mut replies);
        drop(guard);
        if read.created {
            note(ctx, key, "xgroup-createconsumer", 1);
        }
        ctx.effects().dirty += u64::from(read.served);
        for words in read.logged {
            ctx.effects().log_words(|| words);
        }
    }
    if replies.finish(&mut ctx.out) {
        return Ok(Reply::Written);
    }
    Ok(match request.block_on(Vec::new()) {
        Some(on) => ctx.block(on),
        None => Reply::NilArray,
    })
}

/// The keys of XREAD and XREADGROUP: the first half of the words behind STREAMS.
const fn keys_behind_streams(from: i32) -> KeySpec {
    KeySpec {
        flags: KeyFlags::RO.union(KeyFlags::ACCESS),
        begin: BeginSearch::Keyword {
            word: "STREAMS",
            from,
        },
        find: FindKeys::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        vary: None,
    }
}

/// Which of the two commands is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Xread,
    Xreadgroup,
}

/// What becomes of entries that a consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// They are pending until it acknowledges them.
    Pending,
    /// `NOACK`: they are forgotten.
    Forgotten,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    command: Command,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
    /// Where the first id stands in the whole call.
    ids_at: usize,
    /// Entries of each stream at most.
    count: usize,
    /// `BLOCK`: the timeout, `None` for never.
    block: Option<Option<i64>>,
    /// `GROUP`: the group and the consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    delivery: Delivery,
}

impl<'a> Request<'a> {
    /// Reads the words behind the command's name in Redis' order of errors (xreadCommand, Redis 7.2).
    fn parse(mut args: Args<'a>, command: Command, now_ms: i64) -> Result<Self, CommandError> {
        let words = args.len();
        let mut request = Self {
            command,
            keys: &[],
            ids: &[],
            ids_at: 0,
            count: usize::MAX,
            block: None,
            group: None,
            delivery: Delivery::Pending,
        };
        while !args.is_empty() {
            let more = args.len() - 1;
            if more > 0 && args.flag("block") {
                request.block = Some(args.timeout_ms(now_ms)?);
            } else if more > 0 && args.flag("count") {
                let count = usize::try_from(args.int()?).unwrap_or(0);
                request.count = if count == 0 { usize::MAX } else { count };
            } else if more > 0 && args.flag("streams") {
                request.ids_at = words - args.len() + 1;
                request.pair(args.rest())?;
            } else if more > 1 && args.flag("group") {
                if command == Command::Xread {
                    return Err(StreamError::GroupOfXread.into());
                }
                request.group = Some((args.bytes()?, args.bytes()?));
            } else if args.flag("noack") {
                if command == Command::Xread {
                    return Err(StreamError::NoackOfXread.into());
                }
                request.delivery = Delivery::Forgotten;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if request.keys.is_empty() {
            return Err(CommandError::Syntax);
        }
        Ok(request)
    }

    fn pair(&mut self, words: &'a [&'a [u8]]) -> Result<(), CommandError> {
        if !words.len().is_multiple_of(2) {
            let (command, symbol) = match self.command {
                Command::Xread => ("xread", '$'),
                Command::Xreadgroup => ("xreadgroup", '>'),
            };
            return Err(StreamError::Unbalanced { command, symbol }.into());
        }
        (self.keys, self.ids) = words.split_at(words.len() / 2);
        self.ids_at += self.keys.len();
        Ok(())
    }

    /// What to wait for, when the call may wait.
    fn block_on(&self, rewritten: Vec<(usize, Bytes)>) -> Option<BlockOn> {
        let keys = self.keys.iter().map(|key| Bytes::copy_from_slice(key));
        Some(BlockOn {
            timeout_ms: self.block?,
            keys: keys.collect(),
            kind: Kind::Stream,
            otherwise: Reply::NilArray,
            on_deletion: self.command == Command::Xreadgroup,
            rewritten,
        })
    }
}

/// From where XREADGROUP reads a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// `>`: what the group has not handed out.
    New,
    /// What the consumer has pending behind this id.
    Pending(StreamId),
}

impl Start {
    fn parse(word: &[u8]) -> Result<Self, CommandError> {
        match word {
            b"$" => Err(StreamError::EndOfXreadgroup.into()),
            b">" => Ok(Self::New),
            // Redis keeps `>` as the highest id, and so takes the one for the other.
            id => Ok(match strict_id(id)? {
                StreamId::MAX => Self::New,
                id => Self::Pending(id),
            }),
        }
    }
}

/// The reply as it grows, stream by stream: nothing is written until one has something to say.
#[derive(Debug, Default)]
struct Replies {
    deferred: Option<Deferred>,
    streams: usize,
}

impl Replies {
    fn open(&mut self, out: &mut Writer<'_>, key: &[u8]) {
        if self.deferred.is_none() {
            self.deferred = Some(out.begin());
        }
        self.streams += 1;
        if out.proto == Proto::Resp2 {
            out.array(2);
        }
        out.bulk(key);
    }

    /// Closes the reply; whether there is one.
    fn finish(self, out: &mut Writer<'_>) -> bool {
        let Some(deferred) = self.deferred else {
            return false;
        };
        let kind = match out.proto {
            Proto::Resp2 => Aggregate::Array,
            Proto::Resp3 => Aggregate::Map,
        };
        out.finish(deferred, kind, self.streams);
        true
    }
}

/// A consumer that reads.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    delivery: Delivery,
    count: usize,
    now_ms: i64,
    /// Whether anybody wants the commands for the log.
    logs: bool,
}

/// What reading one stream did beside its reply.
#[derive(Debug, Default)]
struct Read {
    created: bool,
    served: bool,
    logged: Vec<Vec<Bytes>>,
}

impl Reader<'_> {
    fn read(
        &self,
        stream: &mut Stream,
        start: Start,
        out: &mut Writer<'_>,
        replies: &mut Replies,
    ) -> Read {
        let mut read = Read::default();
        let entries = &stream.entries;
        let Some(group) = stream.groups.get_mut(self.group) else {
            return read;
        };
        let consumer = match group.find_consumer(self.consumer) {
            Some(consumer) => consumer,
            None => {
                let Some(consumer) = group.create_consumer(self.consumer, self.now_ms) else {
                    return read;
                };
                read.created = true;
                if self.logs && self.delivery == Delivery::Forgotten {
                    read.logged.push(self.log_consumer());
                }
                consumer
            }
        };
        if let Some(consumer) = group.consumer_mut(consumer) {
            consumer.seen_ms = self.now_ms;
        }
        match start {
            Start::Pending(after) => {
                replies.open(out, self.key);
                read.served = true;
                self.read_pending(entries, group, consumer, after, out);
            }
            Start::New => {
                if let Some(start) = unread(entries, group.last_id) {
                    replies.open(out, self.key);
                    read.served = true;
                    self.read_new(entries, group, consumer, start, out, &mut read.logged);
                }
            }
        }
        read
    }

    /// Hands out entries that the group has not handed out before.
    fn read_new(
        &self,
        entries: &EntryLog,
        group: &mut stream::Group,
        consumer: stream::ConsumerId,
        start: StreamId,
        out: &mut Writer<'_>,
        logged: &mut Vec<Vec<Bytes>>,
    ) {
        let deferred = out.begin();
        let mut count = 0;
        for entry in new_entries(entries, start, self.count) {
            let id = entry.id;
            group.read_up_to(id, entries.totals());
            write_entry(out, entry);
            count += 1;
            if self.delivery == Delivery::Forgotten {
                continue;
            }
            let pending = Pending {
                id,
                delivered_ms: self.now_ms,
                deliveries: 1,
                owner: consumer,
            };
            group.assign(pending);
            if self.logs {
                logged.push(claimed(self.key, self.group, group, &pending, &id_word(id)));
            }
        }
        out.finish(deferred, Aggregate::Array, count);
        if self.delivery == Delivery::Pending {
            if let Some(consumer) = group.consumer_mut(consumer) {
                consumer.active_ms = Some(self.now_ms);
            }
        } else if self.logs {
            logged.push(group_moved(self.key, self.group, group));
        }
    }

    /// Hands out again what the consumer has pending behind an id; of entries that are gone, the id alone.
    fn read_pending(
        &self,
        entries: &EntryLog,
        group: &mut stream::Group,
        consumer: stream::ConsumerId,
        after: StreamId,
        out: &mut Writer<'_>,
    ) {
        let start = after.next().unwrap_or(StreamId::MAX);
        let ids: Vec<StreamId> = group.consumer(consumer).map_or_else(Vec::new, |consumer| {
            consumer.pending_from(start).take(self.count).collect()
        });
        out.array(ids.len());
        for id in ids {
            match entries.get(id) {
                Some(entry) => {
                    write_entry(out, entry);
                    group.redeliver(id, self.now_ms);
                }
                None => {
                    out.array(2);
                    write_id(out, id);
                    out.null_array();
                }
            }
        }
    }

    fn log_consumer(&self) -> Vec<Bytes> {
        vec![
            Bytes::from_static(b"XGROUP"),
            Bytes::from_static(b"CREATECONSUMER"),
            Bytes::copy_from_slice(self.key),
            Bytes::copy_from_slice(self.group),
            Bytes::copy_from_slice(self.consumer),
        ]
    }
}

/// The XCLAIM that makes an entry pending elsewhere as it is here (streamPropagateXCLAIM, Redis 7.2). `id` is the id as the
/// log is to spell it.
pub(super) fn claimed(
    key: &[u8],
    group_name: &[u8],
    group: &stream::Group,
    pending: &Pending,
    id: &Bytes,
) -> Vec<Bytes> {
    let owner = group.consumer(pending.owner);
    vec![
        Bytes::from_static(b"XCLAIM"),
        Bytes::copy_from_slice(key),
        Bytes::copy_from_slice(group_name),
        owner.map_or_else(Bytes::new, |owner| Bytes::copy_from_slice(owner.name())),
        Bytes::from_static(b"0"),
        id.clone(),
        Bytes::from_static(b"TIME"),
        number(pending.delivered_ms),
        Bytes::from_static(b"RETRYCOUNT"),
        number(pending.deliveries),
        Bytes::from_static(b"FORCE"),
        Bytes::from_static(b"JUSTID"),
        Bytes::from_static(b"LASTID"),
        id_word(group.last_id),
    ]
}

/// The XGROUP SETID that brings a group elsewhere to where it is here (streamPropagateGroupID, Redis 7.2).
pub(super) fn group_moved(key: &[u8], group_name: &[u8], group: &stream::Group) -> Vec<Bytes> {
    vec![
        Bytes::from_static(b"XGROUP"),
        Bytes::from_static(b"SETID"),
        Bytes::copy_from_slice(key),
        Bytes::copy_from_slice(group_name),
        id_word(group.last_id),
        Bytes::from_static(b"ENTRIESREAD"),
        number(group.entries_read.unwrap_or(-1)),
    ]
}

/// Where the entries behind `after` begin, when there is one.
fn unread(entries: &EntryLog, after: StreamId) -> Option<StreamId> {
    // The last id ever is as high as any; looking at it spares most calls that find nothing a look into a node.
    if entries.is_empty() || entries.totals().last_id <= after {
        return None;
    }
    entries.newest_id().filter(|newest| *newest > after)?;
    after.next()
}

fn new_entries(
    entries: &EntryLog,
    start: StreamId,
    count: usize,
) -> impl Iterator<Item = stream::Entry<'_>> {
    entries
        .range(start, StreamId::MAX, Direction::Forward)
        .take(count)
}
