//! What a client can do wrong at the level of the protocol, and the exact text that Redis answers before it closes.

use std::borrow::Cow;
use std::fmt;

/// A violation of the request protocol. The server answers with [`ProtocolError::message`] and closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// `*` is followed by something that is no number, or by more than 2,147,483,647.
    InvalidMultibulkLength,
    /// `$` is followed by something that is no number, a negative number, or more than `proto-max-bulk-len`.
    InvalidBulkLength,
    /// An argument of a multibulk request starts with this byte in place of `$`.
    ExpectedDollar(u8),
    /// No newline within the first 64 kB of an inline request.
    TooBigInlineRequest,
    /// No line end within 64 kB after `*`.
    TooBigMultibulkCount,
    /// No line end within 64 kB after `$`.
    TooBigBulkCount,
    /// More than 10 arguments before authentication.
    UnauthenticatedMultibulkLength,
    /// An argument of more than 16,384 bytes before authentication.
    UnauthenticatedBulkLength,
    /// An inline request leaves a quote open, or has text right after a closing one.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The text of the error reply as Redis 7.2 words it, without the leading `-ERR ` and without line end.
    pub fn message(&self) -> Cow<'static, [u8]> {
        let text: &'static str = match self {
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::ExpectedDollar(got) => {
                // The byte goes out as it came, except that a line end would break the reply in two.
                let got = if matches!(got, b'\r' | b'\n') {
                    b' '
                } else {
                    *got
                };
                let mut message = b"Protocol error: expected '$', got '".to_vec();
                message.extend([got, b'\'']);
                return Cow::Owned(message);
            }
            Self::TooBigInlineRequest => "Protocol error: too big inline request",
            Self::TooBigMultibulkCount => "Protocol error: too big mbulk count string",
            Self::TooBigBulkCount => "Protocol error: too big bulk count string",
            Self::UnauthenticatedMultibulkLength => {
                "Protocol error: unauthenticated multibulk length"
            }
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
        };
        Cow::Borrowed(text.as_bytes())
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message()))
    }
}

impl std::error::Error for ProtocolError {}
