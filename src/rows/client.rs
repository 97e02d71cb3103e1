//! CLIENT: what connections are called, who they are, and how they are ended, paused and silenced.

mod filter;
mod tracking;

use std::sync::Arc;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use engine::clients::{Client, Names, flag};
use engine::{EngineCommand, Flow, Handler, Parting, Pause, PauseScope, ReplyMode, SessionCtx};

use self::filter::{ClientFilter, Purpose};
use self::tracking::{CLIENT_CACHING, CLIENT_GETREDIR, CLIENT_TRACKING, CLIENT_TRACKINGINFO};
use super::error::RowError;
use super::help;
use crate::{client_info, client_memory};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&CLIENT];

const CLIENT: EngineCommand = EngineCommand {
    name: "client",
    group: Group::Connection,
    since: "2.4.0",
    summary: "Holds the commands about connections.",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::KEEPS_CACHING,
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[
        &CLIENT_CACHING,
        &CLIENT_CAPA,
        &CLIENT_GETNAME,
        &CLIENT_GETREDIR,
        &CLIENT_HELP,
        &CLIENT_ID,
        &CLIENT_INFO,
        &CLIENT_KILL,
        &CLIENT_LIST,
        &CLIENT_NO_EVICT,
        &CLIENT_NO_TOUCH,
        &CLIENT_PAUSE,
        &CLIENT_REPLY,
        &CLIENT_SETINFO,
        &CLIENT_SETNAME,
        &CLIENT_TRACKING,
        &CLIENT_TRACKINGINFO,
        &CLIENT_UNBLOCK,
        &CLIENT_UNPAUSE,
    ],
    handler: Handler::Container,
};

const CLIENT_CAPA: EngineCommand = EngineCommand {
    name: "capa",
    group: Group::Connection,
    since: "8.0.0",
    summary: "Says what the client can do.",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ALLOW_BUSY
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_capa),
};

/// Capabilities that are not known are passed over (Valkey 8.0).
fn client_capa(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let mut words = args.rest().iter();
    if words.any(|word| word.eq_ignore_ascii_case(b"REDIRECT")) {
        ctx.session.client.set_flag(flag::REDIRECT, true);
    }
    Ok(Reply::Ok.into())
}

const CLIENT_GETNAME: EngineCommand = EngineCommand {
    name: "getname",
    group: Group::Connection,
    since: "2.6.9",
    summary: "Tells the name of the connection.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_getname),
};

fn client_getname(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let name = ctx.session.client.names.lock().name.clone();
    if name.is_empty() {
        return Ok(Reply::Nil.into());
    }
    ctx.out().bulk(&name);
    ctx.written()
}

const CLIENT_HELP: EngineCommand = EngineCommand {
    name: "help",
    group: Group::Connection,
    since: "5.0.0",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_help),
};

fn client_help(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    help::write(ctx, "CLIENT", HELP)
}

