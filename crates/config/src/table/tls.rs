//! Transport security.

use super::{INT_MAX, PORT_MAX};
use crate::choices::{TlsAuthClients, TlsAuthClientsUser, TransitEncryptionMode};
use crate::directive::{boolean, choice, integer, optional, text};
use crate::typed::{OptionalText, Text};

theme! {
    "TLS" after super::network::END;

    /// The TLS port, 0 for none.
    TLS_PORT: i64 = integer("tls-port", 0, PORT_MAX, "0");
    /// The server's certificate chain, a PEM file.
    TLS_CERT_FILE: OptionalText = optional("tls-cert-file").reapplied();
    /// The private key of that certificate, a PEM file.
    TLS_KEY_FILE: OptionalText = optional("tls-key-file").reapplied();
    /// The password of that key.
    TLS_KEY_FILE_PASS: OptionalText = optional("tls-key-file-pass").sensitive();
    /// The certificate to show on outgoing connections, if not the server's.
    TLS_CLIENT_CERT_FILE: OptionalText = optional("tls-client-cert-file").reapplied();
    /// The private key of that certificate.
    TLS_CLIENT_KEY_FILE: OptionalText = optional("tls-client-key-file").reapplied();
    /// The password of that key.
    TLS_CLIENT_KEY_FILE_PASS: OptionalText = optional("tls-client-key-file-pass").sensitive();
    /// Certificates to trust, a PEM file.
    TLS_CA_CERT_FILE: OptionalText = optional("tls-ca-cert-file").reapplied();
    /// Certificates to trust, a directory of PEM files.
    TLS_CA_CERT_DIR: OptionalText = optional("tls-ca-cert-dir").reapplied();
    /// Whether a client must show a certificate: yes, no or optional.
    TLS_AUTH_CLIENTS: TlsAuthClients = choice("tls-auth-clients", "yes");
    /// Which part of a client's certificate logs it in as that user: CN, URI or off.
    TLS_AUTH_CLIENTS_USER: TlsAuthClientsUser = choice("tls-auth-clients-user", "off");
    /// Protocol versions to offer, such as "TLSv1.2 TLSv1.3"; none named offers both.
    TLS_PROTOCOLS: OptionalText = optional("tls-protocols");
    /// Cipher suites of TLS 1.2, as OpenSSL writes them.
    TLS_CIPHERS: OptionalText = optional("tls-ciphers");
    /// Cipher suites of TLS 1.3.
    TLS_CIPHERSUITES: OptionalText = optional("tls-ciphersuites");
    /// Choose the cipher suite by the server's order rather than the client's.
    TLS_PREFER_SERVER_CIPHERS: bool = boolean("tls-prefer-server-ciphers", "no");
    /// Parameters for finite field key exchange: accepted, not needed.
    TLS_DH_PARAMS_FILE: OptionalText = optional("tls-dh-params-file").reapplied();
    /// Let clients resume sessions.
    TLS_SESSION_CACHING: bool = boolean("tls-session-caching", "yes");
    /// Sessions to keep, 0 for no limit.
    TLS_SESSION_CACHE_SIZE: i64 = integer("tls-session-cache-size", 0, INT_MAX, "20480");
    /// Seconds for which a session can be resumed.
    TLS_SESSION_CACHE_TIMEOUT: i64 = integer("tls-session-cache-timeout", 0, INT_MAX, "300");
    /// Use TLS for the link to a primary.
    TLS_REPLICATION: bool = boolean("tls-replication", "no");
    /// On the link to a primary, check the name in its certificate too, not the chain alone: yes for the host dialled, or a name.
    TLS_REPLICATION_VERIFY_NAME: Text = text("tls-replication-verify-name", "no");
    /// While moving to TLS: preferred takes plaintext on the TLS port too, required refuses it everywhere, off is neither.
    TRANSIT_ENCRYPTION_MODE: TransitEncryptionMode = choice("transit-encryption-mode", "off");
    /// Use TLS on the cluster bus.
    TLS_CLUSTER: bool = boolean("tls-cluster", "no");
    /// Seconds between looks for changed certificate files, 0 for none.
    TLS_AUTO_RELOAD_INTERVAL: i64 = integer("tls-auto-reload-interval", 0, INT_MAX, "0");
    /// Seconds that a handshake may take from the moment the connection is accepted.
    TLS_HANDSHAKE_TIMEOUT: i64 = integer("tls-handshake-timeout", 1, INT_MAX, "10");
    /// TLS connections to accept before the others are served.
    MAX_NEW_TLS_CONNECTIONS_PER_CYCLE: i64 = integer("max-new-tls-connections-per-cycle", 1, 1000, "1");
}
