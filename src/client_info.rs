//! The line that describes a client: what CLIENT LIST shows and what the log says of a connection.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use engine::Engine;
use engine::clients::{Client, flag};

/// The line of `client` at `now_ms`, as CLIENT LIST of Redis 7.2 has it, followed by `tls=` when it is encrypted.
#[must_use]
pub fn line(engine: &Engine, client: &Client, now_ms: i64) -> String {
    let (shown, peer) = (&client.shown, &client.peer);
    let names = client.names.lock().clone();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seconds = |since_ms: i64| (now_ms - since_ms).max(0) / 1000;
    let (qbuf, qbuf_free) = (shown.qbuf.load(Relaxed), shown.qbuf_free.load(Relaxed));
    let (argv, multi_mem) = (shown.argv_mem.load(Relaxed), shown.multi_mem.load(Relaxed));
    let (out, out_mem) = (shown.out.load(Relaxed), shown.out_mem.load(Relaxed));
    let total = memory(client);
    let peak = shown.out_peak.load(Relaxed);
    let multi = i64::from(shown.multi.load(Relaxed)) - 1;
    let mut line = format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={multi}",
        client.id,
        peer.addr,
        peer.laddr,
        peer.fd,
        text(&names.name),
        seconds(client.created_ms),
        seconds(shown.last_ms.load(Relaxed)),
        flags(client),
        shown.db.load(Relaxed),
        shown.sub.load(Relaxed),
        shown.psub.load(Relaxed),
        shown.ssub.load(Relaxed),
    );
    let command = shown.command.load(Relaxed).checked_sub(1);
    let command = command.map_or_else(
        || "NULL".to_owned(),
        |row| engine.registry.row(row as u16).name.to_string(),
    );
    let events = if out > 0 { "rw" } else { "r" };
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        " qbuf={qbuf} qbuf-free={qbuf_free} argv-mem={argv} multi-mem={multi_mem} rbs={} rbp={peak} obl={} oll={} omem={} \
         tot-mem={total} events={events} cmd={command} user={} redir={} resp={} lib-name={} lib-ver={}",
        peak.clamp(REPLY_BLOCK_MIN, REPLY_BLOCK),
        out.min(REPLY_BLOCK),
        u64::from(out > REPLY_BLOCK),
        if out > REPLY_BLOCK { out_mem } else { 0 },
        text(&names.user),
        client.redirect(),
        shown.proto.load(Relaxed),
        text(&names.lib_name),
        text(&names.lib_ver),
    );
    if let Some(tls) = &peer.tls {
        let _ = write!(line, " tls={tls}");
    }
    line
}

/// Bytes that a client's connection holds.
#[must_use]
pub fn memory(client: &Client) -> u64 {
    let shown = &client.shown;
    let parts = [
        &shown.qbuf,
        &shown.qbuf_free,
        &shown.argv_mem,
        &shown.multi_mem,
        &shown.out_mem,
        &shown.tls_mem,
        &shown.watch_mem,
        &shown.sub_mem,
        &shown.prefix_mem,
    ];
    SESSION + parts.iter().map(|part| part.load(Relaxed)).sum::<u64>()
}

/// The letters of a client's `flags`; `N` for none.
pub(crate) fn flags(client: &Client) -> String {
    let has = |bit| client.has_flag(bit);
    let letters = [
        (has(flag::MONITOR), 'O'),
        (has(flag::REPLICA), 'S'),
        (has(flag::PRIMARY), 'M'),
        (has(flag::PUBSUB), 'P'),
        (has(flag::MULTI), 'x'),
        (has(flag::BLOCKED), 'b'),
        (client.has_tracking(flag::TRACKING), 't'),
        (client.has_tracking(flag::TRACKING_BROKEN), 'R'),
        (client.has_tracking(flag::TRACKING_BROADCAST), 'B'),
        (has(flag::DIRTY), 'd'),
        (has(flag::CLOSING), 'c'),
        (client.peer.unix, 'U'),
        (has(flag::NO_EVICT), 'e'),
        (has(flag::NO_TOUCH), 'T'),
    ];
    let there = letters.into_iter().filter(|(is_there, _)| *is_there);
    let mut flags: String = there.map(|(_, letter)| letter).collect();
    if flags.is_empty() {
        flags.push('N');
    }
    flags
}

/// Bytes of replies that Redis keeps in the client itself.
const REPLY_BLOCK: u64 = 16 * 1024;
/// What it shrinks that block to where replies are short (PROTO_REPLY_MIN_BYTES).
const REPLY_BLOCK_MIN: u64 = 1024;
/// Bytes of a session, its task and its socket.
const SESSION: u64 = 2048;
