//! Commands of one connection: PING, ECHO, QUIT, RESET, HELLO, AUTH, SELECT.

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::clients::flag;
use engine::{EngineCommand, Flow, Handler, ReplyMode, SessionCtx, pubsub, transaction};
use resp::Proto;

use super::error::RowError;
use super::{passwords, server};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] =
    &[&AUTH, &ECHO, &HELLO, &PING, &QUIT, &RESET, &SELECT];

const PING: EngineCommand = EngineCommand {
    name: "ping",
    group: Group::Connection,
    since: "1.0.0",
    summary: "Answers PONG, or with what it is given.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::FAST
        .union(Flags::SUBSCRIBER)
        .union(Flags::TELLS_HEALTH),
    categories: Categories::CONNECTION,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(ping),
};

fn ping(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    match args.peek_all() {
        words @ ([] | [_]) if is_subscriber(ctx) => {
            let mut out = ctx.out();
            out.array(2);
            out.bulk(b"pong");
            out.bulk(words.first().copied().unwrap_or_default());
            ctx.written()
        }
        [] => Ok(Reply::Simple("PONG").into()),
        [message] => {
            ctx.out().bulk(message);
            ctx.written()
        }
        _ => Err(CommandError::Arity("ping".into())),
    }
}

/// A RESP2 client that gets messages could take another reply for one.
fn is_subscriber(ctx: &SessionCtx<'_>) -> bool {
    ctx.session.proto == Proto::Resp2 && !ctx.session.subscriptions.is_empty()
}

const ECHO: EngineCommand = EngineCommand {
    name: "echo",
    group: Group::Connection,
    since: "1.0.0",
    summary: "Answers with what it is given.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(echo),
};

fn echo(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let message = args.bytes()?;
    ctx.out().bulk(message);
    ctx.written()
}

const QUIT: EngineCommand = EngineCommand {
    name: "quit",
    group: Group::Connection,
    since: "1.0.0",
    summary: "Closes the connection.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ALLOW_BUSY
        .union(Flags::FAST)
        .union(Flags::LOADING)
        .union(Flags::NO_AUTH)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::IMMEDIATE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(quit),
};

fn quit(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::Close(Reply::Ok))
}

const RESET: EngineCommand = EngineCommand {
    name: "reset",
    group: Group::Connection,
    since: "6.2.0",
    summary: "Puts the connection back into the state that a new one has.",
    complexity: "O(1)",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::ALLOW_BUSY
        .union(Flags::FAST)
        .union(Flags::LOADING)
        .union(Flags::NO_AUTH)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::IMMEDIATE)
        .union(Flags::SUBSCRIBER),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(reset),
};

fn reset(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    pubsub::leave_all(ctx.engine, ctx.session);
    ctx.engine.monitors.leave(&ctx.session.client);
    let session = &mut *ctx.session;
    ctx.engine.pubsub.stop_tracking(&mut session.tracking);
    session.select(0);
    session.speak(Proto::Resp2);
    session.authenticated = !ctx.world.password_required;
    session.reply = ReplyMode::On;
    session.no_touch = false;
    for bit in [
        flag::NO_EVICT,
        flag::NO_TOUCH,
        flag::REPLY_OFF,
        flag::REDIRECT,
    ] {
        session.client.set_flag(bit, false);
    }
    let mut names = session.client.names.lock();
    names.name.clear();
    names.user = DEFAULT_USER.to_vec();
    drop(names);
    Ok(transaction::abandon(ctx, Reply::Simple("RESET")))
}

const HELLO: EngineCommand = EngineCommand {
    name: "hello",
    group: Group::Connection,
    since: "6.0.0",
    summary: "Introduces client and server to each other, and chooses the version of RESP.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ALLOW_BUSY
        .union(Flags::FAST)
        .union(Flags::LOADING)
        .union(Flags::NO_AUTH)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(hello),
};

