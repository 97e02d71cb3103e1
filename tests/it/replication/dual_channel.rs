//! Snapshots over connections of their own, between servers that both offer them, and with others.

use super::*;

/// Servers that offer it. The snapshot takes as long as [`let_go`] is not called.
const OFFERED: &str = "dual-channel-replication-enabled yes\nrdb-key-save-delay 20000\n";

/// The two connections of a replica that synchronises, by their client numbers.
struct Channels {
    main: String,
    snapshot: String,
}

fn stat(node: &dyn Node, field: &str) -> String {
    let stats = node.talk().line("INFO stats");
    let found = stats.split("\\r\\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then(|| value.to_owned())
    });
    found.unwrap_or_default()
}

/// A primary with so many keys that its snapshot takes long, and a replica that is taking it over.
fn synchronising(certificates: &Certificates, more: &str) -> (TestServer, TestServer, Channels) {
    let primary = ours(certificates, OFFERED);
    let replica = ours(certificates, &format!("{OFFERED}{more}"));
    assert_eq!(primary.talk().line("DEBUG POPULATE 2000"), "+OK");
    write_load(&primary, 21, 200, |_| {});
    let port = primary.port().to_string();
    let followed = replica.talk().say("REPLICAOF", &["127.0.0.1", &port]);
    assert_eq!(followed, "+OK");
    let kinds = || {
        let mut talk = primary.talk();
        [talk.info("slave0"), talk.info("slave1")].join(" ")
    };
    wait_until("both connections are there", || {
        kinds().contains("type=rdb-channel") && kinds().contains("state=bg_transfer")
    });
    assert!(kinds().contains("type=main-channel"));
    let listed = primary.talk().line("CLIENT LIST TYPE replica");
    let ids = listed.split("id=").skip(1);
    let mut ids: Vec<u64> = ids
        .filter_map(|rest| rest.split(' ').next()?.parse().ok())
        .collect();
    ids.sort_unstable();
    let [main, snapshot] = ids[..] else {
        panic!("two connections: {listed}");
    };
    let channels = Channels {
        main: main.to_string(),
        snapshot: snapshot.to_string(),
    };
    (primary, replica, channels)
}

impl Talk {
    fn raw_line(&mut self) -> String {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            let mut piece = [0; 4096];
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the server has closed the connection");
            self.input.extend_from_slice(&piece[..count]);
        }
    }
}

fn let_go(primary: &TestServer) {
    let set = primary.talk().line("CONFIG SET rdb-key-save-delay 0");
    assert_eq!(set, "+OK");
}

fn gathers(replica: &TestServer) {
    wait_until("the stream gathers", || {
        replica.talk().info("replicas_repl_buffer_size") != "0"
    });
}

#[test]
fn the_stream_gathers_on_the_replica_until_its_snapshot_is_loaded() {
    let certificates = Certificates::new();
    for load in ["disabled", "swapdb", "flush-before-load"] {
        let more = format!("repl-diskless-load {load}\n");
        let (primary, replica, _) = synchronising(&certificates, &more);
        write_load(&primary, 22, 400, |_| {});
        gathers(&replica);
        assert_eq!(primary.talk().info("replicas_waiting_psync"), "0");
        assert_ne!(replica.talk().info("master_link_status"), "up");
        let_go(&primary);
        write_load(&primary, 23, 400, |_| {});
        await_agreement(&[&primary, &replica]);
        assert_eq!(stat(&primary, "sync_full"), "1");
        assert_eq!(stat(&primary, "sync_partial_ok"), "1");
        assert_eq!(replica.talk().info("replicas_repl_buffer_size"), "0");
        assert_ne!(replica.talk().info("replicas_repl_buffer_peak"), "0");
        wait_until("the replica counts", || {
            let line = primary.talk().info("slave0");
            line.contains("state=online") && !line.contains("type=")
        });
        assert_eq!(primary.talk().info("connected_slaves"), "1");
    }
}

#[test]
fn a_broken_connection_of_the_stream_costs_no_other_snapshot() {
    let certificates = Certificates::new();
    let (primary, replica, channels) = synchronising(&certificates, "");
    write_load(&primary, 24, 200, |_| {});
    gathers(&replica);
    let killed = primary
        .talk()
        .say("CLIENT", &["KILL", "ID", &channels.main]);
    assert_eq!(killed, ":1");
    write_load(&primary, 25, 200, |_| {});
    let_go(&primary);
    await_agreement(&[&primary, &replica]);
    assert_eq!(stat(&primary, "sync_full"), "1");
    assert_eq!(stat(&primary, "sync_partial_ok"), "2");
    write_load(&primary, 26, 200, |_| {});
    await_agreement(&[&primary, &replica]);
}

#[test]
fn a_broken_connection_of_the_snapshot_begins_everything_anew() {
    let certificates = Certificates::new();
    let (primary, replica, channels) = synchronising(&certificates, "");
    write_load(&primary, 27, 200, |_| {});
    gathers(&replica);
    let killed = primary
        .talk()
        .say("CLIENT", &["KILL", "ID", &channels.snapshot]);
    assert_eq!(killed, ":1");
    write_load(&primary, 28, 200, |_| {});
    let_go(&primary);
    await_agreement(&[&primary, &replica]);
    assert_eq!(stat(&primary, "sync_full"), "2");
    assert_eq!(stat(&primary, "sync_partial_ok"), "2");
}

