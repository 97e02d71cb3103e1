//! Client-side caching over sockets: every mode, the order of invalidations and replies, and that nothing is left behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use engine::TrackingCounts;
use resp::Value;

use crate::server::{TestServer, wait_until};
use crate::transcript::Caller;

/// A client that speaks RESP3.
fn third(server: &TestServer) -> Caller {
    let mut caller = Caller::of(server);
    caller.check("> HELLO 3\n ~ {*");
    caller
}

/// A RESP2 client that listens to invalidations, and its id.
fn listener(server: &TestServer) -> (Caller, String) {
    let mut caller = Caller::of(server);
    let Value::Integer(id) = caller.call("CLIENT ID") else {
        panic!("an id is an integer");
    };
    caller.check(
        r#"
        > SUBSCRIBE __redis__:invalidate
        < ["subscribe", "__redis__:invalidate", :1]
        "#,
    );
    (caller, id.to_string())
}

#[test]
fn keys_that_were_read_are_invalidated_once() {
    let server = TestServer::plain("");
    let (mut caller, mut other) = (third(&server), Caller::of(&server));
    caller.check(
        r#"
        > CLIENT TRACKING ON
        < +OK
        > MGET a b
        < [_, _]
        > SET c 1
        < +OK
        "#,
    );
    other.check("> SET a 1\n < +OK\n > SET a 2\n < +OK\n > SET c 2\n < +OK\n > DEL b\n < :0");
    caller.check(
        r#"
        < >["invalidate", ["a"]]
        > SET b 1
        < +OK
        < >["invalidate", ["b"]]
        > CLIENT TRACKING OFF
        < +OK
        > GET a
        < "2"
        "#,
    );
    other.check("> SET a 3\n < +OK");
    caller.check("> PING\n < +PONG");
}

#[test]
fn the_reply_of_a_transaction_comes_before_what_it_invalidates() {
    let server = TestServer::plain("");
    let mut caller = third(&server);
    caller.check(
        r#"
        > CLIENT TRACKING ON
        < +OK
        > MULTI
        < +OK
        > GET a
        < +QUEUED
        > SET a 1
        < +QUEUED
        > GET a
        < +QUEUED
        > EXEC
        < [_, +OK, "1"]
        < >["invalidate", ["a"]]
        > FLUSHDB
        < +OK
        < >["invalidate", _]
        > SET a 2
        < +OK
        > PING
        < +PONG
        "#,
    );
}

#[test]
fn opt_in_and_opt_out_follow_the_next_call() {
    let server = TestServer::plain("");
    let (mut caller, mut other) = (third(&server), Caller::of(&server));
    caller.check(
        r#"
        > CLIENT TRACKING ON OPTIN
        < +OK
        > GET unasked
        < _
        > CLIENT CACHING YES
        < +OK
        > CLIENT ID
        ~ :*
        > CLIENT TRACKINGINFO
        < {"flags": ~["on", "optin", "caching-yes"], "redirect": :0, "prefixes": []}
        > GET asked
        < _
        > GET late
        < _
        > CLIENT CACHING YES
        < +OK
        > MULTI
        < +OK
        > GET first
        < +QUEUED
        > GET second
        < +QUEUED
        > EXEC
        < [_, _]
        > GET third
        < _
        "#,
    );
    other.check("> MSET unasked 1 asked 1 late 1 first 1 second 1 third 1\n < +OK");
    caller.check(
        r#"
        < >["invalidate", ["asked"]]
        < >["invalidate", ["first"]]
        < >["invalidate", ["second"]]
        > CLIENT CACHING NO
        < -ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
        > CLIENT TRACKING ON OPTOUT
        ~ -ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client*
        > CLIENT TRACKING OFF
        < +OK
        > CLIENT TRACKING ON OPTOUT NOLOOP
        < +OK
        > CLIENT CACHING NO
        < +OK
        > GET unasked
        < "1"
        > MGET asked late
        < ["1", "1"]
        > SET late 2
        < +OK
        "#,
    );
    other.check("> MSET unasked 2 asked 2 late 3\n < +OK");
    caller.check("< >[\"invalidate\", [\"asked\"]]\n > PING\n < +PONG");
}

