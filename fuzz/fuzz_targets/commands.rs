//! Command streams: whatever clients call, in whatever order, every call ends with one well-formed reply, or with the messages
//! that its kind of command sends, and takes memory in proportion to its words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use testkit::Dispatcher;

/// Words that commands know, and values at the edges of what they take.
const WORDS: &[&str] = &[
    "a", "b", "c", "d", "e", "f", "a", "b", "c", "d", "0", "1", "-1", "2", "3", "10", "100", "-100", "1.5", "-inf", "+inf", "nan",
    "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e300", "(1", "[a", "-", "+", "*", "?", "", "x", "EX", "PX",
    "EXAT", "NX", "XX", "GT", "LT", "CH", "INCR", "GET", "KEEPTTL", "WITHSCORES", "WITHVALUES", "LIMIT", "COUNT", "MATCH", "TYPE", "BYSCORE",
    "BYLEX", "REV", "WEIGHTS", "AGGREGATE", "MIN", "MAX", "SUM", "STORE", "BY", "ASC", "DESC", "ALPHA", "LEFT", "RIGHT", "BEFORE", "AFTER",
    "REPLACE", "DB", "RANK", "MAXLEN", "MINID", "~", "=", "BIT", "BYTE", "AND", "OR", "XOR", "NOT", "LEN", "IDX", "STREAMS", "BLOCK", "GROUP",
    "CREATE", "MKSTREAM", "$", ">", "1-1", "0-0", "u8", "i64", "SET", "OVERFLOW", "SAT", "FAIL", "WRAP", "string", "hash", "PERSIST", "m", "n",
];

fuzz_target!(|data: &[u8]| {
    let mut server = Dispatcher::default();
    server.limit_strings(1 << 20);
    let mut bytes = data.iter().copied();
    let commands = server.engine().registry.rows().len();
    let mut session = 0;
    while let Some(first) = bytes.next() {
        let row = (usize::from(first) + usize::from(bytes.next().unwrap_or(0)) * 256) % commands;
        let mut words: Vec<Vec<u8>> = {
            let name = &server.engine().registry.rows()[row].name;
            name.split('|').map(|word| word.as_bytes().to_vec()).collect()
        };
        for _ in 0..bytes.next().unwrap_or(0) % 9 {
            let Some(word) = bytes.next() else { break };
            words.push(match WORDS.get(usize::from(word)) {
                Some(known) => known.as_bytes().to_vec(),
                None => bytes.by_ref().take(usize::from(word % 16)).collect(),
            });
        }
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        server.act(session, &argv);
        let _well_formed = server.received(session);
        if server.is_waiting(session) {
            session = server.connect();
        }
        if first == 0xFF {
            server.advance_ms(1000);
        }
    }
});
