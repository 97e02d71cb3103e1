//! Why a handshake failed, in words for one line of the log, and what to do about it.

use std::borrow::Cow;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use crate::certificate::V1_REMEDY;
use crate::sniff::Kind;
use crate::verify::BeforeV3;

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We accepted: the peer is a client.
    Server,
    /// We connected: the peer is a primary or a cluster node.
    Client,
}

/// The kinds of failure: what a log that says each cause once in a while goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Cause {
    UnknownCa,
    CertificateExpired,
    CertificateNotValidYet,
    CertificateBeforeV3,
    CertificateName,
    CertificatePurpose,
    BadCertificate,
    NoCertificate,
    NoSharedCipher,
    NoSharedGroup,
    ProtocolVersion,
    AlertReceived,
    Plaintext,
    Eof,
    Reset,
    TimedOut,
    NotTls,
    Other,
}

/// A failure in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The kind.
    pub cause: Cause,
    /// What happened.
    pub reason: Cow<'static, str>,
    /// What to do.
    pub remedy: &'static str,
}

/// Explains an error of rustls.
pub fn explain(error: &Error, side: Side) -> Explanation {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error, side),
        Error::NoCertificatesPresented => no_certificate(side),
        Error::AlertReceived(alert) => of_alert(*alert, side),
        Error::PeerIncompatible(why) => of_incompatible(why),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => new(
            Cause::NotTls,
            "the peer sent bytes that are not TLS",
            match side {
                Side::Server => "connect with TLS (redis-cli --tls), or use the plaintext port",
                Side::Client => {
                    "the other end speaks plaintext there: give its TLS port, or turn tls-replication or tls-cluster off"
                }
            },
        ),
        other => new(
            Cause::Other,
            other.to_string(),
            "see whether both ends are of sound and recent versions",
        ),
    }
}

/// Explains an error of the socket, or one of rustls that came wrapped in it.
pub fn explain_io(error: &io::Error, side: Side) -> Explanation {
    if let Some(inner) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        return explain(inner, side);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => new(
            Cause::Eof,
            "the peer closed the connection in the middle of the handshake",
            match side {
                Side::Server => {
                    "a port scan or health check does that; a client that gives up does not trust the certificate (give it the CA)"
                }
                Side::Client => {
                    "see the other end's log: it may refuse our certificate, or speak plaintext on that port"
                }
            },
        ),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => new(
            Cause::Reset,
            "the peer reset the connection in the middle of the handshake",
            "see the peer's log",
        ),
        io::ErrorKind::TimedOut => new(
            Cause::TimedOut,
            "the handshake did not finish in time",
            "see whether the peer speaks TLS at all, and tls-handshake-timeout",
        ),
        _ => new(
            Cause::Other,
            error.to_string(),
            "see the network between the two ends",
        ),
    }
}

/// Explains plaintext on a TLS port, as [`crate::sniff`] told it; `None` for what may be TLS.
pub fn explain_plaintext(kind: Kind) -> Option<Explanation> {
    let remedy =
        "connect with TLS (redis-cli --tls), or open a plaintext port with the 'port' directive";
    match kind {
        Kind::PlainResp => Some(new(
            Cause::Plaintext,
            "a client spoke plaintext Redis protocol to the TLS port",
            remedy,
        )),
        Kind::Http => Some(new(
            Cause::Plaintext,
            "a client spoke plaintext HTTP to the TLS port",
            "point web clients and health checks elsewhere: this is no web server",
        )),
        Kind::Other => Some(new(
            Cause::NotTls,
            "a client sent bytes that are not TLS to the TLS port",
            remedy,
        )),
        Kind::Tls | Kind::Incomplete => None,
    }
}

fn new(cause: Cause, reason: impl Into<Cow<'static, str>>, remedy: &'static str) -> Explanation {
    Explanation {
        cause,
        reason: reason.into(),
        remedy,
    }
}