#[test]
fn broadcasts_name_the_changed_keys_of_each_prefix() {
    let server = TestServer::plain("");
    let (mut caller, mut other) = (third(&server), Caller::of(&server));
    caller.check(
        r#"
        > CLIENT TRACKING ON BCAST PREFIX user: PREFIX item: NOLOOP
        < +OK
        > SET user:own 1
        < +OK
        > CLIENT TRACKINGINFO
        < {"flags": ~["on", "bcast", "noloop"], "redirect": :0, "prefixes": ["item:", "user:"]}
        "#,
    );
    other.check("> MSET user:2 a user:1 b item:1 c else d\n < +OK");
    caller.check(
        r#"
        < >["invalidate", ["item:1"]]
        < >["invalidate", ["user:1", "user:2"]]
        > CLIENT TRACKING ON BCAST PREFIX us
        < -ERR Prefix 'us' overlaps with an existing prefix 'user:'. Prefixes for a single client must not overlap.
        > CLIENT TRACKING ON BCAST PREFIX abc PREFIX x PREFIX ab
        < -ERR Prefix 'abc' overlaps with another provided prefix 'ab'. Prefixes for a single client must not overlap.
        > CLIENT TRACKING ON
        ~ -ERR You can't switch BCAST mode on/off before disabling tracking for this client*
        > SET item:x 1 PX 1
        < +OK
        < >["invalidate", ["item:x"]]
        "#,
    );
    let counts = server.engine().pubsub.tracking_counts();
    assert_eq!((counts.clients, counts.keys, counts.prefixes), (1, 0, 2));
}

#[test]
fn another_connection_may_be_told() {
    let server = TestServer::plain("");
    let (mut caller, mut other) = (third(&server), Caller::of(&server));
    let (mut listener, id) = listener(&server);
    caller.check(&format!(
        r#"
        > CLIENT TRACKING ON REDIRECT {id}
        < +OK
        > CLIENT GETREDIR
        < :{id}
        > CLIENT LIST ID {id}
        ~ *flags=P *redir=-1 *
        > CLIENT INFO
        ~ *flags=t *redir={id} *
        > GET a
        < _
        > GET b
        < _
        "#
    ));
    other.check("> SET a 1\n < +OK");
    listener.check("< [\"message\", \"__redis__:invalidate\", [\"a\"]]");
    other.check("> FLUSHALL\n < +OK");
    listener.check("< [\"message\", \"__redis__:invalidate\", nil]");
    caller.check("> GET b\n < _");
    listener.check("> QUIT\n < +OK");
    other.check("> SET b 1\n < +OK");
    caller.check(&format!(
        r#"
        < >["tracking-redir-broken", :{id}]
        > CLIENT TRACKINGINFO
        < {{"flags": ~["on", "broken_redirect"], "redirect": :{id}, "prefixes": []}}
        > CLIENT INFO
        ~ *flags=tR *redir={id} *
        "#
    ));
}

#[test]
fn wrong_options_are_refused_in_the_words_of_redis() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        r#"
        > CLIENT CACHING YES
        < -ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
        > CLIENT TRACKING
        < -ERR wrong number of arguments for 'client|tracking' command
        > CLIENT TRACKING MAYBE
        < -ERR syntax error
        > CLIENT TRACKING ON PREFIX
        < -ERR syntax error
        > CLIENT TRACKING ON REDIRECT x
        < -ERR value is not an integer or out of range
        > CLIENT TRACKING ON REDIRECT 12345
        < -ERR The client ID you want redirect to does not exist
        > CLIENT TRACKING ON PREFIX a
        < -ERR PREFIX option requires BCAST mode to be enabled
        > CLIENT TRACKING ON BCAST OPTIN
        < -ERR OPTIN and OPTOUT are not compatible with BCAST
        > CLIENT TRACKING ON OPTIN OPTOUT
        < -ERR You can't specify both OPTIN mode and OPTOUT mode
        > CLIENT GETREDIR
        < :-1
        > CLIENT TRACKING ON
        < +OK
        > CLIENT CACHING MAYBE
        < -ERR syntax error
        > CLIENT CACHING YES
        < -ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
        > CLIENT GETREDIR
        < :0
        "#,
    );
}

