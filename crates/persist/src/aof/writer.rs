//! A dataset as commands that make it again: what a rewrite writes with `aof-use-rdb-preamble no`.

use std::io::{self, Write};

use store::item::Spelling;
use store::list::End;
use store::stream::{Direction, Group, StreamId};
use store::{Hash, Item, Object, Stream, ValueRef};

/// Spells keys as the commands that make them, as Redis 7.2 does.
#[derive(Debug)]
pub struct CommandWriter<W> {
    out: W,
    db: Option<u64>,
    /// Elements of the command that is being gathered.
    words: Gathered,
}

/// Words of a command, before their number is known.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    count: usize,
    elements: usize,
}

/// Elements of one command (`AOF_REWRITE_ITEMS_PER_CMD`, Redis 7.2).
const ELEMENTS_MAX: usize = 64;

impl<W: Write> CommandWriter<W> {
    /// A writer to `out`, which had better be buffered.
    pub fn new(out: W) -> Self {
        Self {
            out,
            db: None,
            words: Gathered::default(),
        }
    }

    /// The time, as an annotation.
    ///
    /// # Errors
    /// Those of the target.
    pub fn timestamp(&mut self, unix_s: i64) -> io::Result<()> {
        write!(self.out, "#TS:{unix_s}\r\n")
    }

