//! SORT and SORT_RO: their rows, options and keys.

mod pattern;
mod rank;
mod texts;

use self::pattern::Pattern;
use self::rank::{By, Order, Window, Wish};
use self::texts::Texts;
use crate::keys::{KeyFlags, KeySpec, Reach};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, EventClass, Expiry, Flags, Group, Handler,
    ReadCtx, ReadSpace, Reply, WriteCtx, WriteSpace,
};
use resp::Writer;
use smallvec::SmallVec;
use store::list::End;
use store::{Entry, List, Object};

pub(super) const SORT: DataCommand = DataCommand {
    name: "sort",
    group: Group::Generic,
    since: "1.0.0",
    summary: "Sorts the elements of a list, set or sorted set, and may store them as a list.",
    complexity: "O(N + M log M) in the elements of the value and those returned",
    arity: Arity::AtLeast(2),
    keys: &[
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1),
        KeySpec::rule(KeyFlags::RO.union(KeyFlags::ACCESS), looked_up),
        KeySpec::rule(KeyFlags::OW.union(KeyFlags::UPDATE), stored),
    ],
    flags: Flags::DENYOOM
        .union(Flags::MOVABLEKEYS)
        .union(Flags::WRITE)
        .union(Flags::LINEAR),
    categories: SORTABLE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Write(sort),
};

fn sort(ctx: &mut WriteCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let request = Request::parse(args, Storing::Allowed)?;
    let sorted = request.sorted(&mut ctx.space)?;
    match request.store {
        None => Ok(request.answer(&sorted, &mut ctx.space, &mut ctx.out)),
        Some(destination) => Ok(request.keep(&sorted, destination, ctx)),
    }
}

pub(super) const SORT_RO: DataCommand = DataCommand {
    name: "sort_ro",
    group: Group::Generic,
    since: "7.0.0",
    summary: "Sorts the elements of a list, set or sorted set.",
    complexity: "O(N + M log M) in the elements of the value and those returned",
    arity: Arity::AtLeast(2),
    keys: &[
        KeySpec::one(KeyFlags::RO.union(KeyFlags::ACCESS), 1),
        KeySpec::rule(KeyFlags::RO.union(KeyFlags::ACCESS), looked_up),
    ],
    flags: Flags::MOVABLEKEYS
        .union(Flags::READONLY)
        .union(Flags::LINEAR),
    categories: SORTABLE,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(sort_ro),
};

fn sort_ro(ctx: &mut ReadCtx<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let request = Request::parse(args, Storing::Refused)?;
    let sorted = request.sorted(&mut ctx.space)?;
    Ok(request.answer(&sorted, &mut ctx.space, &mut ctx.out))
}

/// Keys looked up as a reading command does, by whichever command.
trait Lookups {
    fn read(&mut self, key: &[u8]) -> Option<&Entry<Object>>;
    /// The time by which fields of hashes have expired or not.
    fn field_now(&self) -> i64;
}

impl Lookups for ReadSpace<'_> {
    fn read(&mut self, key: &[u8]) -> Option<&Entry<Object>> {
        ReadSpace::read(self, key)
    }

    fn field_now(&self) -> i64 {
        ReadSpace::field_now(self)
    }
}

impl Lookups for WriteSpace<'_> {
    fn read(&mut self, key: &[u8]) -> Option<&Entry<Object>> {
        WriteSpace::read(self, key)
    }

    fn field_now(&self) -> i64 {
        WriteSpace::field_now(self)
    }
}

/// Whether STORE is an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storing {
    Allowed,
    Refused,
}

