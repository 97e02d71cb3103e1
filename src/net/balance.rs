//! Where connections belong: on as few workers as can serve them, for two half-idle workers cost more than a busy one.
//!
//! The same load spread over two workers takes 18 to 27 % more processor time, since each wakes twice as often for half the
//! events. So a second worker is used only when the first has been busy for a while, *and* a core is free to run it; and two
//! that fit into one are merged. Connections move when they have their turn, so the active ones move first.

use std::fs;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::net::Shared;

/// What the balance remembers between two looks.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    looked_ns: u64,
    busy: Vec<Duration>,
    policy: Policy,
}

/// One worker in the time between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Load {
    /// The part of the time in which it did something, 0 to 1.
    busy: f64,
    /// Connections that had a turn.
    active: usize,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Leave everything as it is.
    Stay,
    /// Move so many active connections.
    Move {
        from: usize,
        to: usize,
        count: usize,
    },
    /// Move every connection.
    Empty { from: usize, to: usize },
}

/// The rules, without clock and threads.
#[derive(Debug, Default)]
struct Policy {
    /// Workers that are given up, or were never used.
    unused: Vec<bool>,
    over_ms: u64,
    under_ms: u64,
    idle_cores: f64,
}

/// Milliseconds between two looks.
const LOOKS_APART_MS: u64 = 100;
/// A worker above this is too busy.
const BUSY_MAX: f64 = 0.85;
/// For how long it is until something is done.
const BUSY_MS: u64 = 300;
/// Two workers that are busy for less than this together are merged.
const MERGE_MAX: f64 = 0.60;
/// For how long they are until that is done.
const MERGE_MS: u64 = 2000;
/// Cores that must be idle for another worker to be of use.
const IDLE_CORES_MIN: f64 = 0.25;

impl Balance {
    /// One look.
    pub(crate) fn run(&mut self, shared: &Shared) {
        let now_ns = shared.server.clock.now().monotonic_ns;
        let elapsed_ns = now_ns - self.looked_ns;
        if elapsed_ns < LOOKS_APART_MS * 1_000_000 * 9 / 10 || shared.workers.len() < 2 {
            return;
        }
        self.looked_ns = now_ns;
        let loads = self.measure(shared, elapsed_ns);
        if shared.server.limits.spreads.load(Relaxed) {
            self.policy = Policy::default();
            return;
        }
        let decision = self
            .policy
            .decide(&loads, elapsed_ns / 1_000_000, idle_jiffies);
        let worker = |index: usize| shared.workers.get(index);
        match decision {
            Decision::Stay => {}
            Decision::Move { from, to, count } => {
                if let (Some(from), Some(target)) = (worker(from), worker(to)) {
                    target.load().shed(0, 0);
                    from.load().shed(u32::try_from(count).unwrap_or(ALL), to);
                }
            }
            Decision::Empty { from, to } => {
                if let Some(from) = worker(from) {
                    from.load().shed(ALL, to);
                }
            }
        }
        shared
            .preferred
            .store(self.policy.preferred(&loads), Relaxed);
    }

    fn measure(&mut self, shared: &Shared, elapsed_ns: u64) -> Vec<Load> {
        self.busy.resize(shared.workers.len(), Duration::ZERO);
        let workers = shared.workers.iter().zip(&mut self.busy);
        workers
            .map(|(worker, before)| {
                let busy = worker.load().busy();
                let spent = busy.saturating_sub(*before);
                *before = busy;
                Load {
                    busy: spent.as_nanos() as f64 / elapsed_ns.max(1) as f64,
                    active: worker.load().active.swap(0, Relaxed),
                }
            })
            .collect()
    }
}

/// As many connections as there are.
const ALL: u32 = u32::MAX;

impl Policy {
    /// What the loads of the last `elapsed_ms` call for. `idle_jiffies` counts hundredths of seconds of idle cores.
    fn decide(
        &mut self,
        loads: &[Load],
        elapsed_ms: u64,
        idle_jiffies: impl Fn() -> Option<u64>,
    ) -> Decision {
        if self.unused.len() != loads.len() {
            self.unused = (0..loads.len()).map(|index| index > 0).collect();
        }
        let used = || (0..loads.len()).filter(|index| !self.unused[*index]);
        let by_load = |a: &usize, b: &usize| loads[*a].busy.total_cmp(&loads[*b].busy);
        let (Some(busiest), Some(idlest)) = (used().max_by(by_load), used().min_by(by_load)) else {
            return Decision::Stay;
        };
        if loads[busiest].busy > BUSY_MAX && loads[busiest].active > 1 {
            self.under_ms = 0;
            return self.relieve(busiest, idlest, loads, elapsed_ms, idle_jiffies);
        }
        self.over_ms = 0;
        let second = used()
            .filter(|index| *index != idlest)
            .min_by(by_load)
            .filter(|second| loads[idlest].busy + loads[*second].busy < MERGE_MAX);
        let Some(second) = second else {
            self.under_ms = 0;
            return Decision::Stay;
        };
        self.under_ms += elapsed_ms;
        if self.under_ms < MERGE_MS {
            return Decision::Stay;
        }
        self.under_ms = 0;
        let (to, from) = (idlest.min(second), idlest.max(second));
        self.unused[from] = true;
        Decision::Empty { from, to }
    }

