//! The log as appenders and readers see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use log::{Framing, Log, Reader, Unit};

fn unit(commands: &[(u16, &[&str])]) -> Unit {
    let mut unit = Unit::default();
    for (db, words) in commands {
        unit.command(*db, words.iter().map(|word| word.as_bytes()));
    }
    unit
}

fn all(reader: &mut Reader) -> String {
    let mut pieces = Vec::new();
    while reader.read(1 << 20, &mut pieces) > 0 {}
    String::from_utf8(pieces.concat()).unwrap()
}

fn words(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let words = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let words: Vec<String> = words.collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

#[test]
fn databases_are_selected_where_they_change() {
    let log = Log::new();
    log.keep(Some(1 << 20));
    let mut reader = log.reader(0).unwrap();
    for db in [0, 0, 9] {
        log.append(&mut unit(&[(db, &["SET", "a", "1"])]), Framing::Transaction);
    }
    log.forget_db();
    log.append(&mut unit(&[(9, &["DEL", "a"])]), Framing::Transaction);
    let expected = [
        "SELECT 0", "SET a 1", "SET a 1", "SELECT 9", "SET a 1", "SELECT 9", "DEL a",
    ];
    assert_eq!(all(&mut reader), expected.map(words).concat());
    assert_eq!(reader.at(), log.end());
}

#[test]
fn several_commands_are_a_transaction_unless_they_are_loose() {
    let log = Log::new();
    let (mut reader, _) = log.reader_at_end();
    let two: &[(u16, &[&str])] = &[(0, &["DEL", "a"]), (3, &["SET", "a", "1"])];
    log.append(&mut unit(two), Framing::Transaction);
    log.append(&mut unit(two), Framing::Loose);
    let expected = ["MULTI", "SELECT 0", "DEL a", "SELECT 3", "SET a 1", "EXEC"];
    let loose = ["SELECT 0", "DEL a", "SELECT 3", "SET a 1"];
    assert_eq!(
        all(&mut reader),
        expected.map(words).concat() + &loose.map(words).concat()
    );
}

#[test]
fn the_backlog_keeps_at_least_its_size_and_readers_keep_more() {
    let log = Log::new();
    log.keep(Some(40_000));
    let value = "x".repeat(1000);
    let slow = log.reader(0).unwrap();
    let fill = || {
        for _ in 0..100 {
            log.append(
                &mut unit(&[(0, &["SET", "a", &value])]),
                Framing::Transaction,
            );
        }
    };
    fill();
    assert_eq!(log.extent().start, 0, "the slow reader wants all of it");
    let beyond = || log.beyond_backlog(|| ()).0;
    let kept_by_reader = beyond();
    assert_eq!(kept_by_reader, log.extent().memory - 40_000);
    slow.hold(7000);
    assert_eq!(beyond(), kept_by_reader + 7000);
    drop(slow);
    assert!(beyond() < 33 * 1024);
    let extent = log.extent();
    let kept = extent.end - extent.start;
    assert!((40_000..40_000 + 16 * 1024).contains(&kept), "{kept}");
    assert!(log.reader(extent.start - 1).is_none());
    assert!(log.reader(extent.end + 1).is_none());
    assert!(log.reader(extent.start).is_some());
    log.keep(None);
    assert_eq!(log.extent().start, log.end());
    fill();
    assert_eq!(
        log.extent().start,
        log.end(),
        "nothing is kept without a backlog"
    );
    assert!(log.end() > extent.end, "offsets go on");
}

#[test]
fn large_units_come_out_as_they_went_in() {
    let log = Log::new();
    log.keep(Some(10 << 20));
    let mut reader = log.reader(0).unwrap();
    let large = "y".repeat(300_000);
    let mut expected = words("SELECT 0");
    for value in ["small", &large, "small", &large] {
        log.append(
            &mut unit(&[(0, &["SET", "a", value])]),
            Framing::Transaction,
        );
        expected += &words(&format!("SET a {value}"));
    }
    assert!(all(&mut reader) == expected);
    let mut middle = log.reader(200_000).unwrap();
    assert!(all(&mut middle) == expected[200_000..]);
    log.append_verbatim(expected.as_bytes(), 0);
    assert!(all(&mut middle) == expected);
}

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn sleepers_are_woken_once() {
    let log = Log::new();
    let (mut reader, _) = log.reader_at_end();
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counter));
    let cx = Context::from_waker(&waker);
    let mut pieces = Vec::new();
    assert!(reader.poll_read(&cx, 100, &mut pieces).is_pending());
    log.append_verbatim(b"a", 0);
    log.append_verbatim(b"b", 0);
    log.wake();
    log.wake();
    assert_eq!(counter.0.load(Relaxed), 1);
    assert!(reader.poll_read(&cx, 100, &mut pieces).is_ready());
    assert_eq!(pieces.concat(), b"ab");
}

#[test]
fn another_history_begins_at_its_own_offset() {
    let log = Log::new();
    log.keep(Some(1000));
    log.append_verbatim(b"abc", 0);
    log.restart(5_000);
    assert_eq!((log.end(), log.extent().start), (5_000, 5_000));
    assert!(log.reader(3).is_none());
    let mut reader = log.reader(5_000).unwrap();
    log.append_verbatim(b"defg", 0);
    assert_eq!(all(&mut reader), "defg");
}
