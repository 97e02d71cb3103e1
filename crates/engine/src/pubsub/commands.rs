//! SUBSCRIBE and its siblings, PUBLISH, SPUBLISH, PUBSUB.

use super::Topic;
use crate::clients::flag;
use crate::engine::Engine;
use crate::handler::{EngineCommand, Flow, Handler};
use crate::locks::ShardSet;
use crate::session::Session;
use crate::session_ctx::SessionCtx;
use ::commands::keys::{KeyFlags, KeySpec};
use ::commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use bytes::Bytes;
use resp::Writer;
use std::sync::atomic::Ordering::Relaxed;

/// The rows of this module, in documentation order.
pub const COMMANDS: &[&EngineCommand] = &[
    &PSUBSCRIBE,
    &PUBLISH,
    &PUBSUB,
    &PUNSUBSCRIBE,
    &SPUBLISH,
    &SSUBSCRIBE,
    &SUBSCRIBE,
    &SUNSUBSCRIBE,
    &UNSUBSCRIBE,
];

const PUBLISH: EngineCommand = EngineCommand {
    name: "publish",
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Sends a message to the subscribers of a channel.",
    complexity: "O(N+M) in the channel's subscribers and all patterns",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::FAST
        .union(Flags::LOADING)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::MAY_REPLICATE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(publish),
};

fn publish(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    send(ctx, Topic::Channel, args.bytes()?, args.bytes()?)
}

const SPUBLISH: EngineCommand = EngineCommand {
    name: "spublish",
    group: Group::PubSub,
    since: "7.0.0",
    summary: "Sends a message to the subscribers of a shard channel.",
    complexity: "O(N) in the channel's subscribers",
    arity: Arity::Exact(3),
    keys: &[KeySpec::one(KeyFlags::NOT_KEY, 1)],
    flags: Flags::FAST
        .union(Flags::LOADING)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::MAY_REPLICATE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(spublish),
};

fn spublish(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    send(ctx, Topic::ShardChannel, args.bytes()?, args.bytes()?)
}

const SUBSCRIBE: EngineCommand = EngineCommand {
    name: "subscribe",
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Listens to channels.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(subscribe),
};

fn subscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    join(ctx, Topic::Channel, args.rest())
}

const UNSUBSCRIBE: EngineCommand = EngineCommand {
    name: "unsubscribe",
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Stops listening to channels, or to all of them.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(unsubscribe),
};

fn unsubscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    leave(ctx, Topic::Channel, args.rest());
    ctx.written()
}

const PSUBSCRIBE: EngineCommand = EngineCommand {
    name: "psubscribe",
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Listens to all channels whose names match patterns.",
    complexity: "O(N) in the patterns",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(psubscribe),
};

fn psubscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    join(ctx, Topic::Pattern, args.rest())
}

const PUNSUBSCRIBE: EngineCommand = EngineCommand {
    name: "punsubscribe",
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Stops listening to patterns, or to all of them.",
    complexity: "O(N) in the patterns",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(punsubscribe),
};

fn punsubscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    leave(ctx, Topic::Pattern, args.rest());
    ctx.written()
}

const SSUBSCRIBE: EngineCommand = EngineCommand {
    name: "ssubscribe",
    group: Group::PubSub,
    since: "7.0.0",
    summary: "Listens to shard channels.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::range(KeyFlags::NOT_KEY, 1, -1, 1)],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(ssubscribe),
};

fn ssubscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    join(ctx, Topic::ShardChannel, args.rest())
}

const SUNSUBSCRIBE: EngineCommand = EngineCommand {
    name: "sunsubscribe",
    group: Group::PubSub,
    since: "7.0.0",
    summary: "Stops listening to shard channels, or to all of them.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(1),
    keys: &[KeySpec::range(KeyFlags::NOT_KEY, 1, -1, 1)],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::PUBSUB)
        .union(Flags::STALE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(sunsubscribe),
};

