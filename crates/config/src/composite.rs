//! Values that are made of several words: save points, output limits, event classes and their like.

use crate::numbers;
use crate::reason::Reason;

/// A snapshot is due after `seconds` if at least `changes` were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: u64,
    /// Changes since the last snapshot.
    pub changes: u64,
}

/// When a client that reads too slowly is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// At once above so many bytes; 0 for never.
    pub hard_bytes: u64,
    /// Above so many bytes for `soft_seconds`; 0 for never.
    pub soft_bytes: u64,
    /// How long `soft_bytes` may be exceeded.
    pub soft_seconds: u64,
}

/// `client-output-buffer-limit`: a limit for each class of clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// Ordinary clients, MONITOR among them.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Clients with a subscription.
    pub pubsub: OutputLimit,
}

/// `oom-score-adj-values`: the score of a primary, a replica and a background child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OomScores {
    /// While a primary.
    pub primary: i32,
    /// While a replica.
    pub replica: i32,
    /// Background work.
    pub background: i32,
}

/// `replicaof`: the primary to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// A name or an address.
    pub host: Vec<u8>,
    /// Its port.
    pub port: u16,
}

/// A limit in bytes or in parts of `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// So many bytes; 0 for none.
    Bytes(u64),
    /// So many percent of `maxmemory`.
    Percent(u64),
}

/// `notify-keyspace-events`: the classes of events to publish. The bits are those of Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u16);

impl SavePoint {
    pub(crate) fn parse_all(words: &[&[u8]]) -> Result<Vec<Self>, Reason> {
        let refused = Reason::Rule("Invalid save parameters");
        let number = |word: &[u8]| {
            let number = numbers::lenient(word, 10)?;
            u64::try_from(number).ok()
        };
        let pairs = words.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(refused);
        }
        let point = |pair: &[&[u8]]| match pair {
            [seconds, changes] => Some(Self {
                seconds: number(seconds).filter(|&seconds| seconds > 0)?,
                changes: number(changes)?,
            }),
            _ => None,
        };
        pairs
            .map(|pair| point(pair).ok_or_else(|| refused.clone()))
            .collect()
    }
}

impl OutputLimits {
    /// The limits with the classes that `words` name replaced.
    pub(crate) fn parse(self, words: &[&[u8]]) -> Result<Self, Reason> {
        let groups = words.chunks_exact(4);
        if !groups.remainder().is_empty() {
            return Err(Reason::Rule(
                "Wrong number of arguments in buffer limit configuration.",
            ));
        }
        let mut limits = self;
        for group in groups {
            let [class, limit @ ..] = group else { continue };
            let place = match class.to_ascii_lowercase().as_slice() {
                b"normal" => &mut limits.normal,
                b"replica" | b"slave" => &mut limits.replica,
                b"pubsub" => &mut limits.pubsub,
                _ => {
                    return Err(Reason::Rule(
                        "Invalid client class specified in buffer limit configuration.",
                    ));
                }
            };
            *place = OutputLimit::parse(limit).ok_or(Reason::Rule(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ))?;
        }
        Ok(limits)
    }

    pub(crate) fn text(&self) -> String {
        let class = |name: &str, limit: &OutputLimit| {
            format!(
                "{name} {} {} {}",
                limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )
        };
        [
            class("normal", &self.normal),
            class("slave", &self.replica),
            class("pubsub", &self.pubsub),
        ]
        .join(" ")
    }

    /// Each class with the name that CONFIG REWRITE gives it.
    pub(crate) fn classes(&self) -> [(&'static str, OutputLimit); 3] {
        [
            ("normal", self.normal),
            ("replica", self.replica),
            ("pubsub", self.pubsub),
        ]
    }
}

impl OutputLimit {
    fn parse(words: &[&[u8]]) -> Option<Self> {
        let [hard, soft, seconds] = words else {
            return None;
        };
        Some(Self {
            hard_bytes: numbers::memory(hard)?,
            soft_bytes: numbers::memory(soft)?,
            soft_seconds: u64::try_from(numbers::lenient(seconds, 10)?).ok()?,
        })
    }

    pub(crate) fn rewritten(&self) -> String {
        format!(
            "{} {} {}",
            numbers::memory_text(self.hard_bytes),
            numbers::memory_text(self.soft_bytes),
            self.soft_seconds
        )
    }
}

impl OomScores {
    pub(crate) fn parse(words: &[&[u8]]) -> Result<Self, Reason> {
        let score = |word| {
            numbers::lenient(word, 10)
                .filter(|score| (-2000..=2000).contains(score))
                .and_then(|score| i32::try_from(score).ok())
                .ok_or(Reason::Rule(
                    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
                ))
        };
        let [primary, replica, background] = words else {
            return Err(Reason::WrongNumberOfArguments);
        };
        Ok(Self {
            primary: score(primary)?,
            replica: score(replica)?,
            background: score(background)?,
        })
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {} {}", self.primary, self.replica, self.background)
    }

