//! The world as an adapter gets it.

use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::io::{DynHttpClient, DynSocketConnector, SharedState, Sleep};
use mts_foundation::secret::{SecretRef, SecretSource};
use mts_foundation::time::Clock;
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

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
