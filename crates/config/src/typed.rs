//! How a key's type reads its value, so that a directive cannot be taken for something that it is not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::choices::{Choices, ShutdownFlags};
use crate::composite::{KeyspaceEvents, MemoryLimit, OomScores, OutputLimits, Primary, SavePoint};
use crate::value::Value;

/// A type that a directive's value can have: what is read, and what may be assigned.
pub trait Typed {
    /// What is read.
    type Read<'a>;
    /// What is assigned.
    type Assigned;

    /// Reads the value.
    fn read(value: &Value) -> Self::Read<'_>;

    /// Makes a value.
    fn value(assigned: Self::Assigned) -> Value;
}

/// An amount of memory, read as bytes.
#[derive(Debug)]
pub struct Memory;

/// A text, read as bytes: a name or a path need not be UTF-8.
#[derive(Debug)]
pub struct Text;

/// A text that may be absent.
#[derive(Debug)]
pub struct OptionalText;

/// A directory.
#[derive(Debug)]
pub struct Directory;

/// Addresses to bind; a leading `-` allows one to be unavailable.
#[derive(Debug)]
pub struct Addresses;

/// Percentiles between 0 and 100.
#[derive(Debug)]
pub struct Percentiles;

/// A text as a path.
pub fn path(text: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(text))
}

macro_rules! typed {
    ($( $type:ty, $variant:ident: $read:ty, $assigned:ty, |$value:ident| $reading:expr; )+) => { $(
        impl Typed for $type {
            type Read<'a> = $read;
            type Assigned = $assigned;

            fn read(value: &Value) -> Self::Read<'_> {
                match value {
                    Value::$variant($value) => $reading,
                    other => unreachable!("a row's type fixes the kind of its value: {other:?}"),
                }
            }

            fn value(assigned: Self::Assigned) -> Value {
                Value::$variant(assigned)
            }
        }
    )+ };
}

typed! {
    bool, Boolean: bool, bool, |value| *value;
    i64, Integer: i64, i64, |value| *value;
    Memory, Memory: u64, u64, |value| *value;
    MemoryLimit, MemoryLimit: Self, Self, |value| *value;
    Text, Text: &'a [u8], Vec<u8>, |value| value;
    OptionalText, OptionalText: Option<&'a [u8]>, Option<Vec<u8>>, |value| value.as_deref();
    Directory, Directory: &'a Path, PathBuf, |value| value;
    Vec<SavePoint>, SavePoints: &'a [SavePoint], Self, |value| value;
    OutputLimits, OutputLimits: &'a Self, Self, |value| value;
    OomScores, OomScores: Self, Self, |value| *value;
    KeyspaceEvents, KeyspaceEvents: Self, Self, |value| *value;
    Addresses, Addresses: &'a [Vec<u8>], Vec<Vec<u8>>, |value| value;
    Option<Primary>, Primary: Option<&'a Primary>, Self, |value| value.as_ref();
    Percentiles, Percentiles: &'a [f64], Vec<f64>, |value| value;
}

impl<T: Choices> Typed for T {
    type Read<'a> = T;
    type Assigned = T;

    fn read(value: &Value) -> T {
        match value {
            Value::Choice(bits) => T::from_bits(*bits),
            other => unreachable!("a row's type fixes the kind of its value: {other:?}"),
        }
    }

    fn value(assigned: T) -> Value {
        Value::Choice(assigned.bits())
    }
}

impl Typed for ShutdownFlags {
    type Read<'a> = Self;
    type Assigned = Self;

    fn read(value: &Value) -> Self {
        match value {
            Value::Choice(bits) => Self(*bits),
            other => unreachable!("a row's type fixes the kind of its value: {other:?}"),
        }
    }

    fn value(assigned: Self) -> Value {
        Value::Choice(assigned.0)
    }
}
