//! LOLWUT: a picture, and the version. The picture is a cuirass of chain mail, woven anew at every call.

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Rng};
use engine::{EngineCommand, Flow, Handler, SessionCtx};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&LOLWUT];

const LOLWUT: EngineCommand = EngineCommand {
    name: "lolwut",
    group: Group::Server,
    since: "5.0.0",
    summary: "Draws something, and tells the version.",
    complexity: "O(N) in the size of the picture",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::FAST.union(Flags::READONLY),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(lolwut),
};

/// `VERSION n` asks for the picture of that version; further numbers are its columns and rows.
fn lolwut(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    if args.len() >= 2 && args.flag("VERSION") {
        let _every_version_draws_the_same = args.int()?;
    }
    let mut size = |default: i64, max: i64| match args.is_empty() {
        true => Ok(default),
        false => args.int().map(|number| number.clamp(MIN, max)),
    };
    let (columns, rows) = (size(COLUMNS, COLUMNS_MAX)?, size(ROWS, ROWS_MAX)?);
    let mut text = draw(columns, rows, ctx.rng);
    text.push_str(concat!(
        "\nCuirass ",
        env!("CARGO_PKG_VERSION"),
        ", Redis ver. "
    ));
    text.push_str(config::REDIS_VERSION);
    text.push('\n');
    ctx.out().verbatim(*b"txt", text.as_bytes());
    ctx.written()
}

/// The least of either size.
const MIN: i64 = 4;
const COLUMNS: i64 = 40;
const COLUMNS_MAX: i64 = 1000;
const ROWS: i64 = 14;
const ROWS_MAX: i64 = 500;

/// A breastplate of rings: every ring is one of a few shapes, and the outline narrows from the shoulders to the waist.
fn draw(columns: i64, rows: i64, rng: &mut Rng) -> String {
    const RINGS: &[char] = &['o', 'O', '0', 'c', 'C'];
    let mut picture = String::new();
    for row in 0..rows {
        let neck = if row * 4 < rows { columns / 6 - row } else { 0 };
        let waist = row * row * columns / (rows * rows * 5);
        for column in 0..columns {
            let from_middle = (2 * column + 1 - columns).abs();
            let covered = from_middle >= 2 * neck.max(0) && from_middle <= columns - 2 * waist;
            let ring = RINGS.get(rng.below(RINGS.len() as u64) as usize);
            picture.push(match ring {
                Some(ring) if covered && (row + column) % 2 == 0 => *ring,
                _ if covered => '-',
                _ => ' ',
            });
        }
        picture.truncate(picture.trim_end_matches(' ').len());
        picture.push('\n');
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_size_that_was_asked_for() {
        let picture = draw(12, 5, &mut Rng::new(1));
        assert_eq!(picture.lines().count(), 5);
        assert!(picture.lines().all(|line| line.len() <= 12));
        assert!(picture.lines().skip(2).all(|line| line.contains('-')));
    }
}
