//! Session resumption: stateless tickets that expire after `tls-session-cache-timeout`.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;

/// Tickets that are accepted for `timeout_s` seconds after they were made, by this configuration only: a reload
/// makes new keys, so a ticket never outlives the trust under which it was given.
///
/// The time of making lies inside the encrypted ticket, because rustls bounds the age only roughly: keys turn over
/// after six hours, and only when used. Longer timeouts than those six hours are kept as far as the key lives,
/// up to twelve hours. TLS 1.3 allows seven days at most.
pub(crate) fn ticketer(
    timeout_s: u32,
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    Ok(Arc::new(Timed {
        tickets: Ticketer::new()?,
        lifetime_s: timeout_s.min(LIFETIME_S_MAX),
        clock,
    }))
}

#[derive(Debug)]
struct Timed {
    tickets: Arc<dyn ProducesTickets>,
    lifetime_s: u32,
    clock: Arc<dyn TimeProvider>,
}

impl Timed {
    fn now_s(&self) -> Option<u64> {
        self.clock.current_time().map(|now| now.as_secs())
    }
}

impl ProducesTickets for Timed {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime_s
    }

    /// The ticket holds the time of making, 8 bytes, before the session.
    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let mut timed = Vec::with_capacity(8 + session.len());
        timed.extend_from_slice(&self.now_s()?.to_be_bytes());
        timed.extend_from_slice(session);
        self.tickets.encrypt(&timed)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let timed = self.tickets.decrypt(ticket)?;
        let (made_s, session) = timed.split_first_chunk::<8>()?;
        let age_s = self.now_s()?.checked_sub(u64::from_be_bytes(*made_s))?;
        (age_s <= u64::from(self.lifetime_s)).then(|| session.to_vec())
    }
}

/// RFC 8446, section 4.6.1.
const LIFETIME_S_MAX: u32 = 7 * 24 * 60 * 60;
