//! TLS for clients that insist on it: a certificate made for one run, and plain HTTP at the same port for all others.

use super::{Shared, http, plain};
use crate::StartError;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::io::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS handshake; no HTTP method begins with it.
const HANDSHAKE: u8 = 22;

/// Longest wait for the end of a handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// What a server needs to speak TLS.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<str>,
}

impl Tls {
    /// With a new key and certificate for this machine's own address.
    pub(super) fn new() -> Result<Self, StartError> {
        let broken =
            |error: &dyn std::fmt::Display| StartError::Runtime(Error::other(format!("TLS: {error}")));
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(|error| broken(&error))?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
            })
            .map_err(|error| broken(&error))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: made.cert.pem().into() })
    }

    /// The certificate, in PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// Serves one connection, by TLS where its first byte says so.
pub(super) async fn connection(shared: Arc<Shared>, number: u64, stream: TcpStream, tls: Option<Tls>) {
    let Some(tls) = tls else { return plain::either(shared, number, stream).await };
    let mut first = [0_u8; 1];
    let read = tokio::time::timeout(HANDSHAKE_WITHIN, stream.peek(&mut first)).await;
    if !matches!(read, Ok(Ok(1))) {
        shared.lock().connections.remove(&number);
        return;
    }
    if first != [HANDSHAKE] {
        return plain::either(shared, number, stream).await;
    }
    match tokio::time::timeout(HANDSHAKE_WITHIN, tls.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => http::connection(shared, number, stream).await,
        _ => {
            shared.lock().connections.remove(&number);
        }
    }
}