#[test]
fn expired_keys_are_invalidated() {
    let server = TestServer::plain("");
    let mut caller = third(&server);
    caller.check(
        r#"
        > CLIENT TRACKING ON
        < +OK
        > SET k v PX 200
        < +OK
        > GET k
        < "v"
        < >["invalidate", ["k"]]
        > EXISTS k
        < :0
        "#,
    );
}

#[test]
fn the_table_keeps_to_its_limit() {
    let server = TestServer::plain("tracking-table-max-keys 10");
    let mut caller = third(&server);
    caller.check("> CLIENT TRACKING ON\n < +OK");
    for number in 0..15 {
        caller.send(&["GET", &format!("k{number}")]);
    }
    let replies: Vec<Value> = (0..20).filter_map(|_| caller.receive()).collect();
    let nulls = replies.iter().filter(|reply| **reply == Value::Null);
    assert_eq!(nulls.count(), 15, "{replies:?}");
    assert_eq!(server.engine().pubsub.tracking_counts().keys, 10);
    let mut other = Caller::of(&server);
    other.check("> CONFIG SET tracking-table-max-keys 3\n < +OK");
    assert!((0..7).all(|_| matches!(caller.receive(), Some(Value::Push(_)))));
    let info = other.text("INFO");
    for field in [
        "tracking_clients:1\r\n",
        "tracking_total_keys:3\r\n",
        "tracking_total_items:3\r\n",
        "tracking_total_prefixes:0\r\n",
    ] {
        assert!(info.contains(field), "{field} in {info}");
    }
}

#[test]
fn a_waiting_call_gets_its_reply_before_what_it_invalidates() {
    let server = TestServer::plain("");
    let (mut caller, mut other) = (third(&server), Caller::of(&server));
    other.check("> RPUSH target{t} a\n < :1");
    caller.check("> CLIENT TRACKING ON\n < +OK\n > LRANGE target{t} 0 -1\n < [\"a\"]");
    caller.send(&["BLMOVE", "source{t}", "target{t}", "LEFT", "LEFT", "0"]);
    wait_until("it waits", || {
        server.engine().clients.blocked.load(SeqCst) == 1
    });
    other.check("> RPUSH source{t} b\n < :1");
    caller.check("< \"b\"\n < >[\"invalidate\", [\"target{t}\"]]");
}

#[test]
fn nothing_is_left_of_clients_that_have_gone() {
    let server = TestServer::plain("io-threads 2\nworker-placement spread");
    let engine = Arc::clone(server.engine());
    let mut callers: Vec<Caller> = (0..5).map(|_| third(&server)).collect();
    for (number, caller) in callers.iter_mut().enumerate() {
        let mode = if number == 0 { " BCAST PREFIX p" } else { "" };
        caller.check(&format!("> CLIENT TRACKING ON{mode}\n < +OK"));
        for key in 0..2500 {
            caller.send(&["GET", &format!("k{key}")]);
        }
        assert!((0..2500).all(|_| caller.receive() == Some(Value::Null)));
    }
    let counts = TrackingCounts {
        clients: 5,
        keys: 2500,
        items: 10_000,
        prefixes: 1,
    };
    assert_eq!(engine.pubsub.tracking_counts(), counts);
    callers[1].check("> RESET\n < +RESET\n > CLIENT GETREDIR\n < :-1");
    callers[2].check("> CLIENT TRACKING OFF\n < +OK");
    assert_eq!(engine.pubsub.tracking_counts().clients, 3);
    drop(callers);
    wait_until("no record is left", || {
        engine.pubsub.tracking_counts() == TrackingCounts::default()
    });
    wait_until("nothing is recorded any more", || {
        !engine.world().audience.changes
    });
}

