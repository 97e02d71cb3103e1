//! What DEBUG shows of values and tables: OBJECT, SDSLEN, HTSTATS, HTSTATS-KEY, STRUCTSIZE.

use std::fmt::Write;

use commands::{Args, CommandError, Reply};
use engine::{Flow, Holding, Session, SessionCtx, ShardSet};
use store::stream::{Direction, StreamId};
use store::table::TableStats;
use store::{ALL_LIVE, Encoding, Entry, Item, Object, object_of, string_of};

use crate::rows::error::RowError;

/// Looks at the entry of a key with its shard held, expired or not, and writes what `show` says of it.
fn of_key(
    ctx: &SessionCtx<'_>,
    key: &[u8],
    show: impl Fn(&Holding<'_>, &Entry<Object>) -> Result<Shown, CommandError> + Send + 'static,
) -> Flow {
    let key = Box::<[u8]>::from(key);
    let shards = ShardSet::one(ctx.engine.locks.shard_of(&key));
    let number = ctx.engine.locks.shard_of(&key);
    let run = move |held: &mut Holding<'_>| {
        let (db, hash) = (held.session.db, held.engine.seed.hash(&key));
        let shard = held.shards.iter().find(|(held, _)| *held == number);
        let entry = shard.and_then(|(_, shard)| shard.db(db).get(hash, &key));
        let shown = show(held, entry.ok_or(CommandError::NoSuchKey)?)?;
        match shown {
            Shown::Line(line) => held.out().simple(line.as_bytes()),
            Shown::Text(text) => held.out().verbatim(*b"txt", text.as_bytes()),
        }
        Ok(Reply::Written)
    };
    Flow::Hold(shards, Box::new(run))
}

enum Shown {
    Line(String),
    Text(String),
}

pub(super) fn object(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let show = |held: &Holding<'_>, entry: &Entry<Object>| {
        let (access, idle_ms) = (
            entry.access(),
            held.world
                .settings
                .access
                .idle_ms(entry.access(), held.now.ms()),
        );
        let mut line = format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{access} lru_seconds_idle:{}",
            entry.key().as_ptr(),
            store::encoding_of(entry).name(),
            serialized_len(entry),
            idle_ms / 1000,
        );
        if let Some(Object::List(list)) = object_of(entry)
            && let Some(nodes) = list.node_stats()
        {
            let average = list.len() as f64 / nodes.nodes as f64;
            // Writing to a String cannot fail.
            let _ = write!(
                line,
                " ql_nodes:{} ql_avg_node:{average:.2} ql_listpack_max:{} ql_compressed:0 ql_uncompressed_size:{}",
                nodes.nodes, nodes.fill, nodes.bytes
            );
        }
        Ok(Shown::Line(line))
    };
    Ok(of_key(ctx, args.bytes()?, show))
}

/// Bytes of the value in a snapshot, were each element written by itself and uncompressed.
fn serialized_len(entry: &Entry<Object>) -> usize {
    let element = |item: Item<'_>| match item.integer() {
        Some(-0x80..=0x7F) => 2,
        Some(-0x8000..=0x7FFF) => 3,
        Some(-0x8000_0000..=0x7FFF_FFFF) => 5,
        _ => length_len(item.len()) + item.len(),
    };
    /// A score as 64 bits.
    const SCORE: usize = 8;
    match object_of(entry) {
        Some(Object::List(list)) => {
            length_len(list.len()) + list.iter().map(element).sum::<usize>()
        }
        Some(Object::Set(set)) => length_len(set.len()) + set.iter().map(element).sum::<usize>(),
        Some(Object::ZSet(zset)) => {
            let members = zset.iter().map(|(member, _)| element(member) + SCORE);
            length_len(zset.len()) + members.sum::<usize>()
        }
        Some(Object::Hash(hash)) => {
            let pairs = hash
                .iter(ALL_LIVE)
                .map(|(field, value)| element(field) + element(value));
            length_len(hash.len()) + pairs.sum::<usize>()
        }
        Some(Object::Stream(stream)) => {
            /// An id as two numbers of 64 bits.
            const ID: usize = 16;
            let all = (StreamId::MIN, StreamId::MAX);
            let entries = stream.entries.range(all.0, all.1, Direction::Forward);
            let lens = entries.map(|entry| {
                let pairs = entry.fields;
                ID + pairs
                    .map(|(field, value)| element(field) + element(value))
                    .sum::<usize>()
            });
            length_len(stream.len()) + lens.sum::<usize>()
        }
        Some(Object::String(_)) | None => string_of(entry).map_or(0, element),
    }
}

/// Bytes of a length in a snapshot.
fn length_len(len: usize) -> usize {
    match len {
        ..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..=0xFFFF_FFFF => 5,
        _ => 9,
    }
}

