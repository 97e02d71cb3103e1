//! A sequential model of the commands that histories are made of: what one client alone would be answered.

use crate::render::render;
use resp::Value as Reply;
use std::collections::{BTreeMap, BTreeSet};

/// The state of the model: one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Model {
    keys: BTreeMap<String, Held>,
    /// When keys expire, in milliseconds since the start.
    deadlines: BTreeMap<String, i64>,
    now_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Held {
    String(String),
    Set(BTreeSet<String>),
    List(Vec<String>),
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

impl Model {
    /// The reply to a call, in the notation of transcripts, and the state after it.
    ///
    /// # Panics
    /// When the model does not know the command: histories are made of those that it knows.
    pub fn call(&mut self, words: &[String]) -> String {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match *words.as_slice() {
            ["TICK"] => {
                self.now_ms += 1;
                "+OK".into()
            }
            ["SET", key, value] => {
                self.put(key, value);
                "+OK".into()
            }
            ["SET", key, value, "PX", ms] => {
                self.put(key, value);
                self.expire(key, ms);
                "+OK".into()
            }
            ["PEXPIRE", key, ms] => {
                let exists = self.keys.contains_key(key);
                if ms == "0" {
                    self.keys.remove(key);
                } else if exists {
                    self.expire(key, ms);
                }
                count(usize::from(exists))
            }
            ["PERSIST", key] => count(usize::from(self.deadlines.remove(key).is_some())),
            ["PTTL", key] => match (self.keys.get(key), self.deadlines.get(key)) {
                (None, _) => ":-2".into(),
                (_, None) => ":-1".into(),
                (_, Some(deadline)) => format!(":{}", deadline - self.now_ms),
            },
            ["RPUSH", key, value] => {
                let list = self.list_mut(key);
                list.push(value.into());
                count(list.len())
            }
            ["LLEN", key] => count(self.list(key).len()),
            ["LRANGE", key, "0", "-1"] => {
                let values = self.list(key).iter().map(|value| format!("\"{value}\""));
                format!("[{}]", values.collect::<Vec<_>>().join(", "))
            }
            ["LPOP", key] => self
                .pop(key)
                .map_or_else(|| "nil".into(), |value| format!("\"{value}\"")),
            ["LMOVE" | "BLMOVE", from, to, "LEFT", "RIGHT", ..] => match self.pop(from) {
                None => "nil".into(),
                Some(value) => {
                    self.list_mut(to).push(value.clone());
                    format!("\"{value}\"")
                }
            },
            ["BLPOP", ref keys @ .., _] => {
                self.pop_first(keys, |key, value| format!("[\"{key}\", \"{value}\"]"))
            }
            ["BLMPOP", _, _, ref keys @ .., "LEFT"] => {
                self.pop_first(keys, |key, value| format!("[\"{key}\", [\"{value}\"]]"))
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
                    let deadline = self.deadlines.remove(from);
                    self.put_held(to, held, deadline);
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
                    let deadline = self.deadlines.get(from).copied();
                    self.put_held(to, held, deadline);
                }
                count(usize::from(done))
            }
            ["SADD", key, member] => self.sadd(key, member),
            ["SMOVE", from, to, member] => self.smove(from, to, member),
            ["SCARD", key] => match self.keys.get(key) {
                None => count(0),
                Some(Held::Set(set)) => count(set.len()),
                Some(_) => WRONG_TYPE.into(),
            },
            ["DBSIZE"] => count(self.keys.len()),
            _ => panic!("the model does not know {words:?}"),
        };
        self.settle();
        reply
    }

    /// Forgets keys whose time is over, and deadlines of keys that are gone.
    fn settle(&mut self) {
        let Self {
            keys,
            deadlines,
            now_ms,
        } = self;
        deadlines.retain(|key, deadline| {
            if *deadline < *now_ms {
                keys.remove(key);
            }
            keys.contains_key(key)
        });
    }

    fn put(&mut self, key: &str, value: &str) {
        self.keys.insert(key.into(), Held::String(value.into()));
        self.deadlines.remove(key);
    }

    fn put_held(&mut self, key: &str, held: Held, deadline: Option<i64>) {
        self.keys.insert(key.into(), held);
        match deadline {
            Some(deadline) => self.deadlines.insert(key.into(), deadline),
            None => self.deadlines.remove(key),
        };
    }

    fn expire(&mut self, key: &str, ms: &str) {
        let ms: i64 = ms.parse().expect("histories have whole milliseconds");
        self.deadlines.insert(key.into(), self.now_ms + ms);
    }

    fn list(&self, key: &str) -> &[String] {
        match self.keys.get(key) {
            Some(Held::List(list)) => list,
            _ => &[],
        }
    }

    fn list_mut(&mut self, key: &str) -> &mut Vec<String> {
        let held = self.keys.entry(key.into());
        match held.or_insert_with(|| Held::List(Vec::new())) {
            Held::List(list) => list,
            other => panic!("histories of lists have nothing else: {other:?}"),
        }
    }

    /// The first element of a list, taken out of it.
    fn pop(&mut self, key: &str) -> Option<String> {
        if self.list(key).is_empty() {
            return None;
        }
        let list = self.list_mut(key);
        let value = list.remove(0);
        if list.is_empty() {
            self.keys.remove(key);
        }
        Some(value)
    }

    /// Pops from the first of `keys` that has something.
    fn pop_first(&mut self, keys: &[&str], answer: impl Fn(&str, &str) -> String) -> String {
        let found = keys.iter().find_map(|key| Some((key, self.pop(key)?)));
        found.map_or_else(|| "nil-array".into(), |(key, value)| answer(key, &value))
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
            Some(_) => WRONG_TYPE.into(),
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
            self.put(pair[0], pair[1]);
        }
    }

    fn sadd(&mut self, key: &str, member: &str) -> String {
        match self
            .keys
            .entry(key.into())
            .or_insert_with(|| Held::Set(BTreeSet::new()))
        {
            Held::Set(set) => count(usize::from(set.insert(member.into()))),
            _ => WRONG_TYPE.into(),
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
