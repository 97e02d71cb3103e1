//! Tests of the request parser: errors to the byte, and results that do not depend on how the bytes arrive.

use proptest::prelude::*;

use super::*;

const CLIENT: Limits = Limits {
    bulk_max: 512 * 1024 * 1024,
    trust: Trust::Authenticated,
};
const STRANGER: Limits = Limits {
    trust: Trust::Unauthenticated,
    ..CLIENT
};
const PRIMARY: Limits = Limits {
    trust: Trust::Primary,
    ..CLIENT
};

type Requests = Vec<Vec<Vec<u8>>>;

/// Feeds `input` in pieces that end at the positions `cuts`: the requests found, and the error that ended them.
fn feed(input: &[u8], cuts: &[usize], limits: &Limits) -> (Requests, Option<ProtocolError>) {
    let mut parser = Parser::default();
    let (mut requests, mut start) = (Vec::new(), 0);
    for &end in cuts.iter().chain([&input.len()]) {
        loop {
            let buf = &input[start..end.max(start)];
            match parser.parse(buf, limits) {
                Ok(Parse::Frame(len)) => {
                    let request = parser.request(buf);
                    assert_eq!(request.len(), request.iter().len());
                    assert_eq!(request.get(request.len()), None);
                    requests.push(request.iter().map(<[u8]>::to_vec).collect());
                    start += len;
                }
                Ok(Parse::Skip(len)) => start += len,
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

#[track_caller]
fn refused(input: &[u8], limits: &Limits, message: &str) {
    for step in [1, 7, 16_384, usize::MAX] {
        let cuts: Vec<usize> = (1..input.len()).step_by(step).collect();
        let (requests, error) = feed(input, &cuts, limits);
        assert_eq!(requests, Requests::new());
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some(message),
            "{}",
            input[..input.len().min(40)].escape_ascii()
        );
    }
}

#[track_caller]
fn found(input: &[u8], expected: &[&[&str]]) {
    let expected: Requests = expected
        .iter()
        .map(|request| request.iter().map(|arg| arg.as_bytes().to_vec()).collect())
        .collect();
    let every: Vec<usize> = (0..input.len()).collect();
    for cuts in [&every[..], &[]] {
        assert_eq!(
            feed(input, cuts, &CLIENT),
            (expected.clone(), None),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn requests_of_both_forms_are_found() {
    found(b"*1\r\n$4\r\nPING\r\n", &[&["PING"]]);
    found(
        b"PING\r\nECHO x\n  SET 'a b' \"\\x41\"\r\n",
        &[&["PING"], &["ECHO", "x"], &["SET", "a b", "A"]],
    );
    found(
        b"*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING\r\n*1\r\n$1\r\nx\r\n",
        &[&["GET", ""], &["PING"], &["x"]],
    );
    found(b"*12\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$12\r\nabcdefghijkl\r\n", &[&["a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "abcdefghijkl"]]);
    found(b"", &[]);
}

#[test]
fn empty_requests_are_passed_over() {
    found(b"\r\n\n  \r\n*0\r\n*-1\r\n*-20\r\nPING\r\n", &[&["PING"]]);
}

#[test]
fn line_ends_are_taken_as_redis_takes_them() {
    // Redis looks neither at the byte after \r nor at the two bytes after an argument.
    found(b"*1\rX$4\rYPINGab", &[&["PING"]]);
    found(b"PING\rx y\r\r\n", &[&["PING", "x", "y"]]);
}

#[test]
fn errors_are_worded_as_redis_words_them() {
    for count in [
        "*x\r\n",
        "*\r\n",
        "*+1\r\n",
        "*01\r\n",
        "*-0\r\n",
        "*1 \r\n",
        "*2147483648\r\n",
        "*3000000000\r\n",
        "*99999999999999999999\r\n",
    ] {
        refused(
            count.as_bytes(),
            &CLIENT,
            "Protocol error: invalid multibulk length",
        );
    }
    for length in [
        "$x",
        "$",
        "$-1",
        "$-10",
        "$03",
        "$536870913",
        "$99999999999999999999",
    ] {
        refused(
            format!("*3\r\n{length}\r\n").as_bytes(),
            &CLIENT,
            "Protocol error: invalid bulk length",
        );
    }
    refused(
        b"*1\r\nfoo\r\n",
        &CLIENT,
        "Protocol error: expected '$', got 'f'",
    );
    refused(
        b"*3\r\n\r\n\r\n",
        &CLIENT,
        "Protocol error: expected '$', got ' '",
    );
    refused(
        b"\"unbalanced\r\n",
        &CLIENT,
        "Protocol error: unbalanced quotes in request",
    );
    refused(
        b"*11\r\n",
        &STRANGER,
        "Protocol error: unauthenticated multibulk length",
    );
    refused(
        b"*1\r\n$16385\r\n",
        &STRANGER,
        "Protocol error: unauthenticated bulk length",
    );
    assert_eq!(
        &*ProtocolError::ExpectedDollar(0xff).message(),
        b"Protocol error: expected '$', got '\xff'"
    );
}

#[test]
fn lines_are_limited_to_64_kb() {
    let long =
        |start: &str, end: &str| [start.as_bytes(), &[b'1'; LINE_MAX + 1], end.as_bytes()].concat();
    for end in ["", "\r\n"] {
        refused(
            &long("", end),
            &CLIENT,
            "Protocol error: too big inline request",
        );
        refused(
            &long("*", end),
            &CLIENT,
            "Protocol error: too big mbulk count string",
        );
        refused(
            &long("*1\r\n$", end),
            &CLIENT,
            "Protocol error: too big bulk count string",
        );
    }
    let line = [&[b'a'; LINE_MAX][..], b"\n"].concat();
    assert_eq!(
        feed(&line, &[LINE_MAX], &CLIENT),
        (vec![vec![vec![b'a'; LINE_MAX]]], None)
    );
}

#[test]
fn a_line_with_a_nul_never_ends() {
    for start in ["\0", "*\0", "*1\r\n$\0"] {
        let lines = [start.as_bytes(), &b"AAAA\r\n".repeat(20_000)].concat();
        let (requests, error) = feed(&lines, &[3, 100, 20_000], &CLIENT);
        assert!(requests.is_empty());
        assert!(
            error
                .unwrap()
                .to_string()
                .starts_with("Protocol error: too big ")
        );
    }
}

#[test]
fn limits_stop_where_redis_stops() {
    let ten = [&b"*10\r\n"[..], &b"$1\r\na\r\n".repeat(10)].concat();
    assert_eq!(feed(&ten, &[], &STRANGER).0[0].len(), 10);
    let big = [&b"*1\r\n$16384\r\n"[..], &[b'x'; 16_386]].concat();
    assert_eq!(feed(&big, &[], &STRANGER).0[0][0].len(), 16_384);
    let mut parser = Parser::default();
    let header = b"*1\r\n$536870913\r\n";
    assert_eq!(
        parser.parse(header, &PRIMARY),
        Ok(Parse::Incomplete {
            needed: 536_870_915
        })
    );
    // A length near the end of the address space waits; it does not overflow.
    let mut parser = Parser::default();
    assert!(matches!(
        parser.parse(b"*1\r\n$9223372036854775807\r\n", &PRIMARY),
        Ok(Parse::Incomplete { .. })
    ));
}

#[test]
fn a_partial_argument_tells_what_is_missing() {
    let mut parser = Parser::default();
    let input = b"*2\r\n$3\r\nGET\r\n$100\r\n0123456789";
    assert_eq!(
        parser.parse(b"", &CLIENT),
        Ok(Parse::Incomplete { needed: 1 })
    );
    assert!(!parser.is_mid_request());
    assert_eq!(
        parser.parse(&input[..5], &CLIENT),
        Ok(Parse::Incomplete { needed: 1 })
    );
    assert!(parser.is_mid_request());
    assert_eq!(
        parser.parse(input, &CLIENT),
        Ok(Parse::Incomplete { needed: 92 })
    );
}

#[test]
fn a_parser_is_small_and_gives_its_memory_back() {
    assert!(size_of::<Parser>() <= 64);
    let mut parser = Parser::default();
    let many = [&b"*100000\r\n"[..], &b"$1\r\na\r\n".repeat(100_000)].concat();
    assert_eq!(
        parser.parse(b"*2000000000\r\n", &CLIENT),
        Ok(Parse::Incomplete { needed: 1 })
    );
    assert!(parser.heap_size() <= ARGS_KEPT * size_of::<ArgRange>());
    let mut parser = Parser::default();
    assert_eq!(parser.parse(&many, &CLIENT), Ok(Parse::Frame(many.len())));
    assert_eq!(parser.ranges().unwrap().len(), 100_000);
    assert_eq!(
        parser.parse(b"set 'a b' c\n", &CLIENT),
        Ok(Parse::Frame(12))
    );
    assert_eq!(parser.ranges(), None);
    assert!(parser.heap_size() <= 2 * ARGS_KEPT * size_of::<ArgRange>());
    parser.release();
    assert_eq!(parser.heap_size(), 0);
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        bytes.extend(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

proptest! {
    #[test]
    fn any_split_of_a_pipeline_gives_the_same_requests(
        requests in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..14), 0..12),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(feed(&input, &cuts, &CLIENT), (requests, None));
    }

    #[test]
    fn splits_do_not_change_what_garbage_gives(
        input in prop::collection::vec(prop::sample::select(&b"*$12-0\r\n\r\n\"'\\ xa\0"[..]), 0..60),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(feed(&input, &cuts, &STRANGER), feed(&input, &[], &STRANGER));
    }
}
