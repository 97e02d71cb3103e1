//! Connections that see every call (MONITOR).
//!
//! **Invariant**: a connection joins while every shard is held and the world says that there are monitors from then on, so
//! that each call that takes locks afterwards is shown. The line of a call is written while its shards are held: what
//! happened to a key is shown in the order in which it happened.

use crate::clients::{Client, flag};
use bytes::Bytes;
use commands::Now;
use parking_lot::Mutex;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The connections that monitor.
#[derive(Debug, Default)]
pub struct Monitors {
    clients: Mutex<Vec<Arc<Client>>>,
    /// Bytes that may wait for one of them; 0 for no limit.
    waiting_max: AtomicUsize,
}

/// Where a call came from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// From a client.
    Client(&'a Client),
    /// From a script.
    Script,
}

impl Monitors {
    /// Enters a connection. Every shard must be held.
    pub fn join(&self, client: &Arc<Client>) {
        client.set_flag(flag::MONITOR, true);
        self.clients.lock().push(Arc::clone(client));
    }

    /// Takes a connection out.
    pub fn leave(&self, client: &Client) {
        if client.has_flag(flag::MONITOR) {
            client.set_flag(flag::MONITOR, false);
            self.clients.lock().retain(|other| other.id != client.id);
        }
    }

    /// Whether nobody monitors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.lock().is_empty()
    }

    /// Sets how many bytes may wait for a monitor (`client-output-buffer-limit normal`); 0 for no limit.
    pub fn limit_waiting(&self, bytes: usize) {
        self.waiting_max.store(bytes, Relaxed);
    }

    /// Shows a call to all monitors.
    pub(crate) fn show<'w>(
        &self,
        now: Now,
        db: u16,
        origin: Origin<'_>,
        words: impl Iterator<Item = &'w [u8]>,
    ) {
        let line = Bytes::from(line(now, db, origin, words));
        let limit = self.waiting_max.load(Relaxed);
        let clients = self.clients.lock();
        clients
            .iter()
            .for_each(|client| client.inbox.push(line.clone(), limit));
    }
}

/// The line of a call: the same in RESP2 and RESP3 (replicationFeedMonitors, Redis 7.2).
fn line<'w>(
    now: Now,
    db: u16,
    origin: Origin<'_>,
    words: impl Iterator<Item = &'w [u8]>,
) -> Vec<u8> {
    let mut line = Vec::new();
    let (s, us) = (
        now.unix_us.div_euclid(1_000_000),
        now.unix_us.rem_euclid(1_000_000),
    );
    // Writing to a vector cannot fail.
    let _ = write!(line, "+{s}.{us:06} [{db} ");
    let _ = match origin {
        Origin::Script => write!(line, "lua]"),
        Origin::Client(client) if client.peer.unix => {
            let path = client.peer.addr.strip_suffix(":0");
            write!(line, "unix:{}]", path.unwrap_or(&client.peer.addr))
        }
        Origin::Client(client) => write!(line, "{}]", client.peer.addr),
    };
    for word in words {
        line.extend_from_slice(b" \"");
        word.iter().for_each(|byte| push_escaped(&mut line, *byte));
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// A byte as Redis prints it between quotes (sdscatrepr, Redis 7.2).
fn push_escaped(line: &mut Vec<u8>, byte: u8) {
    let short: &[u8] = match byte {
        b'\\' => b"\\\\",
        b'"' => b"\\\"",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        b'\t' => b"\\t",
        7 => b"\\a",
        8 => b"\\b",
        b' '..=b'~' => return line.push(byte),
        _ => {
            let _ = write!(line, "\\x{byte:02x}");
            return;
        }
    };
    line.extend_from_slice(short);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Peer;

    #[test]
    fn lines_name_where_a_call_came_from() {
        let now = Now {
            unix_us: 1_700_000_000_000_042,
            monotonic_ns: 0,
        };
        let peer = |addr: &str, unix| Peer {
            addr: addr.to_owned(),
            unix,
            ..Peer::default()
        };
        let tcp = Client::new(1, peer("127.0.0.1:5000", false), 0);
        let unix = Client::new(2, peer("/run/socket:0", true), 0);
        let shown = |db, origin, words: &[&[u8]]| {
            let line = line(now, db, origin, words.iter().copied());
            String::from_utf8(line).expect("what is not printable is escaped")
        };
        assert_eq!(
            shown(9, Origin::Client(&tcp), &[b"set", b"a\"\\\n\x07\xff", b""]),
            "+1700000000.000042 [9 127.0.0.1:5000] \"set\" \"a\\\"\\\\\\n\\a\\xff\" \"\"\r\n"
        );
        assert_eq!(
            shown(0, Origin::Client(&unix), &[b"ping"]),
            "+1700000000.000042 [0 unix:/run/socket] \"ping\"\r\n"
        );
        assert_eq!(
            shown(0, Origin::Script, &[b"ping"]),
            "+1700000000.000042 [0 lua] \"ping\"\r\n"
        );
    }
}