fn of_certificate(error: &CertificateError, side: Side) -> Explanation {
    match error {
        CertificateError::UnknownIssuer => new(
            Cause::UnknownCa,
            "the peer's certificate is not issued by a CA that is trusted here",
            "add its CA to tls-ca-cert-file or tls-ca-cert-dir, and let the peer send its intermediate certificates",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => new(
            Cause::CertificateExpired,
            "the peer's certificate, or one above it, has expired",
            "renew it, or correct this machine's clock",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => new(
            Cause::CertificateNotValidYet,
            "the peer's certificate is not valid yet",
            "correct the clock of this machine, or of the one that issued it",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => new(
            Cause::CertificateName,
            error.to_string(),
            "dial a name that the certificate carries, name it in tls-replication-verify-name, or set that to no",
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => new(
            Cause::CertificatePurpose,
            "the peer's certificate is not issued for this purpose",
            match side {
                Side::Server => {
                    "issue it with extendedKeyUsage clientAuth, or without that extension"
                }
                Side::Client => {
                    "issue it with extendedKeyUsage serverAuth, or without that extension"
                }
            },
        ),
        CertificateError::Other(other) if other.0.is::<BeforeV3>() => new(
            Cause::CertificateBeforeV3,
            "the peer's certificate is X.509 version 1, which is refused",
            V1_REMEDY,
        ),
        other => new(
            Cause::BadCertificate,
            format!("the peer's certificate is bad: {other}"),
            "issue it again",
        ),
    }
}

fn no_certificate(side: Side) -> Explanation {
    let remedy = match side {
        Side::Server => {
            "give the client a certificate (redis-cli --cert --key), or set 'tls-auth-clients no' or 'optional'"
        }
        Side::Client => "give the other end a certificate",
    };
    new(
        Cause::NoCertificate,
        "the peer presented no certificate",
        remedy,
    )
}

fn of_incompatible(why: &PeerIncompatible) -> Explanation {
    match why {
        PeerIncompatible::NoCipherSuitesInCommon => new(
            Cause::NoSharedCipher,
            "the two ends have no cipher in common",
            "widen tls-ciphers or tls-ciphersuites; with TLS 1.2 the certificate's key (RSA or ECDSA) must fit the cipher too",
        ),
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            new(
                Cause::NoSharedGroup,
                "the two ends have no key exchange group in common",
                "let the peer offer X25519 or P-256",
            )
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => new(
            Cause::NoSharedCipher,
            "the two ends have no signature scheme in common for the certificate's key",
            "use a certificate with an ECDSA P-256 or RSA 2048 key",
        ),
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => protocol_version(),
        other => new(
            Cause::Other,
            format!("the peer is incompatible: {other:?}"),
            "bring the peer to a recent TLS library",
        ),
    }
}

fn protocol_version() -> Explanation {
    new(
        Cause::ProtocolVersion,
        "the two ends have no TLS version in common",
        "let both speak TLSv1.2 or TLSv1.3 (tls-protocols); older versions are not spoken here",
    )
}

/// What a peer means by its alert. It comes from the other end, whose log knows more.
fn of_alert(alert: AlertDescription, side: Side) -> Explanation {
    let trust_us = match side {
        Side::Server => "give the client the CA that issued tls-cert-file (redis-cli --cacert)",
        Side::Client => "give the other end the CA that issued our certificate",
    };
    let (meaning, remedy) = match alert {
        AlertDescription::UnknownCA => ("it does not trust our certificate's CA", trust_us),
        AlertDescription::BadCertificate => (
            "it refuses our certificate, perhaps for the name in it",
            "connect by a name that the certificate carries",
        ),
        AlertDescription::CertificateUnknown => ("it refuses our certificate", trust_us),
        AlertDescription::CertificateExpired => (
            "our certificate has expired for it",
            "renew the certificate, or correct the clocks",
        ),
        AlertDescription::CertificateRevoked => {
            ("our certificate is revoked", "get a new certificate")
        }
        AlertDescription::UnsupportedCertificate => (
            "our certificate is of a kind it cannot use",
            "issue it for the purpose (extendedKeyUsage), with an RSA or ECDSA key",
        ),
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => (
            "it asks for a certificate and got none",
            "set tls-client-cert-file and tls-client-key-file, or tls-cert-file and tls-key-file",
        ),
        AlertDescription::AccessDenied => ("it denies access", "see the peer's log"),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => (
            "it found nothing acceptable in our offer",
            "compare tls-ciphers, tls-ciphersuites and tls-protocols of both ends",
        ),
        AlertDescription::ProtocolVersion => (
            "it speaks none of our TLS versions",
            "let both speak TLSv1.2 or TLSv1.3 (tls-protocols)",
        ),
        AlertDescription::DecryptError => (
            "it found a signature invalid",
            "see that certificate and key belong together on both ends",
        ),
        AlertDescription::UnrecognisedName => (
            "it does not know the server name asked for",
            "dial the name that the other end expects",
        ),
        AlertDescription::UserCanceled | AlertDescription::CloseNotify => {
            ("it gave up", "see the peer's log")
        }
        _ => ("it stopped the handshake", "see the peer's log"),
    };
    let name = alert.as_str().unwrap_or("unknown");
    new(
        Cause::AlertReceived,
        format!("the peer sent the alert {name}: {meaning}"),
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_errors_are_found() {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, Error::NoCertificatesPresented);
        let told = explain_io(&wrapped, Side::Server);
        assert_eq!(told.cause, Cause::NoCertificate);
        assert!(told.remedy.contains("tls-auth-clients"));
        assert_eq!(
            explain_io(&io::ErrorKind::UnexpectedEof.into(), Side::Server).cause,
            Cause::Eof
        );
        assert_eq!(
            explain_io(&io::ErrorKind::ConnectionReset.into(), Side::Client).cause,
            Cause::Reset
        );
        assert_eq!(
            explain_io(&io::ErrorKind::TimedOut.into(), Side::Client).cause,
            Cause::TimedOut
        );
    }

    #[test]
    fn alerts_are_put_into_words() {
        let told = explain(
            &Error::AlertReceived(AlertDescription::UnknownCA),
            Side::Server,
        );
        assert_eq!(
            told.reason,
            "the peer sent the alert UnknownCA: it does not trust our certificate's CA"
        );
        assert!(told.remedy.contains("--cacert"));
        for number in 0..=255 {
            let told = explain(
                &Error::AlertReceived(AlertDescription::from(number)),
                Side::Client,
            );
            assert!(!told.reason.contains('\n') && !told.remedy.is_empty());
        }
    }

    #[test]
    fn plaintext_is_named() {
        assert!(
            explain_plaintext(Kind::PlainResp)
                .unwrap()
                .reason
                .contains("Redis protocol")
        );
        assert!(
            explain_plaintext(Kind::Http)
                .unwrap()
                .reason
                .contains("HTTP")
        );
        assert_eq!(explain_plaintext(Kind::Tls), None);
    }
}
