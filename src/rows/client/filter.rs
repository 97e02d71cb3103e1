//! Which connections CLIENT LIST and CLIENT KILL are about: those to which all of the options given apply.

use std::sync::atomic::Ordering::Relaxed;

use commands::{Args, CommandError};
use engine::clients::{Client, flag};

use crate::client_info;
use crate::rows::error::RowError;

/// Options that all have to apply (Valkey 9; Redis 7.2 has some of them).
#[derive(Debug, Default)]
pub(super) struct ClientFilter {
    conditions: Vec<Condition>,
    /// Whether the connection that asks is left out.
    spares_caller: bool,
}

/// What the filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// CLIENT LIST.
    List,
    /// CLIENT KILL.
    Kill,
}

/// One option, to apply or not to.
#[derive(Debug)]
struct Condition {
    property: Property,
    /// Whether it is to apply; the `NOT-` form says that it is not.
    wanted: bool,
}

#[derive(Debug)]
enum Property {
    Ids(Vec<u64>),
    Kind(ClientKind),
    Addr(Box<[u8]>),
    LocalAddr(Box<[u8]>),
    Ip(Box<[u8]>),
    User(Box<[u8]>),
    Name(Box<[u8]>),
    LibName(Box<[u8]>),
    LibVersion(Box<[u8]>),
    /// Letters of CLIENT LIST's `flags`, each of which the connection has.
    Flags(Box<[u8]>),
    /// Letters of capabilities, each of which the connection has.
    Capabilities(Box<[u8]>),
    Db(u32),
    /// Seconds since it was accepted, at least.
    AgeMin(i64),
    /// Seconds since its last command, at least.
    IdleMin(i64),
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientKind {
    Normal,
    Replica,
    Subscriber,
    Primary,
}

/// Reads the value of an option.
type Read = fn(&mut Args<'_>, Scope) -> Result<Property, CommandError>;

/// What values are checked against.
#[derive(Clone, Copy, Debug)]
struct Scope {
    databases: u16,
    purpose: Purpose,
}

/// The options that may also be given as `NOT-`.
const PROPERTIES: &[(&str, Read)] = &[
    ("ID", ids),
    ("TYPE", |args, _| {
        Ok(Property::Kind(ClientKind::named(args.bytes()?)?))
    }),
    ("ADDR", |args, _| Ok(Property::Addr(args.bytes()?.into()))),
    ("LADDR", |args, _| {
        Ok(Property::LocalAddr(args.bytes()?.into()))
    }),
    ("IP", |args, _| Ok(Property::Ip(args.bytes()?.into()))),
    ("USER", user),
    ("NAME", |args, _| Ok(Property::Name(args.bytes()?.into()))),
    ("LIB-NAME", |args, _| {
        Ok(Property::LibName(args.bytes()?.into()))
    }),
    ("LIB-VER", |args, _| {
        Ok(Property::LibVersion(args.bytes()?.into()))
    }),
    ("FLAGS", |args, _| {
        letters(args.bytes()?, FLAGS, RowError::FilterFlags).map(Property::Flags)
    }),
    ("CAPA", |args, _| {
        letters(args.bytes()?, CAPABILITIES, RowError::FilterCapabilities)
            .map(Property::Capabilities)
    }),
    ("DB", db),
];

/// The options that are limits, and so have no `NOT-`.
const LIMITS: &[(&str, Read)] = &[
    ("MAXAGE", |args, _| {
        let errors = [RowError::MaxAge, RowError::MaxAgeNotPositive];
        seconds(args, errors).map(Property::AgeMin)
    }),
    ("IDLE", |args, _| {
        let errors = [RowError::Idle, RowError::IdleNotPositive];
        seconds(args, errors).map(Property::IdleMin)
    }),
];

/// Letters of `flags` that can be asked for.
const FLAGS: &[u8] = b"OSMPxbtRBdcuAUreTIN";
/// Letters of capabilities: `r` for REDIRECT.
const CAPABILITIES: &[u8] = b"r";

impl ClientFilter {
    /// The old form of CLIENT KILL, with which a client can end itself.
    pub(super) fn by_address(address: &[u8]) -> Self {
        Self {
            conditions: vec![Condition {
                property: Property::Addr(address.into()),
                wanted: true,
            }],
            spares_caller: false,
        }
    }

    /// The filter that `args` describe.
    ///
    /// # Errors
    /// An option or its value is unknown.
    pub(super) fn parse(
        mut args: Args<'_>,
        purpose: Purpose,
        databases: u16,
    ) -> Result<Self, CommandError> {
        let scope = Scope { databases, purpose };
        let mut filter = Self {
            conditions: Vec::new(),
            spares_caller: purpose == Purpose::Kill,
        };
        while let Some(option) = args.next_word() {
            if option.eq_ignore_ascii_case(b"SKIPME") {
                filter.spares_caller = args
                    .one_of(&[("YES", true), ("NO", false)])
                    .ok_or(CommandError::Syntax)?;
                continue;
            }
            let (read, wanted) = find(option).ok_or_else(|| filter.unknown(purpose))?;
            if args.is_empty() {
                return Err(CommandError::Syntax);
            }
            let property = read(&mut args, scope)?;
            filter.conditions.push(Condition { property, wanted });
        }
        Ok(filter)
    }

    /// Whether every option applies to `client`; `own` is the connection that asks.
    pub(super) fn matches(&self, client: &Client, own: u64, now_ms: i64) -> bool {
        let applies =
            |condition: &Condition| condition.property.is_of(client, now_ms) == condition.wanted;
        !(self.spares_caller && client.id == own) && self.conditions.iter().all(applies)
    }

    /// The error for a word that is no option: behind the ids of CLIENT LIST it is taken for one of them, as in Redis 7.2.
    fn unknown(&self, purpose: Purpose) -> CommandError {
        match self.conditions.last() {
            Some(Condition {
                property: Property::Ids(_),
                ..
            }) if purpose == Purpose::List => RowError::ClientId.into(),
            _ => CommandError::Syntax,
        }
    }
}

/// How the value of an option is read, and whether it is to apply.
fn find(option: &[u8]) -> Option<(Read, bool)> {
    let named = |options: &[(&str, Read)], name: &[u8]| {
        let is_it = |(known, _): &&(&str, Read)| known.as_bytes().eq_ignore_ascii_case(name);
        options.iter().find(is_it).map(|(_, read)| *read)
    };
    if let Some(read) = named(PROPERTIES, option).or_else(|| named(LIMITS, option)) {
        return Some((read, true));
    }
    let (not, name) = option.split_at_checked(b"NOT-".len())?;
    let read = named(PROPERTIES, name).filter(|_| not.eq_ignore_ascii_case(b"NOT-"))?;
    Some((read, false))
}

/// As many ids as follow each other.
fn ids(args: &mut Args<'_>, scope: Scope) -> Result<Property, CommandError> {
    let error = || match scope.purpose {
        Purpose::List => RowError::ClientId,
        Purpose::Kill => RowError::ClientIdNotPositive,
    };
    let mut ids = Vec::new();
    while let Some(word) = args.peek_all().first() {
        let Some(id) = resp::number::parse_i64(word) else {
            break;
        };
        let _id = args.next_word();
        let id = u64::try_from(id).ok().filter(|id| *id > 0);
        ids.push(id.ok_or(RowError::ClientIdNotPositive)?);
    }
    if ids.is_empty() {
        return Err(error().into());
    }
    Ok(Property::Ids(ids))
}

fn user(args: &mut Args<'_>, _scope: Scope) -> Result<Property, CommandError> {
    match args.bytes()? {
        user @ b"default" => Ok(Property::User(user.into())),
        unknown => Err(RowError::NoSuchUser(unknown.into()).into()),
    }
}

fn db(args: &mut Args<'_>, scope: Scope) -> Result<Property, CommandError> {
    let db = args.int_or(RowError::FilterDb.into())?;
    let known = u32::try_from(db).ok();
    let known = known.filter(|db| *db < u32::from(scope.databases));
    let last = i64::from(scope.databases) - 1;
    let db = known.ok_or(RowError::FilterDbOutOfRange(last))?;
    Ok(Property::Db(db))
}

fn seconds(args: &mut Args<'_>, [number, positive]: [RowError; 2]) -> Result<i64, CommandError> {
    let seconds = args.int_or(number.into())?;
    if seconds > 0 {
        Ok(seconds)
    } else {
        Err(positive.into())
    }
}

fn letters(
    given: &[u8],
    known: &[u8],
    error: fn(Box<[u8]>) -> RowError,
) -> Result<Box<[u8]>, CommandError> {
    if given.iter().all(|letter| known.contains(letter)) {
        Ok(given.into())
    } else {
        Err(error(given.into()).into())
    }
}

impl Property {
    fn is_of(&self, client: &Client, now_ms: i64) -> bool {
        let shown = &client.shown;
        let names = client.names.lock();
        let seconds_since = |ms: i64| (now_ms - ms) / 1000;
        match self {
            Self::Ids(ids) => ids.contains(&client.id),
            Self::Kind(kind) => ClientKind::of(client) == *kind,
            Self::Addr(addr) => **addr == *client.peer.addr.as_bytes(),
            Self::LocalAddr(addr) => **addr == *client.peer.laddr.as_bytes(),
            Self::Ip(ip) => !client.peer.unix && ip_of(&client.peer.addr) == Some(ip),
            Self::User(user) => **user == *names.user,
            Self::Name(name) => !names.name.is_empty() && **name == *names.name,
            Self::LibName(name) => !names.lib_name.is_empty() && **name == *names.lib_name,
            Self::LibVersion(version) => !names.lib_ver.is_empty() && **version == *names.lib_ver,
            Self::Flags(letters) => {
                let flags = client_info::flags(client);
                letters
                    .iter()
                    .all(|letter| flags.as_bytes().contains(letter))
            }
            Self::Capabilities(letters) => letters.is_empty() || client.has_flag(flag::REDIRECT),
            Self::Db(db) => shown.db.load(Relaxed) == *db,
            Self::AgeMin(seconds) => seconds_since(client.created_ms) >= *seconds,
            Self::IdleMin(seconds) => seconds_since(shown.last_ms.load(Relaxed)) >= *seconds,
        }
    }
}

/// The address of `addr`, without port and the brackets of IPv6.
fn ip_of(addr: &str) -> Option<&[u8]> {
    let (ip, _port) = addr.rsplit_once(':')?;
    let bare = ip
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(ip);
    Some(bare.as_bytes())
}

impl ClientKind {
    /// The kind of a connection; one that monitors is a normal one.
    pub(super) fn of(client: &Client) -> Self {
        if client.has_flag(flag::PRIMARY) {
            Self::Primary
        } else if client.has_flag(flag::REPLICA) {
            Self::Replica
        } else if client.has_flag(flag::PUBSUB) {
            Self::Subscriber
        } else {
            Self::Normal
        }
    }

    fn named(name: &[u8]) -> Result<Self, CommandError> {
        let kinds = [
            ("normal", Self::Normal),
            ("slave", Self::Replica),
            ("replica", Self::Replica),
            ("pubsub", Self::Subscriber),
            ("master", Self::Primary),
            ("primary", Self::Primary),
        ];
        Args::new(&[name])
            .one_of(&kinds)
            .ok_or_else(|| RowError::ClientType(name.into()).into())
    }
}
