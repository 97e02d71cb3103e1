//! CONFIG REWRITE: the values written back into the text of a configuration file.
//!
//! Comments, order and foreign lines stay. A directive takes the lines that it had; lines that it no longer needs go;
//! what was not there and is not the default follows at the end, under a comment that says so. Directives that stand
//! in an included file are not looked for there.

use std::collections::{HashMap, VecDeque};

use crate::config::Config;
use crate::directive;
use crate::grammar;
use crate::value::Needed;

/// The users to write.
#[derive(Debug, Clone, Copy)]
pub enum Users<'a> {
    /// None: they have a file of their own.
    InAclFile,
    /// `<name> <rule ...>` for each.
    Listed(&'a [Vec<u8>]),
}

/// How much of the configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What the file has, and what is not the default.
    Needed,
    /// Every directive that has a value (DEBUG CONFIG-REWRITE-FORCE-ALL).
    Everything,
}

impl Config {
    /// The text of the configuration file, `old` being what stands in it now. Rewriting twice is rewriting once.
    pub fn rewrite(&self, old: &[u8], users: Users<'_>, extent: Extent) -> Vec<u8> {
        let mut page = Page::new(old, extent);
        for id in directive::all() {
            let row = id.row();
            let default = self
                .defaults
                .get(id.place())
                .unwrap_or_else(|| self.value(id));
            let is_node = self.read(directive::CLUSTER_ENABLED);
            let lines = if id == directive::REPLICAOF.id() && is_node {
                Vec::new()
            } else {
                self.value(id).lines(row.kind, default)
            };
            page.write(row.name, lines);
        }
        let users = match users {
            Users::InAclFile => Vec::new(),
            Users::Listed(users) => users
                .iter()
                .map(|user| (user.clone(), Needed::Always))
                .collect(),
        };
        page.write("user", users);
        page.into_text()
    }
}

/// The lines of a file while they are rewritten.
struct Page {
    lines: Vec<Vec<u8>>,
    /// Where each directive stands, under its first name.
    places: HashMap<Vec<u8>, VecDeque<usize>>,
    signed: bool,
    extent: Extent,
}

impl Page {
    fn new(old: &[u8], extent: Extent) -> Self {
        let mut page = Self {
            lines: Vec::new(),
            places: HashMap::new(),
            signed: false,
            extent,
        };
        if !old.is_empty() {
            // The last line's end begins no further line, or each rewrite would add an empty one.
            let old = old.strip_suffix(b"\n").unwrap_or(old);
            for line in old.split(|&byte| byte == b'\n') {
                page.read(grammar::trim(line));
            }
        }
        page
    }

    /// Takes over a line; one that says nothing that is known becomes a comment.
    fn read(&mut self, line: &[u8]) {
        if !grammar::is_statement(line) {
            self.signed |= line == SIGNATURE;
            self.lines.push(line.to_vec());
            return;
        }
        let words = grammar::words(line).unwrap_or_default();
        match words.first().and_then(|name| known_name(name)) {
            Some(name) => {
                self.places
                    .entry(name)
                    .or_default()
                    .push_back(self.lines.len());
                self.lines.push(line.to_vec());
            }
            None => self.lines.push([b"# ??? ", line].concat()),
        }
    }

    /// Writes the lines of a directive over those that it had, and blanks what is left of them.
    fn write(&mut self, name: &str, lines: Vec<(Vec<u8>, Needed)>) {
        let mut places = self.places.remove(name.as_bytes()).unwrap_or_default();
        for (value, needed) in lines {
            let line = [name.as_bytes(), b" ", &value].concat();
            match places.pop_front() {
                Some(place) => self.replace(place, line),
                None if needed == Needed::Always || self.extent == Extent::Everything => {
                    self.append(line);
                }
                None => {}
            }
        }
        for place in places {
            self.replace(place, Vec::new());
        }
    }

    fn replace(&mut self, place: usize, line: Vec<u8>) {
        if let Some(old) = self.lines.get_mut(place) {
            *old = line;
        }
    }

    fn append(&mut self, line: Vec<u8>) {
        if !self.signed {
            self.lines.push(SIGNATURE.to_vec());
            self.signed = true;
        }
        self.lines.push(line);
    }

    /// The text, in which one empty line stands for several.
    fn into_text(mut self) -> Vec<u8> {
        self.lines
            .dedup_by(|line, before| line.is_empty() && before.is_empty());
        let mut text = self.lines.join(&b'\n');
        if !self.lines.is_empty() {
            text.push(b'\n');
        }
        text
    }
}

const SIGNATURE: &[u8] = b"# Generated by CONFIG REWRITE";

/// The first name of a directive, or the name of a line that only files have.
fn known_name(name: &[u8]) -> Option<Vec<u8>> {
    if let Some(spelling) = directive::find(name) {
        return Some(spelling.id.row().name.as_bytes().to_vec());
    }
    let name = name.to_ascii_lowercase();
    let only_in_files = [
        &b"include"[..],
        b"rename-command",
        b"user",
        b"loadmodule",
        b"sentinel",
    ];
    only_in_files.contains(&name.as_slice()).then_some(name)
}
