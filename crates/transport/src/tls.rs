//! TLS for requests and sockets alike: rustls with ring, the system's certificates and those of a configuration.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is nobody to trust.
    #[error(
        "no certificates of authorities are found; install them (Debian: ca-certificates), or give some in PEM form"
    )]
    NoCertificates,
    /// What was given is none.
    #[error(
        "the certificates in PEM form cannot be used: {0}; give the text between BEGIN and END CERTIFICATE"
    )]
    Certificate(String),
    /// The versions or ciphers are not there.
    #[error("TLS cannot be used: {0}; build mts again")]
    Tls(#[source] rustls::Error),
    /// The client cannot be made.
    #[cfg(feature = "http")]
    #[error("no HTTP client can be made: {0}; build mts again")]
    Client(#[source] reqwest::Error),
}

/// Whom a connection trusts. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls {
    #[cfg_attr(
        not(any(feature = "http", feature = "websocket")),
        allow(dead_code, reason = "for who makes connections")
    )]
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the authorities of the system, and those in `more`: certificates in PEM form, empty for none.
    ///
    /// # Errors
    /// [`SetupError`] when `more` holds something else, or there is nobody to trust.
    pub fn new(more: &[u8]) -> Result<Self, SetupError> {
        let mut roots = RootCertStore::empty();
        // A certificate of the system that cannot be read is not trusted, no more.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut own = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(more) {
            let certificate = certificate.map_err(|error| SetupError::Certificate(error.to_string()))?;
            roots.add(certificate).map_err(|error| SetupError::Certificate(error.to_string()))?;
            own = own.saturating_add(1);
        }
        if own == 0 && !more.trim_ascii().is_empty() {
            return Err(SetupError::Certificate("there is none among them".to_owned()));
        }
        if roots.is_empty() {
            return Err(SetupError::NoCertificates);
        }
        // Named, not the process's default: there may be none, or another.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// For whoever makes connections.
    #[cfg(any(feature = "http", feature = "websocket"))]
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for wrong in [
            "hunter2",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA",
        ] {
            let error = Tls::new(wrong.as_bytes()).unwrap_err();
            assert!(matches!(error, SetupError::Certificate(_)), "{wrong}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
