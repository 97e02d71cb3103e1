//! TLS end to end: established streams, plaintext on the wrong port, certificates that change, client certificates.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cuirass::Kind;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::server::{Client, TestServer, request, wait_until};

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A throw-away CA.
struct Ca {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for localhost, and its key.
    fn issue(&self) -> (rcgen::Certificate, KeyPair) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes the files that a server needs.
    fn write(&self, dir: &Path) {
        let (certificate, key) = self.issue();
        std::fs::write(dir.join("ca.crt"), self.certificate.pem()).unwrap();
        std::fs::write(dir.join("server.crt"), certificate.pem()).unwrap();
        std::fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
    }

    /// What a client of this CA trusts, with a certificate of its own or without.
    fn client_config(&self, certified: Certified) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match certified {
            Certified::No => builder.with_no_client_auth(),
            Certified::Yes => {
                let (certificate, key) = self.issue();
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }
}

#[derive(Clone, Copy)]
enum Certified {
    Yes,
    No,
}

const FILES: &str = "tls-cert-file server.crt\ntls-key-file server.key\ntls-ca-cert-file ca.crt\n";

fn start(ca: &Ca, lines: &str) -> TestServer {
    let dir = TempDir::new().unwrap();
    ca.write(dir.path());
    let lines = format!("{FILES}tls-auth-clients no\n{lines}");
    TestServer::start(&lines, &[Kind::Tcp, Kind::Tls], dir)
}

fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsClient {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    Client(StreamOwned::new(session, Client::connect(address).0))
}

#[test]
fn a_tls_client_is_served() {
    let ca = Ca::new();
    let server = start(&ca, "");
    let config = ca.client_config(Certified::No);
    let mut client = connect(server.address(Kind::Tls), &config);
    client.check(&["SET", "a", "1"], "+OK\r\n");
    let all = server.engine().clients.all();
    assert_eq!(
        all[0].peer.tls.as_deref(),
        Some("TLSv1.3:TLS_AES_256_GCM_SHA384")
    );
    assert!(all[0].shown.tls_mem.load(Relaxed) > 4000);
    drop(client);
    wait_until("it is gone", || server.server().connected() == 0);

    let mut again = connect(server.address(Kind::Tls), &config);
    again.check(&["GET", "a"], "$1\r\n1\r\n");
    let handshakes = &server.server().handshakes;
    assert_eq!(handshakes.done.load(Relaxed), 2);
    assert_eq!(handshakes.resumed.load(Relaxed), 1);
}

#[test]
fn large_values_and_deep_pipelines_pass_through_tls() {
    let ca = Ca::new();
    let server = start(&ca, "");
    let config = ca.client_config(Certified::No);
    let mut client = connect(server.address(Kind::Tls), &config);
    let value = "0123456789abcdef".repeat(200_000);
    client.check(&["SET", "large", &value], "+OK\r\n");
    client.send(request(&["GET", "large"]).repeat(3));
    client.expect(format!("${}\r\n{value}\r\n", value.len()).repeat(3));
    let mut pipeline = Vec::new();
    for i in 0..3000 {
        pipeline.extend(request(&[
            "SET",
            &format!("k{}", i % 100),
            &"x".repeat(i % 200),
        ]));
    }
    for piece in pipeline.chunks(5000) {
        client.send(piece);
    }
    client.expect("+OK\r\n".repeat(3000));
}

#[test]
fn keys_migrate_over_tls_where_links_are_tls() {
    let ca = Ca::new();
    let there = start(&ca, "");
    let port = there.address(Kind::Tls).port();
    for link in ["tls-cluster yes", "tls-replication yes"] {
        let source = start(&ca, link);
        let mut here = Client::connect(source.address(Kind::Tcp));
        here.check(&["SET", "k", "v"], "+OK\r\n");
        let call = [
            "MIGRATE",
            "127.0.0.1",
            &port.to_string(),
            "k",
            "0",
            "5000",
            "REPLACE",
        ];
        here.check(&call, "+OK\r\n");
        here.check(&["EXISTS", "k"], ":0\r\n");
        there.client().check(&["GET", "k"], "$1\r\nv\r\n");
    }
    let stranger = start(&Ca::new(), "tls-cluster yes");
    let mut here = Client::connect(stranger.address(Kind::Tcp));
    here.check(&["SET", "k", "v"], "+OK\r\n");
    let call = ["MIGRATE", "127.0.0.1", &port.to_string(), "k", "0", "5000"];
    here.check(
        &call,
        "-IOERR error or timeout connecting to the client\r\n",
    );
}

#[test]
fn a_tls_client_may_write_a_long_pipeline_before_it_reads() {
    let ca = Ca::new();
    let server = start(&ca, "");
    let config = ca.client_config(Certified::No);
    let mut client = connect(server.address(Kind::Tls), &config);
    let value = "v".repeat(4096);
    client.check(&["SET", "k", &value], "+OK\r\n");
    // Neither all requests nor all replies fit the buffers of the sockets, so that whoever waits for the other waits for ever.
    let (requests, absent) = (5000, "a".repeat(1000));
    client.send(request(&["MGET", "k", &absent]).repeat(requests));
    let reply = format!("*2\r\n$4096\r\n{value}\r\n$-1\r\n");
    for _ in 0..requests {
        client.expect(&reply);
    }
}

#[test]
fn plaintext_on_a_tls_port_is_told_so() {
    let ca = Ca::new();
    let server = start(&ca, "");
    for (sent, answer) in [
        (
            &b"*1\r\n$4\r\nPING\r\n"[..],
            &b"-ERR this port speaks TLS"[..],
        ),
        (b"PING\r\n", b"-ERR this port speaks TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    ] {
        let mut client = Client::connect(server.address(Kind::Tls));
        client.send(sent);
        let got = client.rest();
        assert!(got.starts_with(answer), "{}", got.escape_ascii());
    }
    assert_eq!(server.server().handshakes.failed.load(Relaxed), 3);
    wait_until("none is in flight", || {
        server.server().handshakes.in_flight.load(Relaxed) == 0
    });
}

#[test]
fn over_maxclients_the_error_comes_inside_tls() {
    let ca = Ca::new();
    let server = start(&ca, "maxclients 1");
    let config = ca.client_config(Certified::No);
    let mut only = connect(server.address(Kind::Tls), &config);
    only.check(&["SET", "a", "1"], "+OK\r\n");
    let mut second = connect(server.address(Kind::Tls), &config);
    let _may_be_refused_already = second.0.write_all(b"PING\r\n");
    assert_eq!(second.rest(), b"-ERR max number of clients reached\r\n");
    only.check(&["GET", "a"], "$1\r\n1\r\n");
}

#[test]
fn silent_newcomers_take_no_place_of_others() {
    let ca = Ca::new();
    let server = start(&ca, "maxclients 5\ntls-handshake-timeout 1");
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(server.address(Kind::Tls)).unwrap())
        .collect();
    let config = ca.client_config(Certified::No);
    connect(server.address(Kind::Tls), &config).check(&["SET", "a", "1"], "+OK\r\n");
    server.client().check(&["GET", "a"], "$1\r\n1\r\n");
    for mut stream in silent {
        // The deadline ends them all.
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    let failed = || server.server().handshakes.failed.load(Relaxed);
    wait_until("all are counted", || failed() == 200);
}

#[test]
fn certificates_are_read_again_and_bad_ones_refused() {
    let (first, second) = (Ca::new(), Ca::new());
    let server = start(&first, "");
    let address = server.address(Kind::Tls);
    let mut old = connect(address, &first.client_config(Certified::No));
    old.check(&["SET", "a", "1"], "+OK\r\n");

    second.write(server.dir.path());
    server.server().reload_tls().unwrap();
    let config = second.client_config(Certified::No);
    connect(address, &config).check(&["GET", "a"], "$1\r\n1\r\n");
    old.check(&["GET", "a"], "$1\r\n1\r\n");
    let mut wrong = connect(address, &first.client_config(Certified::No));
    assert!(wrong.0.write_all(b"PING\r\n").is_err());

    std::fs::write(server.dir.path().join("server.crt"), "nonsense").unwrap();
    server.server().reload_tls().unwrap_err();
    connect(address, &config).check(&["GET", "a"], "$1\r\n1\r\n");
}

#[test]
fn changed_certificates_are_noticed() {
    let (first, second) = (Ca::new(), Ca::new());
    let server = start(&first, "tls-auto-reload-interval 1");
    second.write(server.dir.path());
    let config = second.client_config(Certified::No);
    let serves_new = || {
        let mut client = connect(server.address(Kind::Tls), &config);
        client.0.write_all(b"GET a\r\n").is_ok()
    };
    wait_until("the new certificate is served", serves_new);
}

#[test]
fn client_certificates_are_demanded() {
    let ca = Ca::new();
    let server = start(&ca, "tls-auth-clients yes");
    let address = server.address(Kind::Tls);
    let mut anonymous = connect(address, &ca.client_config(Certified::No));
    let _may_still_be_sent = anonymous.0.write_all(b"PING\r\n");
    assert!(anonymous.rest().is_empty());
    connect(address, &ca.client_config(Certified::Yes)).check(&["SET", "a", "1"], "+OK\r\n");
    let stranger = Ca::new();
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate.der().clone()).unwrap();
    let (certificate, key) = stranger.issue();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let mut foreign = connect(address, &Arc::new(config));
    let _may_still_be_sent = foreign.0.write_all(b"PING\r\n");
    assert!(foreign.rest().is_empty());
    let handshakes = &server.server().handshakes;
    wait_until("both are counted", || handshakes.failed.load(Relaxed) == 2);
}

#[test]
fn a_tls_peer_may_end_without_notice() {
    let ca = Ca::new();
    let server = start(&ca, "");
    let config = ca.client_config(Certified::No);
    for notice in [true, false] {
        let mut client = connect(server.address(Kind::Tls), &config);
        client.check(&["SET", "a", "1"], "+OK\r\n");
        if notice {
            client.0.conn.send_close_notify();
            client.0.flush().unwrap();
            assert!(client.rest().is_empty());
        }
        drop(client);
        wait_until("it is gone", || server.server().connected() == 0);
    }
}

#[test]
fn a_bad_certificate_is_refused_by_config_set() {
    let ca = Ca::new();
    let server = start(&ca, "");
    let bad = server.dir.path().join("bad.crt");
    std::fs::write(&bad, "nonsense").unwrap();
    let config = ca.client_config(Certified::No);
    let mut client = connect(server.address(Kind::Tls), &config);
    client.check(
        &["CONFIG", "SET", "tls-cert-file", &bad.display().to_string()],
        "-ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS configuration. Check server logs.\r\n",
    );
    client.check(
        &["CONFIG", "GET", "tls-cert-file"],
        "*2\r\n$13\r\ntls-cert-file\r\n$10\r\nserver.crt\r\n",
    );
    connect(server.address(Kind::Tls), &config).check(&["SET", "a", "1"], "+OK\r\n");
    client.check(&["CONFIG", "SET", "tls-protocols", "TLSv1.2"], "+OK\r\n");
    let mut old = connect(server.address(Kind::Tls), &config);
    old.check(&["GET", "a"], "$1\r\n1\r\n");
    let version = old.0.conn.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_2));
}
