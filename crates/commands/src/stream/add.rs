//! XADD and XTRIM.

use super::{SHORTENED_KEY, StreamError, UPDATED_KEY, id_word, number, strict_id, write_id};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Flags, Group, Handler, Reply,
    WriteCtx,
};
use bytes::Bytes;
use store::Stream;
use store::stream::{Keep, NODE_BYTES_MAX, NewId, Precision, StreamId};

pub(super) const XADD: DataCommand = DataCommand {
    name: "xadd",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Adds an entry to a stream, which comes to be if need be, and may trim it.",
    complexity: "O(1), and O(N) for N entries trimmed",
    arity: Arity::AtLeast(5),
    keys: UPDATED_KEY,
    flags: Flags::DENYOOM.union(Flags::FAST).union(Flags::WRITE),
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Write(xadd),
};

fn xadd(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let words = args.rest();
    let entries_max = ctx.call.settings.tuning.stream_node_max_entries;
    let options = Options::parse(words, Command::Xadd, Origin::of(ctx), entries_max)?;
    let (id_at, wish) = options
        .id
        .ok_or_else(|| CommandError::Arity("xadd".into()))?;
    let pairs = words.get(id_at + 1..).unwrap_or_default();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Arity("xadd".into()));
    }
    if wish == NewId::Exact(StreamId::MIN) {
        return Err(StreamError::IdIsZero.into());
    }
    let slot = ctx.space.entry::<Stream>(key)?;
    if options.only_existing && !slot.exists() {
        return Ok(Reply::Nil);
    }
    let too_large = pairs.iter().map(|word| word.len()).sum::<usize>() > NODE_BYTES_MAX;
    if too_large && !slot.exists() {
        return Err(StreamError::ElementsTooLarge.into());
    }
    let mut guard = slot.or_default();
    let entries = &mut guard.entries;
    let last_id = entries.totals().last_id;
    if last_id == StreamId::MAX {
        return Err(StreamError::IdsExhausted.into());
    }
    let now_ms = ctx.call.now.ms().max(0).unsigned_abs();
    let id = wish
        .after(last_id, now_ms)
        .ok_or(StreamError::IdNotAboveTop)?;
    if too_large {
        return Err(StreamError::ElementsTooLarge.into());
    }
    entries.append(&ctx.call.settings.tuning, id, pairs);
    let trimmed = options
        .trim
        .map_or(0, |trim| entries.trim(trim.keep, trim.precision));
    let outcome = options.trim.and_then(|trim| trim.outcome(&guard));
    guard.commit("xadd", 1);
    if trimmed > 0 {
        ctx.space.event(key, EventClass::STREAM, "xtrim");
    }
    let new_id = match wish {
        NewId::Exact(_) => None,
        NewId::Auto | NewId::Within(_) => Some((id_at, id)),
    };
    if outcome.is_some() || new_id.is_some() {
        ctx.effects().log_words(|| {
            let new_id = new_id.map(|(at, id)| (at, id_word(id)));
            rewritten(
                b"XADD",
                key,
                words,
                outcome.into_iter().flatten().chain(new_id),
            )
        });
    }
    write_id(&mut ctx.out, id);
    Ok(Reply::Written)
}

pub(super) const XTRIM: DataCommand = DataCommand {
    name: "xtrim",
    group: Group::Stream,
    since: "5.0.0",
    summary: "Removes the oldest entries of a stream until it has a length, or begins at an id.",
    complexity: "O(N), N the entries removed; whole nodes are removed at once",
    arity: Arity::AtLeast(4),
    keys: SHORTENED_KEY,
    flags: Flags::WRITE.union(Flags::RANGED),
    categories: Categories::STREAM,
    tips: &["nondeterministic_output"],
    subcommands: &[],
    handler: Handler::Write(xtrim),
};

fn xtrim(ctx: &mut WriteCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let words = args.rest();
    let entries_max = ctx.call.settings.tuning.stream_node_max_entries;
    let options = Options::parse(words, Command::Xtrim, Origin::of(ctx), entries_max)?;
    let trim = options.trim.ok_or(StreamError::NoStrategy)?;
    let Some(mut guard) = ctx.space.entry::<Stream>(key)?.existing() else {
        return Ok(Reply::Integer(0));
    };
    let unlimited = matches!(trim.precision, Precision::Exact | Precision::WholeNodes(0));
    if unlimited && ctx.call.is_long(guard.entries.node_count()) {
        return Ok(Reply::Elsewhere);
    }
    let removed = guard.entries.trim(trim.keep, trim.precision);
    if removed > 0 {
        let outcome = trim.outcome(&guard);
        guard.commit("xtrim", removed);
        if let Some(outcome) = outcome {
            ctx.effects()
                .log_words(|| rewritten(b"XTRIM", key, words, outcome.into_iter()));
        }
    }
    Ok(Reply::Integer(i64::try_from(removed).unwrap_or(i64::MAX)))
}

/// Whose options are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Xadd,
    Xtrim,
}

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Client,
    /// The primary's log or a file.
    Log,
}

impl Origin {
    fn of(ctx: &WriteCtx<'_>) -> Self {
        if ctx.space.is_obeyed() {
            Self::Log
        } else {
            Self::Client
        }
    }
}