    /// Moves half of a worker's load away once it has been too busy for long enough and there is somewhere to go.
    fn relieve(
        &mut self,
        busiest: usize,
        idlest: usize,
        loads: &[Load],
        elapsed_ms: u64,
        idle_jiffies: impl Fn() -> Option<u64>,
    ) -> Decision {
        if self.over_ms == 0 {
            self.idle_cores = idle_jiffies().map_or(f64::INFINITY, |idle| idle as f64);
        }
        self.over_ms += elapsed_ms;
        if self.over_ms < BUSY_MS + elapsed_ms {
            return Decision::Stay;
        }
        let idle = idle_jiffies().map_or(f64::INFINITY, |idle| idle as f64 - self.idle_cores);
        let idle_cores = idle * 10.0 / (self.over_ms - elapsed_ms).max(1) as f64;
        self.over_ms = 0;
        let fresh = self.unused.iter().position(|unused| *unused);
        let has_room = idlest != busiest && loads[idlest].busy < MERGE_MAX;
        let target = match fresh {
            _ if has_room => idlest,
            Some(fresh) if idle_cores >= IDLE_CORES_MIN => fresh,
            _ => return Decision::Stay,
        };
        self.unused[target] = false;
        Decision::Move {
            from: busiest,
            to: target,
            count: loads[busiest].active / 2,
        }
    }

    /// The worker for new connections: the first that is not too busy, else the one with the most time.
    fn preferred(&self, loads: &[Load]) -> usize {
        let used = || {
            let all = loads.iter().enumerate();
            all.filter(|(index, _)| !self.unused.get(*index).copied().unwrap_or(true))
        };
        let free = used().find(|(_, load)| load.busy < BUSY_MAX);
        let idlest = || used().min_by(|(_, a), (_, b)| a.busy.total_cmp(&b.busy));
        free.or_else(idlest).map_or(0, |(index, _)| index)
    }
}

/// Hundredths of seconds that all cores together have been idle since the machine started.
fn idle_jiffies() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MS: u64 = 100;

    fn load(busy: f64, active: usize) -> Load {
        Load { busy, active }
    }

    /// Decisions of a second, for loads that stay as they are and cores that are idle for this part of the time.
    fn second(policy: &mut Policy, loads: &[Load], idle_cores: f64) -> Vec<Decision> {
        let jiffies = std::cell::Cell::new(0.0);
        let decisions = (0..10).map(|_| {
            jiffies.set(jiffies.get() + idle_cores * TICK_MS as f64 / 10.0);
            policy.decide(loads, TICK_MS, || Some(jiffies.get() as u64))
        });
        decisions.filter(|made| *made != Decision::Stay).collect()
    }

    #[test]
    fn a_busy_worker_gives_half_of_its_active_connections_away() {
        let mut policy = Policy::default();
        let loads = [load(0.95, 50), load(0.0, 0)];
        let first = second(&mut policy, &loads, 1.0).first().copied();
        assert_eq!(
            first,
            Some(Decision::Move {
                from: 0,
                to: 1,
                count: 25
            })
        );
    }

    #[test]
    fn no_worker_is_added_without_a_core_for_it() {
        let mut policy = Policy::default();
        assert_eq!(second(&mut policy, &[load(1.0, 50), load(0.0, 0)], 0.1), []);
    }

    #[test]
    fn one_connection_cannot_be_halved() {
        let mut policy = Policy::default();
        assert_eq!(second(&mut policy, &[load(1.0, 1), load(0.0, 0)], 1.0), []);
    }

    #[test]
    fn moderate_load_stays_where_it_is() {
        let mut policy = Policy::default();
        assert_eq!(second(&mut policy, &[load(0.8, 50), load(0.0, 0)], 1.0), []);
        assert_eq!(policy.preferred(&[load(0.8, 50), load(0.0, 0)]), 0);
    }

    #[test]
    fn two_idle_workers_become_one() {
        let mut policy = Policy::default();
        let _moved = second(&mut policy, &[load(0.95, 50), load(0.0, 0)], 1.0);
        let calm = [load(0.2, 25), load(0.2, 25)];
        let mut made = Vec::new();
        for _ in 0..3 {
            made.extend(second(&mut policy, &calm, 1.0));
        }
        assert_eq!(made, [Decision::Empty { from: 1, to: 0 }]);
        assert_eq!(policy.preferred(&calm), 0);
    }
}