    /// Whether an unprivileged process may step through the scores: they only rise.
    pub(crate) fn rise(&self) -> bool {
        self.primary <= self.replica && self.replica <= self.background
    }
}

impl Primary {
    pub(crate) fn parse(words: &[&[u8]]) -> Result<Option<Self>, Reason> {
        let [host, port] = words else {
            return Err(Reason::WrongNumberOfArguments);
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            return Ok(None);
        }
        let port = numbers::lenient(port, 10)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or(Reason::Rule("Invalid master port"))?;
        Ok(Some(Self {
            host: host.to_vec(),
            port,
        }))
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = self.host.clone();
        text.extend(format!(" {}", self.port).bytes());
        text
    }
}

impl MemoryLimit {
    /// The limit in bytes, given `maxmemory`; 0 for none.
    pub fn bytes(self, maxmemory: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (u128::from(maxmemory) * u128::from(percent) / 100)
                .try_into()
                .unwrap_or(u64::MAX),
        }
    }
}

impl KeyspaceEvents {
    /// `K`: publish to the key's channel.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish to the event's channel.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of any type, such as DEL and EXPIRE.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const ZSET: Self = Self(1 << 7);
    /// `x`: expired keys.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: evicted keys.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: reads of missing keys.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: module types.
    pub const MODULE: Self = Self(1 << 13);
    /// `n`: new keys.
    pub const NEW: Self = Self(1 << 14);
    /// `A`: all classes but `m` and `n`.
    pub const ALL: Self = Self(0b10_0111_1111_1100);

    /// In the order in which the letters are written.
    const CLASSES: [(u8, Self); 14] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];

    /// The set as Redis' bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether all classes of the other set are in this one.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn parse(word: &[u8]) -> Result<Self, Reason> {
        word.iter().try_fold(Self::default(), |events, &letter| {
            let class = Self::CLASSES.iter().find(|(known, _)| *known == letter);
            match (letter, class) {
                (b'A', _) => Ok(Self(events.0 | Self::ALL.0)),
                (_, Some((_, class))) => Ok(Self(events.0 | class.0)),
                _ => Err(Reason::Rule(
                    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
                )),
            }
        })
    }

    /// The letters. `A` hides `n`, as in Redis 7.2.
    pub(crate) fn text(self) -> Vec<u8> {
        let all = self.contains(Self::ALL);
        let hidden = Self(if all { Self::ALL.0 | Self::NEW.0 } else { 0 });
        let letters = Self::CLASSES
            .iter()
            .filter(|(_, class)| self.contains(*class) && !hidden.contains(*class))
            .map(|(letter, _)| *letter);
        all.then_some(b'A').into_iter().chain(letters).collect()
    }
}

/// Percentiles between 0 and 100.
pub(crate) fn percentiles(words: &[&[u8]]) -> Result<Vec<f64>, Reason> {
    words
        .iter()
        .map(|word| {
            let percentile = str::from_utf8(word)
                .ok()
                .and_then(|word| word.parse::<f64>().ok());
            match percentile {
                Some(percentile) if (0.0..=100.0).contains(&percentile) => Ok(percentile),
                Some(percentile) if !percentile.is_nan() => Err(Reason::Rule(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
                )),
                _ => Err(Reason::Rule(
                    "Invalid latency-tracking-info-percentiles parameters",
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_classes_come_back_in_redis_order() {
        for (letters, text) in [
            ("", ""),
            ("KEA", "AKE"),
            ("KEAn", "AKE"),
            ("EKn$", "$nKE"),
            ("g$lshzxetd", "A"),
            ("mA", "Am"),
        ] {
            let events = KeyspaceEvents::parse(letters.as_bytes()).unwrap();
            assert_eq!(events.text(), text.as_bytes(), "{letters}");
        }
        assert!(KeyspaceEvents::parse(b"Q").is_err());
        assert!(!KeyspaceEvents::ALL.contains(KeyspaceEvents::KEY_MISS));
        assert!(!KeyspaceEvents::ALL.contains(KeyspaceEvents::NEW));
        assert!(KeyspaceEvents::ALL.contains(KeyspaceEvents::MODULE));
    }

    #[test]
    fn a_memory_limit_may_be_a_part_of_maxmemory() {
        assert_eq!(MemoryLimit::Bytes(7).bytes(1000), 7);
        assert_eq!(MemoryLimit::Percent(5).bytes(1000), 50);
        assert_eq!(MemoryLimit::Percent(100).bytes(u64::MAX), u64::MAX);
    }
}
