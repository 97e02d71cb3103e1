//! What a call can touch: its keys, their shards, and whether they hold too much for a worker.

use super::LANE_ELEMENTS;
use crate::engine::Engine;
use crate::locks::{Held, Locks, ShardSet};
use crate::registry::Row;
use crate::session::Session;
use bytes::Bytes;
use commands::keys::{Positions, Search};
use commands::{Flags, ManyShards};

/// The keys that a call names.
pub(super) fn named_keys<'a>(row: &Row, argv: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    let mut positions = Positions::new();
    let _search = row.key_positions(argv, &mut positions);
    positions
        .into_iter()
        .filter_map(move |(at, _)| argv.get(at).copied())
}

/// Copies of the keys that a call names.
pub(crate) fn keys_of(row: &Row, argv: &[&[u8]]) -> impl Iterator<Item = Bytes> {
    named_keys(row, argv).map(Bytes::copy_from_slice)
}

/// The shards that a call can touch.
pub(crate) fn footprint(row: &Row, argv: &[&[u8]], locks: &Locks) -> ShardSet {
    if let Some(at) = row.only_key() {
        return argv
            .get(at)
            .map_or_else(ShardSet::none, |key| ShardSet::one(locks.shard_of(key)));
    }
    let mut positions = Positions::new();
    if row.flags.contains(Flags::EVERYTHING)
        || row.key_positions(argv, &mut positions) == Search::Everything
    {
        return ShardSet::All;
    }
    let mut shards = ShardSet::none();
    if row.is_logged_anyway() {
        shards.insert(0);
    }
    for (at, _) in positions {
        if let Some(key) = argv.get(at) {
            shards.insert(locks.shard_of(key));
        }
    }
    shards
}

/// Whether the keys of a linear call hold so much that it is not for a worker.
pub(super) fn is_long(
    engine: &Engine,
    session: &Session,
    row: &Row,
    argv: &[&[u8]],
    held: &Held<'_>,
) -> bool {
    let elements = |key: &[u8]| {
        let shard = held.of_key(key);
        shard
            .db(session.db)
            .get(engine.seed.hash(key), key)
            .map_or(0, store::cardinality)
    };
    named_keys(row, argv).map(elements).sum::<usize>() > LANE_ELEMENTS
}

pub(super) fn is_long_transaction(engine: &Engine, session: &Session, held: &Held<'_>) -> bool {
    let Some(transaction) = &session.transaction else {
        return false;
    };
    let growing = Flags::LINEAR.union(Flags::RANGED);
    transaction.flags.intersects(growing)
        && transaction.queued.iter().any(|queued| {
            let row = engine.registry.row(queued.row);
            row.flags.intersects(growing)
                && is_long(engine, session, row, &queued.words.argv(), held)
        })
}
