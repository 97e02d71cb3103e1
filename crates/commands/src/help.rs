//! The reply of the HELP subcommands.

use crate::handler::Reply;
use resp::Writer;

/// Writes what `container HELP` answers: a heading, `lines`, and the line on HELP itself (addReplyHelp, Redis 7.2).
pub fn write_help(out: &mut Writer<'_>, container: &str, lines: &[&str]) -> Reply {
    out.array(lines.len() + 3);
    let heading = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    out.simple(heading.as_bytes());
    for line in lines {
        out.simple(line.as_bytes());
    }
    out.simple(b"HELP");
    out.simple(b"    Print this help.");
    Reply::Written
}
