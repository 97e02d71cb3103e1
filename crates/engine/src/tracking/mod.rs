//! Client-side caching: which client may have a copy of which key, and who tells it to drop the copy (CLIENT TRACKING).
//!
//! 1. The records lie under the mutex of the subscriptions, so that invalidations and messages have one order.
//! 2. A call's reads are recorded, and its changes reported, while its shards are held and after its reply was written. So
//!    a client that reads has its record before anybody can change what it read, and the invalidation follows the reply.
//! 3. A tracker is one period of tracking of one connection. Records name it by a number that is never used again, so that
//!    those of a tracker that has gone are taken away at leisure: the first few at once, the others by [`PubSub::sweep`].
//! 4. Nothing of this happens unless `Audience::changes` is set. The first tracker sets it with every shard held; active
//!    expiry clears it when there is none left.

mod broadcast;
mod table;

use self::broadcast::Broadcast;
use self::table::Table;
use crate::clients::{Client, Clients, flag};
use crate::pubsub::PubSub;
use ::commands::{Cause, Changed, Rng};
use bytes::Bytes;
use resp::{Output, Proto, Writer};
use std::any::Any;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What a connection is told about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackingMode {
    /// Nothing.
    #[default]
    Off,
    /// Every key that it has read.
    Reads,
    /// Keys that it has read in a call behind CLIENT CACHING YES.
    OptIn,
    /// Keys that it has read but for those of a call behind CLIENT CACHING NO.
    OptOut,
    /// Every key that begins with one of its prefixes.
    Broadcast,
}

/// A session's tracking as the session itself knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracking {
    mode: TrackingMode,
    /// CLIENT CACHING was given for the next call, or for the transaction under way.
    caching: bool,
    /// The number of its tracker, unless the mode is `Off`.
    number: u64,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Clone, Debug, Default)]
pub struct TrackingWish {
    /// What to be told about; not `Off`.
    pub mode: TrackingMode,
    /// The connection that is told in place of this one.
    pub redirect: Option<u64>,
    /// Whether the connection's own changes are left out.
    pub no_loop: bool,
    /// Prefixes to be added to those of a broadcast; none means that of every key.
    pub prefixes: Vec<Bytes>,
}

/// What CLIENT TRACKINGINFO tells beside the session's own mode.
#[derive(Clone, Debug, Default)]
pub struct TrackingInfo {
    /// The connection that is told in place of this one.
    pub redirect: Option<u64>,
    /// Whether the connection's own changes are left out.
    pub no_loop: bool,
    /// Whether the connection that is told was gone at the last message.
    pub is_broken: bool,
    /// The prefixes in ascending order.
    pub prefixes: Vec<Bytes>,
}

/// How much there is to track, as INFO shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackingCounts {
    /// Connections that track.
    pub clients: usize,
    /// Keys that some connection may have a copy of.
    pub keys: usize,
    /// Such connections, summed over these keys.
    pub items: usize,
    /// Different prefixes of broadcasts.
    pub prefixes: usize,
}

/// A prefix that begins another one, or with another one: a key would be reported twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixOverlap {
    /// With a prefix that the connection has.
    Existing {
        /// The prefix asked for.
        prefix: Bytes,
        /// The one that it has.
        other: Bytes,
    },
    /// With another one that was asked for.
    Given {
        /// The prefix asked for.
        prefix: Bytes,
        /// The other one.
        other: Bytes,
    },
}

/// All that is remembered of tracking connections.
#[derive(Debug)]
pub(crate) struct Trackers {
    by_number: HashMap<u64, Tracker>,
    last_number: u64,
    table: Table,
    broadcast: Broadcast,
    /// Records of trackers that have gone.
    left: Vec<(u64, Vec<Arc<[u8]>>)>,
    /// Keys that the table may have (`tracking-table-max-keys`); 0 for no limit.
    keys_max: usize,
    /// Chooses the keys that go when there are too many.
    rng: Rng,
}

/// One period of tracking of one connection.
#[derive(Debug)]
struct Tracker {
    client: Arc<Client>,
    redirect: Option<u64>,
    no_loop: bool,
    /// The keys of its records.
    keys: HashSet<Arc<[u8]>>,
    prefixes: BTreeSet<Bytes>,
}

/// A message in both versions of RESP, each encoded when the first client needs it.
struct Invalidation<'m> {
    /// What to forget; `None` is everything.
    keys: Option<&'m [&'m [u8]]>,
    encoded: [Option<Bytes>; 2],
}

/// Whom messages go to, and how much may wait there.
#[derive(Clone, Copy)]
struct Post<'a> {
    clients: &'a Clients,
    /// Bytes of messages that may wait for one subscriber; 0 for no limit.
    limit: usize,
}

