//! All that a configuration is made of, read and checked once: certificates with their keys, trust, protocols, ciphers.

use std::path::Path;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use crate::certificate::{self, CertificateInfo, CertificateSummary};
use crate::ciphers;
use crate::error::TlsError;
use crate::key::{self, KeySource};
use crate::protocols;
use crate::settings::{AuthClients, Settings};
use crate::trust::Trust;

/// What server and links are built from.
pub(crate) struct Material {
    /// The server's certificate; present if it listens.
    pub(crate) server: Option<Arc<CertifiedKey>>,
    /// What outgoing links show: the client's certificate, or else the server's.
    pub(crate) client: Option<Arc<CertifiedKey>>,
    /// Absent if neither CA file nor directory is configured.
    pub(crate) trust: Option<Arc<Trust>>,
    /// With the cipher suites allowed.
    pub(crate) provider: Arc<CryptoProvider>,
    /// Never empty.
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    /// What INFO shows.
    pub(crate) certificates: CertificateInfo,
    /// One line each, for the log.
    pub(crate) warnings: Vec<String>,
}

impl Material {
    /// Reads every file. The conditions under which Redis refuses are refused in its words.
    pub(crate) fn load(settings: &Settings, now_s: i64) -> Result<Self, TlsError> {
        require_files(settings)?;
        let mut warnings = Vec::new();
        if settings
            .dh_params_file
            .as_ref()
            .is_some_and(|file| !file.as_os_str().is_empty())
        {
            warnings.push("tls-dh-params-file is ignored: only elliptic-curve and post-quantum key exchange is used".into());
        }
        let (versions, provider) = offer(settings, &mut warnings)?;
        let server = server_pair(settings).map(|pair| pair.load()).transpose()?;
        let client = client_pair(settings).map(|pair| pair.load()).transpose()?;
        let trust = Trust::load(settings, &mut warnings)?;
        let certificates = CertificateInfo {
            server: server.as_ref().map(|(_, summary)| summary.clone()),
            client: client.as_ref().map(|(_, summary)| summary.clone()),
            ca: trust
                .as_ref()
                .and_then(|trust| trust.first_to_expire.clone()),
        };
        warn_of_dates(&certificates, now_s, &mut warnings);
        let server = server.map(|(key, _)| key);
        Ok(Self {
            client: client.map(|(key, _)| key).or_else(|| server.clone()),
            server,
            trust: trust.map(Arc::new),
            provider,
            versions,
            certificates,
            warnings,
        })
    }
}

/// What must be set, in the order and the words of Redis 7.2.
fn require_files(settings: &Settings) -> Result<(), TlsError> {
    let remedy = "name the PEM file";
    if settings.listens && settings.cert_file.is_none() {
        return Err(TlsError::of_value(
            "tls-cert-file",
            "No tls-cert-file configured!",
            remedy,
        ));
    }
    if settings.listens && settings.key_file.is_none() {
        return Err(TlsError::of_value(
            "tls-key-file",
            "No tls-key-file configured!",
            remedy,
        ));
    }
    let verifies = settings.cluster
        || settings.replication
        || (settings.listens && settings.auth_clients != AuthClients::No);
    if verifies && settings.ca_cert_file.is_none() && settings.ca_cert_dir.is_none() {
        return Err(no_trust());
    }
    Ok(())
}

/// The error when someone is to be verified and nobody is trusted.
pub(crate) fn no_trust() -> TlsError {
    TlsError::of_value(
        "tls-ca-cert-file",
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!",
        "name the file or directory, or set 'tls-auth-clients no' and leave tls-cluster and tls-replication off",
    )
}

/// A certificate and its key, as the directives name them.
struct Pair<'a> {
    directive: &'static str,
    file: &'a Path,
    key: KeySource<'a>,
}

fn server_pair(settings: &Settings) -> Option<Pair<'_>> {
    Some(Pair {
        directive: "tls-cert-file",
        file: settings.cert_file.as_deref()?,
        key: KeySource {
            directive: "tls-key-file",
            pass_directive: "tls-key-file-pass",
            file: settings.key_file.as_deref()?,
            passphrase: settings.key_file_pass.as_ref(),
        },
    })
}

/// Like Redis, one half without the other counts as none.
fn client_pair(settings: &Settings) -> Option<Pair<'_>> {
    Some(Pair {
        directive: "tls-client-cert-file",
        file: settings.client_cert_file.as_deref()?,
        key: KeySource {
            directive: "tls-client-key-file",
            pass_directive: "tls-client-key-file-pass",
            file: settings.client_key_file.as_deref()?,
            passphrase: settings.client_key_file_pass.as_ref(),
        },
    })
}

