//! Both sides of PSYNC, line by line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use replication::{
    Answer, Conf, ConfError, Credentials, Handshake, HandshakeError, History, Introduction, Notice,
    Place, ReplicationId, Resume, SnapshotEnd, SnapshotHandshake, StreamHandshake, Transfer,
    TransferError, TransferForm,
};

fn id(digit: u8) -> ReplicationId {
    ReplicationId::parse(&[digit; 40]).unwrap()
}

fn introduction(place: Option<Place>) -> Introduction {
    Introduction {
        credentials: Some(Credentials {
            user: None,
            password: b"secret".to_vec(),
        }),
        port: 6380,
        ip: None,
        place,
        takes_over: false,
        dual_channel: false,
    }
}

fn said(handshake: &mut Handshake) -> String {
    spoken(handshake.take_output())
}

fn spoken(output: Vec<u8>) -> String {
    let text = String::from_utf8(output).unwrap();
    let words = text
        .split("\r\n")
        .filter(|word| !word.starts_with(['*', '$']));
    words.collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[test]
fn a_replica_introduces_itself_and_asks_to_go_on() {
    let place = Place {
        id: id(b'a'),
        offset: 99,
    };
    let mut handshake = Handshake::new(introduction(Some(place)));
    assert_eq!(said(&mut handshake), "PING");
    assert_eq!(
        handshake.line(b"-NOAUTH Authentication required.").unwrap(),
        None
    );
    assert_eq!(
        said(&mut handshake),
        "AUTH secret REPLCONF listening-port 6380 REPLCONF capa eof capa psync2 REPLCONF version 9.0.0"
    );
    for line in [b"+OK".as_slice(), b"-ERR unknown", b"+OK", b"-ERR version"] {
        assert_eq!(handshake.line(line).unwrap(), None);
    }
    assert_eq!(handshake.take_warnings().len(), 1);
    assert_eq!(said(&mut handshake), format!("PSYNC {} 100", id(b'a')));
    assert_eq!(handshake.line(b"").unwrap(), None);
    let answer = handshake.line(format!("+CONTINUE {}", id(b'b')).as_bytes());
    assert_eq!(answer.unwrap(), Some(Answer::Continue(Some(id(b'b')))));
}

fn asking() -> Handshake {
    let mut handshake = Handshake::new(introduction(None));
    for line in ["+PONG", "+OK", "+OK", "+OK", "+OK"] {
        handshake.line(line.as_bytes()).unwrap();
    }
    assert!(said(&mut handshake).ends_with("PSYNC ? -1"));
    handshake
}

#[test]
fn answers_to_psync_are_told_apart() {
    let full = format!("+FULLRESYNC {} 1234", id(b'c'));
    let place = Place {
        id: id(b'c'),
        offset: 1234,
    };
    assert_eq!(
        asking().line(full.as_bytes()).unwrap(),
        Some(Answer::Full(place))
    );
    let not_now = asking().line(b"-NOMASTERLINK Can't SYNC while not connected with my master");
    assert!(matches!(not_now, Err(HandshakeError::NotNow(_))));
    let mut old = asking();
    assert_eq!(
        old.line(b"-ERR unknown command").unwrap(),
        Some(Answer::Old)
    );
    assert_eq!(said(&mut old), "SYNC");
    assert!(asking().line(b"+FULLRESYNC nonsense").is_err());
    assert!(asking().line(b"hello").is_err());
}

#[test]
fn wrong_passwords_end_the_conversation() {
    let mut handshake = Handshake::new(introduction(None));
    handshake.line(b"+PONG").unwrap();
    let refused = handshake.line(b"-WRONGPASS invalid username-password pair");
    assert!(matches!(refused, Err(HandshakeError::Auth(_))));
    let mut handshake = Handshake::new(introduction(None));
    assert!(matches!(
        handshake.line(b"-LOADING"),
        Err(HandshakeError::Ping(_))
    ));
}

#[test]
fn histories_are_followed_across_one_change_of_name() {
    let mut history = History::new(id(b'a'));
    assert_eq!(history.resume(&[b'A'; 40], 5), Resume::Possible);
    assert_eq!(history.resume(b"?", -1), Resume::UnknownHistory);
    history.branch(id(b'b'), 100);
    assert_eq!(history.resume(&[b'a'; 40], 101), Resume::Possible);
    assert_eq!(history.resume(&[b'a'; 40], 102), Resume::TooFar);
    assert_eq!(history.resume(&[b'b'; 40], 102), Resume::Possible);
    history.branch(id(b'c'), 200);
    assert_eq!(history.resume(&[b'a'; 40], 50), Resume::UnknownHistory);
}

fn all(transfer: &mut Transfer, arriving: &[u8], step: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    for piece in arriving.chunks(step) {
        transfer.buffer().extend_from_slice(piece);
        while let Some(bytes) = transfer.next_piece().unwrap() {
            payload.extend_from_slice(&bytes);
        }
    }
    payload
}

#[test]
fn snapshots_are_taken_out_however_they_arrive() {
    for step in [1, 7, 1000] {
        let mut transfer = Transfer::new(b"\n\n$10\r");
        assert_eq!(
            all(&mut transfer, b"\n0123456789*1\r\n", step),
            b"0123456789"
        );
        assert!(transfer.is_done());
        assert_eq!(&transfer.into_rest()[..], b"*1\r\n");

        let mut transfer = Transfer::new(b"");
        let mark = "m".repeat(40);
        let arriving = format!("$EOF:{mark}\r\nsome bytes m that are no mark{mark}");
        let payload = all(&mut transfer, arriving.as_bytes(), step);
        assert_eq!(payload, b"some bytes m that are no mark");
        assert!(transfer.is_done());
        assert_eq!(transfer.form(), Some(TransferForm::Marked([b'm'; 40])));
    }
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let refused = Transfer::new(b"-ERR out of memory\r\n").next_piece();
    assert!(matches!(refused, Err(TransferError::Refused(_))));
    for other in [
        b"*1\r\n".as_slice(),
        b"$x\r\n",
        b"$EOF:short\r\n",
        &[b'a'; 2000],
    ] {
        let refused = Transfer::new(other).next_piece();
        assert!(
            matches!(refused, Err(TransferError::Preamble(_))),
            "{other:?}"
        );
    }
}

#[test]
fn replicas_tell_of_themselves() {
    let mut conf = Conf::default();
    let options: &[&[u8]] = &[
        b"Listening-Port",
        b"6380",
        b"capa",
        b"eof",
        b"capa",
        b"psync9",
    ];
    assert_eq!(conf.take(options), Ok(None));
    assert_eq!(conf.take(&[b"version", b"9.1.2"]), Ok(None));
    assert_eq!(conf.version, Some((9, 1)));
    assert_eq!(
        (conf.port, conf.capabilities.eof, conf.capabilities.psync2),
        (6380, true, false)
    );
    let acknowledged = conf.take(&[b"ACK", b"77", b"FACK", b"55"]);
    let expected = Notice::Ack {
        offset: 77,
        durable: Some(55),
    };
    assert_eq!(acknowledged, Ok(Some(expected)));
    assert_eq!(conf.take(&[b"getack", b"*"]), Ok(Some(Notice::GetAck)));
    assert_eq!(conf.take(&[b"capa"]), Err(ConfError::Syntax));
    assert_eq!(conf.take(&[b"rdb-only", b"x"]), Err(ConfError::NotInteger));
    assert_eq!(
        conf.take(&[b"what", b"x"]),
        Err(ConfError::Unknown(b"what".to_vec()))
    );
}

#[test]
fn a_snapshot_may_come_over_a_connection_of_its_own() {
    let mut introduction = introduction(None);
    introduction.dual_channel = true;
    let mut handshake = Handshake::new(introduction.clone());
    handshake.line(b"+PONG").unwrap();
    assert!(said(&mut handshake).contains("capa psync2 capa dual-channel"));
    for _ in 0..4 {
        handshake.line(b"+OK").unwrap();
    }
    let answer = handshake.line(b"+DUALCHANNELSYNC").unwrap();
    assert_eq!(answer, Some(Answer::DualChannel));

    let mut apart = SnapshotHandshake::new(&introduction);
    assert_eq!(
        spoken(apart.take_output()),
        "AUTH secret REPLCONF capa eof rdb-only 1 rdb-channel 1 listening-port 6380 version 9.0.0"
    );
    assert_eq!(apart.line(b"+OK").unwrap(), None);
    assert_eq!(apart.line(b"+OK").unwrap(), None);
    assert_eq!(spoken(apart.take_output()), "SYNC");
    assert_eq!(apart.line(b"").unwrap(), None);
    let end = SnapshotEnd {
        place: Place {
            id: id(b'c'),
            offset: 1234,
        },
        db: 3,
        client: 77,
    };
    let line = end.to_string();
    assert_eq!(line, format!("$ENDOFF:1234 {} 3 77", id(b'c')));
    assert_eq!(apart.line(line.as_bytes()).unwrap(), Some(end));

    let mut stream = StreamHandshake::new(end);
    assert_eq!(
        spoken(stream.take_output()),
        "REPLCONF set-rdb-client-id 77"
    );
    assert!(!stream.line(b"+OK").unwrap());
    assert_eq!(
        spoken(stream.take_output()),
        format!("PSYNC {} 1235", id(b'c'))
    );
    assert!(stream.line(b"+CONTINUE").unwrap());
}

#[test]
fn a_primary_may_refuse_a_connection_of_its_own() {
    let mut unasked = Handshake::new(introduction(None));
    unasked.line(b"+PONG").unwrap();
    for _ in 0..4 {
        unasked.line(b"+OK").unwrap();
    }
    let answer = unasked.line(b"+DUALCHANNELSYNC");
    assert!(matches!(answer, Err(HandshakeError::Unexpected(_))));
    let mut apart = SnapshotHandshake::new(&introduction(None));
    assert!(matches!(
        apart.line(b"-WRONGPASS"),
        Err(HandshakeError::Auth(_))
    ));
    let place = Place {
        id: id(b'd'),
        offset: 1,
    };
    for line in [
        "-ERR Unrecognized REPLCONF option: rdb-channel",
        "$EOF:0123",
        "$ENDOFF:12 short 0 1",
        "$ENDOFF:x",
    ] {
        let mut apart = SnapshotHandshake::new(&introduction(None));
        let ended = ["+OK", "+OK", line]
            .iter()
            .map(|line| apart.line(line.as_bytes()))
            .find(Result::is_err);
        assert!(
            matches!(ended, Some(Err(HandshakeError::DualChannel(_)))),
            "{line}"
        );
    }
    let end = SnapshotEnd {
        place,
        db: 0,
        client: 5,
    };
    for line in ["-ERR Unrecognized RDB client id 5", "+DUALCHANNELSYNC"] {
        let mut stream = StreamHandshake::new(end);
        let refused =
            stream.line(line.as_bytes()).is_err() || stream.line(line.as_bytes()).is_err();
        assert!(refused, "{line}");
    }
    let mut conf = Conf::default();
    let taken = conf.take(&[b"rdb-channel", b"1", b"set-rdb-client-id", b"9"]);
    assert_eq!(taken, Ok(None));
    assert!(conf.rdb_channel);
    assert_eq!(conf.rdb_client, Some(9));
    assert_eq!(
        conf.take(&[b"set-rdb-client-id", b"nine"]),
        Err(ConfError::NotInteger)
    );
}