/// What XADD and XTRIM are told before the fields.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// XADD: the id, and where it stands.
    id: Option<(usize, NewId)>,
    /// `NOMKSTREAM`.
    only_existing: bool,
    trim: Option<Trim>,
}

/// How to trim.
#[derive(Clone, Copy, Debug)]
struct Trim {
    keep: Keep,
    precision: Precision,
    /// Where the length or id stands.
    at: usize,
}

impl Options {
    /// Reads the words behind the key, in Redis' order of errors (streamParseAddOrTrimArgsOrReply, Redis 7.2).
    fn parse(
        words: &[&[u8]],
        command: Command,
        origin: Origin,
        node_entries_max: usize,
    ) -> Result<Self, CommandError> {
        let mut id = None;
        let mut only_existing = false;
        let mut trim: Option<(Keep, Strictness, usize)> = None;
        let mut limit: Option<i64> = None;
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            let more = words.len() - at - 1;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if command == Command::Xadd && word == b"*" {
                id = Some((at, NewId::Auto));
                break;
            } else if (is("maxlen") || is("minid")) && more > 0 {
                if trim.is_some() {
                    return Err(StreamError::TwoStrategies.into());
                }
                let mut rest = Args::new(&words[at + 1..]);
                let strictness = Strictness::read(&mut rest);
                let keep = if is("maxlen") {
                    let count = rest.int()?;
                    Keep::Newest(u64::try_from(count).map_err(|_| StreamError::MaxlenNegative)?)
                } else {
                    Keep::From(strict_id(rest.bytes()?)?)
                };
                at = words.len() - rest.len() - 1;
                trim = Some((keep, strictness, at));
            } else if is("limit") && more > 0 {
                let mut rest = Args::new(&words[at + 1..]);
                let value = rest.int()?;
                if value < 0 {
                    return Err(StreamError::LimitNegative.into());
                }
                limit = Some(value);
                at += 1;
            } else if command == Command::Xtrim {
                return Err(CommandError::Syntax);
            } else if is("nomkstream") {
                only_existing = true;
            } else {
                id = Some((at, NewId::parse(word).ok_or(StreamError::InvalidId)?));
                break;
            }
            at += 1;
        }
        // Beside what an approximate trim came to, its limit still stands in the log.
        let limit = limit.filter(|_| origin == Origin::Client);
        let trim = Trim::check(trim, limit, command, node_entries_max)?;
        Ok(Self {
            id,
            only_existing,
            trim,
        })
    }
}

/// Whether a trim was asked to be exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    Exact,
    Approximate,
}

impl Strictness {
    /// Reads `=` or `~`, unless it is the last word, which is the length or id.
    fn read(args: &mut Args<'_>) -> Self {
        let strictness = match args.peek() {
            Some(b"~") if args.len() > 1 => Self::Approximate,
            Some(b"=") if args.len() > 1 => Self::Exact,
            _ => return Self::Exact,
        };
        args.next_word();
        strictness
    }
}

impl Trim {
    fn check(
        trim: Option<(Keep, Strictness, usize)>,
        limit: Option<i64>,
        command: Command,
        node_entries_max: usize,
    ) -> Result<Option<Self>, CommandError> {
        if trim.is_none() && limit.is_some_and(|limit| limit > 0) {
            return Err(StreamError::LimitWithoutStrategy.into());
        }
        if trim.is_none() && command == Command::Xtrim {
            return Err(StreamError::NoStrategy.into());
        }
        let approximate = matches!(trim, Some((_, Strictness::Approximate, _)));
        if limit.is_some() && !approximate {
            return Err(StreamError::LimitOfExactTrim.into());
        }
        let precision = if approximate {
            Precision::WholeNodes(match limit {
                Some(limit) => limit.unsigned_abs(),
                None => default_limit(node_entries_max),
            })
        } else {
            Precision::Exact
        };
        Ok(trim.map(|(keep, _, at)| Self {
            keep,
            precision,
            at,
        }))
    }

    /// What an approximate trim came to, as an exact one for the log: the words that take the place of its own.
    fn outcome(self, stream: &Stream) -> Option<[(usize, Bytes); 2]> {
        if self.precision == Precision::Exact {
            return None;
        }
        let reached = match self.keep {
            Keep::Newest(_) => number(stream.entries.len()),
            Keep::From(_) => id_word(stream.entries.oldest_known_id().unwrap_or(StreamId::MAX)),
        };
        let exactly = (self.at - 1, Bytes::from_static(b"="));
        Some([exactly, (self.at, reached)])
    }
}

/// How many entries an approximate trim removes at most unless told: a hundred nodes' worth.
fn default_limit(node_entries_max: usize) -> u64 {
    match (node_entries_max as u64).saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}

/// The call for the log, with some of its words behind the key replaced.
fn rewritten(
    name: &'static [u8],
    key: &[u8],
    words: &[&[u8]],
    replaced: impl Iterator<Item = (usize, Bytes)>,
) -> Vec<Bytes> {
    let head = [Bytes::from_static(name), Bytes::copy_from_slice(key)];
    let mut logged: Vec<Bytes> = head
        .into_iter()
        .chain(words.iter().map(|word| Bytes::copy_from_slice(word)))
        .collect();
    for (at, word) in replaced {
        if let Some(place) = logged.get_mut(at + 2) {
            *place = word;
        }
    }
    logged
}
