//! Outgoing links: which servers they trust, and what they show them.

use rcgen::{BasicConstraints, CertificateParams, IsCa};
use tls::{Cause, ClientTls, Settings, VerifyName};

use crate::certificates::{Ca, Pair, expired, params, self_signed, testdata};
use crate::wire::{Clock, Outcome, build, handshake};

fn link(settings: &Settings, verify: &str) -> ClientTls {
    let settings = Settings {
        listens: false,
        replication: true,
        ..settings.clone()
    };
    ClientTls::build(&settings, VerifyName::parse(verify), Clock::new()).unwrap()
}

fn dial(server: &Settings, link: &ClientTls, host: &str) -> Outcome {
    handshake(
        &build(server).unwrap().config,
        &link.config,
        link.server_name(host).unwrap(),
    )
}

fn serving(ca: &Ca, pair: Pair) -> Settings {
    Settings {
        cert_file: Some(pair.certificate),
        key_file: Some(pair.key),
        ..ca.settings()
    }
}

#[test]
fn the_name_is_verified_as_the_policy_says() {
    let ca = Ca::new();
    let settings = ca.settings();
    for (verify, host, expected) in [
        ("no", "10.0.0.7", None),
        ("no", "not a name!", None),
        ("yes", "localhost", None),
        ("yes", "db.example", Some(Cause::CertificateName)),
        ("yes", "10.0.0.7", Some(Cause::CertificateName)),
        ("localhost", "10.0.0.7", None),
        ("db.example", "localhost", Some(Cause::CertificateName)),
    ] {
        let link = link(&settings, verify);
        assert_eq!(link.checks_name(), verify != "no");
        let outcome = dial(&settings, &link, host);
        match expected {
            None => assert!(
                outcome.server_identity().certificate.is_some(),
                "{verify} {host}"
            ),
            Some(cause) => assert_eq!(outcome.client_cause(), cause, "{verify} {host}"),
        }
    }
    assert!(link(&settings, "yes").server_name("not a name!").is_err());
    let bad =
        ClientTls::build(&settings, VerifyName::Name("a b".into()), Clock::new()).unwrap_err();
    assert_eq!(bad.directive, "tls-replication-verify-name");
}

/// Half the certificates in the field, and those of Redis' own tests, have no name that a client could check.
#[test]
fn a_server_without_any_name_is_verified_by_its_chain() {
    let ca = Ca::new();
    let nameless = serving(&ca, ca.issue("nameless", &params("Server-only", &[])));
    dial(&nameless, &link(&ca.settings(), "no"), "localhost").server_identity();
    assert_eq!(
        dial(&nameless, &link(&ca.settings(), "yes"), "localhost").client_cause(),
        Cause::CertificateName
    );
}

#[test]
fn servers_of_others_or_expired_are_refused() {
    let ca = Ca::new();
    let link = link(&ca.settings(), "no");
    let foreign = Ca::named("another CA");
    assert_eq!(
        dial(&foreign.settings(), &link, "localhost").client_cause(),
        Cause::UnknownCa
    );
    let namesake = Ca::new();
    assert_eq!(
        dial(&namesake.settings(), &link, "localhost").client_cause(),
        Cause::BadSignature
    );
    let old = serving(&ca, ca.issue("old", &expired("old")));
    assert_eq!(
        dial(&old, &link, "localhost").client_cause(),
        Cause::CertificateExpired
    );
    let warnings = build(&old).unwrap().warnings;
    assert!(
        warnings
            .iter()
            .any(|line| line.starts_with("the server certificate has expired")),
        "{warnings:?}"
    );
}

#[test]
fn a_server_that_is_its_own_ca_is_accepted() {
    let ca = Ca::new();
    let pinned = self_signed(
        &ca.directory,
        "pinned",
        IsCa::Ca(BasicConstraints::Unconstrained),
    );
    let trusting = Settings {
        ca_cert_file: Some(pinned.certificate.clone()),
        ..ca.settings()
    };
    dial(&serving(&ca, pinned), &link(&trusting, "no"), "localhost").server_identity();
}

