//! The set of values: what every directive is right now.

use std::fmt;
use std::path::PathBuf;

use crate::directive::{self, Fallback, Id, Key};
use crate::glob;
use crate::load::Declarations;
use crate::typed::Typed;
use crate::value::Value;

/// What the defaults of some directives depend on: nothing here asks the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The number of cores, for `io-threads`.
    pub cores: usize,
    /// The directory of the process, for `dir` and every path relative to it.
    pub directory: PathBuf,
}

/// The values of all directives, and what a configuration says besides.
#[derive(Clone)]
pub struct Config {
    pub(crate) values: Vec<Value>,
    pub(crate) defaults: Vec<Value>,
    /// Which directives a configuration has named.
    given: Vec<bool>,
    pub(crate) declarations: Declarations,
}

impl Config {
    /// All directives at their defaults.
    pub fn new(defaults: &Defaults) -> Self {
        let values: Vec<Value> = directive::all().map(|id| default(id, defaults)).collect();
        Self {
            given: vec![false; values.len()],
            defaults: values.clone(),
            values,
            declarations: Declarations::default(),
        }
    }

    /// The value of a directive.
    pub fn read<T: Typed>(&self, key: Key<T>) -> T::Read<'_> {
        T::read(self.value(key.id()))
    }

    /// Gives a directive a value that no user asked for, such as the primary of REPLICAOF or the directory as the
    /// system names it. CONFIG REWRITE writes it.
    pub fn assign<T: Typed>(&mut self, key: Key<T>, value: T::Assigned) {
        self.put(key.id(), T::value(value));
    }

    /// Gives a directive another default, and the value with it: CONFIG REWRITE does not write it.
    pub fn assume<T: Typed>(&mut self, key: Key<T>, value: T::Assigned) {
        let value = T::value(value);
        if let Some(place) = self.defaults.get_mut(key.id().place()) {
            *place = value.clone();
        }
        self.put(key.id(), value);
    }

    /// Whether a configuration has named the directive, if only with its default.
    pub fn is_given(&self, id: impl Into<Id>) -> bool {
        self.given
            .get(id.into().place())
            .copied()
            .unwrap_or_default()
    }

    /// The directives whose names match one of CONFIG GET's arguments, each with its value: a name in any case, or a
    /// pattern. A name is answered as it was asked for; hidden directives match no pattern.
    pub fn get(&self, arguments: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], id: Id| {
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.to_vec(), self.text(id)));
            }
        };
        for argument in arguments {
            if !glob::is_pattern(argument) {
                if let Some(spelling) = directive::find(argument) {
                    add(argument, spelling.id);
                }
                continue;
            }
            for id in directive::all().filter(|id| !id.row().hidden) {
                for name in id
                    .names()
                    .filter(|name| glob::matches(argument, name.as_bytes()))
                {
                    add(name.as_bytes(), id);
                }
            }
        }
        found
    }

    /// The value of a directive as CONFIG GET shows it.
    pub fn text(&self, id: impl Into<Id>) -> Vec<u8> {
        let id = id.into();
        self.value(id).text(id.row().kind)
    }

    pub(crate) fn value(&self, id: Id) -> &Value {
        let value = self.values.get(id.place());
        value.expect("every directive has a value")
    }

    pub(crate) fn put(&mut self, id: Id, value: Value) {
        if let Some(place) = self.values.get_mut(id.place()) {
            *place = value;
        }
    }

    pub(crate) fn mark_given(&mut self, id: Id) {
        if let Some(given) = self.given.get_mut(id.place()) {
            *given = true;
        }
    }
}

/// Without values: some are secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

fn default(id: Id, defaults: &Defaults) -> Value {
    let row = id.row();
    match row.default {
        Fallback::Directory => Value::Directory(defaults.directory.clone()),
        Fallback::Cores => {
            let cores = i64::try_from(defaults.cores).unwrap_or(i64::MAX);
            Value::Integer(cores.clamp(1, WORKERS_MAX))
        }
        Fallback::Fixed(text) => Value::fixed(row, text),
    }
}

/// The workers that `io-threads` allows at most.
const WORKERS_MAX: i64 = 128;
