//! Settings.

use crate::kit::{ZeroTime, above_zero};
use mts_foundation::secret::SecretRef;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of an Alpaca account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AlpacaConfig {
    /// Where the key's id is kept.
    pub key_id: SecretRef,
    /// Where the key's secret is kept.
    pub secret_key: SecretRef,
    /// Whether the account is a paper account, the default.
    pub paper: bool,
    /// Another address than Alpaca's for orders and accounts, such as a double's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Another address than Alpaca's for prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Another address than Alpaca's for the stream of trade updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Longest wait for an answer, in milliseconds.
    pub deadline_ms: u64,
    /// How often the history is asked for what the stream has not told, in milliseconds: cash that moved without a trade, and
    /// fills whose message was lost.
    pub look_every_ms: u64,
}

impl Default for AlpacaConfig {
    /// A paper account, its key in `APCA_API_KEY_ID` and `APCA_API_SECRET_KEY`.
    fn default() -> Self {
        Self {
            key_id: SecretRef::Env("APCA_API_KEY_ID".to_owned()),
            secret_key: SecretRef::Env("APCA_API_SECRET_KEY".to_owned()),
            paper: true,
            rest: None,
            data: None,
            stream: None,
            deadline_ms: 20_000,
            look_every_ms: 30_000,
        }
    }
}

impl AlpacaConfig {
    /// Checks the times.
    ///
    /// # Errors
    /// [`ZeroTime`] of one that is nothing: the venue would be asked without a pause, or given up at once.
    pub fn validate(&self) -> Result<(), ZeroTime> {
        above_zero([("deadline_ms", self.deadline_ms), ("look_every_ms", self.look_every_ms)])
    }

    /// Where orders and accounts are.
    #[must_use]
    pub fn rest_url(&self) -> &str {
        let own = if self.paper { "https://paper-api.alpaca.markets" } else { "https://api.alpaca.markets" };
        self.rest.as_deref().unwrap_or(own)
    }

    /// Where prices are.
    #[must_use]
    pub fn data_url(&self) -> &str {
        self.data.as_deref().unwrap_or("https://data.alpaca.markets")
    }

    /// Where the stream is.
    #[must_use]
    pub fn stream_url(&self) -> &str {
        let own = if self.paper {
            "wss://paper-api.alpaca.markets/stream"
        } else {
            "wss://api.alpaca.markets/stream"
        };
        self.stream.as_deref().unwrap_or(own)
    }

    /// Longest wait for an answer.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_nothing_is_refused_with_the_way_out() {
        for field in ["deadline_ms", "look_every_ms"] {
            let config: AlpacaConfig = serde_json::from_str(&format!(r#"{{"{field}": 0}}"#)).unwrap();
            let words = format!("{field} is 0; write the milliseconds, 1 or more");
            assert_eq!(config.validate().unwrap_err().to_string(), words);
        }
        assert_eq!(AlpacaConfig::default().validate(), Ok(()));
    }
}
