//! What a client speaks, told from its first bytes, and what to answer one that speaks the wrong thing.

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TLS record with a ClientHello.
    Tls,
    /// A command in RESP or inline.
    PlainResp,
    /// An HTTP request.
    Http,
    /// Too few bytes to tell: ask again with more.
    Incomplete,
    /// None of these.
    Other,
}

/// Tells what a client speaks. Eight bytes or one line are always enough.
pub fn sniff(first_bytes: &[u8]) -> Kind {
    match first_bytes.first() {
        None => Kind::Incomplete,
        Some(&HANDSHAKE_RECORD) => sniff_hello(first_bytes),
        Some(b'*') => Kind::PlainResp,
        Some(b'\r' | b'\n' | b' ' | b'\t') => Kind::PlainResp,
        Some(first) if first.is_ascii_graphic() => sniff_text(first_bytes),
        Some(_) => Kind::Other,
    }
}

/// A fatal `handshake_failure`: for a ClientHello that arrives on a plaintext port.
pub const ALERT_HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// A fatal `protocol_version`, the other answer that clients explain well.
pub const ALERT_PROTOCOL_VERSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];

/// For RESP in plaintext on a TLS port.
pub const RESP_ON_TLS_PORT: &[u8] =
    b"-ERR this port speaks TLS; connect with TLS, as redis-cli --tls does\r\n";

/// For HTTP in plaintext on a TLS port.
pub const HTTP_ON_TLS_PORT: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 49\r\n\
    Connection: close\r\n\r\nThis is a Redis-compatible server that speaks TLS";

/// Type handshake, version 3.0 to 3.4, length, then message type client_hello.
fn sniff_hello(bytes: &[u8]) -> Kind {
    let plausible: [fn(u8) -> bool; 6] = [
        |b| b == HANDSHAKE_RECORD,
        |b| b == 3,
        |b| b <= 4,
        |b| b <= 0x48,
        |_| true,
        |b| b == CLIENT_HELLO,
    ];
    if !plausible.iter().zip(bytes).all(|(test, &byte)| test(byte)) {
        return Kind::Other;
    }
    if bytes.len() < plausible.len() {
        Kind::Incomplete
    } else {
        Kind::Tls
    }
}

/// An inline command, or an HTTP request line: `GET /`, where inline `GET` would have a key, and a key may begin
/// with a slash, so a whole line must say HTTP.
fn sniff_text(bytes: &[u8]) -> Kind {
    let line = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let whole = line.len() < bytes.len();
    if !whole
        && METHODS
            .iter()
            .any(|method| method.len() >= line.len() && method.starts_with(line))
    {
        return Kind::Incomplete;
    }
    let Some(target) = METHODS.iter().find_map(|method| line.strip_prefix(*method)) else {
        return Kind::PlainResp;
    };
    let says_http = line
        .trim_ascii_end()
        .windows(6)
        .any(|window| window == b" HTTP/");
    let is_target =
        target.starts_with(b"/") || target.starts_with(b"* ") || target.starts_with(b"http");
    if says_http || (!whole && is_target) {
        Kind::Http
    } else {
        Kind::PlainResp
    }
}

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;

const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
    b"PRI ",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_bytes_tell() {
        for (bytes, expected) in [
            (b"".as_slice(), Kind::Incomplete),
            (b"\x16", Kind::Incomplete),
            (b"\x16\x03\x01\x02\x00", Kind::Incomplete),
            (b"\x16\x03\x01\x02\x00\x01\x00", Kind::Tls),
            (b"\x16\x03\x01\x02\x00\x02\x00", Kind::Other),
            (b"\x16\x02", Kind::Other),
            (b"\x15\x03\x03\x00\x02", Kind::Other),
            (b"*1\r\n$4\r\nPING\r\n", Kind::PlainResp),
            (b"*", Kind::PlainResp),
            (b"PING\r\n", Kind::PlainResp),
            (b"\r\n", Kind::PlainResp),
            (b"GET key\r\n", Kind::PlainResp),
            (b"GET /key\r\n", Kind::PlainResp),
            (b"GE", Kind::Incomplete),
            (b"GET ", Kind::Incomplete),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", Kind::Http),
            (b"GET /inde", Kind::Http),
            (b"POST /a HTTP/1.0\n", Kind::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind::Http),
            (b"CONNECT a:443 HTTP/1.1\r\n", Kind::Http),
            (b"\x80\x2e\x01", Kind::Other),
            (b"\0", Kind::Other),
        ] {
            assert_eq!(sniff(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn answers_are_well_formed() {
        let text = std::str::from_utf8(HTTP_ON_TLS_PORT).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{} bytes",
            body.len()
        );
        assert!(RESP_ON_TLS_PORT.ends_with(b"\r\n"));
    }

    proptest! {
        /// More bytes never turn a firm answer into another one, save that a whole line may clear a key with a slash.
        #[test]
        fn any_bytes_are_told(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let whole = sniff(&bytes);
            for end in 0..bytes.len() {
                let part = sniff(&bytes[..end]);
                prop_assert!(part == whole || part == Kind::Incomplete || part == Kind::Http);
            }
        }
    }
}
