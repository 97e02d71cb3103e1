//! The private CA that a server without configured certificates makes for itself, once, in `<dir>/tls/`.
//!
//! Four files: `ca.key`, `ca.crt`, `server.key`, `server.crt` (leaf, then CA). Each step makes one file from those
//! on disk, keys before the certificates over them, and looks anew: whatever a crash or another process leaves,
//! the next run goes on from there. A file that exists is never overwritten, save an expiring `server.crt` of this CA.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::certificate::{self, CertificateSummary};
use crate::error::TlsError;
use crate::key::{self, KeySource};

/// Where the files are, and what was done to have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFiles {
    /// The CA certificate: what clients are to trust.
    pub ca_cert: PathBuf,
    /// The CA's key, needed only to renew; it may be kept elsewhere.
    pub ca_key: PathBuf,
    /// For `tls-cert-file`.
    pub server_cert: PathBuf,
    /// For `tls-key-file`.
    pub server_key: PathBuf,
    /// The files that were made or renewed now.
    pub made: Vec<PathBuf>,
    /// One line each, for the log.
    pub warnings: Vec<String>,
}

impl OwnFiles {
    /// Makes what is missing in `<dir>/tls/`, and renews a server certificate that expires within 30 days.
    ///
    /// The server certificate is for localhost, 127.0.0.1, ::1 and `hosts` (names or addresses). `now_s` is unix
    /// seconds.
    ///
    /// # Errors
    /// A file that is there and cannot be used, named; or one that cannot be written.
    pub fn ensure(dir: &Path, hosts: &[String], now_s: i64) -> Result<Self, TlsError> {
        let dir = dir.join("tls");
        fs::create_dir_all(&dir).map_err(|error| unwritable(&dir, &error))?;
        let mut files = Self {
            ca_cert: dir.join("ca.crt"),
            ca_key: dir.join("ca.key"),
            server_cert: dir.join("server.crt"),
            server_key: dir.join("server.key"),
            made: Vec::new(),
            warnings: Vec::new(),
        };
        for _ in 0..STEPS_MAX {
            if files.step(hosts, now_s)? == Step::Complete {
                return Ok(files);
            }
        }
        let remedy = "see whether something else writes there, or a link points nowhere";
        Err(TlsError::of_file(
            DIRECTIVE,
            &dir,
            "the files do not come to rest",
            remedy,
        ))
    }

    /// Makes the next missing file, or finds that all is there.
    fn step(&mut self, hosts: &[String], now_s: i64) -> Result<Step, TlsError> {
        if !self.ca_cert.exists() {
            if self.server_cert.exists() {
                let remedy = "bring it back, or move the directory away and a new CA is made";
                return Err(TlsError::of_file(
                    DIRECTIVE,
                    &self.ca_cert,
                    "is missing beside server.crt",
                    remedy,
                ));
            }
            if !self.ca_key.exists() {
                return self.make_key(self.ca_key.clone());
            }
            let pem = issue_ca(&load_key_pair(&self.ca_key)?, now_s)
                .map_err(|error| unissued(&self.ca_cert, &error))?;
            return self.create(self.ca_cert.clone(), &pem, CERTIFICATE_MODE);
        }
        let ca = load_first(&self.ca_cert)?;
        if !certificate::parse(&ca).is_some_and(|parsed| certificate::is_ca(&parsed)) {
            return Err(TlsError::of_file(
                DIRECTIVE,
                &self.ca_cert,
                "is not a CA certificate",
                MOVE_AWAY,
            ));
        }
        if self.server_cert.exists() {
            return self.check_server(&ca, hosts, now_s);
        }
        if !self.server_key.exists() {
            return self.make_key(self.server_key.clone());
        }
        let pem = self.issue_server(&ca, hosts, now_s)?;
        self.create(self.server_cert.clone(), &pem, CERTIFICATE_MODE)
    }

    /// Checks an existing server certificate and its key, and renews it in time.
    fn check_server(
        &mut self,
        ca: &CertificateDer<'_>,
        hosts: &[String],
        now_s: i64,
    ) -> Result<Step, TlsError> {
        let leaf = load_first(&self.server_cert)?;
        check_pair(&leaf, &self.server_cert, &self.server_key)?;
        let summary = summary(&leaf, &self.server_cert)?;
        if now_s < summary.not_after_s - RENEW_BEFORE_S {
            return Ok(Step::Complete);
        }
        match self.renew(&leaf, ca, hosts, now_s) {
            Ok(()) => Ok(Step::Complete),
            Err(error) if now_s <= summary.not_after_s => {
                self.warnings.push(format!(
                    "the server certificate expires soon and cannot be renewed: {error}"
                ));
                Ok(Step::Complete)
            }
            Err(error) => Err(error),
        }
    }

