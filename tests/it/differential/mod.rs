//! Made-up sequences of commands, run here and on a real server: every reply and the digests of the datasets are equal.
//!
//! `DIFFERENTIAL_COMMANDS` is how many commands are run, 100,000 if it is not set; `DIFFERENTIAL_SEED` chooses others. A
//! failure shows the shortest sequence found that still differs.

pub(crate) mod templates;

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use resp::Value;
use testkit::render;

use crate::oracle::RealServer;
use crate::server::TestServer;
use crate::transcript::Caller;
use templates::{LEFT_OUT, TEMPLATES, UNORDERED, expand};

/// A call's words.
type Call = Vec<Vec<u8>>;

/// How many templates a sequence is made of, at most.
const TEMPLATES_MAX: usize = 200;

#[test]
fn sequences_of_commands_come_to_the_same() {
    let commands: u32 = from_environment("DIFFERENTIAL_COMMANDS", 100_000);
    let seed: u64 = from_environment("DIFFERENTIAL_SEED", 0);
    let (server, real) = (
        TestServer::plain("enable-debug-command local"),
        RealServer::start(),
    );
    let mut both = Both {
        ours: Caller::of(&server),
        theirs: Caller::connect(real.address).unwrap(),
    };
    let config = Config {
        cases: commands.div_ceil(TEMPLATES_MAX as u32 / 2),
        failure_persistence: None,
        max_shrink_iters: 3000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let sequence = prop::collection::vec((0..TEMPLATES.len(), any::<u64>()), 1..TEMPLATES_MAX);
    let both = std::cell::RefCell::new(&mut both);
    let outcome = runner.run(&(any::<bool>(), sequence), |(resp3, sequence)| {
        both.borrow_mut()
            .compare(resp3, &calls(&sequence))
            .map_err(TestCaseError::fail)
    });
    if let Err(TestError::Fail(reason, (resp3, sequence))) = outcome {
        let lines: Vec<String> = calls(&sequence).iter().map(|call| line(call)).collect();
        let proto = if resp3 { 3 } else { 2 };
        panic!("RESP{proto}\n{}\n{reason}", lines.join("\n"));
    }
}

/// Every data command is in a template, or left out for a reason.
#[test]
fn every_data_command_is_made_up() {
    let words = |text: &'static str| text.split(' ').next().unwrap_or_default().to_lowercase();
    let made: HashSet<String> = TEMPLATES
        .iter()
        .flat_map(|template| template.split(" ; ").map(words))
        .collect();
    let left_out: HashSet<String> = LEFT_OUT.iter().map(|(command, _)| words(command)).collect();
    let missing: Vec<&str> = commands::all()
        .iter()
        .map(|command| command.name)
        .filter(|name| !made.contains(*name) && !left_out.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no template makes {missing:?}");
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The calls of a sequence of templates, each with the seed of what is filled in.
fn calls(sequence: &[(usize, u64)]) -> Vec<Call> {
    sequence
        .iter()
        .flat_map(|(template, seed)| expand(TEMPLATES[*template], *seed))
        .collect()
}

/// A call in one line.
fn line(call: &[Vec<u8>]) -> String {
    let words: Vec<String> = call
        .iter()
        .map(|word| match word.is_empty() || word.contains(&b' ') {
            true => format!("\"{}\"", word.escape_ascii()),
            false => word.escape_ascii().to_string(),
        })
        .collect();
    format!("> {}", words.join(" "))
}

/// A client of each server.
struct Both {
    ours: Caller,
    theirs: Caller,
}

impl Both {
    /// Runs calls on both servers, from empty datasets; the first difference.
    fn compare(&mut self, resp3: bool, calls: &[Call]) -> Result<(), String> {
        let words = |line: &str| -> Call { line.split(' ').map(|word| word.into()).collect() };
        // What an earlier sequence left: a transaction, watched keys, another database.
        let mut all: Vec<Call> = ["DISCARD", "UNWATCH", "SELECT 0", "FLUSHALL"]
            .map(words)
            .into();
        let before = all.len() + 1;
        all.push(words(if resp3 { "HELLO 3" } else { "HELLO 2" }));
        all.extend_from_slice(calls);
        all.extend(["DISCARD", "DEBUG DIGEST"].map(words));
        let ours = self.ours.pipeline(&all);
        let theirs = self.theirs.pipeline(&all);
        let mut queued: Vec<&[u8]> = Vec::new();
        for ((call, ours), theirs) in all.iter().zip(&ours).zip(&theirs).skip(before) {
            let (our, their) = (shown(call, &queued, ours), shown(call, &queued, theirs));
            if our != their {
                return Err(format!("{}\n  ours   {our}\n  theirs {their}", line(call)));
            }
            match ours {
                Value::Simple(text) if **text == *b"QUEUED" => queued.push(&call[0]),
                _ if call[0] == b"EXEC" || call[0] == b"DISCARD" => queued.clear(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A reply as text, the elements of one without order sorted. `queued` are the commands that EXEC runs.
fn shown(call: &[Vec<u8>], queued: &[&[u8]], reply: &Value) -> String {
    match reply {
        Value::Array(replies) if call[0] == b"EXEC" => {
            let shown: Vec<String> = queued
                .iter()
                .zip(replies)
                .map(|(command, reply)| shown_of(command, reply))
                .collect();
            format!("[{}]", shown.join(", "))
        }
        _ => shown_of(&call[0], reply),
    }
}

fn shown_of(command: &[u8], reply: &Value) -> String {
    match (command, reply) {
        // See what is left out.
        (b"OBJECT", Value::Bulk(encoding))
            if [&b"listpack"[..], b"quicklist", b"hashtable", b"skiplist"]
                .contains(&&**encoding) =>
        {
            return "small or large".to_owned();
        }
        (b"XREAD", Value::Error(text)) if text.starts_with(b"ERR Unbalanced ") => {
            return "unbalanced".to_owned();
        }
        (b"OBJECT", Value::Integer(1..)) => return "some references".to_owned(),
        // EXPIRE counts from when each server runs it.
        (b"EXPIRETIME", Value::Integer(1..30_000_000_000))
        | (b"PEXPIRETIME", Value::Integer(1..30_000_000_000_000)) => return "soon".to_owned(),
        _ => {}
    }
    if !UNORDERED.iter().any(|name| name.as_bytes() == command) {
        return render(reply);
    }
    let mut leaves = Vec::new();
    collect(reply, &mut leaves);
    leaves.sort_unstable();
    leaves.join(" ")
}

/// The parts of a reply that are no aggregates.
fn collect(reply: &Value, leaves: &mut Vec<String>) {
    match reply {
        Value::Array(items) | Value::Set(items) => {
            items.iter().for_each(|item| collect(item, leaves));
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                collect(key, leaves);
                collect(value, leaves);
            }
        }
        leaf => leaves.push(render(leaf)),
    }
}