/// What a caching client knows, and what it got wrong.
struct Cache {
    caller: Caller,
    values: HashMap<String, u64>,
}

impl Cache {
    /// Takes what comes until the reply of a call.
    fn reply(&mut self) -> Value {
        loop {
            match self.caller.receive().expect("the connection stays") {
                Value::Push(words) => {
                    let Some(Value::Array(keys)) = words.get(1) else {
                        panic!("an invalidation names keys: {words:?}");
                    };
                    for key in keys {
                        let key = String::from_utf8_lossy(key.as_bytes().unwrap()).into_owned();
                        self.values.remove(&key);
                    }
                }
                reply => return reply,
            }
        }
    }

    fn read(&mut self, keys: &[String]) {
        keys.iter().for_each(|key| self.caller.send(&["GET", key]));
        for key in keys {
            let reply = self.reply();
            if let Some(value) = reply.as_bytes() {
                let value = std::str::from_utf8(value).unwrap().parse().unwrap();
                self.values.insert(key.clone(), value);
            }
        }
    }
}

/// Clients write ascending numbers; others keep what they read until it is invalidated. Whatever was acknowledged before a
/// round trip to the server is in force after it: no older number may be in the cache then.
fn no_stale_value_is_served(mode: &str) {
    const KEYS: usize = 6;
    let server = TestServer::plain("io-threads 4\nworker-placement spread");
    let acknowledged: Arc<[AtomicU64; KEYS]> = Arc::default();
    let done = Arc::<AtomicBool>::default();
    let name = |key: usize| format!("key:{key}");
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (acknowledged, mut caller) = (Arc::clone(&acknowledged), Caller::of(&server));
            thread::spawn(move || {
                for value in 1..=400_u64 {
                    for key in (0..KEYS).filter(|key| key % 2 == writer) {
                        caller.send(&["SET", &name(key), &value.to_string()]);
                        caller.receive().expect("a write is acknowledged");
                        acknowledged[key].store(value, SeqCst);
                    }
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (acknowledged, done) = (Arc::clone(&acknowledged), Arc::clone(&done));
            let mut cache = Cache {
                caller: third(&server),
                values: HashMap::new(),
            };
            cache
                .caller
                .check(&format!("> CLIENT TRACKING ON{mode}\n < +OK"));
            thread::spawn(move || {
                let keys: Vec<String> = (0..KEYS).map(name).collect();
                while !done.load(SeqCst) {
                    let missing: Vec<String> = keys
                        .iter()
                        .filter(|key| !cache.values.contains_key(*key))
                        .cloned()
                        .collect();
                    cache.read(&missing);
                    let least: Vec<u64> = acknowledged
                        .iter()
                        .map(|value| value.load(SeqCst))
                        .collect();
                    cache.caller.send(&["PING"]);
                    cache.reply();
                    for (key, least) in keys.iter().zip(least) {
                        let cached = cache.values.get(key);
                        assert!(
                            cached.is_none_or(|value| *value >= least),
                            "{key} is {cached:?} in the cache, but {least} was acknowledged"
                        );
                    }
                }
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    done.store(true, SeqCst);
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    let engine = Arc::clone(server.engine());
    wait_until("no record is left", || {
        engine.pubsub.tracking_counts() == TrackingCounts::default()
    });
}

#[test]
fn no_stale_value_is_served_by_who_tracks_reads() {
    no_stale_value_is_served("");
}

#[test]
fn no_stale_value_is_served_by_who_tracks_prefixes() {
    no_stale_value_is_served(" BCAST PREFIX key:");
}