#[test]
fn what_gathers_is_bounded() {
    let certificates = Certificates::new();
    let more = "client-output-buffer-limit replica 100000 0 0\n";
    let (primary, replica, _) = synchronising(&certificates, more);
    let value = "x".repeat(10_000);
    let mut talk = primary.talk();
    for number in 0..300 {
        let key = format!("large:{number}");
        assert_eq!(talk.say("SET", &[&key, &value]), "+OK");
    }
    gathers(&replica);
    let_go(&primary);
    await_agreement(&[&primary, &replica]);
    let peak: u64 = replica
        .talk()
        .info("replicas_repl_buffer_peak")
        .parse()
        .unwrap();
    assert!(peak < 300_000, "{peak}");
    assert_eq!(stat(&primary, "sync_full"), "1");
}

#[test]
fn a_chain_synchronises_so_too() {
    let certificates = Certificates::new();
    let (primary, first, _) = synchronising(&certificates, "");
    let second = ours(&certificates, OFFERED);
    let_go(&primary);
    let_go(&first);
    await_agreement(&[&primary, &first]);
    write_load(&primary, 29, 200, |_| {});
    second.follow(&first);
    write_load(&primary, 30, 200, |_| {});
    await_agreement(&[&primary, &first, &second]);
    assert_eq!(stat(&first, "sync_partial_ok"), "1");
}

#[test]
fn who_does_not_offer_it_gets_the_snapshot_as_ever() {
    let certificates = Certificates::new();
    let offered = "dual-channel-replication-enabled yes\n";
    let from_file = format!("{offered}repl-diskless-sync no\n");
    for (of_primary, of_replica) in [("", offered), (offered, ""), (&from_file, offered)] {
        let primary = ours(&certificates, of_primary);
        let replica = ours(&certificates, of_replica);
        write_load(&primary, 31, 200, |_| {});
        replica.follow(&primary);
        write_load(&primary, 32, 200, |_| {});
        await_agreement(&[&primary, &replica]);
        assert_eq!(stat(&primary, "sync_full"), "1");
        assert_eq!(stat(&primary, "sync_partial_ok"), "0");
    }
    let Some(real) = Real::start(&certificates) else {
        return;
    };
    let ours = ours(&certificates, offered);
    write_load(&real, 33, 200, |_| {});
    ours.follow(&real);
    await_agreement(&[&real, &ours]);
    assert_eq!(ours.talk().line("REPLICAOF NO ONE"), "+OK");
    real.follow(&ours);
    write_load(&ours, 34, 200, |_| {});
    await_agreement(&[&real, &ours]);
}

#[test]
fn the_two_connections_say_what_valkey_says() {
    let certificates = Certificates::new();
    let primary = ours(&certificates, OFFERED);
    assert_eq!(primary.talk().line("SET key value"), "+OK");
    let mut main = primary.talk();
    assert_eq!(
        main.line("REPLCONF set-rdb-client-id 1000"),
        "-ERR Unrecognized RDB client id 1000"
    );
    let capable = main.line("REPLCONF capa eof capa psync2 capa dual-channel");
    assert_eq!(capable, "+OK");
    assert_eq!(main.line("PSYNC ? -1"), "+DUALCHANNELSYNC");
    assert_eq!(primary.talk().info("connected_slaves"), "0");
    let mut apart = primary.talk();
    assert_eq!(
        apart.line("REPLCONF capa eof rdb-only 1 rdb-channel 1 listening-port 6380"),
        "+OK"
    );
    apart.stream.write_all(b"SYNC\r\n").unwrap();
    let mut line = String::new();
    while line.trim().is_empty() {
        line = apart.raw_line();
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [offset, id, db, client] = words[..] else {
        panic!("four words: {line}");
    };
    let offset: u64 = offset.strip_prefix("$ENDOFF:").unwrap().parse().unwrap();
    assert_eq!(id, primary.talk().info("master_replid"));
    assert_eq!(db, "0");
    assert!(apart.raw_line().starts_with("$EOF:"));
    assert_eq!(primary.talk().info("replicas_waiting_psync"), "1");
    let known = main.line(&format!("REPLCONF set-rdb-client-id {client}"));
    assert_eq!(known, "+OK");
    // More than the backlog keeps, but for those who wait.
    let value = "x".repeat(100_000);
    let mut talk = primary.talk();
    for _ in 0..30 {
        assert_eq!(talk.say("SET", &["key", &value]), "+OK");
    }
    let going_on = main.line(&format!("PSYNC {id} {}", offset + 1));
    assert_eq!(going_on, format!("+CONTINUE {id}"));
    assert_eq!(primary.talk().info("replicas_waiting_psync"), "0");
    let mut command = main.value();
    while render(&command) == r#"["PING"]"# {
        command = main.value();
    }
    assert_eq!(render(&command), r#"["SELECT", "0"]"#);
    main.send(&["REPLCONF", "ACK", "0"]);
    wait_until("it counts", || {
        primary.talk().info("slave0").contains("state=online")
    });
}