fn sunsubscribe(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    leave(ctx, Topic::ShardChannel, args.rest());
    ctx.written()
}

const PUBSUB: EngineCommand = EngineCommand {
    name: "pubsub",
    group: Group::PubSub,
    since: "2.8.0",
    summary: "Tells about channels and their subscribers.",
    complexity: "That of the subcommand",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &PUBSUB_CHANNELS,
        &PUBSUB_HELP,
        &PUBSUB_NUMPAT,
        &PUBSUB_NUMSUB,
        &PUBSUB_SHARDCHANNELS,
        &PUBSUB_SHARDNUMSUB,
    ],
    handler: Handler::Container,
};

const PUBSUB_CHANNELS: EngineCommand = EngineCommand {
    name: "channels",
    group: Group::PubSub,
    since: "2.8.0",
    summary: "Names the channels that have subscribers.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::PUBSUB).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_channels),
};

fn pubsub_channels(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    list_names(ctx, Topic::Channel, args)
}

const PUBSUB_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::PubSub,
    since: "6.2.0",
    summary: "Lists the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_help),
};

fn pubsub_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    commands::write_help(
        &mut ctx.out(),
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    );
    ctx.written()
}

const PUBSUB_NUMPAT: EngineCommand = EngineCommand {
    name: "numpat",
    group: Group::PubSub,
    since: "2.8.0",
    summary: "Counts the patterns that have subscribers.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::PUBSUB).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_numpat),
};

fn pubsub_numpat(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::Reply(Reply::from(
        ctx.engine.pubsub.count(Topic::Pattern),
    )))
}

const PUBSUB_NUMSUB: EngineCommand = EngineCommand {
    name: "numsub",
    group: Group::PubSub,
    since: "2.8.0",
    summary: "Counts the subscribers of channels.",
    complexity: "O(N) in the channels asked for",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::PUBSUB).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_numsub),
};

fn pubsub_numsub(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    count_subscribers(ctx, Topic::Channel, args.rest())
}

const PUBSUB_SHARDCHANNELS: EngineCommand = EngineCommand {
    name: "shardchannels",
    group: Group::PubSub,
    since: "7.0.0",
    summary: "Names the shard channels that have subscribers.",
    complexity: "O(N) in the channels",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::PUBSUB).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_shardchannels),
};

fn pubsub_shardchannels(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    list_names(ctx, Topic::ShardChannel, args)
}

const PUBSUB_SHARDNUMSUB: EngineCommand = EngineCommand {
    name: "shardnumsub",
    group: Group::PubSub,
    since: "7.0.0",
    summary: "Counts the subscribers of shard channels.",
    complexity: "O(N) in the channels asked for",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::PUBSUB).union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(pubsub_shardnumsub),
};

fn pubsub_shardnumsub(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    count_subscribers(ctx, Topic::ShardChannel, args.rest())
}

/// Sends a message while the shard of its channel is held, so that a pause cannot begin in between.
fn send(
    ctx: &SessionCtx<'_>,
    topic: Topic,
    channel: &[u8],
    payload: &[u8],
) -> Result<Flow, CommandError> {
    let shards = ShardSet::one(ctx.engine.locks.shard_of(channel));
    let (channel, payload) = (
        Bytes::copy_from_slice(channel),
        Bytes::copy_from_slice(payload),
    );
    Ok(Flow::Hold(
        shards,
        Box::new(move |held| {
            Ok(Reply::from(
                held.engine.pubsub.publish(topic, &channel, &payload),
            ))
        }),
    ))
}

fn join(ctx: &mut SessionCtx<'_>, topic: Topic, names: &[&[u8]]) -> Result<Flow, CommandError> {
    // Channels and patterns may be subscribed to inside MULTI, as ever; shard channels came later and may not.
    if ctx.in_exec && topic == Topic::ShardChannel {
        return Err(CommandError::SsubscribeInExec);
    }
    for name in names {
        let name = Bytes::copy_from_slice(name);
        if ctx.session.subscriptions.insert(topic, name.clone()) {
            ctx.engine
                .pubsub
                .subscribe(topic, &name, &ctx.session.client);
        }
        confirm(ctx, topic.subscribe_word(), topic, Some(&name));
    }
    ctx.written()
}

