//! What the end-to-end benches share: a server in this process, certificates, and clients over real sockets.

use cuirass::process::Supervision;
use cuirass::{Kind, Launch, RunningServer, Server, Signals};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use tempfile::TempDir;

/// The key of the server's certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    /// ECDSA on P-256.
    P256,
    /// RSA of 2048 bits.
    Rsa2048,
}

impl Key {
    fn generate(self) -> KeyPair {
        match self {
            Self::P256 => KeyPair::generate().expect("a key can be made"),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
                .expect("a key can be made"),
        }
    }
}

/// The file of the authority's certificate.
const AUTHORITY: &str = "ca.crt";

/// A server with a plaintext and a TLS port, and what a client needs to trust it.
pub(crate) struct Live {
    running: Option<RunningServer>,
    roots: RootCertStore,
    dir: TempDir,
}

impl Live {
    /// Starts a server whose certificate has this kind of key.
    pub(crate) fn start(key: Key) -> Self {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key can be made");
        let authority_certificate = authority
            .self_signed(&authority_key)
            .expect("a certificate can be signed");
        let server_key = key.generate();
        let server = CertificateParams::new(vec!["localhost".to_owned()])
            .and_then(|params| {
                params.signed_by(&server_key, &Issuer::new(authority, authority_key))
            })
            .expect("a certificate can be signed");
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a temporary file can be written");
            path.display().to_string()
        };
        let lines = format!(
            "port 0\nsave \"\"\ntls-auth-clients no\ntls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\n",
            file(AUTHORITY, authority_certificate.pem()),
            file("server.crt", server.pem()),
            file("server.key", server_key.serialize_pem()),
        );
        let mut roots = RootCertStore::empty();
        roots
            .add(authority_certificate.der().clone())
            .expect("the authority is well-formed");
        Self {
            running: Some(launch(&lines, &dir)),
            roots,
            dir,
        }
    }

    /// The file with the certificate of its authority.
    pub(crate) fn authority(&self) -> String {
        self.dir.path().join(AUTHORITY).display().to_string()
    }

    /// The port of this kind.
    pub(crate) fn port(&self, kind: Kind) -> u16 {
        self.address(kind).port()
    }

    /// A plaintext connection.
    pub(crate) fn plain(&self) -> TcpStream {
        self.connect(Kind::Tcp)
    }

    /// A TLS connection, its handshake done.
    pub(crate) fn tls(
        &self,
        config: &Arc<ClientConfig>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("localhost").expect("a valid name");
        let session =
            ClientConnection::new(Arc::clone(config), name).expect("a client can be made");
        let mut stream = StreamOwned::new(session, self.connect(Kind::Tls));
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .expect("the handshake succeeds");
        }
        stream
    }

    /// A client's configuration: the protocol version, and one cipher suite or all of them.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        suite: Option<CipherSuite>,
    ) -> ClientConfig {
        let mut provider: CryptoProvider = aws_lc_rs::default_provider();
        if let Some(suite) = suite {
            provider
                .cipher_suites
                .retain(|offered| offered.suite() == suite);
        }
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .expect("the version is supported")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth()
    }

    fn address(&self, kind: Kind) -> SocketAddr {
        self.running
            .as_ref()
            .and_then(|running| running.address(kind))
            .expect("the server listens")
    }

    fn connect(&self, kind: Kind) -> TcpStream {
        let stream = TcpStream::connect(self.address(kind)).expect("the server accepts");
        stream
            .set_nodelay(true)
            .expect("a socket option can be set");
        stream
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown();
        }
    }
}

fn launch(lines: &str, dir: &TempDir) -> RunningServer {
    let defaults = config::Defaults {
        cores: 2,
        directory: dir.path().to_path_buf(),
    };
    let mut settings = config::Config::new(&defaults);
    settings
        .load(
            lines.as_bytes(),
            &config::Origin::Arguments,
            &config::source::FileSystem,
        )
        .expect("the configuration is valid");
    let listen = |kind| {
        (
            kind,
            TcpListener::bind("127.0.0.1:0").expect("a port is free"),
        )
    };
    Server::start(Launch {
        config: settings,
        config_file: None,
        executable: "redis-server".into(),
        log: None,
        supervision: Supervision::None,
        pid_file: None,
        clock: Arc::new(cuirass::clock::Clock::start()),
        disk: Arc::new(cuirass::persistence::disk::SystemDisk),
        sockets: vec![listen(Kind::Tcp), listen(Kind::Tls)],
        signals: Signals::Leave,
    })
    .expect("the server starts")
}

/// Sends a request and reads a reply of known length.
pub(crate) fn exchange(stream: &mut (impl Read + Write), request: &[u8], reply: &mut [u8]) {
    stream.write_all(request).expect("the server reads");
    stream.flush().expect("the server reads");
    stream.read_exact(reply).expect("the server answers");
}

/// A request in RESP.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
