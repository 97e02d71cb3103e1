//! The configuration of the listening side.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;

use crate::certificate::CertificateInfo;
use crate::error::TlsError;
use crate::material::{self, Material};
use crate::settings::{AuthClients, Settings};
use crate::tickets;
use crate::verify::{ClientVerifier, Demand};

/// What accepts TLS connections.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// For `rustls::ServerConnection` or `tokio_rustls::TlsAcceptor`.
    pub config: Arc<ServerConfig>,
    /// What INFO shows.
    pub certificates: CertificateInfo,
    /// One line each, for the log.
    pub warnings: Vec<String>,
}

impl ServerTls {
    /// Builds it from the settings, whether or not they say that anything listens.
    ///
    /// # Errors
    /// Any directive, file, certificate or key that cannot be used.
    pub fn build(settings: &Settings, clock: Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        let settings = Settings {
            listens: true,
            ..settings.clone()
        };
        let material = Material::load(&settings, now_s(&*clock)?)?;
        Self::from_material(&settings, &material, clock)
    }

    pub(crate) fn from_material(
        settings: &Settings,
        material: &Material,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TlsError> {
        let Some(identity) = &material.server else {
            return Err(TlsError::of_value(
                "tls-cert-file",
                "No tls-cert-file configured!",
                "name the PEM file",
            ));
        };
        let builder =
            ServerConfig::builder_with_details(Arc::clone(&material.provider), Arc::clone(&clock))
                .with_protocol_versions(&material.versions)
                .map_err(internal)?
                .with_client_cert_verifier(client_verifier(settings, material)?);
        let mut config =
            builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity))));
        config.ignore_client_order = settings.prefer_server_ciphers;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if settings.session_caching && settings.session_cache_timeout_s > 0 {
            config.ticketer =
                tickets::ticketer(settings.session_cache_timeout_s, clock).map_err(internal)?;
            config.send_tls13_tickets = 1;
        }
        Ok(Self {
            config: Arc::new(config),
            certificates: material.certificates.clone(),
            warnings: material.warnings.clone(),
        })
    }
}

fn client_verifier(
    settings: &Settings,
    material: &Material,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let demand = match settings.auth_clients {
        AuthClients::No => return Ok(Arc::new(NoClientAuth)),
        AuthClients::Yes => Demand::Required,
        AuthClients::Optional => Demand::Optional,
    };
    let trust = material.trust.as_ref().ok_or_else(material::no_trust)?;
    Ok(Arc::new(ClientVerifier::new(
        Arc::clone(trust),
        demand,
        &material.provider,
    )))
}

/// Unix seconds of the caller's clock.
pub(crate) fn now_s(clock: &dyn TimeProvider) -> Result<i64, TlsError> {
    let now = clock
        .current_time()
        .and_then(|now| i64::try_from(now.as_secs()).ok());
    now.ok_or_else(|| {
        TlsError::of_value(
            "tls-cert-file",
            "the time is not known",
            "set the machine's clock",
        )
    })
}

/// rustls refuses a whole that was checked part by part: nothing that a directive is known to cause.
pub(crate) fn internal(error: rustls::Error) -> TlsError {
    TlsError::of_value(
        "tls-protocols",
        format!("the configuration cannot be built: {error}"),
        "report this with the tls-* lines used",
    )
}
