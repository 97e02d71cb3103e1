//! INFO keysizes (Redis 8): how long the values of each database are, by powers of two.
//!
//! Nothing is counted where values change: whoever asks has all keys looked at, a shard at a time and for a tenth of a
//! millisecond at most, on a lane. So it takes time in proportion to the keys, and each key is counted as it is at one instant.

use commands::Now;
use engine::{Engine, ShardSet, Taker};
use store::table::Position;
use store::{Object, Shard};

use super::report::Report;

/// How many values are how long: those of no length, of one, of two and three, of four to seven, and so on.
type Bins = [u64; u64::BITS as usize + 1];

/// The lengths in one database, by the kinds of values in the order in which they are shown.
#[derive(Debug)]
struct Database {
    number: u16,
    kinds: [Bins; KINDS.len()],
}

/// What is counted of which kind.
const KINDS: [&str; 5] = [
    "strings_sizes",
    "lists_items",
    "sets_items",
    "zsets_items",
    "hashes_items",
];

/// Keys that are looked at between two looks at the clock.
const CHUNK: usize = 64;
/// How long a shard is held.
const STEP_NS: u64 = 100_000;

/// Writes a line for each kind of values that a database has.
pub(super) fn keysizes(report: &mut Report, engine: &Engine) {
    let count = match engine.locks.count() {
        0 => 0,
        _ => with_shard(engine, 0, |shard, _| shard.databases()),
    };
    for number in 0..count {
        let database = Database::look(engine, number);
        for (kind, bins) in KINDS.iter().zip(&database.kinds) {
            let filled = bins.iter().enumerate().filter(|(_, values)| **values > 0);
            let shown: Vec<String> = filled
                .map(|(bin, values)| format!("{}={values}", label(bin)))
                .collect();
            if !shown.is_empty() {
                let name = format_args!("db{}_distrib_{kind}", database.number).to_string();
                report.field(name, shown.join(","));
            }
        }
    }
}

impl Database {
    fn look(engine: &Engine, number: u16) -> Self {
        let mut database = Self {
            number,
            kinds: [[0; u64::BITS as usize + 1]; KINDS.len()],
        };
        for shard in 0..engine.locks.count() as u16 {
            let mut next = Some(Position::START);
            while let Some(position) = next {
                next = with_shard(engine, shard, |shard, now| {
                    database.step(engine, shard, position, now)
                });
            }
        }
        database
    }

    /// Counts keys of a shard from a position on, until the step's time is up: where to go on; `None` at the end.
    fn step(
        &mut self,
        engine: &Engine,
        shard: &Shard,
        position: Position,
        start: Now,
    ) -> Option<Position> {
        let table = shard.db(self.number).table();
        let mut position = position;
        loop {
            position = table.scan(engine.seed, position, CHUNK, |entry| {
                if !store::is_expired(entry, start.ms()) {
                    self.count(entry);
                }
            })?;
            let now = engine.host.now();
            if now.monotonic_ns.saturating_sub(start.monotonic_ns) > STEP_NS {
                return Some(position);
            }
        }
    }

    fn count(&mut self, entry: &store::Entry<Object>) {
        let (kind, length) = match store::string_of(entry) {
            Some(string) => (0, string.len()),
            None => match store::object_of(entry) {
                Some(Object::List(list)) => (1, list.len()),
                Some(Object::Set(set)) => (2, set.len()),
                Some(Object::ZSet(zset)) => (3, zset.len()),
                Some(Object::Hash(hash)) => (4, hash.len()),
                Some(Object::String(_) | Object::Stream(_)) | None => return,
            },
        };
        let bin = u64::BITS - (length as u64).leading_zeros();
        if let Some(values) = self
            .kinds
            .get_mut(kind)
            .and_then(|bins| bins.get_mut(bin as usize))
        {
            *values += 1;
        }
    }
}

/// The least length in a bin.
fn label(bin: usize) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let Some(power) = bin.checked_sub(1) else {
        return "0".to_owned();
    };
    let unit = UNITS.get(power / 10).copied().unwrap_or_default();
    format!("{}{unit}", 1 << (power % 10))
}

/// Runs `look` with a shard held, however long that has to be waited for.
fn with_shard<T>(engine: &Engine, shard: u16, look: impl FnOnce(&Shard, Now) -> T) -> T {
    loop {
        match engine.locks.acquire(&ShardSet::one(shard), Taker::Lane) {
            Ok(mut held) => {
                let mut shards = held.shards();
                if let [(_, shard)] = shards.as_mut_slice() {
                    return look(shard, engine.host.now());
                }
            }
            Err(busy) => engine.locks.wait(busy, Taker::Lane).block(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn bins_are_named_by_their_least_length() {
        let labels = [0, 1, 2, 10, 11, 20, 21, 64].map(label);
        assert_eq!(labels, ["0", "1", "2", "512", "1K", "512K", "1M", "8E"]);
    }
}