impl Pair<'_> {
    fn load(&self) -> Result<(Arc<CertifiedKey>, CertificateSummary), TlsError> {
        let error = |reason: String, remedy: &'static str| {
            TlsError::of_file(self.directive, self.file, reason, remedy)
        };
        let chain = certificate::load(self.directive, self.file)?;
        let damaged = || {
            error(
                "its first certificate is damaged".into(),
                "get it again from its issuer",
            )
        };
        let leaf = chain.first().ok_or_else(damaged)?;
        let summary = CertificateSummary::of(leaf).ok_or_else(damaged)?;
        let parsed = certificate::parse(leaf).ok_or_else(damaged)?;
        if certificate::is_before_v3(&parsed) {
            return Err(error(
                "is an X.509 version 1 certificate, which TLS clients of today refuse".into(),
                certificate::V1_REMEDY,
            ));
        }
        let key = key::load(&self.key)?;
        if key
            .public_key()
            .is_some_and(|spki| !certificate::has_key(&parsed, &spki))
        {
            return Err(TlsError::of_file(
                self.key.directive,
                self.key.file,
                format!(
                    "is not the key of the first certificate in {} {}",
                    self.directive,
                    self.file.display()
                ),
                "name the pair that belongs together, and put the server's own certificate first in its file",
            ));
        }
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(cause) => {
                return Err(error(
                    format!("cannot be used: {cause}"),
                    "get a certificate without that peculiarity",
                ));
            }
        }
        Ok((Arc::new(certified), summary))
    }
}

/// Protocol versions and suites; what cannot be offered is named in one warning.
fn offer(
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<(Vec<&'static SupportedProtocolVersion>, Arc<CryptoProvider>), TlsError> {
    let mut lost = Lost::default();
    let mut versions = protocols::parse(settings.protocols.as_deref(), &mut lost.protocols)?;
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let (mut tls13, mut tls12): (Vec<_>, Vec<_>) = provider
        .cipher_suites
        .iter()
        .copied()
        .partition(|suite| suite.tls13().is_some());
    if let Some(list) = settings
        .ciphersuites
        .as_deref()
        .filter(|list| !list.is_empty())
    {
        tls13 = ciphers::tls13(list, &mut lost.ciphersuites);
    }
    if let Some(list) = settings.ciphers.as_deref().filter(|list| !list.is_empty()) {
        tls12 = ciphers::tls12(list, &mut lost.ciphers);
    }
    let asked_for = versions.clone();
    versions.retain(|version| match version.version {
        rustls::ProtocolVersion::TLSv1_3 => !tls13.is_empty(),
        _ => !tls12.is_empty(),
    });
    if versions.is_empty() {
        return Err(no_suite_left(settings, &asked_for));
    }
    let off: Vec<_> = asked_for
        .iter()
        .filter(|version| !versions.contains(version))
        .collect();
    lost.protocols.extend(off.iter().map(|version| {
        format!(
            "{} (no cipher is left for it)",
            protocols::openssl_protocol_name(version.version)
        )
    }));
    warnings.extend(lost.warning());
    let suites = tls13.into_iter().chain(tls12);
    provider.cipher_suites = suites
        .filter(|suite| versions.contains(&suite.version()))
        .collect();
    Ok((versions, Arc::new(provider)))
}

fn no_suite_left(settings: &Settings, versions: &[&'static SupportedProtocolVersion]) -> TlsError {
    let only_tls13 = versions
        .iter()
        .all(|version| version.version == rustls::ProtocolVersion::TLSv1_3);
    let (directive, list) = if only_tls13 {
        ("tls-ciphersuites", &settings.ciphersuites)
    } else {
        ("tls-ciphers", &settings.ciphers)
    };
    TlsError::of_value(
        directive,
        format!(
            "nothing is left of '{}'",
            list.as_deref().unwrap_or_default()
        ),
        "allow ECDHE with AES-GCM or CHACHA20, such as HIGH; CBC and RSA key exchange are not spoken",
    )
}

/// What was asked for and cannot be had.
#[derive(Default)]
struct Lost {
    protocols: Vec<String>,
    ciphers: Vec<String>,
    ciphersuites: Vec<String>,
}

impl Lost {
    fn warning(&self) -> Option<String> {
        let lists = [
            (protocols::DIRECTIVE, &self.protocols),
            ("tls-ciphers", &self.ciphers),
            ("tls-ciphersuites", &self.ciphersuites),
        ];
        let named = lists.iter().filter(|(_, words)| !words.is_empty());
        let parts: Vec<_> = named
            .map(|(directive, words)| format!("{directive} {}", words.join(", ")))
            .collect();
        (!parts.is_empty()).then(|| {
            format!(
                "left out because they are not supported: {}",
                parts.join("; ")
            )
        })
    }
}

fn warn_of_dates(certificates: &CertificateInfo, now_s: i64, warnings: &mut Vec<String>) {
    let known = [
        ("the server certificate", &certificates.server),
        ("the client certificate", &certificates.client),
        ("a CA certificate", &certificates.ca),
    ];
    for (what, summary) in known {
        let Some(summary) = summary
            .as_ref()
            .filter(|summary| !summary.is_valid_at(now_s))
        else {
            continue;
        };
        let state = if now_s > summary.not_after_s {
            "has expired"
        } else {
            "is not valid yet"
        };
        warnings.push(format!(
            "{what} {state}: serial {}, subject {}",
            summary.serial, summary.subject
        ));
    }
}
