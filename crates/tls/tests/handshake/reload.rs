//! The configuration in force is replaced whole or not at all.

use std::sync::Arc;

use rustls::time_provider::TimeProvider;
use tls::{Active, Cause, Holder, Settings};

use crate::certificates::{Ca, expired, params};
use crate::wire::{Clock, client, handshake, localhost};

fn serial(active: &Active) -> String {
    active.certificates.server.clone().unwrap().serial
}

#[test]
fn a_bad_certificate_never_replaces_a_good_one() {
    let clock: Arc<dyn TimeProvider> = Clock::new();
    let ca = Ca::new();
    let settings = Settings {
        replication: true,
        cluster: true,
        ..ca.settings()
    };
    let holder = Holder::new(Active::build(&settings, &clock).unwrap());
    let first = holder.current();
    assert!(first.server.is_some() && first.replication.is_some() && first.cluster.is_some());
    assert!(!holder.files_changed(&settings));

    let (certificate, key) = (
        settings.cert_file.clone().unwrap(),
        settings.key_file.clone().unwrap(),
    );
    std::fs::write(&certificate, "half a certifi").unwrap();
    assert!(holder.files_changed(&settings));
    assert!(
        holder
            .reload(&settings, &clock)
            .unwrap_err()
            .to_string()
            .contains("holds no certificate")
    );

    let old = ca.issue("old", &expired("old"));
    std::fs::rename(old.certificate, &certificate).unwrap();
    std::fs::rename(old.key, &key).unwrap();
    let error = holder.reload(&settings, &clock).unwrap_err().to_string();
    assert!(
        error.contains("has expired") && error.contains("stays in use"),
        "{error}"
    );
    assert_eq!(serial(&holder.current()), serial(&first));

    let new = ca.issue("new", &params("new", &[]));
    std::fs::rename(new.certificate, &certificate).unwrap();
    std::fs::rename(new.key, &key).unwrap();
    holder.reload(&settings, &clock).unwrap();
    assert_ne!(serial(&holder.current()), serial(&first));
    assert!(!holder.files_changed(&settings));
}

#[test]
fn a_new_file_in_the_ca_directory_is_seen_and_counts_after_a_reload() {
    let clock: Arc<dyn TimeProvider> = Clock::new();
    let (ca, other) = (Ca::named("a"), Ca::named("b"));
    ca.directory
        .write("cas/a.pem", &std::fs::read_to_string(&ca.file).unwrap());
    let settings = Settings {
        ca_cert_file: None,
        ca_cert_dir: Some(ca.directory.0.join("cas")),
        ..ca.settings()
    };
    let holder = Holder::new(Active::build(&settings, &clock).unwrap());
    let config = Arc::new(client(Some(&other.issue("c", &params("c", &[])))));
    let connect = || {
        handshake(
            &holder.current().server.as_ref().unwrap().config,
            &config,
            localhost(),
        )
    };
    assert_eq!(connect().server_cause(), Cause::UnknownCa);
    ca.directory.write(
        "cas/00000000.0",
        &std::fs::read_to_string(&other.file).unwrap(),
    );
    assert!(holder.files_changed(&settings));
    holder.reload(&settings, &clock).unwrap();
    connect().server_identity();
}

#[test]
fn links_alone_need_no_server_certificate() {
    let clock: Arc<dyn TimeProvider> = Clock::new();
    let ca = Ca::new();
    let settings = Settings {
        listens: false,
        replication: true,
        ca_cert_file: Some(ca.file.clone()),
        ..Settings::default()
    };
    let active = Active::build(&settings, &clock).unwrap();
    assert!(active.server.is_none() && active.replication.is_some() && active.cluster.is_none());
}
