//! CLIENT TRACKING and its siblings: client-side caching as a connection asks for it. What is remembered is the engine's.

use bytes::Bytes;
use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::{
    EngineCommand, Flow, Handler, PrefixOverlap, SessionCtx, Tracking, TrackingMode, TrackingWish,
};

use super::super::error::RowError;

pub(super) const CLIENT_CACHING: EngineCommand = EngineCommand {
    name: "caching",
    group: Group::Connection,
    since: "6.0.0",
    summary: "Says whether the keys of the next call are tracked.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_caching),
};

fn client_caching(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let mode = ctx.session.tracking.mode();
    if mode == TrackingMode::Off {
        return Err(RowError::CachingUntracked.into());
    }
    let answers = [("YES", TrackingMode::OptIn), ("NO", TrackingMode::OptOut)];
    let wanted = args.one_of(&answers).ok_or(CommandError::Syntax)?;
    if mode != wanted {
        return Err(match wanted {
            TrackingMode::OptIn => RowError::CachingYes.into(),
            _ => RowError::CachingNo.into(),
        });
    }
    ctx.session.tracking.give_caching();
    Ok(Reply::Ok.into())
}

pub(super) const CLIENT_GETREDIR: EngineCommand = EngineCommand {
    name: "getredir",
    group: Group::Connection,
    since: "6.0.0",
    summary: "Tells which connection gets the invalidations of this one.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_getredir),
};

fn client_getredir(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Reply::Integer(ctx.session.client.redirect()).into())
}

pub(super) const CLIENT_TRACKING: EngineCommand = EngineCommand {
    name: "tracking",
    group: Group::Connection,
    since: "6.0.0",
    summary: "Tells the connection when keys that it has read change.",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_tracking),
};

fn client_tracking(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let mut state = Args::new(args.take(1)?);
    let options = Options::parse(ctx, args)?;
    match state.one_of(&[("ON", true), ("OFF", false)]) {
        Some(true) => start(options.wish(ctx.session.tracking)?),
        Some(false) => {
            ctx.engine.pubsub.stop_tracking(&mut ctx.session.tracking);
            Ok(Reply::Ok.into())
        }
        None => Err(CommandError::Syntax),
    }
}

/// Starts to track while every shard is held, so that no change is missed from then on.
fn start(wish: TrackingWish) -> Result<Flow, CommandError> {
    Ok(Flow::everything(move |held| {
        let session = &mut *held.session;
        let pubsub = &held.engine.pubsub;
        pubsub
            .track(&session.client, &mut session.tracking, &wish)
            .map_err(RowError::PrefixOverlap)?;
        if !held.world.audience.changes {
            held.change_world(|world| world.audience.changes = true);
        }
        Ok(Reply::Ok)
    }))
}

/// The options of CLIENT TRACKING.
#[derive(Default)]
struct Options {
    redirect: Option<u64>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<Bytes>,
}

impl Options {
    fn parse(ctx: &SessionCtx<'_>, mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.flag("REDIRECT") && !args.is_empty() {
                if options.redirect.is_some() {
                    return Err(RowError::RedirectTwice.into());
                }
                let id = u64::try_from(args.int()?).ok();
                let target = id.filter(|id| ctx.engine.clients.find(*id).is_some());
                options.redirect = Some(target.ok_or(RowError::RedirectTarget)?);
            } else if args.flag("BCAST") {
                options.broadcast = true;
            } else if args.flag("OPTIN") {
                options.opt_in = true;
            } else if args.flag("OPTOUT") {
                options.opt_out = true;
            } else if args.flag("NOLOOP") {
                options.no_loop = true;
            } else if args.flag("PREFIX") && !args.is_empty() {
                options.prefixes.push(Bytes::copy_from_slice(args.bytes()?));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// What the options ask for, when they agree with one another and with how the connection tracks by now.
    fn wish(self, tracking: Tracking) -> Result<TrackingWish, RowError> {
        let now = tracking.mode();
        let was_broadcast = now == TrackingMode::Broadcast;
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(RowError::PrefixWithoutBroadcast);
        }
        if now != TrackingMode::Off && was_broadcast != self.broadcast {
            return Err(RowError::BroadcastSwitch);
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(RowError::BroadcastWithOption);
        }
        if self.opt_in && self.opt_out {
            return Err(RowError::BothOptions);
        }
        if self.opt_in && now == TrackingMode::OptOut || self.opt_out && now == TrackingMode::OptIn
        {
            return Err(RowError::OptionSwitch);
        }
        let mode = match self {
            Self {
                broadcast: true, ..
            } => TrackingMode::Broadcast,
            Self { opt_in: true, .. } => TrackingMode::OptIn,
            Self { opt_out: true, .. } => TrackingMode::OptOut,
            _ => TrackingMode::Reads,
        };
        Ok(TrackingWish {
            mode,
            redirect: self.redirect,
            no_loop: self.no_loop,
            prefixes: self.prefixes,
        })
    }
}

pub(super) const CLIENT_TRACKINGINFO: EngineCommand = EngineCommand {
    name: "trackinginfo",
    group: Group::Connection,
    since: "6.2.0",
    summary: "Tells the state of tracking on the connection.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_trackinginfo),
};

fn client_trackinginfo(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let tracking = ctx.session.tracking;
    let info = ctx.engine.pubsub.tracking_info(tracking);
    let redirect = ctx.session.client.redirect();
    let caching = tracking.is_caching_given();
    let mut flags: Vec<&str> = match tracking.mode() {
        TrackingMode::Off => vec!["off"],
        TrackingMode::Reads => vec!["on"],
        TrackingMode::Broadcast => vec!["on", "bcast"],
        TrackingMode::OptIn if caching => vec!["on", "optin", "caching-yes"],
        TrackingMode::OptIn => vec!["on", "optin"],
        TrackingMode::OptOut if caching => vec!["on", "optout", "caching-no"],
        TrackingMode::OptOut => vec!["on", "optout"],
    };
    if info.no_loop {
        flags.push("noloop");
    }
    if info.is_broken {
        flags.push("broken_redirect");
    }
    let mut out = ctx.out();
    out.map(3);
    out.bulk(b"flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"redirect");
    out.integer(redirect);
    out.bulk(b"prefixes");
    out.array(info.prefixes.len());
    info.prefixes.iter().for_each(|prefix| out.bulk(prefix));
    ctx.written()
}

impl RowError {
    /// The text about a prefix that overlaps with another one.
    pub(in crate::rows) fn of_overlap(overlap: &PrefixOverlap) -> String {
        let (what, prefix, other) = match overlap {
            PrefixOverlap::Existing { prefix, other } => ("an existing", prefix, other),
            PrefixOverlap::Given { prefix, other } => ("another provided", prefix, other),
        };
        format!(
            "ERR Prefix '{}' overlaps with {what} prefix '{}'. Prefixes for a single client must not overlap.",
            String::from_utf8_lossy(prefix),
            String::from_utf8_lossy(other),
        )
    }
}
