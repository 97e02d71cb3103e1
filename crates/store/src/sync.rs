//! The lock types of the keyspace, in one place so that a model checker can take their place.

#[cfg(not(shuttle))]
pub use parking_lot::{Mutex, MutexGuard};

#[cfg(shuttle)]
pub use explored::{Mutex, MutexGuard};

#[cfg(shuttle)]
mod explored {
    pub use shuttle::sync::MutexGuard;

    /// `shuttle`'s mutex with the interface of `parking_lot`'s.
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
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no holder panics in an exploration")
        }

        /// Whether somebody has the guard now.
        pub fn is_locked(&self) -> bool {
            self.0.try_lock().is_err()
        }
    }
}
