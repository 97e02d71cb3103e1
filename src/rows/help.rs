//! How a container of subcommands answers HELP.

use commands::CommandError;
use engine::{Flow, SessionCtx};

/// The subcommands of a container: how each is called, and what it does.
pub(super) type Lines = &'static [(&'static str, &'static [&'static str])];

/// Answers HELP of `container` in the form that Redis gives it (addReplyHelp, Redis 7.2).
pub(super) fn write(
    ctx: &mut SessionCtx<'_>,
    container: &str,
    lines: Lines,
) -> Result<Flow, CommandError> {
    let count = lines
        .iter()
        .map(|(_, about)| 1 + about.len())
        .sum::<usize>();
    let mut out = ctx.out();
    out.array(count + 3);
    let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    out.simple(head.as_bytes());
    for (call, about) in lines {
        out.simple(call.as_bytes());
        for line in *about {
            out.simple(format!("    {line}").as_bytes());
        }
    }
    out.simple(b"HELP");
    out.simple(b"    This text.");
    ctx.written()
}
