//! How a call is answered: its result, or the error that refuses it.

use super::{Local, Step};
use crate::engine::Engine;
use crate::host::Trusted;
use crate::registry::Row;
use crate::session::{ReplyMode, Session};
use crate::stats::ThreadStats;
use crate::transaction::{publish, refuse_exec};
use commands::{CommandError, Flags, Reply};
use resp::Writer;

impl Local {
    pub(super) fn writer<'s>(&'s mut self, session: &'s mut Session) -> Writer<'s> {
        session.writer(&mut self.muted)
    }

    /// Ends a call with its reply.
    pub(super) fn answer(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        result: Result<Reply, CommandError>,
    ) -> Step {
        self.reply(engine, session, row, result);
        self.end_call(engine, session, row)
    }

    /// Ends a call whose reply lies in the session's output.
    pub(super) fn end_call(&mut self, engine: &Engine, session: &mut Session, row: &Row) -> Step {
        session.give_way();
        self.after_reply(engine, session, Some(row))
    }

    /// What a connection does after a call was answered.
    fn after_reply(&mut self, engine: &Engine, session: &mut Session, row: Option<&Row>) -> Step {
        if session.leaves_nothing() {
            return Step::Done;
        }
        if session.reply != ReplyMode::On {
            self.muted.clear();
            session.reply = session.reply.after_call();
        }
        let keeps_caching = |row: u16| {
            let flags = engine.registry.row(row).flags;
            flags.contains(Flags::KEEPS_CACHING)
        };
        if session.transaction.is_none()
            && !row.and_then(|row| row.parent).is_some_and(keeps_caching)
        {
            session.tracking.end_caching();
        }
        if session.close_after_reply {
            Step::Close
        } else {
            Step::Done
        }
    }

    pub(super) fn reply(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: &Row,
        result: Result<Reply, CommandError>,
    ) {
        if let Err(error) = &result {
            tell_unexpected(engine, session, Some(row), error);
        }
        let stats = self.stats(engine);
        write_reply(engine, stats, row, &mut self.writer(session), result);
    }

    /// Answers a call that admission refused. Inside MULTI the transaction fails with it.
    pub(super) fn refuse(
        &mut self,
        engine: &Engine,
        session: &mut Session,
        row: Option<&Row>,
        argv: &[&[u8]],
        error: &CommandError,
    ) -> Step {
        self.pass_over(engine);
        tell_unexpected(engine, session, row, error);
        if let Some(row) = row {
            self.stats(engine).calls[usize::from(row.id)]
                .rejected
                .add(1);
            if row.flags.contains(Flags::RUNS_TRANSACTION) {
                let text = error.text_of_refused_exec();
                count_error(engine, self.stats(engine), &text);
                session.transaction = None;
                publish(session);
                let flow = refuse_exec(session, engine, text);
                return self.settle(engine, session, row, argv, Ok(flow));
            }
        }
        let text = error.text();
        count_error(engine, self.stats(engine), &text);
        if let Some(transaction) = session.transaction.as_mut() {
            transaction.failed = true;
        }
        self.writer(session).error(text.as_bytes());
        self.after_reply(engine, session, row)
    }
}

/// Lets the server know of the error of a command that is expected to succeed.
fn tell_unexpected(engine: &Engine, session: &Session, row: Option<&Row>, error: &CommandError) {
    let of = match session.feed {
        Some(_) => Trusted::Primary,
        None if session.replays => Trusted::File,
        None => return,
    };
    let name = row.map(|row| &*row.name);
    engine
        .host
        .unexpected_error(engine, of, &error.text(), name);
}

/// Writes what a call came to.
pub(super) fn write_reply(
    engine: &Engine,
    stats: &ThreadStats,
    row: &Row,
    writer: &mut Writer<'_>,
    result: Result<Reply, CommandError>,
) {
    match result {
        Ok(Reply::Written | Reply::Elsewhere | Reply::Block) => {}
        Ok(Reply::Ok) => writer.ok(),
        Ok(Reply::Nil) => writer.null(),
        Ok(Reply::NilArray) => writer.null_array(),
        Ok(Reply::EmptyArray) => writer.array(0),
        Ok(Reply::Integer(value)) => writer.integer(value),
        Ok(Reply::Simple(text)) => writer.simple(text.as_bytes()),
        Err(error) => {
            let text = error.text();
            writer.error(text.as_bytes());
            stats.calls[usize::from(row.id)].failed.add(1);
            stats.failed.add(1);
            count_error(engine, stats, &text);
        }
    }
}

pub(super) fn count_error(engine: &Engine, stats: &ThreadStats, text: &str) {
    stats.errors.add(1);
    engine.errors.count(text);
}
