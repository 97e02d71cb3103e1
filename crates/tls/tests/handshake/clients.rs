//! Which clients a server lets in, and what it then knows of them.

use std::sync::Arc;

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
use tls::{AuthClients, AuthClientsUser, Cause, PeerIdentity, Settings};

use crate::certificates::{
    Ca, Directory, Pair, expired, explicitly_no_ca, for_purpose, params, self_signed, testdata,
    with_uris,
};
use crate::wire::{Outcome, build, client, handshake, localhost};

fn connect(settings: &Settings, pair: Option<&Pair>) -> Outcome {
    handshake(
        &build(settings).unwrap().config,
        &Arc::new(client(pair)),
        localhost(),
    )
}

#[track_caller]
fn admitted(settings: &Settings, pair: &Pair) -> PeerIdentity {
    connect(settings, Some(pair)).server_identity()
}

#[test]
fn clients_are_asked_for_certificates_as_configured() {
    let ca = Ca::new();
    let other = Ca::named("another CA");
    let ours = ca.issue("client", &params("alice", &[]));
    let foreign = other.issue("client", &params("mallory", &[]));
    let with = |auth_clients| Settings {
        auth_clients,
        ..ca.settings()
    };

    let demanding = with(AuthClients::Yes);
    assert_eq!(
        connect(&demanding, None).server_cause(),
        Cause::NoCertificate
    );
    assert_eq!(
        connect(&demanding, Some(&foreign)).server_cause(),
        Cause::UnknownCa
    );
    assert_eq!(
        connect(&demanding, Some(&foreign)).client_cause(),
        Cause::AlertReceived
    );
    assert_eq!(
        admitted(&demanding, &ours)
            .certificate
            .unwrap()
            .common_name
            .as_deref(),
        Some("alice")
    );

    let asking = with(AuthClients::Optional);
    assert_eq!(connect(&asking, None).server_identity().certificate, None);
    assert_eq!(
        connect(&asking, Some(&foreign)).server_cause(),
        Cause::UnknownCa
    );
    assert!(admitted(&asking, &ours).certificate.is_some());

    let indifferent = with(AuthClients::No);
    assert_eq!(admitted(&indifferent, &foreign).certificate, None);
}

#[test]
fn unfit_certificates_are_refused_with_their_cause() {
    let ca = Ca::new();
    let settings = ca.settings();
    let expired = ca.issue("expired", &expired("old"));
    assert_eq!(
        connect(&settings, Some(&expired)).server_cause(),
        Cause::CertificateExpired
    );
    let server_only = ca.issue(
        "server-only",
        &for_purpose("s", ExtendedKeyUsagePurpose::ServerAuth),
    );
    assert_eq!(
        connect(&settings, Some(&server_only)).server_cause(),
        Cause::CertificatePurpose
    );
}

/// `openssl x509 -req` without extensions makes it, and its root may well be trusted.
#[test]
fn version_1_certificates_are_refused_with_the_remedy() {
    let ca = Ca::new();
    let leaf = Pair {
        certificate: testdata("v1-leaf.crt"),
        key: testdata("v1-leaf.key"),
    };
    let settings = Settings {
        ca_cert_file: Some(testdata("v1-root.crt")),
        ..ca.settings()
    };
    let outcome = connect(&settings, Some(&leaf));
    assert_eq!(outcome.server_cause(), Cause::CertificateBeforeV3);
    let told = tls::explain(outcome.server.as_ref().unwrap_err(), tls::Side::Server);
    assert!(told.remedy.contains("version 3"), "{}", told.remedy);

    let own = Settings {
        cert_file: Some(leaf.certificate),
        key_file: Some(leaf.key),
        ..ca.settings()
    };
    let error = build(&own).unwrap_err();
    assert!(
        error.contains("X.509 version 1") && error.contains("-extfile"),
        "{error}"
    );
}