fn leave(ctx: &mut SessionCtx<'_>, topic: Topic, names: &[&[u8]]) {
    let names: Vec<Bytes> = if names.is_empty() {
        ctx.session
            .subscriptions
            .of(topic)
            .iter()
            .cloned()
            .collect()
    } else {
        names
            .iter()
            .map(|name| Bytes::copy_from_slice(name))
            .collect()
    };
    for name in &names {
        if ctx.session.subscriptions.remove(topic, name) {
            ctx.engine
                .pubsub
                .unsubscribe(topic, name, &ctx.session.client);
        }
        confirm(ctx, topic.unsubscribe_word(), topic, Some(name));
    }
    if names.is_empty() {
        confirm(ctx, topic.unsubscribe_word(), topic, None);
    }
}

/// Ends all subscriptions without a word: RESET, and the end of a connection.
pub fn leave_all(engine: &Engine, session: &mut Session) {
    let subscriptions = std::mem::take(&mut session.subscriptions);
    for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
        for name in subscriptions.of(topic) {
            engine.pubsub.unsubscribe(topic, name, &session.client);
        }
    }
    publish_counts(session);
}

/// Confirms one subscription or its end, with the count that is left: of channels and patterns together, or of shard
/// channels.
fn confirm(ctx: &mut SessionCtx<'_>, word: &'static str, topic: Topic, name: Option<&[u8]>) {
    publish_counts(ctx.session);
    let count = match topic {
        Topic::Channel | Topic::Pattern => ctx.session.subscriptions.channels_and_patterns(),
        Topic::ShardChannel => ctx.session.subscriptions.shard_channels(),
    };
    // A message rather than a reply: CLIENT REPLY does not hold it back (CLIENT_PUSHING, Redis 7.2).
    let Session { out, proto, .. } = &mut *ctx.session;
    let mut out = Writer::new(out, *proto);
    out.push(3);
    out.bulk(word.as_bytes());
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.integer(count as i64);
}

fn publish_counts(session: &Session) {
    let shown = &session.client.shown;
    let subscriptions = &session.subscriptions;
    let counts = [
        (&shown.sub, Topic::Channel),
        (&shown.psub, Topic::Pattern),
        (&shown.ssub, Topic::ShardChannel),
    ];
    for (counter, topic) in counts {
        counter.store(
            u32::try_from(subscriptions.of(topic).len()).unwrap_or(u32::MAX),
            Relaxed,
        );
    }
    let bytes = subscriptions.memory() as u64;
    shown.sub_mem.store(bytes, Relaxed);
    session
        .client
        .set_flag(flag::PUBSUB, !subscriptions.is_empty());
}

fn list_names(
    ctx: &mut SessionCtx<'_>,
    topic: Topic,
    mut args: Args<'_>,
) -> Result<Flow, CommandError> {
    let pattern = args.next_word();
    args.finish()?;
    let names = ctx.engine.pubsub.names(topic, pattern);
    let mut out = ctx.messages();
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name));
    ctx.written()
}

fn count_subscribers(
    ctx: &mut SessionCtx<'_>,
    topic: Topic,
    names: &[&[u8]],
) -> Result<Flow, CommandError> {
    let engine = ctx.engine;
    let mut out = ctx.out();
    out.array(names.len() * 2);
    for name in names {
        out.bulk(name);
        out.integer(engine.pubsub.subscribers(topic, name) as i64);
    }
    ctx.written()
}

impl Topic {
    fn subscribe_word(self) -> &'static str {
        match self {
            Self::Channel => "subscribe",
            Self::Pattern => "psubscribe",
            Self::ShardChannel => "ssubscribe",
        }
    }

    fn unsubscribe_word(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::ShardChannel => "sunsubscribe",
        }
    }
}
