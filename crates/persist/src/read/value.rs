//! One value, of whatever type.

use bytes::Bytes;
use store::{BigString, Entry, Item, Object, SHARED_STRING_MIN, Tuning, parse_integer};

use super::source::Source;
use super::stream::{self, Form};
use super::{hash, list, module, set, string, zset};
use crate::error::{Part, Reason};
use crate::format::Type;
use crate::sanitize::Sanitize;

/// A value that was read.
#[derive(Debug)]
pub enum Value<'a> {
    /// A string that lies in the reader's buffer.
    Bytes(&'a [u8]),
    /// A string that spells an integer.
    Integer(i64),
    /// A large string, or a collection.
    Object(Object),
}

impl Value<'_> {
    /// An entry that holds the value.
    pub fn into_entry(self, key: &[u8], expiry: Option<i64>) -> Entry<Object> {
        match self {
            Self::Bytes(bytes) => Entry::bytes(key, bytes, expiry),
            Self::Integer(integer) => Entry::integer(key, integer, expiry),
            Self::Object(object) => store::entry_of_object(key, object, expiry),
        }
    }
}

/// On what terms values are read.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    /// The thresholds of encodings.
    pub(crate) tuning: &'t Tuning,
    /// How closely packed values are looked at.
    pub(crate) sanitize: Sanitize,
}

/// Room that is used again from value to value.
#[derive(Default)]
pub(crate) struct Scratch {
    /// A string that was compressed.
    pub(super) unpacked: Vec<u8>,
    /// A field, while its value is read.
    pub(super) field: Vec<u8>,
}

/// Reads a value of the type whose byte has just been read.
pub(crate) fn read_value<'s, S: Source>(
    source: &'s mut S,
    kind: Type,
    terms: Terms<'_>,
    scratch: &'s mut Scratch,
) -> Result<Value<'s>, Reason> {
    let object = match kind {
        Type::String => return read_string(source, &mut scratch.unpacked),
        Type::List => Object::List(list::elements(source, terms, scratch)?),
        Type::ListZiplist => Object::List(list::ziplist(source, terms, scratch)?),
        Type::ListQuicklist => Object::List(list::ziplists(source, terms, scratch)?),
        Type::ListQuicklist2 => Object::List(list::nodes(source, terms, scratch)?),
        Type::Set => Object::Set(set::members(source, terms, scratch)?),
        Type::SetIntset => Object::Set(set::intset(source, terms, scratch)?),
        Type::SetListpack => Object::Set(set::listpack(source, terms, scratch)?),
        Type::ZSet => Object::ZSet(zset::members(source, zset::text_score, terms, scratch)?),
        Type::ZSet2 => Object::ZSet(zset::members(source, zset::binary_score, terms, scratch)?),
        Type::ZSetZiplist => Object::ZSet(zset::ziplist(source, terms, scratch)?),
        Type::ZSetListpack => Object::ZSet(zset::listpack(source, terms, scratch)?),
        Type::Hash => Object::Hash(hash::fields(source, hash::Deadlines::None, terms, scratch)?),
        Type::Hash2 => Object::Hash(hash::fields(source, hash::Deadlines::Each, terms, scratch)?),
        Type::HashZipmap => Object::Hash(hash::zipmap(source, terms, scratch)?),
        Type::HashZiplist => Object::Hash(hash::ziplist(source, terms, scratch)?),
        Type::HashListpack => Object::Hash(hash::listpack(source, terms, scratch)?),
        Type::StreamListpacks => read_stream(source, Form::First, terms, scratch)?,
        Type::StreamListpacks2 => read_stream(source, Form::Second, terms, scratch)?,
        Type::StreamListpacks3 => read_stream(source, Form::Third, terms, scratch)?,
        Type::Module => {
            return Err(Reason::Module(module::name(string::length(source)?)));
        }
        Type::ModulePreRelease => return Err(Reason::ModulePreRelease),
    };
    Ok(Value::Object(object))
}

fn read_stream<S: Source>(
    source: &mut S,
    form: Form,
    terms: Terms<'_>,
    scratch: &mut Scratch,
) -> Result<Object, Reason> {
    let stream = stream::stream(source, form, terms, scratch)?;
    Ok(Object::Stream(Box::new(stream)))
}

fn read_string<'s, S: Source>(
    source: &'s mut S,
    unpacked: &'s mut Vec<u8>,
) -> Result<Value<'s>, Reason> {
    Ok(match string::string(source, unpacked)? {
        Item::Integer(integer) => Value::Integer(integer),
        Item::Bytes(bytes) => match parse_integer(bytes) {
            Some(integer) => Value::Integer(integer),
            None if bytes.len() < SHARED_STRING_MIN => Value::Bytes(bytes),
            None => {
                let string = BigString::from(Bytes::copy_from_slice(bytes));
                Value::Object(Object::String(Box::new(string)))
            }
        },
    })
}

/// A packed value as the string that it lies in.
pub(super) fn blob<'s, S: Source>(
    source: &'s mut S,
    unpacked: &'s mut Vec<u8>,
    part: Part,
) -> Result<&'s [u8], Reason> {
    /// What Redis lets packed values grow to.
    const BLOB_MAX: usize = 1 << 30;
    match string::string(source, unpacked)? {
        Item::Bytes(bytes) if bytes.len() <= BLOB_MAX => Ok(bytes),
        _ => Err(Reason::Integrity(part)),
    }
}