#[test]
fn a_configured_certificate_is_accepted_itself() {
    let ca = Ca::new();
    let directory = Directory::new();
    for (name, is_ca) in [
        ("pinned-ca", IsCa::Ca(BasicConstraints::Unconstrained)),
        ("pinned-leaf", IsCa::ExplicitNoCa),
        ("pinned-plain", IsCa::NoCa),
    ] {
        let pinned = self_signed(&directory, name, is_ca);
        let settings = Settings {
            ca_cert_file: Some(pinned.certificate.clone()),
            ..ca.settings()
        };
        assert_eq!(
            admitted(&settings, &pinned)
                .certificate
                .unwrap()
                .common_name
                .as_deref(),
            Some(name)
        );

        // The certificate alone proves nothing: the handshake must be signed by its key.
        let thief = Pair {
            certificate: pinned.certificate,
            key: self_signed(&directory, "thief", IsCa::NoCa).key,
        };
        assert!(connect(&settings, Some(&thief)).server.is_err(), "{name}");
    }
}

/// A leaf in the CA file is trusted, but not what its holder signs.
#[test]
fn a_configured_leaf_is_no_issuer() {
    use rcgen::{Issuer, KeyPair};
    let ca = Ca::new();
    let directory = &ca.directory;
    for leaf in [params("leaf", &[]), explicitly_no_ca("leaf")] {
        let key = KeyPair::generate().unwrap();
        let file = directory.write("leaf.crt", &leaf.self_signed(&key).unwrap().pem());
        let (forged_key, issuer) = (KeyPair::generate().unwrap(), Issuer::new(leaf, key));
        let forged = params("admin", &[])
            .signed_by(&forged_key, &issuer)
            .unwrap();
        let forged = Pair {
            certificate: directory.write("forged.crt", &forged.pem()),
            key: directory.write("forged.key", &forged_key.serialize_pem()),
        };
        let settings = Settings {
            ca_cert_file: Some(file),
            ..ca.settings()
        };
        assert_eq!(
            connect(&settings, Some(&forged)).server_cause(),
            Cause::UnknownCa
        );
    }
}

#[test]
fn an_expired_pinned_certificate_is_refused() {
    use rcgen::KeyPair;
    let ca = Ca::new();
    let key = KeyPair::generate().unwrap();
    let old = Pair {
        certificate: ca
            .directory
            .write("old.crt", &expired("old").self_signed(&key).unwrap().pem()),
        key: ca.directory.write("old.key", &key.serialize_pem()),
    };
    let settings = Settings {
        ca_cert_file: Some(old.certificate.clone()),
        ..ca.settings()
    };
    assert_eq!(
        connect(&settings, Some(&old)).server_cause(),
        Cause::CertificateExpired
    );
}

#[test]
fn ca_file_and_directory_count_together() {
    let (first, second, third) = (Ca::named("1"), Ca::named("2"), Ca::named("3"));
    let directory = Directory::new();
    directory.write(
        "9d66eef0.0",
        &std::fs::read_to_string(&second.file).unwrap(),
    );
    directory.write("third.pem", &std::fs::read_to_string(&third.file).unwrap());
    directory.write("note.txt", "no certificate");
    directory.write("broken.crt", "no certificate either");
    let settings = Settings {
        ca_cert_dir: Some(directory.0.clone()),
        ..first.settings()
    };
    let warnings = build(&settings).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].ends_with("broken.crt: holds no certificate; passed over"),
        "{warnings:?}"
    );
    for (number, ca) in [&first, &second, &third].into_iter().enumerate() {
        let pair = ca.issue("c", &params("c", &[]));
        assert!(
            connect(&settings, Some(&pair)).server.is_ok(),
            "CA {number}"
        );
    }

    let empty = Directory::new();
    let settings = Settings {
        ca_cert_file: None,
        ca_cert_dir: Some(empty.0.clone()),
        ..settings
    };
    assert!(
        build(&settings)
            .unwrap_err()
            .contains("holds no CA certificate")
    );
}

#[test]
fn names_for_acl_users_come_from_the_certificate() {
    let ca = Ca::new();
    let pair = ca.issue("client", &with_uris("alice", &["urn:user:a", "urn:user:b"]));
    let identity = admitted(&ca.settings(), &pair);
    assert_eq!(identity.user_names(AuthClientsUser::Off), [""; 0]);
    assert_eq!(identity.user_names(AuthClientsUser::Cn), ["alice"]);
    assert_eq!(
        identity.user_names(AuthClientsUser::Uri),
        ["urn:user:a", "urn:user:b"]
    );
    assert_eq!(identity.sni.as_deref(), Some("localhost"));
}
