//! The command log: the latest calls that took long, came as a large request or had a large reply (SLOWLOG, COMMANDLOG).

use super::Thresholds;
use crate::clients::Client;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// The logs of all kinds.
#[derive(Debug, Default)]
pub struct CommandLog {
    logs: [Mutex<Log>; 3],
}

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls that took long, with their time in microseconds.
    Slow,
    /// Requests that were large, with their bytes.
    LargeRequest,
    /// Replies that were large, with their bytes.
    LargeReply,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Ascending from 0, for each kind by itself.
    pub id: u64,
    /// Unix time in seconds.
    pub at_s: i64,
    /// What the kind counts.
    pub figure: u64,
    /// The words, shortened.
    pub words: Vec<Box<[u8]>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: Vec<u8>,
}

#[derive(Debug, Default)]
struct Log {
    /// Newest first.
    entries: VecDeque<Arc<Entry>>,
    next_id: u64,
}

/// Words that an entry keeps (SLOWLOG_ENTRY_MAX_ARGC, Redis 7.2).
const WORDS_MAX: usize = 32;
/// Bytes of a word that an entry keeps (SLOWLOG_ENTRY_MAX_STRING, Redis 7.2).
const WORD_MAX: usize = 128;

impl CommandLog {
    /// Enters a call of `client`.
    pub(crate) fn enter<'w>(
        &self,
        kind: Kind,
        thresholds: &Thresholds,
        at_s: i64,
        figure: u64,
        client: &Client,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
    ) {
        let entry = Entry {
            id: 0,
            at_s,
            figure,
            words: shorten(words),
            addr: client.peer.addr.clone(),
            name: client.names.lock().name.clone(),
        };
        let mut log = self.logs[kind as usize].lock();
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(Arc::new(Entry { id, ..entry }));
        log.entries.truncate(thresholds.kept[kind as usize]);
    }

    /// The newest entries, `count` at most.
    #[must_use]
    pub fn newest(&self, kind: Kind, thresholds: &Thresholds, count: usize) -> Vec<Arc<Entry>> {
        let mut log = self.logs[kind as usize].lock();
        log.entries.truncate(thresholds.kept[kind as usize]);
        log.entries.iter().take(count).cloned().collect()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self, kind: Kind, thresholds: &Thresholds) -> usize {
        let log = self.logs[kind as usize].lock();
        log.entries.len().min(thresholds.kept[kind as usize])
    }

    /// Forgets all entries; numbering goes on.
    pub fn clear(&self, kind: Kind) {
        self.logs[kind as usize].lock().entries.clear();
    }
}

fn shorten<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>) -> Vec<Box<[u8]>> {
    let count = words.len();
    let kept = if count > WORDS_MAX {
        WORDS_MAX - 1
    } else {
        count
    };
    let mut kept_words: Vec<Box<[u8]>> = words.take(kept).map(shorten_word).collect();
    if kept < count {
        let rest = format!("... ({} more arguments)", count - kept);
        kept_words.push(rest.into_bytes().into());
    }
    kept_words
}

fn shorten_word(word: &[u8]) -> Box<[u8]> {
    match word.split_at_checked(WORD_MAX) {
        Some((start, rest)) if !rest.is_empty() => {
            let rest = format!("... ({} more bytes)", rest.len());
            [start, rest.as_bytes()].concat().into()
        }
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_calls_are_shortened() {
        let (long, just) = (vec![b'A'; 129], vec![b'B'; 128]);
        let words: Vec<&[u8]> = vec![b"set", &long, &just];
        let short = shorten(words.into_iter());
        assert_eq!(short[1].len(), 128 + "... (1 more bytes)".len());
        assert!(short[1].ends_with(b"A... (1 more bytes)"));
        assert_eq!(*short[2], *just);
        let many = vec![b"w".as_slice(); 33];
        let short = shorten(many.into_iter());
        assert_eq!(short.len(), 32);
        assert_eq!(*short[31], *b"... (2 more arguments)");
        assert_eq!(shorten(vec![b"w".as_slice(); 32].into_iter()).len(), 32);
    }
}
