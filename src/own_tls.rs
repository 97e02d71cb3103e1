//! TLS by default: a server that was told no port listens for TLS, with a certificate that it makes itself.

use std::path::PathBuf;

use config::choices::TlsAuthClients;
use config::{Config, directive};
use tls::{OwnFiles, TlsError};
use tracing::{info, warn};

use crate::clock;

/// How clients reach a server that listens by default.
#[derive(Debug)]
pub struct OwnTls {
    /// What clients are to trust; `None` when the configuration names a certificate.
    ca_cert: Option<PathBuf>,
}

/// The port that is listened on without any `port` or `tls-port` line.
const PORT: i64 = 6379;

/// Turns a configuration that names no port into one that listens for TLS. One that does is left alone: `None`.
///
/// # Errors
/// The files in `<dir>/tls/` cannot be made or used.
pub fn prepare(config: &mut Config) -> Result<Option<OwnTls>, TlsError> {
    if config.is_given(directive::PORT) || config.is_given(directive::TLS_PORT) {
        return Ok(None);
    }
    config.assume(directive::PORT, 0);
    config.assume(directive::TLS_PORT, PORT);
    if !config.is_given(directive::BIND) {
        let loopback = ["127.0.0.1", "-::1"];
        let loopback = loopback.map(|address| address.as_bytes().to_vec());
        config.assume(directive::BIND, loopback.to_vec());
    }
    if config.is_given(directive::TLS_CERT_FILE) {
        return Ok(Some(OwnTls { ca_cert: None }));
    }
    let now_s = clock::unix_us() / 1_000_000;
    let files = OwnFiles::ensure(config.read(directive::DIR), &names(config), now_s)?;
    for file in &files.made {
        info!("Made {}", file.display());
    }
    for warning in &files.warnings {
        warn!("{warning}");
    }
    let text = |path: &PathBuf| Some(path.as_os_str().as_encoded_bytes().to_vec());
    config.assume(directive::TLS_CERT_FILE, text(&files.server_cert));
    config.assume(directive::TLS_KEY_FILE, text(&files.server_key));
    if !config.is_given(directive::TLS_CA_CERT_FILE) && !config.is_given(directive::TLS_CA_CERT_DIR)
    {
        config.assume(directive::TLS_CA_CERT_FILE, text(&files.ca_cert));
    }
    if !config.is_given(directive::TLS_AUTH_CLIENTS) {
        config.assume(directive::TLS_AUTH_CLIENTS, TlsAuthClients::No);
    }
    Ok(Some(OwnTls {
        ca_cert: Some(files.ca_cert),
    }))
}

/// The addresses that `bind` names, for the certificate to carry.
fn names(config: &Config) -> Vec<String> {
    let bind = config.read(directive::BIND).iter();
    bind.map(|address| String::from_utf8_lossy(address).into_owned())
        .map(|address| address.trim_start_matches('-').to_owned())
        .filter(|address| !address.is_empty() && !address.contains('*'))
        .collect()
}

impl OwnTls {
    /// Logs the line that connects, and how to get plaintext.
    pub fn explain(&self) {
        if let Some(ca_cert) = &self.ca_cert {
            let file = quoted(&ca_cert.display().to_string());
            info!("Connect with: redis-cli --tls --cacert {file} -p {PORT}");
        } else {
            info!("Connect with: redis-cli --tls -p {PORT}");
        }
        info!(
            "For plaintext give a port: redis-server --port {PORT}, or the line 'port {PORT}' in the configuration file"
        );
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if path.bytes().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
