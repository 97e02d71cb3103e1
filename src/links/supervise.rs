//! What has to be done for replicas from time to time: pings, timeouts, limits, and the end of a backlog that nobody wants.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use config::directive;
use engine::World;
use log::Unit;
use tracing::{info, warn};

use super::with_everything;
use crate::client_info;
use crate::net::Shared;
use crate::persistence;
use crate::replication::{Follower, Phase};

/// What it remembers from one run to the next.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    second_ms: i64,
    pinged_ms: i64,
}

impl Supervisor {
    /// Looks at all replicas; to be called several times a second.
    pub(super) async fn run(&mut self, shared: &Arc<Shared>) {
        // DEBUG SLEEP lets nothing happen, so that tests can have a server that is silent.
        if shared.engine.world().frozen {
            return;
        }
        let now_ms = shared.server.clock.now().ms();
        shared.engine.acks.ask_if_wanted(&shared.engine);
        fail_over(shared, now_ms).await;
        let replication = &shared.server.replication;
        let followers = replication.followers.all();
        for follower in followers.iter().chain(&replication.channels.parted()) {
            if is_over_limit(shared, follower, now_ms) {
                replication.channels.release(follower.client.id);
                let line = client_info::line(&shared.engine, &follower.client, now_ms);
                warn!("Client {line} closed for overcoming of output buffer limits.");
                shared.server.counters.output_limit.fetch_add(1, Relaxed);
                follower.client.inbox.kill();
            }
        }
        if now_ms - self.second_ms < 1000 {
            return;
        }
        self.second_ms = now_ms;
        self.ping(shared, &followers, now_ms);
        end_silent(shared, &followers, now_ms);
        for follower in replication.channels.release_old(now_ms) {
            info!(
                "Replica {} has not asked for the stream behind its snapshot: it is kept no longer",
                follower.name()
            );
        }
        count_good(shared, now_ms).await;
        end_backlog(shared, &followers, now_ms).await;
        remove_sync_file(shared, &followers);
    }

    /// Lets replicas see that the primary lives: those that follow the log by PING in it, those that wait by empty lines.
    fn ping(&mut self, shared: &Shared, followers: &[Arc<Follower>], now_ms: i64) {
        let period_s = shared
            .server
            .config
            .read()
            .read(directive::REPL_PING_REPLICA_PERIOD);
        if self.pinged_ms == 0 {
            self.pinged_ms = now_ms;
        }
        let is_due = now_ms - self.pinged_ms >= period_s.saturating_mul(1000);
        // A ping would be one more thing that the replica has to catch up with.
        if is_due && !followers.is_empty() && !shared.engine.world().failing_over {
            let mut unit = Unit::default();
            unit.command_anywhere(&[b"PING"]);
            if shared.engine.try_append(&mut unit) {
                self.pinged_ms = now_ms;
            }
        }
        for follower in followers {
            if matches!(follower.phase(), Phase::Waiting | Phase::Saving) {
                follower.wants_newline.store(true, Relaxed);
                follower.client.inbox.wake();
            }
        }
    }
}

/// Takes the next step of a coordinated failover when it is time.
async fn fail_over(shared: &Shared, now_ms: i64) {
    let (engine, server) = (&shared.engine, &shared.server);
    if !server.replication.is_failover_due(engine, now_ms) {
        return;
    }
    let backlog = server.backlog_size();
    let mut primary = None;
    change_world(shared, |world| {
        primary = server
            .replication
            .advance_failover(engine, world, now_ms, backlog);
    })
    .await;
    if let Some(primary) = primary {
        server.show_primary(Some(&primary));
    }
}

/// Ends connections of replicas that have not been heard of for `repl-timeout`.
fn end_silent(shared: &Shared, followers: &[Arc<Follower>], now_ms: i64) {
    let timeout_ms = shared.server.config.read().read(directive::REPL_TIMEOUT) * 1000;
    for follower in followers {
        let (since_ms, what) = match follower.phase() {
            Phase::Online => (follower.acknowledged_ms.load(Relaxed), "streaming sync"),
            // One that has taken everything so far waits for us.
            Phase::Streaming | Phase::Sending if follower.has_to_take.load(Relaxed) => {
                (follower.written_ms.load(Relaxed), "full sync")
            }
            _ => continue,
        };
        if since_ms > 0 && now_ms - since_ms > timeout_ms {
            warn!(
                "Disconnecting timedout replica ({what}): {}",
                follower.name()
            );
            follower.client.inbox.kill();
        }
    }
}

