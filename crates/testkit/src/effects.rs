//! What calls do beside their replies, seen without an engine: one shard, one call at a time, everybody listening.
//!
//! ```text
//! > SADD s a         a call, its words as an inline command's
//! = 1; new s, sadd s; own
//! ```
//! After `=` stand the dirty count; the keyspace events, or `-`; and what the log gets: the client's `own` words, `nothing`,
//! or the words of each command, split by ` / `. Deletions of expired keys stand before it in parentheses.

use crate::dispatcher::SEED;
use commands::{
    Args, Audience, Call, DataCommand, Effects, EventClass, Handler, Logged, Now, OnExpired,
    ReadCtx, ReadSpace, Reply, Rng, Settings, Shards, Space, WriteCtx, WriteSpace,
};
use resp::{Output, Proto, Writer};
use store::{AccessPolicy, Shard};

/// Runs calls on an empty shard and compares what they do beside their replies; `@ 1500` moves the clock on by milliseconds.
///
/// # Panics
/// When the effects are not the expected ones.
#[track_caller]
pub fn check_effects(transcript: &str) {
    check_effects_with(&Settings::default(), transcript);
}

/// As [`check_effects`], under settings other than the default ones.
///
/// # Panics
/// When the effects are not the expected ones.
#[track_caller]
pub fn check_effects_with(settings: &Settings, transcript: &str) {
    run(Alone::default(), settings, transcript);
}

/// As [`check_effects`], where calls that go through more than `elements_max` elements are to run elsewhere: then
/// `elsewhere` stands before the effects.
///
/// # Panics
/// When the effects are not the expected ones.
#[track_caller]
pub fn check_effects_within(elements_max: usize, transcript: &str) {
    let alone = Alone {
        elements_max,
        ..Alone::default()
    };
    run(alone, &Settings::default(), transcript);
}

#[track_caller]
fn run(mut alone: Alone, settings: &Settings, transcript: &str) {
    let mut last = None;
    for line in transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (mark, rest) = line.split_at(1);
        match (mark, rest.trim()) {
            (">", call) => last = Some((call, alone.call(settings, call))),
            ("=", expected) => {
                let (call, effects) = last.take().expect("effects follow a call");
                assert_eq!(effects, expected, "> {call}");
            }
            ("@", ms) => alone.now_ms += ms.parse::<i64>().expect("`@` is followed by a number"),
            _ => panic!("`{line}` begins neither with > nor = nor @"),
        }
    }
}

/// A shard that holds every key, and the time.
struct Alone {
    shard: Shard,
    now_ms: i64,
    rng: Rng,
    elements_max: usize,
}

impl Default for Alone {
    fn default() -> Self {
        Self {
            shard: Shard::new(16),
            now_ms: 1_710_000_000_000,
            rng: Rng::new(42),
            elements_max: usize::MAX,
        }
    }
}

impl Alone {
    #[track_caller]
    fn call(&mut self, settings: &Settings, line: &str) -> String {
        let words = resp::split_words(line.as_bytes()).expect("a transcript's words are balanced");
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let (row, name_words) = command(&argv);
        let mut effects = Effects::default();
        effects.reset(
            Audience {
                events: EventClass::all(),
                log: true,
                changes: true,
                gated: false,
            },
            0,
        );
        let elsewhere = self.run(
            settings,
            row,
            Args::of_call(&argv, name_words),
            &mut effects,
        );
        let mark = if elsewhere { "elsewhere: " } else { "" };
        format!("{mark}{}", describe(&effects))
    }

    /// Whether the call is to run elsewhere.
    fn run(
        &mut self,
        settings: &Settings,
        row: &DataCommand,
        args: Args<'_>,
        effects: &mut Effects,
    ) -> bool {
        let now = Now {
            unix_us: self.now_ms * 1000,
            monotonic_ns: 0,
        };
        let space = Space {
            shards: Shards::One(&mut self.shard),
            db: 0,
            seed: *SEED,
            now_ms: self.now_ms,
            access: AccessPolicy::Lru,
            no_touch: false,
            on_expired: OnExpired::Delete,
            lazy_expire: settings.lazy_expire,
            effects,
            chance: 0,
        };
        let mut output = Output::default();
        let out = Writer::new(&mut output, Proto::Resp2);
        let call = Call {
            now,
            settings,
            rng: &mut self.rng,
            may_block: true,
            elements_max: self.elements_max,
        };
        // An error is an outcome as well: it must leave no effects.
        let reply = match row.handler {
            Handler::Read(run) => {
                let space = ReadSpace::new(space);
                run(&mut ReadCtx { space, out, call }, args)
            }
            Handler::Write(run) => {
                let space = WriteSpace::new(space);
                run(&mut WriteCtx { space, out, call }, args)
            }
            Handler::Container => panic!("a container does not run"),
        };
        reply == Ok(Reply::Elsewhere)
    }
}

/// The row that a call names, and how many words its name has.
#[track_caller]
fn command(argv: &[&[u8]]) -> (&'static DataCommand, usize) {
    let named = |word: usize, row: &DataCommand| {
        argv.get(word)
            .is_some_and(|word| word.eq_ignore_ascii_case(row.name.as_bytes()))
    };
    let row = commands::all()
        .into_iter()
        .find(|row| named(0, row))
        .expect("the call names a data command");
    match row.subcommands.iter().find(|row| named(1, row)) {
        Some(subcommand) => (subcommand, 2),
        None => (row, 1),
    }
}

fn describe(effects: &Effects) -> String {
    let events: Vec<String> = effects
        .events
        .iter()
        .map(|event| format!("{} {}", event.name, event.key.escape_ascii()))
        .collect();
    let events = if events.is_empty() {
        "-".into()
    } else {
        events.join(", ")
    };
    let log = match &effects.log_instead {
        Some(commands) if commands.is_empty() => "nothing".into(),
        Some(commands) => commands.iter().map(words).collect::<Vec<_>>().join(" / "),
        None if effects.dirty > 0 => "own".into(),
        None => "nothing".into(),
    };
    let before: String = effects
        .log_before
        .iter()
        .map(|command| format!("({}) ", words(command)))
        .collect();
    format!("{}; {events}; {before}{log}", effects.dirty)
}

fn words(logged: &Logged) -> String {
    let words: Vec<String> = logged
        .words
        .iter()
        .map(|word| word.escape_ascii().to_string())
        .collect();
    words.join(" ")
}
