//! The lock types of the keyspace, in one place so that a model checker can take their place (`--cfg shuttle`).

use std::time::Duration;

#[cfg(not(shuttle))]
pub use event_listener::{Event, EventListener};
#[cfg(not(shuttle))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub use std::hint::spin_loop;
#[cfg(not(shuttle))]
pub use std::sync::atomic::{AtomicU32, Ordering, fence};

#[cfg(shuttle)]
pub use explored::{Event, EventListener, Mutex, MutexGuard, fence, spin_loop};
#[cfg(shuttle)]
pub use shuttle::sync::atomic::{AtomicU32, Ordering};

/// Blocks the thread until the listener's event was notified.
pub fn wait(listener: EventListener) {
    #[cfg(not(shuttle))]
    event_listener::Listener::wait(listener);
    #[cfg(shuttle)]
    listener.wait();
}

/// As [`wait`], for so long at most.
pub fn wait_for(listener: EventListener, time: Duration) {
    #[cfg(not(shuttle))]
    event_listener::Listener::wait_timeout(listener, time);
    // There is no time in explorations: it has always run out.
    #[cfg(shuttle)]
    {
        let _unused = (listener, time);
        shuttle::thread::yield_now();
    }
}

/// `shuttle`'s types with the interfaces of those above.
#[cfg(shuttle)]
mod explored {
    use shuttle::sync::atomic::Ordering;
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    pub use shuttle::sync::MutexGuard;

    /// A mutex whose every operation is a point where another thread may run.
    #[derive(Debug)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A mutex around `value`.
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        /// The guard, unless somebody else has it.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        /// The guard, after waiting for it.
        ///
        /// # Panics
        /// When a holder panicked, which ends an exploration anyway.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no holder panics")
        }

        /// Whether somebody has the guard now.
        pub fn is_locked(&self) -> bool {
            self.0.try_lock().is_err()
        }
    }

    /// An event that listeners wait for.
    #[derive(Debug, Default)]
    pub struct Event {
        state: Arc<(shuttle::sync::Mutex<u64>, shuttle::sync::Condvar)>,
    }

    /// Waits for one notification of an [`Event`] after it was made.
    #[derive(Debug)]
    pub struct EventListener {
        state: Arc<(shuttle::sync::Mutex<u64>, shuttle::sync::Condvar)>,
        seen: u64,
    }

    impl Event {
        /// An event without listeners.
        pub fn new() -> Self {
            Self::default()
        }

        /// A listener for the next notification.
        ///
        /// # Panics
        /// When a holder panicked, which ends an exploration anyway.
        pub fn listen(&self) -> EventListener {
            let seen = *self.state.0.lock().expect("no holder panics");
            EventListener {
                state: Arc::clone(&self.state),
                seen,
            }
        }

        /// Wakes all listeners.
        ///
        /// # Panics
        /// When a holder panicked, which ends an exploration anyway.
        pub fn notify(&self, _listeners: usize) {
            *self.state.0.lock().expect("no holder panics") += 1;
            self.state.1.notify_all();
        }
    }

    impl EventListener {
        /// Blocks until the event was notified.
        ///
        /// # Panics
        /// When a holder panicked, which ends an exploration anyway.
        pub fn wait(self) {
            let (notified, changed) = &*self.state;
            let mut count = notified.lock().expect("no holder panics");
            while *count == self.seen {
                count = changed.wait(count).expect("no holder panics");
            }
        }
    }

    impl Future for EventListener {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            unreachable!("explorations block threads, they poll nothing")
        }
    }

    /// A point where another thread may run.
    pub fn spin_loop() {
        shuttle::thread::yield_now();
    }

    /// Explorations are sequentially consistent: a fence is a point where another thread may run.
    pub fn fence(_ordering: Ordering) {
        shuttle::thread::yield_now();
    }
}
