//! The 24 bits of access that an entry carries: an LRU clock, or an LFU counter with the time of its decay.

/// How an entry's 24 bits of access are used (maxmemory-policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Seconds of the last access, modulo 2^24.
    Lru,
    /// Minutes of the last decay (16 bits, high) and a logarithmic counter (8 bits, low).
    Lfu {
        /// `lfu-log-factor`: how much harder the counter rises the higher it is.
        log_factor: u32,
        /// `lfu-decay-time`: minutes after which the counter loses one; 0 for never.
        decay_minutes: u32,
    },
}

/// The counter of a new entry (LFU_INIT_VAL, Redis 4.0), so that it is not evicted before it was used.
const LFU_START: u32 = 5;

const BITS: u32 = 0xFF_FFFF;

impl AccessPolicy {
    /// The access field of an entry made at `now_ms`.
    #[must_use]
    pub fn fresh(self, now_ms: i64) -> u32 {
        match self {
            Self::Lru => seconds(now_ms),
            Self::Lfu { .. } => minutes(now_ms) << 8 | LFU_START,
        }
    }

    /// The field of an entry that comes from elsewhere, with what is known of its use there; made at `now_ms` when nothing is that this policy keeps
    /// (`objectSetLRUOrLFU`, Redis 7.2).
    #[must_use]
    pub fn restored(self, idle_seconds: Option<u64>, frequency: Option<u8>, now_ms: i64) -> u32 {
        /// Half of the range, beyond which idle times could be taken for short ones.
        const IDLE_MAX: u64 = (BITS / 2) as u64;
        match (self, idle_seconds, frequency) {
            (Self::Lru, Some(idle), _) => {
                seconds(now_ms).wrapping_sub(idle.min(IDLE_MAX) as u32) & BITS
            }
            (Self::Lfu { .. }, _, Some(counter)) => minutes(now_ms) << 8 | u32::from(counter),
            _ => self.fresh(now_ms),
        }
    }

    /// The field after an access; `chance` is 64 random bits.
    #[must_use]
    pub fn touched(self, access: u32, now_ms: i64, chance: u64) -> u32 {
        match self {
            Self::Lru => seconds(now_ms),
            Self::Lfu { log_factor, .. } => {
                minutes(now_ms) << 8 | raised(self.frequency(access, now_ms), log_factor, chance)
            }
        }
    }

    /// Milliseconds since the last access (OBJECT IDLETIME); of use under LRU only.
    #[must_use]
    pub fn idle_ms(self, access: u32, now_ms: i64) -> u64 {
        u64::from(seconds(now_ms).wrapping_sub(access) & BITS) * 1000
    }

    /// The counter after the decay that is due (OBJECT FREQ); of use under LFU only.
    #[must_use]
    pub fn frequency(self, access: u32, now_ms: i64) -> u32 {
        let counter = access & 0xFF;
        match self {
            Self::Lfu { decay_minutes, .. } if decay_minutes > 0 => {
                let elapsed = minutes(now_ms).wrapping_sub(access >> 8) & 0xFFFF;
                counter.saturating_sub(elapsed / decay_minutes)
            }
            _ => counter,
        }
    }
}

/// LFULogIncr: the counter rises with probability 1 / ((counter - 5) * factor + 1).
fn raised(counter: u32, log_factor: u32, chance: u64) -> u32 {
    let base = u64::from(counter.saturating_sub(LFU_START));
    let odds = base * u64::from(log_factor) + 1;
    let drawn = (u128::from(scattered(chance)) * u128::from(odds)) >> 64;
    if counter < 255 && drawn == 0 {
        counter + 1
    } else {
        counter
    }
}

/// Spreads the bits of a clock reading, so that it can serve as chance.
fn scattered(chance: u64) -> u64 {
    let mixed = (chance ^ (chance >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & BITS
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xFFFF
}

#[cfg(test)]
mod tests {
    use super::AccessPolicy;

    #[test]
    fn idle_time_counts_seconds() {
        let access = AccessPolicy::Lru.fresh(1_000_000);
        assert_eq!(AccessPolicy::Lru.idle_ms(access, 1_007_900), 7_000);
    }

    #[test]
    fn use_elsewhere_is_taken_over() {
        let now_ms = 100_000_000_000;
        let lfu = AccessPolicy::Lfu {
            log_factor: 10,
            decay_minutes: 1,
        };
        let idle = |seconds| {
            let access = AccessPolicy::Lru.restored(Some(seconds), Some(9), now_ms);
            AccessPolicy::Lru.idle_ms(access, now_ms)
        };
        assert_eq!((idle(0), idle(1000)), (0, 1_000_000));
        assert_eq!(idle(u64::MAX), 8_388_607_000);
        let counter = |frequency| lfu.frequency(lfu.restored(Some(7), frequency, now_ms), now_ms);
        assert_eq!((counter(Some(200)), counter(None)), (200, 5));
    }

    #[test]
    fn frequency_rises_and_decays() {
        let lfu = AccessPolicy::Lfu {
            log_factor: 0,
            decay_minutes: 1,
        };
        let once = lfu.touched(lfu.fresh(0), 0, 7);
        assert_eq!(lfu.frequency(once, 0), 6);
        assert_eq!(lfu.frequency(once, 2 * 60_000), 4);
        assert_eq!(lfu.frequency(once, 100 * 60_000), 0);
    }

    #[test]
    fn a_high_counter_seldom_rises() {
        let lfu = AccessPolicy::Lfu {
            log_factor: 10,
            decay_minutes: 0,
        };
        let rises = (0..10_000u64)
            .filter(|i| lfu.touched(100, 0, i * 7919) & 0xFF == 101)
            .count();
        assert!(rises < 60, "{rises} of 10,000");
    }
}
