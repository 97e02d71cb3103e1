//! What connections hold together, and which of them are closed when that is more than `maxmemory-clients` allows.
//!
//! 1. A connection charges what it holds whenever that may have changed, once a turn. Without a limit nobody does.
//! 2. Whoever finds the sum above the limit closes the largest connections until it no longer is. One at a time does that.
//! 3. What a closed connection held no longer counts, although its own thread has yet to close it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use engine::Engine;
use engine::clients::{Client, flag};
use parking_lot::Mutex;
use tracing::info;

use crate::client_info;
use crate::server::Server;

/// Keeps two threads from closing connections for one excess, and one from looking again and again in vain.
#[derive(Debug, Default)]
pub struct Evicting {
    turn: Mutex<()>,
    /// No connection could be closed: when to look again, in Unix milliseconds.
    not_before_ms: AtomicI64,
}

/// Milliseconds for which nobody looks after there was nothing to close.
const IN_VAIN_MS: i64 = 100;

/// Charges a connection what it holds, and closes the largest ones if all hold too much.
#[inline]
pub(crate) fn charge(engine: &Engine, server: &Server, client: &Client, now_ms: i64) {
    let max = server.limits.clients_memory_max.load(Relaxed);
    if max > 0 {
        charge_within(engine, server, client, max, now_ms);
    }
}

fn charge_within(engine: &Engine, server: &Server, client: &Client, max: u64, now_ms: i64) {
    if client.inbox.is_killed() {
        return;
    }
    let sum = engine.clients.charge(client, client_info::memory(client));
    if sum > max && now_ms >= server.evicting.not_before_ms.load(Relaxed) {
        close_largest(engine, server, max, now_ms);
    }
}

/// Charges every connection, and closes the largest ones if all hold too much: after the limit has changed, or one lost its
/// protection.
pub(crate) fn charge_all(engine: &Engine, server: &Server, now_ms: i64) {
    let max = server.limits.clients_memory_max.load(Relaxed);
    if max == 0 {
        return;
    }
    close_largest(engine, server, max, now_ms);
}

fn close_largest(engine: &Engine, server: &Server, max: u64, now_ms: i64) {
    let Some(_turn) = server.evicting.turn.try_lock() else {
        return;
    };
    let mut candidates: Vec<(u64, Arc<Client>)> = Vec::new();
    let mut sum = 0;
    for client in engine.clients.all() {
        let bytes = client_info::memory(&client);
        sum += bytes;
        engine.clients.charge(&client, bytes);
        if !client.has_flag(flag::NO_EVICT) {
            candidates.push((bytes, client));
        }
    }
    candidates.sort_unstable_by_key(|(bytes, client)| (*bytes, client.id));
    while sum > max {
        let Some((bytes, client)) = candidates.pop() else {
            server
                .evicting
                .not_before_ms
                .store(now_ms + IN_VAIN_MS, Relaxed);
            return;
        };
        info!(
            "Evicting client: {}",
            client_info::line(engine, &client, now_ms)
        );
        client.inbox.kill();
        engine.clients.charge(&client, 0);
        server.counters.evicted.fetch_add(1, Relaxed);
        sum -= bytes;
    }
    server.evicting.not_before_ms.store(0, Relaxed);
}
