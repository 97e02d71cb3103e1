//! Requests: arbitrary bytes in arbitrary pieces never panic, give the same requests and the same error however they are split, and
//! take memory in proportion to what was sent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Limits, Parse, Parser, ProtocolError, Trust};

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fuzz_target!(|data: &[u8]| {
    // The first byte says whose bytes these are, the second how many bytes of cuts follow.
    let [trust, cuts, rest @ ..] = data else {
        return;
    };
    let trust =
        [Trust::Unauthenticated, Trust::Authenticated, Trust::Primary][usize::from(*trust) % 3];
    let limits = Limits {
        bulk_max: 1024 * 1024,
        trust,
    };
    let (cuts, input) = rest.split_at(usize::from(*cuts % 16).min(rest.len()));

    let whole = feed(input, std::iter::once(input.len()), &limits);
    let mut end = 0;
    let pieces = cuts.iter().map(|cut| {
        end = (end + usize::from(*cut)).min(input.len());
        end
    });
    let pieces: Vec<usize> = pieces.chain([input.len()]).collect();
    assert_eq!(feed(input, pieces.into_iter(), &limits), whole);
    if input.len() < 4096 {
        assert_eq!(feed(input, 1..=input.len(), &limits), whole);
    }
});

/// Feeds `input` in pieces that end at `ends`.
fn feed(input: &[u8], ends: impl Iterator<Item = usize>, limits: &Limits) -> Outcome {
    let mut parser = Parser::default();
    let (mut requests, mut start) = (Vec::new(), 0);
    for end in ends {
        loop {
            let buf = &input[start..end];
            let parsed = parser.parse(buf, limits);
            assert!(parser.heap_size() <= 32 * 1024 + 32 * input.len());
            match parsed {
                Ok(Parse::Frame(len)) => {
                    let request = parser.request(buf);
                    assert!(request.len() > 0 && len > 0 && len <= buf.len());
                    requests.push(request.iter().map(<[u8]>::to_vec).collect());
                    start += len;
                }
                Ok(Parse::Skip(len)) => {
                    assert!(len > 0 && len <= buf.len());
                    start += len;
                }
                Ok(Parse::Incomplete { needed }) => {
                    assert!(needed > 0);
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}
