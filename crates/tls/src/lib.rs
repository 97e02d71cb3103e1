//! tls-* directives made into rustls configurations.
