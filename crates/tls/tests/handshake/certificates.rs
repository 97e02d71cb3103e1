//! A CA and certificates of every odd kind, made with rcgen, in a directory that goes when dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use tls::Settings;

/// A directory of its own.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("cuirass-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A certificate and its key in files.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A CA in a directory, and what it issues.
pub(crate) struct Ca {
    pub(crate) directory: Directory,
    pub(crate) file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::named("test CA")
    }

    pub(crate) fn named(name: &str) -> Self {
        let directory = Directory::new();
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let file = directory.write("ca.crt", &certificate.pem());
        Self {
            directory,
            file,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn issue(&self, name: &str, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write_pair(&self.directory, name, &certificate, &key)
    }

    /// Settings of a server with a certificate for `localhost` and this CA.
    pub(crate) fn settings(&self) -> Settings {
        let server = self.issue("server", &params("server", &["localhost"]));
        Settings {
            cert_file: Some(server.certificate),
            key_file: Some(server.key),
            ca_cert_file: Some(self.file.clone()),
            ..Settings::default()
        }
    }
}

/// A certificate signed by its own key, made a CA or not.
pub(crate) fn self_signed(directory: &Directory, name: &str, is_ca: IsCa) -> Pair {
    let mut params = params(name, &[]);
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    write_pair(directory, name, &certificate, &key)
}

pub(crate) fn params(name: &str, dns_names: &[&str]) -> CertificateParams {
    let names: Vec<String> = dns_names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    params
}

pub(crate) fn expired(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.not_after = date_time_ymd(2021, 1, 1);
    params
}

pub(crate) fn for_purpose(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = params(name, &[]);
    params.extended_key_usages = vec![purpose];
    params
}

pub(crate) fn explicitly_no_ca(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

pub(crate) fn with_uris(name: &str, uris: &[&str]) -> CertificateParams {
    let mut params = params(name, &[]);
    let uris = uris
        .iter()
        .map(|&uri| SanType::URI(uri.try_into().unwrap()));
    params.subject_alt_names = uris.collect();
    params
}

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

fn write_pair(
    directory: &Directory,
    name: &str,
    certificate: &rcgen::Certificate,
    key: &KeyPair,
) -> Pair {
    Pair {
        certificate: directory.write(&format!("{name}.crt"), &certificate.pem()),
        key: directory.write(&format!("{name}.key"), &key.serialize_pem()),
    }
}
