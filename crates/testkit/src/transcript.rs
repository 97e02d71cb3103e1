//! Transcripts: calls and the replies that they must get.
//!
//! ```text
//! > SET k v          a call, its words as an inline command's
//! < +OK              its reply, as `render` writes it; `<` alone accepts any reply
//! > HINCRBY h f x
//! < -ERR value is not an integer or out of range
//! @ 1500             moves the clock on by so many milliseconds
//! ```

use crate::dispatcher::Dispatcher;
use crate::render::render;
use resp::Proto;

/// Runs a transcript in RESP2 on a fresh dispatcher.
#[track_caller]
pub fn check(transcript: &str) {
    check_with(&mut Dispatcher::default(), transcript);
}

/// Runs a transcript in RESP3 on a fresh dispatcher.
#[track_caller]
pub fn check_resp3(transcript: &str) {
    let mut dispatcher = Dispatcher::default();
    dispatcher.speak(Proto::Resp3);
    check_with(&mut dispatcher, transcript);
}

/// Runs a transcript on a dispatcher that lives on.
///
/// # Panics
/// When a reply is not the expected one.
#[track_caller]
pub fn check_with(dispatcher: &mut Dispatcher, transcript: &str) {
    let mut last: Option<(String, String)> = None;
    for line in transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match line.split_at(1) {
            (">", call) => {
                last = Some((
                    call.trim().to_owned(),
                    render(&dispatcher.call(call.trim())),
                ))
            }
            ("<", expected) => {
                let (call, reply) = last.take().expect("a reply follows a call");
                let expected = expected.trim();
                assert!(
                    expected.is_empty() || reply == expected,
                    "> {call}\n  expected {expected}\n  got      {reply}"
                );
            }
            ("@", ms) => {
                dispatcher.advance_ms(ms.trim().parse().expect("`@` is followed by milliseconds"))
            }
            _ => panic!("`{line}` begins neither with > nor < nor @"),
        }
    }
}