/// What a call asks for.
#[derive(Debug)]
struct Request<'a> {
    key: &'a [u8],
    wish: Wish<'a>,
    /// What to return of each element; the element itself when empty.
    get: SmallVec<[Pattern<'a>; 2]>,
    store: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>, storing: Storing) -> Result<Self, CommandError> {
        let mut request = Request {
            key: args.key()?,
            wish: Wish::default(),
            get: SmallVec::new(),
            store: None,
        };
        let wish = &mut request.wish;
        while !args.is_empty() {
            if let Some(order) = args.one_of(&[("ASC", Order::Upwards), ("DESC", Order::Downwards)])
            {
                wish.order = order;
            } else if args.flag("ALPHA") {
                wish.alpha = true;
            } else if args.len() > 2 && args.flag("LIMIT") {
                wish.limit = Some((args.int()?, args.int()?));
            } else if storing == Storing::Allowed && args.flag("STORE") {
                request.store = Some(args.key()?);
            } else if args.flag("BY") {
                let pattern = Pattern::new(args.bytes()?);
                // A constant among several patterns is decisive: nothing is sorted then.
                if wish.by != By::Nothing {
                    wish.by = pattern
                        .has_place()
                        .then_some(pattern)
                        .map_or(By::Nothing, By::Key);
                }
            } else if args.flag("GET") {
                request.get.push(Pattern::new(args.bytes()?));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        wish.stored = request.store.is_some();
        Ok(request)
    }

    /// The elements in their order.
    fn sorted(&self, space: &mut impl Lookups) -> Result<Window, CommandError> {
        match space.read(self.key) {
            None => Ok(Window::default()),
            Some(entry) => self.wish.load(entry)?.ranked(space),
        }
    }

    /// How many items the result has.
    fn items(&self, sorted: &Window) -> usize {
        sorted.len() * self.get.len().max(1)
    }

    fn answer(&self, sorted: &Window, space: &mut impl Lookups, out: &mut Writer<'_>) -> Reply {
        out.array(self.items(sorted));
        for element in sorted.iter() {
            if self.get.is_empty() {
                out.bulk(element);
            }
            for pattern in &self.get {
                pattern.find(space, element, |found| match found {
                    Some(item) => crate::WriteItem::item(out, item),
                    None => out.null(),
                });
            }
        }
        Reply::Written
    }

    /// Stores the result as a list; an empty one deletes the destination.
    fn keep(&self, sorted: &Window, destination: &[u8], ctx: &mut WriteCtx<'_>) -> Reply {
        let count = self.items(sorted);
        let list = self.listed(sorted, ctx);
        let existed = ctx.space.find(destination).is_some();
        if count > 0 {
            ctx.space
                .put_object(destination, Object::List(list), Expiry::None);
            ctx.space
                .commit(destination, EventClass::LIST, "sortstore", count as u64);
        } else if existed {
            ctx.space.delete(destination);
            ctx.space.commit(destination, EventClass::GENERIC, "del", 1);
        }
        Reply::from(count)
    }

    fn listed(&self, sorted: &Window, ctx: &mut WriteCtx<'_>) -> List {
        let tuning = &ctx.call.settings.tuning;
        let mut list = List::new();
        if self.get.is_empty() {
            list.push_all(tuning, End::Tail, sorted.iter());
            return list;
        }
        let mut found = Texts::default();
        for element in sorted.iter() {
            for pattern in &self.get {
                pattern.find(&mut ctx.space, element, |item| match item {
                    Some(item) => found.push(item),
                    None => found.push(b""[..].into()),
                });
            }
        }
        list.push_all(tuning, End::Tail, found.iter());
        list
    }
}

/// An option of a call as the key rules see it: where its value stands.
enum Placed {
    Pattern(usize),
    Store(usize),
}

/// The options of a call that name or may name keys, in order.
fn options<'a>(argv: &'a [&'a [u8]]) -> impl Iterator<Item = Placed> + 'a {
    let mut at = 2;
    std::iter::from_fn(move || {
        loop {
            let word = argv.get(at)?;
            let named = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            at += 1;
            if named("LIMIT") {
                at += 2;
            } else if named("BY") || named("GET") {
                at += 1;
                return Some(Placed::Pattern(at - 1));
            } else if named("STORE") {
                at += 1;
                return Some(Placed::Store(at - 1));
            }
        }
    })
}

/// BY and GET with a place for the element reach keys that only the elements name.
fn looked_up(argv: &[&[u8]]) -> Reach {
    let reaches = |option| match option {
        Placed::Pattern(at) => argv
            .get(at)
            .is_some_and(|word| Pattern::new(word).has_place()),
        Placed::Store(_) => false,
    };
    if options(argv).any(reaches) {
        Reach::Everything
    } else {
        Reach::Nothing
    }
}

/// Of several STORE options the last one counts (sortGetKeys, Redis 7.2).
fn stored(argv: &[&[u8]]) -> Reach {
    let last = options(argv).filter_map(|option| match option {
        Placed::Store(at) => Some(at),
        Placed::Pattern(_) => None,
    });
    last.last()
        .filter(|at| *at < argv.len())
        .map_or(Reach::Nothing, Reach::Key)
}

const SORTABLE: Categories = Categories::DANGEROUS
    .union(Categories::LIST)
    .union(Categories::SET)
    .union(Categories::SORTEDSET);
