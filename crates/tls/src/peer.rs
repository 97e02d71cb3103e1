//! Who the peer is and what was negotiated, once a handshake is done.

use rustls::{CommonState, HandshakeKind, NamedGroup, ServerConnection};

use crate::certificate::{self, CertificateSummary};
use crate::ciphers::openssl_cipher_name;
use crate::protocols::openssl_protocol_name;
use crate::settings::AuthClientsUser;

/// What the two ends agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// OpenSSL's name, such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The key exchange group, such as `X25519MLKEM768`; none on a resumed TLS 1.2 session.
    pub group: Option<&'static str>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl Negotiated {
    /// Reads it from either side's connection; `None` before the handshake is done.
    pub fn of(connection: &CommonState) -> Option<Self> {
        Some(Self {
            version: openssl_protocol_name(connection.protocol_version()?),
            cipher: openssl_cipher_name(connection.negotiated_cipher_suite()?.suite()),
            group: connection
                .negotiated_key_exchange_group()
                .map(|group| group_name(group.name())),
            resumed: connection.handshake_kind()? == HandshakeKind::Resumed,
        })
    }
}

/// A client as its handshake showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// What was agreed on.
    pub negotiated: Negotiated,
    /// The server name that the client asked for.
    pub sni: Option<String>,
    /// Its certificate, which was verified, or that of the session resumed.
    pub certificate: Option<PeerCertificate>,
}

impl PeerIdentity {
    /// Reads it from a connection; `None` before the handshake is done.
    pub fn of(connection: &ServerConnection) -> Option<Self> {
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        Some(Self {
            negotiated: Negotiated::of(connection)?,
            sni: connection.server_name().map(str::to_owned),
            certificate: leaf.and_then(|leaf| PeerCertificate::of(leaf)),
        })
    }

    /// The names that `tls-auth-clients-user` would have the client be, in order; the first that is an enabled ACL
    /// user counts, as in Valkey 9.
    pub fn user_names(&self, field: AuthClientsUser) -> &[String] {
        let Some(certificate) = &self.certificate else {
            return &[];
        };
        match field {
            AuthClientsUser::Off => &[],
            AuthClientsUser::Cn => certificate.common_name.as_slice(),
            AuthClientsUser::Uri => &certificate.uris,
        }
    }
}

/// What of a client's certificate matters after verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The URIs among the subject alternative names.
    pub uris: Vec<String>,
    /// Serial, dates and subject.
    pub summary: CertificateSummary,
}

impl PeerCertificate {
    fn of(der: &[u8]) -> Option<Self> {
        let certificate = certificate::parse(der)?;
        Some(Self {
            common_name: certificate::common_name(&certificate),
            uris: certificate::uris(&certificate),
            summary: CertificateSummary::of(der)?,
        })
    }
}

fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::secp521r1 => "secp521r1",
        _ => "unknown",
    }
}
