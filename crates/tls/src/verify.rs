//! Verification of the peer's certificate: webpki's, plus what Redis' users have and webpki refuses.
//!
//! - A leaf that is itself configured as a CA is accepted: dates and purpose are checked here, the handshake's
//!   signature by rustls as always. (webpki: `CaUsedAsEndEntity`.)
//! - A server's name is checked only where the policy of the link asks for it, so a certificate may have none.
//! - X.509 version 1 is refused with an error of its own, so that the log can say what to do.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use x509_parser::certificate::X509Certificate;

use crate::certificate;
use crate::trust::Trust;

/// The peer showed an X.509 certificate older than version 3.
#[derive(Debug)]
pub(crate) struct BeforeV3;

impl fmt::Display for BeforeV3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X.509 certificate older than version 3")
    }
}

impl std::error::Error for BeforeV3 {}

/// Whether a client may come without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Required,
    Optional,
}

/// Verifies certificates of clients.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    trust: Arc<Trust>,
    /// Absent if no configured certificate is a CA.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    demand: Demand,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    pub(crate) fn new(trust: Arc<Trust>, demand: Demand, provider: &Arc<CryptoProvider>) -> Self {
        let anchors = Arc::new(trust.anchors.clone());
        // It fails only without anchors.
        let chain = WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(provider))
            .build()
            .ok();
        Self {
            trust,
            chain,
            demand,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.demand == Demand::Required
    }

    /// None: Redis sends no names either, and clients that choose by them would not find a pinned leaf.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = parse_v3(end_entity)?;
        if self.trust.contains(end_entity) {
            check_pinned(&certificate, now, Purpose::Client)?;
            return Ok(ClientCertVerified::assertion());
        }
        let chain = self.chain.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        chain.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether the name that the link was given must be in the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameCheck {
    Skipped,
    Demanded,
}

/// Verifies certificates of the servers that outgoing links reach.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    trust: Arc<Trust>,
    name: NameCheck,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(crate) fn new(trust: Arc<Trust>, name: NameCheck, provider: &CryptoProvider) -> Self {
        Self {
            trust,
            name,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = parse_v3(end_entity)?;
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if self.trust.contains(end_entity) {
            check_pinned(&certificate, now, Purpose::Server)?;
        } else {
            let anchors = &self.trust.anchors;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                anchors,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if self.name == NameCheck::Demanded {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    Client,
    Server,
}

fn parse_v3<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let certificate = certificate::parse(der).ok_or(CertificateError::BadEncoding)?;
    if certificate::is_before_v3(&certificate) {
        return Err(CertificateError::Other(OtherError(Arc::new(BeforeV3))).into());
    }
    Ok(certificate)
}

/// What remains to be checked of a certificate that is configured itself: dates, and the extended key usage.
fn check_pinned(
    certificate: &X509Certificate<'_>,
    now: UnixTime,
    purpose: Purpose,
) -> Result<(), CertificateError> {
    let instant = |timestamp: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            timestamp.max(0).unsigned_abs(),
        ))
    };
    let not_before = instant(certificate.validity().not_before.timestamp());
    let not_after = instant(certificate.validity().not_after.timestamp());
    if now < not_before {
        return Err(CertificateError::NotValidYetContext {
            time: now,
            not_before,
        });
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext {
            time: now,
            not_after,
        });
    }
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| CertificateError::BadEncoding)?;
    let allowed = usage.is_none_or(|usage| match purpose {
        Purpose::Client => usage.value.client_auth,
        Purpose::Server => usage.value.server_auth,
    });
    if allowed {
        Ok(())
    } else {
        Err(CertificateError::InvalidPurpose)
    }
}
