//! A throw-away CA with a certificate for this machine, and clients that show it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::server::Client;

/// The CA and the certificate, in files.
pub(crate) struct Certificates(TempDir);

/// A connection over TLS.
pub(crate) type Encrypted = StreamOwned<ClientConnection, TcpStream>;

impl Certificates {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        // A name other than the authority's: OpenSSL takes it for one that signed itself otherwise.
        params.distinguished_name.push(DnType::CommonName, "server");
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(dir.path().join("ca.crt"), authority.pem()).unwrap();
        std::fs::write(dir.path().join("server.crt"), certificate.pem()).unwrap();
        std::fs::write(dir.path().join("server.key"), key.serialize_pem()).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directives of a server that shows the certificate, wants to see one, and encrypts its links.
    pub(crate) fn directives(&self) -> Vec<(&'static str, String)> {
        let file = |name| self.path(name).display().to_string();
        vec![
            ("tls-cert-file", file("server.crt")),
            ("tls-key-file", file("server.key")),
            ("tls-ca-cert-file", file("ca.crt")),
            ("tls-auth-clients", "yes".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }

    /// A client that shows the certificate.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr) -> Client<Encrypted> {
        self.try_connect(address).unwrap()
    }

    /// As [`Certificates::connect`], to a server that may not be there.
    pub(crate) fn try_connect(&self, address: SocketAddr) -> io::Result<Client<Encrypted>> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.path("ca.crt")).unwrap();
        roots.add(authority).unwrap();
        let certificate = CertificateDer::from_pem_file(self.path("server.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(Client(StreamOwned::new(session, stream)))
    }
}
