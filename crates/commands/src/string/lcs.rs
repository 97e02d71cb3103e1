//! LCS: the longest common subsequence of two strings.

use crate::keys::{KeyFlags, KeySpec};
use crate::{
    Args, Arity, Categories, CommandError, DataCommand, Flags, Group, Handler, ReadCtx, ReadSpace,
    Reply,
};
use resp::{Aggregate, Writer};
use std::borrow::Cow;
use std::ops::RangeInclusive;

pub(super) const LCS: DataCommand = DataCommand {
    name: "lcs",
    group: Group::String,
    since: "7.0.0",
    summary: "Finds the longest sequence that is contained, with gaps, in the strings at two keys.",
    complexity: "O(N*M) in the lengths of the two strings",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::range(
        KeyFlags::RO.union(KeyFlags::ACCESS),
        1,
        1,
        1,
    )],
    flags: Flags::READONLY.union(Flags::RANGED),
    categories: Categories::STRING,
    tips: &[],
    subcommands: &[],
    handler: Handler::Read(lcs),
};

fn lcs(ctx: &mut ReadCtx<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key_a, key_b) = (args.key()?, args.key()?);
    if ctx
        .call
        .is_long(cells(ctx, key_a, key_b) / CELLS_AN_ELEMENT)
    {
        return Ok(Reply::Elsewhere);
    }
    // The types are judged before the options (Redis 7.2).
    let kinds_fit = [key_a, key_b].map(|key| ctx.space.string(key).is_ok());
    if kinds_fit != [true, true] {
        return Err(CommandError::LcsNotStrings);
    }
    let options = Options::parse(args)?;
    let a = string(&ctx.space, key_a)?;
    let b = string(&ctx.space, key_b)?;
    let table = Table::fill(&a, &b, ctx.call.settings.bulk_max)?;
    match options.answer {
        Answer::Length => return Ok(Reply::from(table.length())),
        Answer::String => ctx.out.bulk(&table.common()),
        Answer::Matches => write_matches(&mut ctx.out, &table, &options),
    }
    Ok(Reply::Written)
}

/// Cells of the table that take as long as one element of a collection.
const CELLS_AN_ELEMENT: usize = 16;

/// How many cells the table for two keys has.
fn cells(ctx: &ReadCtx<'_>, key_a: &[u8], key_b: &[u8]) -> usize {
    let [a, b] = [key_a, key_b].map(|key| match ctx.space.peek_string(key) {
        Ok(Some(string)) => string.len(),
        Ok(None) | Err(_) => 0,
    });
    a.saturating_mul(b)
}

/// What LCS answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The subsequence.
    String,
    /// LEN: its length.
    Length,
    /// IDX: where its runs lie in both strings, and its length.
    Matches,
}

/// The options of LCS.
#[derive(Debug)]
struct Options {
    answer: Answer,
    /// MINMATCHLEN: shorter runs are left out of the matches.
    run_min: i64,
    /// WITHMATCHLEN: matches tell their length.
    with_length: bool,
}

impl Options {
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let (mut len, mut idx, mut with_length, mut run_min) = (false, false, false, 0);
        while !args.is_empty() {
            if args.flag("IDX") {
                idx = true;
            } else if args.flag("LEN") {
                len = true;
            } else if args.flag("WITHMATCHLEN") {
                with_length = true;
            } else if args.len() > 1 && args.flag("MINMATCHLEN") {
                run_min = args.int()?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let answer = match (len, idx) {
            (true, true) => return Err(CommandError::LcsLenAndIdx),
            (true, false) => Answer::Length,
            (false, true) => Answer::Matches,
            (false, false) => Answer::String,
        };
        Ok(Self {
            answer,
            run_min,
            with_length,
        })
    }
}

/// The string at a key whose lookup was counted before; an absent one is empty.
fn string<'s>(space: &'s ReadSpace<'_>, key: &[u8]) -> Result<Cow<'s, [u8]>, CommandError> {
    let string = space.peek_string(key)?;
    Ok(string.map_or(Cow::Borrowed(&[]), |string| string.to_bytes()))
}

/// For all pairs of beginnings of two strings, the length of their longest common subsequence.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Row by row, a row for each length of `a`'s beginning.
    lengths: Vec<u32>,
}

