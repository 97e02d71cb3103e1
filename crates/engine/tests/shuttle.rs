//! The lock protocol, explored: every schedule that `shuttle` draws ends, and writes over several shards exclude each other.
//!
//! Runs with `RUSTFLAGS="--cfg shuttle"`; without it this file is empty.
#![cfg(shuttle)]

use engine::failpoint::{Fault, plant};
use engine::{Locks, ShardSet, Taker, World};

use parking_lot::Mutex;
use shuttle::scheduler::PctScheduler;
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};
use shuttle::{Config, Runner};
use std::sync::Arc;
use store::Shard;

/// Faults are planted in the whole process: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn calls_over_several_shards_end_and_exclude_each_other() {
    let _alone = ONE_AT_A_TIME.lock();
    plant(Fault::None);
    explore(20_000);
}

/// A lane that meets a reservation sleeps until it ends: it tries once in vain at most.
#[test]
fn lanes_sleep_until_a_reservation_ends() {
    let _alone = ONE_AT_A_TIME.lock();
    plant(Fault::None);
    Runner::new(PctScheduler::new(3, 20_000), Config::new()).run(|| {
        let shards = (0..2).map(|_| Shard::new(1)).collect();
        let locks = Locks::new(shards, &Arc::new(World::default()));
        let set = ShardSet::one(1);
        let reservation = locks.reserve(set.clone());
        let lane = {
            let (locks, set) = (locks.clone(), set.clone());
            shuttle::thread::spawn(move || {
                let mut vain = 0;
                loop {
                    match locks.acquire(&set, Taker::Lane) {
                        Ok(held) => {
                            drop(held);
                            return vain;
                        }
                        Err(busy) => {
                            vain += 1;
                            locks.wait(busy, Taker::Lane).block();
                        }
                    }
                }
            })
        };
        shuttle::thread::yield_now();
        drop(reservation);
        assert!(lane.join().expect("the lane ends") <= 1);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn locks_taken_out_of_order_deadlock() {
    let _alone = ONE_AT_A_TIME.lock();
    plant(Fault::LocksOutOfOrder);
    explore(20_000);
}

fn explore(schedules: usize) {
    Runner::new(PctScheduler::new(3, schedules), Config::new()).run(|| {
        let shards = (0..4).map(|_| Shard::new(1)).collect();
        let locks = Locks::new(shards, &Arc::new(World::default()));
        let inside: Arc<[AtomicU32; 4]> = Arc::new(std::array::from_fn(|_| AtomicU32::new(0)));
        let sets = [vec![0, 1], vec![1, 2], vec![0, 1, 2, 3]];
        let threads: Vec<_> = sets
            .into_iter()
            .enumerate()
            .map(|(number, wanted)| {
                let (locks, inside) = (locks.clone(), Arc::clone(&inside));
                shuttle::thread::spawn(move || {
                    let taker = if number == 2 {
                        Taker::Lane
                    } else {
                        Taker::Worker
                    };
                    call(&locks, &wanted, taker, &inside);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("a call ends");
        }
    });
}

/// Takes `wanted`, as a connection does: try, wait for the busy shard while nothing is held, reserve when it lost too often.
fn call(locks: &Locks, wanted: &[u16], taker: Taker, inside: &[AtomicU32; 4]) {
    let mut set = ShardSet::none();
    wanted.iter().for_each(|shard| set.insert(*shard));
    let mut tries = 0;
    let mut reservation = None;
    let held = loop {
        match locks.acquire(&set, taker) {
            Ok(held) => break held,
            Err(busy) => {
                tries += 1;
                if tries == 8 && taker == Taker::Worker {
                    reservation = Some(locks.reserve(set.clone()));
                }
                locks.wait(busy, taker).block();
            }
        }
    };
    drop(reservation);
    for shard in wanted {
        assert_eq!(
            inside[usize::from(*shard)].fetch_add(1, SeqCst),
            0,
            "shard {shard} is held twice"
        );
    }
    shuttle::thread::yield_now();
    for shard in wanted {
        inside[usize::from(*shard)].fetch_sub(1, SeqCst);
    }
    drop(held);
}
