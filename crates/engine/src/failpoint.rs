//! Delays at the places where a concurrency fault would show, for tests of histories. Nothing at all without the
//! `failpoints` feature.

/// Between taking one shard lock and the next.
#[inline]
pub(crate) fn between_locks() {
    #[cfg(feature = "failpoints")]
    hooks::run(hooks::Place::BetweenLocks);
}

/// Between releasing the locks of a call and flushing its reply.
#[inline]
pub(crate) fn after_unlock() {
    #[cfg(feature = "failpoints")]
    hooks::run(hooks::Place::AfterUnlock);
}

#[cfg(feature = "failpoints")]
pub use hooks::{Place, install};

#[cfg(feature = "failpoints")]
mod hooks {
    use std::sync::OnceLock;

    /// Where a delay may be put.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Place {
        /// Between taking one shard lock and the next.
        BetweenLocks,
        /// Between releasing the locks of a call and flushing its reply.
        AfterUnlock,
    }

    static HOOK: OnceLock<fn(Place)> = OnceLock::new();

    /// Installs the hook of this process; the first one stays.
    pub fn install(hook: fn(Place)) {
        let _already = HOOK.set(hook);
    }

    pub(super) fn run(place: Place) {
        if let Some(hook) = HOOK.get() {
            hook(place);
        }
    }
}