fn hello(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let seen = usize::from(!args.is_empty());
    let proto = if args.is_empty() {
        None
    } else {
        match args.int_or(RowError::ProtocolVersion.into())? {
            2 => Some(Proto::Resp2),
            3 => Some(Proto::Resp3),
            _ => return Err(RowError::UnsupportedProtocol.into()),
        }
    };
    let (mut credentials, mut name) = (None, None);
    let count = args.len() + seen;
    while let Some(option) = args.next_word() {
        if option.eq_ignore_ascii_case(b"AUTH") && args.len() >= 2 {
            let at = count - args.len();
            ctx.hide(at);
            ctx.hide(at + 1);
            credentials = Some((args.bytes()?, args.bytes()?));
        } else if option.eq_ignore_ascii_case(b"SETNAME") && !args.is_empty() {
            name = Some(super::client::valid_name(args.bytes()?)?);
        } else {
            return Err(RowError::HelloOption(option.into()).into());
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(ctx, user, password)?;
    }
    if !ctx.session.authenticated {
        return Err(RowError::HelloUnauthenticated.into());
    }
    if let Some(name) = name {
        ctx.session.client.names.lock().name = name.to_vec();
    }
    if let Some(proto) = proto {
        ctx.session.speak(proto);
    }
    introduce(ctx);
    ctx.written()
}

fn introduce(ctx: &mut SessionCtx<'_>) {
    let (proto, id) = (ctx.session.proto, ctx.session.client.id);
    let mut out = ctx.out();
    out.map(7);
    out.bulk(b"server");
    out.bulk(b"redis");
    out.bulk(b"version");
    out.bulk(config::REDIS_VERSION.as_bytes());
    out.bulk(b"proto");
    out.integer(match proto {
        Proto::Resp2 => 2,
        Proto::Resp3 => 3,
    });
    out.bulk(b"id");
    out.integer(id as i64);
    out.bulk(b"mode");
    out.bulk(b"standalone");
    out.bulk(b"role");
    out.bulk(b"master");
    out.bulk(b"modules");
    out.array(0);
}

const AUTH: EngineCommand = EngineCommand {
    name: "auth",
    group: Group::Connection,
    since: "1.0.0",
    summary: "Authenticates the connection.",
    complexity: "O(1) in the number of passwords of the user",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ALLOW_BUSY
        .union(Flags::FAST)
        .union(Flags::LOADING)
        .union(Flags::NO_AUTH)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(auth),
};

fn auth(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    if args.len() <= 2 {
        (0..args.len()).for_each(|argument| ctx.hide(argument));
    }
    let (user, password) = match args.peek_all() {
        [_] if server(ctx).password().is_none() => {
            return Err(RowError::NoPasswordConfigured.into());
        }
        [password] => (DEFAULT_USER, *password),
        [user, password] => (*user, *password),
        _ => return Err(CommandError::Syntax),
    };
    authenticate(ctx, user, password)?;
    Ok(Reply::Ok.into())
}

/// The only user that there is.
const DEFAULT_USER: &[u8] = b"default";

/// Makes the session one of `user`. Without `requirepass` the default user takes any password.
fn authenticate(ctx: &mut SessionCtx<'_>, user: &[u8], password: &[u8]) -> Result<(), RowError> {
    let server = server(ctx);
    let admitted = user == DEFAULT_USER
        && server
            .password()
            .is_none_or(|expected| passwords::are_equal(&expected, password));
    if !admitted {
        server
            .counters
            .denied
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return Err(RowError::WrongPassword);
    }
    ctx.session.authenticated = true;
    ctx.session.client.names.lock().user = user.to_vec();
    Ok(())
}

const SELECT: EngineCommand = EngineCommand {
    name: "select",
    group: Group::Connection,
    since: "1.0.0",
    summary: "Selects the database of the connection.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(select),
};

fn select(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let index = args.int()?;
    let bounds = i64::from(i32::MIN)..=i64::from(i32::MAX);
    if !bounds.contains(&index) {
        return Err(RowError::NotBetween(*bounds.start(), *bounds.end()).into());
    }
    let databases = ctx.world.settings.databases;
    let db = u16::try_from(index)
        .ok()
        .filter(|db| *db < databases)
        .ok_or(CommandError::DbIndexOutOfRange)?;
    ctx.session.select(db);
    Ok(Reply::Ok.into())
}
