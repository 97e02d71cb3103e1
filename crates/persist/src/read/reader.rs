//! A file, item by item.

use std::io::Read;

use store::{Item, Tuning};

use super::module;
use super::source::{Source, StreamSource};
use super::string::{length, string, string_into};
use super::value::{Scratch, Terms, Value, read_value};
use crate::error::{RdbError, Reason};
use crate::format::{Type, VERSION_CHECKSUM, VERSION_MAX, VERSION_VALKEY, is_readable, opcode};
use crate::sanitize::{Checksums, Sanitize};

/// Reads an RDB file from `R`, which needs no buffer of its own.
pub struct RdbReader<'t, R> {
    source: StreamSource<R>,
    terms: Terms<'t>,
    version: Option<u16>,
    db: u64,
    facts: Facts,
    key: Vec<u8>,
    scratch: Scratch,
    ended: Option<Verified>,
}

/// What an RDB file consists of.
#[derive(Debug)]
pub enum RdbItem<'a> {
    /// A fact about the file or its writer. Unknown ones are to be passed over.
    Aux {
        /// The name.
        name: &'a [u8],
        /// The value.
        value: Item<'a>,
    },
    /// The keys that follow are of this database.
    SelectDb(u64),
    /// How many keys this database has: a hint.
    Resize {
        /// All keys.
        keys: u64,
        /// Those with a time to live.
        volatile: u64,
    },
    /// The source of a function library.
    Function(Item<'a>),
    /// A key with its value. Whether one that has expired is kept is the caller's decision.
    Record(Record<'a>),
    /// A key whose value has no elements, which Redis passes over since 6.2.7.
    EmptyKey(&'a [u8]),
}

/// A key with its value.
#[derive(Debug)]
pub struct Record<'a> {
    /// The database.
    pub db: u64,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
    /// When the key expires, in Unix milliseconds.
    pub expiry: Option<i64>,
    /// Seconds since the last access.
    pub idle_seconds: Option<u64>,
    /// The logarithmic counter of accesses.
    pub frequency: Option<u8>,
}

/// What came of the checksum at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is right.
    Right,
    /// The writer computed none.
    Absent,
    /// It was not to be looked at, or the file is older than checksums.
    Unchecked,
}

/// What opcodes said of the key that follows.
#[derive(Clone, Copy, Default)]
struct Facts {
    expiry: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// An item, before anything is borrowed for it.
enum Step {
    Item(Parsed),
    Again,
    End,
}

enum Parsed {
    Aux,
    SelectDb,
    Resize { keys: u64, volatile: u64 },
    Function,
    Key(Type),
}

impl<'t, R: Read> RdbReader<'t, R> {
    /// A reader of the file that `reader` begins with.
    pub fn new(reader: R, tuning: &'t Tuning, sanitize: Sanitize, checksums: Checksums) -> Self {
        Self {
            source: StreamSource::new(reader, checksums),
            terms: Terms { tuning, sanitize },
            version: None,
            db: 0,
            facts: Facts::default(),
            key: Vec::new(),
            scratch: Scratch::default(),
            ended: None,
        }
    }

    /// The next item; `None` at the end, once the checksum has been compared. After an error there is no going on.
    pub fn next_item(&mut self) -> Result<Option<RdbItem<'_>>, RdbError> {
        let parsed = loop {
            match self.step() {
                Ok(Step::Item(parsed)) => break parsed,
                Ok(Step::Again) => {}
                Ok(Step::End) => return Ok(None),
                Err(reason) => return Err(RdbError::at(self.source.offset(), reason)),
            }
        };
        // Borrowing from a value that is returned keeps the offset out of reach: it is taken from where the value began.
        let offset = self.source.offset();
        self.item(parsed)
            .map(Some)
            .map_err(|reason| RdbError::at(offset, reason))
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The version of the file, once the first item was asked for.
    pub fn version(&self) -> Option<u16> {
        self.version
    }

    /// What came of the checksum, once the end was reached.
    pub fn verified(&self) -> Option<Verified> {
        self.ended
    }

    /// The reader, and what was read from it beyond the end of the file: on a link the file is followed by commands.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        self.source.into_parts()
    }