/// Records that go at once when a tracker ends.
const LEFT_AT_ONCE: usize = 1000;
/// Keys that one call takes out of a table that is over its limit (trackingLimitUsedSlots, Redis 7.2).
const EVICTED_AT_ONCE: usize = 100;
/// The channel on which RESP2 clients get invalidations.
const CHANNEL: &[u8] = b"__redis__:invalidate";

impl Tracking {
    /// What the session is told about.
    #[must_use]
    pub fn mode(self) -> TrackingMode {
        self.mode
    }

    /// Whether CLIENT CACHING holds for the next call.
    #[must_use]
    pub fn is_caching_given(self) -> bool {
        self.caching
    }

    /// CLIENT CACHING: the next call is the exception.
    pub fn give_caching(&mut self) {
        self.caching = true;
    }

    /// A call has ended to which CLIENT CACHING applied.
    pub(crate) fn end_caching(&mut self) {
        self.caching = false;
    }

    /// The number under which the reads of a call are recorded, if they are.
    pub(crate) fn recorder(self) -> Option<u64> {
        let records = match self.mode {
            TrackingMode::Off | TrackingMode::Broadcast => false,
            TrackingMode::Reads => true,
            TrackingMode::OptIn => self.caching,
            TrackingMode::OptOut => !self.caching,
        };
        records.then_some(self.number)
    }
}

impl PubSub {
    /// Starts to track, or changes how. Every shard is held and `Audience::changes` is set.
    ///
    /// # Errors
    /// A prefix overlaps with another one.
    pub fn track(
        &self,
        client: &Arc<Client>,
        tracking: &mut Tracking,
        wish: &TrackingWish,
    ) -> Result<(), PrefixOverlap> {
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        let known = trackers.by_number.get(&tracking.number);
        if wish.mode == TrackingMode::Broadcast {
            no_overlap(&wish.prefixes, known.map(|tracker| &tracker.prefixes))?;
        }
        if known.is_none() {
            trackers.last_number += 1;
            tracking.number = trackers.last_number;
        }
        tracking.mode = wish.mode;
        let tracker = trackers
            .by_number
            .entry(tracking.number)
            .or_insert_with(|| Tracker {
                client: Arc::clone(client),
                redirect: None,
                no_loop: false,
                keys: HashSet::new(),
                prefixes: BTreeSet::new(),
            });
        tracker.redirect = wish.redirect;
        tracker.no_loop = wish.no_loop;
        if wish.mode == TrackingMode::Broadcast {
            let every = [Bytes::new()];
            let prefixes = if wish.prefixes.is_empty() {
                every.as_slice()
            } else {
                &wish.prefixes
            };
            for prefix in prefixes {
                if tracker.prefixes.insert(prefix.clone()) {
                    trackers.broadcast.join(prefix, tracking.number);
                }
            }
        }
        tracker.show(wish.mode);
        Ok(())
    }

    /// Ends tracking: CLIENT TRACKING OFF, RESET, and the end of a connection.
    pub fn stop_tracking(&self, tracking: &mut Tracking) {
        let Tracking { mode, number, .. } = std::mem::take(tracking);
        if mode == TrackingMode::Off {
            return;
        }
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        let Some(tracker) = trackers.by_number.remove(&number) else {
            return;
        };
        tracker.client.show_tracking(0, None);
        for prefix in &tracker.prefixes {
            trackers.broadcast.leave(prefix, number);
        }
        if !tracker.keys.is_empty() {
            trackers
                .left
                .push((number, tracker.keys.into_iter().collect()));
            trackers.sweep(LEFT_AT_ONCE);
        }
        trackers.release();
    }

    /// Takes away so many records of trackers that have gone, and of keys above the limit; whether there is more to do.
    pub(crate) fn sweep(&self, count: usize, clients: &Clients) -> bool {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        trackers.evict(count, post);
        trackers.sweep(count);
        trackers.release();
        !trackers.left.is_empty() || trackers.is_overfull()
    }

    /// Whether nobody tracks and nothing is left of those who did.
    #[must_use]
    pub fn is_untracked(&self) -> bool {
        let lists = self.lists.lock();
        lists.trackers.by_number.is_empty() && lists.trackers.left.is_empty()
    }

    /// What there is to tell about a session's tracking.
    #[must_use]
    pub fn tracking_info(&self, tracking: Tracking) -> TrackingInfo {
        let lists = self.lists.lock();
        let tracker = lists.trackers.by_number.get(&tracking.number);
        tracker.map_or_else(TrackingInfo::default, |tracker| TrackingInfo {
            redirect: tracker.redirect,
            no_loop: tracker.no_loop,
            is_broken: tracker.client.has_tracking(flag::TRACKING_BROKEN),
            prefixes: tracker.prefixes.iter().cloned().collect(),
        })
    }

