//! Whom the server trusts: `tls-ca-cert-file` and `tls-ca-cert-dir` together.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::certificate::{self, CertificateSummary};
use crate::error::TlsError;
use crate::settings::Settings;

/// The configured certificates.
pub(crate) struct Trust {
    /// Those that are CAs: what they signed is trusted.
    pub(crate) anchors: RootCertStore,
    /// All of them, leaves too: each is trusted itself.
    certificates: HashSet<CertificateDer<'static>>,
    /// The one that expires first.
    pub(crate) first_to_expire: Option<CertificateSummary>,
}

impl Trust {
    /// Reads file and directory; `None` if neither is configured. Oddities in the directory go to `warnings`.
    ///
    /// OpenSSL looks into the directory at each handshake; here it is read once, so a new file in it takes effect
    /// with the next reload.
    pub(crate) fn load(
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, TlsError> {
        if settings.ca_cert_file.is_none() && settings.ca_cert_dir.is_none() {
            return Ok(None);
        }
        let mut trust = Self {
            anchors: RootCertStore::empty(),
            certificates: HashSet::new(),
            first_to_expire: None,
        };
        if let Some(file) = &settings.ca_cert_file {
            for certificate in certificate::load(FILE, file)? {
                trust.add(certificate).map_err(|reason| {
                    TlsError::of_file(
                        FILE,
                        file,
                        reason,
                        "remove that certificate or get a new one",
                    )
                })?;
            }
        }
        if let Some(directory) = &settings.ca_cert_dir {
            trust.add_directory(directory, warnings)?;
        }
        Ok(Some(trust))
    }

    /// Whether this very certificate is configured.
    pub(crate) fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate)
    }

    fn add_directory(
        &mut self,
        directory: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<(), TlsError> {
        let files = directory_files(directory)
            .map_err(|error| TlsError::unreadable(DIRECTORY, directory, &error))?;
        for file in &files {
            let read = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"));
            let certificates =
                read.and_then(|text| certificate::from_pem(&text).map_err(|(reason, _)| reason));
            let added = certificates.and_then(|found| {
                found
                    .into_iter()
                    .try_for_each(|certificate| self.add(certificate))
            });
            if let Err(reason) = added {
                warnings.push(format!(
                    "{DIRECTORY} {}: {reason}; passed over",
                    file.display()
                ));
            }
        }
        if self.certificates.is_empty() {
            return Err(TlsError::of_file(
                DIRECTORY,
                directory,
                "holds no CA certificate",
                "put PEM files into it, named *.pem, *.crt, *.cer or by openssl rehash",
            ));
        }
        Ok(())
    }

    fn add(&mut self, der: CertificateDer<'static>) -> Result<(), String> {
        let certificate = certificate::parse(&der).ok_or("a certificate in it is damaged")?;
        let summary = CertificateSummary::of(&der).ok_or("a certificate in it is damaged")?;
        if self.contains(&der) {
            return Ok(());
        }
        if certificate::is_ca(&certificate) {
            let added = self.anchors.add(der.clone());
            added.map_err(|error| {
                format!("'{}' cannot be used as a CA: {error}", summary.subject)
            })?;
        }
        self.certificates.insert(der);
        if self
            .first_to_expire
            .as_ref()
            .is_none_or(|first| summary.not_after_s < first.not_after_s)
        {
            self.first_to_expire = Some(summary);
        }
        Ok(())
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (anchors, certificates) = (self.anchors.len(), self.certificates.len());
        write!(
            f,
            "Trust {{ anchors: {anchors}, certificates: {certificates} }}"
        )
    }
}

/// The files of a CA directory that may hold certificates, sorted: hashed names and certificate extensions.
pub(crate) fn directory_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_certificate_name) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// `9d66eef0.0` as `openssl rehash` makes them (its CRLs end in `.r0`), or a name with the usual extension.
fn is_certificate_name(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let hashed = stem.len() == 8
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !extension.is_empty()
        && extension.bytes().all(|byte| byte.is_ascii_digit());
    hashed
        || (!stem.is_empty()
            && ["pem", "crt", "cer"]
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known)))
}

const FILE: &str = "tls-ca-cert-file";
const DIRECTORY: &str = "tls-ca-cert-dir";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_ca_directory() {
        for name in [
            "9d66eef0.0",
            "9d66eef0.12",
            "ca.pem",
            "Root CA.crt",
            "x.CER",
        ] {
            assert!(is_certificate_name(name), "{name}");
        }
        for name in [
            "9d66eef0.r0",
            "9d66eef.0",
            "9d66eef0.",
            "ca.key",
            ".pem",
            "pem",
            "9d66eefg.0",
        ] {
            assert!(!is_certificate_name(name), "{name}");
        }
    }
}
