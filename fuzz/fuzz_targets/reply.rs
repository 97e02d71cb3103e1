//! Replies: arbitrary bytes in arbitrary pieces never panic and give the same values however they are split; a value that was
//! found is written back as it stood on the wire.

#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Output, ReplyError, ReplyParser, Value};

fuzz_target!(|data: &[u8]| {
    // The first byte says how many bytes of cuts follow.
    let [cuts, rest @ ..] = data else { return };
    let (cuts, input) = rest.split_at(usize::from(*cuts % 16).min(rest.len()));

    let whole = feed(input, std::iter::once(input.len()));
    let mut end = 0;
    let pieces = cuts.iter().map(|cut| {
        end = (end + usize::from(*cut)).min(input.len());
        end
    });
    let pieces: Vec<usize> = pieces.chain([input.len()]).collect();
    assert_eq!(feed(input, pieces.into_iter()), whole);
    if input.len() < 4096 {
        assert_eq!(feed(input, 1..=input.len()), whole);
    }
});

/// Feeds `input` in pieces that end at `ends`.
fn feed(input: &[u8], ends: impl Iterator<Item = usize>) -> (Vec<Value>, Option<ReplyError>) {
    let mut parser = ReplyParser::default();
    let (mut values, mut start) = (Vec::new(), 0);
    for end in ends {
        loop {
            match parser.parse(&input[start..end]) {
                Ok(Some((value, len))) => {
                    let mut out = Output::default();
                    value.encode(&mut out);
                    assert!(out.chunks().flatten().eq(&input[start..start + len]));
                    values.push(value);
                    start += len;
                }
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}
