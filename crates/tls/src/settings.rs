//! The `tls-*` directives as plain data, as Redis 7.2 and Valkey 9.1 define them.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// Every `tls-*` directive. `None` and an empty value mean the same: not set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether any socket listens for TLS; then `tls-cert-file` and `tls-key-file` are needed.
    pub listens: bool,
    /// `tls-cert-file`: PEM, the leaf first, then its chain.
    pub cert_file: Option<PathBuf>,
    /// `tls-key-file`: PEM.
    pub key_file: Option<PathBuf>,
    /// `tls-key-file-pass`.
    pub key_file_pass: Option<Passphrase>,
    /// `tls-client-cert-file`: for outgoing links; without it they use the server's.
    pub client_cert_file: Option<PathBuf>,
    /// `tls-client-key-file`.
    pub client_key_file: Option<PathBuf>,
    /// `tls-client-key-file-pass`.
    pub client_key_file_pass: Option<Passphrase>,
    /// `tls-ca-cert-file`: PEM, any number of certificates.
    pub ca_cert_file: Option<PathBuf>,
    /// `tls-ca-cert-dir`: hashed names (`9d66eef0.0`) and `.pem`, `.crt`, `.cer` files.
    pub ca_cert_dir: Option<PathBuf>,
    /// `tls-auth-clients`.
    pub auth_clients: AuthClients,
    /// `tls-auth-clients-user` (Valkey 9).
    pub auth_clients_user: AuthClientsUser,
    /// `tls-protocols`, such as `TLSv1.2 TLSv1.3`.
    pub protocols: Option<String>,
    /// `tls-ciphers`: an OpenSSL cipher list, TLS 1.2.
    pub ciphers: Option<String>,
    /// `tls-ciphersuites`: TLS 1.3 names separated by colons.
    pub ciphersuites: Option<String>,
    /// `tls-prefer-server-ciphers`.
    pub prefer_server_ciphers: bool,
    /// `tls-session-caching`.
    pub session_caching: bool,
    /// `tls-session-cache-size`: accepted without effect, for tickets are kept by the clients.
    pub session_cache_size: u32,
    /// `tls-session-cache-timeout`, seconds: how long a ticket is accepted; 0 means not at all.
    pub session_cache_timeout_s: u32,
    /// `tls-dh-params-file`: ignored with a warning.
    pub dh_params_file: Option<PathBuf>,
    /// `tls-replication`: links to a primary are TLS.
    pub replication: bool,
    /// `tls-cluster`: the cluster bus is TLS.
    pub cluster: bool,
    /// `tls-replication-verify-name`: what name the primary's certificate must carry.
    pub replication_verify_name: VerifyName,
    /// `tls-auto-reload-interval` (Valkey 9.1), seconds; 0 is off. Kept for the caller, who owns the clock.
    pub auto_reload_interval_s: u64,
}

impl Default for Settings {
    /// The defaults of Redis 7.2 and Valkey 9.1.
    fn default() -> Self {
        Self {
            listens: true,
            cert_file: None,
            key_file: None,
            key_file_pass: None,
            client_cert_file: None,
            client_key_file: None,
            client_key_file_pass: None,
            ca_cert_file: None,
            ca_cert_dir: None,
            auth_clients: AuthClients::Yes,
            auth_clients_user: AuthClientsUser::Off,
            protocols: None,
            ciphers: None,
            ciphersuites: None,
            prefer_server_ciphers: false,
            session_caching: true,
            session_cache_size: 20_480,
            session_cache_timeout_s: 300,
            dh_params_file: None,
            replication: false,
            cluster: false,
            replication_verify_name: VerifyName::No,
            auto_reload_interval_s: 0,
        }
    }
}

/// `tls-auth-clients`: whether clients must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthClients {
    /// A certificate of a configured CA is demanded.
    #[default]
    Yes,
    /// None is asked for.
    No,
    /// One is asked for and verified if sent.
    Optional,
}

/// `tls-auth-clients-user`: which field of a client's certificate names its ACL user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthClientsUser {
    /// None: a client starts as the default user.
    #[default]
    Off,
    /// The subject's common name.
    Cn,
    /// The URIs of the subject alternative names.
    Uri,
}

/// What name the certificate of the other end of an outgoing link must carry. The chain is always verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VerifyName {
    /// Any, or none.
    #[default]
    No,
    /// The host that was dialled.
    Host,
    /// This name or address.
    Name(String),
}

impl VerifyName {
    /// Reads `no`, `yes` or a name, as the directive has it.
    pub fn parse(value: &str) -> Self {
        if value.is_empty() || value.eq_ignore_ascii_case("no") {
            Self::No
        } else if value.eq_ignore_ascii_case("yes") {
            Self::Host
        } else {
            Self::Name(value.to_owned())
        }
    }
}

/// The passphrase of a key file: wiped when dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes as configured.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, or `None` if it is empty, which Redis treats as not set.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (!self.0.is_empty()).then_some(self.0.as_slice())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrases_never_show() {
        let settings = Settings {
            key_file_pass: Some(Passphrase::new("open sesame")),
            ..Settings::default()
        };
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("sesame") && !shown.contains("111"),
            "{shown}"
        );
    }

    #[test]
    fn name_policies_are_read() {
        assert_eq!(VerifyName::parse("NO"), VerifyName::No);
        assert_eq!(VerifyName::parse(""), VerifyName::No);
        assert_eq!(VerifyName::parse("yes"), VerifyName::Host);
        assert_eq!(
            VerifyName::parse("db.example"),
            VerifyName::Name("db.example".into())
        );
    }
}
