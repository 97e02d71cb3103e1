//! The private CA: made once, used as it is, renewed in time, never overwritten.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tls::{AuthClients, OwnFiles, ServerTls, Settings, VerifyName};

use crate::certificates::Directory;
use crate::wire::{Clock, NOW_S, handshake};

const DAY_S: i64 = 86_400;

fn now_s() -> i64 {
    NOW_S.try_into().unwrap()
}

fn ensure(directory: &Directory, now_s: i64) -> Result<OwnFiles, String> {
    OwnFiles::ensure(
        &directory.0,
        &["db-1".into(), "192.0.2.7".into(), "not a name".into()],
        now_s,
    )
    .map_err(|error| error.to_string())
}

fn names(files: &OwnFiles) -> Vec<&str> {
    files
        .made
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect()
}

fn settings(files: &OwnFiles) -> Settings {
    Settings {
        cert_file: Some(files.server_cert.clone()),
        key_file: Some(files.server_key.clone()),
        ca_cert_file: Some(files.ca_cert.clone()),
        auth_clients: AuthClients::No,
        ..Settings::default()
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_is_made_once_and_serves_under_every_name() {
    let directory = Directory::new();
    let files = ensure(&directory, now_s()).unwrap();
    assert_eq!(
        names(&files),
        ["ca.key", "ca.crt", "server.key", "server.crt"]
    );
    assert_eq!(
        (mode(&files.ca_key), mode(&files.server_key)),
        (0o600, 0o600)
    );
    assert_eq!(
        std::fs::read_dir(directory.0.join("tls")).unwrap().count(),
        4,
        "no temporary file stays"
    );

    let settings = settings(&files);
    let server = ServerTls::build(&settings, Clock::new()).unwrap();
    let (info, day) = (&server.certificates, |seconds: i64| {
        (seconds - now_s()) / DAY_S
    });
    assert_eq!(day(info.server.as_ref().unwrap().not_after_s), 825);
    assert_eq!(day(info.ca.as_ref().unwrap().not_after_s), 3_652);
    assert!(server.warnings.is_empty(), "{:?}", server.warnings);
    for host in ["localhost", "127.0.0.1", "::1", "db-1", "192.0.2.7"] {
        let link = tls::ClientTls::build(&settings, VerifyName::Host, Clock::new()).unwrap();
        handshake(
            &server.config,
            &link.config,
            link.server_name(host).unwrap(),
        )
        .server_identity();
    }

    // As a client too, with demanded certificates: a replica of the same CA.
    let demanding = Settings {
        auth_clients: AuthClients::Yes,
        ..settings.clone()
    };
    let server = ServerTls::build(&demanding, Clock::new()).unwrap();
    let link = tls::ClientTls::build(&settings, VerifyName::Host, Clock::new()).unwrap();
    handshake(
        &server.config,
        &link.config,
        link.server_name("localhost").unwrap(),
    )
    .server_identity();

    let again = ensure(&directory, now_s() + DAY_S).unwrap();
    assert!(again.made.is_empty() && again.warnings.is_empty());
}

#[test]
fn the_server_certificate_is_renewed_by_the_same_ca() {
    let directory = Directory::new();
    let files = ensure(&directory, now_s()).unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (ca, key, first) = (
        read(&files.ca_cert),
        read(&files.server_key),
        read(&files.server_cert),
    );
    assert!(
        ensure(&directory, now_s() + 794 * DAY_S)
            .unwrap()
            .made
            .is_empty()
    );
    for days in [796, 900, 2_000] {
        let before = read(&files.server_cert);
        let renewed = ensure(&directory, now_s() + days * DAY_S);
        if days == 900 {
            assert!(renewed.unwrap().made.is_empty(), "renewed 104 days before");
            continue;
        }
        assert_eq!(names(&renewed.unwrap()), ["server.crt"]);
        assert_ne!(read(&files.server_cert), before);
    }
    assert_ne!(read(&files.server_cert), first);
    assert_eq!((read(&files.ca_cert), read(&files.server_key)), (ca, key));
    ServerTls::build(&settings(&files), Clock::new()).unwrap();
    let error = ensure(&directory, now_s() + 3_700 * DAY_S).unwrap_err();
    assert!(
        error.contains("ca.crt: has expired; move the directory away"),
        "{error}"
    );
}

#[test]
fn a_renewal_that_fails_is_a_warning_while_the_certificate_lives() {
    let directory = Directory::new();
    let files = ensure(&directory, now_s()).unwrap();
    std::fs::remove_file(&files.ca_key).unwrap();
    assert!(
        ensure(&directory, now_s()).unwrap().warnings.is_empty(),
        "the CA key may be kept elsewhere"
    );
    let soon = ensure(&directory, now_s() + 800 * DAY_S).unwrap();
    assert!(
        soon.warnings[0].contains("ca.key: is missing"),
        "{:?}",
        soon.warnings
    );
    assert!(
        ensure(&directory, now_s() + 826 * DAY_S)
            .unwrap_err()
            .contains("ca.key: is missing")
    );
}

#[test]
fn what_a_crash_left_is_completed() {
    for kept in 0..4 {
        let directory = Directory::new();
        let files = ensure(&directory, now_s()).unwrap();
        let made: Vec<String> = names(&files).into_iter().map(str::to_owned).collect();
        for path in &files.made[kept..] {
            std::fs::remove_file(path).unwrap();
        }
        let again = ensure(&directory, now_s()).unwrap();
        assert_eq!(names(&again), made[kept..]);
        ServerTls::build(&settings(&again), Clock::new()).unwrap();
    }
}

#[test]
fn a_broken_file_is_named_and_left_alone() {
    for (name, expected) in [
        ("ca.crt", "tls/ca.crt: holds no certificate"),
        ("server.crt", "tls/server.crt: holds no certificate"),
        ("server.key", "tls/server.key: holds no private key"),
    ] {
        let directory = Directory::new();
        ensure(&directory, now_s()).unwrap();
        let path = directory.write(&format!("tls/{name}"), "broken");
        let error = ensure(&directory, now_s()).unwrap_err();
        assert!(
            error.starts_with("private CA ") && error.contains(expected),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(path).unwrap(), "broken");
    }
    for (name, expected) in [
        ("ca.crt", "is missing beside server.crt"),
        ("server.key", "cannot be read"),
    ] {
        let directory = Directory::new();
        ensure(&directory, now_s()).unwrap();
        std::fs::remove_file(directory.0.join("tls").join(name)).unwrap();
        let error = ensure(&directory, now_s()).unwrap_err();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_foreign_key_or_an_unwritable_place_is_named() {
    let (directory, other) = (Directory::new(), Directory::new());
    let files = ensure(&directory, now_s()).unwrap();
    std::fs::copy(
        ensure(&other, now_s()).unwrap().server_key,
        &files.server_key,
    )
    .unwrap();
    let error = ensure(&directory, now_s()).unwrap_err();
    assert!(error.contains("server.key: is not the key of"), "{error}");

    let blocked = Directory::new();
    blocked.write("tls", "a file where the directory should be");
    assert!(
        ensure(&blocked, now_s())
            .unwrap_err()
            .contains("cannot be written")
    );
}

#[test]
fn many_at_once_agree_on_one_ca() {
    let directory = Arc::new(Directory::new());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let directory = Arc::clone(&directory);
            std::thread::spawn(move || ensure(&directory, now_s()).unwrap())
        })
        .collect();
    let made: Vec<String> = threads
        .into_iter()
        .flat_map(|thread| {
            names(&thread.join().unwrap())
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(made.len(), 4, "{made:?}");
    let files = ensure(&directory, now_s()).unwrap();
    ServerTls::build(&settings(&files), Clock::new()).unwrap();
}