#[test]
fn links_show_the_clients_certificate_or_else_the_servers() {
    let ca = Ca::new();
    let own = ca.issue("client", &params("replica", &[]));
    let shown = |settings: &Settings| {
        dial(&ca.settings(), &link(settings, "no"), "localhost")
            .server_identity()
            .certificate
            .unwrap()
            .common_name
            .unwrap()
    };
    let server_only = ca.settings();
    assert_eq!(shown(&server_only), "server");
    let half = Settings {
        client_cert_file: Some(own.certificate.clone()),
        ..server_only.clone()
    };
    assert_eq!(shown(&half), "server");
    let both = Settings {
        client_key_file: Some(own.key),
        ..half
    };
    assert_eq!(shown(&both), "replica");
    let neither = Settings {
        ca_cert_file: Some(ca.file.clone()),
        ..Settings::default()
    };
    assert_eq!(
        dial(&ca.settings(), &link(&neither, "no"), "localhost").server_cause(),
        Cause::NoCertificate
    );
}

#[test]
fn what_is_missing_or_amiss_is_told_with_directive_file_and_remedy() {
    let ca = Ca::new();
    let good = ca.settings();
    let other_key = ca.issue("other", &CertificateParams::default()).key;
    let directory = &ca.directory;
    for (settings, expected) in [
        (
            Settings::default(),
            "tls-cert-file: No tls-cert-file configured!; name the PEM file",
        ),
        (
            Settings {
                key_file: None,
                ..good.clone()
            },
            "tls-key-file: No tls-key-file configured!; name the PEM file",
        ),
        (
            Settings {
                ca_cert_file: None,
                ..good.clone()
            },
            "tls-ca-cert-file: Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, \
             tls-replication or tls-auth-clients are enabled!",
        ),
        (
            Settings {
                cert_file: Some("/nowhere/x.crt".into()),
                ..good.clone()
            },
            "tls-cert-file /nowhere/x.crt: cannot be read: No such file",
        ),
        (
            Settings {
                key_file: Some(directory.write("e.key", "")),
                ..good.clone()
            },
            "e.key: holds no private key; name",
        ),
        (
            Settings {
                key_file: Some(other_key),
                ..good.clone()
            },
            "other.key: is not the key of the first certificate in tls-cert-file",
        ),
        (
            Settings {
                key_file: Some(testdata("ec-old-aes256.key")),
                ..good.clone()
            },
            "is encrypted and no passphrase is set; set tls-key-file-pass",
        ),
        (
            Settings {
                client_cert_file: good.cert_file.clone(),
                client_key_file: Some(testdata("ec-old-des3.key")),
                client_key_file_pass: Some(tls::Passphrase::new("bad")),
                ..good.clone()
            },
            "ec-old-des3.key: cannot be decrypted with the passphrase given; correct tls-client-key-file-pass",
        ),
    ] {
        let error = build(&settings).unwrap_err();
        assert!(error.contains(expected), "{error}\n{expected}");
        assert!(!error.contains('\n') && error.contains("; "), "{error}");
    }
}

#[test]
fn info_knows_serials_and_ends_of_validity() {
    let (ca, second) = (Ca::new(), Ca::new());
    let bundle = [&ca.file, &second.file]
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat()
        + &std::fs::read_to_string(testdata("v1-root.crt")).unwrap();
    let settings = Settings {
        ca_cert_file: Some(ca.directory.write("bundle.pem", &bundle)),
        ..ca.settings()
    };
    let info = build(&settings).unwrap().certificates;
    let server = info.server.unwrap();
    assert_eq!(
        (server.not_after_s, server.subject.as_str()),
        (2_840_140_800, "CN=server")
    );
    assert!(
        server.serial.len().is_multiple_of(2)
            && server
                .serial
                .bytes()
                .all(|byte| b"0123456789ABCDEF".contains(&byte))
    );
    assert_eq!(info.client, None);
    assert_eq!(
        info.ca.unwrap().not_after_s,
        2_840_140_800,
        "the first to expire, not the root of 2126"
    );
}