/// Whether a replica reads so slowly that it is given up (`client-output-buffer-limit replica`).
fn is_over_limit(shared: &Shared, follower: &Follower, now_ms: i64) -> bool {
    let (limit, backlog) = {
        let config = shared.server.config.read();
        let limits = config.read(directive::CLIENT_OUTPUT_BUFFER_LIMIT);
        (limits.replica, config.read(directive::REPL_BACKLOG_SIZE))
    };
    let used = follower.behind(shared.engine.log.end()) + follower.client.shown.out.load(Relaxed);
    // What fits into the backlog is kept anyway.
    let bound = |bytes: u64| bytes.max(backlog);
    if limit.hard_bytes > 0 && used > bound(limit.hard_bytes) {
        return true;
    }
    if limit.soft_bytes == 0 || used <= bound(limit.soft_bytes) {
        follower.over_soft_ms.store(0, Relaxed);
        return false;
    }
    let since_ms = follower.over_soft_ms.load(Relaxed);
    if since_ms == 0 {
        follower.over_soft_ms.store(now_ms, Relaxed);
    }
    let allowed_ms = i64::try_from(limit.soft_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    since_ms > 0 && now_ms - since_ms > allowed_ms
}

/// Refuses writes while too few replicas keep up (`min-replicas-to-write`).
pub(super) async fn count_good(shared: &Shared, now_ms: i64) {
    let lacks = {
        let config = shared.server.config.read();
        shared.server.replication.lacks_replicas(&config, now_ms)
    };
    if shared.engine.world().lacks_replicas != lacks {
        change_world(shared, |world| world.lacks_replicas = lacks).await;
    }
}

/// Drops the backlog of a primary that has had no replica for `repl-backlog-ttl`.
async fn end_backlog(shared: &Shared, followers: &[Arc<Follower>], now_ms: i64) {
    let replication = &shared.server.replication;
    let alone = &replication.counters.alone_since_ms;
    if !followers.is_empty() {
        return alone.store(0, Relaxed);
    }
    if alone.load(Relaxed) == 0 {
        alone.store(now_ms, Relaxed);
    }
    let ttl_s = shared
        .server
        .config
        .read()
        .read(directive::REPL_BACKLOG_TTL);
    let over = ttl_s > 0 && now_ms - alone.load(Relaxed) > ttl_s.saturating_mul(1000);
    if over && replication.has_backlog() && replication.upstream().is_none() {
        change_world(shared, |world| {
            replication.close_backlog(&shared.engine, world)
        })
        .await;
        info!("Replication backlog freed after {ttl_s} seconds without connected replicas.");
    }
}

/// Removes the snapshot file that was made for replicas once none of them reads it (`rdb-del-sync-files`).
fn remove_sync_file(shared: &Shared, followers: &[Arc<Follower>]) {
    let server = &shared.server;
    let has_sync_file = &server.replication.has_sync_file;
    let (wanted, drops) = {
        let config = server.config.read();
        let wanted = config.read(directive::RDB_DEL_SYNC_FILES);
        (wanted, persistence::drops_sync_files(&config))
    };
    if !wanted {
        return has_sync_file.store(false, Relaxed);
    }
    let mut phases = followers.iter().map(|follower| follower.phase());
    let is_read = phases.any(|phase| (Phase::Waiting..Phase::Online).contains(&phase));
    if drops && !is_read && has_sync_file.load(Relaxed) && persistence::remove_rdb(server) {
        has_sync_file.store(false, Relaxed);
        info!("Removing the RDB file used to feed replicas in a persistence-less instance");
    }
}

/// Replaces the world.
pub(super) async fn change_world(shared: &Shared, change: impl FnOnce(&mut World)) {
    let engine = &shared.engine;
    with_everything(engine, |held| {
        let mut world = World::clone(&engine.world());
        change(&mut world);
        engine.replace_world(held, world);
    })
    .await;
}