const HELP: help::Lines = &[
    (
        "CACHING (YES|NO)",
        &["Choose whether the keys of the next call are tracked, with OPTIN or OPTOUT."],
    ),
    (
        "CAPA <option> [<option> ...]",
        &[
            "Say what this client can do:",
            "* REDIRECT: follow a redirection to another server.",
        ],
    ),
    ("GETNAME", &["The name of this connection."]),
    (
        "GETREDIR",
        &["The id of the connection that gets the invalidations of this one."],
    ),
    ("ID", &["The id of this connection."]),
    ("INFO", &["The line that LIST has for this connection."]),
    ("KILL <ip:port>", &["End the connection from this address."]),
    (
        "KILL <option> <value> [<option> <value> [...]]",
        &[
            "End every connection to which all of the options apply:",
            "* ID <clientid> [<clientid> ...]",
            "  It is one of these.",
            "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "  Its kind.",
            "* ADDR (<ip:port>|<unixsocket>:0), LADDR, IP <ip>",
            "  Its remote address, its local address, its remote address without the port.",
            "* USER <username>, NAME <name>, LIB-NAME <name>, LIB-VER <version>",
            "  Its user, its name, its library and the version of that.",
            "* FLAGS <flags>, CAPA <capa>, DB <db>",
            "  It has all of these flags or capabilities; it uses this database.",
            "* NOT-<option> <value>",
            "  One of the options above does not apply.",
            "* MAXAGE <seconds>, IDLE <seconds>",
            "  It is so old, or idle for so long, at least.",
            "* SKIPME (YES|NO)",
            "  Whether this connection is spared (default: yes).",
        ],
    ),
    (
        "LIST [options ...]",
        &[
            "A line for each connection. Options are those of KILL; this connection is listed",
            "unless SKIPME says otherwise.",
        ],
    ),
    (
        "NO-EVICT (ON|OFF)",
        &["Spare this connection when memory runs short."],
    ),
    (
        "NO-TOUCH (ON|OFF)",
        &["Leave the access times of keys as they are."],
    ),
    (
        "PAUSE <timeout> [WRITE|ALL]",
        &["Hold back all commands, or only those that write, for so many milliseconds."],
    ),
    (
        "REPLY (ON|OFF|SKIP)",
        &["Choose whether this connection gets replies."],
    ),
    ("SETNAME <name>", &["Give this connection a name."]),
    (
        "SETINFO <option> <value>",
        &[
            "Describe the library of this connection:",
            "* LIB-NAME: what it is called.",
            "* LIB-VER: its version.",
        ],
    ),
    (
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        &[
            "         [OPTIN] [OPTOUT] [NOLOOP]",
            "Be told when keys change that this connection has read.",
        ],
    ),
    (
        "TRACKINGINFO",
        &["The state of tracking on this connection."],
    ),
    (
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        &["End the wait of a blocked connection."],
    ),
    ("UNPAUSE", &["End a pause."]),
];

const CLIENT_ID: EngineCommand = EngineCommand {
    name: "id",
    group: Group::Connection,
    since: "5.0.0",
    summary: "Tells the id of the connection.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_id),
};

fn client_id(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Reply::Integer(ctx.session.client.id as i64).into())
}

const CLIENT_INFO: EngineCommand = EngineCommand {
    name: "info",
    group: Group::Connection,
    since: "6.2.0",
    summary: "Describes the connection.",
    complexity: "O(1)",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(client_info),
};

fn client_info(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let client = Arc::clone(&ctx.session.client);
    write_lines(ctx, &[client])
}

const CLIENT_KILL: EngineCommand = EngineCommand {
    name: "kill",
    group: Group::Connection,
    since: "2.4.0",
    summary: "Ends connections.",
    complexity: "O(N) in the number of connections",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_kill),
};

fn client_kill(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let (filter, old_form) = match args.peek_all() {
        [address] => (ClientFilter::by_address(address), true),
        _ => (parse_filter(ctx, args, Purpose::Kill)?, false),
    };
    let (own, now_ms) = (ctx.session.client.id, ctx.now.ms());
    let doomed: Vec<_> = ctx
        .engine
        .clients
        .all()
        .into_iter()
        .filter(|client| filter.matches(client, own, now_ms))
        .collect();
    doomed
        .iter()
        .filter(|client| client.id != own)
        .for_each(|client| client.inbox.kill());
    let reply = match (old_form, doomed.len()) {
        (true, 0) => return Err(RowError::NoSuchClient.into()),
        (true, _) => Reply::Ok,
        (false, killed) => Reply::from(killed),
    };
    if doomed.iter().any(|client| client.id == own) {
        Ok(Flow::Close(reply))
    } else {
        Ok(reply.into())
    }
}

