//! Transcripts over a socket: calls, and the replies that they must get.
//!
//! ```text
//! > SET k v          a call, its words as an inline command's
//! < +OK              its reply, as `testkit::render` writes it
//! > CLIENT ID
//! ~ :*               its reply matches this pattern
//! < >["message"]     without a call before it: a message that comes by itself
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use resp::{ReplyParser, Value};
use testkit::render;

use crate::server::TestServer;

/// A client of a server, ours or another.
pub(crate) struct Caller {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Caller {
    /// A plaintext client of `server`.
    pub(crate) fn of(server: &TestServer) -> Self {
        Self::connect(server.address(cuirass::Kind::Tcp)).expect("the server listens")
    }

    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a call.
    pub(crate) fn send(&mut self, words: &[impl AsRef<[u8]>]) {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.stream.write_all(&request).expect("the server reads");
    }

    /// Sends calls at once, and receives a reply for each.
    pub(crate) fn pipeline(&mut self, calls: &[Vec<impl AsRef<[u8]>>]) -> Vec<Value> {
        let mut request = Vec::new();
        for words in calls {
            write_request(&mut request, words);
        }
        self.stream.write_all(&request).expect("the server reads");
        let replies = calls.iter().map(|_| self.receive());
        replies
            .map(|reply| reply.expect("a call gets a reply"))
            .collect()
    }

    /// The next reply; `None` when the server closed the connection.
    pub(crate) fn receive(&mut self) -> Option<Value> {
        loop {
            let parsed = ReplyParser::default().parse(&self.received);
            if let Some((value, length)) = parsed.expect("replies are well-formed") {
                self.received.drain(..length);
                return Some(value);
            }
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no reply: {error}"),
            }
        }
    }

    /// Calls a command, its words as an inline command's.
    pub(crate) fn call(&mut self, line: &str) -> Value {
        let words = resp::split_words(line.as_bytes()).expect("a transcript's words are balanced");
        self.send(&words);
        self.receive().expect("a call gets a reply")
    }

    /// The text of a reply that is a text.
    #[track_caller]
    pub(crate) fn text(&mut self, line: &str) -> String {
        match self.call(line) {
            Value::Bulk(text) | Value::Verbatim { text, .. } | Value::Simple(text) => {
                String::from_utf8_lossy(&text).into_owned()
            }
            other => panic!("{line}: {}", render(&other)),
        }
    }

    /// Runs a transcript.
    #[track_caller]
    pub(crate) fn check(&mut self, transcript: &str) {
        let mut last: Option<(&str, String)> = None;
        let lines = transcript.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            let (kind, rest) = line.split_at(1);
            let rest = rest.trim();
            if kind == ">" {
                last = Some((rest, render(&self.call(rest))));
                continue;
            }
            let (call, reply) = last.take().unwrap_or_else(|| {
                let message = self.receive().expect("a message comes");
                ("", render(&message))
            });
            let is_right = match kind {
                "<" => reply == rest,
                "~" => store::glob::matches(rest.as_bytes(), reply.as_bytes()),
                _ => panic!("`{line}` begins with none of > < ~"),
            };
            assert!(is_right, "> {call}\n  expected {rest}\n  got      {reply}");
        }
    }
}

fn write_request(request: &mut Vec<u8>, words: &[impl AsRef<[u8]>]) {
    request.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
}