    /// Reads an opcode, and what belongs to it as far as nothing is borrowed.
    fn step(&mut self) -> Result<Step, Reason> {
        if self.ended.is_some() {
            return Ok(Step::End);
        }
        if self.version.is_none() {
            self.version = Some(self.read_version()?);
        }
        let source = &mut self.source;
        match source.byte()? {
            opcode::EXPIRETIME_MS => {
                self.facts.expiry = Some(i64::from_le_bytes(source.array()?));
            }
            opcode::EXPIRETIME => {
                let seconds = i32::from_le_bytes(source.array()?);
                self.facts.expiry = Some(i64::from(seconds) * 1000);
            }
            opcode::IDLE => self.facts.idle_seconds = Some(length(source)?),
            opcode::FREQ => self.facts.frequency = Some(source.byte()?),
            opcode::SLOT_INFO => {
                for _ in 0..3 {
                    length(source)?;
                }
            }
            opcode::SELECTDB => {
                self.db = length(source)?;
                return Ok(Step::Item(Parsed::SelectDb));
            }
            opcode::RESIZEDB => {
                let keys = length(source)?;
                let volatile = length(source)?;
                return Ok(Step::Item(Parsed::Resize { keys, volatile }));
            }
            opcode::AUX => return Ok(Step::Item(Parsed::Aux)),
            opcode::FUNCTION2 => return Ok(Step::Item(Parsed::Function)),
            opcode::MODULE_AUX => {
                return Err(Reason::ModuleAux(module::name(length(source)?)));
            }
            opcode::FUNCTION_PRE_RELEASE => return Err(Reason::FunctionPreRelease),
            opcode::SLOT_IMPORT => return Err(Reason::SlotImport),
            opcode::EOF => {
                self.ended = Some(self.end()?);
                return Ok(Step::End);
            }
            byte => {
                let kind = Type::of(byte).ok_or(Reason::Type(byte))?;
                return Ok(Step::Item(Parsed::Key(kind)));
            }
        }
        Ok(Step::Again)
    }

    fn item(&mut self, parsed: Parsed) -> Result<RdbItem<'_>, Reason> {
        let (source, scratch) = (&mut self.source, &mut self.scratch);
        Ok(match parsed {
            Parsed::SelectDb => RdbItem::SelectDb(self.db),
            Parsed::Resize { keys, volatile } => RdbItem::Resize { keys, volatile },
            Parsed::Function => RdbItem::Function(string(source, &mut scratch.unpacked)?),
            Parsed::Aux => {
                string_into(source, &mut scratch.unpacked, &mut self.key)?;
                RdbItem::Aux {
                    name: &self.key,
                    value: string(source, &mut scratch.unpacked)?,
                }
            }
            Parsed::Key(kind) => {
                string_into(source, &mut scratch.unpacked, &mut self.key)?;
                let facts = std::mem::take(&mut self.facts);
                match read_value(source, kind, self.terms, scratch) {
                    Err(Reason::EmptyKey) => RdbItem::EmptyKey(&self.key),
                    value => RdbItem::Record(Record {
                        db: self.db,
                        key: &self.key,
                        value: value?,
                        expiry: facts.expiry,
                        idle_seconds: facts.idle_seconds,
                        frequency: facts.frequency,
                    }),
                }
            }
        })
    }

    /// The nine bytes that a file begins with: REDIS and four digits, or VALKEY and three.
    fn read_version(&mut self) -> Result<u16, Reason> {
        let magic: [u8; 9] = self.source.array()?;
        let (digits, known) = match &magic {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (digits.as_slice(), 1..=VERSION_MAX),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => {
                (digits.as_slice(), VERSION_VALKEY..=VERSION_VALKEY)
            }
            _ => return Err(Reason::Signature),
        };
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let version = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        if known.contains(&version) && is_readable(version) {
            Ok(version)
        } else {
            Err(Reason::Version(version))
        }
    }

    fn end(&mut self) -> Result<Verified, Reason> {
        if self
            .version
            .is_some_and(|version| version < VERSION_CHECKSUM)
        {
            return Ok(Verified::Unchecked);
        }
        let expected = self.source.checksum();
        let found = u64::from_le_bytes(self.source.array()?);
        match expected {
            None => Ok(Verified::Unchecked),
            Some(_) if found == 0 => Ok(Verified::Absent),
            Some(expected) if expected == found => Ok(Verified::Right),
            Some(expected) => Err(Reason::Checksum { expected, found }),
        }
    }
}

impl<R> std::fmt::Debug for RdbReader<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RdbReader")
            .field("version", &self.version)
            .field("db", &self.db)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