pub(super) fn string_lengths(
    ctx: &mut SessionCtx<'_>,
    mut args: Args<'_>,
) -> Result<Flow, CommandError> {
    let show = |_: &Holding<'_>, entry: &Entry<Object>| {
        let string = string_of(entry).ok_or(RowError::DebugNotString)?;
        if store::encoding_of(entry) == Encoding::Int {
            return Err(RowError::DebugNotString.into());
        }
        // Key and short strings lie in one block, which counts for the key.
        let block = entry.memory();
        let apart = object_of(entry).map_or(0, |object| object.memory(1));
        Ok(Shown::Line(format!(
            "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {block}, val_sds_len:{}, val_sds_avail:0, \
             val_zmalloc: {apart}",
            entry.key().len(),
            string.len(),
        )))
    };
    Ok(of_key(ctx, args.bytes()?, show))
}

pub(super) fn table_of_key(
    ctx: &mut SessionCtx<'_>,
    mut args: Args<'_>,
) -> Result<Flow, CommandError> {
    let key = args.bytes()?;
    let detail = Detail::read(&mut args);
    let show = move |_: &Holding<'_>, entry: &Entry<Object>| {
        let stats = match object_of(entry) {
            Some(Object::Set(set)) => set.table().map(store::table::Table::stats),
            Some(Object::Hash(hash)) => hash.table().map(store::table::Table::stats),
            Some(Object::ZSet(zset)) => zset.table().map(store::table::Table::stats),
            _ => None,
        };
        let stats = stats.ok_or(RowError::DebugNoTable)?;
        Ok(Shown::Text(describe(&stats, detail)))
    };
    Ok(of_key(ctx, key, show))
}

pub(super) fn tables_of_db(
    ctx: &mut SessionCtx<'_>,
    mut args: Args<'_>,
) -> Result<Flow, CommandError> {
    let databases = ctx.world.settings.databases;
    let db = u16::try_from(args.int()?).ok().filter(|db| *db < databases);
    let db = db.ok_or(RowError::DebugDatabase)?;
    let detail = Detail::read(&mut args);
    Ok(Flow::everything(move |held| {
        let (mut keys, mut expires) = (TableStats::default(), TableStats::default());
        for (_, shard) in &mut held.shards {
            add(&mut keys, &shard.db(db).table().stats());
            expires.len += shard.db(db).volatile();
            expires.buckets += shard.db_mut(db).expiry_index().len();
        }
        let text = format!(
            "[Dictionary HT]\n{}[Expires HT]\n{}",
            describe(&keys, detail),
            describe(&expires, Detail::Short)
        );
        held.out().verbatim(*b"txt", text.as_bytes());
        Ok(Reply::Written)
    }))
}

/// How much is told of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Short,
    Full,
}

impl Detail {
    fn read(args: &mut Args<'_>) -> Self {
        if args.flag("FULL") {
            Self::Full
        } else {
            Self::Short
        }
    }
}

/// Adds the figures of another part of a table.
fn add(total: &mut TableStats, part: &TableStats) {
    total.len += part.len;
    total.buckets += part.buckets;
    total.continuations += part.continuations;
    if total.chains.len() < part.chains.len() {
        total.chains.resize(part.chains.len(), 0);
    }
    for (count, more) in total.chains.iter_mut().zip(&part.chains) {
        *count += more;
    }
}

/// A table in the words of Redis (dictGetStats, Redis 7.2): a slot is a bucket, its chain what lies in it.
fn describe(stats: &TableStats, detail: Detail) -> String {
    let mut text = "Hash table 0 stats (main hash table):\n".to_owned();
    if stats.len == 0 {
        text.push_str("No stats available for empty dictionaries\n");
        return text;
    }
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        " table size: {}\n number of elements: {}\n",
        stats.buckets, stats.len
    );
    if detail == Detail::Short {
        return text;
    }
    let slots: usize = stats.chains.iter().skip(1).sum();
    let average = stats.len as f64 / slots as f64;
    let _ = write!(
        text,
        " different slots: {slots}\n max chain length: {}\n avg chain length (counted): {average:.02}\n \
         avg chain length (computed): {average:.02}\n Chain length distribution:\n",
        stats.chains.len().saturating_sub(1),
    );
    for (length, count) in stats
        .chains
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
    {
        let share = *count as f64 / stats.buckets as f64 * 100.0;
        let _ = writeln!(text, "   {length}: {count} ({share:.02}%)");
    }
    text
}

pub(super) fn struct_sizes(
    ctx: &mut SessionCtx<'_>,
    _args: Args<'_>,
) -> Result<Flow, CommandError> {
    let text = format!(
        "bits:{} object:{} entry:{} session:{} client:{} ",
        usize::BITS,
        size_of::<Object>(),
        size_of::<Entry<Object>>(),
        size_of::<Session>(),
        size_of::<engine::clients::Client>(),
    );
    ctx.out().bulk(text.as_bytes());
    ctx.written()
}
