//! DEBUG DIGEST: signatures of values and of the whole dataset, equal to Redis' for equal data.
//!
//! What has an order is mixed in: `digest = sha1(digest ^ sha1(data))`. What has none is combined by exclusive or alone,
//! so that it does not matter in which order a table gives it out.

use commands::{Args, CommandError, Reply};
use engine::{Flow, Holding, SessionCtx, ShardSet};
use resp::number::format_double;
use sha1::{Digest as _, Sha1};
use store::item::Spelling;
use store::stream::{Direction, StreamId};
use store::{ALL_LIVE, Entry, Item, Kind, Object, object_of, string_of};

/// A signature in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose place does not matter.
    fn xor(&mut self, data: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(data).into();
        self.0
            .iter_mut()
            .zip(hash)
            .for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds something whose place matters.
    fn mix(&mut self, data: &[u8]) {
        self.xor(data);
        self.0 = Sha1::digest(self.0).into();
    }

    fn xor_item(&mut self, item: Item<'_>) {
        self.xor(item.as_bytes(&mut Spelling::default()));
    }

    fn mix_item(&mut self, item: Item<'_>) {
        self.mix(item.as_bytes(&mut Spelling::default()));
    }

    /// Adds a type, a value and whether it expires (xorObjectDigest, Redis 7.2).
    fn add_value(&mut self, entry: &Entry<Object>) {
        let kind = store::kind_of(entry);
        self.mix(&type_number(kind).to_be_bytes());
        match object_of(entry) {
            Some(Object::List(list)) => list.iter().for_each(|element| self.mix_item(element)),
            Some(Object::Set(set)) => set.iter().for_each(|member| self.xor_item(member)),
            Some(Object::ZSet(zset)) => {
                for (member, score) in zset.iter() {
                    let mut element = Self::default();
                    element.mix_item(member);
                    element.mix(&format_double(score));
                    self.xor(&element.0);
                }
            }
            Some(Object::Hash(hash)) => {
                for (field, value) in hash.iter(ALL_LIVE) {
                    let mut element = Self::default();
                    element.mix_item(field);
                    element.mix_item(value);
                    self.xor(&element.0);
                }
            }
            Some(Object::Stream(stream)) => {
                let all = (StreamId::MIN, StreamId::MAX);
                for entry in stream.entries.range(all.0, all.1, Direction::Forward) {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    for (field, value) in entry.fields {
                        self.mix_item(field);
                        self.mix_item(value);
                    }
                }
            }
            Some(Object::String(_)) | None => {
                if let Some(string) = string_of(entry) {
                    self.mix_item(string);
                }
            }
        }
        if entry.expiry().is_some() {
            self.xor(b"!!expire!!");
        }
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Redis' number of a type (OBJ_STRING and so on).
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::ZSet => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}

/// DEBUG DIGEST.
pub(super) fn dataset(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::everything(|held| {
        let digest = dataset_digest(held);
        held.out().simple(digest.hex().as_bytes());
        Ok(Reply::Written)
    }))
}

/// computeDatasetDigest, Redis 7.2: keys whose time is over count until they are deleted.
fn dataset_digest(held: &Holding<'_>) -> Digest {
    let databases = held
        .shards
        .first()
        .map_or(0, |(_, shard)| shard.databases());
    let mut digest = Digest::default();
    for db in 0..databases {
        let tables = || held.shards.iter().map(|(_, shard)| shard.db(db));
        if tables().all(store::Db::is_empty) {
            continue;
        }
        digest.mix(&u32::from(db).to_be_bytes());
        for entry in tables().flat_map(|db| db.table().iter()) {
            let mut of_key = Digest::default();
            of_key.mix(entry.key());
            of_key.add_value(entry);
            digest.xor(&of_key.0);
        }
    }
    digest
}

/// DEBUG DIGEST-VALUE; an absent key has a digest of zeros.
pub(super) fn values(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let keys: Vec<Box<[u8]>> = args.rest().iter().map(|key| Box::from(*key)).collect();
    let mut shards = ShardSet::none();
    keys.iter()
        .for_each(|key| shards.insert(ctx.engine.locks.shard_of(key)));
    let run = move |held: &mut Holding<'_>| {
        held.out().array(keys.len());
        for key in &keys {
            let (db, hash) = (held.session.db, held.engine.seed.hash(key));
            let mut digest = Digest::default();
            if let Some(entry) = held.shard_of(key).db(db).get(hash, key) {
                digest.add_value(entry);
            }
            held.out().simple(digest.hex().as_bytes());
        }
        Ok(Reply::Written)
    };
    Ok(Flow::Hold(shards, Box::new(run)))
}