const CLIENT_LIST: EngineCommand = EngineCommand {
    name: "list",
    group: Group::Connection,
    since: "2.4.0",
    summary: "Describes every connection, or some.",
    complexity: "O(N) in the number of connections",
    arity: Arity::AtLeast(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Session(client_list),
};

fn client_list(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let clients = &ctx.engine.clients;
    let listed = match args.peek_all() {
        [] => clients.all(),
        [option, first, rest @ ..]
            if option.eq_ignore_ascii_case(b"ID")
                && let Some(ids) = ids(first, rest) =>
        {
            ids.into_iter().filter_map(|id| clients.find(id)).collect()
        }
        _ => {
            let filter = parse_filter(ctx, args, Purpose::List)?;
            let (own, now_ms) = (ctx.session.client.id, ctx.now.ms());
            let mut listed = clients.all();
            listed.retain(|client| filter.matches(client, own, now_ms));
            listed
        }
    };
    write_lines(ctx, &listed)
}

/// The ids, when nothing else stands there: they are listed in the order given (Redis 6.2).
fn ids(first: &[u8], rest: &[&[u8]]) -> Option<Vec<u64>> {
    let words = std::iter::once(first).chain(rest.iter().copied());
    let ids = words.map(|word| Some(u64::try_from(resp::number::parse_i64(word)?).unwrap_or(0)));
    ids.collect()
}

fn parse_filter(
    ctx: &SessionCtx<'_>,
    args: Args<'_>,
    purpose: Purpose,
) -> Result<ClientFilter, CommandError> {
    ClientFilter::parse(args, purpose, ctx.world.settings.databases)
}

fn write_lines(ctx: &mut SessionCtx<'_>, clients: &[Arc<Client>]) -> Result<Flow, CommandError> {
    let mut text = String::new();
    for client in clients {
        text.push_str(&client_info::line(ctx.engine, client, ctx.now.ms()));
        text.push('\n');
    }
    ctx.out().verbatim(*b"txt", text.as_bytes());
    ctx.written()
}

const CLIENT_NO_EVICT: EngineCommand = EngineCommand {
    name: "no-evict",
    group: Group::Connection,
    since: "7.0.0",
    summary: "Spares the connection when memory runs short.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_no_evict),
};

fn client_no_evict(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let on = on_or_off(&mut args)?;
    ctx.session.client.set_flag(flag::NO_EVICT, on);
    if !on {
        client_memory::charge_all(ctx.engine, super::server(ctx), ctx.now.ms());
    }
    Ok(Reply::Ok.into())
}

const CLIENT_NO_TOUCH: EngineCommand = EngineCommand {
    name: "no-touch",
    group: Group::Connection,
    since: "7.2.0",
    summary: "Has commands of the connection leave access times as they are.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_no_touch),
};

fn client_no_touch(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let on = on_or_off(&mut args)?;
    ctx.session.no_touch = on;
    ctx.session.client.set_flag(flag::NO_TOUCH, on);
    Ok(Reply::Ok.into())
}

fn on_or_off(args: &mut Args<'_>) -> Result<bool, CommandError> {
    args.one_of(&[("ON", true), ("OFF", false)])
        .ok_or(CommandError::Syntax)
}

const CLIENT_PAUSE: EngineCommand = EngineCommand {
    name: "pause",
    group: Group::Connection,
    since: "3.0.0",
    summary: "Holds commands back for a while.",
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_pause),
};

fn client_pause(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let (timeout, scope) = match args.peek_all() {
        [timeout] => (timeout, PauseScope::All),
        [timeout, mode] => {
            let scopes = [("WRITE", PauseScope::Write), ("ALL", PauseScope::All)];
            let scope = Args::new(&[mode]).one_of(&scopes);
            (timeout, scope.ok_or(RowError::PauseMode)?)
        }
        _ => return Err(subcommand_error(b"pause")),
    };
    let timeout_ms = resp::number::parse_i64(timeout).ok_or(RowError::TimeoutNotInteger)?;
    if timeout_ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    let end_ms = match timeout_ms {
        0 => 0,
        _ => ctx
            .now
            .ms()
            .checked_add(timeout_ms)
            .ok_or(CommandError::TimeoutOutOfRange)?,
    };
    Ok(Flow::everything(move |held| {
        held.change_world(|world| {
            let until_ms = world
                .pause
                .map_or(end_ms, |pause| pause.until_ms.max(end_ms));
            world.pause = Some(Pause { until_ms, scope });
        });
        Ok(Reply::Ok)
    }))
}

fn subcommand_error(given: &[u8]) -> CommandError {
    let given = given.into();
    RowError::Subcommand {
        given,
        container: "CLIENT",
    }
    .into()
}

const CLIENT_REPLY: EngineCommand = EngineCommand {
    name: "reply",
    group: Group::Connection,
    since: "3.2.0",
    summary: "Chooses whether the connection gets replies.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_reply),
};

