//! `tls-*` directives made into rustls configurations: certificates, keys, trust, protocols and ciphers; who the
//! peer is; why a handshake failed; and the private CA that a server without certificates makes for itself.
//!
//! Building is a function of [`Settings`], of the files that they name and of a clock that the caller brings.
//! Either all of it holds and an [`Active`] comes out, or a [`TlsError`] says which directive, which file, why,
//! and what to do. A [`Holder`] swaps whole `Active`s, so a bad certificate never replaces a good one.

mod active;
mod certificate;
mod ciphers;
mod error;
mod explain;
mod key;
mod links;
mod material;
mod own;
mod peer;
mod pem;
mod protocols;
mod server;
mod settings;
mod sniff;
mod tickets;
mod trust;
mod verify;

pub use active::{Active, Fingerprint, Holder};
pub use certificate::{CertificateInfo, CertificateSummary};
pub use ciphers::openssl_cipher_name;
pub use error::TlsError;
pub use explain::{Cause, Explanation, Side, explain, explain_io, explain_plaintext};
pub use links::ClientTls;
pub use own::OwnFiles;
pub use peer::{Negotiated, PeerCertificate, PeerIdentity};
pub use protocols::openssl_protocol_name;
pub use server::ServerTls;
pub use settings::{AuthClients, AuthClientsUser, Passphrase, Settings, VerifyName};
pub use sniff::{
    ALERT_HANDSHAKE_FAILURE, ALERT_PROTOCOL_VERSION, HTTP_ON_TLS_PORT, Kind, RESP_ON_TLS_PORT,
    sniff,
};
