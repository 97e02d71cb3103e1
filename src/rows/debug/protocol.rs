//! DEBUG PROTOCOL: a reply of each type, for the tests of clients.

use commands::{Args, CommandError};
use engine::{Flow, SessionCtx};
use resp::{Proto, Writer};

use crate::rows::error::RowError;

pub(super) fn reply(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let kinds: [(&str, Write); 13] = [
        ("string", |out| out.bulk(b"Hello World")),
        ("integer", |out| out.integer(12345)),
        ("double", |out| out.double_text(b"3.141")),
        ("bignum", |out| {
            out.big_number(b"1234567999999999999999999999999999999");
        }),
        ("null", |out| out.null()),
        ("array", |out| {
            out.array(3);
            (0..3).for_each(|number| out.integer(number));
        }),
        ("set", |out| {
            out.set(3);
            (0..3).for_each(|number| out.integer(number));
        }),
        ("map", |out| {
            out.map(3);
            for number in 0..3 {
                out.integer(number);
                out.boolean(number == 1);
            }
        }),
        ("attrib", attribute),
        ("push", push),
        ("verbatim", |out| {
            out.verbatim(*b"txt", b"This is a verbatim\nstring");
        }),
        ("true", |out| out.boolean(true)),
        ("false", |out| out.boolean(false)),
    ];
    let is_push = args
        .peek()
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"push"));
    if is_push && ctx.session.proto == Proto::Resp2 {
        return Err(RowError::DebugPush.into());
    }
    let write = args.one_of(&kinds).ok_or(RowError::DebugProtocol)?;
    write(&mut ctx.out());
    ctx.written()
}

/// Writes a reply.
type Write = fn(&mut Writer<'_>);

/// An attribute goes before a reply; RESP2 has none.
fn attribute(out: &mut Writer<'_>) {
    if out.proto == Proto::Resp3 {
        out.attribute(1);
        out.bulk(b"key-popularity");
        out.array(2);
        out.bulk(b"key:123");
        out.integer(90);
    }
    out.bulk(b"Some real reply following the attribute");
}

/// A push is no reply, and so one follows.
fn push(out: &mut Writer<'_>) {
    out.push(2);
    out.bulk(b"server-cpu-usage");
    out.integer(42);
    out.bulk(b"Some real reply following the push reply");
}