    /// Issues `server.crt` anew for the same key, so that one rename replaces it.
    fn renew(
        &mut self,
        leaf: &CertificateDer<'_>,
        ca: &CertificateDer<'_>,
        hosts: &[String],
        now_s: i64,
    ) -> Result<(), TlsError> {
        let issued_by_us = match (certificate::parse(leaf), certificate::parse(ca)) {
            (Some(leaf), Some(ca)) => leaf.issuer().as_raw() == ca.subject().as_raw(),
            _ => false,
        };
        if !issued_by_us {
            let remedy = "renew it where it was issued, or remove server.crt and server.key to have new ones made";
            return Err(TlsError::of_file(
                DIRECTIVE,
                &self.server_cert,
                "expires and is not issued by ca.crt",
                remedy,
            ));
        }
        let pem = self.issue_server(ca, hosts, now_s)?;
        let temporary = write_temporary(&self.server_cert, pem.as_bytes(), CERTIFICATE_MODE)
            .map_err(|error| unwritable(&self.server_cert, &error))?;
        fs::rename(&temporary, &self.server_cert)
            .map_err(|error| unwritable(&self.server_cert, &error))?;
        sync_directory(&self.server_cert);
        self.made.push(self.server_cert.clone());
        Ok(())
    }

    fn issue_server(
        &self,
        ca: &CertificateDer<'_>,
        hosts: &[String],
        now_s: i64,
    ) -> Result<String, TlsError> {
        if !self.ca_key.exists() {
            let remedy = "bring it back, or put your own server.crt and server.key there";
            return Err(TlsError::of_file(
                DIRECTIVE,
                &self.ca_key,
                "is missing, so no server certificate can be issued",
                remedy,
            ));
        }
        check_pair(ca, &self.ca_cert, &self.ca_key)?;
        let ca_summary = summary(ca, &self.ca_cert)?;
        if now_s >= ca_summary.not_after_s {
            return Err(TlsError::of_file(
                DIRECTIVE,
                &self.ca_cert,
                "has expired",
                MOVE_AWAY,
            ));
        }
        let issuer = Issuer::from_ca_cert_der(ca, load_key_pair(&self.ca_key)?)
            .map_err(|error| unissued(&self.ca_cert, &error))?;
        let key = load_key_pair(&self.server_key)?;
        let not_after_s = ca_summary.not_after_s.min(now_s + SERVER_DAYS * DAY_S);
        let leaf = server_params(hosts, now_s, not_after_s)
            .and_then(|params| params.signed_by(&key, &issuer));
        let leaf = leaf.map_err(|error| unissued(&self.server_cert, &error))?;
        let ca_pem = fs::read_to_string(&self.ca_cert)
            .map_err(|error| TlsError::unreadable(DIRECTIVE, &self.ca_cert, &error))?;
        Ok(leaf.pem() + &ca_pem)
    }

    fn make_key(&mut self, path: PathBuf) -> Result<Step, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| unissued(&path, &error))?;
        self.create(path, &Zeroizing::new(key.serialize_pem()), KEY_MODE)
    }

    /// Puts a new file in place whole, unless one is there by then: that one stays and is looked at next.
    fn create(&mut self, path: PathBuf, contents: &str, mode: u32) -> Result<Step, TlsError> {
        let temporary = write_temporary(&path, contents.as_bytes(), mode)
            .map_err(|error| unwritable(&path, &error))?;
        let placed = match fs::hard_link(&temporary, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
                fs::rename(&temporary, &path)
            }
            other => other,
        };
        // After a rename it is gone already.
        let _ = fs::remove_file(&temporary);
        match placed {
            Ok(()) => {
                sync_directory(&path);
                self.made.push(path);
                Ok(Step::More)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Step::More),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Complete,
}

fn issue_ca(key: &KeyPair, now_s: i64) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    let serial = random_serial()?;
    // A part of the serial in the name tells the CAs of several servers apart in a client's store.
    let tag: String = serial
        .iter()
        .skip(1)
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Cuirass private CA {tag}"));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now_s, now_s + CA_DAYS * DAY_S);
    Ok(params.self_signed(key)?.pem())
}

