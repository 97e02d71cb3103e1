//! Two ends joined in memory, and a clock that stands where it is put.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, DigitallySignedStruct, Error, ServerConfig,
    ServerConnection, SignatureScheme,
};
use tls::ServerTls;

use crate::certificates::Pair;

/// 2026-01-01, within the dates of the certificates made here.
pub(crate) const NOW_S: u64 = 1_767_225_600;

#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NOW_S)))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            self.0.load(Ordering::Relaxed),
        )))
    }
}

pub(crate) fn build(settings: &tls::Settings) -> Result<ServerTls, String> {
    ServerTls::build(settings, Clock::new()).map_err(|error| error.to_string())
}

/// What became of a handshake, at each end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) server: Result<ServerConnection, Error>,
    pub(crate) client: Result<ClientConnection, Error>,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn server_identity(&self) -> tls::PeerIdentity {
        match (&self.server, &self.client) {
            (Ok(server), Ok(_)) => tls::PeerIdentity::of(server).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn server_cause(&self) -> tls::Cause {
        tls::explain(self.server.as_ref().unwrap_err(), tls::Side::Server).cause
    }

    #[track_caller]
    pub(crate) fn client_cause(&self) -> tls::Cause {
        tls::explain(self.client.as_ref().unwrap_err(), tls::Side::Client).cause
    }
}

/// Runs a handshake to its end, tickets included.
pub(crate) fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Outcome {
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    assert_eq!(tls::PeerIdentity::of(&server), None);
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let (mut at_server, mut at_client) = (Ok(()), Ok(()));
    loop {
        let sent = carry(&mut client, &mut server, &mut at_server)
            + carry(&mut server, &mut client, &mut at_client);
        if sent == 0 {
            break;
        }
    }
    assert!(
        at_server.is_err()
            || at_client.is_err()
            || (!server.is_handshaking() && !client.is_handshaking())
    );
    // A client that was refused has no identity, however far the handshake had come.
    assert_eq!(
        tls::PeerIdentity::of(&server).is_some(),
        !server.is_handshaking()
    );
    assert!(at_server.is_ok() || tls::PeerIdentity::of(&server).is_none() || at_client.is_err());
    Outcome {
        server: at_server.map(|()| server),
        client: at_client.map(|()| client),
    }
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Carries what `from` has to say; an end that failed says its alert and hears no more.
fn carry<A, B>(
    from: &mut impl std::ops::DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl std::ops::DerefMut<Target = ConnectionCommon<B>>,
    at_receiver: &mut Result<(), Error>,
) -> usize {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && at_receiver.is_ok() {
        match to.read_tls(&mut rest) {
            Ok(_) => *at_receiver = to.process_new_packets().map(|_| ()),
            Err(error) if error.kind() == io::ErrorKind::Other => break,
            Err(error) => panic!("{error}"),
        }
    }
    bytes.len()
}

/// A client that trusts every server and shows `pair`, if any.
pub(crate) fn client(pair: Option<&Pair>) -> ClientConfig {
    client_with(
        rustls::crypto::aws_lc_rs::default_provider(),
        rustls::ALL_VERSIONS,
        pair,
    )
}

pub(crate) fn client_with(
    provider: CryptoProvider,
    versions: &[&'static rustls::SupportedProtocolVersion],
    pair: Option<&Pair>,
) -> ClientConfig {
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_details(Arc::clone(&provider), Clock::new())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll(provider)));
    let Some(pair) = pair else {
        return builder.with_no_client_auth();
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&pair.certificate)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    // Not with_client_auth_cert: it would refuse a version 1 certificate itself.
    let certified = rustls::sign::CertifiedKey::new(chain, key);
    builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
}

#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
