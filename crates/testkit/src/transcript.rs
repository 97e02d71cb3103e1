//! Transcripts: calls and the replies that they must get.
//!
//! ```text
//! > SET k v          a call, its words as an inline command's
//! < +OK              its reply, as `render` writes it; `<` alone accepts any reply
//! > HINCRBY h f x
//! < -ERR value is not an integer or out of range
//! @ 1500             moves the clock on by so many milliseconds
//! > LPOS l a RANK -9223372036854775808
//! ! refused since Redis 7.2     a real server of version 7.0.15 answers this call otherwise, for this reason
//! < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
//! ```
//!
//! A line with `!` before the first call is about the whole transcript: it stands for commands that the real server does not
//! have.

use crate::dispatcher::Dispatcher;
use crate::oracle::{self, Replay};
use crate::render::render;
use resp::{Proto, Value};

/// A call of a transcript, and what came of it here.
pub(crate) struct Answered {
    /// Its words, as the transcript has them.
    pub(crate) call: String,
    pub(crate) reply: Value,
    /// Whether the transcript says which reply it must be.
    pub(crate) is_told: bool,
    /// Whether a real server answers otherwise.
    pub(crate) is_marked: bool,
}

/// Runs a transcript in RESP2 on a fresh dispatcher, and on a real server.
///
/// # Panics
/// When a reply is not the expected one.
#[track_caller]
pub fn check(transcript: &str) {
    let answered = run(&mut Dispatcher::default(), transcript);
    check_real(Proto::Resp2, transcript, &answered);
}

/// Runs a transcript in RESP3 on a fresh dispatcher, and on a real server.
///
/// # Panics
/// When a reply is not the expected one.
#[track_caller]
pub fn check_resp3(transcript: &str) {
    let mut dispatcher = Dispatcher::default();
    dispatcher.speak(Proto::Resp3);
    let answered = run(&mut dispatcher, transcript);
    check_real(Proto::Resp3, transcript, &answered);
}

/// Runs a transcript on a dispatcher that lives on.
///
/// # Panics
/// When a reply is not the expected one.
#[track_caller]
pub fn check_with(dispatcher: &mut Dispatcher, transcript: &str) {
    run(dispatcher, transcript);
}

/// Compares with a real server, which must answer otherwise where a line with `!` says so, and nowhere else. Transcripts that
/// move the clock are left out, for the real server's cannot be moved.
#[track_caller]
fn check_real(proto: Proto, transcript: &str, answered: &[Answered]) {
    if lines(transcript).any(|line| line.starts_with('@')) {
        return;
    }
    let is_marked = lines(transcript).next().is_some_and(is_mark);
    match (oracle::replay(proto, answered), is_marked) {
        (Replay::Skipped, _) | (Replay::Same, false) | (Replay::Differs(_), true) => {}
        (Replay::Differs(difference), false) => panic!("not as on the real server\n{difference}"),
        (Replay::Same, true) => {
            panic!("the real server answers the same: the first line with `!` is wrong")
        }
    }
}

#[track_caller]
fn run(dispatcher: &mut Dispatcher, transcript: &str) -> Vec<Answered> {
    let mut answered: Vec<Answered> = Vec::new();
    for line in lines(transcript) {
        match line.split_at(1) {
            (">", call) => answered.push(Answered {
                call: call.trim().to_owned(),
                reply: dispatcher.call(call.trim()),
                is_told: false,
                is_marked: false,
            }),
            ("<", expected) => {
                let last = answered.last_mut().filter(|last| !last.is_told);
                let last = last.expect("a reply follows a call");
                let (call, got) = (&last.call, render(&last.reply));
                let expected = expected.trim();
                assert!(
                    expected.is_empty() || got == expected,
                    "> {call}\n  expected {expected}\n  got      {got}"
                );
                last.is_told = !expected.is_empty();
            }
            ("@", ms) => {
                dispatcher.advance_ms(ms.trim().parse().expect("`@` is followed by milliseconds"))
            }
            ("!", reason) => {
                assert!(!reason.trim().is_empty(), "`!` is followed by a reason");
                if let Some(last) = answered.last_mut() {
                    last.is_marked = true;
                }
            }
            _ => panic!("`{line}` begins with none of > < @ !"),
        }
    }
    answered
}

/// The lines of a transcript that are not empty.
fn lines(transcript: &str) -> impl Iterator<Item = &str> {
    transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

fn is_mark(line: &str) -> bool {
    line.starts_with('!')
}
