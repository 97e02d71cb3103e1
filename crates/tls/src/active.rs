//! The configuration in force, and how it is replaced: built whole, then swapped in.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::time_provider::TimeProvider;

use crate::certificate::CertificateInfo;
use crate::error::TlsError;
use crate::links::ClientTls;
use crate::material::Material;
use crate::server::{ServerTls, now_s};
use crate::settings::{Settings, VerifyName};
use crate::trust;

/// All of a server's TLS, built from the same files at one time.
#[derive(Debug)]
pub struct Active {
    /// For accepting; present if the settings say that something listens.
    pub server: Option<ServerTls>,
    /// For links to a primary; present with `tls-replication yes`.
    pub replication: Option<ClientTls>,
    /// For the cluster bus; present with `tls-cluster yes`. Nodes are known by address, so names are not checked.
    pub cluster: Option<ClientTls>,
    /// What INFO shows.
    pub certificates: CertificateInfo,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    /// The files as they were just before they were read.
    pub fingerprint: Fingerprint,
}

impl Active {
    /// Reads all files and builds everything, or nothing.
    ///
    /// # Errors
    /// Any directive, file, certificate or key that cannot be used.
    pub fn build(settings: &Settings, clock: &Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        // Before reading: a file that changes meanwhile is then seen as changed, not missed.
        let fingerprint = Fingerprint::of(settings);
        let material = Material::load(settings, now_s(&**clock)?)?;
        let link = |wanted: bool, verify: &VerifyName| {
            wanted
                .then(|| ClientTls::from_material(&material, verify.clone(), Arc::clone(clock)))
                .transpose()
        };
        let server = settings
            .listens
            .then(|| ServerTls::from_material(settings, &material, Arc::clone(clock)));
        Ok(Self {
            server: server.transpose()?,
            replication: link(settings.replication, &settings.replication_verify_name)?,
            cluster: link(settings.cluster, &VerifyName::No)?,
            certificates: material.certificates,
            warnings: material.warnings,
            fingerprint,
        })
    }
}

/// Holds the configuration in force. Connections keep the one that they were made with.
#[derive(Debug)]
pub struct Holder {
    active: RwLock<Arc<Active>>,
}

impl Holder {
    /// Starts with one.
    pub fn new(active: Active) -> Self {
        Self {
            active: RwLock::new(Arc::new(active)),
        }
    }

    /// The one in force.
    pub fn current(&self) -> Arc<Active> {
        Arc::clone(&self.active.read())
    }

    /// Builds a new one and, if all of it holds, puts it in force.
    ///
    /// # Errors
    /// As [`Active::build`]; also if the new server certificate is outside of its dates while the present one is
    /// within: a bad certificate never replaces a good one. The present configuration then stays.
    pub fn reload(
        &self,
        settings: &Settings,
        clock: &Arc<dyn TimeProvider>,
    ) -> Result<Arc<Active>, TlsError> {
        let active = Active::build(settings, clock)?;
        let now_s = now_s(&**clock)?;
        if let (Some(new), Some(present)) = (
            &active.certificates.server,
            &self.current().certificates.server,
        ) && present.is_valid_at(now_s)
            && !new.is_valid_at(now_s)
        {
            let state = if now_s > new.not_after_s {
                "has expired"
            } else {
                "is not valid yet"
            };
            return Err(TlsError {
                directive: "tls-cert-file",
                file: settings.cert_file.clone(),
                reason: format!("{state} (serial {})", new.serial).into(),
                remedy: "the present certificate stays in use; put a valid one there".into(),
            });
        }
        let active = Arc::new(active);
        *self.active.write() = Arc::clone(&active);
        Ok(active)
    }

    /// Whether any file differs from what it was when the configuration in force was built, for
    /// `tls-auto-reload-interval`. It asks the file system for each file and reads none.
    pub fn files_changed(&self, settings: &Settings) -> bool {
        self.current().fingerprint != Fingerprint::of(settings)
    }
}

/// Which files there are, and when each was last changed: enough to see an edit, a rename over it, and a link that
/// points elsewhere (as Kubernetes replaces secrets).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, Option<Stamp>>);

/// Device, inode, size, and the times of change of contents and of inode in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Fingerprint {
    /// Takes it now. A file that cannot be looked at counts as absent.
    pub fn of(settings: &Settings) -> Self {
        let files = [
            &settings.cert_file,
            &settings.key_file,
            &settings.client_cert_file,
            &settings.client_key_file,
            &settings.ca_cert_file,
        ];
        let mut paths: Vec<PathBuf> = files.into_iter().flatten().cloned().collect();
        if let Some(directory) = &settings.ca_cert_dir {
            paths.extend(trust::directory_files(directory).unwrap_or_default());
        }
        Self(
            paths
                .into_iter()
                .map(|path| {
                    let stamp = Stamp::of(&path);
                    (path, stamp)
                })
                .collect(),
        )
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let ns = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
