//! The world as an adapter gets it.

use super::failure::{Failure, FailureKind};
use super::stream::Followed;
use http::HeaderValue;
use mts_foundation::Timestamp;
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus, Health};
use mts_foundation::io::{DynHttpClient, DynSocketConnector, SharedState, Sleep, Socket};
use mts_foundation::secret::{SecretRef, SecretSource};
use mts_foundation::time::Clock;
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything outside that an adapter may use (decision H3). In a test each part is a double.
#[derive(Clone)]
pub struct Connections {
    /// Sends requests.
    pub http: Arc<dyn DynHttpClient>,
    /// Opens sockets.
    pub sockets: Arc<dyn DynSocketConnector>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
    /// Reads secrets.
    pub secrets: Arc<dyn SecretSource>,
    /// Keeps what must not be forgotten.
    pub state: Arc<dyn SharedState>,
}

impl Connections {
    /// What the driver of a stream needs of it.
    #[must_use]
    pub fn followed(&self) -> Followed {
        Followed { sleep: self.sleep.clone(), clock: self.clock.clone() }
    }

    /// A socket to a stream.
    ///
    /// # Errors
    /// [`BrokerError`] that trying again may mend.
    pub async fn socket(&self, url: &str, within: Duration) -> Result<Box<dyn Socket>, BrokerError> {
        let temporary = |kind, message| BrokerError::new("events", kind, ErrorStatus::Temporary, message);
        let request = http::Request::builder().uri(url).body(());
        let request = request
            .map_err(|error| temporary(BrokerErrorKind::InvalidRequest, format!("stream: {error}")))?;
        let socket = self.sockets.connect(request, within).await;
        socket.map_err(|error| temporary(BrokerErrorKind::Disconnected, error.message))
    }

    /// An answer with the instant, by our clock, half-way between question and answer: about then it was made.
    ///
    /// # Errors
    /// That of the question.
    pub async fn dated<T, E>(
        &self,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<(T, Timestamp), E> {
        let before = self.clock.now();
        let answer = question.await?;
        let after = self.clock.now();
        Ok((answer, before.plus(after.since(before) / 2)))
    }
}

/// The health of a broker that is connected since then.
#[must_use]
pub const fn health(since: Option<Timestamp>, clock_skew_ms: Option<i64>) -> Health {
    Health { connected: since.is_some(), since, clock_skew_ms, token_expires: None }
}

/// A header that no log shows.
///
/// # Errors
/// [`Failure`] of kind `NotSent` for a text that no header can have, by the header's name.
pub fn sensitive(name: &'static str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        let message = format!("{name} holds characters that no key has; store it again");
        Failure::new(FailureKind::NotSent, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Connections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Connections")
    }
}

/// The secret behind a name of the adapter's configuration.
///
/// # Errors
/// [`BrokerError`] of kind `Auth` that names the setting, the place and the way out.
pub async fn secret(
    connections: &Connections,
    setting: &'static str,
    name: &SecretRef,
) -> Result<SecretString, BrokerError> {
    connections.secrets.secret(name).await.map_err(|error| {
        let status = if error.temporary { ErrorStatus::Temporary } else { ErrorStatus::Permanent };
        BrokerError::new("connect", BrokerErrorKind::Auth, status, format!("{setting}: {error}"))
    })
}
