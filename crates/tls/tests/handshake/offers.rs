//! Protocols, ciphers and sessions, as negotiated.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{cipher_suite as suite, default_provider};
use rustls::{ClientConfig, SupportedCipherSuite};
use tls::{AuthClients, Cause, ServerTls, Settings};

use crate::certificates::{Ca, params};
use crate::wire::{Clock, Outcome, build, client, client_with, handshake, localhost};

fn open(ca: &Ca) -> Settings {
    Settings {
        auth_clients: AuthClients::No,
        ..ca.settings()
    }
}

fn connect(settings: &Settings, config: ClientConfig) -> Outcome {
    handshake(
        &build(settings).unwrap().config,
        &Arc::new(config),
        localhost(),
    )
}

fn offering(suites: &[SupportedCipherSuite]) -> ClientConfig {
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: suites.to_vec(),
        ..default_provider()
    };
    let versions: &[_] = if suites[0].tls13().is_some() {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS12]
    };
    client_with(provider, versions, None)
}

#[test]
fn the_default_is_tls13_with_post_quantum_key_exchange() {
    let negotiated = connect(&open(&Ca::new()), client(None))
        .server_identity()
        .negotiated;
    assert_eq!(negotiated.version, "TLSv1.3");
    assert_eq!(negotiated.cipher, "TLS_AES_256_GCM_SHA384");
    assert_eq!(negotiated.group, Some("X25519MLKEM768"));
    assert!(!negotiated.resumed);
}

#[test]
fn protocols_are_obeyed() {
    let ca = Ca::new();
    let with = |protocols: &str| Settings {
        protocols: Some(protocols.into()),
        ..open(&ca)
    };
    let negotiated = connect(&with("TLSv1.2"), client(None))
        .server_identity()
        .negotiated;
    assert_eq!(
        (negotiated.version, negotiated.cipher),
        ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    );
    let old_client = client_with(default_provider(), &[&rustls::version::TLS12], None);
    let outcome = connect(&with("TLSv1.3"), old_client);
    assert_eq!(
        (outcome.server_cause(), outcome.client_cause()),
        (Cause::ProtocolVersion, Cause::AlertReceived)
    );
    assert_eq!(
        build(&with("TLSv1.1 TLSv1.2")).unwrap().warnings,
        ["left out because they are not supported: tls-protocols TLSv1.1"]
    );
    assert!(
        build(&with("TLSv1"))
            .unwrap_err()
            .contains("nothing is left")
    );
}

#[test]
fn ciphers_are_obeyed() {
    let ca = Ca::new();
    let tls12 = Settings {
        protocols: Some("TLSv1.2".into()),
        ciphers: Some("ECDHE+AES128:!kRSA".into()),
        ..open(&ca)
    };
    assert_eq!(
        connect(&tls12, client(None))
            .server_identity()
            .negotiated
            .cipher,
        "ECDHE-ECDSA-AES128-GCM-SHA256"
    );
    let other = offering(&[suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]);
    assert_eq!(connect(&tls12, other).server_cause(), Cause::NoSharedCipher);
    let tls13 = Settings {
        ciphersuites: Some("TLS_CHACHA20_POLY1305_SHA256".into()),
        ..open(&ca)
    };
    assert_eq!(
        connect(&tls13, client(None))
            .server_identity()
            .negotiated
            .cipher,
        "TLS_CHACHA20_POLY1305_SHA256"
    );
}

#[test]
fn what_is_not_supported_is_one_warning_and_nothing_left_is_refused() {
    let ca = Ca::new();
    let settings = Settings {
        protocols: Some("TLSv1 TLSv1.2 TLSv1.3".into()),
        ciphers: Some("AES128-SHA:DHE-RSA-AES256-SHA".into()),
        ciphersuites: Some("TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256".into()),
        dh_params_file: Some("/nowhere/dh.pem".into()),
        ..open(&ca)
    };
    let warnings = build(&settings).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("tls-dh-params-file is ignored"));
    assert_eq!(
        warnings[1],
        "left out because they are not supported: tls-protocols TLSv1, TLSv1.2 (no cipher is left for it); \
         tls-ciphers AES128-SHA, DHE-RSA-AES256-SHA; tls-ciphersuites TLS_AES_128_CCM_SHA256"
    );
    let only_tls12 = Settings {
        protocols: Some("TLSv1.2".into()),
        ..settings.clone()
    };
    assert!(
        build(&only_tls12)
            .unwrap_err()
            .starts_with("tls-ciphers: nothing is left of 'AES128-SHA:DHE-RSA-AES256-SHA';")
    );
    let neither = Settings {
        ciphersuites: Some("TLS_AES_128_CCM_8_SHA256".into()),
        ..settings
    };
    assert!(build(&neither).unwrap_err().contains("nothing is left"));
}

#[test]
fn the_side_whose_order_counts_is_as_configured() {
    let ca = Ca::new();
    let clients_order = [
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS13_AES_256_GCM_SHA384,
    ];
    for (prefer_server_ciphers, expected) in [
        (false, "TLS_AES_128_GCM_SHA256"),
        (true, "TLS_AES_256_GCM_SHA384"),
    ] {
        let settings = Settings {
            prefer_server_ciphers,
            ..open(&ca)
        };
        assert_eq!(
            connect(&settings, offering(&clients_order))
                .server_identity()
                .negotiated
                .cipher,
            expected
        );
    }
    let clients_order = [
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let settings = Settings {
        prefer_server_ciphers: true,
        ciphers: Some("CHACHA20:AES128".into()),
        ..open(&ca)
    };
    let negotiated = connect(&settings, offering(&clients_order))
        .server_identity()
        .negotiated;
    assert_eq!(negotiated.cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

#[test]
fn sessions_are_resumed_within_the_timeout_and_only_if_cached() {
    let ca = Ca::new();
    let pair = ca.issue("client", &params("alice", &[]));
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        for (session_caching, timeout_s, later_s, expected) in [
            (true, 300, 0, true),
            (true, 300, 300, true),
            (true, 300, 301, false),
            (false, 300, 0, false),
            (true, 0, 0, false),
        ] {
            let clock = Clock::new();
            let settings = Settings {
                session_caching,
                session_cache_timeout_s: timeout_s,
                ..ca.settings()
            };
            let server = ServerTls::build(&settings, Arc::clone(&clock) as _).unwrap();
            let config = Arc::new(client_with(default_provider(), versions, Some(&pair)));
            assert!(
                !handshake(&server.config, &config, localhost())
                    .server_identity()
                    .negotiated
                    .resumed
            );
            clock.advance(later_s);
            let identity = handshake(&server.config, &config, localhost()).server_identity();
            let what = format!("{versions:?} {session_caching} {timeout_s} {later_s}");
            assert_eq!(identity.negotiated.resumed, expected, "{what}");
            assert_eq!(
                identity.certificate.unwrap().common_name.as_deref(),
                Some("alice"),
                "{what}"
            );

            // A new configuration may trust others: it honours no ticket of the old one.
            let rebuilt = ServerTls::build(&settings, clock).unwrap();
            assert!(
                !handshake(&rebuilt.config, &config, localhost())
                    .server_identity()
                    .negotiated
                    .resumed,
                "{what}"
            );
        }
    }
}
