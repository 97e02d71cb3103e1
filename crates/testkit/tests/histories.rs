//! Histories of concurrent clients are linearizable, and the checker finds the faults that are planted.
//!
//! `CUIRASS_HISTORIES` sets how many histories each of the first three tests makes.

use engine::failpoint::{Fault, Place, install, plant};
use parking_lot::Mutex;
use std::cell::Cell;
use testkit::history::{Shape, Theme, Verdict, check_history, run_history};

const SHAPE: Shape = Shape {
    clients: 8,
    commands: 12,
    theme: Theme::Values,
};

/// Faults are planted in the whole process: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn concurrent_histories_are_linearizable() {
    assert_linearizable(SHAPE, 10_000);
}

#[test]
fn histories_of_keys_that_expire_are_linearizable() {
    let shape = Shape {
        theme: Theme::Expiry,
        ..SHAPE
    };
    assert_linearizable(shape, 1_500);
}

#[test]
fn histories_of_calls_that_wait_are_linearizable() {
    let shape = Shape {
        clients: 6,
        commands: 12,
        theme: Theme::Waiting,
    };
    assert_linearizable(shape, 1_500);
}

#[track_caller]
fn assert_linearizable(shape: Shape, histories: u64) {
    let _alone = ONE_AT_A_TIME.lock();
    install(random_delay);
    plant(Fault::None);
    let histories = std::env::var("CUIRASS_HISTORIES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(histories);
    for seed in 0..histories {
        let history = run_history(seed, shape);
        assert_eq!(
            check_history(&history),
            Verdict::Linearizable,
            "seed {seed}:\n{history}"
        );
    }
}

#[test]
fn watch_marks_read_before_the_locks_are_found() {
    assert_found(Fault::WatchBeforeLocks);
}

#[test]
fn a_reply_before_its_effects_is_found() {
    assert_found(Fault::ReplyBeforeEffects);
}

#[test]
fn an_effect_outside_the_locks_is_found() {
    assert_found(Fault::EffectOutsideLocks);
}

#[track_caller]
fn assert_found(fault: Fault) {
    let _alone = ONE_AT_A_TIME.lock();
    install(random_delay);
    plant(fault);
    let found =
        (0..2_000).any(|seed| check_history(&run_history(seed, SHAPE)) != Verdict::Linearizable);
    plant(Fault::None);
    assert!(found, "{fault:?} went unnoticed");
}

/// Lets other threads run at some of the places, now and then for long.
fn random_delay(_place: Place) {
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0x9E37_79B9_7F4A_7C15) });
    let drawn = STATE.with(|state| {
        let mut bits = state.get() ^ std::ptr::from_ref(state).addr() as u64;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        state.set(bits);
        bits
    });
    let yields = match drawn % 16 {
        0 => 20,
        1..5 => 1,
        _ => 0,
    };
    (0..yields).for_each(|_| std::thread::yield_now());
}
