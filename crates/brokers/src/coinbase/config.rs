//! Settings.

use mts_foundation::Currency;
use mts_foundation::secret::SecretRef;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of a Coinbase Advanced Trade account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CoinbaseConfig {
    /// Where the key's name is kept: `organizations/…/apiKeys/…`.
    pub api_key: SecretRef,
    /// Where the key's secret is kept: an ECDSA key in PEM, or an Ed25519 key in base64 or PEM.
    pub api_secret: SecretRef,
    /// Of the older API; taken and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretRef>,
    /// Live: there is nothing else.
    pub trading_mode: TradingMode,
    /// Whether a key that may move money out is taken.
    pub allow_withdrawal_key: bool,
    /// The currency of the account's cash, and of its fees.
    pub currency: Currency,
    /// Another address than Coinbase's, such as a double's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Another address than Coinbase's for the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Longest wait for an answer, in milliseconds.
    pub deadline_ms: u64,
    /// How often the history is asked for what the stream has not told, in milliseconds.
    #[serde(deserialize_with = "look_every_above_zero")]
    pub look_every_ms: u64,
    /// After how much silence the stream counts as lost, in milliseconds; its heartbeats come every second.
    #[serde(deserialize_with = "silence_above_zero")]
    pub silence_ms: u64,
    /// How far back an order is looked for by its key, in hours; those that are open are found whatever their age.
    pub look_back_hours: u32,
}

/// What is traded with. Coinbase has no paper accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TradingMode {
    /// Real money.
    #[default]
    Live,
}

impl<'de> Deserialize<'de> for TradingMode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "live" => Ok(Self::Live),
            "paper" => Err(D::Error::custom(
                "trading_mode is \"paper\", and Coinbase has no paper accounts; use the broker \"paper\"",
            )),
            other => Err(D::Error::custom(format!("trading_mode is {other:?}; use \"live\""))),
        }
    }
}

fn above_zero<'de, D: Deserializer<'de>>(from: D, field: &str, usual: u64) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        0 => Err(D::Error::custom(format!(
            "{field} is 0; use a number of milliseconds above zero, such as {usual}"
        ))),
        millis => Ok(millis),
    }
}

fn look_every_above_zero<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    above_zero(from, "look_every_ms", look_every())
}

fn silence_above_zero<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    above_zero(from, "silence_ms", silence())
}

fn look_every() -> u64 {
    30_000
}

fn silence() -> u64 {
    10_000
}

impl Default for CoinbaseConfig {
    /// A live account in dollars, its key in `COINBASE_API_KEY` and `COINBASE_API_SECRET`.
    fn default() -> Self {
        Self {
            api_key: SecretRef::Env("COINBASE_API_KEY".to_owned()),
            api_secret: SecretRef::Env("COINBASE_API_SECRET".to_owned()),
            passphrase: None,
            trading_mode: TradingMode::Live,
            allow_withdrawal_key: false,
            currency: Currency::USD,
            rest: None,
            stream: None,
            deadline_ms: 20_000,
            look_every_ms: look_every(),
            silence_ms: silence(),
            look_back_hours: 25,
        }
    }
}

impl CoinbaseConfig {
    /// Where requests go.
    #[must_use]
    pub fn rest_url(&self) -> &str {
        self.rest.as_deref().unwrap_or("https://api.coinbase.com")
    }

    /// Where the stream is.
    #[must_use]
    pub fn stream_url(&self) -> &str {
        self.stream.as_deref().unwrap_or("wss://advanced-trade-ws-user.coinbase.com")
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
    fn paper_trading_is_refused_with_the_way_out() {
        let read = |text: &str| serde_json::from_str::<CoinbaseConfig>(text);
        let error = read(r#"{"trading_mode": "paper"}"#).unwrap_err().to_string();
        assert!(error.contains("no paper accounts; use the broker \"paper\""), "{error}");
        assert!(read(r#"{"trading_mode": "demo"}"#).is_err());
        assert_eq!(
            read(r#"{"trading_mode": "live", "passphrase": "env:X"}"#).unwrap().currency,
            Currency::USD
        );
        assert_eq!(read("{}").unwrap(), CoinbaseConfig::default());
    }

    #[test]
    fn a_look_without_a_pause_and_a_silence_of_nothing_are_refused() {
        let read = |text: &str| serde_json::from_str::<CoinbaseConfig>(text);
        for (field, usual) in [("look_every_ms", "30000"), ("silence_ms", "10000")] {
            let error = read(&format!("{{\"{field}\": 0}}")).unwrap_err().to_string();
            assert!(error.contains(&format!("{field} is 0; use")) && error.contains(usual), "{error}");
            assert!(read(&format!("{{\"{field}\": 1}}")).is_ok());
        }
    }
}