    /// A function library.
    ///
    /// # Errors
    /// Those of the target.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.command(&[b"FUNCTION", b"LOAD", code])
    }

    /// A key with its value and, in Unix milliseconds, its deadline.
    ///
    /// # Errors
    /// Those of the target.
    pub fn record(
        &mut self,
        db: u64,
        key: &[u8],
        value: &ValueRef<'_, Object>,
        expiry: Option<i64>,
    ) -> io::Result<()> {
        if self.db != Some(db) {
            self.db = Some(db);
            self.command(&[b"SELECT", db.to_string().as_bytes()])?;
        }
        match value {
            ValueRef::Bytes(bytes) => self.command(&[b"SET", key, bytes])?,
            ValueRef::Integer(integer) => {
                let integer = Item::Integer(*integer);
                self.command(&[b"SET", key, integer.as_bytes(&mut Spelling::default())])?;
            }
            ValueRef::Boxed(object) => self.object(key, object)?,
        }
        match expiry {
            Some(expiry) => self.command(&[b"PEXPIREAT", key, expiry.to_string().as_bytes()]),
            None => Ok(()),
        }
    }

    fn object(&mut self, key: &[u8], object: &Object) -> io::Result<()> {
        match object {
            Object::String(string) => self.command(&[b"SET", key, string.as_bytes()]),
            Object::List(list) => {
                for element in list.iter() {
                    self.element(b"RPUSH", key, |words| words.item(element))?;
                }
                self.end_elements()
            }
            Object::Set(set) => {
                for member in set.iter() {
                    self.element(b"SADD", key, |words| words.item(member))?;
                }
                self.end_elements()
            }
            Object::ZSet(zset) => {
                for (member, score) in zset.range(End::Head, 0..zset.len()) {
                    self.element(b"ZADD", key, |words| {
                        words.word(&resp::number::format_double(score));
                        words.item(member);
                    })?;
                }
                self.end_elements()
            }
            Object::Hash(hash) => self.hash(key, hash),
            Object::Stream(stream) => self.stream(key, stream),
        }
    }

    fn hash(&mut self, key: &[u8], hash: &Hash) -> io::Result<()> {
        // Fields whose time is over are written too: at this time no field's is.
        let now_ms = i64::MIN;
        for (field, value) in hash.iter(now_ms) {
            self.element(b"HMSET", key, |words| {
                words.item(field);
                words.item(value);
            })?;
        }
        self.end_elements()?;
        if hash.volatile() == 0 {
            return Ok(());
        }
        for (field, _) in hash.iter(now_ms) {
            let field = field.to_bytes();
            if let Some(Some(deadline)) = hash.deadline(&field, now_ms) {
                let deadline = deadline.to_string();
                let words = [
                    b"HPEXPIREAT",
                    key,
                    deadline.as_bytes(),
                    b"FIELDS",
                    b"1",
                    &field,
                ];
                self.command(&words)?;
            }
        }
        Ok(())
    }

    fn stream(&mut self, key: &[u8], stream: &Stream) -> io::Result<()> {
        for entry in stream
            .entries
            .range(StreamId::MIN, StreamId::MAX, Direction::Forward)
        {
            self.words.begin(b"XADD", key);
            self.words.word(entry.id.text().as_bytes());
            for (field, value) in entry.fields {
                self.words.item(field);
                self.words.item(value);
            }
            self.end_command()?;
        }
        if stream.is_empty() {
            // The only way to make a stream without entries.
            self.command(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"])?;
        }
        let totals = stream.entries.totals();
        self.command(&[
            b"XSETID",
            key,
            totals.last_id.text().as_bytes(),
            b"ENTRIESADDED",
            totals.entries_added.to_string().as_bytes(),
            b"MAXDELETEDID",
            totals.max_deleted_id.text().as_bytes(),
        ])?;
        for (name, group) in &stream.groups {
            self.group(key, name, group)?;
        }
        Ok(())
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) -> io::Result<()> {
        let entries_read = group.entries_read.unwrap_or(-1).to_string();
        self.command(&[
            b"XGROUP",
            b"CREATE",
            key,
            name,
            group.last_id.text().as_bytes(),
            b"ENTRIESREAD",
            entries_read.as_bytes(),
        ])?;
        for (_, consumer) in group.consumers() {
            if consumer.pending_len() == 0 {
                self.command(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()])?;
            }
            for id in consumer.pending_from(StreamId::MIN) {
                let Some(pending) = group.pending(id) else {
                    continue;
                };
                self.command(&[
                    b"XCLAIM",
                    key,
                    name,
                    consumer.name(),
                    b"0",
                    id.text().as_bytes(),
                    b"TIME",
                    pending.delivered_ms.to_string().as_bytes(),
                    b"RETRYCOUNT",
                    pending.deliveries.to_string().as_bytes(),
                    b"JUSTID",
                    b"FORCE",
                ])?;
            }
        }
        Ok(())
    }

    fn command(&mut self, words: &[&[u8]]) -> io::Result<()> {
        self.words.clear();
        words.iter().for_each(|word| self.words.word(word));
        self.end_command()
    }

    /// Adds an element to a command of at most so many of them.
    fn element(
        &mut self,
        name: &[u8],
        key: &[u8],
        add: impl FnOnce(&mut Gathered),
    ) -> io::Result<()> {
        if self.words.elements == 0 {
            self.words.begin(name, key);
        }
        add(&mut self.words);
        self.words.elements += 1;
        if self.words.elements == ELEMENTS_MAX {
            return self.end_command();
        }
        Ok(())
    }

    fn end_elements(&mut self) -> io::Result<()> {
        if self.words.elements > 0 {
            return self.end_command();
        }
        Ok(())
    }

    fn end_command(&mut self) -> io::Result<()> {
        write!(self.out, "*{}\r\n", self.words.count)?;
        self.out.write_all(&self.words.bytes)?;
        self.words.clear();
        Ok(())
    }

    /// What it writes to, flushed.
    ///
    /// # Errors
    /// Those of the target.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

impl Gathered {
    fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.elements) = (0, 0);
    }

    fn begin(&mut self, name: &[u8], key: &[u8]) {
        self.clear();
        self.word(name);
        self.word(key);
    }

    fn item(&mut self, item: Item<'_>) {
        self.word(item.as_bytes(&mut Spelling::default()));
    }

    fn word(&mut self, word: &[u8]) {
        self.count += 1;
        self.bytes.push(b'$');
        let length = Item::Integer(word.len() as i64);
        self.bytes
            .extend_from_slice(length.as_bytes(&mut Spelling::default()));
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }
}
