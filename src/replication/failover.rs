//! FAILOVER: a primary changes places with one of its replicas without losing a write.
//!
//! 1. Writes are held back, and the replica catches up.
//! 2. The primary follows the replica, and asks it in the same breath to become a primary (PSYNC ... FAILOVER).
//! 3. Once it has agreed writes are let go, which then are told that this is a replica.

use config::composite::Primary;
use engine::{Engine, World};
use std::sync::atomic::Ordering::Relaxed;
use tracing::info;

use super::{Phase, Replication};

/// A coordinated failover under way.
#[derive(Clone, Debug)]
pub(crate) struct Failover {
    pub(crate) phase: FailoverPhase,
    /// To whom; to whoever is first up to date when there is none.
    pub(crate) target: Option<(String, u16)>,
    /// When it is given up, or begun anyway, in Unix milliseconds.
    pub(crate) deadline_ms: Option<i64>,
    /// Whether it is begun anyway.
    pub(crate) is_forced: bool,
}

/// How far a failover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailoverPhase {
    /// The replica catches up.
    Waiting,
    /// The replica is asked to become a primary.
    Asking,
}

impl Replication {
    /// What INFO says of a coordinated failover.
    pub(crate) fn failover_state(&self) -> &'static str {
        match self.failover_phase() {
            None => "no-failover",
            Some(FailoverPhase::Waiting) => "waiting-for-sync",
            Some(FailoverPhase::Asking) => "failover-in-progress",
        }
    }

    /// How far a failover is, if one is under way.
    pub(crate) fn failover_phase(&self) -> Option<FailoverPhase> {
        let state = self.state.lock();
        state.failover.as_ref().map(|failover| failover.phase)
    }

    /// Begins one. Every shard is held.
    pub(crate) fn begin_failover(&self, world: &mut World, failover: Failover) {
        match &failover.target {
            Some((host, port)) => info!("FAILOVER requested to {host}:{port}."),
            None => info!("FAILOVER requested to any replica."),
        }
        self.state.lock().failover = Some(failover);
        world.failing_over = true;
    }

    /// Gives one up, if one is under way. Every shard is held.
    pub(crate) fn abort_failover(&self, engine: &Engine, world: &mut World, why: &str) {
        let Some(failover) = self.state.lock().failover.take() else {
            return;
        };
        match &failover.target {
            Some((host, port)) => info!("FAILOVER to {host}:{port} aborted: {why}"),
            None => info!("FAILOVER to any replica aborted: {why}"),
        }
        if failover.phase == FailoverPhase::Asking {
            self.lead(engine, world);
        }
        world.failing_over = false;
    }

    /// The replica has agreed. Every shard is held.
    pub(crate) fn end_failover(&self, world: &mut World) {
        if self.state.lock().failover.take().is_some() {
            world.failing_over = false;
        }
    }

    /// Whether it is time for the next step: the replica is up to date, or time is up.
    pub(crate) fn is_failover_due(&self, engine: &Engine, now_ms: i64) -> bool {
        let Some(failover) = self.state.lock().failover.clone() else {
            return false;
        };
        failover.phase == FailoverPhase::Waiting
            && (failover
                .deadline_ms
                .is_some_and(|deadline| deadline <= now_ms)
                || self.up_to_date(engine, &failover).is_some())
    }

    /// The address of the replica that is up to date, if it is one that will do.
    fn up_to_date(&self, engine: &Engine, failover: &Failover) -> Option<(String, u16)> {
        let end = engine.log.end();
        let mut followers = self.followers.all().into_iter();
        followers.find_map(|follower| {
            let address = follower.address();
            let fits = failover
                .target
                .as_ref()
                .is_none_or(|target| *target == address);
            let is_up_to_date =
                follower.phase() == Phase::Online && follower.acknowledged.load(Relaxed) == end;
            (fits && is_up_to_date).then_some(address)
        })
    }

    /// Takes the next step. Every shard is held. Whether this server is a replica now.
    pub(crate) fn advance_failover(
        &self,
        engine: &Engine,
        world: &mut World,
        now_ms: i64,
        backlog: u64,
    ) -> Option<Primary> {
        let failover = self.state.lock().failover.clone()?;
        if failover.phase != FailoverPhase::Waiting {
            return None;
        }
        let is_late = failover
            .deadline_ms
            .is_some_and(|deadline| deadline <= now_ms);
        let target = match (self.up_to_date(engine, &failover), failover.target) {
            (Some((host, port)), _) => {
                info!("Failover target {host}:{port} is synced, failing over.");
                (host, port)
            }
            (None, Some((host, port))) if is_late && failover.is_forced => {
                info!("FAILOVER to {host}:{port} time out exceeded, failing over.");
                (host, port)
            }
            (None, _) if is_late => {
                self.abort_failover(engine, world, "Replica never caught up before timeout");
                return None;
            }
            (None, _) => return None,
        };
        if let Some(failover) = &mut self.state.lock().failover {
            failover.phase = FailoverPhase::Asking;
            failover.target = Some(target.clone());
        }
        let (host, port) = target;
        let primary = Primary {
            host: host.into_bytes(),
            port,
        };
        self.follow(engine, world, &primary, backlog);
        Some(primary)
    }
}
