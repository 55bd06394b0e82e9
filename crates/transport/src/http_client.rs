//! HTTP over reqwest and rustls: one attempt, one deadline, a bounded answer.

use crate::faults::TooLong;
use crate::tls::{SetupError, Tls};
use bytes::{Bytes, BytesMut};
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use std::error::Error;
use std::time::Duration;

/// Longest wait for a connection: what is not connected by then was certainly not sent.
const CONNECT: Duration = Duration::from_secs(10);

/// Sends requests over real connections. Follows no redirects, keeps no cookies, asks no proxy; an answer that is too
/// long or too late is an error. It repeats nothing.
///
/// Texts of its errors name the host and never the path or the query, which may hold a secret.
#[derive(Debug, Clone)]
pub struct ReqwestClient {
    client: reqwest::Client,
}

impl ReqwestClient {
    /// A client with its own pool of connections, that trusts the system's authorities.
    ///
    /// # Errors
    /// [`SetupError`] when TLS cannot be set up.
    pub fn new() -> Result<Self, SetupError> {
        Self::with_tls(&Tls::new(b"")?)
    }

    /// A client with its own pool of connections.
    ///
    /// # Errors
    /// [`SetupError`] when the client cannot be made.
    pub fn with_tls(tls: &Tls) -> Result<Self, SetupError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config().as_ref().clone())
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .no_proxy()
            .build()
            .map_err(SetupError::Client)?;
        Ok(Self { client })
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let host = request.uri().host().unwrap_or("no host").to_owned();
        let request = reqwest::Request::try_from(request)
            .map(|mut request| {
                *request.timeout_mut() = Some(options.deadline);
                request
            })
            .map_err(|error| failed(&host, options, error, Departure::NotSent))?;
        let mut answer = self.client.execute(request).await.map_err(|error| {
            // Only a connection that was never made proves that nothing left.
            let departure = if error.is_connect() || error.is_builder() {
                Departure::NotSent
            } else {
                Departure::MayHaveLeft
            };
            failed(&host, options, error, departure)
        })?;
        let too_long = || TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: false,
            message: format!(
                "the answer of {host} is longer than {} bytes; raise max_response_bytes or ask for less",
                options.max_response_bytes
            ),
            source: Some(Box::new(TooLong(options.max_response_bytes))),
        };
        let mut body = BytesMut::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| failed(&host, options, error, Departure::MayHaveLeft))?
        {
            if body.len().saturating_add(chunk.len()) > options.max_response_bytes {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.version_mut() = answer.version();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl HttpClient for ReqwestClient {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.exchange(request, options).await
    }
}

fn failed(
    host: &str,
    options: &RequestOptions,
    error: reqwest::Error,
    departure: Departure,
) -> TransportError {
    let error = error.without_url();
    let timed_out = error.is_timeout();
    let message = if timed_out && departure == Departure::NotSent {
        let wait = options.deadline.min(CONNECT).as_millis();
        format!("no connection to {host} within {wait} ms; check the address and the network")
    } else if timed_out {
        format!(
            "{host} gave no whole answer in {} ms; check the host or raise the deadline",
            options.deadline.as_millis()
        )
    } else {
        let mut cause: &dyn Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        format!("no answer of {host}: {cause}; check the address and the network")
    };
    TransportError { departure, timed_out, message, source: Some(Box::new(error)) }
}
