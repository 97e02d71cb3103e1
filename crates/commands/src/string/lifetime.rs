//! The options EX, PX, EXAT, PXAT, KEEPTTL and PERSIST: when a key, or a field of a hash, expires.

use crate::{Args, CommandError, Expiry};
use bytes::Bytes;

/// What a call says about a key's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime<'a> {
    /// Nothing.
    Unsaid,
    /// KEEPTTL or PERSIST, whichever the command has: the option without a number.
    Plain,
    /// A number, not read yet, and what it counts.
    Given(Clock, &'a [u8]),
}

/// What the number of an expiry option counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Seconds from now.
    Ex,
    /// Milliseconds from now.
    Px,
    /// Seconds of Unix time.
    ExAt,
    /// Milliseconds of Unix time.
    PxAt,
}

impl Clock {
    /// Whether the number is a moment rather than a duration.
    pub(crate) fn is_absolute(self) -> bool {
        matches!(self, Self::ExAt | Self::PxAt)
    }

    /// The moment that `number` names, in Unix milliseconds: an integer above zero that stays within 64 bits.
    /// `command` is named by the error (getExpireMillisecondsOrReply, Redis 7.2).
    pub(super) fn deadline(
        self,
        number: &[u8],
        now_ms: i64,
        command: &'static str,
    ) -> Result<i64, CommandError> {
        self.deadline_from(number, 1, now_ms, command)
    }

    /// As [`Clock::deadline`], of a field of a hash: zero is a number too (convertExpireArgumentToUnixTime, Valkey 9).
    pub(crate) fn field_deadline(
        self,
        number: &[u8],
        now_ms: i64,
        command: &'static str,
    ) -> Result<i64, CommandError> {
        self.deadline_from(number, 0, now_ms, command)
    }

    fn deadline_from(
        self,
        number: &[u8],
        least: i64,
        now_ms: i64,
        command: &'static str,
    ) -> Result<i64, CommandError> {
        let number = resp::number::parse_i64(number).ok_or(CommandError::NotInteger)?;
        let unit = match self {
            Self::Ex | Self::ExAt => 1000,
            Self::Px | Self::PxAt => 1,
        };
        let since = if self.is_absolute() { 0 } else { now_ms };
        Some(number)
            .filter(|number| *number >= least)
            .and_then(|number| number.checked_mul(unit)?.checked_add(since))
            .ok_or(CommandError::InvalidExpire(command))
    }
}

impl<'a> Lifetime<'a> {
    /// Reads the next word when it is one of these options; `plain` is the one without a number. A call may repeat an
    /// option, and the last one counts, but two different ones are a syntax error.
    pub(crate) fn read(
        &mut self,
        args: &mut Args<'a>,
        plain: &'static str,
    ) -> Result<bool, CommandError> {
        const CLOCKS: &[(&str, Clock)] = &[
            ("EX", Clock::Ex),
            ("PX", Clock::Px),
            ("EXAT", Clock::ExAt),
            ("PXAT", Clock::PxAt),
        ];
        let said = if let Some(clock) = args.one_of(CLOCKS) {
            Self::Given(clock, args.bytes()?)
        } else if args.flag(plain) {
            Self::Plain
        } else {
            return Ok(false);
        };
        let agrees = match (*self, said) {
            (Self::Unsaid, _) | (Self::Plain, Self::Plain) => true,
            (Self::Given(before, _), Self::Given(clock, _)) => before == clock,
            _ => false,
        };
        if !agrees {
            return Err(CommandError::Syntax);
        }
        *self = said;
        Ok(true)
    }

    /// What becomes of a key's time to live where [`Lifetime::Plain`] is KEEPTTL.
    pub(super) fn expiry(self, now_ms: i64, command: &'static str) -> Result<Expiry, CommandError> {
        match self {
            Self::Unsaid => Ok(Expiry::None),
            Self::Plain => Ok(Expiry::Keep),
            Self::Given(clock, number) => clock.deadline(number, now_ms, command).map(Expiry::At),
        }
    }
}

/// A moment as the log has it.
pub(crate) fn word(unix_ms: i64) -> Bytes {
    Bytes::copy_from_slice(&resp::number::format_i64(unix_ms))
}