fn server_params(
    hosts: &[String],
    now_s: i64,
    not_after_s: i64,
) -> Result<CertificateParams, rcgen::Error> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    for host in hosts {
        // What is no name for a certificate (a host name outside of ASCII) is left out rather than fatal.
        if rustls::pki_types::ServerName::try_from(host.as_str()).is_ok() && !names.contains(host) {
            names.push(host.clone());
        }
    }
    let common_name = names
        .get(3)
        .or_else(|| names.first())
        .cloned()
        .unwrap_or_default();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Client too: a replica shows it to its primary.
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    set_validity(&mut params, now_s, not_after_s);
    Ok(params)
}

/// From an hour before now, for clients whose clock is behind.
fn set_validity(params: &mut CertificateParams, now_s: i64, not_after_s: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: i64| epoch + Duration::from_secs(seconds.max(0).unsigned_abs());
    params.not_before = at(now_s - HOUR_S);
    params.not_after = at(not_after_s);
}

/// Positive, 128 bits, never the same twice: rcgen's own comes from the key, which a renewal keeps.
fn random_serial() -> Result<[u8; 16], rcgen::Error> {
    let mut serial = [0; 16];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random
        .fill(&mut serial)
        .map_err(|_| rcgen::Error::RemoteKeyError)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

fn load_first(path: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let first = certificate::load(DIRECTIVE, path)?.into_iter().next();
    first.ok_or_else(|| TlsError::of_file(DIRECTIVE, path, "holds no certificate", MOVE_AWAY))
}

fn summary(der: &CertificateDer<'_>, path: &Path) -> Result<CertificateSummary, TlsError> {
    CertificateSummary::of(der)
        .ok_or_else(|| TlsError::of_file(DIRECTIVE, path, "is damaged", MOVE_AWAY))
}

/// Whether the key file is there, whole, and the certificate's.
fn check_pair(
    der: &CertificateDer<'_>,
    certificate_path: &Path,
    key_path: &Path,
) -> Result<(), TlsError> {
    let source = KeySource {
        directive: DIRECTIVE,
        pass_directive: "tls-key-file-pass",
        file: key_path,
        passphrase: None,
    };
    let spki = key::load(&source)?
        .public_key()
        .map(|spki| spki.to_vec())
        .unwrap_or_default();
    if certificate::parse(der).is_some_and(|parsed| certificate::has_key(&parsed, &spki)) {
        return Ok(());
    }
    let reason = format!("is not the key of {}", certificate_path.display());
    Err(TlsError::of_file(
        DIRECTIVE,
        key_path,
        reason,
        "bring back the pair that belongs together",
    ))
}

fn load_key_pair(path: &Path) -> Result<KeyPair, TlsError> {
    let text =
        fs::read_to_string(path).map_err(|error| TlsError::unreadable(DIRECTIVE, path, &error))?;
    KeyPair::from_pem(&Zeroizing::new(text)).map_err(|_| {
        TlsError::of_file(
            DIRECTIVE,
            path,
            "is no private key in PKCS#8",
            "bring it back, or move the directory away and new ones are made",
        )
    })
}

/// Writes a new file beside `path`, created with its mode, and syncs it.
fn write_temporary(path: &Path, contents: &[u8], mode: u32) -> io::Result<PathBuf> {
    let serial = random_serial().map_err(io::Error::other)?;
    let suffix: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    let temporary = path.with_extension(format!("temp-{suffix}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(temporary)
}

/// Makes a rename or link durable, as far as the file system can.
fn sync_directory(path: &Path) {
    if let Some(directory) = path.parent().and_then(|parent| File::open(parent).ok()) {
        let _ = directory.sync_all();
    }
}

fn unwritable(path: &Path, error: &io::Error) -> TlsError {
    let remedy =
        "see that the server's user may write there, or configure tls-cert-file and tls-key-file";
    TlsError::of_file(
        DIRECTIVE,
        path,
        format!("cannot be written: {error}"),
        remedy,
    )
}

fn unissued(path: &Path, error: &rcgen::Error) -> TlsError {
    TlsError::of_file(
        DIRECTIVE,
        path,
        format!("cannot be made: {error}"),
        "configure tls-cert-file and tls-key-file",
    )
}

/// Stands where the directive would: these files come from none.
const DIRECTIVE: &str = "private CA";
const MOVE_AWAY: &str = "move the directory away and a new CA is made";
const STEPS_MAX: u32 = 16;
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;
const HOUR_S: i64 = 60 * 60;
const DAY_S: i64 = 24 * HOUR_S;
const CA_DAYS: i64 = 3_652;
const SERVER_DAYS: i64 = 825;
const RENEW_BEFORE_S: i64 = 30 * DAY_S;
