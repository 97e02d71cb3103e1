//! When the dataset is saved by itself: save points, and saves that were scheduled.

use std::sync::atomic::Ordering::Relaxed;

use tracing::info;

use super::save::save_in_background;
use crate::net::Shared;

/// Seconds after which a save that failed is tried again (CONFIG_BGSAVE_RETRY_DELAY, Redis 7.2).
const RETRY_S: i64 = 5;

/// Begins a save in the background when a save point asks for it, or somebody has scheduled one. Cron calls it.
pub(crate) fn look_at_save_points(shared: &Shared) {
    let server = &shared.server;
    let persistence = &server.persistence;
    let save = &persistence.save;
    if save.in_background.load(Relaxed)
        || shared.engine.snapshots.progress().is_some()
        || shared.engine.world().loading
    {
        return;
    }
    let now_s = server.now_s();
    let may_try = !save.failed.load(Relaxed) || now_s - save.tried_s.load(Relaxed) > RETRY_S;
    if !may_try {
        return;
    }
    let scheduled = save.scheduled.load(Relaxed);
    let changes = shared
        .engine
        .stats
        .sum(|thread| &thread.dirty)
        .saturating_sub(save.changes.load(Relaxed));
    let age_s = u64::try_from(now_s - save.saved_s.load(Relaxed)).unwrap_or(0);
    let points = persistence.save_points.read();
    let due = points
        .iter()
        .find(|point| changes >= point.changes && age_s > point.seconds);
    if let Some(point) = due {
        info!(
            "{} changes in {} seconds. Saving...",
            point.changes, point.seconds
        );
    }
    if due.is_some() || scheduled {
        save.in_background.store(true, Relaxed);
        persistence.submit(save_in_background);
    }
}
