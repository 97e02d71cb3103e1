//! The configuration of outgoing links: to a primary, and on the cluster bus.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;

use crate::error::TlsError;
use crate::material::{self, Material};
use crate::server::{internal, now_s};
use crate::settings::{Settings, VerifyName};
use crate::verify::{NameCheck, ServerVerifier};

/// What makes outgoing TLS connections. The chain of the other end is always verified; its name as the policy says.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// For `rustls::ClientConnection` or `tokio_rustls::TlsConnector`, with a name from [`Self::server_name`].
    pub config: Arc<ClientConfig>,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    verify: VerifyName,
}

impl ClientTls {
    /// Builds it from the settings, whether or not they say that links are TLS.
    ///
    /// Without a client certificate the server's is shown, as Redis does; without either, none.
    ///
    /// # Errors
    /// Any directive, file, certificate or key that cannot be used, and a name that is none.
    pub fn build(
        settings: &Settings,
        verify: VerifyName,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TlsError> {
        let material = Material::load(settings, now_s(&*clock)?)?;
        Self::from_material(&material, verify, clock)
    }

    pub(crate) fn from_material(
        material: &Material,
        verify: VerifyName,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TlsError> {
        if let VerifyName::Name(name) = &verify {
            parse_name(name)?;
        }
        let trust = material.trust.as_ref().ok_or_else(material::no_trust)?;
        let check = if verify == VerifyName::No {
            NameCheck::Skipped
        } else {
            NameCheck::Demanded
        };
        let verifier = ServerVerifier::new(Arc::clone(trust), check, &material.provider);
        let builder = ClientConfig::builder_with_details(Arc::clone(&material.provider), clock)
            .with_protocol_versions(&material.versions)
            .map_err(internal)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &material.client {
            Some(identity) => builder
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity)))),
            None => builder.with_no_client_auth(),
        };
        // Links are few and long: a full handshake each verifies the other end anew.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            warnings: material.warnings.clone(),
            verify,
        })
    }

    /// Whether the other end's name is checked: for the line that the log says of each link.
    pub fn checks_name(&self) -> bool {
        self.verify != VerifyName::No
    }

    /// The name to connect with when dialling `host`: it is sent as SNI and, under the policy, verified.
    ///
    /// # Errors
    /// The name is to be verified and `host` is neither a DNS name nor an address.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.verify {
            VerifyName::Name(name) => parse_name(name),
            VerifyName::Host => parse_name(host),
            // An address is not sent as SNI, so one stands for a host that cannot be a name.
            VerifyName::No => Ok(parse_name(host)
                .unwrap_or_else(|_| ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))),
        }
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        TlsError::of_value(
            "tls-replication-verify-name",
            format!("'{name}' is neither a DNS name nor an address"),
            "give the name that the primary's certificate carries, or 'no'",
        )
    })
}
