//! A sequential model of the commands that histories are made of: what one client alone would be answered.

use crate::render::render;
use resp::Value as Reply;
use std::collections::{BTreeMap, BTreeSet};

/// The state of the model: one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Model {
    keys: BTreeMap<String, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Held {
    String(String),
    Set(BTreeSet<String>),
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

impl Model {
    /// The reply to a call, in the notation of transcripts, and the state after it.
    ///
    /// # Panics
    /// When the model does not know the command: histories are made of those that it knows.
    pub fn call(&mut self, words: &[String]) -> String {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            ["SET", key, value] => {
                self.keys.insert(key.into(), Held::String(value.into()));
                "+OK".into()
            }
            ["GET", key] => self.get(key),
            ["INCR", key] => self.incr(key),
            ["DEL", key] => count(usize::from(self.keys.remove(key).is_some())),
            ["EXISTS", ref keys @ ..] => count(
                keys.iter()
                    .filter(|key| self.keys.contains_key(**key))
                    .count(),
            ),
            ["MSET", ref pairs @ ..] => {
                self.put_pairs(pairs);
                "+OK".into()
            }
            ["MSETNX", ref pairs @ ..] => {
                let free = pairs
                    .iter()
                    .step_by(2)
                    .all(|key| !self.keys.contains_key(*key));
                if free {
                    self.put_pairs(pairs);
                }
                count(usize::from(free))
            }
            ["MGET", ref keys @ ..] => {
                let values: Vec<String> = keys
                    .iter()
                    .map(|key| self.string(key).unwrap_or_else(|| "nil".into()))
                    .collect();
                format!("[{}]", values.join(", "))
            }
            ["RENAME", from, to] => match self.keys.remove(from) {
                None => "-ERR no such key".into(),
                Some(held) => {
                    self.keys.insert(to.into(), held);
                    "+OK".into()
                }
            },
            ["COPY", from, to] if from == to => {
                "-ERR source and destination objects are the same".into()
            }
            ["COPY", from, to] => {
                let copied = self
                    .keys
                    .get(from)
                    .filter(|_| !self.keys.contains_key(to))
                    .cloned();
                let done = copied.is_some();
                if let Some(held) = copied {
                    self.keys.insert(to.into(), held);
                }
                count(usize::from(done))
            }
            ["SADD", key, member] => self.sadd(key, member),
            ["SMOVE", from, to, member] => self.smove(from, to, member),
            ["SCARD", key] => match self.keys.get(key) {
                None => count(0),
                Some(Held::Set(set)) => count(set.len()),
                Some(Held::String(_)) => WRONG_TYPE.into(),
            },
            ["DBSIZE"] => count(self.keys.len()),
            _ => panic!("the model does not know {words:?}"),
        }
    }

    /// Whether `reply` is what the model answers, for replies in the notation of transcripts.
    #[must_use]
    pub fn render(reply: &Reply) -> String {
        render(reply)
    }

    fn get(&self, key: &str) -> String {
        match self.keys.get(key) {
            None => "nil".into(),
            Some(Held::String(value)) => format!("\"{value}\""),
            Some(Held::Set(_)) => WRONG_TYPE.into(),
        }
    }

    fn string(&self, key: &str) -> Option<String> {
        match self.keys.get(key) {
            Some(Held::String(value)) => Some(format!("\"{value}\"")),
            _ => None,
        }
    }

    fn incr(&mut self, key: &str) -> String {
        let held = self
            .keys
            .entry(key.into())
            .or_insert_with(|| Held::String("0".into()));
        let Held::String(value) = held else {
            return WRONG_TYPE.into();
        };
        match value.parse::<i64>() {
            Ok(number) => {
                *value = (number + 1).to_string();
                format!(":{value}")
            }
            Err(_) => "-ERR value is not an integer or out of range".into(),
        }
    }

    fn put_pairs(&mut self, pairs: &[&str]) {
        for pair in pairs.chunks_exact(2) {
            self.keys
                .insert(pair[0].into(), Held::String(pair[1].into()));
        }
    }

    fn sadd(&mut self, key: &str, member: &str) -> String {
        match self
            .keys
            .entry(key.into())
            .or_insert_with(|| Held::Set(BTreeSet::new()))
        {
            Held::Set(set) => count(usize::from(set.insert(member.into()))),
            Held::String(_) => WRONG_TYPE.into(),
        }
    }

    /// SMOVE: a missing source answers 0 whatever the destination is (smoveCommand, Redis 7.2).
    fn smove(&mut self, from: &str, to: &str, member: &str) -> String {
        let is_set = |held: Option<&Held>| matches!(held, None | Some(Held::Set(_)));
        if !self.keys.contains_key(from) {
            return count(0);
        }
        if !is_set(self.keys.get(from)) || !is_set(self.keys.get(to)) {
            return WRONG_TYPE.into();
        }
        let Some(Held::Set(source)) = self.keys.get_mut(from) else {
            return count(0);
        };
        if from == to {
            return count(usize::from(source.contains(member)));
        }
        if !source.remove(member) {
            return count(0);
        }
        if source.is_empty() {
            self.keys.remove(from);
        }
        self.sadd(to, member);
        count(1)
    }
}

fn count(count: usize) -> String {
    format!(":{count}")
}