/// A run of bytes that both strings have: its indexes in each.
struct Run {
    a: RangeInclusive<usize>,
    b: RangeInclusive<usize>,
}

/// One byte of the common subsequence: its index in both strings.
type Step = (usize, usize);

impl<'a> Table<'a> {
    /// The table, which takes four bytes for every pair: as many as `memory_max` at most.
    fn fill(a: &'a [u8], b: &'a [u8], memory_max: u64) -> Result<Self, CommandError> {
        /// What the lengths in the table can count up to.
        const LENGTH_MAX: usize = u32::MAX as usize - 2;
        if a.len() > LENGTH_MAX || b.len() > LENGTH_MAX {
            return Err(CommandError::LcsTooLong);
        }
        let width = b.len() + 1;
        let cells = (a.len() + 1)
            .checked_mul(width)
            .filter(|cells| (*cells as u64).saturating_mul(4) <= memory_max)
            .ok_or(CommandError::LcsMemory)?;
        let mut lengths = vec![0_u32; cells];
        let mut rows = lengths.chunks_exact_mut(width);
        let mut above = rows.next().unwrap_or_default();
        for (byte, row) in a.iter().zip(rows) {
            let mut left = 0;
            for ((other, cell), corner) in
                b.iter().zip(row.iter_mut().skip(1)).zip(above.windows(2))
            {
                let &[diagonal, over] = corner else { continue };
                left = if byte == other {
                    diagonal + 1
                } else {
                    left.max(over)
                };
                *cell = left;
            }
            above = row;
        }
        Ok(Self { a, b, lengths })
    }

    fn at(&self, a: usize, b: usize) -> u32 {
        let index = a * (self.b.len() + 1) + b;
        self.lengths.get(index).copied().unwrap_or(0)
    }

    fn length(&self) -> usize {
        self.at(self.a.len(), self.b.len()) as usize
    }

    /// The bytes of the common subsequence from the last to the first. Where the table leaves a choice, `b` is shortened, as
    /// Redis does.
    fn steps_backward(&self) -> impl Iterator<Item = Step> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.a.get(i - 1) == self.b.get(j - 1) {
                    i -= 1;
                    j -= 1;
                    return Some((i, j));
                }
                if self.at(i - 1, j) > self.at(i, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }

    fn common(&self) -> Vec<u8> {
        let bytes = self.steps_backward().filter_map(|(i, _)| self.a.get(i));
        let mut common: Vec<u8> = bytes.copied().collect();
        common.reverse();
        common
    }

    /// Calls `take` for each run of the common subsequence, from the last to the first.
    fn for_each_run(&self, mut take: impl FnMut(Run)) {
        let mut open: Option<Run> = None;
        for (i, j) in self.steps_backward() {
            open = match open.take() {
                Some(run) if *run.a.start() == i + 1 && *run.b.start() == j + 1 => Some(Run {
                    a: i..=*run.a.end(),
                    b: j..=*run.b.end(),
                }),
                before => {
                    before.map(&mut take);
                    Some(Run { a: i..=i, b: j..=j })
                }
            };
        }
        open.map(take);
    }
}

fn write_matches(out: &mut Writer<'_>, table: &Table<'_>, options: &Options) {
    out.map(2);
    out.bulk(b"matches");
    let (matches, mut count) = (out.begin(), 0);
    table.for_each_run(|run| {
        let length = run.a.end() - run.a.start() + 1;
        if (length as i64) < options.run_min {
            return;
        }
        count += 1;
        out.array(if options.with_length { 3 } else { 2 });
        for range in [&run.a, &run.b] {
            out.array(2);
            out.integer(*range.start() as i64);
            out.integer(*range.end() as i64);
        }
        if options.with_length {
            out.integer(length as i64);
        }
    });
    out.finish(matches, Aggregate::Array, count);
    out.bulk(b"len");
    out.integer(table.length() as i64);
}