    /// How much there is to track.
    #[must_use]
    pub fn tracking_counts(&self) -> TrackingCounts {
        let lists = self.lists.lock();
        let trackers = &lists.trackers;
        TrackingCounts {
            clients: trackers.by_number.len(),
            keys: trackers.table.len(),
            items: trackers.table.items(),
            prefixes: trackers.broadcast.len(),
        }
    }

    /// Sets how many keys may be remembered (`tracking-table-max-keys`), 0 for no limit, and invalidates some of those above.
    pub fn limit_tracked_keys(&self, keys_max: usize, clients: &Clients) {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        lists.trackers.keys_max = keys_max;
        lists.trackers.evict(EVICTED_AT_ONCE, post);
    }

    /// Records that tracker `number` may have a copy of `keys`, whose shards are held.
    pub(crate) fn record<'k>(
        &self,
        number: u64,
        keys: impl Iterator<Item = &'k [u8]>,
        clients: &Clients,
    ) {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        let Some(tracker) = trackers.by_number.get_mut(&number) else {
            return;
        };
        for key in keys {
            if !tracker.keys.contains(key) {
                tracker.keys.insert(trackers.table.add(key, number));
            }
        }
        trackers.evict(EVICTED_AT_ONCE, post);
    }

    /// Tells those who may have copies of changed keys, whose shards are held; `caller` is the connection that changed them.
    /// Whether there is something for [`PubSub::broadcast`].
    pub(crate) fn invalidate(
        &self,
        changed: &[Changed],
        caller: Option<u64>,
        clients: &Clients,
    ) -> bool {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        for Changed { key, cause } in changed {
            let author = caller.filter(|_| *cause == Cause::Call);
            trackers.broadcast.note(key, author);
            trackers.invalidate(key, caller, post);
        }
        trackers.broadcast.is_pending()
    }

    /// Sends what was noted for broadcasts since the last time, a message for each prefix.
    pub(crate) fn broadcast(&self, clients: &Clients) {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        let Trackers {
            broadcast,
            by_number,
            ..
        } = &mut lists.trackers;
        broadcast.send(|numbers, changes| {
            let all: Vec<&[u8]> = changes.keys().map(|key| &**key).collect();
            let mut message = Invalidation::of(Some(&all));
            for tracker in numbers.iter().filter_map(|number| by_number.get(number)) {
                if !tracker.no_loop {
                    tracker.send(&mut message, post);
                    continue;
                }
                let own = Some(tracker.client.id);
                let others = changes.iter().filter(|(_, author)| **author != own);
                let others: Vec<&[u8]> = others.map(|(key, _)| &**key).collect();
                if !others.is_empty() {
                    tracker.send(&mut Invalidation::of(Some(&others)), post);
                }
            }
        });
    }

    /// Tells everybody who tracks to forget everything, and takes all records away (trackingInvalidateKeysOnFlush). What is
    /// returned is dear to free.
    pub(crate) fn invalidate_all(&self, clients: &Clients) -> Box<dyn Any + Send> {
        let post = self.post(clients);
        let mut lists = self.lists.lock();
        let trackers = &mut lists.trackers;
        let mut message = Invalidation::of(None);
        let mut garbage = Vec::new();
        for tracker in trackers.by_number.values_mut() {
            tracker.send(&mut message, post);
            garbage.push(std::mem::take(&mut tracker.keys));
        }
        let table = std::mem::take(&mut trackers.table);
        Box::new((table, garbage, std::mem::take(&mut trackers.left)))
    }

    fn post<'a>(&self, clients: &'a Clients) -> Post<'a> {
        Post {
            clients,
            limit: self.waiting_max.load(Relaxed),
        }
    }
}

impl Default for Trackers {
    fn default() -> Self {
        Self {
            by_number: HashMap::new(),
            last_number: 0,
            table: Table::default(),
            broadcast: Broadcast::default(),
            left: Vec::new(),
            keys_max: 0,
            rng: Rng::new(0),
        }
    }
}

impl Trackers {
    /// Takes the record of a key out and tells those who may have a copy of it, `caller` only if it wants that.
    fn invalidate(&mut self, key: &[u8], caller: Option<u64>, post: Post<'_>) {
        let Some(holders) = self.table.take(key) else {
            return;
        };
        let keys = [key];
        let mut message = Invalidation::of(Some(&keys));
        for number in holders {
            let Some(tracker) = self.by_number.get_mut(&number) else {
                continue;
            };
            tracker.keys.remove(key);
            if !(tracker.no_loop && caller == Some(tracker.client.id)) {
                tracker.send(&mut message, post);
            }
        }
    }

    fn is_overfull(&self) -> bool {
        self.keys_max > 0 && self.table.len() > self.keys_max
    }

    /// Invalidates random keys, `count` at most, until the table is within its limit.
    fn evict(&mut self, count: usize, post: Post<'_>) {
        for _ in 0..count {
            if !self.is_overfull() {
                return;
            }
            if let Some(key) = self.table.random(&mut self.rng) {
                self.invalidate(&key, None, post);
            }
        }
    }