fn client_reply(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let modes = [
        ("ON", ReplyMode::On),
        ("OFF", ReplyMode::Off),
        ("SKIP", ReplyMode::SkipNext),
    ];
    let mode = args.one_of(&modes).ok_or(CommandError::Syntax)?;
    let session = &mut *ctx.session;
    if !(mode == ReplyMode::SkipNext && session.reply == ReplyMode::Off) {
        session.reply = mode;
    }
    let silent = session.reply == ReplyMode::Off;
    session.client.set_flag(flag::REPLY_OFF, silent);
    Ok(Reply::Ok.into())
}

const CLIENT_SETINFO: EngineCommand = EngineCommand {
    name: "setinfo",
    group: Group::Connection,
    since: "7.2.0",
    summary: "Describes the library that the client uses.",
    complexity: "O(1)",
    arity: Arity::Exact(4),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(client_setinfo),
};

fn client_setinfo(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (attribute, value) = (args.bytes()?, args.bytes()?);
    let places: [(&str, Place); 2] = [
        ("LIB-NAME", |names| &mut names.lib_name),
        ("LIB-VER", |names| &mut names.lib_ver),
    ];
    let place = Args::new(&[attribute])
        .one_of(&places)
        .ok_or_else(|| RowError::ClientOption(attribute.into()))?;
    if !is_printable(value) {
        return Err(RowError::ClientAttribute(attribute.into()).into());
    }
    *place(&mut ctx.session.client.names.lock()) = value.to_vec();
    Ok(Reply::Ok.into())
}

const CLIENT_SETNAME: EngineCommand = EngineCommand {
    name: "setname",
    group: Group::Connection,
    since: "2.6.9",
    summary: "Gives the connection a name.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::LOADING.union(Flags::NOSCRIPT).union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    subcommands: &[],
    handler: Handler::Session(client_setname),
};

fn client_setname(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let name = valid_name(args.bytes()?)?;
    ctx.session.client.names.lock().name = name.to_vec();
    Ok(Reply::Ok.into())
}

/// Where an attribute of CLIENT SETINFO is kept.
type Place = fn(&mut Names) -> &mut Vec<u8>;

/// `name`, if a connection may be called so: the lines of CLIENT LIST are split at blanks.
pub(super) fn valid_name(name: &[u8]) -> Result<&[u8], CommandError> {
    if is_printable(name) {
        Ok(name)
    } else {
        Err(RowError::ClientName.into())
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

const CLIENT_UNBLOCK: EngineCommand = EngineCommand {
    name: "unblock",
    group: Group::Connection,
    since: "5.0.0",
    summary: "Ends the wait of a blocked connection.",
    complexity: "O(log N) in the number of connections",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_unblock),
};

/// The wait for the end of a pause is not ended by this.
fn client_unblock(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let partings = [
        ("TIMEOUT", Parting::TimedOut),
        (
            "ERROR",
            Parting::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        ),
    ];
    let (id, parting) = match args.peek_all() {
        [id] => (id, Parting::TimedOut),
        [id, reason] => {
            let found = partings
                .into_iter()
                .find(|(name, _)| reason.eq_ignore_ascii_case(name.as_bytes()));
            let (_, parting) = found.ok_or(RowError::UnblockReason)?;
            (id, parting)
        }
        _ => return Err(subcommand_error(b"unblock")),
    };
    let id = resp::number::parse_i64(id).ok_or(CommandError::NotInteger)?;
    let unblocked = u64::try_from(id).is_ok_and(|id| ctx.engine.blocked.unblock(id, parting));
    Ok(Reply::from(unblocked).into())
}

const CLIENT_UNPAUSE: EngineCommand = EngineCommand {
    name: "unpause",
    group: Group::Connection,
    since: "6.2.0",
    summary: "Ends a pause.",
    complexity: "O(N) in the number of connections that wait",
    arity: Arity::Exact(2),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::EVERYTHING),
    categories: Categories::CONNECTION,
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(client_unpause),
};

fn client_unpause(_ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::everything(|held| {
        held.change_world(|world| world.pause = None);
        Ok(Reply::Ok)
    }))
}
