//! A file, record by record.

use std::io::{self, Write};

use store::{Item, ListNode, Object, ValueRef};

use super::encoder::{Compression, Encoder};
use super::value::{Collection, open, write_deadline, write_node, write_scored, write_typed};
use crate::crc64::Checksum;
use crate::format::{RdbVersion, opcode};
use crate::sanitize::Checksums;

/// Writes an RDB file to `W`, which needs no buffer of its own.
///
/// The order is that of Redis: [`RdbWriter::info`], functions, then for each database [`RdbWriter::select`] and its keys, whole by
/// [`RdbWriter::record`] or in pieces after [`RdbWriter::begin`]; [`RdbWriter::finish`] at the end.
pub struct RdbWriter<W> {
    out: Encoder<W>,
    version: RdbVersion,
}

/// What a file tells of its writer.
#[derive(Clone, Copy, Debug)]
pub struct FileInfo<'a> {
    /// The version of Redis that the writer is compatible with (`redis-ver`).
    pub redis_version: &'a str,
    /// Unix time in seconds.
    pub created: i64,
    /// Bytes that the writer used.
    pub used_memory: u64,
    /// Where the file stands in the replication log, if that is known.
    pub replication: Option<Replication<'a>>,
    /// Whether the file is the base of an append-only file.
    pub aof_base: bool,
}

/// Where a file stands in a replication log.
#[derive(Clone, Copy, Debug)]
pub struct Replication<'a> {
    /// The database selected there; -1 for none yet.
    pub stream_db: i64,
    /// The name of the log: forty hexadecimal digits.
    pub id: &'a str,
    /// The offset.
    pub offset: i64,
}

/// What is written of a key beside its value.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFacts {
    /// When it expires, in Unix milliseconds.
    pub expiry: Option<i64>,
    /// How recently or often it was used: written under a policy of eviction that asks for it.
    pub access: Access,
}

/// How recently or often a key was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Not told.
    #[default]
    Untold,
    /// Seconds since the last access (LRU policies).
    Idle(u64),
    /// The logarithmic counter (LFU policies).
    Frequency(u8),
}

impl<W: Write> RdbWriter<W> {
    /// A file of this version, begun. [`RdbVersion::V80`] is a must if a hash with volatile fields comes. With [`Checksums::Ignore`] it ends with 0 in the checksum's place.
    pub fn new(
        out: W,
        version: RdbVersion,
        compression: Compression,
        checksums: Checksums,
    ) -> io::Result<Self> {
        let checksum = (checksums == Checksums::Verify).then(Checksum::new);
        let mut out = Encoder::new(out, compression, checksum);
        out.bytes(version.magic().as_bytes())?;
        Ok(Self { out, version })
    }

    /// The facts that Redis writes at the head of a file, in its order.
    pub fn info(&mut self, info: &FileInfo<'_>) -> io::Result<()> {
        let integer = |value: u64| Item::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        self.aux(b"redis-ver", Item::Bytes(info.redis_version.as_bytes()))?;
        self.aux(b"redis-bits", Item::Integer(i64::from(usize::BITS)))?;
        self.aux(b"ctime", Item::Integer(info.created))?;
        self.aux(b"used-mem", integer(info.used_memory))?;
        if let Some(replication) = &info.replication {
            self.aux(b"repl-stream-db", Item::Integer(replication.stream_db))?;
            self.aux(b"repl-id", Item::Bytes(replication.id.as_bytes()))?;
            self.aux(b"repl-offset", Item::Integer(replication.offset))?;
        }
        self.aux(b"aof-base", Item::Integer(i64::from(info.aof_base)))
    }

    /// One fact.
    pub fn aux(&mut self, name: &[u8], value: Item<'_>) -> io::Result<()> {
        self.out.byte(opcode::AUX)?;
        self.out.string(name)?;
        self.out.string(value)
    }

    /// The source of a function library.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.out.byte(opcode::FUNCTION2)?;
        self.out.string(code)
    }

    /// Begins a database of `keys` keys, of which `volatile` have a time to live.
    pub fn select(&mut self, db: u64, keys: u64, volatile: u64) -> io::Result<()> {
        self.out.byte(opcode::SELECTDB)?;
        self.out.length(db)?;
        self.out.byte(opcode::RESIZEDB)?;
        self.out.length(keys)?;
        self.out.length(volatile)
    }

    /// Goes on with a database that was begun before.
    pub fn select_again(&mut self, db: u64) -> io::Result<()> {
        self.out.byte(opcode::SELECTDB)?;
        self.out.length(db)
    }

    /// A key with its value.
    pub fn record(
        &mut self,
        key: &[u8],
        value: ValueRef<'_, Object>,
        facts: &KeyFacts,
    ) -> io::Result<()> {
        self.facts(facts)?;
        write_typed(&mut self.out, self.version, &value, |out| out.string(key))
    }

    /// Begins a key whose value comes in pieces: as many as `collection` says must follow.
    pub fn begin(
        &mut self,
        key: &[u8],
        collection: Collection,
        facts: &KeyFacts,
    ) -> io::Result<()> {
        self.facts(facts)?;
        self.out.byte(collection.type_byte())?;
        self.out.string(key)?;
        open(&mut self.out, collection)
    }

    /// A node of the list that was begun.
    pub fn node(&mut self, node: ListNode<'_>) -> io::Result<()> {
        write_node(&mut self.out, node)
    }

    /// A member of the set that was begun.
    pub fn member(&mut self, member: Item<'_>) -> io::Result<()> {
        self.out.string(member)
    }

    /// A member of the sorted set that was begun.
    pub fn scored(&mut self, member: Item<'_>, score: f64) -> io::Result<()> {
        write_scored(&mut self.out, member, score)
    }

    /// A field of the hash that was begun.
    pub fn field(&mut self, field: Item<'_>, value: Item<'_>) -> io::Result<()> {
        self.out.string(field)?;
        self.out.string(value)
    }

    /// A field of the hash with deadlines that was begun, with its own in Unix milliseconds if it has one.
    pub fn volatile_field(
        &mut self,
        field: Item<'_>,
        value: Item<'_>,
        expiry: Option<i64>,
    ) -> io::Result<()> {
        self.field(field, value)?;
        write_deadline(&mut self.out, expiry)
    }

    /// Bytes written so far, those that wait in the buffer included.
    pub fn position(&self) -> u64 {
        self.out.position()
    }

    /// The writer below.
    pub fn get_ref(&self) -> &W {
        self.out.get_ref()
    }

    /// Ends the file: the mark of its end and the checksum. Everything is passed on; flushing the writer is left to the caller.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.byte(opcode::EOF)?;
        let checksum = self.out.checksum()?;
        self.out.bytes(&checksum.to_le_bytes())?;
        self.out.finish()
    }

    fn facts(&mut self, facts: &KeyFacts) -> io::Result<()> {
        if let Some(expiry) = facts.expiry {
            self.out.byte(opcode::EXPIRETIME_MS)?;
            self.out.bytes(&expiry.to_le_bytes())?;
        }
        match facts.access {
            Access::Untold => Ok(()),
            Access::Idle(seconds) => {
                self.out.byte(opcode::IDLE)?;
                self.out.length(seconds)
            }
            Access::Frequency(counter) => self.out.bytes(&[opcode::FREQ, counter]),
        }
    }
}

impl<W> std::fmt::Debug for RdbWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RdbWriter")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
