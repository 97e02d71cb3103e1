//! Publish and subscribe: who listens to what, and the delivery of messages.
//!
//! **Invariant**: one mutex over all subscriptions, and over the records of tracking, gives all messages one order: two
//! subscribers of the same two channels see the messages of two publishers in the same order.

mod commands;
mod subscriptions;

pub use commands::COMMANDS;
pub use commands::leave_all;
pub use subscriptions::Subscriptions;

use crate::clients::Client;
use crate::tracking::Trackers;
use ::commands::{EventClass, KeyEvent};
use bytes::Bytes;
use parking_lot::Mutex;
use resp::{Output, Proto, Writer};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use store::glob::matches;

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A channel.
    Channel,
    /// A pattern of channel names.
    Pattern,
    /// A channel of a cluster's shard.
    ShardChannel,
}

/// All subscriptions of the server, and what its tracking clients have read.
#[derive(Debug, Default)]
pub struct PubSub {
    pub(crate) lists: Mutex<Lists>,
    /// Bytes of messages that may wait for one subscriber (client-output-buffer-limit pubsub, hard); 0 for no limit.
    pub(crate) waiting_max: AtomicUsize,
}

/// Subscribers by what they subscribed to, each list in the order of subscription, and those who track keys.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    by_topic: [HashMap<Bytes, Vec<Arc<Client>>>; 3],
    pub(crate) trackers: Trackers,
}

/// A message in both versions of RESP, each encoded when the first subscriber needs it.
struct Message<'m> {
    words: &'m [&'m [u8]],
    encoded: [Option<Bytes>; 2],
}

impl PubSub {
    /// Sets how many bytes of messages may wait for one subscriber; 0 for no limit.
    pub fn limit_waiting(&self, bytes: usize) {
        self.waiting_max.store(bytes, Relaxed);
    }

    /// Delivers a message to the subscribers of a channel, then to those of matching patterns; to how many.
    pub fn publish(&self, topic: Topic, channel: &[u8], payload: &[u8]) -> usize {
        let limit = self.waiting_max.load(Relaxed);
        let lists = self.lists.lock();
        let kind: &[u8] = if topic == Topic::ShardChannel {
            b"smessage"
        } else {
            b"message"
        };
        let mut receivers = 0;
        if let Some(subscribers) = lists.of(topic).get(channel) {
            let words = [kind, channel, payload];
            let mut message = Message::new(&words);
            subscribers
                .iter()
                .for_each(|client| message.send(client, limit));
            receivers += subscribers.len();
        }
        if topic == Topic::Channel {
            for (pattern, subscribers) in lists.of(Topic::Pattern) {
                if matches(pattern, channel) {
                    let words = [b"pmessage".as_slice(), pattern, channel, payload];
                    let mut message = Message::new(&words);
                    subscribers
                        .iter()
                        .for_each(|client| message.send(client, limit));
                    receivers += subscribers.len();
                }
            }
        }
        receivers
    }

    /// Publishes keyspace events: on the key's channel with `K`, on the event's channel with `E` (notifyKeyspaceEvent).
    pub(crate) fn notify(&self, events: &[KeyEvent], wanted: EventClass) {
        for KeyEvent { name, key, db, .. } in events {
            if wanted.contains(EventClass::KEYSPACE) {
                let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
                self.publish(Topic::Channel, &channel, name.as_bytes());
            }
            if wanted.contains(EventClass::KEYEVENT) {
                self.publish(
                    Topic::Channel,
                    format!("__keyevent@{db}__:{name}").as_bytes(),
                    key,
                );
            }
        }
    }

    /// How many different channels, patterns or shard channels have a subscriber.
    #[must_use]
    pub fn count(&self, topic: Topic) -> usize {
        self.lists.lock().of(topic).len()
    }

    fn subscribe(&self, topic: Topic, name: &Bytes, client: &Arc<Client>) {
        self.lists
            .lock()
            .of_mut(topic)
            .entry(name.clone())
            .or_default()
            .push(Arc::clone(client));
    }

    fn unsubscribe(&self, topic: Topic, name: &[u8], client: &Client) {
        let mut lists = self.lists.lock();
        if let Some(subscribers) = lists.of_mut(topic).get_mut(name) {
            subscribers.retain(|other| other.id != client.id);
            if subscribers.is_empty() {
                lists.of_mut(topic).remove(name);
            }
        }
    }

    /// How many subscribers a channel has.
    fn subscribers(&self, topic: Topic, name: &[u8]) -> usize {
        self.lists.lock().of(topic).get(name).map_or(0, Vec::len)
    }

    /// The names with subscribers that match a pattern.
    fn names(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let lists = self.lists.lock();
        let names = lists.of(topic).keys();
        names
            .filter(|name| pattern.is_none_or(|pattern| matches(pattern, name)))
            .cloned()
            .collect()
    }
}

impl Lists {
    fn of(&self, topic: Topic) -> &HashMap<Bytes, Vec<Arc<Client>>> {
        &self.by_topic[topic as usize]
    }

    fn of_mut(&mut self, topic: Topic) -> &mut HashMap<Bytes, Vec<Arc<Client>>> {
        &mut self.by_topic[topic as usize]
    }
}

impl<'m> Message<'m> {
    fn new(words: &'m [&'m [u8]]) -> Self {
        Self {
            words,
            encoded: [None, None],
        }
    }

    fn send(&mut self, client: &Client, limit: usize) {
        let proto = client.proto();
        let words = self.words;
        let encoded = self.encoded[usize::from(proto == Proto::Resp3)]
            .get_or_insert_with(|| encode(words, proto));
        client.inbox.push(encoded.clone(), limit);
    }
}

/// A push of bulk strings.
pub(crate) fn encode(words: &[&[u8]], proto: Proto) -> Bytes {
    let mut out = Output::default();
    let mut writer = Writer::new(&mut out, proto);
    writer.push(words.len());
    words.iter().for_each(|word| writer.bulk(word));
    out.to_bytes()
}