    /// Takes away so many records of trackers that have gone.
    fn sweep(&mut self, count: usize) {
        for _ in 0..count {
            let Some((number, keys)) = self.left.last_mut() else {
                return;
            };
            match keys.pop() {
                Some(key) => self.table.remove(&key, *number),
                None => {
                    self.left.pop();
                }
            }
        }
    }

    /// Gives the memory back when nobody tracks any more.
    fn release(&mut self) {
        if self.by_number.is_empty() && self.left.is_empty() {
            *self = Self {
                last_number: self.last_number,
                keys_max: self.keys_max,
                ..Self::default()
            };
        }
    }
}

impl Tracker {
    /// Shows in CLIENT LIST how the client tracks.
    fn show(&self, mode: TrackingMode) {
        let broadcast = if mode == TrackingMode::Broadcast {
            flag::TRACKING_BROADCAST
        } else {
            0
        };
        self.client
            .show_tracking(flag::TRACKING | broadcast, self.redirect);
        let bytes = |prefix: &Bytes| (prefix.len() + PREFIX_BYTES) as u64;
        let bytes = self.prefixes.iter().map(bytes).sum();
        self.client.shown.prefix_mem.store(bytes, Relaxed);
    }

    /// Sends a message, or says once more that the connection is gone that is to get it (sendTrackingMessage, Redis 7.2).
    fn send(&self, message: &mut Invalidation<'_>, post: Post<'_>) {
        let target = match self.redirect {
            None => Arc::clone(&self.client),
            Some(id) => match post.clients.find(id).filter(|client| !client.is_leaving()) {
                Some(target) => target,
                None => return self.tell_broken(id),
            },
        };
        let (proto, subscribed) = (target.proto(), target.has_flag(flag::PUBSUB));
        let limit = if subscribed { post.limit } else { 0 };
        // RESP2 knows no messages but those of a subscription, and those only where no replies come.
        if proto == Proto::Resp3 || (self.redirect.is_some() && subscribed) {
            target.inbox.push(message.encoded(proto), limit);
        }
    }

    fn tell_broken(&self, id: u64) {
        self.client.mark_tracking_broken();
        if self.client.proto() == Proto::Resp3 {
            let mut out = Output::default();
            let mut writer = Writer::new(&mut out, Proto::Resp3);
            writer.push(2);
            writer.bulk(b"tracking-redir-broken");
            writer.integer(i64::try_from(id).unwrap_or(i64::MAX));
            self.client.inbox.push(out.to_bytes(), 0);
        }
    }
}

impl<'m> Invalidation<'m> {
    fn of(keys: Option<&'m [&'m [u8]]>) -> Self {
        Self {
            keys,
            encoded: [None, None],
        }
    }

    /// The message: a push of RESP3, or one of the channel in RESP2.
    fn encoded(&mut self, proto: Proto) -> Bytes {
        let keys = self.keys;
        let encode = || {
            let mut out = Output::default();
            let mut writer = Writer::new(&mut out, proto);
            let head: &[&[u8]] = match proto {
                Proto::Resp3 => &[b"invalidate"],
                Proto::Resp2 => &[b"message", CHANNEL],
            };
            writer.push(head.len() + 1);
            head.iter().for_each(|word| writer.bulk(word));
            match keys {
                None => writer.null(),
                Some(keys) => {
                    writer.array(keys.len());
                    keys.iter().for_each(|key| writer.bulk(key));
                }
            }
            out.to_bytes()
        };
        self.encoded[usize::from(proto == Proto::Resp3)]
            .get_or_insert_with(encode)
            .clone()
    }
}

/// Whether no two of the prefixes, given and existing, begin with one another (checkPrefixCollisionsOrReply, Redis 7.2).
fn no_overlap(given: &[Bytes], existing: Option<&BTreeSet<Bytes>>) -> Result<(), PrefixOverlap> {
    let overlap = |a: &Bytes, b: &Bytes| a.starts_with(b) || b.starts_with(a);
    for (at, prefix) in given.iter().enumerate() {
        let mut existing = existing.into_iter().flatten();
        if let Some(other) = existing.find(|other| overlap(prefix, other)) {
            let (prefix, other) = (prefix.clone(), other.clone());
            return Err(PrefixOverlap::Existing { prefix, other });
        }
        let mut later = given.iter().skip(at + 1);
        if let Some(other) = later.find(|other| overlap(prefix, other)) {
            let (prefix, other) = (prefix.clone(), other.clone());
            return Err(PrefixOverlap::Given { prefix, other });
        }
    }
    Ok(())
}

/// Bytes of a prefix beside its text, in the tracker and in the table of all prefixes.
const PREFIX_BYTES: usize = 128;
